"""The last seconds of one person of a stream, in a ring of fixed size."""

import numpy as np

from motionhub.geometry.boxes import bounds


STILL = 0.08  # of the body's diagonal: a person whose median joint has moved less keeps still
JUMP, JUMP_GROWTH = 0.4, 0.2  # body diagonals from one frame to the next, and for each further frame


class Track:
    """Places of a person's joints by frame slot, and from which second on the person is seen, and still.

    Args:
        number: unlike any other person's of the stream.
        person: the id that events report.
        slot, second: of the first frame.
        shape: joints and dims.
        length: frames that are kept.
    """

    def __init__(
        self, number: int, person: int, slot: int, second: float, shape: tuple[int, int], length: int
    ) -> None:
        self.number, self.person = number, person
        self.first = self.last = self.still_since = second
        self.first_slot = self.last_slot = slot
        self._points = np.full((length, *shape), np.nan, np.float32)
        self._slots = np.full(length, -1, np.int64)
        self._rest: np.ndarray | None = None

    def see(self, slot: int, second: float, points: np.ndarray) -> None:
        """The person is at `points (joints, dims)`."""
        place = slot % len(self._slots)
        self._points[place], self._slots[place] = points, slot
        self.last, self.last_slot = second, slot
        if self._rest is None or not _median_move(self._rest, points) < STILL * _size(self._rest):
            self._rest, self.still_since = np.array(points), second

    def jumps_to(self, points: np.ndarray, slots: int) -> bool:
        """Whether no person moves from the last place to `points` in so many frames."""
        place = self.last_slot % len(self._slots)
        size = max(_size(self._points[place]), _size(points))
        return bool(_median_move(self._points[place], points) > size * (JUMP + JUMP_GROWTH * (slots - 1)))

    def window(self, slot: int, received: np.ndarray) -> tuple[np.ndarray, float]:
        """`(frames, joints, dims)` up to `slot`, from the first frame of the person on, and the coverage.

        The coverage is the share of joints that are detected, over the frames of the stream that arrived. Frames that
        did not arrive are interpolated between those that did.

        Args:
            received: `(frames,)` bool: whether the frame of each slot arrived, the last is `slot`.
        """
        length = min(len(self._slots), slot - self.first_slot + 1)
        wanted = np.arange(slot - length + 1, slot + 1)
        places = wanted % len(self._slots)
        own = np.atleast_1d(self._slots[places] == wanted)
        points = np.where(own[:, None, None], self._points[places], np.float32(np.nan))
        arrived = received[-length:] | own
        seen = np.asarray(~np.isnan(points).any(axis=-1))
        coverage = float(seen[arrived].mean()) if arrived.any() else 0.0
        return _filled(points, arrived), coverage


def _filled(points: np.ndarray, arrived: np.ndarray) -> np.ndarray:
    """The frames that did not arrive, between the two nearest ones that did."""
    if arrived.all() or not arrived.any():
        return points
    known, missing = np.flatnonzero(arrived), np.flatnonzero(~arrived)
    after = np.searchsorted(known, missing).clip(1, max(len(known) - 1, 1))
    left, right = known[after - 1], known[np.minimum(after, len(known) - 1)]
    share = ((missing - left) / np.maximum(right - left, 1)).clip(0, 1)[:, None, None].astype(points.dtype)
    points[missing] = points[left] * (1 - share) + points[right] * share
    return points


def _size(points: np.ndarray) -> float:
    low, high = bounds(points)
    return float(np.linalg.norm(high - low)) if np.isfinite(low).all() else 0.0


def _median_move(before: np.ndarray, after: np.ndarray) -> float:
    """Median over the joints that both have; NaN without any."""
    moved = np.linalg.norm(after - before, axis=-1)
    moved = moved[np.isfinite(moved)]
    return float(np.median(moved)) if len(moved) else np.nan
