"""People over time on keypoints alone: unordered detections per frame become one row per person.

Each frame's detections are assigned to the people seen so
far by the Hungarian method; the likeness is that of COCO's object keypoint similarity (a Gaussian of the distance,
joint by joint, relative to the size of the body), taken from where constant velocity puts each person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from motionhub.geometry.boxes import body_size


# Of the body's diagonal: how far a joint may be from its prediction to count as likely. COCO's hip has 0.107 of the
# square root of the area, for the error of annotators; movement within a frame comes on top.
TOLERANCE = 0.15
# A prediction gets less certain with every frame that does not confirm it.
TOLERANCE_GROWTH = 0.1
# Below this likeness a detection is somebody else: about two tolerances away.
MIN_LIKENESS = 0.1
# Frames over which the velocity is measured: limbs swing, the body drifts.
VELOCITY_FRAMES = 8


@dataclass
class _Person:
    """Where one person was, and where the body should be now."""

    index: int
    last: np.ndarray  # (joints, dims) where each joint was seen last, moved along with the body since
    frame: int  # when the body was seen last
    size: float
    history: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def predicted(self, frame: int) -> np.ndarray:
        """`(joints, dims)` at `frame`, if the body keeps its velocity."""
        return self.last + self.velocity() * (frame - self.frame)

    def velocity(self) -> np.ndarray:
        """`(dims,)` per frame: the median over the joints, so that a swinging arm does not count; zero at first."""
        (end, now), zero = self.history[-1], np.zeros(self.last.shape[-1])
        for start, before in self.history[:-1]:  # the oldest that shares a joint
            moved = (now - before)[~np.isnan(now - before).any(axis=-1)]
            if len(moved):
                return np.median(moved, axis=0) / (end - start)
        return zero

    def see(self, frame: int, points: np.ndarray) -> None:
        seen = ~np.isnan(points).any(axis=-1)
        # Joints that are hidden now keep their place on the body.
        self.last = np.where(seen[:, None], points, self.predicted(frame))
        self.frame = frame
        self.size = max(0.9 * self.size, body_size(points))
        self.history = [*self.history, (frame, points)][-VELOCITY_FRAMES:]


def track_people(frames: Sequence[np.ndarray], *, max_gap: int = 30) -> list[np.ndarray]:
    """Who is who: for each frame, the person number of each detection.

    Args:
        frames: per frame `(num_detections, num_joints, num_dims)`; NaN where a joint was not seen.
        max_gap: a person unseen for more frames is gone; whoever comes then is a new person.

    Returns:
        per frame `(num_detections,)` int; people are numbered 0, 1, 2, ... in the order in which they appear. A
        detection without a single joint is -1.
    """
    people: list[_Person] = []
    current: list[_Person] = []
    answer = []
    for frame, detections in enumerate(frames):
        numbers = np.full(len(detections), -1)
        current = [person for person in current if frame - person.frame <= max_gap + 1]
        seen = [row for row, points in enumerate(detections) if not np.isnan(points).any(axis=-1).all()]
        for row, person in _assigned(current, [detections[row] for row in seen], frame):
            person.see(frame, detections[seen[row]])
            numbers[seen[row]] = person.index
        for row in seen:
            if numbers[row] < 0:
                points = np.asarray(detections[row], dtype=np.float64)
                person = _Person(len(people), points, frame, body_size(points), [(frame, points)])
                people.append(person)
                current.append(person)
                numbers[row] = person.index
        answer.append(numbers)
    return answer


def _assigned(people: list[_Person], detections: list[np.ndarray], frame: int) -> list[tuple[int, _Person]]:
    """Pairs (detection, person) whose likeness, summed over all pairs, is greatest."""
    if not people or not detections:
        return []
    from scipy.optimize import linear_sum_assignment

    likeness = _likeness(people, np.stack(detections), frame)
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    return [
        (int(column), people[row])
        for row, column in zip(rows, columns, strict=True)
        if likeness[row, column] >= MIN_LIKENESS
    ]


def _likeness(people: list[_Person], detections: np.ndarray, frame: int) -> np.ndarray:
    """`(people, detections)` in 0..1: the mean over the common joints of a Gaussian of their distance."""
    likeness = np.zeros((len(people), len(detections)))
    for row, person in enumerate(people):  # one by one: all together would be large in a crowd
        size = person.size * TOLERANCE * (1 + TOLERANCE_GROWTH * (frame - person.frame - 1))
        squared = ((person.predicted(frame) - detections) ** 2).sum(axis=-1)  # (detections, joints)
        common = ~np.isnan(squared)
        gauss = np.where(common, np.exp(-np.where(common, squared, 0) / (2 * max(size, 1e-9) ** 2)), 0)
        likeness[row] = gauss.sum(axis=-1) / np.maximum(common.sum(axis=-1), 1)
    return likeness


def stack_people(
    frames: Sequence[np.ndarray], numbers: Sequence[np.ndarray], fill: float = np.nan
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Detections with their person numbers as one array; `fill` where a person is absent.

    Args:
        frames: per frame `(num_detections, ...)`.
        numbers: per frame `(num_detections,)`, as of `track_people`; negative numbers are left out.

    Returns:
        `(people, frames, ...)` and the person number of each row, in the order in which they appear.
    """
    track_ids = tuple(dict.fromkeys(int(number) for row in numbers for number in row if number >= 0))
    rows = {number: row for row, number in enumerate(track_ids)}
    shape = np.shape(frames[0])[1:] if len(frames) else ()
    values = np.full((len(track_ids), len(frames), *shape), fill, dtype=np.float32)
    for time, (detections, owners) in enumerate(zip(frames, numbers, strict=True)):
        for points, number in zip(detections, owners, strict=True):
            if number >= 0:
                values[rows[int(number)], time] = points
    return values, track_ids
