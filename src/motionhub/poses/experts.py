"""Brings several pose estimators' results of one video to one layout, frame rate, image size, length and people.

The first expert decides what the others become.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from motionhub.skeletons.convert import convert_layout, resample
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.measures import body_size
from motionhub.skeletons.sequence import SkeletonSequence


# Of the body's size: two experts' tracks whose joints are further apart than this are two people.
SAME_PERSON = 0.5
# Share of the longest: estimators drop a frame or two of a video, not more.
LENGTHS_DIFFER = 0.05


def reconcile(
    experts: Sequence[SkeletonSequence], layout: str | SkeletonLayout | None = None
) -> list[SkeletonSequence]:
    """The same video by each expert, so that person, frame and joint mean the same in all of them.

    Layouts are converted (`convert_layout`), frame rates resampled, pixels scaled to the first's image size, shorter
    ones padded by missing frames. People are the first expert's, in its order, then those that only others saw; tracks
    of one expert that do not overlap in time may be the same person.

    Args:
        experts: one sequence per expert.
        layout: of the result; the first expert's by default.

    Raises:
        ValueError: no expert, an expert that is no sequence, or units or dimensions that differ.
    """
    if not experts:
        raise ValueError("No expert was given; pass a list with one SkeletonSequence per pose estimator.")
    for expert in experts:
        if not isinstance(expert, SkeletonSequence):
            raise ValueError(f"Each expert must be a SkeletonSequence, got {type(expert).__name__}.")
    first = experts[0]
    target = get_layout(first.layout if layout is None else layout)
    alike = [_like(expert, first, target, number) for number, expert in enumerate(experts)]
    lengths = [expert.num_frames for expert in alike]
    if max(lengths) - min(lengths) > max(2, LENGTHS_DIFFER * max(lengths)):
        warnings.warn(f"The experts have {lengths} frames; are they of the same video and frame rate?", stacklevel=2)
    return _with_same_people([_lengthened(expert, max(lengths)) for expert in alike])


def _like(expert: SkeletonSequence, first: SkeletonSequence, layout: SkeletonLayout, number: int) -> SkeletonSequence:
    if expert.num_dims != first.num_dims or expert.unit != first.unit:
        raise ValueError(
            f"Experts must agree in unit and dimensions: the first has {first.num_dims} dimensions in unit "
            f"{first.unit!r}, number {number} has {expert.num_dims} in {expert.unit!r}; bring them to one unit before."
        )
    if expert.layout.joints != layout.joints:
        expert = convert_layout(expert, layout)
    expert = resample(expert.replace(layout=layout), first.fps)
    if expert.unit == "pixel" and expert.image_size and first.image_size and expert.image_size != first.image_size:
        factor = np.ones(expert.num_dims)
        factor[:2] = np.divide(first.image_size, expert.image_size)
        expert = expert.replace(keypoints=expert.keypoints * factor, image_size=first.image_size)
    return expert


def _lengthened(expert: SkeletonSequence, num_frames: int) -> SkeletonSequence:
    added = num_frames - expert.num_frames
    if not added:
        return expert
    keypoints = np.pad(expert.keypoints, [(0, 0), (0, added), (0, 0), (0, 0)], constant_values=np.nan)
    confidence = expert.confidence
    if confidence is not None:
        confidence = np.pad(confidence, [(0, 0), (0, added), (0, 0)])
    return expert.replace(keypoints=keypoints, confidence=confidence)


def _with_same_people(experts: list[SkeletonSequence]) -> list[SkeletonSequence]:
    if all(expert.num_people == 1 for expert in experts):
        return experts  # a single person is the same one, however much the experts disagree
    people = list(experts[0].keypoints)
    identifiers = list(experts[0].track_ids or ())
    rows = [list(range(experts[0].num_people))]
    for expert in experts[1:]:
        size = max(body_size(expert), body_size(experts[0]))
        rows.append(_rows(people, expert.keypoints, SAME_PERSON * size))
        for track, row in zip(expert.keypoints, rows[-1], strict=True):
            if row == len(people):
                people.append(track)
                identifiers.append(max(identifiers, default=-1) + 1)
    return [_arranged(expert, own, identifiers) for expert, own in zip(experts, rows, strict=True)]


def _rows(people: list[np.ndarray], tracks: np.ndarray, limit: float) -> list[int]:
    """The person of each track: the nearest pairs first; the rest are new people, in their order."""
    distances = np.array([[_distance(person, track) for track in tracks] for person in people])
    distances = distances.reshape(len(people), len(tracks))
    seen = ~np.isnan(tracks[..., 0]).all(axis=-1)  # (tracks, frames)
    taken = np.zeros((len(people), tracks.shape[1]), bool)
    rows = np.full(len(tracks), -1)
    for pair in np.argsort(distances, axis=None, kind="stable"):
        person, track = divmod(int(pair), len(tracks))
        free = rows[track] < 0 and not (taken[person] & seen[track]).any()
        if free and distances[person, track] < limit:
            rows[track] = person
            taken[person] |= seen[track]
    rows[rows < 0] = len(people) + np.arange((rows < 0).sum())
    return rows.tolist()


def _distance(person: np.ndarray, track: np.ndarray) -> float:
    """Median over frames and joints that both have; infinite without any."""
    distance = np.linalg.norm(person.astype(np.float64) - track, axis=-1)
    return np.inf if np.isnan(distance).all() else float(np.nanmedian(distance))


def _arranged(expert: SkeletonSequence, rows: list[int], identifiers: list[int]) -> SkeletonSequence:
    shape = (len(identifiers), *expert.keypoints.shape[1:])
    keypoints = np.full(shape, np.nan, dtype=np.float32)
    confidence = None if expert.confidence is None else np.zeros(shape[:3], dtype=np.float32)
    for track, row in enumerate(rows):
        here = expert.joint_mask[track].any(axis=-1)
        keypoints[row, here] = expert.keypoints[track, here]
        if confidence is not None and expert.confidence is not None:
            confidence[row, here] = expert.confidence[track, here]
    return expert.replace(keypoints=keypoints, confidence=confidence, track_ids=tuple(identifiers))
