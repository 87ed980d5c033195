"""Keypoints that another program has written of the same video (OpenPose, AlphaPose, LCR-Net, MMPose, ...)."""

import warnings
from pathlib import Path

import numpy as np

from motionhub.data.datasets.reading import read
from motionhub.data.video.reader import Video, VideoFrame
from motionhub.poses.estimators.estimator import Estimator, PersonInFrame, box_around
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


class PoseFile(Estimator):
    """The file as an estimator: frame n of the video shows frame n of the file.

    Args:
        path: whatever `motionhub.read` reads, in pixels of this video; frame rate and image size are the video's.
        layout: for files that do not say it.

    Raises:
        ValueError: from `start`: the file cannot be read, holds several clips, or is not in pixels.
    """

    def __init__(self, path: str | Path, *, layout: str | SkeletonLayout | None = None) -> None:
        self.path, self.name, self._given = Path(path), str(path), layout
        self.layout = ""  # the file says it
        self._clip: SkeletonSequence | None = None

    def start(self, video: Video) -> None:
        clips = read(self.path, layout=self._given, fps=video.fps, unit="pixel", image_size=video.size)
        if len(clips) != 1:
            raise ValueError(f"{self.path}: expected the one clip of {video.name}, got {len(clips)}.")
        self._clip, self.layout = clips[0], clips[0].layout.name
        # Readers count from the first frame with a file of its own, and some programs leave out the last one.
        if video.num_frames is not None and abs(clips[0].num_frames - video.num_frames) > 1:
            both = f"{clips[0].num_frames} frames, but {video.name} has {video.num_frames}"
            warnings.warn(f"{self.path}: {both}; frame n is taken for frame n.", stacklevel=2)

    def __call__(self, frame: VideoFrame) -> list[PersonInFrame]:
        clip = self._clip
        assert clip is not None, "start was not called"
        if frame.index >= clip.num_frames:
            return []
        points = clip.keypoints[:, frame.index].astype(np.float64)
        seen = clip.joint_mask[:, frame.index]
        scores = seen.astype(np.float64) if clip.confidence is None else clip.confidence[:, frame.index]
        return [
            PersonInFrame(points[row], scores[row], box_around(points[row]))
            for row in range(clip.num_people)
            if seen[row].any()
        ]
