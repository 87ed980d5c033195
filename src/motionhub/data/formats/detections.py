"""Detections of people frame by frame as one clip, with the identities of the file or of tracking."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file, nan_at_origin, note
from motionhub.data.formats.format import ReadOptions, checked_size
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.skeletons.tracking import stack_people, track_people


# After a longer absence a person gets a new identity.
MAX_GAP_SECONDS = 1.0
# Tracking takes quadratic time in the people of a frame; a hostile file must not occupy it forever.
MAX_PEOPLE = 256
# Values that overflow float32 are missing; the tracker could not square them.
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Detection:
    """One person in one frame: `(joints, dims)` points, NaN where missing, confidences, and the person's number."""

    points: np.ndarray
    confidence: np.ndarray | None = None
    track: int | None = None


Frames = list[list[Detection]]


class NumberedFrames(Frames):
    """Frames whose numbers advance by `step` from one to the next."""

    step = 1


def scored_detection(values: np.ndarray, track: int | None = None) -> Detection:
    """Of `(joints, 3)` x, y, score; a joint at (0, 0) with score 0 is missing."""
    return scored_detections(values[None], [track])[0]


def scored_detections(values: np.ndarray, tracks: Sequence[int | None]) -> list[Detection]:
    """Of `(people, joints, 3)` x, y, score; as `scored_detection` of each."""
    scores = np.nan_to_num(values[..., 2])
    points = nan_at_origin(values[..., :2], scores)
    return [Detection(*parts) for parts in zip(points, scores, tracks, strict=True)]


def body_parts(layout: SkeletonLayout, people: list[Detection]) -> list[Detection]:
    """The people without the joints of face and hands that `layout` leaves out."""
    if layout.num_file_joints is None:
        return people
    cut = [None if each.confidence is None else layout.body_part(each.confidence, axis=-1) for each in people]
    return [
        Detection(layout.body_part(each.points), scores, each.track) for each, scores in zip(people, cut, strict=True)
    ]


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
    up: str | None = None,
) -> SkeletonSequence:
    """`(people, frames, joints, dims)`; NaN, with confidence 0, where absent; `fps`, `image_size`, `up`: of the file.

    `fps` is that of the frame numbers: every third frame of 30 per second is a clip of 10, which is noted.
    Person numbers of the file that occur twice in a frame identify nobody: people are tracked by their keypoints then,
    with a note, as where there are no numbers.
    """
    joints, fps = layout.num_joints, options.fps_of(path, fps)
    if isinstance(frames, NumberedFrames) and frames.step > 1:
        every = f"one in {frames.step} frames of {fps:g} per second"
        fps /= frames.step
        note(path, "frame numbers", f"{every}: a clip of {fps:.4g} frames per second.")
        options = replace(options, fps=fps)
    for time, people in enumerate(frames):
        if len(people) > MAX_PEOPLE:
            raise bad_file(path, f"frame {time}", f"expected at most {MAX_PEOPLE} people, got {len(people)} people.")
        for person in people:
            if person.points.shape != (joints, dims):
                expected = f"{joints} joints x {dims} of layout {layout.name!r}"
                raise bad_file(path, f"frame {time}", f"expected {expected}, got shape {person.points.shape}.")
    everyone = [person for people in frames for person in people]
    ends = np.cumsum([0, *(len(people) for people in frames)]).tolist()
    points = np.array([person.points for person in everyone], np.float64).reshape(-1, joints, dims)
    points[~(np.abs(points) <= _LARGEST)] = np.nan
    per_frame = [points[start:end] for start, end in itertools.pairwise(ends)]
    numbers = _own_tracks(path, frames)
    if numbers is None:
        numbers = track_people(per_frame, max_gap=math.ceil(MAX_GAP_SECONDS * min(fps, 1000)))
    num_people = len({number for row in numbers for number in row.tolist() if number >= 0})
    checked_size(path, num_people, len(frames), joints, dims + 1)
    keypoints, track_ids = stack_people(per_frame, numbers)
    confidence = None
    if any(person.confidence is not None for person in everyone):
        ones = np.ones(joints)
        scores = np.array([ones if person.confidence is None else person.confidence for person in everyone])
        with np.errstate(over="ignore"):
            scores = scores.astype(np.float32)
        confidence = stack_people([scores[start:end] for start, end in itertools.pairwise(ends)], numbers, fill=0.0)[0]
    return options.sequence(
        path,
        keypoints,
        layout,
        fps=fps,
        unit=unit,
        image_size=image_size,
        confidence=confidence,
        track_ids=track_ids,
        up=up,
    )


def _own_tracks(path: Path, frames: Frames) -> list[np.ndarray] | None:
    """The identities in the file, if every detection has one."""
    tracks = [[person.track for person in people] for people in frames]
    without = [track is None or not 0 <= track < 2**63 for row in tracks for track in row]
    if any(without) or not any(tracks):
        if any(without) and not all(without):
            text = f"{sum(without)} of {len(without)} detections have no person number, so people are followed"
            note(path, "people", f"{text} by their keypoints.")
        return None
    for time, row in enumerate(tracks):
        if len(set(row)) < len(row):
            text = f"several people have the person number {max(row, key=row.count)}; numbers that repeat identify"
            note(path, f"frame {time}", f"{text} no person, so people are followed by their keypoints.")
            return None
    stated, most = [track for row in tracks for track in row], max(map(len, tracks))
    if len(stated) > 2 * most and len({*stated}) == len(stated):
        text = "no person number occurs in two frames, so the numbers identify rows, not people"
        note(path, "people", f"{text}; people are followed by their keypoints.")
        return None
    return [np.array(row, dtype=np.int64) for row in tracks]


def frames_of(path: Path, frames: list[int], numbers: list[int], people: list[Detection]) -> Frames:
    """The `people` of each frame, by their frame `numbers`, which are among the numbers of all `frames`."""
    positions = frame_positions(path, frames)
    found = NumberedFrames([] for _ in range(max(positions.values()) + 1))
    found.step = step_of(positions)
    for number, person in zip(numbers, people, strict=True):
        found[positions[number]].append(person)
    return found


def step_of(positions: dict[int, int]) -> int:
    """How far the frame numbers of neighbouring positions are apart."""
    return (max(positions) - min(positions)) // max(*positions.values(), 1) or 1


def frame_positions(path: Path, numbers: list[int]) -> dict[int, int]:
    """Frame number -> position in the clip, from the smallest number; absent numbers are frames without people.

    The greatest common step of three or more numbers counts as one frame. Raises ValueError for too large gaps.
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
