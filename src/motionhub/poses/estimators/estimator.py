"""The interface of a pose estimator: frames in, people of each frame out; `poses/tracks.py` tracks them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from motionhub.data.video.reader import Video, VideoFrame
from motionhub.geometry.boxes import bounds


class PersonInFrame(NamedTuple):
    """One person in one frame.

    Args:
        keypoints: `(joints, 2)` pixels of the frame, NaN for missing joints.
        confidence: `(joints,)` in 0..1.
        box: `(4,)` left, top, right, bottom in pixels of the detector; NaN without one.
        world: `(joints, 3)` metres from an origin in the body, y down, of estimators that lift; else None.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    box: np.ndarray
    world: np.ndarray | None = None


class Estimator(Protocol):
    """Any object with these four works with `extract`.

    Args:
        name: for reports.
        layout: name of the joint layout.
    """

    name: str
    layout: str

    def start(self, video: Video) -> None:
        """Resets the state before a new video."""
        return

    def __call__(self, frame: VideoFrame) -> Sequence[PersonInFrame]:
        """The people in the frame, in any order. Frames arrive in order of time."""


def box_around(keypoints: np.ndarray, growth: float = 1.0) -> np.ndarray:
    """`(..., 4)` left, top, right, bottom of joints `(..., joints, 2)`, scaled about the centre; NaN without any."""
    low, high = bounds(keypoints)
    with np.errstate(invalid="ignore"):
        margin = (high - low) * (growth - 1) / 2
        boxes = np.concatenate([low - margin, high + margin], axis=-1)
    return np.where(np.isfinite(boxes), boxes, np.nan)
