"""Moving pictures of recordings: the video with its skeletons, or the skeletons alone, as MP4 that browsers play."""

import base64
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.app.recordings import Progress, Recording
from motionhub.data.video.reader import open_video
from motionhub.poses.extraction import place_in_clip
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import placed, viewed
from motionhub.visualization.overlay import write_overlay


SIZE = (854, 480)  # of a picture without video
_GROUND = (32, 36, 42)
_MOST_FRAMES = 3000  # of a picture without video; longer recordings are thinned, and last as long


def moving_picture(recording: Recording, path: str | Path, progress: Progress | None = None) -> Path:
    """An MP4 (H.264) as long as the recording.

    Args:
        progress: is called with the share done, 0 to 1, and what is done.

    Raises:
        ImportError: PyAV or Pillow is not installed.
        ValueError: the video can no longer be read.
    """
    if recording.video is not None:
        source = open_video(recording.video)
        total = recording.sequence.num_frames
        images = ((place_in_clip(source, frame), frame.image) for frame in source.stored_frames())
        shown = takewhile(lambda one: one[0] < total, images)
        return write_overlay(_reported(shown, total, progress), recording.sequence, path, recording.boxes)
    pixels = in_pixels(recording.sequence)
    blank: np.ndarray = np.full((SIZE[1], SIZE[0], 3), _GROUND, np.uint8)
    frames = ((frame, blank) for frame in range(pixels.num_frames))
    return write_overlay(_reported(frames, pixels.num_frames, progress), pixels, path)


def in_pixels(sequence: SkeletonSequence) -> SkeletonSequence:
    """The sequence from the front, fitted into an image of `SIZE`, of at most 3,000 frames."""
    step = -(-sequence.num_frames // _MOST_FRAMES) or 1
    points, depth = viewed(sequence)
    place = placed(sequence.layout, points[:, ::step], depth[:, ::step], (0, 0, *SIZE), margin=0.06)
    return SkeletonSequence(
        place.pixels, sequence.layout, sequence.fps / step, "pixel", None, SIZE, sequence.track_ids, "-y"
    )


def data_url(path: str | Path) -> str:
    """A small image as a `data:` address, so that no further request is needed."""
    kind = {".gif": "gif", ".png": "png"}[Path(path).suffix.lower()]
    return f"data:image/{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


def _reported(images: Any, total: int, progress: Progress | None) -> Iterator[tuple[int, Any]]:
    for number, image in images:
        if progress is not None and number % 10 == 0:
            progress(number / max(total, 1), f"drawing frame {number} of {total}")
        yield number, image
