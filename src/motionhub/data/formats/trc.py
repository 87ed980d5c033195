"""Reads and writes TRC marker files (OpenSim, Pose2Sim, Cortex): tab-separated 3-D positions, names, rate and unit.

y is up. A layout given as an option selects its joints by marker name; of two markers with one name the second is
called `name_2`, with a note. Sports2D writes pixels into TRC files, some under `Units m`: they are 2-D keypoints.
Written files are in millimetres, one marker per joint, turned so that y is up where the sequence states its axis.
"""

from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import MISSING, number
from motionhub.data.formats.columns import UNITS
from motionhub.data.formats.detections import frame_positions, step_of
from motionhub.data.formats.files import bad_file, note, read_text
from motionhub.data.formats.format import (
    FILE_UNITS,
    Format,
    ReadOptions,
    checked_joints,
    checked_size,
    layout_of_names,
    with_unique_names,
)
from motionhub.data.formats.markers import clip_of_markers
from motionhub.data.formats.upright import up_of, y_up
from motionhub.data.formats.writing import Writer, check_body_in_metres
from motionhub.skeletons.sequence import SkeletonSequence


_HEADER_LINES = 5
# Of the stated rate.
_OTHER_RATE = 0.05
# Metres; markers of a person that are farther apart are no metres, and those that are closer may be none.
_SMALLEST_BODY, _LARGEST_BODY = 1.0, 5.0


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One person, `(1, frames, markers, 3)` metres, or `(1, frames, markers, 2)` pixels. Empty or nan is missing."""
    lines = [line.rstrip("\r").split("\t") for line in read_text(path).split("\n")]
    if len(lines) < _HEADER_LINES + 1:
        raise bad_file(path, f"line {len(lines)}", "the file ends inside its header; it is cut off.")
    if len(lines[2]) < 2:
        lines = _split_at_blanks(path, [line[0] for line in lines])
    facts = {key.strip(): value.strip() for key, value in zip(lines[1], lines[2], strict=False)}
    rate, markers = _positive(path, facts, "DataRate"), int(_positive(path, facts, "NumMarkers"))
    length = int(_positive(path, facts, "NumFrames"))
    unit = UNITS.get(facts.get("Units", "").lower())
    if unit is None:
        expected = "m, cm, mm or px (or their names)"
        raise bad_file(path, "line 3", f"expected Units {expected}, got {facts.get('Units', '')[:20]!r}.")
    rows = [(number, row) for number, row in enumerate(lines[_HEADER_LINES:], _HEADER_LINES + 1) if any(row)]
    if len(rows) != length:
        raise bad_file(path, f"line {len(lines)}", f"expected {length} frames, got {len(rows)}; is it cut off?")
    names = _names(path, lines[3], lines[4], markers, max(len(row) for _, row in rows))
    checked_size(path, length, len(names), 3)
    points = np.stack([_points(path, line, row, len(names)) for line, row in rows])
    _note_short_rows(path, rows, len(names))
    points, step = _at_their_frames(path, rows, points)
    rate = _rate(path, rows, rate, step)
    unit = _unit(path, points, unit, options)
    if len({name.rpartition(":")[0] for name in names}) > 1 and unit != "pixel":  # several subjects
        return [clip_of_markers(path, names, points, options, rate=rate, unit=unit, by_format="y")]
    layout, order = layout_of_names(path, with_unique_names(path, names), options)
    points = points[:, order]
    if unit == "pixel":
        return [options.sequence(path, points[..., :2], layout, fps=rate, unit=unit, up="-y")]
    up = up_of(path, layout.joints, points, "y")
    return [options.sequence(path, points, layout, fps=rate, unit=unit, up=up)]


def _split_at_blanks(path: Path, lines: list[str]) -> list[list[str]]:
    """The cells of a file whose tabs became blanks, where every row has a number in each cell; else ValueError."""
    cells = [line.split() for line in lines]
    names = cells[3][2:]
    width = 2 + 3 * len(names)
    if not names or any(len(row) not in (0, width) for row in cells[_HEADER_LINES:]):
        reason = (
            "expected cells separated by tabs; with blanks instead, an empty cell or a blank in a name shifts others"
        )
        raise bad_file(path, "line 3", f"{reason}; replace the blanks by tabs.")
    note(path, "line 3", "cells are separated by blanks instead of tabs; every row has all cells, so they are read.")
    cells[3] = [*cells[3][:2], *(cell for name in names for cell in (name, "", ""))]
    cells[4] = ["", "", *cells[4]]
    return cells


def _at_their_frames(path: Path, rows: list[tuple[int, list[str]]], points: np.ndarray) -> tuple[np.ndarray, int]:
    """The rows at the positions of their numbers, and their common step; frames that are absent are missing."""
    numbers = [number(path, line, row[0]) for line, row in rows]
    if any(not abs(each) < 1e15 or each != int(each) for each in numbers) or len({*numbers}) < len(numbers):
        note(path, "Frame#", "the numbers of frames are no numbers or repeat; each row is read as the next frame.")
        return points, 1
    if (np.diff(numbers) < 0).any():
        note(path, "Frame#", "the rows are not in the order of their frames; the numbers of frames place them.")
    places = frame_positions(path, [int(each) for each in numbers])
    length = max(places.values()) + 1
    checked_size(path, length, points.shape[1], 3)
    placed = np.full((length, *points.shape[1:]), np.nan)
    placed[[places[int(each)] for each in numbers]] = points
    return placed, step_of(places)


def _rate(path: Path, rows: list[tuple[int, list[str]]], rate: float, step: int) -> float:
    """The rate of the rows: of every third frame a third; with a note where the times advance at another one."""
    if step > 1:
        note(path, "Frame#", f"numbered in steps of {step}, of {rate:g} per second: a clip of {rate / step:.4g} fps.")
    rate /= step
    times = np.array([number(path, line, row[1] if len(row) > 1 else "") for line, row in rows])
    steps = np.diff(times)
    if len(steps) and np.isfinite(steps).all() and (steps > 0).all():
        found = 1 / float(np.median(steps))
        if abs(found / rate - 1) > _OTHER_RATE:
            note(
                path, "Time", f"the times advance at {found:.3g} frames per second; DataRate {rate * step:g} is read."
            )
    return rate


def _note_short_rows(path: Path, rows: list[tuple[int, list[str]]], markers: int) -> None:
    """Rows with fewer cells than others: programs omit empty cells at the end, but then no others."""
    short = [line for line, row in rows if len(row) < 2 + 3 * markers - 2 and "" not in row[2:]]
    if short:
        text = f"{len(short)} lines have fewer cells (the first is line {short[0]})"
        note(path, "markers", f"{text}; the markers at their end are read as missing.")


def _names(path: Path, line: list[str], axes: list[str], markers: int, widest: int) -> list[str]:
    """The marker names; a count in the header that names, axes and columns contradict is corrected, with a note."""
    names = [name.strip() for name in line[2:] if name.strip()]
    checked_joints(path, len(names))
    if len(names) != markers:
        columns = max(widest - 2, 0)
        labelled = sum(bool(axis.strip()) for axis in axes)
        if labelled != 3 * len(names) or not 3 * (len(names) - 1) < columns <= 3 * len(names) + 1:
            raise bad_file(path, "line 4", f"expected {markers} marker names, got {len(names)}.")
        text = f"NumMarkers is {markers}, but {len(names)} markers have names and columns; all are read."
        note(path, "line 3", text)
    return names


def _unit(path: Path, points: np.ndarray, stated: str, options: ReadOptions) -> str:
    """The unit; 2-D coordinates far too large for the stated length are pixels, by their size or the caller's word."""
    flat = bool(np.nan_to_num(points[..., 2]).any() == 0)
    if stated != "pixel" and flat and options.unit == "pixel":
        note(path, "line 3", f"Units say {stated}, but unit pixel was given and every z is 0: read as 2-D pixels.")
        return "pixel"
    if stated != "pixel" and flat and options.unit is None:
        seen = points[np.isfinite(points).any(axis=(1, 2))]
        if len(seen):
            extent = np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1)
            size = float(np.median(np.nan_to_num(extent).max(axis=1))) * FILE_UNITS[stated][1]
            if size > _LARGEST_BODY:
                text = f"Units say {stated}, but every z is 0 and a body would measure {size:.0f} metres"
                note(path, "line 3", f"{text}: read as 2-D pixels; unit={stated!r} reads what it says.")
                return "pixel"
            if size < _SMALLEST_BODY:
                text = f"every z is 0 and a body measures {size:.2f} metres"
                note(path, "line 3", f'{text}; unit="pixel" reads 2-D pixels, if these are some.')
    if stated == "pixel" and not flat:
        raise bad_file(path, "line 3", "Units say pixels, but z is not 0 everywhere; correct the Units.")
    return options.unit_of(path, stated)


def _positive(path: Path, facts: dict[str, str], key: str) -> float:
    try:
        value = float(facts[key].replace(",", "."))
    except (KeyError, ValueError):
        value = 0.0
    if not 0 < value < 1e9:
        raise bad_file(path, "line 3", f"expected a positive {key}, got {facts.get(key, 'none')[:20]!r}.")
    return value


def _points(path: Path, line: int, row: list[str], markers: int) -> np.ndarray:
    cells = [cell.strip() for cell in row[2 : 2 + 3 * markers]]
    if len(cells) % 3 and any(cells[len(cells) // 3 * 3 :]):
        raise bad_file(path, f"line {line}", f"expected x, y and z of each marker, got {len(cells)} coordinates.")
    cells += [""] * (3 * markers - len(cells))  # programs omit empty cells at the end
    if any(cell.strip().lower() not in MISSING for cell in row[2 + 3 * markers :]):
        raise bad_file(path, f"line {line}", f"expected {3 * markers} coordinates, got more.")
    return np.array([number(path, line, cell) for cell in cells]).reshape(markers, 3)


_FACTS = [
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
]


def encode(sequence: SkeletonSequence) -> bytes:
    """Text. Empty cells are a missing joint. Nine digits in millimetres restore every float32."""
    check_body_in_metres(sequence, "TRC")
    sequence = y_up(sequence, "TRC")
    rate, length, names = repr(sequence.fps), str(sequence.num_frames), sequence.layout.joints
    facts = [rate, rate, length, str(len(names)), "mm", rate, "1", length]
    axes = [f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", "motionhub.trc"],
        _FACTS,
        facts,
        ["Frame#", "Time", *(cell for name in names for cell in (name, "", ""))],
        ["", "", *axes],
    ]
    # Double precision, so that the factor does not round the positions.
    millimetres = 1000.0 * sequence.keypoints[0].astype(np.float64)
    for frame, values in enumerate(millimetres.reshape(sequence.num_frames, -1).tolist()):
        cells = ["" if np.isnan(value) else f"{value:.9g}" for value in values]
        lines.append([str(frame + 1), f"{frame / sequence.fps:.6f}", *cells])
    return "".join("\t".join(line) + "\n" for line in lines).encode()


FORMAT = Format(
    name="trc",
    title="TRC marker trajectories",
    matches=lambda path, head: head.lstrip().startswith(b"PathFileType"),
    read=read,
    pattern="*.trc",
    container="text",
    signature="text that starts with PathFileType, with DataRate, Units and marker names",
    writer=Writer("trc", "TRC marker trajectories, millimetres", ".trc", encode),
)
