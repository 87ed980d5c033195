"""Classical refinement of one motion: outliers, left/right swaps, gaps, jitter; every function returns a new sequence.

Lengths in time are seconds, lengths in space shares of the body's size: the same numbers fit pixels, metres and any
frame rate.
"""

import numpy as np

from motionhub.skeletons import repair
from motionhub.skeletons.checks import runs, swapped_sides
from motionhub.skeletons.measures import body_size
from motionhub.skeletons.sequence import SkeletonSequence


# The median of the absolute value of a normal variable is 0.6745 of its standard deviation.
NORMAL_MEDIAN = 0.6745


def reject_outliers(
    sequence: SkeletonSequence, seconds: float = 0.5, deviations: float = 4.0, min_distance: float = 0.05
) -> SkeletonSequence:
    """Joints far off their median over time become missing (Hampel's filter, on the distance).

    Args:
        seconds: length of the window around each frame; outliers in less than half of it are found, if the joint is
            seen before and after them.
        deviations: how many robust standard deviations (from the median distance to the median) are too far ...
        min_distance: ... if it is at least this share of the body's size.

    Raises:
        ValueError: an argument is not positive.
    """
    _check_positive(seconds=seconds, deviations=deviations, min_distance=min_distance)
    half = max(1, round(seconds * sequence.fps / 2))
    points = sequence.keypoints.astype(np.float64)
    far = np.linalg.norm(points - _running_median(points, half), axis=-1)
    spread = _running_median(far[..., None], half)[..., 0] / NORMAL_MEDIAN
    with np.errstate(invalid="ignore"):
        return repair.hide(sequence, far > np.maximum(deviations * spread, min_distance * body_size(sequence)))


def _running_median(values: np.ndarray, half: int) -> np.ndarray:
    """Along axis 1 over `2 half + 1` frames; `(people, frames, joints, numbers)`, NaN missing.

    A frame counts if the one as far on the other side is there too: the median of one side alone would lag behind a
    body that walks.
    """
    medians = np.empty_like(values)
    padded = np.pad(values, [(0, 0), (half, half), (0, 0), (0, 0)], constant_values=np.nan)
    for joint in range(values.shape[2] if values.size else 0):  # all at once would need many times the memory
        windows = np.lib.stride_tricks.sliding_window_view(padded[:, :, joint], 2 * half + 1, axis=1)
        windows = np.sort(np.where(np.isnan(windows[..., ::-1]), np.nan, windows), axis=-1)  # NaN goes to the end
        seen = (~np.isnan(windows)).sum(axis=-1, keepdims=True)
        lower = np.take_along_axis(windows, np.maximum(seen - 1, 0) // 2, axis=-1)
        upper = np.take_along_axis(windows, np.minimum(seen // 2, 2 * half), axis=-1)
        medians[:, :, joint] = ((lower + upper) / 2)[..., 0]
    return medians


def repair_swaps(sequence: SkeletonSequence) -> SkeletonSequence:
    """Left and right put back in the frames in which `swapped_sides` finds them swapped."""
    for finding in list(swapped_sides(sequence)):
        sequence = finding.apply(sequence)
    return sequence


def fill_gaps(sequence: SkeletonSequence, max_seconds: float = 0.5) -> SkeletonSequence:
    """Joints missing for no longer than this, between two frames in which they were seen, on the line between them.

    Raises:
        ValueError: `max_seconds` is not positive.
    """
    _check_positive(max_seconds=max_seconds)
    return repair.bridge_gaps(sequence, max_frames=round(max_seconds * sequence.fps))


def smooth_savitzky_golay(sequence: SkeletonSequence, seconds: float = 0.3, order: int = 2) -> SkeletonSequence:
    """Least-squares polynomials over a sliding window (scipy's `savgol_filter`): motion of that order is unchanged.

    Missing joints stay missing. A stretch that is shorter than the window has one as long as itself.

    Args:
        seconds: length of the window, at least `order + 1` frames.
        order: of the polynomial.

    Raises:
        ValueError: `seconds` is not positive, or `order` is negative.
    """
    _check_positive(seconds=seconds)
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise ValueError(f"order must be a whole number, 0 or more, got {order!r}.")
    window = _odd(max(round(seconds * sequence.fps), order + 1))
    keypoints, seen = sequence.keypoints.astype(np.float64), sequence.joint_mask
    always = seen.all(axis=1)  # (people, joints): one call for all that have no gap
    people, joints = np.nonzero(always)
    if len(people):
        keypoints[people, :, joints] = _polynomials(keypoints[people, :, joints], window, order)
    for person, joint in np.argwhere(~always):
        for first, end in runs(seen[person, :, joint]):
            stretch = keypoints[None, person, first:end, joint]
            keypoints[person, first:end, joint] = _polynomials(stretch, window, order)[0]
    return sequence.replace(keypoints=keypoints)


def _odd(frames: int) -> int:
    return frames + 1 - frames % 2


def _polynomials(tracks: np.ndarray, window: int, order: int) -> np.ndarray:
    """`(tracks, frames, dims)`; as they are where a polynomial goes through every point."""
    from scipy.signal import savgol_filter

    frames = tracks.shape[1]
    window = min(window, frames - 1 + frames % 2)
    if window <= order:
        return tracks
    return np.asarray(savgol_filter(tracks, window, order, axis=1, mode="interp"))


def smooth_one_euro(
    sequence: SkeletonSequence, min_cutoff: float = 1.0, speed_cutoff: float = 10.0, derivative_cutoff: float = 1.0
) -> SkeletonSequence:
    """The One-Euro filter (Casiez et al., CHI 2012): strong on what stands still, weak on what moves; only looks back.

    The speed is that of the joint, in body sizes, and not of each coordinate as in the paper, so the result does not
    depend on the axes. Missing joints stay missing; the step is the time since the joint was last seen.

    Args:
        min_cutoff: hertz, of a joint that stands still.
        speed_cutoff: hertz that a speed of one body size per second adds (the paper's beta).
        derivative_cutoff: hertz, of the speed itself.

    Raises:
        ValueError: a cutoff is not positive (`speed_cutoff` may be 0).
    """
    _check_positive(min_cutoff=min_cutoff, derivative_cutoff=derivative_cutoff)
    if not 0 <= speed_cutoff < np.inf:
        raise ValueError(f"speed_cutoff must be 0 or more, got {speed_cutoff!r}.")
    size = body_size(sequence)
    beta = speed_cutoff / size if size else 0.0
    points = sequence.keypoints.astype(np.float64).swapaxes(0, 1)  # time first
    return sequence.replace(
        keypoints=one_euro(points, sequence.fps, min_cutoff, beta, derivative_cutoff).swapaxes(0, 1)
    )


def one_euro(
    points: np.ndarray, fps: float, min_cutoff: float = 1.0, beta: float = 0.0, derivative_cutoff: float = 1.0
) -> np.ndarray:
    """The recursion itself, on `(frames, ..., dims)` in any unit; NaN is missing. `beta`: hertz per unit a second."""
    filtered = np.full(points.shape, np.nan)
    last = np.full(points.shape[1:], np.nan)  # as measured
    smooth, velocity = last.copy(), np.zeros(points.shape[1:])
    step = np.full((*points.shape[1:-1], 1), np.inf)  # seconds since the joint was seen
    for frame, now in enumerate(points):
        step += 1 / fps
        seen = ~np.isnan(now).any(axis=-1, keepdims=True)
        new = np.isnan(last).any(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore", over="ignore"):
            change = np.where(new, 0, (now - last) / step)
            moved = velocity + _weight(derivative_cutoff, step) * (change - velocity)
            moved = np.where(new, 0, moved)
            cutoff = min_cutoff + beta * np.linalg.norm(moved, axis=-1, keepdims=True)
            estimate = np.where(new, now, smooth + _weight(cutoff, step) * (now - smooth))
        velocity, smooth = np.where(seen, moved, velocity), np.where(seen, estimate, smooth)
        last, step = np.where(seen, now, last), np.where(seen, 0, step)
        filtered[frame] = np.where(seen, estimate, np.nan)
    return filtered


def _weight(cutoff: np.ndarray | float, step: np.ndarray) -> np.ndarray:
    """Of a new value in exponential smoothing with this cutoff (hertz) after `step` seconds."""
    turn = 2 * np.pi * cutoff * step
    return np.asarray(np.where(np.isinf(turn), 1.0, turn / (1 + turn)))


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be a positive number, got {value!r}.")
