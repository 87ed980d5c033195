"""Who does what when, on untrimmed recordings: from scratch, from pre-trained encoders, and controls (PRECOG-2016).

    python benchmarks/claims/segmentation.py --data precog2016_s1-8.zip --model hub_configs/unik-precog-small \
        --unlabelled utd_mhad_s1-6.zip --encoder "N-UCLA=hub_configs/unik-nucla-small" --output_dir runs/claim

What the arms are: segmentation.md. `--ablations` adds rows with another loss and other augmentation, and what the
ridge says of mirror images; without seeds (`--seeds`) only controls.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import experiment
import numpy as np
import torch
from datasets import Value, concatenate_datasets
from motions import trained_by_recipe
from segmentation_controls import Controls
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader
from transformers import AutoConfig, AutoModel

import motionhub
from motionhub.augment.view_params import ViewRanges
from motionhub.cli.main import handle_cli_errors
from motionhub.data.build.build import build_dataset
from motionhub.models.lac import LacConfig, LacModel
from motionhub.objectives.lac import LacPairs
from motionhub.objectives.lac_contrast import LacContrast
from motionhub.objectives.or_vpe import OrVpe
from motionhub.processing.collate import collate_skeletons
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Results, Scores, paired_gains
from motionhub.training.arguments import RunArguments, TrainingRecipe
from motionhub.training.dataset import ClipDataset
from motionhub.training.sources import load_checkpoint, load_processor, load_weights
from motionhub.training.start import prepare_model
from motionhub.training.tasks.segmentation import (
    FrameLabelDataset,
    SegmentationOptions,
    collate_frames,
    evaluate_segmentation,
    train_segmentation,
)


COLUMNS = {
    "frame mAP": "frame_map",
    "F1@10": "f1@10",
    "F1@25": "f1@25",
    "F1@50": "f1@50",
    "edit": "edit",
    "accuracy": "frame_accuracy",
    "event mAP@.5": "event_map@0.5",
}
# Frame mAP above the ridge, and of a fine-tuned encoder above scratch: less is within the spread of the seeds.
LEAST_GAIN = 0.02
# Of the readout: inverse strength of its regularisation, chosen with subjects 5 and 6 held out for random weights, and
# passes over the training windows, whose places and augmentation differ.
READOUT_C, READOUT_PASSES = 0.1, 3
PRETRAINING = {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine", "warmup_epochs": 1.0}
PRETRAINING |= {"max_grad_norm": 5.0, "checkpoint_epochs": 1000, "mixed_precision": "auto"}


@dataclass(frozen=True)
class Arm:
    """A row of the table.

    Args:
        model: folder of config, processor and recipe.
        encoder: folder of the weights below the head; "": random ones.
        frozen: whether only the head learns.
        labels: as of `SegmentationOptions`.
    """

    model: str
    encoder: str = ""
    frozen: bool = False
    labels: Any = "auto"


def trained(splits: Any, arm: Arm, seed: int, folder: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """The report of the last epoch; a run that is there already is not repeated."""
    start = starting_point(splits, arm, seed, folder / "start")
    if arm.frozen:
        return read_out(splits, start, seed, folder)
    run = {"mode": "finetune", "seed": seed, "output_dir": str(folder), "progress_bar": False, "cpu": True}
    recipe = TrainingRecipe.from_file(arm.model, **{**run, "checkpoint_epochs": 10, **changes})
    arguments = RunArguments("precog", str(start), recipe=arm.model)
    options = SegmentationOptions(labels=arm.labels)
    model_class = motionhub.AutoModelForActionSegmentation
    return train_segmentation(splits, arguments, recipe, model_class, options).last_metrics


def starting_point(splits: Any, arm: Arm, seed: int, folder: Path) -> Path:
    """A checkpoint to train from: the config and processor of every arm, its head of this seed, the arm's encoder."""
    if (folder / "config.json").exists():
        return folder
    model_class = motionhub.AutoModelForActionSegmentation
    network, processor = prepare_model(arm.model, splits["train"], model_class, mode="scratch", seed=seed)
    if arm.encoder:
        encoder, unfit = load_weights(arm.encoder, AutoModel)
        if unfit:
            raise ValueError(f"The weights of {arm.encoder} do not fit its config: {unfit[:3]}.")
        network.base_model.load_state_dict(encoder.state_dict())
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def read_out(splits: Any, start: Path, seed: int, folder: Path) -> dict[str, Any]:
    """The report of a linear layer on the features of the frozen encoder of a checkpoint."""
    if (folder / "metrics.json").exists():
        return dict(json.loads((folder / "metrics.json").read_text()))
    network, processor = load_checkpoint(start, motionhub.AutoModelForActionSegmentation)
    windows = FrameLabelDataset(splits["train"], processor, training=True, seed=seed)
    features, classes = coarse_features(network, windows, READOUT_PASSES)
    fit_head(network.classifier, features, classes)
    return evaluate_segmentation(network, processor, splits["test"], output_dir=folder)[0]


@torch.no_grad()
def coarse_features(network: Any, windows: FrameLabelDataset, passes: int) -> tuple[np.ndarray, np.ndarray]:
    """What the head is given, `(frames, size)`, and the class of each of these frames that has one."""
    head, network.classifier = network.classifier, nn.Identity()
    stride, features, classes = network.config.frame_stride, [], []
    for number in range(passes):
        windows.set_epoch(number)
        for batch in DataLoader(windows, 16, collate_fn=collate_frames):
            mask = batch["attention_mask"]
            hidden = network.base_model(keypoints=batch["keypoints"], attention_mask=mask).last_hidden_state
            labels = batch["labels"][:, ::stride]
            known = mask.any(1)[:, ::stride] & (labels.amax(-1) > 0)
            features.append(network.coarse_logits(hidden, mask)[known])
            classes.append(labels[known].argmax(-1))
    network.classifier = head
    return torch.cat(features).numpy(), torch.cat(classes).numpy()


@torch.no_grad()
def fit_head(head: nn.Linear, features: np.ndarray, classes: np.ndarray) -> None:
    """Logistic regression on standardised features, as the weights of a layer on features as they are.

    A class of the head that no frame has is never answered.

    Raises:
        ValueError: fewer than three classes among the frames.
    """
    if len(np.unique(classes)) < 3:
        raise ValueError(f"A head is fitted to three classes or more, but the frames have {len(np.unique(classes))}.")
    scaler = StandardScaler().fit(features)
    fitted = LogisticRegression(C=READOUT_C, max_iter=1000).fit(scaler.transform(features), classes)
    weight = fitted.coef_ / scaler.scale_
    head.weight.zero_()
    head.bias.fill_(-1e4)
    head.weight[fitted.classes_] = torch.tensor(weight, dtype=head.weight.dtype)
    head.bias[fitted.classes_] = torch.tensor(fitted.intercept_ - weight @ scaler.mean_, dtype=head.bias.dtype)


def changed(model: str, folder: Path, **processing: Any) -> str:
    """A copy of a model's folder, without weights, whose processor has other values."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "training.json"):
        shutil.copy(Path(model) / name, folder)
    values = json.loads((Path(model) / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**values, **processing}))
    return str(folder)


def arms_of(model: str, encoders: dict[str, str], ablations: bool, folder: Path) -> dict[str, Arm]:
    arms = {"scratch": Arm(model), "random, frozen": Arm(model, frozen=True)}
    for name, encoder in encoders.items():
        arms |= {f"{name}, fine-tuned": Arm(model, encoder), f"{name}, frozen": Arm(model, encoder, frozen=True)}
    if ablations:
        arms["scratch, binary cross entropy"] = Arm(model, labels="overlapping")
        for mirror, yaw in ((0.5, 30.0), (0.0, 180.0), (0.5, 180.0)):
            name = f"scratch, mirrored {mirror:.0%}, turned up to {yaw:.0f} degrees".replace("%", " %")
            processing = {"mirror_probability": mirror, "rotation_degrees": [10.0, yaw, 0.0]}
            arms[name] = Arm(changed(model, folder / f"turned-{yaw:.0f}-mirrored-{mirror}", **processing))
    return arms


# Pre-training without labels


class InMetres(nn.Module):
    """A generator that learned clips of extent 1, for clips of metres."""

    def __init__(self, generator: Any, metres: float) -> None:
        super().__init__()
        self.generator, self.config, self.metres = generator, generator.config, metres

    def encode(self, rows: torch.Tensor) -> Any:
        return self.generator.encode(rows / self.metres)

    def decode(self, motion: torch.Tensor, static: torch.Tensor) -> torch.Tensor:
        return self.generator.decode(motion, static) * self.metres


def without_labels(recordings: Any, archive: str, repeats: int = 6) -> Any:
    """The rows of UTD-MHAD, and the training recordings several times: they are that much longer."""
    clips = build_dataset("utd-mhad", archive)["full"]
    parts = [clips, *[recordings] * repeats]
    return concatenate_datasets([part.cast_column("label", Value("int64")) for part in parts])


def generator_of(clips: Any, processor: Any, epochs: int, folder: Path) -> InMetres:
    """LAC's first stage, on windows that are drawn once."""
    layout = motionhub.get_layout(processor.layout)
    plain = {"scale_jitter": 0.0, "rotation_degrees": [0.0, 0.0, 0.0]}
    plain_processor = type(processor).from_dict({**processor.to_dict(), **plain})
    drawn = ClipDataset(clips, plain_processor, training=True, seed=0)
    windows = [drawn[index] for index in range(len(drawn))]
    extents = [window["keypoints"].square().sum(-1)[window["joint_mask"]].mean().sqrt() for window in windows]
    config = LacConfig(layout=layout.name, num_joints=layout.num_joints, in_channels=3)
    torch.manual_seed(0)
    generator = LacModel(config)
    own = {"learning_rate": 1e-3, "batch_size": 64, "output_dir": str(folder), "resume": "auto"}
    pairs = LacPairs(layout, ranges=ViewRanges(azimuth=60.0))
    trained_by_recipe(generator, pairs, windows, collate_skeletons, epochs, 0, **{**PRETRAINING, **own})
    return InMetres(generator, float(torch.stack(extents).mean()))


def pretrained(splits: Any, model: str, archive: str, epochs: int, folder: Path) -> dict[str, str]:
    """Folder of each encoder that learned without labels; those that are there already are not made again."""
    names = ("LAC contrast with the frame term", "LAC contrast without the frame term", "OR-VPE")
    folders = {name: folder / name.replace(" ", "-") for name in names}
    if all((own / "last" / "config.json").exists() for own in folders.values()):
        return {name: str(own / "last") for name, own in folders.items()}
    processor, clips = load_processor(model), without_labels(splits["train"], archive)
    generator = generator_of(clips, processor, 8 * epochs, folder / "generator")
    lac = {"queue_size": 512, "momentum": 0.99, "num_positives": 2}
    objectives = (
        LacContrast(generator, processor.num_frames, **lac),
        LacContrast(generator, processor.num_frames, frame_weight=0.0, **lac),
        OrVpe(motionhub.get_layout(processor.layout), temperature=0.1, mapping="none"),
    )
    for (name, place), objective in zip(folders.items(), objectives, strict=True):
        torch.manual_seed(0)
        encoder = AutoModel.from_config(AutoConfig.from_pretrained(model))
        own = {"learning_rate": 2e-3, "batch_size": 32, "output_dir": str(place), "resume": "auto"}
        dataset = ClipDataset(clips, processor, training=True, seed=0)
        result = trained_by_recipe(
            encoder, objective, dataset, collate_skeletons, epochs, 0, processor=processor, **{**PRETRAINING, **own}
        )
        print(f"{name}: {result.steps} updates in {result.seconds:.0f} s", flush=True)
    return {name: str(own / "last") for name, own in folders.items()}


# Tables


def print_table(results: Results) -> None:
    print("\n".join(comparison.table(results, list(COLUMNS), runs={arm: len(results[arm]) for arm in results})))


def print_gates(results: Results) -> bool:
    """Whether every gate holds; pairs of runs share a seed."""
    encoders = [arm.removesuffix(", fine-tuned") for arm in results if arm.endswith(", fine-tuned")]
    pairs = [("scratch", "ridge on half a second of joints"), ("random, frozen", "most frequent class")]
    pairs += [(f"{name}, fine-tuned", "scratch") for name in encoders]
    pairs += [(f"{name}, frozen", "random, frozen") for name in encoders]
    held = []
    for arm, against in pairs:
        gains = list(paired_gains(results, arm, against, "frame mAP").values())
        held.append(bool(np.mean(gains) >= LEAST_GAIN))
        word = "holds" if held[-1] else "does not hold"
        print(f"- {arm} over {against}: {said_gain(gains)} frame mAP, gate +{100 * LEAST_GAIN:.0f}: {word}")
    for way in ("fine-tuned", "frozen"):
        both = [f"LAC contrast {kind} the frame term, {way}" for kind in ("with", "without")]
        if all(name in results for name in both):
            gains = list(paired_gains(results, *both, "frame mAP").values())
            print(f"- the frame term, {way}: {said_gain(gains)} frame mAP; no gate, the paper has +0.3 and +0.9")
    return all(held)


def said_gain(gains: list[float]) -> str:
    said = comparison.mean_and_deviation(gains)
    return said if said.startswith("-") else f"+{said}"


def splits_of(archive: str, develop: bool) -> Any:
    splits = build_dataset("precog", archive, "subjects-1-6")
    if not develop:
        return splits
    held = {"train": (1, 2, 3, 4), "test": (5, 6)}
    full = splits["train"]
    return {name: full.filter(lambda row, wanted=wanted: row["subject"] in wanted) for name, wanted in held.items()}


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    data = "precog2016_s1-8.zip, or a folder of its files"
    parser = experiment.command_line(
        __doc__, cache=False, data=data, ablations="loss and augmentation, mirror images",
        develop="subjects 1 to 4 train, 5 and 6 test", bf16="bfloat16 in training where the processor computes it",
    )  # fmt: skip
    parser.add_argument("--model", required=True, help="folder with config, preprocessor_config.json, training.json")
    parser.add_argument("--encoder", nargs="*", default=[], metavar="NAME=FOLDER", help="encoders to start from")
    parser.add_argument("--unlabelled", help="utd_mhad_s1-6.zip: make encoders without labels")
    parser.add_argument("--pretraining_epochs", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="instead of those of training.json")
    parser.add_argument("--arms", nargs="+", help="only these rows")
    parser.add_argument("--output_dir", help="keep the runs; a run that is there is not repeated")
    chosen = parser.parse_args(argv)
    if len({entry.split("=", 1)[0] for entry in chosen.encoder if "=" in entry}) != len(chosen.encoder):
        raise ValueError(f"--encoder takes NAME=FOLDER, each name once, got {chosen.encoder}.")
    return chosen


def run_arms(chosen: argparse.Namespace, splits: Any, folder: Path) -> Results:
    """The report of every row and seed."""
    encoders = dict(entry.split("=", 1) for entry in chosen.encoder)
    if chosen.unlabelled:
        encoders |= pretrained(splits, chosen.model, chosen.unlabelled, chosen.pretraining_epochs, folder / "encoders")
    arms = arms_of(chosen.model, encoders, chosen.ablations, folder)
    unknown = sorted(set(chosen.arms or []) - set(arms))
    if unknown:
        raise ValueError(f"--arms takes some of {list(arms)}, got {unknown}.")
    changes: dict[str, Any] = {"mixed_precision": "auto"} if chosen.bf16 else {}
    changes |= {} if chosen.epochs is None else {"epochs": chosen.epochs}

    def score(name: str, seed: int) -> Scores:
        run = folder / f"{name.replace(',', '').replace(' ', '-')}-{seed}"
        report = trained(splits, arms[name], seed, run, changes)
        return {column: report[key] for column, key in COLUMNS.items()}

    return experiment.measure(chosen.arms or list(arms), chosen.seeds, score, chosen.output)


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parsed(argv)
    torch.set_num_threads(1)
    splits = splits_of(chosen.data, chosen.develop)
    controls = Controls(splits, load_processor(chosen.model))
    with tempfile.TemporaryDirectory() as scratch:
        results = run_arms(chosen, splits, Path(chosen.output_dir or scratch)) if chosen.seeds else {}
    for arm, report in controls.rows(chosen.ablations).items():
        results[arm] = {"": {column: report[key] for column, key in COLUMNS.items()}}
    print_table(results)
    if chosen.ablations:
        print("\n".join(["", *controls.mirror_images(), ""]))
    return 0 if chosen.arms or not chosen.seeds or print_gates(results) else 1


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
