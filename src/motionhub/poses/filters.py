"""Classical refinement of one motion: outliers, left/right swaps, gaps, jitter; every function returns a new sequence.

Times are seconds and lengths shares of the body's size, so the defaults fit any unit and frame rate.
"""

import numpy as np

from motionhub.skeletons import repair
from motionhub.skeletons.findings import runs
from motionhub.skeletons.measures import body_size, coordinate_noise
from motionhub.skeletons.motion_checks import swapped_sides
from motionhub.skeletons.sequence import SkeletonSequence


NORMAL_MEDIAN = 0.6745  # median of |x| of a standard normal variable
_MOST_PASSES, _LESS_NOISE = 30, 0.9
NOISE_FLOOR = 0.002  # of the body's size, about 4 mm: smoothing less costs more motion than it takes noise away


def reject_outliers(
    sequence: SkeletonSequence,
    seconds: float = 0.5,
    deviations: float = 4.0,
    min_distance: float = 0.05,
    max_acceleration: float = 150.0,
    max_stretch: float = 1.3,
) -> SkeletonSequence:
    """Hides joints that are far from their running median and where no body can be.

    Hampel's filter, on the distance, finds candidates: outliers and fast motion. A candidate is hidden if the joint
    comes and leaves faster than a limb accelerates, or stretches a bone.

    Args:
        seconds: length of the window around each frame; outliers in less than half of it are found, if the joint is
            detected before and after them.
        deviations: threshold in robust standard deviations, from the median distance to the median ...
        min_distance: ... and at least this share of the body's size.
        max_acceleration: of a joint, in body sizes per second squared; 150 is about 280 m/s2 of an adult, and a foot
            that kicks a ball or a hand that throws one reaches half of that.
        max_stretch: length of a bone over its usual length, of which in 2-D the longer views count.

    Raises:
        ValueError: an argument is not positive.
    """
    limits = {"max_acceleration": max_acceleration, "max_stretch": max_stretch}
    _check_positive(seconds=seconds, deviations=deviations, min_distance=min_distance, **limits)
    half = max(1, round(seconds * sequence.fps / 2))
    points, size = sequence.keypoints.astype(np.float64), body_size(sequence)
    far = np.linalg.norm(points - _running_median(points, half), axis=-1)
    spread = _running_median(far[..., None], half)[..., 0] / NORMAL_MEDIAN
    with np.errstate(invalid="ignore"):
        candidates = far > np.maximum(deviations * spread, min_distance * size)
    stretched = candidates & _stretched(sequence, max_stretch)
    return repair.hide(sequence, stretched | _jumps(points, candidates, max_acceleration * size / sequence.fps**2))


def _jumps(points: np.ndarray, candidates: np.ndarray, most: float) -> np.ndarray:
    """The candidates `(people, frames, joints)` in runs that a joint jumps to and back from.

    It enters and leaves by a change of step over `most`, in opposite directions: fast motion goes on. At a gap, or an
    end of the clip, a run has one side.
    """
    found = np.zeros_like(candidates)
    for person, joint in np.argwhere(candidates.any(axis=1)):
        track = points[person, :, joint]
        steps = np.diff(track, axis=0)
        change = np.full(len(track), np.nan)
        change[1:-1] = np.linalg.norm(np.diff(steps, axis=0), axis=-1)
        for first, end in runs(candidates[person, :, joint]):
            # A jump into the run shows in the change at its first frame or the one before it; out of it likewise.
            sides = [change[max(first - 1, 0) : first + 1], change[end - 1 : end + 1]]
            known = [side[~np.isnan(side)].max() for side in sides if not np.isnan(side).all()]
            goes_on = first > 0 and end < len(track) and float(steps[first - 1] @ steps[end - 1]) > 0
            found[person, first:end, joint] = bool(known) and min(known) > most and not goes_on
    return found


def _stretched(sequence: SkeletonSequence, most: float) -> np.ndarray:
    """`(people, frames, joints)`: at an end of a bone that is longer than `most` times its usual length."""
    bones = sequence.layout.bone_indices
    found = np.zeros(sequence.joint_mask.shape, bool)
    if not len(bones) or not found.size:
        return found
    ends = sequence.keypoints[:, :, bones].astype(np.float64)  # (people, frames, bones, 2, dims)
    lengths = np.linalg.norm(ends[..., 0, :] - ends[..., 1, :], axis=-1)
    usual = np.full((len(lengths), 1, len(bones)), np.inf)
    for person, row in zip(usual, lengths, strict=True):
        valid = ~np.isnan(row).all(axis=0)
        person[0, valid] = np.nanpercentile(row[:, valid], 50 if sequence.num_dims == 3 else 90, axis=0)
        if sequence.num_dims == 2:  # a limb that points at the camera is as long as the other
            person[0] = np.maximum(person[0], person[0, _other_side(sequence, bones)])
    with np.errstate(invalid="ignore"):
        long = (lengths > most * usual) & (usual > 0)
    for bone, pair in enumerate(bones):
        found[:, :, pair] |= long[:, :, bone, None]
    return found


def _other_side(sequence: SkeletonSequence, bones: np.ndarray) -> np.ndarray:
    """The number of the bone between the mirror images of each bone's joints; its own without one."""
    number = {tuple(pair): index for index, pair in enumerate(bones.tolist())}
    mirrored = sequence.layout.mirror[bones].tolist()
    return np.array([number.get(tuple(pair), index) for index, pair in enumerate(mirrored)])


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


def smooth_savitzky_golay(
    sequence: SkeletonSequence, seconds: float = 0.3, order: int = 2, noise: float | None = 3.0
) -> SkeletonSequence:
    """Least-squares polynomials over a sliding window (scipy's `savgol_filter`): motion of that order is unchanged.

    Missing joints stay missing. The window shrinks to the length of shorter runs.

    Args:
        seconds: length of the window, at least `order + 1` frames.
        order: of the polynomial.
        noise: largest change of a coordinate, in standard deviations of its own noise
            (`skeletons.measures.coordinate_noise`) above `NOISE_FLOOR`: quick motion keeps its peaks, and a clean
            recording, or one that is smooth already, stays as it is. None: no limit.

    Raises:
        ValueError: `seconds` or `noise` is not positive, or `order` is negative.
    """
    _check_positive(seconds=seconds, **({} if noise is None else {"noise": noise}))
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise ValueError(f"order must be a whole number, 0 or more, got {order!r}.")
    window = max(round(seconds * sequence.fps), order + 1)
    if noise is None:
        return _smoothed(sequence, window, order)
    level, floor = coordinate_noise(sequence), NOISE_FLOOR * body_size(sequence)
    for _ in range(_MOST_PASSES):  # until the noise is taken away, so that a second call changes nothing
        most = noise * np.maximum(np.nan_to_num(level) - floor, 0)
        if not most.any():
            break
        change = _smoothed(sequence, window, order).keypoints.astype(np.float64) - sequence.keypoints
        change = np.clip(change, -most, most)
        left = coordinate_noise(sequence.replace(keypoints=sequence.keypoints + change))
        # What stays as rough is motion.
        helped = np.nan_to_num(left) < _LESS_NOISE * np.nan_to_num(level)
        if not helped.any():
            break
        sequence = sequence.replace(keypoints=sequence.keypoints + change * helped)
        level = left if helped.all() else coordinate_noise(sequence)
    return sequence


def _smoothed(sequence: SkeletonSequence, window: int, order: int) -> SkeletonSequence:
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
