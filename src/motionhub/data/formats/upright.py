"""Which axis is up: by the format, checked against the body; and sequences turned for formats that are y up."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import FileNote, note
from motionhub.skeletons.convert import with_up
from motionhub.skeletons.sequence import SkeletonSequence


# In the library's names; the first group with a joint among those of the file counts.
_UPPER = (("head", "head_top", "nose", "neck"), ("left_shoulder", "right_shoulder"), ("chest", "torso", "spine"))
_LOWER = (("left_ankle", "right_ankle"), ("left_foot", "right_foot"), ("left_knee", "right_knee"), ("left_hip",))
# Share of the frames in which a body stands along one axis, and of its length that lies on the axis.
_OFTEN, _STRAIGHT = 0.8, 0.8


def body_axis(joints: Sequence[str], points: np.ndarray) -> str | None:
    """The direction ("y", "-z", ...) in which bodies `(..., joints, 3)` stand; None where they do not, or unknown."""
    upper, lower = (_middle(joints, points, groups) for groups in (_UPPER, _LOWER))
    if upper is None or lower is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        body = (upper - lower).reshape(-1, 3)
        body = body / np.linalg.norm(body, axis=1, keepdims=True)
    body = body[np.isfinite(body).all(axis=1)]
    if not len(body):
        return None
    for axis, name in enumerate("xyz"):
        for sign, direction in ((1, name), (-1, f"-{name}")):
            if (sign * body[:, axis] > _STRAIGHT).mean() >= _OFTEN:
                return direction
    return None


def _middle(joints: Sequence[str], points: np.ndarray, groups: Sequence[Sequence[str]]) -> np.ndarray | None:
    for group in groups:
        found = [row for row, joint in enumerate(joints) if joint in group]
        if found:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # frames without any of them
                return np.nanmean(points[..., found, :], axis=-2)
    return None


def up_of(
    path: Path, joints: Sequence[str], points: np.ndarray, by_format: str | None, rest: np.ndarray | None = None
) -> str | None:
    """The axis that is up by the format; else that along which the bodies stand. With a note where the two differ.

    People also lie down, so that such bodies alone make the axis unknown (None), unless those at `rest` agree.
    """
    seen = body_axis(joints, points)
    if seen is None or seen == by_format:
        return by_format
    if by_format is None:
        return seen if seen[-1] in "yz" else None
    text = f"{by_format} is up in this format, but the bodies stand along {seen}"
    if rest is not None and body_axis(joints, rest) == seen:
        note(path, "axes", f"{text}, also at rest: it is read as up.")
        return seen
    note(path, "axes", f'{text}: no axis is stated as up; sequence.replace(up="{by_format}") states it.')
    return None


def y_up(sequence: SkeletonSequence, format_name: str) -> SkeletonSequence:
    """The sequence with y up, as the format has it: turned by its `up`; a note where it stands otherwise without."""
    if sequence.up is not None:
        return with_up(sequence, "y")
    seen = body_axis(sequence.layout.joints, sequence.keypoints)
    if seen not in (None, "y"):
        fix = f'call sequence.replace(up="{seen}") first, and it is turned'
        text = f"{format_name} is y up, but the bodies stand along {seen}; they are written so: {fix}."
        warnings.warn(text, FileNote, stacklevel=2)
    return sequence
