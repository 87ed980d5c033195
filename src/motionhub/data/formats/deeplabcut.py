"""Reads the CSV of DeepLabCut, of one animal or person (three header lines) or several (four), and Lightning Pose's.

Header lines are called scorer, individuals (several only), bodyparts and coords; a first column has frame numbers, or
folder, video and name of the image. Body parts of the individual "single" belong to no one and are left out.
"""

import re
from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import number, numbers, rows_of_cells, separator_of, text_lines, whole_number
from motionhub.data.formats.coco import number_in
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.format import Format, ReadOptions, checked_joints, checked_size, layout_of_names
from motionhub.data.formats.moments import placed_frames
from motionhub.skeletons.sequence import SkeletonSequence


_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_COORDS = ("x", "y", "z", "likelihood")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """Clips of `(people, frames, joints, 2)`, in pixels unless the options say otherwise; a clip for each video.

    `confidence` is the likelihood, 0 where the coordinates are missing. The frame rate is not in the file.
    """
    lines = text_lines(path)
    cells = [*rows_of_cells(path, lines, separator_of(lines[0]))]
    heads = {line[0].lower(): line for line in cells[:4] if line and line[0].lower() in _LEVELS}
    depth = len(heads)
    if not {"bodyparts", "coords"} <= heads.keys():
        got = [line[0] for line in cells[:4] if line]
        raise bad_file(path, "line 1", f"expected header lines {list(_LEVELS)}, got {got}.")
    first = next((column for column, kind in enumerate(heads["coords"][1:], 1) if kind), 1)
    people, joints, columns = _columns(path, heads, first)
    rows = [(line, row) for line, row in enumerate(cells[depth:], depth + 1) if any(row)]
    width = max(column for kinds in columns.values() for column in kinds.values()) + 1
    short = next((line for line, row in rows if len(row) < width), None)
    if short is not None or not rows:
        raise bad_file(path, f"line {short or depth + 1}", f"expected rows of {width} columns; is the file cut off?")
    recordings: dict[str, list[tuple[int, int, list[str]]]] = {}
    for line, row in rows:
        recording, frame = _moment(path, line, row[:first])
        recordings.setdefault(recording, []).append((frame, line, row))
    return [_clip(path, people, joints, columns, rows, options) for rows in recordings.values()]


def _columns(
    path: Path, heads: dict[str, list[str]], first: int
) -> tuple[list[str], list[str], dict[tuple[str, str], dict[str, int]]]:
    """People, joints, and the columns of each joint of a person by coordinate."""
    columns: dict[tuple[str, str], dict[str, int]] = {}
    scorers: dict[str, None] = {}
    alone: set[str] = set()
    for column, kind in enumerate(heads["coords"][first:], first):
        level = {name: line[column] if column < len(line) else "" for name, line in heads.items()}
        person, joint = level.get("individuals", ""), level["bodyparts"]
        scorers.setdefault(level.get("scorer", ""))
        if kind.lower() not in _COORDS:
            continue
        if person.lower() == "single":
            alone.add(joint)
            continue
        parts = columns.setdefault((person, joint), {})
        if kind.lower() in parts:
            reason = f"{joint!r} has two columns {kind!r} (scorers {[*scorers]}); keep one scorer."
            raise bad_file(path, "bodyparts", reason)
        parts[kind.lower()] = column
    if alone:
        note(path, "individuals", f"{', '.join(sorted(alone)[:8])} belong to no individual ('single'): not read.")
    columns = {key: parts for key, parts in columns.items() if {"x", "y"} <= parts.keys()}
    if not columns:
        raise bad_file(path, "coords", "expected columns x and y of a body part.")
    people = [*dict.fromkeys(person for person, _ in columns)]
    joints = [*dict.fromkeys(joint for _, joint in columns)]
    return people, joints, columns


def _moment(path: Path, line: int, cells: list[str]) -> tuple[str, int]:
    """The recording and the frame of a row: a number, or folder, video and name of an image."""
    last = cells[-1]
    if re.search(r"[A-Za-z]", last):
        found = number_in(last, -1)
        if found < 0:
            raise bad_file(path, f"line {line}", f"expected a name with a number, got {last[:40]!r}.")
        return "/".join([*cells[:-1], last.rpartition("/")[0]]), found
    return "/".join(cells[:-1]), whole_number(path, line, last)


def _clip(
    path: Path,
    people: list[str],
    joints: list[str],
    columns: dict[tuple[str, str], dict[str, int]],
    rows: list[tuple[int, int, list[str]]],
    options: ReadOptions,
) -> SkeletonSequence:
    checked_joints(path, len(joints))
    frames = [frame for frame, _, _ in rows]
    if len(set(frames)) < len(frames):
        raise bad_file(path, f"line {rows[-1][1]}", "expected every frame once; do two videos share the file?")
    at, options = placed_frames(path, frames, options)
    length = int(at.max()) + 1
    dims = 3 if all("z" in parts for parts in columns.values()) else 2
    checked_size(path, len(people), length, len(joints), dims + 1)
    cells = [(line, row) for _, line, row in rows]
    values = np.full((len(people), length, len(joints), dims + 1), np.nan)
    row_of = {person: row for row, person in enumerate(people)}
    for (person, joint), parts in columns.items():
        own = [parts[kind] for kind in ("x", "y", "z")[:dims]]
        place = row_of[person], at, joints.index(joint)
        values[place + (slice(0, dims),)] = numbers(path, cells, own)
        if "likelihood" in parts:
            values[place + (dims,)] = [number(path, line, row[parts["likelihood"]]) for line, row in cells]
        else:
            values[place + (dims,)] = 1
    layout, order = layout_of_names(path, joints, options)
    values = values[:, :, order]
    points = values[..., :dims]
    confidence = np.where(np.isfinite(points).all(axis=-1), np.nan_to_num(values[..., dims]), 0)
    unit = options.unit_of(path, assumed="pixel" if dims == 2 else None)
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
