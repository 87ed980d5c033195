"""MediaPipe's pose landmarker: 33 joints, several people, landmarks in metres beside those in pixels; offline.

Its two networks (person detector and "full" landmarks) lie in `pose_landmarker/`, with their licence;
`conversion/pose_landmarker.py` made the file.

The detector looks at the whole image, shrunk to 224 x 224, until `num_people` are followed; each is then followed by
the region around the last landmarks. Two who touch or hide each other are then often taken for one, while
`follow=False`, which looks anew in every frame, finds both but loses more frames of a single person. Who is smaller
than about a quarter of the image is seldom found.

From 0.10.35 on MediaPipe reports its use to Google (metrics, not images, says its privacy notice) and has no switch
for it: those releases work, with a warning.
"""

import contextlib
import importlib.metadata
import os
import sys
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from motionhub.data.video.reader import Video, VideoFrame
from motionhub.poses.estimators.estimator import Estimator, PersonInFrame, box_around


_NETWORKS = Path(__file__).parent / "pose_landmarker" / "pose_landmarker_full.task"
_INSTALL = 'pip install "motionhub[video]"'
_FIRST_THAT_REPORTS = "0.10.34"  # 0.10.33 opens no socket, 0.10.35 does; there is no 0.10.34


class MediaPipePoses(Estimator):
    """The estimator; see the module.

    Args:
        num_people: at most so many are found in a frame. 1 is the quickest, and smooths over time by itself.
        min_confidence: that a body is there, by the landmarks' network, for a person to count or be followed.
        find_confidence: of the detector; low, as the next network decides: MediaPipe's own 0.5 leaves out people in
            the background.
        follow: False looks for people in every frame anew: slower, and no memory from frame to frame.
        model: path of another `pose_landmarker_*.task` file; None takes the library's own.

    Raises:
        ImportError: MediaPipe is not installed, or lacks a library of the system.
        ValueError: the model is absent.
    """

    name = "mediapipe"
    layout = "mediapipe-33"

    def __init__(
        self,
        num_people: int = 4,
        min_confidence: float = 0.5,
        *,
        find_confidence: float = 0.3,
        follow: bool = True,
        model: str | Path | None = None,
    ) -> None:
        shares = (min_confidence, find_confidence)
        if num_people < 1 or not all(0 <= share <= 1 for share in shares):
            raise ValueError(
                f"num_people must be at least 1 and both confidences in 0..1, got {num_people}, {shares}."
            )
        self.num_people, self.min_confidence, self.follow = num_people, min_confidence, follow
        self.find_confidence = find_confidence
        self._mediapipe = _import_mediapipe()
        path = _NETWORKS if model is None else Path(model)
        if not path.is_file():
            raise ValueError(f"{path}: there is no such model; it is a pose_landmarker_*.task file of MediaPipe's.")
        self._bundle = path.read_bytes()
        self._landmarker: Any = None
        self._close: Any = None
        self._found_people = False
        self._last_time = -1

    def start(self, video: Video) -> None:
        if self._close is not None:
            self._close()
        tasks = self._mediapipe.tasks
        modes = tasks.vision.RunningMode
        options = tasks.vision.PoseLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_buffer=self._bundle),
            running_mode=modes.VIDEO if self.follow else modes.IMAGE,
            num_poses=self.num_people,
            min_pose_detection_confidence=self.find_confidence,
            min_pose_presence_confidence=self.min_confidence,
            min_tracking_confidence=self.min_confidence,
        )
        with _stderr_silenced():
            self._landmarker, self._last_time = tasks.vision.PoseLandmarker.create_from_options(options), -1
        self._close = weakref.finalize(self, _release, self._landmarker)

    def __call__(self, frame: VideoFrame) -> list[PersonInFrame]:
        # MediaPipe 1.2 reads rows that do not follow each other in memory as if they did.
        pixels = np.ascontiguousarray(frame.image)
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=pixels)
        with contextlib.nullcontext() if self._found_people else _stderr_silenced():
            found = self._detect(image, frame.time)
        self._found_people |= bool(found.pose_landmarks)
        height, width = frame.image.shape[:2]
        return [
            _person(landmarks, world, width, height)
            for landmarks, world in zip(found.pose_landmarks, found.pose_world_landmarks, strict=True)
        ]

    def _detect(self, image: Any, seconds: float) -> Any:
        if not self.follow:
            return self._landmarker.detect(image)
        # Milliseconds that must grow: above 1000 frames per second they would repeat.
        self._last_time = max(self._last_time + 1, round(seconds * 1000))
        return self._landmarker.detect_for_video(image, self._last_time)


def _release(landmarker: Any) -> None:
    """Closes it. When Python ends its thread is gone first; without a handle its destructor does not try again."""
    try:
        landmarker.close()
    except RuntimeError:
        landmarker._handle = None


def _person(landmarks: Any, world: Any, width: int, height: int) -> PersonInFrame:
    """All 33 are always given; those outside the image are guesses."""
    fractions = np.array([[point.x, point.y] for point in landmarks])
    inside = np.all((fractions >= 0) & (fractions <= 1), axis=-1)
    keypoints = np.where(inside[:, None], fractions * (width, height), np.nan)
    confidence = np.array([point.visibility or 0.0 for point in landmarks])
    metres = np.array([[point.x, point.y, point.z] for point in world])
    return PersonInFrame(keypoints, np.where(inside, confidence, 0.0), box_around(keypoints), metres)


def _import_mediapipe() -> Any:
    try:
        import mediapipe
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision  # noqa: F401  # an attribute of tasks from here on
    except (ImportError, OSError) as error:  # OSError: a library of the system is absent
        raise ImportError(f"The estimator 'mediapipe' needs MediaPipe ({error}): {_INSTALL}") from None
    _warn_of_reports(importlib.metadata.version("mediapipe"))
    return SimpleNamespace(Image=mediapipe.Image, ImageFormat=mediapipe.ImageFormat, tasks=tasks)


def _warn_of_reports(version: str) -> None:
    from packaging.version import Version

    if Version(version) >= Version(_FIRST_THAT_REPORTS):
        warnings.warn(
            f"MediaPipe {version} reports its use to Google, without a switch; a version that does not: {_INSTALL}",
            stacklevel=4,
        )


@contextlib.contextmanager
def _stderr_silenced() -> Iterator[None]:
    """Its C++ part writes a line for each network and one for the first person, past Python and any setting."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
