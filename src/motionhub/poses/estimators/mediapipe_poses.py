"""MediaPipe's pose landmarker: 33 joints, several people, landmarks in metres beside those in pixels; offline.

It does not know who is who. The wheel of MediaPipe 0.10.21 carries the two networks (person detector and "full"
landmarks) for its old one-person interface only. They are bundled here, in memory, into what its newer interface
reads, which finds several people. That interface wants to be told how pictures are scaled: to -1..1 for the detector,
to 0..1 for the landmarks, as the graphs in the wheel do it.

How several people are found: the detector looks at the whole picture, shrunk to 224 x 224, until `num_people` are
followed; each is then followed by the region around the last landmarks. Two who touch or hide each other are often
taken for one then, while `follow=False`, which looks anew in every frame, finds both but loses more frames of
somebody alone. Who is smaller than about a quarter of the picture is seldom found.

Newer releases of MediaPipe carry no network: they need `model=`, a `.task` file of theirs.
"""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.video import Video, VideoFrame
from motionhub.poses.estimators.estimator import PersonInFrame, box_around


# Name in the bundle -> file in the wheel, and mean and standard deviation of the pixels that it expects.
_NETWORKS = {
    "pose_detector.tflite": ("pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": ("pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}
_INSTALL = 'pip install "motionhub[mediapipe]"'


class MediaPipePoses:
    """The estimator; see the module.

    Args:
        num_people: at most so many are found in a frame. 1 is the quickest, and smooths over time by itself.
        min_confidence: that a body is there, by the landmarks' network, for a person to count or be followed.
        find_confidence: of the detector. It is low because the next network has the last word: at MediaPipe's own 0.5
            people in the background are left out.
        follow: False looks for people in every frame anew: slower, and no memory from frame to frame.
        model: path of a `pose_landmarker_*.task` file; None takes the networks in the wheel.

    Raises:
        ImportError: MediaPipe is not installed.
        ValueError: the model is absent, or the installed MediaPipe carries none.
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
        self._bundle = _bundle_of_wheel(self._mediapipe) if model is None else _bundle_of_file(Path(model))
        self._landmarker: Any = None
        self._last_time = -1

    def start(self, video: Video) -> None:
        if self._landmarker is not None:
            self._landmarker.close()
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
        self._landmarker, self._last_time = tasks.vision.PoseLandmarker.create_from_options(options), -1

    def __call__(self, frame: VideoFrame) -> list[PersonInFrame]:
        picture = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=frame.image)
        if self.follow:
            # Milliseconds that must grow: above 1000 frames per second they would repeat.
            self._last_time = max(self._last_time + 1, round(frame.time * 1000))
            found = self._landmarker.detect_for_video(picture, self._last_time)
        else:
            found = self._landmarker.detect(picture)
        height, width = frame.image.shape[:2]
        return [
            _person(landmarks, world, width, height)
            for landmarks, world in zip(found.pose_landmarks, found.pose_world_landmarks, strict=True)
        ]


def _person(landmarks: Any, world: Any, width: int, height: int) -> PersonInFrame:
    """All 33 are always given; those that lie outside the picture were guessed and not seen."""
    fractions = np.array([[point.x, point.y] for point in landmarks])
    inside = np.all((fractions >= 0) & (fractions <= 1), axis=-1)
    keypoints = np.where(inside[:, None], fractions * (width, height), np.nan)
    confidence = np.array([point.visibility or 0.0 for point in landmarks])
    metres = np.array([[point.x, point.y, point.z] for point in world])
    return PersonInFrame(keypoints, np.where(inside, confidence, 0.0), box_around(keypoints), metres)


def _import_mediapipe() -> Any:
    # Its C++ part prints a line for every network that it loads, whatever Python's logging says; read on import.
    os.environ.setdefault("GLOG_minloglevel", "2")
    try:
        import mediapipe
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision  # noqa: F401  # an attribute of tasks from here on
    except ImportError as error:
        raise ImportError(f"The estimator 'mediapipe' needs MediaPipe ({error}): {_INSTALL}") from None
    return _Mediapipe(mediapipe, tasks)


class _Mediapipe:
    """The names of MediaPipe that are used."""

    def __init__(self, package: Any, tasks: Any) -> None:
        self.Image, self.ImageFormat, self.tasks = package.Image, package.ImageFormat, tasks
        self.folder = Path(package.__file__).parent


def _bundle_of_file(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path}: there is no such model; it is a pose_landmarker_*.task file of MediaPipe's.")
    return path.read_bytes()


def _bundle_of_wheel(mediapipe: _Mediapipe) -> bytes:
    """The wheel's networks as a `.task` file, which is a zip of networks that know how their input is scaled."""
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_STORED) as content:
        for name, (file, mean, deviation) in _NETWORKS.items():
            network = mediapipe.folder / "modules" / file
            if not network.is_file():
                raise ValueError(
                    f"This release of MediaPipe carries no {network.name}: pip install mediapipe==0.10.21, or give "
                    "model= a pose_landmarker_full.task file."
                )
            content.writestr(name, _with_scaling(network.read_bytes(), mean, deviation))
    return bundle.getvalue()


def _with_scaling(network: bytes, mean: float, deviation: float) -> bytes:
    from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer

    writer = metadata_writer.MetadataWriter.create(bytearray(network))
    writer.add_image_input([mean], [deviation])
    return bytes(writer.populate()[0])
