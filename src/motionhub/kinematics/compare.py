"""`compare`: how a movement differs between two recordings, per joint and phase, with its spread over repetitions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from motionhub.kinematics.angles import Body, joint_angles
from motionhub.kinematics.measurements import check_sequence
from motionhub.kinematics.repetitions import Repetitions, repetitions
from motionhub.kinematics.warping import onto, warping_path
from motionhub.skeletons.convert import convert_layout, cut, resample
from motionhub.skeletons.measures import TRUNK_OF_HEIGHT, body_size
from motionhub.skeletons.sequence import SkeletonSequence


RATE = 30.0  # most frames per second at which motions are aligned
LONGEST = 20.0  # seconds of a motion without repetitions
PHASES = ("there", "turn", "back")
_TURN = 0.12  # of the movement, before and after the turn
_SAMPLES = 1000  # of the bootstrap
_MODERATE = 3.0  # standard deviations that count at most, so that one wrong angle does not decide the alignment
_STILL = 5.0  # degrees: an angle that varies less is not made larger for the alignment


@dataclass(frozen=True, eq=False)
class Comparison:
    """Differences second minus first of an aligned movement.

    Args:
        counts: repetitions of each that were used; 1 and 1 where the motions are compared as a whole.
        durations: mean seconds of a repetition of each.
        angle_names: of the angles that both have.
        curves: of each, `(num_repetitions, num_moments, num_angles)` degrees, at the moments of the reference.
        ranges: of each, `(num_repetitions, num_angles)` degrees of motion, before the alignment.
        phases: `(num_moments,)` the phase of each moment, an index into `PHASES`.
        joints: names.
        distances: `(num_moments, num_joints)` between the mean poses, in body lengths, after the best rotation.
        pair: typical repetition of the first, and of the second at the moments of the first.
        notes: what a reader of the numbers must know.
    """

    counts: tuple[int, int]
    durations: tuple[float, float]
    angle_names: tuple[str, ...]
    curves: tuple[np.ndarray, np.ndarray]
    ranges: tuple[np.ndarray, np.ndarray]
    phases: np.ndarray
    joints: tuple[str, ...]
    distances: np.ndarray
    pair: tuple[SkeletonSequence, SkeletonSequence]
    notes: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Per angle and phase, and of the range of motion of each angle (phase `"range"`), in degrees.

        Keys: `angle`, `phase`, `first`, `second` (means), `difference`, `low`, `high` (95 % by bootstrap over
        repetitions, None with one repetition on either side) and `clear` (whether that interval leaves out 0).
        """
        found = []
        for index, name in enumerate(self.angle_names):
            one, two = (curves[..., index] for curves in self.curves)
            for place, phase in enumerate(PHASES):
                chosen = self.phases == place
                values = [mean_of(curves[:, chosen], 1) for curves in (one, two)]
                found.append({"angle": name, "phase": phase, **_difference(*values)})
            ranges = [each[:, index] for each in self.ranges]
            found.append({"angle": name, "phase": "range", **_difference(*ranges)})
        return found

    def overall(self) -> dict[str, Any]:
        """`degrees`: root mean square of the difference of mean angles, with `low` and `high` (95 %); `within`: the
        same of single repetitions of the first from its mean; `body_lengths`: mean distance of the joints.
        """
        one, two = self.curves
        spread = None
        if min(self.counts) > 1:
            rng = np.random.default_rng(0)
            drawn = []
            for _ in range(_SAMPLES // 5):
                some = [each[rng.integers(len(each), size=len(each))] for each in (one, two)]
                drawn.append(_rms(mean_of(some[1], 0) - mean_of(some[0], 0)))
            spread = np.percentile(drawn, [2.5, 97.5])
        return {
            "degrees": _rms(mean_of(two, 0) - mean_of(one, 0)),
            "low": None if spread is None else float(spread[0]),
            "high": None if spread is None else float(spread[1]),
            "within": _rms(one - mean_of(one, 0)) if self.counts[0] > 1 else None,
            "body_lengths": _number(self.distances.ravel()),
        }

    def joint_rows(self) -> list[dict[str, Any]]:
        """`{"joint", "there", "turn", "back"}`: mean distance in body lengths per phase, the farthest joint first."""
        rows: list[dict[str, Any]] = []
        for index, joint in enumerate(self.joints):
            parts = [self.distances[self.phases == place, index] for place in range(len(PHASES))]
            rows.append({"joint": joint, **dict(zip(PHASES, map(_number, parts), strict=True))})
        return sorted(rows, key=lambda row: -max(row[phase] or 0 for phase in PHASES))


def compare(first: SkeletonSequence, second: SkeletonSequence, *, person: tuple[int, int] = (0, 0)) -> Comparison:
    """Aligns a movement in two recordings in time and measures how the second differs from the first.

    Repetitions are found in both (`motionhub.repetitions`) and all aligned, by dynamic time warping of their joint
    angles, to the typical repetition of the first; without repetitions the motions are compared as a whole.

    Args:
        first, second: recordings of the same movement: a patient before and after, a pupil and a teacher. Layouts may
            differ; both 2-D from the same side, or both 3-D.
        person: position of the person in each.

    Raises:
        ValueError: no such person, 2-D with 3-D, no angle in both, or a motion of over 20 s without repetitions.

    Examples:
        >>> squat = motionhub.generate("squat", seed=0)
        >>> found = motionhub.compare(squat, squat)
        >>> round(found.overall()["degrees"], 3)
        0.0
    """
    parts = []
    for sequence, place in ((first, person[0]), (second, person[1])):
        check_sequence(sequence)
        parts.append(sequence.person(place))
    if parts[0].num_dims != parts[1].num_dims:
        raise ValueError(
            f"Expected two 2-D or two 3-D motions, got {parts[0].num_dims}-D and {parts[1].num_dims}-D; project the "
            "3-D one: motionhub convert IN OUT --project AZIMUTH ELEVATION."
        )
    if parts[0].layout != parts[1].layout:
        parts[1] = convert_layout(parts[1], parts[0].layout)
    takes = [_takes(part) for part in parts]
    names, notes = shared_angles(parts)
    reference = takes[0][typical([take.degrees(names) for take in takes[0]])]
    aligned = [[take.onto(reference, names) for take in each] for each in takes]
    curves = tuple(np.stack([angles for angles, _ in each]) for each in aligned)
    poses = [mean_of(np.stack([points for _, points in each]), 0) for each in aligned]
    joints = np.isfinite(poses[0] + poses[1]).all(axis=-1).any(axis=0)
    if min(len(each) for each in takes) == 1:
        notes = [*notes, "Fewer than two repetitions on a side: differences have no measure of their spread."]
    best = takes[1][typical([angles for angles, _ in aligned[1]])]
    return Comparison(
        counts=(len(takes[0]), len(takes[1])),
        durations=tuple(float(np.mean([take.sequence.duration for take in each])) for each in takes),  # type: ignore[arg-type]
        angle_names=names,
        curves=curves,  # type: ignore[arg-type]
        ranges=tuple(np.stack([_extent(take.degrees(names)) for take in each]) for each in takes),  # type: ignore[arg-type]
        phases=phases_of(reference),
        joints=tuple(np.array(parts[0].layout.joints)[joints]),
        distances=_distances(*(pose[:, joints] for pose in poses)),
        pair=(reference.sequence, best.as_long_as(reference, names)),
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class Take:
    """One repetition, and the share of it at which it turns."""

    sequence: SkeletonSequence
    turn: float

    def degrees(self, names: tuple[str, ...]) -> np.ndarray:
        """`(frames, angles)`."""
        found = joint_angles(self.sequence)
        return np.asarray(found.degrees[0][:, [found.names.index(name) for name in names]])

    def poses(self) -> np.ndarray:
        """`(frames, joints, dims)` relative to the hips, in body lengths: from the trunk, else the size of the box."""
        body = Body(self.sequence)
        trunks = np.linalg.norm(body.trunk(), axis=-1)
        trunks = trunks[np.isfinite(trunks)]
        length = float(np.median(trunks)) / TRUNK_OF_HEIGHT if len(trunks) else body_size(self.sequence)
        return np.asarray((body.points[0] - body.centre()[0, :, None]) / (length or np.nan))

    def path_to(self, reference: "Take", names: tuple[str, ...]) -> np.ndarray:
        """The alignment of shapes: of each angle less its mean, in its standard deviations.

        By degrees, a deeper bend would be matched to moments of the same degrees, and not differ until its turn.
        """
        one, two = (_standardised(take.degrees(names)) for take in (reference, self))
        gaps = np.minimum(np.abs(one[:, None] - two[None]), _MODERATE)
        seen = np.isfinite(gaps)
        costs = np.sqrt((np.where(seen, gaps, 0) ** 2).sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1))
        # Where nothing is measured in both, any match is as good as the worst.
        return warping_path(np.where(seen.any(axis=-1), costs, costs.max(initial=0.0)))

    def onto(self, reference: "Take", names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Angles and poses at the moments of the reference."""
        path, rows = self.path_to(reference, names), reference.sequence.num_frames
        angles = onto(path, self.degrees(names), rows)
        turns = mean_of(angles - reference.degrees(names), 0) / 360  # whole ones are another name of one direction
        return angles - 360 * np.round(np.nan_to_num(turns)), onto(path, self.poses(), rows)

    def as_long_as(self, reference: "Take", names: tuple[str, ...]) -> SkeletonSequence:
        """The motion at the moments of the reference, for showing both beside each other."""
        keypoints = onto(self.path_to(reference, names), self.sequence.keypoints[0], reference.sequence.num_frames)
        return self.sequence.replace(keypoints=keypoints[None], confidence=None, fps=reference.sequence.fps)


def _takes(sequence: SkeletonSequence) -> list[Take]:
    """The repetitions of a person, or the whole motion."""
    if sequence.fps > RATE:
        sequence = resample(sequence, RATE)
    (found,) = repetitions(sequence)
    takes = []
    for start, turn, end in _with_rest(found, sequence.duration):
        part = cut(sequence, start, end)
        if part.num_frames > 2:
            takes.append(Take(part, (turn - start) / (end - start)))
    if takes:
        return takes
    if sequence.num_frames < 3 or sequence.duration > LONGEST:
        raise ValueError(
            f"Expected a motion of 3 frames to {LONGEST:g} s where no movement is repeated ({found.reason}), got "
            f"{sequence.num_frames} frames, {sequence.duration:.1f} s; cut the movement out: motionhub.cut."
        )
    return [Take(sequence, 0.5)]


def _with_rest(found: Repetitions, duration: float) -> Iterator[tuple[float, float, float]]:
    """Start, turn and end of each repetition, with the rest around it: half of the way to the next, at most a sixth of
    the repetition.
    """
    ends = [0.0, *(row["end_s"] for row in found.rows)]
    starts = [*(row["start_s"] for row in found.rows), duration]
    for number, row in enumerate(found.rows):
        most = (row["end_s"] - row["start_s"]) / 6
        before = min(max(row["start_s"] - ends[number], 0.0) / (2 if number else 1), most)
        after = max(starts[number + 1] - row["end_s"], 0.0) / (2 if number + 1 < found.count else 1)
        yield row["start_s"] - before, row["turn_s"], row["end_s"] + min(after, most)


def shared_angles(parts: list[SkeletonSequence]) -> tuple[tuple[str, ...], list[str]]:
    """Names of the angles that are measured in at least half of the frames of both, and the notes."""
    measured, notes = [], list[str]()
    for part in parts:
        found = joint_angles(part)
        seen = np.isfinite(found.degrees[0]).mean(axis=0) >= 0.5
        measured.append([name for name, enough in zip(found.names, seen, strict=True) if enough])
        notes += [text for text in found.notes if text not in notes]
    names = tuple(name for name in measured[0] if name in measured[1])
    if not names:
        raise ValueError(
            f"Expected an angle that both motions have, got {measured[0] or 'none'} and {measured[1] or 'none'}; "
            "see motionhub measure FILE."
        )
    return names, notes


def typical(curves: list[np.ndarray]) -> int:
    """The take that is nearest to all others, at equal shares of their time."""
    shares = np.linspace(0, 1, 50)
    even = np.stack([curve[np.round(shares * (len(curve) - 1)).astype(int)] for curve in curves])
    gaps = [np.nanmean(np.abs(even - each)) if np.isfinite(even - each).any() else np.inf for each in even]
    return int(np.argmin(gaps))


def phases_of(reference: Take) -> np.ndarray:
    """`(frames,)` the index into `PHASES` of each moment."""
    share = np.linspace(0, 1, reference.sequence.num_frames)
    return np.where(share < reference.turn - _TURN, 0, np.where(share <= reference.turn + _TURN, 1, 2))


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`(moments, joints)` after the rotation of all poses of the second onto the first (Kabsch); none in 2-D."""
    if first.shape[-1] == 3:
        seen = np.isfinite(first + second).all(axis=-1)
        left, _, right = np.linalg.svd(second[seen].T @ first[seen])
        sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
        second = second @ (left @ sign @ right)
    return np.asarray(np.linalg.norm(first - second, axis=-1))


def _difference(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """Of a value per repetition: means, their difference, and its interval by bootstrap (seed 0)."""
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    if not len(first) or not len(second):
        return dict.fromkeys(("first", "second", "difference", "low", "high", "clear"))
    low = high = clear = None
    if min(len(first), len(second)) > 1:
        rng = np.random.default_rng(0)
        drawn = [each[rng.integers(len(each), size=(_SAMPLES, len(each)))].mean(axis=1) for each in (first, second)]
        low, high = (float(value) for value in np.percentile(drawn[1] - drawn[0], [2.5, 97.5]))
        clear = bool(low > 0 or high < 0)
    means = float(first.mean()), float(second.mean())
    values = {"first": means[0], "second": means[1], "difference": means[1] - means[0]}
    return {**values, "low": low, "high": high, "clear": clear}


def mean_of(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is measured; NaN where nothing is."""
    seen = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(seen, values, 0).sum(axis=axis) / seen.sum(axis=axis))


def _standardised(degrees: np.ndarray) -> np.ndarray:
    centred = degrees - mean_of(degrees, 0)
    return np.asarray(centred / np.maximum(np.sqrt(mean_of(centred**2, 0)), _STILL))


def _extent(degrees: np.ndarray) -> np.ndarray:
    """`(angles,)` range of motion over the frames; NaN where nothing is measured."""
    seen = np.isfinite(degrees)
    high = np.where(seen, degrees, -np.inf).max(axis=0, initial=-np.inf)
    low = np.where(seen, degrees, np.inf).min(axis=0, initial=np.inf)
    return np.where(seen.any(axis=0), high, np.nan) - np.where(seen.any(axis=0), low, np.nan)


def _rms(values: np.ndarray) -> float:
    seen = values[np.isfinite(values)]
    return float(np.sqrt((seen**2).mean())) if len(seen) else float("nan")


def _number(values: np.ndarray) -> float | None:
    seen = values[np.isfinite(values)]
    return float(seen.mean()) if len(seen) else None
