"""Classical refinement of one motion: outliers, left/right swaps, gaps, jitter; every function returns a new sequence.

Times are seconds and lengths shares of the body's size, so the defaults fit any unit and frame rate.
"""

import numpy as np

from motionhub.skeletons import repair
from motionhub.skeletons.checks import runs, swapped_sides
from motionhub.skeletons.measures import body_size
from motionhub.skeletons.sequence import SkeletonSequence


NORMAL_MEDIAN = 0.6745  # median of |x| of a standard normal variable


def reject_outliers(
    sequence: SkeletonSequence, seconds: float = 0.5, deviations: float = 4.0, min_distance: float = 0.05
) -> SkeletonSequence:
    """Hides joints far from their running median (Hampel's filter, on the distance).

    Args:
        seconds: length of the window around each frame; outliers in less than half of it are found, if the joint is
            detected before and after them.
        deviations: threshold in robust standard deviations, from the median distance to the median ...
        min_distance: ... and at least this share of the body's size.

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

    A frame counts only with its mirror frame in the window: a one-sided median would lag behind a walking body.
    """
    medians = np.empty_like(values)
    padded = np.pad(values, [(0, 0), (half, half), (0, 0), (0, 0)], constant_values=np.nan)
    for joint in range(values.shape[2] if values.size else 0):  # one by one to save memory; nanmedian is slower
        windows = np.lib.stride_tricks.sliding_window_view(padded[:, :, joint], 2 * half + 1, axis=1)
        windows = np.sort(np.where(np.isnan(windows[..., ::-1]), np.nan, windows), axis=-1)  # NaN goes to the end
        valid = (~np.isnan(windows)).sum(axis=-1, keepdims=True)
        lower = np.take_along_axis(windows, np.maximum(valid - 1, 0) // 2, axis=-1)
        upper = np.take_along_axis(windows, np.minimum(valid // 2, 2 * half), axis=-1)
        medians[:, :, joint] = ((lower + upper) / 2)[..., 0]
    return medians


def repair_swaps(sequence: SkeletonSequence) -> SkeletonSequence:
    """Swaps left and right back in the frames that `swapped_sides` finds."""
    for finding in list(swapped_sides(sequence)):
        sequence = finding.apply(sequence)
    return sequence


def fill_gaps(sequence: SkeletonSequence, max_seconds: float = 0.5) -> SkeletonSequence:
    """Fills gaps up to this length by linear interpolation. Raises ValueError unless `max_seconds` is positive."""
    _check_positive(max_seconds=max_seconds)
    return repair.bridge_gaps(sequence, max_frames=round(max_seconds * sequence.fps))


def smooth_savitzky_golay(sequence: SkeletonSequence, seconds: float = 0.3, order: int = 2) -> SkeletonSequence:
    """Least-squares polynomials over a sliding window (scipy's `savgol_filter`): motion of that order is unchanged.

    Missing joints stay missing. The window shrinks to the length of shorter runs.

    Args:
        seconds: length of the window, at least `order + 1` frames.
        order: of the polynomial.

    Raises:
        ValueError: `seconds` is not positive, or `order` is negative.
    """
    _check_positive(seconds=seconds)
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise ValueError(f"order must be a whole number, 0 or more, got {order!r}.")
    window = max(round(seconds * sequence.fps), order + 1)
    keypoints, valid = sequence.keypoints.astype(np.float64), sequence.joint_mask
    complete = valid.all(axis=1)  # (people, joints): one call for all without gaps
    people, joints = np.nonzero(complete)
    if len(people):
        keypoints[people, :, joints] = _polynomials(keypoints[people, :, joints], window, order)
    for person, joint in np.argwhere(~complete):
        for first, end in runs(valid[person, :, joint]):
            run = keypoints[None, person, first:end, joint]
            keypoints[person, first:end, joint] = _polynomials(run, window, order)[0]
    return sequence.replace(keypoints=keypoints)


def _polynomials(tracks: np.ndarray, window: int, order: int) -> np.ndarray:
    """`(tracks, frames, dims)` smoothed; unchanged where a polynomial goes through every point."""
    from scipy.signal import savgol_filter

    frames = tracks.shape[1]
    window = min(window + 1 - window % 2, frames - 1 + frames % 2)  # odd
    if window <= order:
        return tracks
    return np.asarray(savgol_filter(tracks, window, order, axis=1, mode="interp"))


def smooth_one_euro(
    sequence: SkeletonSequence, min_cutoff: float = 1.0, speed_cutoff: float = 10.0, derivative_cutoff: float = 1.0
) -> SkeletonSequence:
    """The One-Euro filter (Casiez et al., CHI 2012): causal, strong on joints at rest, weak on moving ones.

    The speed is the joint's, in body sizes, not each coordinate's as in the paper, so the result does not depend on
    the axes. Missing joints stay missing; the time step is the time since the last detection.

    Args:
        min_cutoff: hertz, of a joint at rest.
        speed_cutoff: hertz added by a speed of one body size per second (the paper's beta).
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
    smooth = one_euro(points, sequence.fps, min_cutoff, beta, derivative_cutoff)
    return sequence.replace(keypoints=smooth.swapaxes(0, 1))


def one_euro(
    points: np.ndarray, fps: float, min_cutoff: float = 1.0, beta: float = 0.0, derivative_cutoff: float = 1.0
) -> np.ndarray:
    """The recursion on `(frames, ..., dims)` in any unit; NaN is missing. `beta`: hertz per unit per second."""
    filtered = np.full(points.shape, np.nan)
    last = np.full(points.shape[1:], np.nan)  # as measured
    smooth, velocity = last.copy(), np.zeros(points.shape[1:])
    step = np.full((*points.shape[1:-1], 1), np.inf)  # seconds since the last detection
    for frame, now in enumerate(points):
        step += 1 / fps
        valid = ~np.isnan(now).any(axis=-1, keepdims=True)
        new = np.isnan(last).any(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore", over="ignore"):
            change = np.where(new, 0, (now - last) / step)
            moved = velocity + _weight(derivative_cutoff, step) * (change - velocity)
            moved = np.where(new, 0, moved)
            cutoff = min_cutoff + beta * np.linalg.norm(moved, axis=-1, keepdims=True)
            estimate = np.where(new, now, smooth + _weight(cutoff, step) * (now - smooth))
        velocity, smooth = np.where(valid, moved, velocity), np.where(valid, estimate, smooth)
        last, step = np.where(valid, now, last), np.where(valid, 0, step)
        filtered[frame] = np.where(valid, estimate, np.nan)
    return filtered


def _weight(cutoff: np.ndarray | float, step: np.ndarray) -> np.ndarray:
    """Weight of a new value in exponential smoothing with this cutoff (hertz) after `step` seconds."""
    turn = 2 * np.pi * cutoff * step
    return np.asarray(np.where(np.isinf(turn), 1.0, turn / (1 + turn)))


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be a positive number, got {value!r}.")
