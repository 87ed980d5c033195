"""Counting repetitions of any movement, without training: principal motion, autocorrelation, similar strokes.

1. The pose relative to the hips, in body sizes, over time; gaps are interpolated.
2. Lags at which it repeats itself, by autocorrelation, may be the period.
3. For each, the direction of pose space that varies most at that period is the signal; its peaks are turns of strokes.
4. Strokes that move alike are repetitions, at least two; the shortest period that explains the motion well is taken.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import find_peaks

from motionhub.kinematics.angles import Body
from motionhub.kinematics.measurements import check_sequence
from motionhub.skeletons.measures import body_size
from motionhub.skeletons.sequence import SkeletonSequence


RATE = 15.0  # frames per second at which motions are compared
SHORTEST, LONGEST = 0.5, 15.0  # seconds of a repetition
LEAST_MOTION = 0.03  # of the body's size, root mean square over joints: less is standing still
NEARLY = 0.5  # lags that correlate this well, relative to the best, may be the period
_PERIODS = 4  # of which the shortest are tried
_CLEARLY = 0.7  # of the best one's quality is enough for a shorter period
PROMINENCE = 0.3  # of a stroke, relative to the typical one
SMOOTHING = 0.06  # standard deviation in periods
REPEATED = 0.6  # correlation of strokes, over poses and time, from which a movement is repeated ...
MOSTLY = 0.5  # ... if this share of all strokes reaches it
ALIKE = 0.3  # below it a stroke is another movement than those
SEEN = 0.5  # share of frames in which a joint, or a person in a stroke, must be detected
_POINTS = 24  # of a stroke, when strokes are compared
_COMPONENTS = 6  # of pose space, in which strokes are compared; the others are mostly noise
_TREND = 2.5  # periods; slower changes are no part of a repetition
_MATRIX = 1000  # samples: the matrix of an hour would not fit into memory
_LEVEL = 0.15  # of a stroke's height: where it starts and ends
Stroke = tuple[int, int, int]  # the samples at which it starts, turns and ends


@dataclass(frozen=True, eq=False)
class Repetitions:
    """The repetitions of one person.

    Args:
        track_id: of the person.
        kind: `"repetition"`, or `"stride"` where the legs alternate: a step of each.
        rows: `{"start_s", "turn_s", "end_s"}` of each, in seconds; `turn_s` is farthest from where it started.
        reason: why there are none; empty if there are.
        period_s: median time from turn to turn; NaN without repetitions.
        times: `(num_samples,)` seconds of `signal`.
        signal: `(num_samples,)` the principal motion, in body sizes; strokes go up.
        distances: between the poses of any two times, in body sizes per joint; of every n-th sample, so that it has at
            most 1,000 rows and columns.
    """

    track_id: int
    kind: str
    rows: tuple[dict[str, float], ...]
    reason: str = ""
    period_s: float = float("nan")
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    signal: np.ndarray = field(default_factory=lambda: np.zeros(0))
    distances: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def count(self) -> int:
        return len(self.rows)

    def intervals(self) -> list[dict[str, Any]]:
        """Rows for `motionhub.write_intervals`: labels `repetition 1`, `repetition 2`, ..."""
        return [
            {
                "track_id": self.track_id,
                "start_s": row["start_s"],
                "end_s": row["end_s"],
                "label": f"{self.kind} {number}",
                "score": 1.0,
            }
            for number, row in enumerate(self.rows, start=1)
        ]


def repetitions(sequence: SkeletonSequence) -> list[Repetitions]:
    """The repetitions of each person in a motion: squats, lifts, waves, strides.

    Works for any layout, unit and frame rate from about 8 fps, without training: a movement is counted because it
    comes back. Pauses between repetitions, slow drift and gaps are allowed; a movement made once is not counted, and
    of exercises in turns the one that dominates is.

    Args:
        sequence: one recording of one or more people.

    Returns:
        One `Repetitions` per person, with `reason` where there is none.

    Raises:
        ValueError: something else than a sequence.

    Examples:
        >>> import numpy as np
        >>> squat = motionhub.generate("squat", seed=0)
        >>> ten = squat.replace(keypoints=np.concatenate([squat.keypoints] * 10, axis=1))
        >>> [found] = motionhub.repetitions(ten)
        >>> found.count, found.kind
        (10, 'repetition')
    """
    check_sequence(sequence)
    return [_of_person(sequence.person(index)) for index in range(sequence.num_people)]


def _of_person(sequence: SkeletonSequence) -> Repetitions:
    assert sequence.track_ids is not None
    (track_id,) = sequence.track_ids
    poses, reason = _poses(sequence)
    if poses is None:
        return Repetitions(track_id, "repetition", (), reason)
    times = np.arange(len(poses.values)) / RATE
    found = [_counted(poses, period) for period in _periods(poses.values)]
    best = next(each for each in found if each.quality >= _CLEARLY * max(other.quality for other in found))
    signal, strokes, alike = best.signal, best.strokes, best.alike
    shown: dict[str, Any] = {"times": times, "signal": signal, "distances": _distances(poses.values)}
    if len(strokes) < 2:
        reason = "one movement that is not repeated" if strokes else "no movement that comes back"
        return Repetitions(track_id, "repetition", (), f"{reason}; repetitions need two", **shown)
    if len(alike) < 2:
        return Repetitions(track_id, "repetition", (), f"{len(strokes)} movements, too few of them alike", **shown)
    rows = tuple(
        {name: float(times[place]) for name, place in zip(("start_s", "turn_s", "end_s"), stroke, strict=True)}
        for stroke in alike
    )
    kind = "stride" if _legs_alternate(poses, alike) else "repetition"
    typical = float(np.median(np.diff([row["turn_s"] for row in rows])))
    return Repetitions(track_id, kind, rows, "", typical, **shown)


@dataclass(frozen=True, eq=False)
class _Counted:
    """The strokes of a signal, those that are alike, and how much of the motion they explain, 0 to 1."""

    signal: np.ndarray
    strokes: list[Stroke]
    alike: list[Stroke]
    quality: float


def _counted(poses: "_Poses", period: float) -> _Counted:
    signal = _principal_motion(poses.values, period)
    strokes = _strokes(signal, period)
    likeness = _likeness(poses.values, strokes)
    if len(strokes) < 2 or (likeness >= REPEATED).sum() < max(2, MOSTLY * len(strokes)):
        return _Counted(signal, strokes, [], 0.0)
    kept = [each for each, same in zip(strokes, likeness, strict=True) if same >= ALIKE]
    kept = [(start, turn, end) for start, turn, end in kept if poses.seen[start : end + 1].mean() >= SEEN]
    lengths = np.array([end - start for start, _, end in strokes])
    return _Counted(signal, strokes, kept, float((likeness.clip(0) * lengths).sum() / lengths.sum()))


@dataclass(frozen=True, eq=False)
class _Poses:
    """`values` `(samples, joints, dims)` relative to the hips in body sizes, whether anything was `seen` `(samples,)`,
    and the `joints`.
    """

    values: np.ndarray
    seen: np.ndarray
    joints: tuple[str, ...]


def _poses(sequence: SkeletonSequence) -> tuple[_Poses | None, str]:
    """Poses at `RATE`, or why there are none."""
    if sequence.duration < 2 * SHORTEST or sequence.num_frames < 8:
        return None, f"{sequence.duration:.1f} s are too short to hold two repetitions"
    size, body = body_size(sequence), Body(sequence)
    points = (body.points[0] - body.centre()[0, :, None]) / (size or 1.0)
    detected = np.isfinite(points).all(axis=-1)
    kept = detected.mean(axis=0) >= SEEN
    if not size or kept.sum() < 2:
        return None, "too few joints are detected"
    frames = np.arange(sequence.num_frames)
    filled = np.stack(
        [_filled(points[:, joint], detected[:, joint], frames) for joint in np.flatnonzero(kept)], axis=1
    )
    values = _resampled(filled, sequence.fps)
    moved = values - values.mean(axis=0)
    if np.sqrt((moved**2).sum(axis=-1).mean(axis=0)).max() < LEAST_MOTION:
        return None, "no joint moves by more than the noise"
    seen = _resampled(detected[:, kept].any(axis=1)[:, None, None].astype(float), sequence.fps)[:, 0, 0]
    return _Poses(values, seen, tuple(np.array(sequence.layout.joints)[kept])), ""


def _filled(points: np.ndarray, detected: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """`(frames, dims)` with straight lines across gaps."""
    return np.stack([np.interp(frames, frames[detected], column[detected]) for column in points.T], axis=-1)


def _resampled(values: np.ndarray, fps: float) -> np.ndarray:
    """`(frames, joints, dims)` at `RATE`, averaged over what lies between two samples."""
    if fps > RATE:
        values = gaussian_filter1d(values, 0.4 * fps / RATE, axis=0, mode="nearest")
    count = max(2, int(np.floor((len(values) - 1) * RATE / fps)) + 1)
    places = np.minimum(np.arange(count) * fps / RATE, len(values) - 1)
    low = np.minimum(places.astype(int), len(values) - 2)
    share = (places - low)[:, None, None]
    return np.asarray(values[low] * (1 - share) + values[low + 1] * share)


def _periods(values: np.ndarray) -> list[float]:
    """Samples; lags at which the motion repeats itself nearly as well as at the best lag, the shortest first."""
    flat = values.reshape(len(values), -1)
    longest = min(len(flat) // 2, round(LONGEST * RATE))
    flat = flat - uniform_filter1d(flat, 2 * longest + 1, axis=0, mode="nearest")
    spectrum = np.fft.rfft(flat - flat.mean(axis=0), 2 * len(flat), axis=0)
    power = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=1))[: longest + 1]
    correlation = power / max(power[0], 1e-12) * (len(flat) / (len(flat) - np.arange(longest + 1)))
    peaks, _ = find_peaks(correlation)
    peaks = peaks[peaks >= SHORTEST * RATE]
    if not len(peaks):
        return [longest / 2]
    best = correlation[peaks].max()
    lags = [float(lag) for lag in peaks[correlation[peaks] >= min(NEARLY * best, best)][:_PERIODS]]
    # Pauses between repetitions lengthen the lag.
    return [lags[0] / 2, *lags] if lags[0] >= 2 * SHORTEST * RATE else lags


def _principal_motion(values: np.ndarray, period: float) -> np.ndarray:
    """`(samples,)`: the projection on the direction that varies most at the period, smoothed, without slow drift.

    Its sign is such that strokes go up from where the motion begins, ends and rests.
    """
    flat = values.reshape(len(values), -1)
    smooth = gaussian_filter1d(flat, max(SMOOTHING * period, 0.5), axis=0, mode="nearest")
    smooth = smooth - uniform_filter1d(smooth, int(_TREND * period) | 1, axis=0, mode="nearest")
    direction = np.linalg.svd(smooth - smooth.mean(axis=0), full_matrices=False)[2][0]
    signal = smooth @ direction
    low, middle, high = np.percentile(signal, [5, 50, 95])
    ends = max(1, len(signal) // 50)
    rest = np.mean([signal[:ends].mean(), signal[-ends:].mean(), middle])
    return np.asarray(signal if rest <= (low + high) / 2 else -signal)


def _strokes(signal: np.ndarray, period: float) -> list[Stroke]:
    """(start, turn, end) of each: from where the signal leaves the valley before a peak to where it reaches the next.

    A peak counts if it is as prominent as `PROMINENCE` of the typical one.
    """
    distance = max(1, round(0.5 * period))
    peaks, found = find_peaks(signal, prominence=0.1 * np.ptp(signal), distance=distance)
    if not len(peaks):
        return []
    typical = np.percentile(found["prominences"], 75)
    turns = peaks[found["prominences"] >= PROMINENCE * typical]
    strokes = []
    for number, turn in enumerate(turns):
        before = turns[number - 1] if number else 0
        after = turns[number + 1] if number + 1 < len(turns) else len(signal) - 1
        strokes.append((_edge(signal, turn, before), int(turn), _edge(signal, turn, after)))
    return strokes


def _edge(signal: np.ndarray, turn: int, limit: int) -> int:
    """The sample nearest to the turn, towards `limit`, at which the signal is nearly at the lowest between them."""
    step = 1 if limit >= turn else -1
    part = signal[turn : limit + step if limit + step >= 0 else None : step]
    level = part.min() + _LEVEL * (part[0] - part.min())
    return int(turn + step * np.flatnonzero(part <= level)[0])


def _likeness(values: np.ndarray, strokes: list[Stroke]) -> np.ndarray:
    """The median correlation of each stroke with the others, over the poses of the way there and the way back."""
    if len(strokes) < 2:
        return np.zeros(len(strokes))
    flat = gaussian_filter1d(values.reshape(len(values), -1), 1.5, axis=0, mode="nearest")
    flat = flat - flat.mean(axis=0)
    flat = flat @ np.linalg.svd(flat, full_matrices=False)[2][:_COMPONENTS].T
    curves = []
    for start, turn, end in strokes:
        half = _POINTS // 2
        places = np.concatenate([np.linspace(start, turn, half), np.linspace(turn, end, half)])
        curve = np.stack([np.interp(places, np.arange(len(flat)), column) for column in flat.T], axis=-1)
        curves.append(curve - curve.mean(axis=0))
    stack = np.stack(curves).reshape(len(curves), -1)
    stack /= np.maximum(np.linalg.norm(stack, axis=1, keepdims=True), 1e-12)
    others = ~np.eye(len(stack), dtype=bool)
    return np.median((stack @ stack.T)[others].reshape(len(stack), -1), axis=1)


def _legs_alternate(poses: _Poses, strokes: list[Stroke]) -> bool:
    """Whether left and right ankle (or knee) move against each other, and as much as any other joint."""
    first, last = strokes[0][0], strokes[-1][2] + 1
    part = poses.values[first:last] - poses.values[first:last].mean(axis=0)
    extent = np.sqrt((part**2).sum(axis=2).mean(axis=0))
    for joint in ("ankle", "knee"):
        names = [f"{side}_{joint}" for side in ("left", "right")]
        if set(names) <= set(poses.joints):
            left, right = (part[:, poses.joints.index(name)] for name in names)
            sizes = np.sqrt((left**2).sum() * (right**2).sum())
            places = [poses.joints.index(name) for name in names]
            return bool((left * right).sum() < -0.3 * sizes and extent[places].min() > 0.5 * extent.max())
    return False


def _distances(values: np.ndarray) -> np.ndarray:
    """`(samples, samples)` root mean square over joints of the distance of poses, of at most `_MATRIX` samples."""
    flat = values.reshape(len(values), -1)[:: -(-len(values) // _MATRIX)]
    squares = (flat**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0) / values.shape[1]))
