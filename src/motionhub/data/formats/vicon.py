"""Reads marker trajectories that Vicon Nexus exports as CSV: the section "Trajectories" with rate, names and unit.

Other sections (devices, model outputs, joints, segments) are left out, with a note. Which axis is up is chosen at
calibration and not written.
"""

from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import number, rows_of_cells, separator_of, text_lines, whole_number
from motionhub.data.formats.columns import UNITS
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.data.formats.markers import clip_of_markers, positive
from motionhub.skeletons.sequence import SkeletonSequence


_SECTIONS = ("trajectories", "devices", "model outputs", "joints", "segments", "events")
_HEADER_LINES = 5


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of `(people, frames, markers, 3)` metres; markers called `subject:marker` are several people."""
    lines = text_lines(path)
    starts = {line.strip(',; \t"').lower(): row for row, line in enumerate(lines) if _is_section(line)}
    if "trajectories" not in starts:
        reason = f"the file has the sections {[*starts]}, but none of trajectories; export it with trajectories."
        raise bad_file(path, "line 1", reason)
    if len(starts) > 1:
        note(path, "sections", f"{', '.join(name for name in starts if name != 'trajectories')} are not read.")
    start = starts["trajectories"]
    end = next((row for row in range(start + 1, len(lines)) if not lines[row].strip(',; \t"')), len(lines))
    if end - start <= _HEADER_LINES:
        raise bad_file(path, f"line {end}", "the file ends inside the header of its trajectories; it is cut off.")
    separator = separator_of(lines[start + 2])
    cells = [*rows_of_cells(path, lines[start + 1 : end], separator, start + 2)]
    if len(cells) < _HEADER_LINES:
        raise bad_file(path, f"line {start + 2}", "a quote opens and does not close; the file is damaged.")
    rate = positive(path, f"line {start + 2}", "rate", cells[0][0] if cells[0] else "")
    names, axes, units = cells[1], [axis.lower() for axis in cells[2]], [unit.lower() for unit in cells[3]]
    if axes[:1] != ["frame"]:
        raise bad_file(path, f"line {start + 4}", f"expected Frame, Sub Frame, X, Y, Z, ..., got {cells[2][:5]}.")
    first = axes.index("x") if "x" in axes else 0
    columns = [column for column in range(first, len(names), 3) if names[column]]
    if not columns or any(axes[column : column + 3] != ["x", "y", "z"] for column in columns):
        raise bad_file(path, f"line {start + 3}", f"expected a name above every X, Y, Z, got {names[:8]}.")
    stated = {unit for column in columns for unit in units[column : column + 3]}
    unit = UNITS.get(next(iter(stated))) if len(stated) == 1 else None
    if unit is None:
        raise bad_file(path, f"line {start + 5}", f"expected one unit such as mm, got {sorted(stated)[:5]}.")
    rows = [(row, row_cells) for row, row_cells in enumerate(cells[4:], start + 6) if any(row_cells)]
    checked_size(path, len(rows), len(columns), 4)
    frames = []
    points = np.full((len(rows), len(columns), 3), np.nan)
    for place, (row, values) in enumerate(rows):
        frames.append(_frame(path, row, values, "sub frame" in axes[:2]))
        if len(values) < columns[-1] + 3:
            reason = f"expected {columns[-1] + 3} columns, got {len(values)}; cut off?"
            raise bad_file(path, f"line {row}", reason)
        for marker, column in enumerate(columns):
            points[place, marker] = [number(path, row, cell) for cell in values[column : column + 3]]
    return [
        clip_of_markers(
            path, [names[column] for column in columns], points, options, rate=rate, unit=unit, frames=frames
        )
    ]


def _frame(path: Path, line: int, cells: list[str], sub_frames: bool) -> int:
    frame = whole_number(path, line, cells[0])
    if sub_frames and len(cells) > 1 and cells[1] not in ("", "0"):
        raise bad_file(path, f"line {line}", f"expected sub frame 0, got {cells[1][:40]!r}.")
    return frame


def _is_section(line: str) -> bool:
    return line.strip(',; \t"').lower() in _SECTIONS


def matches(path: Path, head: bytes) -> bool:
    """Whether the first line is the name of a section, and the second its rate."""
    lines = head.decode(errors="replace").splitlines()[:2]
    return len(lines) == 2 and _is_section(lines[0]) and lines[1].strip(',; \t"').replace(".", "").isdigit()


FORMAT = Format(
    name="vicon",
    title="Vicon Nexus trajectories (CSV)",
    matches=matches,
    read=read,
    container="text",
    signature="text that starts with Trajectories, the rate, names and Frame, Sub Frame, X, Y, Z",
)
