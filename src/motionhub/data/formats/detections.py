"""People found frame by frame, with or without identity, as one clip; numbered frames with gaps, in their place.

Identities of the file are kept; where it has none, `skeletons/tracking.py` finds them.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file
from motionhub.data.formats.format import ReadOptions, checked_size
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.skeletons.tracking import stack_people, track_people


# A person out of sight for longer than this is somebody new.
MAX_GAP_SECONDS = 1.0
# Comparing everybody with everybody grows with the square: a hostile file must not keep the tracker busy for ever.
MAX_PEOPLE = 256
# What is infinite as float32 is missing; the tracker's squares of it would be no numbers.
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Detection:
    """One person in one frame.

    Args:
        points: `(joints, dims)`; NaN where a joint was not seen.
        confidence: `(joints,)`, or None.
        track: the file's own number for the person, or None.
    """

    points: np.ndarray
    confidence: np.ndarray | None = None
    track: int | None = None


Frames = list[list[Detection]]


def clip_of(
    path: Path,
    frames: Frames,
    options: ReadOptions,
    layout: SkeletonLayout,
    *,
    unit: str,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    dims: int = 2,
) -> SkeletonSequence:
    """`(people, frames, joints, dims)`; a frame that does not show a person is NaN there, with confidence 0.

    Args:
        fps, image_size: as the file states them; None where it does not.
    """
    joints, fps = layout.num_joints, options.fps_of(path, fps)
    for time, people in enumerate(frames):
        if len(people) > MAX_PEOPLE:
            raise bad_file(path, f"frame {time}", f"{len(people)} people are more than the {MAX_PEOPLE} it may show.")
        for person in people:
            if person.points.shape != (joints, dims):
                expected = f"{joints} joints x {dims} of layout {layout.name!r}"
                raise bad_file(path, f"frame {time}", f"expected {expected}, got shape {person.points.shape}.")
    with np.errstate(over="ignore", invalid="ignore"):
        points = [np.array([person.points for person in people]).reshape(-1, joints, dims) for people in frames]
        points = [np.where(np.abs(values) <= _LARGEST, values, np.nan) for values in points]
        numbers = _own_tracks(path, frames)
        if numbers is None:
            numbers = track_people(points, max_gap=math.ceil(MAX_GAP_SECONDS * min(fps, 1000)))
    num_people = len({int(number) for row in numbers for number in row if number >= 0})
    checked_size(path, num_people, len(frames), joints, dims + 1)
    confidence = None
    with np.errstate(over="ignore", invalid="ignore"):  # float32 of what is too large for it is infinite, so missing
        keypoints, track_ids = stack_people(points, numbers)
        if any(person.confidence is not None for row in frames for person in row):
            scores = [np.array([_scores(person, joints) for person in row]).reshape(-1, joints) for row in frames]
            confidence = stack_people(scores, numbers, fill=0.0)[0]
    return options.sequence(
        path, keypoints, layout, fps=fps, unit=unit, image_size=image_size, confidence=confidence, track_ids=track_ids
    )


def _scores(person: Detection, joints: int) -> np.ndarray:
    return np.ones(joints) if person.confidence is None else person.confidence


def _own_tracks(path: Path, frames: Frames) -> list[np.ndarray] | None:
    """The file's identities, if every detection has one."""
    tracks = [[person.track for person in people] for people in frames]
    if any(track is None or not 0 <= track < 2**63 for row in tracks for track in row) or not any(tracks):
        return None
    for time, row in enumerate(tracks):
        if len(set(row)) < len(row):
            raise bad_file(path, f"frame {time}", f"the same person number occurs twice: {row[:8]}.")
    return [np.array(row, dtype=np.int64) for row in tracks]


def frame_positions(path: Path, numbers: list[int]) -> dict[int, int]:
    """Frame number -> position in the clip, where absent numbers leave room for frames without anybody.

    Counting starts at the smallest number. Three or more numbers that all lie a multiple of a step apart were written
    at every so many frames; the frame rate of the clip is that of its positions.
    """
    ordered = sorted(set(numbers))
    if not ordered:
        return {}
    step = math.gcd(*(number - ordered[0] for number in ordered)) if len(ordered) > 2 else 1
    length = (ordered[-1] - ordered[0]) // step + 1
    if length > 100 * len(ordered) + 10_000:
        reason = f"{len(ordered)} frames carry numbers from {ordered[0]} to {ordered[-1]}"
        raise bad_file(path, "frame numbers", f"{reason}: these are not the frames of one recording.")
    return {number: (number - ordered[0]) // step for number in ordered}
