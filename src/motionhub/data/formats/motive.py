"""Reads the CSV that OptiTrack Motive exports: bones of skeletons, else markers, else rigid bodies; y is up.

The first line has rate and unit; rows above the numbers have type, name and kind (position, rotation) of each column.
"""

from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import number, rows_of_cells, text_lines, whole_number
from motionhub.data.formats.columns import UNITS
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.data.formats.markers import clip_of_markers, positive
from motionhub.skeletons.sequence import SkeletonSequence


# The first of these that a file has are the joints.
_TYPES = (("bone",), ("marker", "bone marker", "skeleton marker"), ("rigid body",), ("rigid body marker",))
_KNOWN = {name for group in _TYPES for name in group}
_MOST_HEADER_LINES = 12


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of `(people, frames, joints, 3)` metres; bones called `skeleton:bone` are several people."""
    cells = [*rows_of_cells(path, text_lines(path), ",")]
    facts = {key.lower(): value for key, value in zip(cells[0][::2], cells[0][1::2], strict=False)}
    rate_text = facts.get("export frame rate") or facts.get("capture frame rate", "")
    rate = positive(path, "line 1", "Export Frame Rate", rate_text)
    unit = UNITS.get(facts.get("length units", "").lower())
    if unit is None:
        raise bad_file(path, "line 1", f"expected Length Units, got {facts.get('length units', '')[:20]!r}.")
    start = next((row for row, line in enumerate(cells[:_MOST_HEADER_LINES]) if line[:1] == ["Frame"]), None)
    if start is None:
        raise bad_file(path, f"line {len(cells)}", "expected a line that starts with Frame; the file is cut off.")
    above = [line for line in cells[1:start] if any(line)]
    types = next((row for row, line in enumerate(above) if _KNOWN & {cell.lower() for cell in line}), None)
    if types is None or types + 1 >= len(above):
        raise bad_file(path, f"line {start}", "expected rows of type, name and Position above the numbers.")
    columns = _columns(path, above[types], above[types + 1], above[-1], cells[start])
    rows = [(row, line) for row, line in enumerate(cells[start + 1 :], start + 2) if any(line)]
    if not rows:
        raise bad_file(path, f"line {start + 1}", "the file has no frames.")
    checked_size(path, len(rows), len(columns), 4)
    frames = [whole_number(path, row, line[0]) for row, line in rows]
    points = np.array(
        [
            [[number(path, row, line[at] if at < len(line) else "") for at in own] for own in columns.values()]
            for row, line in rows
        ]
    )
    times = cells[start][1:2] and cells[start][1].lower().startswith("time")
    seconds = [number(path, row, line[1] if len(line) > 1 else "") for row, line in rows] if times else None
    clip = clip_of_markers(
        path, [*columns], points, options, rate=rate, unit=unit, frames=frames, seconds=seconds, by_format="y"
    )
    return [clip]


def _columns(
    path: Path, types: list[str], names: list[str], kinds: list[str], axes: list[str]
) -> dict[str, list[int]]:
    """The columns of x, y and z of each joint, by name."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for column, axis in enumerate(axes):
        cells = [line[column] if column < len(line) else "" for line in (types, names, kinds)]
        if cells[2].lower() == "position" and axis.lower() in ("x", "y", "z"):
            parts = found.setdefault(cells[0].lower(), {}).setdefault(cells[1], {})
            if axis.lower() in parts:
                raise bad_file(path, "names", f"expected unique names, but got {cells[1]!r} more than once.")
            parts[axis.lower()] = column
    chosen = next((group for group in _TYPES if any(found.get(name) for name in group)), None)
    if chosen is None:
        raise bad_file(path, "columns", "no positions of bones, markers or rigid bodies; export positions.")
    left_out = [name for name in found if name not in chosen and found[name]]
    if left_out:
        note(path, "columns", f"the positions of type {', '.join(left_out)} are not read.")
    joints = {name: parts for kind in chosen for name, parts in found.get(kind, {}).items()}
    incomplete = [name for name, parts in joints.items() if len(parts) < 3]
    if incomplete:
        raise bad_file(path, "columns", f"expected X, Y and Z of {incomplete[:5]}; the file is damaged.")
    return {name: [parts[axis] for axis in "xyz"] for name, parts in joints.items()}


def matches(path: Path, head: bytes) -> bool:
    """Whether the first line has the facts of a take."""
    return head.startswith((b"Format Version,", b'"Format Version",'))


FORMAT = Format(
    name="motive",
    title="OptiTrack Motive (CSV)",
    matches=matches,
    read=read,
    container="text",
    signature="text that starts with Format Version, Take Name, Export Frame Rate, Length Units",
)
