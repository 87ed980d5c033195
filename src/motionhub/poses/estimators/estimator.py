"""The interface of a pose estimator: it gets a video's frames one by one and returns the people in each.

Who is who over time is found afterwards (`poses/tracks.py`).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from motionhub.data.video.reader import Video, VideoFrame
from motionhub.geometry.boxes import bounds


class PersonInFrame(NamedTuple):
    """One person in one frame.

    Args:
        keypoints: `(joints, 2)` pixels of the frame, NaN where the joint was not found.
        confidence: `(joints,)` in 0..1.
        box: `(4,)` left, top, right, bottom in pixels, as the detector found the person; NaN where it says none.
        world: `(joints, 3)` metres from an origin in the body, y down, of estimators that lift; else None.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    box: np.ndarray
    world: np.ndarray | None = None


class Estimator(Protocol):
    """Any object with these four: `extract` takes yours as it takes those of the library.

    Args:
        name: for reports.
        layout: name of the joint layout.
    """

    name: str
    layout: str

    def start(self, video: Video) -> None:
        """A new video begins: what was remembered of the last one is forgotten."""
        return

    def __call__(self, frame: VideoFrame) -> Sequence[PersonInFrame]:
        """The people in the frame, in any order. Frames of a video come in the order of their time."""


def box_around(keypoints: np.ndarray, growth: float = 1.0) -> np.ndarray:
    """`(..., 4)` left, top, right, bottom of the joints `(..., joints, 2)` that are not NaN; NaN without any.

    Each side grows by the factor about the centre.
    """
    low, high = bounds(keypoints)
    with np.errstate(invalid="ignore"):
        margin = (high - low) * (growth - 1) / 2
        boxes = np.concatenate([low - margin, high + margin], axis=-1)
    return np.where(np.isfinite(boxes), boxes, np.nan)
