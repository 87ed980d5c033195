"""How far a zero-shot model's accuracy holds: sensors, cameras, layouts and clips made worse step by step.

    python benchmarks/zero_shot_robustness.py --data FOLDER --model hub_configs/tmor-small -o robustness.png

On held-out clips of recordings in 3-D (UTD-MHAD subjects 2, 4 and 6, N-UCLA view 2), by the names of each set. Prints
a table per curve, draws them, and lists for each class of the clips as they are what it is called when not itself.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from train_tmor_small import HeldOut, sets_of
from transformers import pipeline

from motionhub.cli.main import handle_cli_errors
from motionhub.data.views.cameras import project_to_pixels
from motionhub.skeletons.convert import convert_layout, resample
from motionhub.skeletons.measures import body_size
from motionhub.skeletons.sequence import SkeletonSequence


SETS = ("utd-mhad", "n-ucla")
Change = Callable[[SkeletonSequence, np.random.Generator], SkeletonSequence]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="as of train_tmor_small.py")
    parser.add_argument("--model", default="hub_configs/tmor-small")
    parser.add_argument("--clips", type=int, default=120, help="of each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="a picture of the curves")
    chosen = parser.parse_args(argv)
    pipe = pipeline("zero-shot-action-classification", model=chosen.model)
    _, held_out = sets_of(chosen.data, set())
    sets = {name: first(held_out[name], chosen.clips) for name in SETS}
    curves: dict[str, dict[str, list[float]]] = {}
    for title, steps in CURVES.items():
        print(f"\n| {title} | {' | '.join(steps)} |\n|{'---|' * (len(steps) + 1)}")
        curves[title] = {}
        for name, clips in sets.items():
            found = [accuracy(pipe, changed(clips, change, chosen.seed)) for change in steps.values()]
            curves[title][name] = found
            print(f"| {name} | {' | '.join(f'{each:.1f}' for each in found)} |", flush=True)
    for name, clips in sets.items():
        print(f"\n{name}:", *confusions(pipe, clips), sep="\n")
    if chosen.output:
        draw(curves, chosen.output)


def first(held_out: HeldOut, count: int) -> HeldOut:
    clips, labels, names = held_out
    return clips[:count], labels[:count], names


def changed(held_out: HeldOut, change: Change, seed: int) -> HeldOut:
    clips, labels, names = held_out
    return [change(clip, np.random.default_rng([seed, place])) for place, clip in enumerate(clips)], labels, names


def answers(pipe: Any, held_out: HeldOut) -> tuple[np.ndarray, np.ndarray]:
    """Which of the set's names each clip is called, and which it is, `(clips,)` each."""
    clips, labels, names = held_out
    candidates = pipe.candidates(names)
    table = pipe.ranked(pipe.clip_similarities(clips, candidates), candidates).numpy()
    return table.argmax(1), np.asarray(labels)


def accuracy(pipe: Any, held_out: HeldOut) -> float:
    """Mean per-class accuracy, per cent."""
    called, truth = answers(pipe, held_out)
    return float(100 * np.mean([(called[truth == label] == label).mean() for label in np.unique(truth)]))


def confusions(pipe: Any, held_out: HeldOut) -> list[str]:
    """A line per class, the worst first: how often it is right, and what else it is called."""
    names = held_out[2]
    called, truth = answers(pipe, held_out)
    lines = []
    for label in np.unique(truth):
        own = called[truth == label]
        others = Counter(names[each] for each in own if each != label).most_common(2)
        wrong = ", ".join(f"{name} ({count})" for name, count in others)
        lines.append(
            (float((own == label).mean()), f"| {names[label]} | {(own == label).sum()} of {len(own)} | {wrong} |")
        )
    return ["| class | right | else called |", "|---|---|---|", *(line for _, line in sorted(lines))]


# What is done to a clip.


def as_it_is(clip: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    return clip


def without_joints(clip: SkeletonSequence, chance: np.random.Generator, share: float) -> SkeletonSequence:
    """Each joint of each frame is missing with probability `share`."""
    lost = chance.random(clip.keypoints.shape[:-1]) < share
    return clip.replace(keypoints=np.where(lost[..., None], np.nan, clip.keypoints).astype(np.float32))


def with_jitter(clip: SkeletonSequence, chance: np.random.Generator, share: float) -> SkeletonSequence:
    """Every coordinate has noise of `share` of the body's size, each frame its own."""
    noise = share * body_size(clip) * chance.standard_normal(clip.keypoints.shape)
    return clip.replace(keypoints=(clip.keypoints + noise).astype(np.float32))


def at_rate(clip: SkeletonSequence, chance: np.random.Generator, fps: float) -> SkeletonSequence:
    return resample(clip, fps)


def cut_to(clip: SkeletonSequence, chance: np.random.Generator, seconds: float) -> SkeletonSequence:
    """The middle of the clip."""
    count = min(clip.num_frames, max(1, round(seconds * clip.fps)))
    start = (clip.num_frames - count) // 2
    confidence = None if clip.confidence is None else clip.confidence[:, start : start + count]
    return clip.replace(keypoints=clip.keypoints[:, start : start + count], confidence=confidence)


def filmed(
    clip: SkeletonSequence, chance: np.random.Generator, yaw: float = 0.0, elevation: float = 0.0
) -> SkeletonSequence:
    """In 2-D, by a camera at `yaw` degrees from the sensor's own place."""
    return project_to_pixels(clip, 180.0 + yaw, elevation)


def in_layout(clip: SkeletonSequence, chance: np.random.Generator, layout: str) -> SkeletonSequence:
    return convert_layout(clip, layout)


CURVES: dict[str, dict[str, Change]] = {
    "joints missing": {f"{share:.0%}": partial(without_joints, share=share) for share in (0, 0.1, 0.2, 0.4, 0.6)},
    "jitter, of the body": {
        f"{share:.1%}": partial(with_jitter, share=share) for share in (0, 0.005, 0.01, 0.02, 0.04)
    },
    "frames per second": {f"{fps}": partial(at_rate, fps=fps) for fps in (5, 10, 15, 30, 60)},
    "seconds seen": {**{f"{each}": partial(cut_to, seconds=each) for each in (0.5, 1, 2, 3, 4)}, "all": as_it_is},
    "2-D camera, yaw": {f"{yaw}°": partial(filmed, yaw=yaw) for yaw in (0, 30, 60, 90, 135, 180)},
    "2-D camera, elevation": {f"{each}°": partial(filmed, elevation=each) for each in (-10, 0, 20, 40, 60)},
    "layout": {
        name: partial(in_layout, layout=name)
        for name in ("coco-17", "h36m-17", "openpose-18", "smpl-24", "mediapipe-33")
    },
}


def draw(curves: dict[str, dict[str, list[float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(13, 5.6), sharey=True)
    for axis, (title, found) in zip(axes.flat, curves.items(), strict=False):
        steps = list(CURVES[title])
        for name, values in found.items():
            axis.plot(steps, values, marker="o", label=name)
        axis.set_title(title)
        axis.set_ylim(0, 100)
        axis.grid(alpha=0.3)
        if title == "layout":
            axis.tick_params(axis="x", rotation=30)
    axes[0, 0].set_ylabel("mean per-class accuracy, %")
    axes[1, 0].set_ylabel("mean per-class accuracy, %")
    axes[1, 3].axis("off")
    axes[1, 3].legend(*axes[0, 0].get_legend_handles_labels(), loc="center", frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
