"""Who does what when, on untrimmed recordings: from scratch, from pre-trained encoders, and controls (PRECOG-2016).

    python benchmarks/claims/segmentation.py --data precog2016_s1-8.zip --model hub_configs/unik-precog-small \
        --seeds 0 1 2 --encoder "contrast=runs/lac/last" "contrast, frames too=runs/lac-frames/last"

Subjects 1 to 6 train, 7 and 8 test; the same recipe, windows and seeds for every arm. Each encoder (a folder with the
model's own config) is fine-tuned, and read out by a linear layer while it is frozen; the control of the latter is a
frozen encoder of random weights. Further controls: ridge regression on the joints of half a second, and the most
frequent class. The numbers are those of the last epoch. Five minutes a run of the repository's small model on one
CPU thread.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import Ridge

import motionhub
from motionhub.cli import reported
from motionhub.data.build import build_dataset
from motionhub.intervals.decode import DecodingRule
from motionhub.metrics.segmentation_report import FrameScores, segmentation_report
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.frame_labels import FrameLabelDataset
from motionhub.training.heads import class_names_of_dataset, prepare_model
from motionhub.training.run import RunArguments
from motionhub.training.segmentation import train_segmentation
from motionhub.training.sources import load_processor


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


def trained(splits: Any, model: str, mode: str, seed: int, folder: Path, shorter: dict[str, Any]) -> dict[str, Any]:
    """The report of the last epoch; a run that is there already is not repeated."""
    recipe = TrainingRecipe.from_file(
        shorter["recipe"],
        **{"mode": mode, "seed": seed, "output_dir": str(folder), "progress_bar": False},
        **shorter["changes"],
    )
    arguments = RunArguments("precog", model, recipe=str(shorter["recipe"]))
    model_class = motionhub.AutoModelForActionSegmentation
    return train_segmentation(splits, arguments, recipe, model_class).last_metrics


def random_encoder(splits: Any, model: str, seed: int, folder: Path) -> str:
    """A checkpoint of random weights, to freeze."""
    network, processor = prepare_model(
        model, splits["train"], motionhub.AutoModelForActionSegmentation, mode="scratch", seed=seed
    )
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def frames_of(clips: FrameLabelDataset, reach: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Per clip: the joints of each frame and of `reach` before and after it, every other one; the labels."""
    features, labels = [], []
    for index in range(len(clips)):
        item = clips[index]
        flat = item["keypoints"].transpose(0, 1).flatten(1).numpy()
        places = np.arange(len(flat))[:, None] + np.arange(-reach, reach + 1, 2)
        features.append(flat[places.clip(0, len(flat) - 1)].reshape(len(flat), -1))
        labels.append(item["labels"].numpy())
    return features, labels


def controls(splits: Any, processor: Any, reach: int = 7, strength: float = 100.0) -> dict[str, dict[str, Any]]:
    """Ridge regression to the classes of the frame, and the frequencies of the classes."""
    names = class_names_of_dataset(splits["train"])
    sets = {name: FrameLabelDataset(split, processor, training=False) for name, split in splits.items()}
    (train, targets), (test, truth) = (frames_of(sets[name], reach) for name in ("train", "test"))
    ridge = Ridge(strength).fit(np.concatenate(train), np.concatenate(targets))
    frequencies = np.concatenate(targets).mean(0)
    said = {
        "ridge on half a second of joints": [ridge.predict(clip).clip(0, 1) for clip in test],
        "most frequent class": [np.tile(frequencies, (len(clip), 1)) for clip in test],
    }
    background = sets["test"].background
    rule = DecodingRule(threshold=0.0, exclusive=True, background=background)
    reports = {}
    for name, scores in said.items():
        clips = [
            FrameScores(sets["test"].name_of(index), own, labels, 30.0)
            for index, (own, labels) in enumerate(zip(scores, truth, strict=True))
        ]
        reports[name] = segmentation_report(clips, names, rule, exclusive=True, background=background)
    return reports


def print_table(rows: dict[str, list[dict[str, Any]]]) -> None:
    print("| arm | " + " | ".join(COLUMNS) + " | runs |\n|---|" + "---|" * (len(COLUMNS) + 1))
    for arm, reports in rows.items():
        cells = []
        for key in COLUMNS.values():
            values = 100 * np.array([report[key] for report in reports])
            spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.1f}{spread}")
        print(f"| {arm} | " + " | ".join(cells) + f" | {len(reports)} |")


def print_gates(rows: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether every gate holds; pairs of runs share a seed."""

    def gain(arm: str, against: str) -> float:
        first, second = ([report["frame_map"] for report in rows[name]] for name in (arm, against))
        return float(np.mean(first) - np.mean(second))

    pairs = [("scratch", "ridge on half a second of joints")]
    pairs += [(arm, "scratch") for arm in rows if arm.endswith(", fine-tuned")]
    pairs += [(arm, "random, frozen") for arm in rows if arm.endswith(", frozen") and arm != "random, frozen"]
    for arm, against in pairs:
        value = gain(arm, against)
        word = "holds" if value >= LEAST_GAIN else "does not hold"
        print(f"{arm} over {against}: {100 * value:+.1f} frame mAP, gate +{100 * LEAST_GAIN:.0f}: {word}")
    return all(gain(*pair) >= LEAST_GAIN for pair in pairs)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="precog2016_s1-8.zip, or a folder of its files")
    parser.add_argument("--model", required=True, help="folder with config, preprocessor_config.json, training.json")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--encoder", nargs="*", default=[], metavar="NAME=FOLDER", help="pre-trained encoders")
    parser.add_argument("--epochs", type=int, default=None, help="instead of those of training.json")
    parser.add_argument("--output_dir", default=None, help="keep the runs; a run that is there is not repeated")
    chosen = parser.parse_args(words)
    torch.set_num_threads(1)
    encoders = dict(entry.split("=", 1) for entry in chosen.encoder if "=" in entry)
    if len(encoders) != len(chosen.encoder):
        raise ValueError(f"--encoder takes NAME=FOLDER, each name once, got {chosen.encoder}.")
    splits = build_dataset("precog", chosen.data, "subjects-1-6")
    shorter = {"recipe": Path(chosen.model), "changes": {} if chosen.epochs is None else {"epochs": chosen.epochs}}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(chosen.output_dir or scratch)
        rows: dict[str, list[dict[str, Any]]] = {}
        for seed in chosen.seeds:
            arms = {"scratch": (chosen.model, "scratch")}
            arms["random, frozen"] = (random_encoder(splits, chosen.model, seed, folder / f"random-{seed}"), "linear")
            for name, source in encoders.items():
                arms |= {f"{name}, fine-tuned": (source, "finetune"), f"{name}, frozen": (source, "linear")}
            for arm, (source, mode) in arms.items():
                run = folder / f"{arm.replace(', ', '-').replace(' ', '-')}-{seed}"
                rows.setdefault(arm, []).append(trained(splits, source, mode, seed, run, shorter))
                print(f"seed {seed}, {arm}: frame mAP {rows[arm][-1]['frame_map']:.1%}", flush=True)
    rows |= {arm: [report] for arm, report in controls(splits, load_processor(chosen.model)).items()}
    print_table(rows)
    return 0 if print_gates(rows) else 1


if __name__ == "__main__":
    sys.exit(reported(lambda: main(sys.argv[1:])))
