"""`measure`: joint angles, angular and linear speeds of a motion, as a table per frame and a summary."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.atomic import write_text
from motionhub.kinematics.angles import joint_angles
from motionhub.kinematics.speeds import rates
from motionhub.skeletons.sequence import SkeletonSequence


# Joints whose speed is measured: the ends of segments, and the hips and the head for the body as a whole.
_SPEED_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_UNITS = {"metre": "m", "pixel": "px", "normalised": "unit"}
# Degrees: what moves less on both sides has no symmetry, since the index divides by it.
_LEAST_RANGE = 5.0


@dataclass(frozen=True, eq=False)
class Measurements:
    """Angles and speeds of a motion; NaN where a joint is missing.

    Args:
        times: `(num_frames,)` seconds.
        track_ids: of the people.
        angle_names: such as `left_knee_flexion`; `motionhub.kinematics.angles.DEFINITIONS` says what each is.
        angles: `(num_people, num_frames, num_angles)` degrees.
        angular_speeds: the same shape, degrees per second, with sign.
        joints: whose speed is measured.
        speeds: `(num_people, num_frames, num_joints)` in `speed_unit`.
        speed_unit: `"m/s"`, `"px/s"` or `"unit/s"`.
        notes: what a reader of the numbers must know.
    """

    times: np.ndarray
    track_ids: tuple[int, ...]
    angle_names: tuple[str, ...]
    angles: np.ndarray
    angular_speeds: np.ndarray
    joints: tuple[str, ...]
    speeds: np.ndarray
    speed_unit: str
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the values of a frame, with units."""
        return (
            *(f"{name} (deg)" for name in self.angle_names),
            *(f"{name} speed (deg/s)" for name in self.angle_names),
            *(f"{joint} speed ({self.speed_unit})" for joint in self.joints),
        )

    def angle(self, name: str) -> np.ndarray:
        """`(num_people, num_frames)` degrees. Raises ValueError for an angle that was not measured."""
        if name not in self.angle_names:
            raise ValueError(f"Expected one of the angles {list(self.angle_names)}, got {name!r}.")
        return np.asarray(self.angles[..., self.angle_names.index(name)])

    def summary(self) -> list[dict[str, Any]]:
        """One dict per person and angle, None where nothing was measured.

        Keys: `track_id`, `angle`, `frames` (measured), `min`, `max`, `mean` and `range` (of motion: max - min) in
        degrees, `peak_speed` in degrees per second, and `symmetry_index` in percent: 200 (L - R) / (L + R) of the
        ranges of both sides (Robinson 1987), 0 equal, positive where the left moves more; None where both sides move
        by under 5 degrees.
        """
        rows = []
        for person, track_id in enumerate(self.track_ids):
            for index, name in enumerate(self.angle_names):
                values, speeds = self.angles[person, :, index], self.angular_speeds[person, :, index]
                rows.append({"track_id": track_id, "angle": name, **_extent(values), "peak_speed": _peak(speeds)})
        ranges = {(row["track_id"], row["angle"]): row["range"] for row in rows}
        for row in rows:
            side, _, rest = row["angle"].partition("_")
            pair = [ranges.get((row["track_id"], f"{each}_{rest}")) for each in ("left", "right")]
            row["symmetry_index"] = symmetry_index(*pair) if side in ("left", "right") else None
        return rows

    def peak_speeds(self) -> list[dict[str, Any]]:
        """`{"track_id", "joint", "peak", "mean"}` in `speed_unit`, None where nothing was measured."""
        return [
            {"track_id": track_id, "joint": joint, "peak": _peak(values), "mean": _mean(values)}
            for person, track_id in enumerate(self.track_ids)
            for joint, values in zip(self.joints, self.speeds[person].T, strict=True)
        ]

    def as_csv(self) -> str:
        """`track_id`, `frame`, `time (s)`, then `columns`: a row per person and frame, empty where missing."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["track_id", "frame", "time (s)", *self.columns])
        values = np.concatenate([self.angles, self.angular_speeds, self.speeds], axis=-1)
        for person, track_id in enumerate(self.track_ids):
            for frame, (time, row) in enumerate(zip(self.times, values[person], strict=True)):
                cells = ["" if np.isnan(value) else f"{value:.4f}" for value in row]
                writer.writerow([track_id, frame, f"{time:.4f}", *cells])
        return text.getvalue()

    def write(self, path: str | Path) -> Path:
        """Writes `as_csv`. Raises ValueError for another suffix than `.csv`."""
        path = Path(path)
        if path.suffix.lower() != ".csv":
            raise ValueError(f"{path}: measurements are written as .csv, got {path.suffix!r}.")
        write_text(path, self.as_csv())
        return path


def measure(sequence: SkeletonSequence) -> Measurements:
    """Joint angles, angular speeds and speeds of joints, in every frame.

    Args:
        sequence: one motion, 2-D or 3-D, of any layout. Angles are of the joints as they are: repair and smooth noisy
            keypoints first (`motionhub.refine`).

    Returns:
        `Measurements`: angles in degrees, flexion, abduction and dorsiflexion positive, 0 for a person who stands with
        hanging arms. Angles whose joints the layout lacks are left out; those of missing joints are NaN. 2-D angles
        are those of the image. Speeds are slopes over 0.1 s.

    Raises:
        ValueError: something else than a sequence, or no joint of which an angle or a speed could be measured.

    Examples:
        >>> squat = motionhub.generate("squat", seed=0, num_frames=60)
        >>> measured = motionhub.measure(squat)
        >>> knee = next(row for row in measured.summary() if row["angle"] == "left_knee_flexion")
        >>> bool(knee["range"] > 45), measured.speed_unit
        (True, 'm/s')
    """
    check_sequence(sequence)
    angles = joint_angles(sequence)
    joints = tuple(joint for joint in _speed_joints() if joint in sequence.layout.joints)
    if not angles.names and not joints:
        raise ValueError(
            f"Layout {sequence.layout.name!r} has no joint that is measured (hips, knees, ankles, shoulders, elbows, "
            f"wrists); it has {list(sequence.layout.joints[:8])}. Name them in a layout: motionhub.load_layout(path)."
        )
    notes = list(angles.notes)
    if sequence.num_frames < 3:
        notes.append(f"{sequence.num_frames} frames: speeds need at least 3.")
    if not sequence.joint_mask.any():
        notes.append("No valid keypoints: every value is missing.")
    points = sequence.keypoints[:, :, [sequence.layout.index(joint) for joint in joints]]
    return Measurements(
        times=np.arange(sequence.num_frames) / sequence.fps,
        track_ids=sequence.track_ids or (),
        angle_names=angles.names,
        angles=angles.degrees,
        angular_speeds=rates(angles.degrees, sequence.fps),
        joints=joints,
        speeds=np.linalg.norm(rates(points, sequence.fps), axis=-1),
        speed_unit=f"{_UNITS[sequence.unit]}/s",
        notes=tuple(notes),
    )


def symmetry_index(left: float | None, right: float | None) -> float | None:
    """Percent, 200 (left - right) / (left + right); None where a side is missing or both are under 5."""
    if left is None or right is None or max(left, right) < _LEAST_RANGE:
        return None
    return 200 * (left - right) / (left + right)


def check_sequence(sequence: Any) -> None:
    """Raises ValueError unless it is a `SkeletonSequence`."""
    if not isinstance(sequence, SkeletonSequence):
        raise ValueError(
            f"Expected a SkeletonSequence, got {type(sequence).__name__}; read a file: motionhub.read(path)[0]."
        )


def _speed_joints() -> list[str]:
    sides = [f"{side}_{part}" for part in _SPEED_PARTS for side in ("left", "right")]
    return ["head", "nose", "mid_hip", *sides]


def _extent(values: np.ndarray) -> dict[str, Any]:
    seen = values[np.isfinite(values)]
    if not len(seen):
        return {"frames": 0, "min": None, "max": None, "mean": None, "range": None}
    low, high = float(seen.min()), float(seen.max())
    return {"frames": len(seen), "min": low, "max": high, "mean": float(seen.mean()), "range": high - low}


def _peak(values: np.ndarray) -> float | None:
    return float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else None


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
