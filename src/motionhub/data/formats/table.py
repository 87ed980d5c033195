"""CSV tables, read (wide: a row a frame, columns `nose_x nose_y ...` or `x_nose`; long: a row a joint) and written.

A table has no place for units and image sizes. Columns it has no use for are ignored. The separator is the one of
comma, semicolon and tab that the header has most of. Written tables are wide, with columns `frame time person nose_x
...`; the frame rate is in the `time` column, so a single frame has none.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionhub.data.formats.detections import frame_positions
from motionhub.data.formats.files import bad_file, read_text
from motionhub.data.formats.format import (
    Format,
    ReadOptions,
    Writer,
    checked_size,
    file_tracks,
    layout_of_names,
    rate_of,
)
from motionhub.skeletons.sequence import SkeletonSequence


_CONFIDENCE = ("confidence", "conf", "score", "likelihood", "visibility", "c")
_FRAME = ("frame", "frame_index", "frame_id", "frame_number", "frame#")
_TIME = ("time", "time_s", "timestamp", "seconds")
_PERSON = ("person", "person_id", "track", "track_id", "id")
_JOINT = ("joint", "joint_name", "keypoint", "landmark", "marker", "bodypart", "name")
_AXES = ("x", "y", "z")
_SUFFIXED = re.compile(rf"(.+)[_. ]({'|'.join((*_AXES, *_CONFIDENCE))})", re.IGNORECASE)
_PREFIXED = re.compile(rf"({'|'.join((*_AXES, *_CONFIDENCE))})[_. ](.+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Header:
    """Which column holds what.

    Args:
        frame, time, person, joint: column numbers, or None.
        values: joint name -> the columns of x, y, (z,) (confidence); in a long table the one entry "".
        dims, scored: how many coordinates, and whether a confidence follows them.
    """

    frame: int | None
    time: int | None
    person: int | None
    joint: int | None
    values: dict[str, list[int]]
    dims: int
    scored: bool


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2 or 3)`. An empty cell, or nan, is missing.

    Without a frame column the rows are the frames. A `time` column (seconds) gives the frame rate. Named joints are
    the layout (a known one where names and order agree); a layout given as an option takes its joints out of them.
    """
    lines = _lines(path)
    names = next(lines, [])
    header = _header(names)
    if header is None:
        raise bad_file(path, "line 1", f"expected columns such as nose_x, nose_y or joint, x, y; got {names[:12]}.")
    rows = list(_rows(path, header, lines))
    if not rows:
        raise bad_file(path, "line 2", "the table has no rows.")
    frames, period = _frames(path, header, rows)
    positions = frame_positions(path, frames)
    people = list(dict.fromkeys(row.person for row in rows))
    joints = list(header.values) if header.joint is None else list(dict.fromkeys(row.joint for row in rows))
    length = max(positions.values()) + 1
    checked_size(path, len(people), length, len(joints), header.dims + 1)
    values = np.full((len(people), length, len(joints), header.dims + header.scored), np.nan, np.float32)
    with np.errstate(over="ignore"):  # what is infinite as float32 is missing
        _fill(path, header, rows, [positions[frame] for frame in frames], people, joints, values)
    layout, order = layout_of_names(path, joints, options)
    confidence = np.nan_to_num(values[..., order, header.dims]) if header.scored else None
    clip = options.sequence(
        path,
        values[..., order, : header.dims],
        layout,
        fps=options.fps_of(path, None if period is None else rate_of(period)),
        unit=options.unit_of(path),
        image_size=options.image_size_of(path),
        confidence=confidence,
        track_ids=_track_ids(people),
    )
    return [clip]


@dataclass(frozen=True)
class _Row:
    line: int
    frame: float
    time: float
    person: str
    joint: str
    numbers: np.ndarray


def _lines(path: Path) -> Iterator[list[str]]:
    text = read_text(path).splitlines()
    separator = _separator(text[0])
    rows = csv.reader((line.replace("\0", "") for line in text), delimiter=separator)
    while True:
        try:
            yield [cell.strip() for cell in next(rows)]
        except StopIteration:
            return
        except csv.Error as error:
            raise bad_file(path, f"line {rows.line_num}", f"not a table: {error}.") from None


def _separator(line: str) -> str:
    return max(",;\t", key=line.count)


def _header(names: list[str]) -> _Header | None:
    """What the columns are, or None when they are no poses."""
    plain = [name.lower() for name in names]

    def first(known: tuple[str, ...]) -> int | None:
        return next((column for column, name in enumerate(plain) if name in known), None)

    joint = first(_JOINT)
    special = {"frame": first(_FRAME), "time": first(_TIME), "person": first(_PERSON)}
    parts: dict[str, dict[str, int]] = {}
    if joint is not None and {"x", "y"} <= {*plain}:
        parts[""] = {_kind(name): column for column, name in enumerate(plain) if name in (*_AXES, *_CONFIDENCE)}
    else:
        joint = None
        for column, name in enumerate(names):
            if column in special.values():
                continue
            suffixed, prefixed = _SUFFIXED.fullmatch(name), _PREFIXED.fullmatch(name)
            if suffixed or prefixed:
                who, kind = (suffixed[1], suffixed[2]) if suffixed else (prefixed[2], prefixed[1])  # type: ignore[index]
                parts.setdefault(who, {})[_kind(kind)] = column
    parts = {who: kinds for who, kinds in parts.items() if {"x", "y"} <= kinds.keys()}
    if not parts:
        return None
    dims = 3 if all("z" in kinds for kinds in parts.values()) else 2
    scored = all("confidence" in kinds for kinds in parts.values())
    wanted = [*_AXES[:dims], *(["confidence"] if scored else [])]
    values = {who: [kinds[kind] for kind in wanted] for who, kinds in parts.items()}
    return _Header(**special, joint=joint, values=values, dims=dims, scored=scored)


def _kind(name: str) -> str:
    return name.lower() if name.lower() in _AXES else "confidence"


def _rows(path: Path, header: _Header, lines: Iterator[list[str]]) -> Iterator[_Row]:
    columns = [column for group in header.values.values() for column in group]
    needed = [column for column in (header.frame, header.time, header.person, header.joint) if column is not None]
    width = max(columns + needed) + 1
    for line, cells in enumerate(lines, start=2):
        if not any(cells):
            continue
        if len(cells) < width:
            raise bad_file(path, f"line {line}", f"expected {width} columns or more, got {len(cells)}; cut off?")
        yield _Row(
            line,
            np.nan if header.frame is None else _number(path, line, cells[header.frame]),
            np.nan if header.time is None else _number(path, line, cells[header.time]),
            "0" if header.person is None else cells[header.person],
            "" if header.joint is None else cells[header.joint],
            np.array([_number(path, line, cells[column]) for column in columns]),
        )


def _number(path: Path, line: int, cell: str) -> float:
    if not cell:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        raise bad_file(path, f"line {line}", f"expected a number, got {cell[:40]!r}.") from None


def _frames(path: Path, header: _Header, rows: list[_Row]) -> tuple[list[int], float | None]:
    """The frame number of each row, and the seconds from one to the next where the file tells."""
    times = np.array([row.time for row in rows])
    if header.frame is not None:
        for row in rows:
            if not abs(row.frame) < 1e15 or row.frame != int(row.frame):
                raise bad_file(path, f"line {row.line}", f"expected a whole frame number, got {row.frame}.")
        frames = [int(row.frame) for row in rows]
    elif header.time is not None:
        if not np.isfinite(times).all():
            raise bad_file(path, "time", "expected a number in every row.")
        # Rows of the same time are one frame.
        frames = np.unique(times, return_inverse=True)[1].tolist()
    elif header.joint is not None:
        raise bad_file(path, "line 1", "a table with a row a joint needs a column 'frame' or 'time'.")
    else:
        seen: dict[str, int] = {}
        frames = [seen.setdefault(row.person, -1) for row in rows]
        for index, row in enumerate(rows):
            seen[row.person] += 1
            frames[index] = seen[row.person]
    return frames, _period(path, header, frames, times)


def _period(path: Path, header: _Header, frames: list[int], times: np.ndarray) -> float | None:
    """Seconds between positions, from a time column that advances evenly."""
    numbers, first = np.unique(frames, return_index=True)
    if header.time is None or len(numbers) < 2 or not np.isfinite(times).all():
        return None
    positions = frame_positions(path, numbers.tolist())
    steps = np.diff(times[first]) / np.diff([positions[int(number)] for number in numbers])
    period = float(np.median(steps))
    if not 1e-3 <= period <= 10 or np.abs(steps - period).max() > 0.1 * period:
        if header.frame is not None:
            return None  # the frames are numbered, so the caller's rate will do
        reason = f"expected seconds that advance evenly, got steps of {steps.min():g} to {steps.max():g}"
        raise bad_file(path, "time", f"{reason}; drop the column and give fps=.")
    return float((times[first][-1] - times[first][0]) / (positions[int(numbers[-1])]))


def _fill(
    path: Path,
    header: _Header,
    rows: list[_Row],
    times: list[int],
    people: list[str],
    joints: list[str],
    values: np.ndarray,
) -> None:
    who = {person: index for index, person in enumerate(people)}
    which = {joint: index for index, joint in enumerate(joints)}
    taken: set[tuple[int, int, int]] = set()
    for row, time in zip(rows, times, strict=True):
        key = (who[row.person], time, which[row.joint] if header.joint is not None else 0)
        if key in taken:
            raise bad_file(path, f"line {row.line}", "the same frame, person and joint occur twice.")
        taken.add(key)
        if header.joint is None:
            values[key[:2]] = row.numbers.reshape(len(joints), -1)
        else:
            values[key] = row.numbers


def _track_ids(people: list[str]) -> tuple[int, ...] | None:
    """The file's person numbers; people with names are numbered in the order in which they appear."""
    if all(person.isascii() and person.isdigit() and len(person) < 19 for person in people):
        numbers = tuple(int(person) for person in people)
        return numbers if len(set(numbers)) == len(numbers) else None
    return None


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
    rows.writerow(
        ["frame", "time", "person", *(f"{name}_{part}" for name in sequence.layout.joints for part in parts)]
    )
    for frame in range(sequence.num_frames):
        for person, track in enumerate(file_tracks(sequence)):
            cells = ["" if np.isnan(value) else str(value) for value in values[person, frame].ravel()]
            rows.writerow([frame, frame / sequence.fps, track, *cells])
    return stream.getvalue().encode()


def matches(path: Path, head: bytes) -> bool:
    if b"\0" in head or head[:1] in (b"{", b"["):
        return False
    first = head.decode(errors="replace").splitlines()[:1]
    names = [name.strip().strip('"') for name in first[0].split(_separator(first[0]))] if first else []
    return len(names) > 2 and _header(names) is not None


FORMAT = Format(
    name="csv",
    title="CSV table of poses",
    matches=matches,
    read=read,
    pattern="*.csv",
    container="text",
    signature="table with columns frame, nose_x, nose_y, ... (or x_nose), or frame, joint, x, y",
    needs=("fps", "unit"),
    writer=Writer("csv", "CSV table, a row a person and frame", ".csv", encode),
)
