"""Marker trajectories of motion capture systems as one clip: subjects by the prefix of the names are people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.data.formats.detections import frame_positions
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.format import (
    ReadOptions,
    checked_size,
    layout_of_names,
    with_unique_names,
)
from motionhub.data.formats.upright import up_of
from motionhub.skeletons.joint_names import joint_name
from motionhub.skeletons.sequence import SkeletonSequence


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
    by_format: str | None = None,
) -> SkeletonSequence:
    """`(people, frames, joints, 3)` of markers called `subject:marker`, or `marker` for a single person.

    Args:
        points: `(rows, markers, 3)` in the unit of the file, NaN where a marker is missing.
        frames: the frame number of each row; absent numbers are frames without markers. None: 0, 1, 2, ...
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


def positive(path: Path, place: str, what: str, text: str) -> float:
    """A positive number of a header. Raises ValueError that names it."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise bad_file(path, place, f"expected a positive {what}, got {text[:20]!r}.")
    return value
