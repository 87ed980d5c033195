"""Reads the CSV of DeepLabCut, of one animal or person (three header lines) or several (four), and Lightning Pose's.

Header lines are called scorer, individuals (several only), bodyparts and coords; a first column has frame numbers, or
folder, video and name of the image. Body parts of the individual "single" belong to no one and are left out.
"""

import re
from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import numbers, rows_of_cells, separator_of, text_lines
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.folders import number_in
from motionhub.data.formats.format import Format, ReadOptions, checked_joints, checked_size, layout_of_names
from motionhub.data.formats.moments import placed_frames
from motionhub.skeletons.sequence import SkeletonSequence


LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_COORDS = ("x", "y", "z", "likelihood")
# (person, joint) -> coordinate -> column.
_Parts = dict[tuple[str, str], dict[str, int]]


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """Clips of `(people, frames, joints, 2)`, in pixels unless the options say otherwise; a clip for each video.

    `confidence` is the likelihood, 0 where the coordinates are missing. The frame rate is not in the file.
    """
    lines = text_lines(path)
    cells = [*rows_of_cells(path, lines, separator_of(lines[0]))]
    heads = {line[0].lower(): line for line in cells[:4] if line and line[0].lower() in LEVELS}
    depth = len(heads)
    if not {"bodyparts", "coords"} <= heads.keys():
        got = [line[0] for line in cells[:4] if line]
        raise bad_file(path, "line 1", f"expected header lines {list(LEVELS)}, got {got}.")
    first = next((column for column, kind in enumerate(heads["coords"][1:], 1) if kind), 1)
    columns = [
        {name: line[column] if column < len(line) else "" for name, line in heads.items()}
        for column in range(first, len(heads["coords"]))
    ]
    _, _, parts = _columns(path, columns, quiet=True)
    used = sorted(column for kinds in parts.values() for column in kinds.values())
    rows = [(line, row) for line, row in enumerate(cells[depth:], depth + 1) if any(row)]
    width = first + used[-1] + 1
    short = next((line for line, row in rows if len(row) < width), None)
    if short is not None or not rows:
        raise bad_file(path, f"line {short or depth + 1}", f"expected rows of {width} columns; is the file cut off?")
    checked_size(path, len(rows), len(columns))
    values = np.full((len(rows), len(columns)), np.nan)
    values[:, used] = numbers(path, rows, [first + column for column in used])
    index = [row[:first] for _, row in rows]
    return clips_of_table(path, columns, values, index, options, [f"line {line}" for line, _ in rows])


def clips_of_table(
    path: Path,
    columns: list[dict[str, str]],
    values: np.ndarray,
    index: list[list[str]],
    options: ReadOptions,
    places: list[str] | None = None,
) -> list[SkeletonSequence]:
    """A clip for each video.

    Args:
        columns: level ("individuals", "bodyparts", "coords") -> name, of each column.
        values: `(rows, columns)`.
        index: of each row the frame number, or folder, video and name of an image.
        places: of the rows in the file, for errors.
    """
    if values.ndim != 2 or values.shape != (len(index), len(columns)) or not len(values):
        expected = f"{len(index)} rows of {len(columns)} columns"
        raise bad_file(path, "values", f"expected {expected}, got the shape {values.shape}; the file is damaged.")
    people, joints, parts = _columns(path, columns)
    places = places or [f"row {row}" for row in range(len(values))]
    recordings: dict[str, list[tuple[int, int]]] = {}
    for row, (place, cells) in enumerate(zip(places, index, strict=True)):
        recording, frame = _moment(path, place, cells)
        recordings.setdefault(recording, []).append((frame, row))
    clips = []
    for found in recordings.values():
        frames = [frame for frame, _ in found]
        if len(set(frames)) < len(frames):
            place = places[found[-1][1]]
            raise bad_file(path, place, "expected every frame once; do two videos share the file?")
        chosen = values[[row for _, row in found]]
        clips.append(_clip(path, people, joints, parts, frames, chosen, options))
    return clips


def _columns(path: Path, columns: list[dict[str, str]], quiet: bool = False) -> tuple[list[str], list[str], _Parts]:
    """People, joints, and the columns of each joint of a person by coordinate."""
    found: _Parts = {}
    scorers: dict[str, None] = {}
    alone: set[str] = set()
    for column, level in enumerate(columns):
        person, joint, kind = level.get("individuals", ""), level.get("bodyparts", ""), level.get("coords", "").lower()
        scorers.setdefault(level.get("scorer", ""))
        if kind not in _COORDS:
            continue
        if person.lower() == "single":
            alone.add(joint)
            continue
        parts = found.setdefault((person, joint), {})
        if kind in parts:
            reason = f"{joint!r} has two columns {kind!r} (scorers {[*scorers]}); keep one scorer."
            raise bad_file(path, "bodyparts", reason)
        parts[kind] = column
    if alone and not quiet:
        note(path, "individuals", f"{', '.join(sorted(alone)[:8])} belong to no individual ('single'): not read.")
    found = {key: parts for key, parts in found.items() if {"x", "y"} <= parts.keys()}
    if not found:
        raise bad_file(path, "coords", "expected columns x and y of a body part.")
    return [*dict.fromkeys(person for person, _ in found)], [*dict.fromkeys(joint for _, joint in found)], found


def _moment(path: Path, place: str, cells: list[str]) -> tuple[str, int]:
    """The recording and the frame of a row: a number, or folder, video and name of an image."""
    last = cells[-1] if cells else ""
    if re.search(r"[A-Za-z]", last):
        found = number_in(last, -1)
        if found < 0:
            raise bad_file(path, place, f"expected a name with a number, got {last[:40]!r}.")
        return "/".join([*cells[:-1], last.rpartition("/")[0]]), found
    try:
        frame = float(last)
        whole = abs(frame) < 1e15 and frame == int(frame)
    except ValueError:
        whole = False
    if not whole:
        raise bad_file(path, place, f"expected a whole frame number, got {last[:40]!r}.")
    return "/".join(cells[:-1]), int(frame)


def _clip(
    path: Path,
    people: list[str],
    joints: list[str],
    columns: _Parts,
    frames: list[int],
    rows: np.ndarray,
    options: ReadOptions,
) -> SkeletonSequence:
    checked_joints(path, len(joints))
    at, options = placed_frames(path, frames, options)
    length = int(at.max()) + 1
    dims = 3 if all("z" in parts for parts in columns.values()) else 2
    checked_size(path, len(people), length, len(joints), dims + 1)
    values = np.full((len(people), length, len(joints), dims + 1), np.nan)
    row_of = {person: row for row, person in enumerate(people)}
    for (person, joint), parts in columns.items():
        place = row_of[person], at, joints.index(joint)
        values[place + (slice(0, dims),)] = rows[:, [parts[kind] for kind in ("x", "y", "z")[:dims]]]
        values[place + (dims,)] = rows[:, parts["likelihood"]] if "likelihood" in parts else 1
    layout, order = layout_of_names(path, joints, options)
    values = values[:, :, order]
    points = values[..., :dims]
    confidence = np.where(np.isfinite(points).all(axis=-1), np.nan_to_num(values[..., dims]), 0)
    unit = options.unit_of(path, assumed="pixel" if dims == 2 else None, dims=dims)
    return options.sequence(
        path, points, layout, unit=unit, confidence=confidence, up="-y" if unit == "pixel" and dims == 2 else None
    )


def matches(path: Path, head: bytes) -> bool:
    """Whether the first cells of the header lines are DeepLabCut's."""
    lines = head.decode(errors="replace").splitlines()[:4]
    names = [re.split(r"[,;\t]", line)[0].strip('" \ufeff').lower() for line in lines]
    return "bodyparts" in names and ("scorer" in names or "coords" in names)


FORMAT = Format(
    name="deeplabcut",
    title="DeepLabCut and Lightning Pose (CSV)",
    matches=matches,
    read=read,
    container="text",
    signature="table with header lines scorer, (individuals,) bodyparts, coords",
    needs=("fps",),
)
