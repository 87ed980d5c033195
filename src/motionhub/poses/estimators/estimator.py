"""What a pose estimator is: an object that is shown a video's frames one by one and says who is in each, and where.

It does not know any estimator in particular, and an estimator does not know who is who (`poses/tracks.py`).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from motionhub.data.video.reader import Video, VideoFrame


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

    def __call__(self, frame: VideoFrame) -> Sequence[PersonInFrame]:
        """The people in the frame, in any order. Frames of a video come in the order of their time."""


def box_around(keypoints: np.ndarray) -> np.ndarray:
    """`(4,)` left, top, right, bottom of the joints that were found; NaN when there are none."""
    seen = keypoints[np.isfinite(keypoints).all(axis=-1)]
    return np.concatenate([seen.min(axis=0), seen.max(axis=0)]) if len(seen) else np.full(4, np.nan)
