"""Does U-VI's posture stay when the camera moves? Its losses one by one, on drawn bodies and on real depth maps.

    python benchmarks/claims/u_vi.py --data FOLDER --cache FOLDER --seeds 0 1 2 --output FILE.json --picture FILE.png

What the arms and columns mean: u_vi.md.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import experiment
import motions
import numpy as np
import torch
from experiment import Called, kept
from torch import Generator, Tensor, nn
from u_vi_clips import GRADES, MOVEMENTS, PIXELS, PROCESSOR, as_images, draw_reconstructions, load, split

from motionhub.data.views.view_pairs import RecordedTake, ViewPairDataset, collate_view_pairs
from motionhub.metrics.agreement import rank_correlation
from motionhub.models.u_vi import UViConfig, UViForActionClassification, UViModel
from motionhub.nn.heads import RecurrentHead
from motionhub.objectives.u_vi import UVi
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Gate, Results, Scores, gate_lines


SIZES: dict[str, Any] = {
    "image_size": PIXELS,
    "in_channels": 1,
    "num_points": 32,
    "channels": [16, 32, 64, 64],
    "pose_hidden_sizes": [256, 128],
    "view_channels": [16, 16],
    "view_hidden_size": 64,
    "view_kernel": 3,
    "view_pool": 2,
    "dropout": 0.0,
    "recurrent_size": 64,
}
UPDATES, BATCH, RATE = 8000, 8, 2e-3
LAST_NORM = 0.2  # where the decoder's last norm begins: at 1 images are far too bright for hundreds of updates
HEAD_UPDATES, HEAD_BATCH, HEAD_RATE = 80, 32, 4e-3
WHOLE_UPDATES, WHOLE_RATE = 200, 5e-4  # training of the encoder with labels
# name -> weights of invariance and equivariance, reconstruction has 1; None: random weights
ARMS: dict[str, tuple[float, float] | None] = {
    "random weights": None,
    "rec": (0.0, 0.0),
    "rec + equiv": (0.0, 0.001),
    "rec + invar": (1.0, 0.0),
    "U-VI": (1.0, 0.001),
}
RAW, SCRATCH, TUNED = "raw pictures", "labels, from scratch", "labels, from U-VI"
REAL = ("real, front", "real, side", "real, person")
COLUMNS = ("front", "side", "between", *REAL, "rank, front", "rank, side", "code")
# Table 5 of the paper, NTU RGB+D, cross-view: depth and DensePose of RGB.
PAPER = {"rec": (35.4, 35.6), "rec + equiv": (64.1, 69.1), "rec + invar": (59.6, 70.3), "U-VI": (67.5, 74.8)}
GATES = (
    Gate("U-VI", "rec", "side", 10.0),
    Gate("U-VI", "rec", "between", 10.0),
    Gate("U-VI", "random weights", "side"),
    Gate("U-VI", RAW, "side"),
    Gate("U-VI", "rec", "rank, side"),
)
LEAST_REDUCTION = 0.5  # of the code's distance, by the invariance loss


class SlowPoses(UVi):
    """The objective with a pose encoder that learns at half the rate: its last layers have no norm."""

    def optimizers(self, network: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        slow = list(network.model.pose_encoder.parameters())
        names = {id(weight) for weight in slow}
        others = [weight for weight in network.parameters() if id(weight) not in names]
        groups = [{"params": slow, "lr": learning_rate / 2}, {"params": others, "lr": learning_rate}]
        return [torch.optim.AdamW(groups, weight_decay=0.01, fused=True)]


def trained(arm: str, stored: Sequence[Tensor], updates: int, seed: int) -> UViModel:
    """The auto-encoder of an arm, its every random number decided by the seed."""
    torch.manual_seed(seed)
    model = UViModel(UViConfig(**SIZES)).to(memory_format=torch.channels_last)
    weights = ARMS[arm]
    if weights is None:
        return model.eval()
    last_norm = [norm for norm in model.decoder.modules() if isinstance(norm, nn.BatchNorm2d)][-1]
    nn.init.constant_(last_norm.weight, LAST_NORM)
    takes = [RecordedTake(str(index), tuple(views.numpy()), as_images) for index, views in enumerate(stored)]
    epochs = max(1, round(updates * BATCH / len(takes)))
    recipe = {"learning_rate": RATE, "max_grad_norm": 1.0, "batch_size": BATCH}
    # Full rate until the last seventh: with cosine, which halves the mean rate, images are drawn worse.
    recipe |= {"schedule": "step", "milestones": [round(0.85 * epochs)] if epochs > 2 else [], "gamma": 0.1}
    recipe |= {"mixed_precision": "auto", "warmup_epochs": min(0.1 * epochs, 30 * BATCH / len(takes))}
    objective = SlowPoses(invariance_weight=weights[0], equivariance_weight=weights[1])
    motions.trained_by_recipe(
        model, objective, ViewPairDataset(takes, seed=seed), collate_view_pairs, epochs, seed, **recipe
    )
    return model.eval()


@torch.inference_mode()
def features(model: UViModel | None, images: Tensor) -> Tensor:
    """`(clips, FRAMES, numbers)`: postures, or without a model the images in 16 x 16 pixels."""
    flat, made = images.flatten(0, 1), []
    for part in flat.split(64):
        shown = as_images(part)
        if model is None:
            made.append(nn.functional.avg_pool2d(shown, PIXELS // 16).flatten(1))
            continue
        with motions.half_precision():
            made.append(model.pose_encoder(shown.to(memory_format=torch.channels_last)).flatten(1).float())
    return torch.cat(made).unflatten(0, images.shape[:2])


def small_head(size: int, classes: int) -> Called:
    """What `UViForActionClassification` has behind its encoder, small."""
    parts = nn.ModuleList([nn.Linear(size, 96), RecurrentHead(96, SIZES["recurrent_size"], 2, classes)])

    def logits(parts: Any, clips: Tensor) -> Tensor:
        made: Tensor = parts[1](torch.relu(parts[0](clips)), torch.full((len(clips),), clips.shape[1]))
        return made

    return Called(parts, logits)


def fitted(
    network: nn.Module, given: Tensor, labels: Tensor, prepare: Callable[[Tensor], Tensor], updates: int, rate: float
) -> None:
    """Trains with labels: Adam, cosine."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    generator = Generator().manual_seed(0)
    batches = (torch.randperm(len(given), generator=generator)[:HEAD_BATCH] for _ in range(updates))

    def loss_of(rows: Tensor) -> Tensor:
        return nn.functional.cross_entropy(network(prepare(given[rows])), labels[rows])

    experiment.fit(network, batches, loss_of, optimizer, schedule, max_grad_norm=1.0)


def probed(train: Tensor, labels: Tensor, tests: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Probabilities of a GRU on frozen features, standardised by those that train it."""
    torch.manual_seed(seed)
    mean, deviation = train.mean((0, 1)), train.std((0, 1))
    deviation = deviation + 0.1 * deviation.mean()  # what hardly ever changes in training stays small in tests
    network = small_head(train.shape[2], int(labels.max()) + 1)
    fitted(network, (train - mean) / deviation, labels, lambda clips: clips, HEAD_UPDATES, HEAD_RATE)
    with torch.inference_mode():
        return [network((test - mean) / deviation).softmax(1) for test in tests]


def share_right(probabilities: Tensor, labels: Tensor) -> float:
    return float((probabilities.argmax(1) == labels).float().mean())


def scores_of(model: UViModel | None, data: dict[str, Any], seed: int) -> Scores:
    """All columns of an arm."""
    found: Scores = {}
    train, test, utd = (
        {view: features(model, images) for view, images in data[name].items()} for name in ("train", "test", "utd")
    )
    labels, truth = data["train labels"], data["test labels"]
    one = probed(train["front"], labels, [test["front"], test["side"]], seed)
    found["front"], found["side"] = (share_right(each, truth) for each in one)
    both = torch.cat([train["front"], train["side"]])
    found["between"] = share_right(probed(both, labels.repeat(2), [test["between"]], seed)[0], truth)
    apart = (test["front"] - test["side"]).norm(dim=-1).mean()
    found["code"] = float(apart / (test["front"] - test["side"].roll(len(truth) // 2, 0)).norm(dim=-1).mean())
    if "real" in data:
        real = features(model, data["real"])
        for view in ("front", "side"):
            (made,) = probed(utd[view], data["utd labels"], [real], seed)
            found[f"real, {view}"] = share_right(made, data["real labels"])
        found["real, person"] = other_person(real, data["real labels"], data["real subjects"], seed)
    return found | (ranks(model, data, seed) if f"{MOVEMENTS[0]} test" in data else {})


def other_person(clips: Tensor, labels: Tensor, subjects: Tensor, seed: int) -> float:
    """Accuracy on each person's recorded clips after training on the others', the mean over people."""
    found = []
    for person in subjects.unique():
        tests = subjects == person
        (made,) = probed(clips[~tests], labels[~tests], [clips[tests]], seed)
        found.append(share_right(made, labels[tests]))
    return float(np.mean(found))


def ranks(model: UViModel | None, data: dict[str, Any], seed: int) -> Scores:
    """Rank correlation of expected grades with true ones, mean over the movements; 0 where all expect the same."""
    found: dict[str, list[float]] = {"front": [], "side": []}
    for movement in MOVEMENTS:
        (shown, grades), (unseen, others) = data[f"{movement} train"], data[f"{movement} test"]
        tests = [features(model, unseen[view]) for view in found]
        for view, made in zip(found, probed(features(model, shown["front"]), grades, tests, seed), strict=True):
            correlation = rank_correlation(made @ torch.arange(GRADES).float(), others)
            found[view].append(0.0 if np.isnan(correlation) else correlation)
    return {f"rank, {view}": float(np.mean(values)) for view, values in found.items()}


def logits_of(network: nn.Module, clips: Tensor) -> Tensor:
    """Of a whole network, in float32."""
    with motions.half_precision():
        logits: Tensor = network(clips).logits
    return logits.float()


def scores_with_labels(model: UViModel | None, data: dict[str, Any], updates: int, seed: int) -> Scores:
    """Encoder and head trained on clips from the front: from scratch, or on from a trained encoder."""
    torch.manual_seed(seed)
    config = UViConfig(**SIZES)
    config.num_labels = int(data["train labels"].max()) + 1
    network = UViForActionClassification(config)
    if model is not None:
        network.encoder.load_state_dict(model.state_dict())
    network.to(memory_format=torch.channels_last)

    logits = Called(network, logits_of)
    fitted(logits, data["train"]["front"], data["train labels"], as_images, updates, WHOLE_RATE)
    found = {}
    with torch.inference_mode():
        for view in ("front", "side"):
            made = torch.cat([logits(as_images(part)) for part in data["test"][view].split(32)])
            found[view] = share_right(made, data["test labels"])
    return found


def gates(results: Results) -> list[str]:
    """Differences paired by seed, and what the invariance loss takes off the distance of codes."""
    lines = gate_lines(results, GATES)
    for with_loss, without in (("U-VI", "rec + equiv"), ("rec + invar", "rec")):
        codes = [list(comparison.by_seed(results, arm, "code").values()) for arm in (with_loss, without)]
        if all(codes):
            less = 1 - float(np.mean(codes[0]) / np.mean(codes[1]))
            verdict = "holds" if less >= LEAST_REDUCTION else "FAILS"
            lines.append(
                f"- {with_loss} against {without}: codes of two cameras {100 * less:.0f} % nearer, "
                f"needed {100 * LEAST_REDUCTION:.0f} %: {verdict}"
            )
    return lines


def table(results: Results) -> list[str]:
    depth, rgb = ({arm: numbers[place] for arm, numbers in PAPER.items()} for place in range(2))
    return comparison.table(results, COLUMNS, **{"paper, depth": depth, "paper, RGB": rgb})


def drawn_once(options: argparse.Namespace) -> dict[str, Any]:
    """The images, from the cache when they are there."""
    most = 28 if options.quick else None
    drawn = kept(options.cache, f"u_vi{'-quick' * options.quick}.pt", partial(load, options.data, most))
    return split(drawn, options.develop)


def saved(model: UViModel, folder: Path) -> None:
    """As a checkpoint for `AutoModel.from_pretrained`, for depth in millimetres."""
    model.save_pretrained(folder)
    type(PROCESSOR).from_dict({**PROCESSOR.to_dict(), "depth_unit": 0.001, "image_size": PIXELS}).save_pretrained(
        folder
    )


def main(argv: Sequence[str] | None = None) -> int:
    arms, quick = (RAW, *ARMS, SCRATCH, TUNED), "few clips and updates: does it run"
    parser = experiment.command_line(__doc__, arms, cache=False, develop=motions.DEVELOP, quick=quick)
    parser.set_defaults(arms=[RAW, *ARMS])
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the drawn images")
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--save", type=Path, help="folder for the encoders, as checkpoints: SAVE/ARM-SEED")
    parser.add_argument("--picture", type=Path, help="PNG of U-VI's reconstructions, first seed")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    data = drawn_once(options)
    updates, with_labels = (3, 3) if options.quick else (options.updates, WHOLE_UPDATES)

    @cache
    def encoder(arm: str, seed: int) -> UViModel:
        return trained(arm, data["takes"], updates, seed)

    def score(arm: str, seed: int) -> Scores:
        if arm in (SCRATCH, TUNED):
            return scores_with_labels(encoder("U-VI", seed) if arm == TUNED else None, data, with_labels, seed)
        model = encoder(arm, seed) if arm in ARMS else None
        if options.save and model is not None:
            saved(model, options.save / f"{arm}-{seed}")
        if options.picture and arm == "U-VI" and seed == options.seeds[0]:
            rows = np.linspace(1, len(data["test"]["front"]) - 1, 5, dtype=int)
            draw_reconstructions(model, data, options.picture, rows)
        return scores_of(model, data, seed)

    results = experiment.measure(options.arms, options.seeds, score, options.output)
    print("\n".join([*table(results), "", *gates(results)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
