"""Reads wide CSV tables (row per frame, columns `nose_x` or `x_nose`) and long ones (row per joint); writes wide ones.

`columns.py` says which names are understood. The separator is the most frequent one of comma, semicolon, tab and blank
in the header; with another separator than the comma, or in quotes, a number may have a decimal comma. Written tables
have the columns `frame time person unit layout fps (up) (image_size) nose_x ...`, so that they need no further
metadata; those of earlier versions have `frame time person nose_x ...`.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import MISSING, Row, numbers, rows_of_cells, separator_of, text_lines
from motionhub.data.formats.columns import OF_PERSON, Columns, by_person, columns_of
from motionhub.data.formats.detections import Detection, Frames, clip_of
from motionhub.data.formats.files import bad_file, nan_at_origin, note
from motionhub.data.formats.format import (
    FILE_UNITS,
    HOLISTIC,
    Format,
    ReadOptions,
    UnstatedFact,
    checked_joints,
    checked_size,
    layout_of_names,
)
from motionhub.data.formats.moments import people_of, positions_of, recordings
from motionhub.data.formats.table_header import MOST_COLUMNS, header_of, number_or_none
from motionhub.data.formats.upright import up_of
from motionhub.data.formats.writing import Writer, file_tracks
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.sequence import SkeletonSequence


# Coordinates that programs write for a joint they did not find.
_SENTINELS = (-999.0, -9999.0, -99999.0)
_RATES = ("fps", "frame_rate", "framerate", "frame rate")
_STATES = {"tracked": "1", "inferred": "0.5", "nottracked": "0", "not_tracked": "0", "true": "1", "false": "0"}
# The first columns of a written table, and those that state the same facts in every row.
_FIRST, _FACTS = ["frame", "time", "person", "unit"], ("unit", "layout", "fps", "up", "image_size")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """Clips of `(people, frames, joints, 2 or 3)`, one per recording that a column names (`video`, `trial`, ...).

    Numbers of frames, names of images and time stamps (seconds, or milliseconds and the like by name or step) decide
    positions and rate; without them the rows are the frames. Of a video at `fps`, rows of every third frame are a clip
    at a third of it. The joint names define the layout (a known one where names and order agree); a layout given as an
    option selects its joints, and orders numbered ones.

    An empty cell, or a word such as NA, is missing; so is a joint at the origin of an image whose score is 0.

    Raises:
        ValueError: two rows of one person, moment and joint; names the columns that were not understood.
    """
    lines = text_lines(path)
    start, names, rate = header_of(lines)
    if len(names) > MOST_COLUMNS:
        raise bad_file(path, "line 1", f"expected at most {MOST_COLUMNS} columns, got {len(names)}.")
    columns = columns_of(names)
    if columns is None:
        raise bad_file(path, "line 1", f"expected columns such as nose_x, nose_y or joint, x, y; got {names[:12]}.")
    if rate is not None:
        options = replace(options, fps=options.fps_of(path, rate))
    rows = _rows(path, columns, lines, start)
    if _name_their_rows(path, names, rows):
        names = ["", *names]
        columns = columns_of(names) or columns
    _note_unread_moments(path, names, columns, rows)
    if (stated := _stated_rate(path, names, rows)) is not None:
        options = replace(options, fps=options.fps_of(path, stated))
    up = None
    if names[: len(_FIRST)] == _FIRST:
        columns, options, up = _with_facts(path, names, columns, rows[0][1], options)
    _state(path, names, columns)
    clips = []
    for group in recordings(path, columns, rows):
        clips.append(_clip(path, names, columns, group, options, up))
    return clips


def _with_facts(
    path: Path, names: list[str], columns: Columns, cells: list[str], options: ReadOptions
) -> tuple[Columns, ReadOptions, str | None]:
    """Columns and options with the facts that a table of our own states, and the axis that points up."""
    facts = {name: cells[names.index(name)].strip() for name in _FACTS if name in names}
    if facts["unit"] not in FILE_UNITS:
        raise bad_file(path, "unit", f"expected one of {list(FILE_UNITS)}, got {facts['unit']!r}.")
    left = tuple(name for name in columns.doubtful if name not in _FACTS)
    columns = replace(columns, units=columns.units or (facts["unit"],), doubtful=left)
    rate, layout = number_or_none(facts.get("fps", "")), facts.get("layout", "")
    if rate is not None:
        options = replace(options, fps=options.fps_of(path, rate))
    if options.layout is None and layout in LAYOUTS:
        options = replace(options, layout=layout)
    if size := re.fullmatch(r"(\d{1,6})x(\d{1,6})", facts.get("image_size", "")):
        options = replace(options, image_size=options.image_size_of(path, (int(size[1]), int(size[2]))))
    return columns, options, facts.get("up") or None


def _state(path: Path, names: list[str], columns: Columns) -> None:
    """Notes for columns that are not read."""
    if columns.left_out:
        note(path, "columns", f"no positions, so not read: {_listed(columns.left_out)}.")
    if columns.doubtful:
        reason = "not read although it may name people, frames or times"
        fix = 'rename it to "person_id", "frame" or "time" if it does'
        note(path, "columns", f"{reason}: {_listed(columns.doubtful)}; {fix}.")
    if columns.unread:
        text = "not read, as x or y of the joint is absent, or other joints do not have it"
        note(path, "columns", f"{text}: {_listed(columns.unread)}.")
    if columns.repeated:
        fix = 'call those of another person "person2_nose_x"'
        raise bad_file(path, "columns", f"these occur twice: {_listed(columns.repeated)}; {fix}, or remove them.")
    if len(columns.units) > 1:
        raise bad_file(path, "columns", f"expected one unit in the names of the columns, got {list(columns.units)}.")


def _stated_rate(path: Path, names: list[str], rows: list[Row]) -> float | None:
    """The rate in a column called fps, the same in all rows."""
    column = next((at for at, name in enumerate(names) if name.lower() in _RATES), None)
    if column is None or any(len(cells) <= column for _, cells in rows):
        return None
    found = {cells[column] for _, cells in rows}
    rate = number_or_none(next(iter(found))) if len(found) == 1 else None
    if rate is None:
        note(
            path,
            "columns",
            f"{names[column]!r} is not one rate for all rows ({sorted(found)[:3]}), so it is not read.",
        )
    return rate


def _note_unread_moments(path: Path, names: list[str], columns: Columns, rows: list[Row]) -> None:
    """Numbers that ascend from row to row, other than one by one, in a table without frames and times."""
    if columns.frame is not None or columns.time is not None or columns.joint is not None or len(rows) < 3:
        return
    read = {*columns.coordinates, *columns.special}
    for column, name in enumerate(names):
        if column in read or name in columns.doubtful or any(len(cells) <= column for _, cells in rows):
            continue
        try:
            steps = {float(later[column]) - float(cells[column]) for (_, cells), (_, later) in pairwise(rows)}
        except ValueError:
            continue
        if min(steps) > 0 and steps != {1.0}:
            text = f"column {column + 1} ({name or 'without a name'}) ascends from row to row but is not read"
            note(path, "columns", f'{text}; rename it to "frame" or "time" if it says when.')


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _rows(path: Path, columns: Columns, lines: list[str], start: int) -> list[Row]:
    header = lines[start - 1].lstrip("# ")
    width = max(*columns.coordinates, *columns.special, 0) + 1
    rows = []
    for line, cells in enumerate(rows_of_cells(path, lines[start:], separator_of(header), start + 1), start + 1):
        if any(cells):
            if len(cells) < width:
                reason = f"expected at least {width} columns, got {len(cells)}; cut off?"
                raise bad_file(path, f"line {line}", reason)
            rows.append((line, cells))
    if not rows:
        raise bad_file(path, f"line {start + 1}", "the table has no rows.")
    return rows


def _name_their_rows(path: Path, names: list[str], rows: list[Row]) -> bool:
    """Whether each row has one cell more than the header, as R writes them: first the name of the row.

    Raises ValueError where rows have more cells with content than the header has, and are not of that form.
    """
    wide = [(line, cells) for line, cells in rows if any(cells[len(names) :])]
    if not wide:
        return False
    if all(len(cells) == len(names) + 1 for _, cells in rows):
        note(
            path, "columns", "rows have a cell more than the header: the first is the name of the row, as R writes it."
        )
        return True
    line, cells = wide[0]
    reason = f"expected {len(names)} cells, as the header has, got {len(cells)}; does a number have a decimal comma?"
    raise bad_file(path, f"line {line}", f"{reason} Separate the cells by semicolons then.")


def _clip(
    path: Path, names: list[str], columns: Columns, rows: list[Row], options: ReadOptions, up: str | None
) -> SkeletonSequence:
    people, person_of = _numbered(people_of(columns, rows))
    positions, options, rate = positions_of(path, names, columns, rows, options)
    joints, joint_of = list(columns.values), None
    groups = by_person(columns.values) if columns.joint is None and columns.person is None else None
    if groups is not None:
        if not any(map(OF_PERSON.fullmatch, names)):
            who = _listed([name or "without a name" for name in groups])
            note(path, "columns", f"the names of the columns are of {len(groups)} people: {who}.")
        people, person_of = list(groups), np.zeros(len(rows), np.int64)
        joints = list(dict.fromkeys(joint for group in groups.values() for joint in group))
    elif columns.joint is not None:
        joints, joint_of = _numbered([cells[columns.joint] for _, cells in rows])
    checked_joints(path, len(joints))
    length, depth = int(positions.max()) + 1, columns.dims + columns.scored
    places = [person_of, positions] if joint_of is None else [person_of, positions, joint_of]
    if columns.person is not None and joint_of is None and _identify_nobody(path, people, places):
        return _followed(path, columns, rows, positions, length, joints, options, rate, up)
    checked_size(path, len(people), length, len(joints), columns.dims + 1)
    _check_unique(path, names, columns, rows, places)
    content = _content(path, columns, rows)
    values = np.full((len(people), length, len(joints), depth), np.nan, np.float32)
    with np.errstate(over="ignore"):  # values that overflow float32 are missing
        if groups is None:
            values[tuple(places)] = content.reshape(len(rows), *values.shape[len(places) :])
        else:
            order = {column: place for place, column in enumerate(columns.coordinates)}
            for person, group in enumerate(groups.values()):
                for joint, own in group.items():
                    values[person, positions, joints.index(joint)] = content[:, [order[column] for column in own]]
    layout, chosen = _layout(path, joints, options)
    unit = options.unit_of(path, columns.unit, dims=columns.dims)
    points, confidence = _seen(path, columns, values[:, :, chosen], unit)
    up = up or _up(path, layout, points, unit)
    return options.sequence(
        path, points, layout, fps=rate, unit=unit, confidence=confidence, track_ids=_track_ids(people), up=up
    )


def _up(path: Path, layout: SkeletonLayout, points: np.ndarray, unit: str) -> str | None:
    """The axis along which bodies in units of length stand; a table does not state it."""
    if unit in ("pixel", "normalised"):
        return "-y"
    if points.shape[-1] != 3 or FILE_UNITS[unit][0] != "metre":
        return None
    up = up_of(path, layout.joints, points, None)
    if up not in (None, "y"):
        fix = 'sequence.replace(up="y") states it if they lie'
        note(path, "axes", f"no axis is stated as up; the bodies stand along {up}, which is read as up; {fix}.")
    return up


def _keys(places: list[np.ndarray]) -> np.ndarray:
    """One number for each combination of places."""
    return np.ravel_multi_index(tuple(places), tuple(int(each.max()) + 1 for each in places))


def _identify_nobody(path: Path, people: list[str], places: list[np.ndarray]) -> bool:
    """Whether person numbers are absent in some rows of several people, repeat in a frame, or never occur again."""
    absent = len(people) > 1 and any(person.lower() in MISSING for person in people)
    if absent:
        note(path, "people", "some rows have no person, so people are followed by their keypoints.")
    repeated = len(np.unique(_keys(places))) < len(places[0])
    if repeated and not absent:
        text = "several rows of a frame have the same person, which identifies nobody"
        note(path, "people", f"{text}, so people are followed by their keypoints.")
    once = not absent and len(people) == len(places[0]) > 2 * int(np.bincount(places[1]).max())
    if once:
        text = "no person occurs in two frames, so the column identifies rows, not people"
        note(path, "people", f"{text}; people are followed by their keypoints.")
    return absent or repeated or once


def _followed(
    path: Path,
    columns: Columns,
    rows: list[Row],
    positions: np.ndarray,
    length: int,
    joints: list[str],
    options: ReadOptions,
    rate: float | None,
    up: str | None,
) -> SkeletonSequence:
    content = _content(path, columns, rows).reshape(len(rows), len(joints), -1)
    layout, chosen = _layout(path, joints, options)
    unit = options.unit_of(path, columns.unit, dims=columns.dims)
    points, confidence = _seen(path, columns, content[:, chosen], unit)
    frames: Frames = [[] for _ in range(length)]
    for row, position in enumerate(positions.tolist()):
        frames[position].append(Detection(points[row], None if confidence is None else confidence[row]))
    up = up or _up(path, layout, points, unit)
    return clip_of(path, frames, options, layout, unit=unit, fps=rate, dims=columns.dims, up=up)


def _content(path: Path, columns: Columns, rows: list[Row]) -> np.ndarray:
    """`(rows, columns)` of coordinates and scores; words of a tracking state are scores."""
    if "state" in columns.score_name.lower() or "visible" in columns.score_name.lower():
        every = columns.dims + 1
        scores = {column for place, column in enumerate(columns.coordinates) if place % every == columns.dims}
        rows = [
            (line, [_STATES.get(cell.lower(), cell) if at in scores else cell for at, cell in enumerate(cells)])
            for line, cells in rows
        ]
    return numbers(path, rows, columns.coordinates)


def _seen(path: Path, columns: Columns, values: np.ndarray, unit: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Points, NaN where a joint was not found, and confidences, 0 where its cells are empty."""
    points, confidence = values[..., : columns.dims], None
    if columns.scored:
        confidence = np.nan_to_num(values[..., columns.dims])
        flags = np.isin(values[..., columns.dims], (0, 1, 2)) | np.isnan(values[..., columns.dims])
        if flags.all() and (confidence == 2).any():  # annotated: 0 not labelled, 1 occluded, 2 visible
            points = np.where(confidence[..., None] == 0, np.nan, points)
            confidence = confidence / 2
        points = nan_at_origin(points, confidence)
    elif unit == "pixel":
        points = nan_at_origin(points)
    marked = np.any([(points == value).all(axis=-1) for value in _SENTINELS], axis=0)
    if marked.any():
        value = points[marked][0, 0]
        note(path, "coordinates", f"{marked.sum()} joints at {value:g} in every coordinate are read as missing.")
        points = np.where(marked[..., None], np.nan, points)
    if confidence is not None:
        confidence = np.where(np.isfinite(points).all(axis=-1), confidence, 0)
    return points, confidence


def _layout(path: Path, joints: list[str], options: ReadOptions) -> tuple[SkeletonLayout, list[int]]:
    """The layout, and the position of each of its joints in the file; numbers count the joints of a given layout."""
    if not all(joint.isascii() and joint.isdigit() and len(joint) < 10 for joint in joints):
        return layout_of_names(path, joints, options)
    counted = sorted(joints, key=int)
    first = int(counted[0])
    if [int(joint) for joint in counted] != list(range(first, first + len(joints))) or first > 1:
        reason = f"expected joints numbered from 0 or 1 without gaps, got {counted[:40]}."
        raise bad_file(path, "joints", reason)
    if options.layout is None:
        same = [name for name, layout in LAYOUTS.items() if layout.num_joints == len(joints)]
        call = f'motionhub.read("{path}", layout="{same[0] if same else "LAYOUT.yaml"}")'
        known = f"it has {len(joints)} numbered joints; known layouts of as many: {', '.join(same) or 'none'}"
        reason = f"the file does not state it; {known}; call {call} with the true one."
        raise UnstatedFact(str(bad_file(path, "layout", reason)), "layout")
    if options.layout_of(path).joints == LAYOUTS["mediapipe-33"].joints and len(counted) in HOLISTIC:
        note(path, "joints", f"the first 33 of {len(counted)} are the body of MediaPipe; face and hands are left out.")
        counted = counted[:33]
    layout, order = layout_of_names(path, counted, options)
    return layout, [joints.index(counted[place]) for place in order]


def _numbered(texts: list[str]) -> tuple[list[str], np.ndarray]:
    """The unique texts in the order of their appearance, and the position of each text among them."""
    number_of = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return list(number_of), np.array([number_of[text] for text in texts])


def _check_unique(path: Path, names: list[str], columns: Columns, rows: list[Row], places: list[np.ndarray]) -> None:
    _, first = np.unique(_keys(places), return_index=True)
    if len(first) == len(rows):
        return
    again = rows[np.setdiff1d(np.arange(len(rows)), first)[0]][0]
    read_ones = [names[column] for column in columns.special]
    unread = [name for column, name in enumerate(names) if column not in {*columns.coordinates, *columns.special}]
    reason = f"the same frame, person and joint occur twice (columns {read_ones}; not read: {unread[:12]})"
    fix = 'name the column of people "person_id", of frames "frame" and of recordings "video"'
    raise bad_file(path, f"line {again}", f"{reason}; {fix}, or remove the row.")


def _track_ids(people: list[str]) -> tuple[int, ...] | None:
    """The person numbers of the file; None where they have names or are not unique."""
    if not all(person.isascii() and person.isdigit() and len(person) < 19 for person in people):
        return None
    own = tuple(int(person) for person in people)
    return own if len(set(own)) == len(own) else None


def encode(sequence: SkeletonSequence) -> bytes:
    """UTF-8 text. An empty cell is missing; a confidence is a column `nose_confidence`."""
    if not sequence.num_people or not sequence.num_frames:
        raise ValueError("a CSV table needs a person and a frame, got an empty sequence; write .npz.")
    values, parts = sequence.keypoints, ["x", "y", "z"][: sequence.num_dims]
    if sequence.confidence is not None:
        values = np.concatenate([values, sequence.confidence[..., None]], axis=-1)
        parts.append("confidence")
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    columns = [f"{name}_{part}" for name in sequence.layout.joints for part in parts]
    facts = {"unit": sequence.unit, "layout": sequence.layout.name, "fps": repr(sequence.fps)}
    facts |= {} if sequence.up is None else {"up": sequence.up}
    facts |= {} if sequence.image_size is None else {"image_size": "{}x{}".format(*sequence.image_size)}
    rows.writerow(["frame", "time", "person", *facts, *columns])
    for frame in range(sequence.num_frames):
        for person, track in enumerate(file_tracks(sequence)):
            cells = ["" if np.isnan(value) else str(value) for value in values[person, frame].ravel()]
            rows.writerow([frame, frame / sequence.fps, track, *facts.values(), *cells])
    return stream.getvalue().encode()


def matches(path: Path, head: bytes) -> bool:
    """Whether a text begins with the header of a table of joints."""
    if b"\0" in head or head[:1] in (b"{", b"["):
        return False
    _, names, _ = header_of(head.decode(errors="replace").splitlines())
    return len(names) > 2 and columns_of(names) is not None


FORMAT = Format(
    name="csv",
    title="CSV table of poses",
    matches=matches,
    read=read,
    pattern="*.csv",
    container="text",
    signature="table with columns frame, nose_x, nose_y, ... (or x_nose), or frame, joint, x, y",
    needs=("fps", "unit"),
    writer=Writer("csv", "CSV table, one row per person and frame", ".csv", encode),
)
