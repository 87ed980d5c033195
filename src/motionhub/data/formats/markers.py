"""Marker trajectories of motion capture systems as one clip: subjects by the prefix of the names are people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.data.formats.detections import frame_positions, step_of
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.format import (
    ReadOptions,
    checked_size,
    layout_of_names,
    rate_of,
    with_unique_names,
)
from motionhub.data.formats.upright import up_of
from motionhub.skeletons.joint_names import joint_name
from motionhub.skeletons.sequence import SkeletonSequence


# Times may differ from frame numbers by this part: some are rounded to milliseconds.
_OTHER_RATE = 0.05
_UNLABELLED = ("*", "unlabeled", "unlabelled", "unnamed")


def clip_of_markers(
    path: Path,
    names: Sequence[str],
    points: np.ndarray,
    options: ReadOptions,
    *,
    rate: float,
    unit: str,
    frames: Sequence[int] | None = None,
    seconds: Sequence[float] | None = None,
    by_format: str | None = None,
) -> SkeletonSequence:
    """`(people, frames, joints, 3)` of markers called `subject:marker`, or `marker` for a single person.

    Args:
        points: `(rows, markers, 3)` in the unit of the file, NaN where a marker is missing.
        frames: the frame number of each row; absent numbers are frames without markers, and every third number is a
            clip of a third of `rate`, with a note. None: 0, 1, 2, ...
        seconds: the time of each row, NaN where unknown; times that advance at another rate than frames win, with a
            note.
        by_format: the axis that is up in this format; None where the user of the system chooses it.

    Markers without a name (`*12`, `Unlabeled 3`) are left out, with a note.
    """
    unit = options.unit_of(path, unit)
    kept = [row for row, name in enumerate(names) if name and not name.lower().startswith(_UNLABELLED)]
    if not kept:
        raise bad_file(path, "names", f"expected named markers, got {[*names][:8]}; label them first.")
    if len(kept) < len(names):
        note(path, "names", f"{len(names) - len(kept)} markers without a name are left out.")
    subjects: dict[str, list[int]] = {}
    for row in kept:
        subjects.setdefault(names[row].rpartition(":")[0], []).append(row)
    parts = {
        subject: with_unique_names(path, [names[row].rpartition(":")[2] for row in rows])
        for subject, rows in subjects.items()
    }
    joints = [*{joint_name(name): name for part in parts.values() for name in part}.values()]
    place = {joint_name(name): index for index, name in enumerate(joints)}
    positions = np.arange(len(points))
    if frames is not None:
        numbered = frame_positions(path, [*frames])
        if len(set(frames)) < len(frames):
            raise bad_file(path, "frames", "expected every frame once.")
        positions = np.array([numbered[frame] for frame in frames], np.int64)
        rate = _stepped(path, rate, step_of(numbered))
    rate = _timed(path, rate, positions, seconds)
    length = int(positions.max()) + 1 if len(positions) else 0
    checked_size(path, len(subjects), length, len(joints), 3)
    placed = np.full((len(subjects), length, len(joints), 3), np.nan)
    row_places = positions[:, None]
    for person, (subject, rows) in enumerate(subjects.items()):
        columns = [place[joint_name(name)] for name in parts[subject]]
        placed[person][row_places, columns] = points[:, rows]
    layout, order = layout_of_names(path, joints, options)
    placed = placed[:, :, order]
    up = up_of(path, layout.joints, placed, by_format)
    return options.sequence(path, placed, layout, fps=rate, unit=unit, up=up)


def _stepped(path: Path, rate: float, step: int) -> float:
    """The rate of frames whose numbers advance by `step`."""
    if step > 1:
        note(path, "frames", f"numbered in steps of {step}, of {rate:g} per second: a clip of {rate / step:.4g} fps.")
    return rate / step


def _timed(path: Path, rate: float, positions: np.ndarray, seconds: Sequence[float] | None) -> float:
    """The rate at which the times of the rows advance, where it is another."""
    times = np.asarray([] if seconds is None else seconds, np.float64)
    known = np.flatnonzero(np.isfinite(times))
    if len(known) < 2:
        return rate
    first, last = known[np.argmin(positions[known])], known[np.argmax(positions[known])]
    elapsed, count = float(times[last] - times[first]), int(positions[last] - positions[first])
    if elapsed <= 0 or abs(count / elapsed / rate - 1) <= _OTHER_RATE:
        return rate
    found = rate_of(elapsed / count)
    text = f"advance at {found:.4g} frames per second, the header and the frame numbers at {rate:.4g}"
    note(path, "time", f"the times of the rows {text}; the times are read.")
    return found


def positive(path: Path, place: str, what: str, text: str) -> float:
    """A positive number of a header. Raises ValueError that names it."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise bad_file(path, place, f"expected a positive {what}, got {text[:20]!r}.")
    return value
