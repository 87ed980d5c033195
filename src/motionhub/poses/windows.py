"""Long videos in parts: windows that begin at key frames, the people detected in each, and these joined to one video.

Windows overlap: an estimator with a memory warms up in the overlap, whose detections are dropped. People are tracked
once over the joined frames (`poses/tracks.py`), so tracks need no joining of their own: for an estimator without a
memory the result is that of the whole video, bit for bit.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.video.reader import Video, key_frame_times, open_video
from motionhub.poses.estimators.estimator import Estimator, PersonInFrame
from motionhub.poses.extraction import found_in, place_in_clip
from motionhub.poses.tracks import Tracks, follow_people


LONGEST = 60.0
OVERLAP = 2.0
_ROUNDING = 1e-6  # of times in seconds


@dataclass(frozen=True)
class Window:
    """A part of a video, in seconds: decoded from `start`, kept from `keep` up to `end`, which is excluded."""

    start: float
    keep: float
    end: float


@dataclass(frozen=True)
class Detections:
    """The people detected in some frames of a video, before tracking.

    Args:
        estimator, layout: of the estimator.
        fps, size, variable_rate: of the video.
        num_frames: of the video's sequence, as far as it is known.
        places: `(frames,)` place of each frame in the sequence.
        counts: `(frames,)` people in each.
        keypoints, confidence, boxes: `(people of all frames, joints, 2)`, `(..., joints)`, `(..., 4)` float32.
        world: `(people of all frames, joints, 3)` metres; None if the estimator does not lift.
        seconds: of decoding and estimation.
    """

    estimator: str
    layout: str
    fps: float
    size: tuple[int, int]
    variable_rate: bool
    num_frames: int
    places: np.ndarray
    counts: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray
    boxes: np.ndarray
    world: np.ndarray | None
    seconds: float

    def frames(self) -> Iterator[tuple[int, list[PersonInFrame]]]:
        """The place and the people of each frame."""
        ends = np.cumsum(self.counts)
        for place, end, count in zip(self.places.tolist(), ends.tolist(), self.counts.tolist(), strict=True):
            rows = range(end - count, end)
            yield place, [self._person(row) for row in rows]

    def _person(self, row: int) -> PersonInFrame:
        world = None if self.world is None else self.world[row]
        return PersonInFrame(self.keypoints[row], self.confidence[row], self.boxes[row], world)


def windows_of(
    key_frames: Sequence[float], duration: float, longest: float = LONGEST, overlap: float = OVERLAP
) -> list[Window]:
    """Windows of at most `longest` seconds that keep every moment of a video once.

    Each begins at the last key frame that the one before it reaches with `overlap` to spare; where there is none, at
    that moment itself. A video with no key frame but the first is one window.

    Args:
        key_frames: seconds, sorted, from 0.
        duration: seconds.

    Raises:
        ValueError: an overlap that is not shorter than half a window.

    Examples:
        >>> from motionhub.poses.windows import windows_of
        >>> [window.start for window in windows_of([0.0, 21.0, 50.0, 100.0], 120.0)]
        [0.0, 50.0, 100.0]
    """
    if not 0 <= 2 * overlap < longest:
        raise ValueError(f"overlap must be less than half a window of {longest:g} s, got {overlap:g} s.")
    if len(key_frames) < 2:  # it cannot be entered in its middle: read once, as a whole
        return [Window(0.0, 0.0, math.inf)]
    starts, times = [0.0], np.asarray(key_frames, np.float64)
    while starts[-1] + longest < duration:
        latest = starts[-1] + longest - overlap
        inside = times[(times > starts[-1] + overlap) & (times <= latest)]
        starts.append(float(inside[-1]) if len(inside) else latest)
    keeps = [0.0, *(start + overlap for start in starts[1:])]
    ends = [*keeps[1:], math.inf]
    return [Window(*one) for one in zip(starts, keeps, ends, strict=True)]


def windows_of_file(path: Path, video: Video, longest: float = LONGEST, overlap: float = OVERLAP) -> list[Window]:
    """`windows_of` an opened file; one window, without looking for key frames, if it is no longer than that."""
    duration = (video.num_frames or 0) / video.fps
    if duration <= longest:
        return windows_of((0.0,), duration, longest, overlap)
    return windows_of(key_frame_times(path), duration, longest, overlap)


def share_of(windows: Sequence[Window], number: int, count: int) -> Sequence[Window]:
    """The windows of worker `number` of `count`, in order; empty if there are too few."""
    bounds = [round(len(windows) * place / count) for place in (number, number + 1)]
    return windows[bounds[0] : bounds[1]]


def detect_in_file(
    path: Path,
    finder: Estimator,
    number: int = 0,
    count: int = 1,
    *,
    longest: float = LONGEST,
    overlap: float = OVERLAP,
) -> list[Detections]:
    """The people in the windows of share `number` of `count` of a video file.

    Raises:
        ValueError: the video cannot be read.
    """
    video = open_video(path)
    windows = windows_of_file(path, video, longest, overlap)
    return [detect(video, finder, window) for window in share_of(windows, number, count)]


def detect(video: Video, finder: Estimator, window: Window) -> Detections:
    """The people in one window of a video; one frame is in memory."""
    began = time.perf_counter()
    finder.start(video)
    places: list[int] = []
    people: list[list[PersonInFrame]] = []
    last = -1
    for frame in video.frames(window.start):
        if frame.time >= window.end - _ROUNDING:
            break
        place = place_in_clip(video, frame)
        if place <= last:  # of frames of a variable rate that fall on one place the first counts
            continue
        last, found = place, found_in(finder, frame)
        if frame.time >= window.keep - _ROUNDING:
            places.append(place)
            people.append(found)
    everyone = [person for frame_people in people for person in frame_people]
    joints = len(everyone[0].keypoints) if everyone else 0
    lifted = bool(everyone) and all(person.world is not None for person in everyone)
    known = video.num_frames if video.num_frames is not None and not video.variable_rate else 0
    return Detections(
        estimator=finder.name,
        layout=finder.layout,
        fps=video.fps,
        size=video.size,
        variable_rate=video.variable_rate,
        num_frames=known,
        places=np.array(places, np.int64),
        counts=np.array([len(one) for one in people], np.int64),
        keypoints=_stacked(everyone, "keypoints", joints, 2),
        confidence=_stacked(everyone, "confidence", joints),
        boxes=_stacked(everyone, "box", 4),
        world=_stacked(everyone, "world", joints, 3) if lifted else None,
        seconds=time.perf_counter() - began,
    )


def follow_through(
    windows: Sequence[Detections], *, min_confidence: float = 0.3, min_frames: int = 5
) -> tuple[Tracks, dict[str, Any]]:
    """The people of a video from the detections of all its windows, in order, and facts for a report.

    Args:
        windows: of one video and estimator, in order of time.
        min_confidence, min_frames: see `tracks.follow_people`.

    Raises:
        ValueError: no window, or a detection that does not fit the layout.
    """
    if not windows:
        raise ValueError("Expected the detections of at least one window of the video, got none.")
    first = windows[0]
    frames: list[list[PersonInFrame]] = []
    decoded = 0
    for window in windows:
        for place, people in window.frames():
            if place < len(frames):  # two windows' frames of a variable rate on one place
                continue
            frames.extend([] for _ in range(place - len(frames)))
            frames.append(people)
            decoded += 1
    frames.extend([] for _ in range(first.num_frames - len(frames)))  # broken frames at the end
    tracks = follow_people(
        frames, first.layout, first.fps, first.size, min_confidence=min_confidence, min_frames=min_frames
    )
    facts = {
        "frames": len(frames),
        "decoded": decoded,
        "people": tracks.clip.num_people,
        "windows": len(windows),
        "seconds": sum(window.seconds for window in windows),
    }
    return tracks, facts


def _stacked(people: Sequence[PersonInFrame], name: str, *shape: int) -> np.ndarray:
    return np.array([getattr(person, name) for person in people], np.float32).reshape(len(people), *shape)
