"""Estimators of generated videos: cheap, with a known answer, and with every trouble that a real one may have."""

import ctypes
import os
import signal
import time
from collections.abc import Sequence

import numpy as np

from motionhub.data.video.reader import Video, VideoFrame
from motionhub.poses.estimators.estimator import Estimator, PersonInFrame, box_around


JOINTS = 17
CRASHES, FAILS, HANGS, KILLED = 6, 7, 8, 9  # frames of a video that does this to `Troubled`


class Brightness(Estimator):
    """One person whose joints lie on a line, shifted by the image's brightness: frame n of `greys` tells its number.

    Args:
        shift: pixels, so that two experts differ.
        seconds: per frame, of work that is not there.
    """

    name = "brightness"
    layout = "coco-17"

    def __init__(self, shift: float = 0.0, seconds: float = 0.0) -> None:
        self.shift, self.seconds = shift, seconds

    def start(self, video: Video) -> None:
        return

    def __call__(self, frame: VideoFrame) -> Sequence[PersonInFrame]:
        time.sleep(self.seconds)
        start = float(frame.image.mean()) / 8 + self.shift
        line = np.arange(JOINTS, dtype=np.float32)
        keypoints = np.stack([start + 2 * line, 10 + line], axis=-1)
        return [PersonInFrame(keypoints, np.full(JOINTS, 0.9), box_around(keypoints))]


class Troubled(Brightness):
    """Does to a video what its number of frames asks for."""

    name = "troubled"

    def start(self, video: Video) -> None:
        if video.num_frames == CRASHES:  # natively, as decoders do
            ctypes.string_at(0)
        if video.num_frames == FAILS:
            raise RuntimeError("not today")
        if video.num_frames == HANGS:
            time.sleep(60)
        if video.num_frames == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)


class Unloadable(Brightness):
    """Its package is not installed on this machine."""

    def __init__(self) -> None:
        raise ImportError("The estimator needs toys: pip install toys")
