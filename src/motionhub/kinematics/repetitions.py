"""Counting repetitions of any movement, without training: principal motion, autocorrelation, similar strokes.

1. The pose relative to the hips, in body sizes, over time; gaps are interpolated.
2. Its period by autocorrelation: the shortest lag at which the motion repeats itself nearly as well as at the best.
3. The direction of pose space that varies most at that period is the signal; its peaks are the turns of strokes.
4. A stroke is a repetition if it moves like the typical stroke; at least two are needed.
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
NEARLY = 0.8  # a shorter lag is the period if it correlates this well, relative to the best lag
PROMINENCE = 0.4  # of a stroke, relative to the typical one
SMOOTHING = 0.06  # standard deviation in periods
DIFFERENT = 0.75  # distance of a stroke from the typical one over that one's extent, above which it is another movement
SEEN = 0.5  # share of frames in which a joint, or a person in a stroke, must be detected
_POINTS = 24  # of a stroke, when strokes are compared
_TREND = 2.5  # periods; slower changes are no part of a repetition
_LEVEL = 0.15  # of a stroke's height: where it starts and ends


@dataclass(frozen=True, eq=False)
class Repetitions:
    """The repetitions of one person.

    Args:
        track_id: of the person.
        kind: `"repetition"`, or `"stride"` where the legs alternate: a step of each.
        rows: `{"start_s", "turn_s", "end_s"}` of each, in seconds; `turn_s` is farthest from where it started.
        reason: why there are none; empty if there are.
        period_s: median time from turn to turn; NaN without repetitions.
        times: `(num_samples,)` seconds of `signal` and of both axes of `distances`.
        signal: `(num_samples,)` the principal motion, in body sizes; strokes go up.
        distances: `(num_samples, num_samples)` between the poses of two times, in body sizes per joint.
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
    period = _period(poses.values)
    signal = _principal_motion(poses.values, period)
    distances = _distances(poses.values)
    shown: dict[str, Any] = {"times": times, "signal": signal, "distances": distances}
    strokes = _strokes(signal, period)
    if len(strokes) < 2:
        reason = "one movement that is not repeated" if strokes else "no movement that comes back"
        return Repetitions(track_id, "repetition", (), f"{reason}; repetitions need two", **shown)
    alike = [stroke for stroke, same in zip(strokes, _alike(poses.values, strokes), strict=True) if same]
    alike = [stroke for stroke in alike if poses.seen[stroke[0] : stroke[2] + 1].mean() >= SEEN]
    if len(alike) < 2:
        return Repetitions(track_id, "repetition", (), f"{len(strokes)} movements, no two of them alike", **shown)
    rows = tuple(
        {name: float(times[place]) for name, place in zip(("start_s", "turn_s", "end_s"), stroke, strict=True)}
        for stroke in alike
    )
    kind = "stride" if _legs_alternate(poses, alike) else "repetition"
    typical = float(np.median(np.diff([row["turn_s"] for row in rows])))
    return Repetitions(track_id, kind, rows, "", typical, **shown)


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
    centre = body.middle("hip", "mid_hip")[0]
    centre = np.where(np.isnan(centre), body.middle("shoulder", "shoulder_centre", "neck")[0], centre)
    points = (body.points[0] - centre[:, None]) / (size or 1.0)
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


def _period(values: np.ndarray) -> float:
    """Samples; the shortest lag at which the motion repeats itself nearly as well as at the best lag."""
    flat = values.reshape(len(values), -1)
    longest = min(len(flat) // 2, round(LONGEST * RATE))
    flat = flat - uniform_filter1d(flat, 2 * longest + 1, axis=0, mode="nearest")
    spectrum = np.fft.rfft(flat - flat.mean(axis=0), 2 * len(flat), axis=0)
    power = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=1))[: longest + 1]
    correlation = power / max(power[0], 1e-12) * (len(flat) / (len(flat) - np.arange(longest + 1)))
    peaks, _ = find_peaks(correlation)
    peaks = peaks[peaks >= SHORTEST * RATE]
    if not len(peaks):
        return longest / 2
    best = correlation[peaks].max()
    if best <= 0:
        return float(peaks[0])
    return float(peaks[correlation[peaks] >= NEARLY * best][0])


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


def _strokes(signal: np.ndarray, period: float) -> list[tuple[int, int, int]]:
    """(start, turn, end) of each: from where the signal leaves the valley before a peak to where it reaches the next.

    A peak counts if it is as prominent as `PROMINENCE` of the typical one.
    """
    padded = np.concatenate([[signal.min()], signal, [signal.min()]])
    distance = max(1, round(0.5 * period))
    peaks, found = find_peaks(padded, prominence=0.1 * np.ptp(signal), distance=distance)
    if not len(peaks):
        return []
    typical = np.percentile(found["prominences"], 75)
    turns = peaks[found["prominences"] >= PROMINENCE * typical] - 1
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


def _alike(values: np.ndarray, strokes: list[tuple[int, int, int]]) -> np.ndarray:
    """Whether each stroke moves like the typical (median) one: its two halves, from pose to pose."""
    flat = values.reshape(len(values), -1)
    curves = []
    for start, turn, end in strokes:
        half = _POINTS // 2
        places = np.concatenate([np.linspace(start, turn, half), np.linspace(turn, end, half)])
        curve = np.stack([np.interp(places, np.arange(len(flat)), column) for column in flat.T], axis=-1)
        curves.append(curve - curve.mean(axis=0))
    stack = np.stack(curves)
    typical = np.median(stack, axis=0)
    extent = np.sqrt((typical**2).sum(axis=1).mean())
    return np.asarray(np.sqrt(((stack - typical) ** 2).sum(axis=2).mean(axis=1)) <= DIFFERENT * extent)


def _legs_alternate(poses: _Poses, strokes: list[tuple[int, int, int]]) -> bool:
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
    """`(samples, samples)` root mean square over joints of the distance of poses."""
    flat = values.reshape(len(values), -1)
    squares = (flat**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0) / values.shape[1]))
