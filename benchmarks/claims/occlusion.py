"""Does hiding parts of the body in pre-training (SubG-DA of OR-VPE) help where parts are hidden?

    python benchmarks/claims/occlusion.py --data FOLDER --seeds 0 1 2

What is hidden, and the two probes: README.md.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import experiment
import motions
import numpy as np
import torch
from motions import Batch, Clips, small_encoder, whole
from pretraining import Data, one_camera, or_vpe
from torch import Generator, Tensor

from motionhub.augment.occlusion import PATTERNS, hide, visibility
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Gate, Results, Scores, gate_lines


ARMS, RAW = ("random weights", "no hiding", "random joints", "SubG-DA"), "raw coordinates"
SHARES = (0.1, 0.3, 0.5, 0.7)
MOST_HIDDEN = 0.7
OCCLUDED = ("upper", "lower", "left", "right", "centre")
PROBES = {"clean probe": False, "clean and occluded probe": True}
# of Bandai-Namco: half of what a trial gave, and clean
GATES = (
    Gate("SubG-DA", "no hiding", "mean of parts", 15.0),
    Gate("SubG-DA", "no hiding", "none", clear=False),
)
PAPER = """The paper: SubG-DA makes embeddings robust to hidden parts. A trial on this kind of data, clean / parts /
35 % of joints: random weights 71 / 17 / 21, no hiding 55 / 11 / 12, random joints 63 / 39 / 48, SubG-DA 61 / 42 /
40."""


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
        return small_encoder().eval()
    seen = joints_dropped if arm == "random joints" else one_camera
    return or_vpe(clips, seen, epochs, seed, spatial_masks=arm == "SubG-DA")


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
    train, test, finish = data.tasks["N-UCLA"]
    front = [data.styles, data.held_styles]
    return {
        "Bandai-Namco": tuple(motions.seen_from(clips, motions.FRONT, place) for place, clips in enumerate(front)),
        "N-UCLA": (whole(train, finish), whole(test, finish)),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = experiment.command_line(__doc__, quick="few clips, one epoch: does it run")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    data = Data(options.data, options.cache, most=120 if options.quick else None)
    tested = tasks(data)
    titles = {f"{task}, {probe}": (task, probe) for task in tested for probe in PROBES}

    def score(arm: str, seed: int) -> Scores:
        features = motions.raw_features
        if arm in ARMS:
            model = trained(arm, data.unlabelled, 1 if options.quick else options.epochs, seed)
            features = partial(motions.features_of, model)
        found = {title: curve(features, *tested[task], PROBES[probe]) for title, (task, probe) in titles.items()}
        return {f"{title}: {name}": value for title, scores in found.items() for name, value in scores.items()}

    results = experiment.read(options.output)
    experiment.measure(ARMS, options.seeds, score, options.output, results)
    experiment.measure([RAW], [""] if options.seeds and RAW not in results else [], score, options.output, results)
    for title in titles:
        print("\n".join([f"{title}:", "", *comparison.table(of_title(results, title)), ""]))
    print("\n".join([PAPER, "", *gate_lines(of_title(results, "Bandai-Namco, clean probe"), GATES)]))
    return 0


def of_title(results: Results, title: str) -> Results:
    """The columns of one task and probe, by what is hidden."""
    start = f"{title}: "
    return {
        arm: {
            seed: {name.removeprefix(start): value for name, value in scores.items() if name.startswith(start)}
            for seed, scores in seeds.items()
        }
        for arm, seeds in results.items()
    }


if __name__ == "__main__":
    sys.exit(main())
