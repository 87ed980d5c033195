"""The SBIT ProSSA pairs: motions of six people, each also with the bone lengths of the five others (by its authors).

Eight joints of the upper body by a depth camera above the people (z points down), in millimetres. What "with the bone
lengths of" gives is the authors' computation, not a recording.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from motionhub.data.formats.schema import features
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence


TRAIN, TEST, PEOPLE, ACTIONS = (1, 2, 3, 4), (5, 6), range(1, 7), range(1, 9)
FPS = 30.0  # assumed: the file does not say
_BONES = (
    *(("right_shoulder", "left_shoulder"), ("left_ear", "left_shoulder"), ("right_ear", "right_shoulder")),
    *(("left_elbow", "left_shoulder"), ("left_wrist", "left_elbow")),
    *(("right_elbow", "right_shoulder"), ("right_wrist", "right_elbow")),
)


def load(path: Path) -> tuple[SkeletonLayout, dict[str, np.ndarray]]:
    """The layout, and `(frames, 8, 3)` in metres by name `PxyyAaaaRrrr`."""
    with np.load(path) as stored:
        joints = tuple(map(str, stored["joints"]))
        frames = stored["frames"].astype(np.float32) * float(stored.get("scale_mm", 1.0)) / 1000
        clips = np.split(frames, stored["offsets"][1:-1])
        named = dict(zip(map(str, stored["name"]), clips, strict=True))
    return SkeletonLayout("sbit-8", joints, _BONES, "left_shoulder"), named


def clip_name(motion: int, body: int, action: int) -> str:
    return f"P0{'0' if motion == body else motion}{body}A{action:03d}R001"


def sequence(layout: SkeletonLayout, points: np.ndarray) -> SkeletonSequence:
    return SkeletonSequence(points[None], layout=layout, fps=FPS, unit="metre")


def training_rows(layout: SkeletonLayout, clips: dict[str, np.ndarray], length: int = 64) -> Dataset:
    """Overlapping pieces of the training people's own motions."""
    rows = []
    for person in TRAIN:
        for action in ACTIONS:
            name = clip_name(person, person, action)
            for start in range(0, len(clips[name]) - length + 1, length // 2):
                piece = sequence(layout, clips[name][start : start + length])
                rows.append(to_row(piece, clip_id=f"{name}-{start}", source="SBIT", licence="see its authors"))
    return Dataset.from_list(rows, features=features([]))


def test_pairs(
    layout: SkeletonLayout, clips: dict[str, np.ndarray], process: Callable[[Any], Any], frames: int, number: int
) -> dict[str, torch.Tensor]:
    """Motions of people who do not train, with the body of every other: source, target and the authors' answer.

    The target does another action. `number` of all windows, evenly spread.
    """
    found = []
    for motion in TEST:
        for body in (each for each in PEOPLE if each != motion):
            for action in ACTIONS:
                names = (
                    clip_name(motion, motion, action),
                    clip_name(body, body, action % len(ACTIONS) + 1),
                    clip_name(motion, body, action),
                )
                source, target, answer = (clips[name] for name in names)
                last = min(len(source), len(answer)) - frames
                for start in range(0, last + 1, frames):
                    other = start % (len(target) - frames + 1)
                    places = (start, other, start)
                    found.append(
                        [each[at : at + frames] for each, at in zip((source, target, answer), places, strict=True)]
                    )
    chosen = [found[place] for place in np.linspace(0, len(found) - 1, min(number, len(found))).astype(int)]
    return {
        name: torch.stack([process(sequence(layout, clip[column]))["keypoints"] for clip in chosen])
        for column, name in enumerate(("first", "second", "crossed"))
    }
