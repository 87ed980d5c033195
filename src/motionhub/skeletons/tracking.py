"""Tracks people on keypoints alone: unordered detections per frame become one row per person.

The Hungarian method assigns detections to people. The likeness is similar to COCO's object keypoint similarity (a
Gaussian of each joint's distance relative to body size), at the position predicted by constant velocity.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from motionhub.geometry.boxes import bounds


# Standard deviation of the prediction error, in body diagonals. COCO has 0.107 of the root of the area for the hip.
TOLERANCE = 0.15
TOLERANCE_GROWTH = 0.1  # per frame without a detection
MIN_LIKENESS = 0.1  # lower is another person: about two tolerances away
_NOTHING = 1e-9  # of a likeness
_WIDE = 8.0  # bodies of one joint are the nearest one, however far
VELOCITY_FRAMES = 8  # over which the velocity is measured
# People who may be seen again, the last seen first, and pairs of them and detections that are compared without asking
# whether they are near: only crowds have more.
_MOST_REMEMBERED, _FEW_PAIRS = 1024, 2**14
_FIRST_RUN, _LONGEST_RUN = 64, 4096  # frames with one person that are tracked at once
_MOST_AT_ONCE = 2**21  # numbers


class _People:
    """Past and predicted positions of the people who may be seen again, one row each."""

    def __init__(self, joints: int, dims: int) -> None:
        self.index = np.zeros(0, np.int64)  # number of the person
        self.frame = np.zeros(0, np.int64)  # of the last detection
        self.size = np.zeros(0)
        self.floor = np.zeros(0)  # of the size
        self.last = np.zeros((0, joints, dims))  # last position of each joint, moved along with the body since
        self.velocity = np.zeros((0, dims))  # per frame
        self.points = np.full((0, VELOCITY_FRAMES, joints, dims), np.nan)  # the last detections, the newest last
        self.frames = np.zeros((0, VELOCITY_FRAMES), np.int64)  # of `points`; -1 before the first

    def __len__(self) -> int:
        return len(self.index)

    def keep(self, rows: np.ndarray) -> None:
        for name, values in vars(self).items():
            setattr(self, name, values[rows])

    def add(self, index: np.ndarray, frame: int, points: np.ndarray, floor: float) -> None:
        """New people, `points` (people, joints, dims), whose size is never below `floor`."""
        history = np.full((len(points), *self.points.shape[1:]), np.nan)
        frames = np.full((len(points), VELOCITY_FRAMES), -1)
        history[:, -1], frames[:, -1] = points, frame
        first = np.full(len(points), frame)
        floors = np.full(len(points), floor)
        still = np.zeros((len(points), points.shape[-1]))
        new = (index, first, np.fmax(_sizes(points), floors), floors, points, still, history, frames)
        for name, values in zip(vars(self), new, strict=True):
            setattr(self, name, np.concatenate([getattr(self, name), values]))

    def predicted(self, frame: int) -> np.ndarray:
        """`(people, joints, dims)` at `frame`, at constant velocity."""
        return self.last + (self.velocity * (frame - self.frame)[:, None])[:, None]

    def see(self, rows: np.ndarray, frame: int, points: np.ndarray) -> None:
        """The people in `rows`, in ascending order, are at `points` (rows, joints, dims)."""
        seen = ~np.isnan(points).any(axis=-1, keepdims=True)
        # Of all of them: views are faster than copies.
        some: np.ndarray | slice = slice(None) if len(rows) == len(self) else rows
        # Missing joints keep their place on the body.
        self.last[some] = np.where(seen, points, self.predicted(frame)[some])
        self.frame[some] = frame
        self.size[some] = np.maximum(np.maximum(0.9 * self.size[some], _sizes(points)), self.floor[some])
        self.points[some] = np.concatenate([self.points[some, 1:], points[:, None]], axis=1)
        self.frames[some] = np.concatenate([self.frames[some, 1:], np.full((len(points), 1), frame)], axis=1)
        self.velocity[some] = _velocities(self.points[some], self.frames[some].copy())


def _velocities(points: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """`(people, dims)` per frame since the oldest detection that shares a joint with the newest; zero without one."""
    people, oldest = np.arange(len(points)), (frames < 0).sum(axis=1)
    age = frames[:, -1] - frames[people, oldest]
    velocities = _medians(points[:, -1] - points[people, oldest]) / np.maximum(age, 1)[:, None]
    for row in np.flatnonzero(np.isnan(velocities).any(axis=-1)):
        frames[row, oldest[row]] = -1
        velocities[row] = _velocities(points[row : row + 1], frames[row : row + 1])[0]
    return velocities


def _medians(moved: np.ndarray) -> np.ndarray:
    """The median of `(..., joints, dims)` over the joints, robust to a swinging arm; NaN without any."""
    missing = np.isnan(moved).any(axis=-1, keepdims=True)
    if moved.shape[-2] == 1:
        return np.where(missing, np.nan, moved)[..., 0, :]
    ordered = np.sort(np.where(missing, np.nan, moved), axis=-2)  # NaN comes last
    count = np.maximum((~missing).sum(axis=-2, keepdims=True), 1)
    low, high = (
        np.take_along_axis(ordered, np.broadcast_to(place, (*count.shape[:-1], moved.shape[-1])), axis=-2)
        for place in ((count - 1) // 2, count // 2)
    )
    return ((low + high) / 2)[..., 0, :]


def _sizes(points: np.ndarray) -> np.ndarray:
    """`(...,)` body sizes of poses `(..., joints, dims)`; NaN without a valid joint."""
    if points.shape[-2] == 1:
        return np.where(np.isfinite(points[..., 0, :]).all(axis=-1), 0.0, np.nan)
    low, high = bounds(points)
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.sqrt(((high - low) ** 2).sum(axis=-1))
    return np.where(np.isfinite(low).all(axis=-1), size, np.nan)


def _reach(frames: Sequence[np.ndarray]) -> float:
    """The diagonal of the space in which the detections lie; 1 where they lie at one place."""
    points = np.concatenate([*frames]).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        reach = float(_sizes(points.reshape(1, -1, points.shape[-1]))[0])
    return reach if 0 < reach < np.inf else 1.0


def track_people(frames: Sequence[np.ndarray], *, max_gap: int = 30) -> list[np.ndarray]:
    """The person number of each detection in each frame.

    Args:
        frames: per frame `(num_detections, num_joints, num_dims)`; NaN where a joint is missing.
        max_gap: a person missing for more frames is gone; later detections start a new person.

    Returns:
        per frame `(num_detections,)` int; people are numbered 0, 1, 2, ... in order of appearance. A detection without
        valid joints is -1.
    """
    numbers = [np.full(len(detections), -1) for detections in frames]
    if not len(frames):
        return numbers
    people, count = _People(*np.shape(frames[0])[1:]), 0
    floor = _WIDE * _reach(frames) if np.shape(frames[0])[1] == 1 else 0.0  # one joint has no size of its own
    frame, run = 0, _FIRST_RUN
    while frame < len(frames):
        _forget(people, frame, max_gap)
        length = _alone(people, frames, frame, run)
        if length:  # most recordings show one person most of the time
            for each in numbers[frame : frame + length]:
                each[:] = people.index
            run = min(2 * run, _LONGEST_RUN) if length == run else _FIRST_RUN
            frame += length
            continue
        numbers[frame], count = _followed(people, np.asarray(frames[frame], dtype=np.float64), frame, count, floor)
        frame += 1
    return numbers


class PeopleTracker:
    """The person numbers of one frame after the other, equal to `track_people` of all frames; memory is flat.

    Args:
        max_gap: a person missing for more frames is gone.
    """

    def __init__(self, *, max_gap: int = 30) -> None:
        self.max_gap = max_gap
        self._people: _People | None = None
        self._count, self._last = 0, -1

    def __call__(self, detections: np.ndarray, frame: int | None = None) -> np.ndarray:
        """`(num_detections,)` int of detections `(num_detections, num_joints, num_dims)`; -1 without valid joints.

        Args:
            frame: the number of the frame, where some were left out; the next by default.

        Raises:
            ValueError: a frame that is not after the last.
        """
        number = self._last + 1 if frame is None else frame
        if number <= self._last:
            raise ValueError(f"Frames must be given in order: expected a number above {self._last}, got {number}.")
        detections, self._last = np.asarray(detections, dtype=np.float64), number
        if self._people is None:
            self._people = _People(*detections.shape[1:])
        _forget(self._people, number, self.max_gap)
        numbers, self._count = _followed(self._people, detections, number, self._count)
        return numbers


def _forget(people: _People, frame: int, max_gap: int) -> None:
    """Drops who has been missing for too long."""
    here = frame - people.frame <= max_gap + 1
    here &= (people.size > 0) | (people.frame == frame - 1)  # a body that shows one joint has no size
    if not here.all():
        people.keep(np.flatnonzero(here))
    if len(people) > _MOST_REMEMBERED:
        people.keep(np.sort(np.argsort(people.frame, kind="stable")[-_MOST_REMEMBERED:]))


def _followed(
    people: _People, detections: np.ndarray, frame: int, count: int, floor: float = 0.0
) -> tuple[np.ndarray, int]:
    """The numbers of the detections of one frame, and how many people there have been."""
    numbers = np.full(len(detections), -1)
    seen = np.flatnonzero(~np.isnan(detections).any(axis=-1).all(axis=-1))
    rows, found = _assigned(people, detections[seen], frame)
    if len(rows):
        people.see(rows, frame, detections[seen[found]])
        numbers[seen[found]] = people.index[rows]
    if len(found) < len(seen):
        new = np.delete(seen, found)
        numbers[new] = np.arange(count, count + len(new))
        people.add(numbers[new], frame, detections[new], floor)
        count += len(new)
    return numbers, count


def _alone(people: _People, frames: Sequence[np.ndarray], frame: int, most: int) -> int:
    """In how many frames from `frame` on a single person is the only detection; `people` is then as after them.

    The same numbers as frame by frame, for all frames at once.
    """
    if len(people) != 1 or people.frame[0] != frame - 1 or people.frames[0, 0] < 0:
        return 0
    run = list(itertools.takewhile(lambda detections: len(detections) == 1, frames[frame : frame + most]))
    if not run:
        return 0
    points = np.concatenate([people.points[0], np.concatenate(run).astype(np.float64)])
    steps = points[VELOCITY_FRAMES - 1 :] - points[: len(points) - VELOCITY_FRAMES + 1]
    # The first is the velocity after the frame before the run, then after each frame of it.
    ages = np.full(len(steps), VELOCITY_FRAMES - 1)
    times = np.concatenate([people.frames[0], np.arange(frame, frame + len(run))])
    ages = times[VELOCITY_FRAMES - 1 :] - times[: len(times) - VELOCITY_FRAMES + 1]
    velocities = _medians(steps) / ages[:, None]
    velocities[0] = people.velocity[0]
    travelled = np.cumsum(velocities, axis=0)  # since the frame before the run
    observed = points[VELOCITY_FRAMES:]
    valid = ~np.isnan(observed).any(axis=-1)
    # Each joint where it was last seen, moved along with the body since.
    anchors = np.concatenate([people.last, observed])
    marks = np.where(np.concatenate([np.ones((1, valid.shape[1]), bool), valid]), np.arange(len(anchors))[:, None], 0)
    newest = np.maximum.accumulate(marks, axis=0)
    shifts = np.concatenate([np.zeros((1, travelled.shape[1])), travelled[:-1]])
    joints = np.arange(valid.shape[1])
    last = anchors[newest, joints] + shifts[:, None] - shifts[newest]
    predicted = last[:-1] + velocities[:-1, None]
    sizes, size = [], float(people.size[0])
    for now in _sizes(observed).tolist():
        sizes.append(size)
        size = max(0.9 * size, now, float(people.floor[0]))
    likeness = _likeness_of(((predicted - observed) ** 2).sum(axis=-1), np.array(sizes)[:, None] * TOLERANCE)
    good = (likeness >= MIN_LIKENESS) & valid.any(axis=-1) & ~np.isnan(velocities[1:]).any(axis=-1)
    length = len(run) if good.all() else int(np.argmin(good))
    if length:
        people.last = last[length : length + 1]
        people.velocity = velocities[length : length + 1]
        people.frame[:] = frame + length - 1
        people.size[:] = size if length == len(run) else sizes[length]
        people.points = points[None, length : length + VELOCITY_FRAMES]
        people.frames = times[None, length : length + VELOCITY_FRAMES]
    return length


def _assigned(people: _People, detections: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `people` and of `detections` (with a valid joint each) with the greatest total likeness."""
    if not len(people) or not len(detections):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    crowd = len(people) * len(detections) > _FEW_PAIRS
    likeness = _likeness_in_a_crowd(people, detections, frame) if crowd else _likeness(people, detections, frame)
    if (each_best := _best_of_each(likeness)) is not None:
        rows, columns = each_best
        alike = likeness[rows, columns] >= MIN_LIKENESS
        return rows[alike], columns[alike]
    near = likeness > _NOTHING
    some, seen = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))  # the others are slow, and nobody
    places = _greatest_total(likeness[np.ix_(some, seen)])
    rows, columns = some[places[0]], seen[places[1]]
    alike = likeness[rows, columns] >= MIN_LIKENESS
    return rows[alike], columns[alike]


def _best_of_each(likeness: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows (ascending) and columns where each of the fewer ones has a best of its own, as no total is greater then."""
    people, detections = likeness.shape
    best = likeness.argmax(axis=int(people < detections))
    if len({*best.tolist()}) < len(best):
        return None
    if people < detections:
        return np.arange(people), best
    columns = np.argsort(best)
    return best[columns], columns


def _likeness(people: _People, detections: np.ndarray, frame: int) -> np.ndarray:
    """`(people, detections)` in 0..1: the mean over the common joints of a Gaussian of their distance."""
    predicted, size = people.predicted(frame), _tolerances(people, frame)
    at_once = max(1, _MOST_AT_ONCE // detections.size)  # to save memory in a crowd
    parts = [
        _likeness_of(
            ((predicted[first : first + at_once, None] - detections) ** 2).sum(axis=-1),
            size[first : first + at_once, None, None],
        )
        for first in range(0, len(people), at_once)
    ]
    return np.concatenate(parts)


def _likeness_in_a_crowd(people: _People, detections: np.ndarray, frame: int) -> np.ndarray:
    """As `_likeness`, 0 without a computation for those whose boxes are too far apart to be one person."""
    predicted, size = people.predicted(frame), _tolerances(people, frame)
    # A mean of Gaussians reaches MIN_LIKENESS only if one of them does.
    reach = size * np.sqrt(-2 * np.log(MIN_LIKENESS))
    (low, high), (first, last) = bounds(predicted), bounds(detections)
    apart = np.zeros((len(people), len(detections)), bool)
    for axis in range(detections.shape[-1]):
        apart |= (low[:, axis] - reach)[:, None] > last[:, axis]
        apart |= (high[:, axis] + reach)[:, None] < first[:, axis]
    rows, columns = np.nonzero(~apart)
    likeness = np.zeros((len(people), len(detections)))
    at_once = max(1, _MOST_AT_ONCE // max(detections[0].size, 1))
    for start in range(0, len(rows), at_once):
        some, others = rows[start : start + at_once], columns[start : start + at_once]
        squared = ((predicted[some] - detections[others]) ** 2).sum(axis=-1)
        likeness[some, others] = _likeness_of(squared, size[some, None])
    return likeness


def _tolerances(people: _People, frame: int) -> np.ndarray:
    """`(people,)` standard deviations of the prediction error at `frame`."""
    return people.size * TOLERANCE * (1 + TOLERANCE_GROWTH * (frame - people.frame - 1))


def _likeness_of(squared: np.ndarray, size: np.ndarray) -> np.ndarray:
    """`(...)`: the mean over the joints of a Gaussian of squared distances `(..., joints)`, NaN where missing."""
    if squared.shape[-1] == 1:
        alone = np.exp(squared[..., 0] / (-2 * np.maximum(size[..., 0], 1e-9) ** 2))
        return np.where(np.isnan(alone), 0, alone)
    common = ~np.isnan(squared)
    gauss = np.where(common, np.exp(-np.where(common, squared, 0) / (2 * np.maximum(size, 1e-9) ** 2)), 0)
    return gauss.sum(axis=-1) / np.maximum(common.sum(axis=-1), 1)


def stack_people(
    frames: Sequence[np.ndarray], numbers: Sequence[np.ndarray], fill: float = np.nan
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Detections with their person numbers as one array; `fill` where a person is absent.

    Args:
        frames: per frame `(num_detections, ...)`.
        numbers: per frame `(num_detections,)`, as of `track_people`; negative numbers are left out.

    Returns:
        `(people, frames, ...)` and the person number of each row, in order of appearance.
    """
    owners = np.concatenate([np.asarray(row, np.int64) for row in numbers]) if len(numbers) else np.zeros(0, np.int64)
    track_ids = tuple(dict.fromkeys(owners[owners >= 0].tolist()))
    shape = np.shape(frames[0])[1:] if len(frames) else ()
    values = np.full((len(track_ids), len(frames), *shape), fill, dtype=np.float32)
    if track_ids:
        rows = {number: row for row, number in enumerate(track_ids)}
        times = np.repeat(np.arange(len(frames)), [len(row) for row in numbers])[owners >= 0]
        detections = np.concatenate(frames)[owners >= 0]
        values[[rows[number] for number in owners[owners >= 0].tolist()], times] = detections
    return values, track_ids


def _greatest_total(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pairs with the greatest sum; of one row or column without SciPy, as on small machines.

    Raises:
        ImportError: SciPy is not installed.
    """
    if min(table.shape) < 2:
        best = np.unravel_index(table.argmax(), table.shape) if table.size else ((), ())
        return np.array(best[0], np.int64).reshape(-1), np.array(best[1], np.int64).reshape(-1)
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise ImportError("Following several people needs SciPy; run: pip install scipy") from error
    rows, columns = linear_sum_assignment(table, maximize=True)
    return rows, columns
