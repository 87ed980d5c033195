"""Does hiding parts of the body in pre-training (SubG-DA of OR-VPE) help where parts are hidden?

    python benchmarks/claims/occlusion.py --data FOLDER --seeds 0 1 2

Pre-training by OR-VPE on Bandai-Namco (four styles) and UTD-MHAD as in `pretraining.py`, with three kinds of hiding:
none, each joint of a clip with a probability (drawn per clip from 0 to 0.7), and the six patterns. Then a logistic
regression on frozen features of clean clips, tested with joints hidden: each of the six patterns, and 10 to 70 % of
the joints at random. Tasks: Bandai-Namco's contents from the front, fitted on four styles, tested on the other three;
and N-UCLA, view 1 to view 2. A second probe is fitted on clips with random patterns as well, which tells what features
hold apart from what a clean probe can read. Random weights and raw coordinates are controls.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import motions
import numpy as np
import torch
from arm_scores import cell, gate
from motions import Batch, Clips
from pretraining import Data, encoder, one_camera, twice, whole
from torch import Generator, Tensor

from motionhub.augment.occlusion import PATTERNS, hide, visibility
from motionhub.objectives.or_vpe import OrVpe


ARMS = ("random weights", "no hiding", "random joints", "SubG-DA")
SHARES = (0.1, 0.3, 0.5, 0.7)
MOST_HIDDEN = 0.7
OCCLUDED = ("upper", "lower", "left", "right", "centre")
# (better arm, other arm, column, least difference in points, of Bandai-Namco): half of what a trial gave, and clean
GATES = (("SubG-DA", "no hiding", "mean of parts", 15.0), ("SubG-DA", "no hiding", "none", 0.0))
PAPER = """The paper: SubG-DA makes embeddings robust to hidden parts. A trial on this kind of data, clean / parts /
35 % of joints: random weights 71 / 17 / 21, no hiding 55 / 11 / 12, random joints 63 / 39 / 48, SubG-DA 61 / 42 /
40."""

Curves = dict[str, list[float]]


def hidden(batch: Batch, visible: Tensor) -> Batch:
    keypoints, mask = hide(batch["keypoints"], batch["joint_mask"], visible)
    return {**batch, "keypoints": keypoints, "joint_mask": mask}


def part_hidden(batch: Batch, part: str) -> Batch:
    visible = visibility(motions.LAYOUT)[PATTERNS.index(part)]
    return hidden(batch, visible.expand(len(batch["keypoints"]), -1))


def share_hidden(batch: Batch, share: float | Tensor, generator: Generator) -> Batch:
    """`share` of the joints of each clip (one number, or one per clip), rounded, over the whole clip."""
    clips, joints = len(batch["keypoints"]), motions.LAYOUT.num_joints
    order = torch.rand(clips, joints, generator=generator).argsort(1).argsort(1)
    count = (torch.as_tensor(share).expand(clips) * joints).round()
    return hidden(batch, order >= count[:, None])


def joints_dropped(clips: Clips, rows: Tensor, generator: Generator) -> Batch:
    batch = one_camera(clips, rows, generator)
    return share_hidden(batch, MOST_HIDDEN * torch.rand(len(rows), generator=generator), generator)


def trained(arm: str, clips: Clips, epochs: int, seed: int) -> Any:
    torch.manual_seed(seed)
    if arm == "random weights":
        return encoder().eval()
    seen = joints_dropped if arm == "random joints" else one_camera
    objective = OrVpe(motions.LAYOUT, temperature=0.1, mapping="none", num_views=2, spatial_masks=arm == "SubG-DA")
    return motions.pretrained(encoder(), objective, clips, twice(seen), epochs + 1, seed)


def occlusions(batch: Batch) -> dict[str, Batch]:
    """The same hidden joints for every arm."""
    generator = Generator().manual_seed(0)
    made = {part: part_hidden(batch, part) for part in ("none", *OCCLUDED)}
    return made | {f"{share:.0%}".replace("%", " %"): share_hidden(batch, share, generator) for share in SHARES}


def curve(
    features: Callable[[Batch], np.ndarray], train: Batch, test: Batch, occluded_probe: bool
) -> dict[str, float]:
    """Accuracy by what is hidden, and the mean over the parts."""
    batches = [train]
    if occluded_probe:
        drawn = torch.randint(len(PATTERNS), (len(train["labels"]),), generator=Generator().manual_seed(1))
        batches.append(hidden(train, visibility(motions.LAYOUT)[drawn]))
    tests = occlusions(test)
    found = dict(zip(tests, motions.probe(features, batches, list(tests.values())), strict=True))
    return found | {"mean of parts": float(np.mean([found[part] for part in OCCLUDED]))}


def tasks(data: Data) -> dict[str, tuple[Batch, Batch]]:
    def front(clips: Clips, number: int) -> Batch:
        rows = torch.arange(len(clips))
        looks = motions.looks_at(rows + 10_000 * number, motions.FRONT)
        return motions.pictures(motions.windows(clips, rows, None), looks)

    train, test, finish = data.tasks["N-UCLA"]
    return {
        "Bandai-Namco": (front(data.styles, 0), front(data.held_styles, 1)),
        "N-UCLA": (whole(train, finish), whole(test, finish)),
    }


def table(curves: dict[str, Curves]) -> list[str]:
    columns = list(next(iter(curves.values())))
    lines = ["| arm | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {arm} | " + " | ".join(cell(found[name]) for name in columns) + " |" for arm, found in curves.items()
    ]
    return lines


def gates(curves: dict[str, Curves]) -> list[str]:
    lines = []
    for better, other, column, least in GATES:
        if better not in curves or other not in curves:
            continue
        pairs = zip(curves[better][column], curves[other][column], strict=False)  # the seeds that both have
        gains = [first - second for first, second in pairs]
        lines.append(gate(f"{better} - {other}, {column}", gains, least, clear=least > 0))
    return lines


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the archives")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was read from them")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="few clips, one epoch: does it run")
    parser.add_argument("--output", type=Path, help="numbers as JSON; those that are there already are kept")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    torch.set_num_threads(1)
    data = Data(options.data, options.cache, most=120 if options.quick else None)
    tested = tasks(data)
    results: dict[str, dict[str, Curves]] = {}
    if options.output and options.output.exists():
        results = json.loads(options.output.read_text())
    for seed in options.seeds:
        for arm in (*ARMS, *(["raw coordinates"] if not results.get("Bandai-Namco, clean probe") else [])):
            start = time.perf_counter()
            features = motions.raw_features
            if arm in ARMS:
                model = trained(arm, data.unlabelled, 1 if options.quick else options.epochs, seed)
                features = lambda batch, model=model: motions.features_of(model, batch)  # noqa: E731
            for task, (train, test) in tested.items():
                for kind, occluded in (("clean probe", False), ("clean and occluded probe", True)):
                    found = results.setdefault(f"{task}, {kind}", {}).setdefault(arm, {})
                    for name, value in curve(features, train, test, occluded).items():
                        found.setdefault(name, []).append(value)
            clean = results["Bandai-Namco, clean probe"][arm]
            seconds = time.perf_counter() - start
            numbers = ", ".join(f"{name} {100 * values[-1]:.1f}" for name, values in clean.items())
            print(f"seed {seed} {arm} ({seconds:.0f} s): {numbers}", file=sys.stderr, flush=True)
            if options.output:
                options.output.write_text(json.dumps(results))
    for title, curves in results.items():
        print("\n".join([f"{title}:", "", *table(curves), ""]))
    print("\n".join([PAPER, "", *gates(results["Bandai-Namco, clean probe"])]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
