"""Does a decomposition of the features carry motion retargeting? ViA's claim (table 6) on motion-capture bodies.

    python benchmarks/claims/retargeting.py --data bandai_namco_2_subset.zip --seeds 0 1 2
    python benchmarks/claims/retargeting.py --data sbit_prossa_pairs_1-6.npz --seeds 0

Bodies and cameras made of motion capture in 2-D, or real bodies (`sbit_pairs.py`) in 3-D. The arms: retargeting.md.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import experiment
import numpy as np
import sbit_pairs
import torch
from datasets import Dataset
from motion_pairs import PairMaker
from motions import encoder_config, trained_by_recipe
from torch import nn

from motionhub.augment.view_params import ViewRanges, draw_views
from motionhub.data.build.build import build_dataset
from motionhub.data.views.pairs import PairRanges
from motionhub.losses.motion import reconstruction_loss
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.via import ViaConfig, ViaForMotionRetargeting
from motionhub.objectives.joint_forward import JointForward
from motionhub.objectives.lac import LacPairs
from motionhub.objectives.via import ViaPairs
from motionhub.processing.collate import collate_skeletons
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.reproduction.comparison import Results, Scores, by_seed, markdown_head, said_seeds
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout, layout_reference
from motionhub.skeletons.rows import from_row
from motionhub.training.dataset import ClipDataset


FRAMES = 32
FREE, FIXED = "K=32, not orthogonal", "K=32, fixed random basis"
UNTRAINED, WRONG = "K=32, untrained", "K=32, wrong partner"
# number of directions
VIA = {"no decomposition": 0, "ViA K=2": 2, "ViA K=32": 32, "ViA K=64": 64}
VIA |= dict.fromkeys((FREE, FIXED, WRONG, UNTRAINED), 32)
LAC_DIRECTIONS, LAC = 160, {f"LAC J={count}": count for count in (1, 4, 16, 32, 64, 128, 144)}
LOOKS = {"bone_factor": (0.7, 1.4), "azimuth": 180.0, "elevation": 30.0, "roll": 0.0}
BODIES = {"bone_factor": (0.7, 1.4), "azimuth": 0.0, "elevation": 0.0, "roll": 0.0}
# least ratios of errors, half of what a trial on this data had: none / K=32 and K=2 / K=32; the controls as none
GATES = {"no decomposition": 1.6, "ViA K=2": 1.15, WRONG: 1.6, UNTRAINED: 1.6}
PAPER = """The papers, on other data: ViA's table 6 has none > K = 2 > K = 32; LAC's error falls from J = 16 (1.23)
to J = 128 (.82). A trial on this data: none .137, K = 2 .082, K = 32 .067, fixed or not orthogonal the same."""

ERROR, COPY = "cross MSE", "copy the source"
Pairs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Task:
    """What is learned from, and asked for.

    Args:
        layout: of all clips.
        num_dims: of the model's input: 2 for images, 3 for bodies alone.
        rows: 3-D clips to train on.
        pairs: to test on.
    """

    layout: SkeletonLayout
    num_dims: int
    rows: Dataset
    pairs: Pairs


class FreeDirections(nn.Module):
    """In the place of an orthogonal basis: directions of about length 1, as they come and as they learn."""

    def __init__(self, num_channels: int, num_directions: int) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(num_channels, num_directions) / num_channels**0.5)

    def forward(self) -> torch.Tensor:
        return self.directions


class WrongPartner(ViaPairs):
    """Pairs whose answer has the right body and camera, and the motion of another clip."""

    def forward(self, model: nn.Module, batch: Pairs) -> Pairs:
        everyone = JointForward(batch["seeds"])
        looks, partners = draw_views(everyone.seeds, self.ranges), everyone.later(1)
        keypoints, seen = self._seen(batch, looks.of(everyone.own))
        others = {name: batch[name].roll(1, 0) for name in ("keypoints", "joint_mask", "attention_mask")}
        target, target_seen = self._seen(others, looks.of(partners))
        own, crossed = model(keypoints, batch["attention_mask"], everyone, partners)
        wrong = reconstruction_loss(crossed, target, target_seen)
        return {"loss": reconstruction_loss(own, keypoints, seen) + wrong}


def small_config(layout: SkeletonLayout, num_dims: int, num_directions: int) -> ViaConfig:
    # So few updates cannot raise the norm from 1e-6, and joints would hardly differ.
    encoder = encoder_config(layout, in_channels=num_dims, spatial_norm_init=1.0)
    return ViaConfig(encoder_config=encoder, num_directions=num_directions, dropout=0.0)


def processor(layout: SkeletonLayout, num_dims: int, scale: str) -> SkeletonProcessor:
    return SkeletonProcessor(
        layout=layout_reference(layout),
        num_dims=num_dims,
        num_people=1,
        num_frames=FRAMES,
        normalization="centre",
        scale=scale,
    )


def bandai_task(data: Path, number: int, layout_name: str) -> Task:
    """Bodies and cameras made of motion capture; the test pairs are made apart from the training's (`data.pairs`)."""
    layout, splits = get_layout(layout_name), build_dataset("bandai-namco", str(data), "cross-style")
    clips = [clip for clip in map(from_row, splits["test"].with_format("numpy")) if clip.num_frames >= FRAMES]
    maker = PairMaker(clips, FRAMES, ranges=PairRanges(**LOOKS), seed=0)
    pairs, model_input = [maker.pair(index) for index in range(number)], processor(layout, 2, "extent")
    found = {
        name: torch.stack([model_input.process(getattr(pair, name))["keypoints"] for pair in pairs])
        for name in ("first", "second", "crossed")
    }
    return Task(layout, 2, splits["train"], found)


def sbit_task(data: Path, number: int) -> Task:
    layout, clips = sbit_pairs.load(data)
    process = processor(layout, 3, "extent").process
    pairs = sbit_pairs.test_pairs(layout, clips, process, FRAMES, number)
    return Task(layout, 3, sbit_pairs.training_rows(layout, clips), pairs)


def untrained(arm: str, task: Task) -> tuple[Any, Any]:
    """The model of an arm and what trains it."""
    layout, ranges = task.layout, ViewRanges(**(LOOKS if task.num_dims == 2 else BODIES))
    if arm in VIA:
        model = ViaForMotionRetargeting(small_config(layout, task.num_dims, VIA[arm]))
        if arm == FIXED:
            model.via.basis.directions.requires_grad_(False)
        if arm == FREE:
            model.via.basis = FreeDirections(model.config.hidden_size, VIA[arm])
        return model, (WrongPartner if arm == WRONG else ViaPairs)(layout, ranges=ranges)
    moving = LAC[arm]
    config = LacConfig(
        layout=layout.name,
        num_joints=layout.num_joints,
        in_channels=task.num_dims,
        num_motion_directions=moving,
        num_static_directions=LAC_DIRECTIONS - moving,
    )
    return LacModel(config), LacPairs(layout, ranges=ranges)


def learned(task: Task, arm: str, seed: int, epochs: int, precision: str) -> Any:
    torch.manual_seed(seed)
    model, objective = untrained(arm, task)
    if arm == UNTRAINED:
        return model.eval()
    clips = ClipDataset(task.rows, processor(task.layout, 3, "none"), training=True, seed=seed)
    recipe = {"optimizer": "adamw", "learning_rate": 2e-3, "schedule": "cosine", "warmup_epochs": 2, "batch_size": 32}
    trained_by_recipe(model, objective, clips, collate_skeletons, epochs, seed, mixed_precision=precision, **recipe)
    return model.eval()


@torch.no_grad()
def error(model: Any, pairs: Pairs, look: str = "second", answer: str = "crossed") -> float:
    """Of the motions of `first` with the looks of others; `look` and `answer` "first": of merely coding them."""
    made = model.retarget({"keypoints": pairs["first"]}, {"keypoints": pairs[look]}).keypoints
    return float((made - pairs[answer]).square().mean())


def table(results: Results) -> list[str]:
    """One line an arm: mean over the seeds, sample deviation, and times the error of K = 32 (or of the first arm)."""
    if not results:
        return []
    errors = {arm: list(by_seed(results, arm, ERROR).values()) for arm in results}
    reference = "ViA K=32" if "ViA K=32" in results else next(iter(results))
    lines = markdown_head(["arm", "seeds", ERROR, "deviation over seeds", f"times {reference}"])
    for arm, values in errors.items():
        spread = f"{np.std(values, ddof=1):.4f}" if len(values) > 1 else "-"
        ratio = np.mean(values) / np.mean(errors[reference])
        cells = [arm, ", ".join(sorted(results[arm])), f"{np.mean(values):.4f}", spread, f"{ratio:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def gates(results: Results) -> list[str]:
    """Ratios of mean errors, over the seeds that both arms have."""
    lines = []
    for arm, least in GATES.items():
        worse, better = by_seed(results, arm, ERROR), by_seed(results, "ViA K=32", ERROR)
        both = sorted(worse.keys() & better.keys())
        if not both:
            continue
        ratio = sum(worse[seed] for seed in both) / sum(better[seed] for seed in both)
        verdict = "holds" if ratio >= least else "FAILS"
        lines.append(f"- {arm} / ViA K=32 = {ratio:.2f} ({said_seeds(both)}), at least {least}: {verdict}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    data = "Bandai-Namco dataset 2, or SBIT pairs (.npz)"
    parser = experiment.command_line(__doc__, [*VIA, *LAC], cache=False, data=data)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--num-pairs", type=int, default=480, help="test pairs")
    parser.add_argument("--layout", default="smarthome-15", help="joints of Bandai-Namco; bandai-22: all")
    parser.add_argument("--float32", action="store_true", help="never train in bfloat16")
    options = parser.parse_args(argv)
    real = options.data.suffix == ".npz"
    if real:
        task = sbit_task(options.data, options.num_pairs)
    else:
        task = bandai_task(options.data, options.num_pairs, options.layout)

    def score(arm: str, seed: int) -> Scores:
        if arm == COPY:
            return {ERROR: float((task.pairs["first"] - task.pairs["crossed"]).square().mean())}
        model = learned(task, arm, seed, options.epochs, "no" if options.float32 else "auto")
        return {ERROR: error(model, task.pairs), "own look": error(model, task.pairs, "first", "first")}

    results = experiment.measure([COPY, *options.arms], options.seeds, score, options.output, shown="{:.4f}".format)
    print("\n".join([*table(results), *([] if real else ["", PAPER, "", *gates(results)])]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
