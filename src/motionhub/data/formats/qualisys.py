"""Reads marker trajectories that Qualisys Track Manager exports as TSV: rate, names and millimetres are in the file.

A marker at (0, 0, 0) is missing, as the program writes it. Which axis is up is chosen at calibration and not written.
"""

from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import number, rows_of_cells, text_lines, whole_number
from motionhub.data.formats.files import bad_file, nan_at_origin
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.data.formats.markers import clip_of_markers, positive
from motionhub.skeletons.sequence import SkeletonSequence


_MOST_HEADER_LINES = 40


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of `(people, frames, markers, 3)` metres; markers called `subject:marker` are several people."""
    lines = text_lines(path)
    split = [[cell.strip() for cell in line.split("\t")] for line in lines[:_MOST_HEADER_LINES]]
    start = next((row for row, cells in enumerate(split) if not _is_key(cells)), None)
    if start is None:
        raise bad_file(path, f"line {len(lines)}", "the file ends inside its header; it is cut off.")
    facts = {cells[0]: cells[1:] or [""] for cells in split[:start] if cells[0]}
    included = facts.get("DATA_INCLUDED", ["3D"])[0]
    if included != "3D":
        reason = f"expected DATA_INCLUDED 3D, got {included!r}; export 3D data as TSV, or the skeleton as BVH"
        raise bad_file(path, "DATA_INCLUDED", f"{reason}.")
    for key in ("FREQUENCY", "MARKER_NAMES"):
        if not any(facts.get(key, ())):
            raise bad_file(path, "header", f"expected {key}, got the keys {[*facts][:12]}.")
    rate = positive(path, "FREQUENCY", "frequency", facts["FREQUENCY"][0])
    names = [name for name in facts["MARKER_NAMES"] if name]
    return [_clip(path, lines, start, names, rate, facts, options)]


def _clip(
    path: Path,
    lines: list[str],
    start: int,
    names: list[str],
    rate: float,
    facts: dict[str, list[str]],
    options: ReadOptions,
) -> SkeletonSequence:
    first = lines[start].split("\t")[0].strip().lower()
    columned = first in ("frame", "time") or not _is_number(first)  # a line of column names
    heads = [cell.strip().lower() for cell in lines[start].split("\t")] if columned else []
    before = sum(head in ("frame", "time") for head in heads[:2])
    start += columned
    rows, frames, seconds = [], [], []
    width = 3 * len(names)
    checked_size(path, len(lines) - start, len(names), 4)
    for line, cells in enumerate(rows_of_cells(path, lines[start:], "\t", start + 1), start + 1):
        if not any(cells):
            continue
        if before:
            cells = [*cells, *[""] * (before + width - len(cells))]
        values = cells[before:]
        if len(values) < width or any(values[width:]):
            got = sum(map(bool, values))
            raise bad_file(path, f"line {line}", f"expected {width} coordinates of {len(names)} markers, got {got}.")
        if "frame" in heads[:2]:
            frames.append(whole_number(path, line, cells[heads.index("frame")]))
        if "time" in heads[:2]:
            seconds.append(number(path, line, cells[heads.index("time")]))
        rows.append([number(path, line, cell) for cell in values[:width]])
    stated = facts.get("NO_OF_FRAMES", [""])[0]
    if not rows or (stated.isdecimal() and stated.lstrip("0") != str(len(rows))):
        raise bad_file(path, f"line {len(lines)}", f"expected {stated[:20]} frames, got {len(rows)}; is it cut off?")
    points = nan_at_origin(np.array(rows).reshape(len(rows), len(names), 3))
    return clip_of_markers(
        path, names, points, options, rate=rate, unit="millimetre", frames=frames or None, seconds=seconds or None
    )


def _is_key(cells: list[str]) -> bool:
    """Whether a line is empty, or a key of the header with its values."""
    return not any(cells) or cells[0].replace("_", "").isupper()


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def matches(path: Path, head: bytes) -> bool:
    """Whether a text begins with the keys of a Qualisys export."""
    return head.startswith(b"NO_OF_FRAMES\t") or (b"\nMARKER_NAMES\t" in head and b"\nFREQUENCY\t" in head)


FORMAT = Format(
    name="qualisys",
    title="Qualisys marker trajectories (TSV)",
    matches=matches,
    read=read,
    container="text",
    signature="text that starts with NO_OF_FRAMES, with FREQUENCY and MARKER_NAMES",
)
