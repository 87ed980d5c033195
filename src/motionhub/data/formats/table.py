"""Reads wide CSV tables (row per frame, columns `nose_x` or `x_nose`) and long ones (row per joint); writes wide ones.

Other columns are ignored. The separator is the most frequent one of comma, semicolon and tab in the header. Written
tables have the columns `frame time person nose_x ...`; `time` states the frame rate, except for a single frame.
"""

import csv
import io
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionhub.data.formats.detections import frame_positions
from motionhub.data.formats.files import bad_file, read_text
from motionhub.data.formats.format import Format, ReadOptions, checked_size, layout_of_names, rate_of
from motionhub.data.formats.writing import Writer, file_tracks
from motionhub.skeletons.sequence import SkeletonSequence


_CONFIDENCE = ("confidence", "conf", "score", "likelihood", "visibility", "c")
_FRAME = ("frame", "frame_index", "frame_id", "frame_number", "frame#")
_TIME = ("time", "time_s", "timestamp", "seconds")
_PERSON = ("person", "person_id", "track", "track_id", "id")
_JOINT = ("joint", "joint_name", "keypoint", "landmark", "marker", "bodypart", "name")
_AXES = ("x", "y", "z")
_SUFFIXED = re.compile(rf"(.+)[_. ]({'|'.join((*_AXES, *_CONFIDENCE))})", re.IGNORECASE)
_PREFIXED = re.compile(rf"({'|'.join((*_AXES, *_CONFIDENCE))})[_. ](.+)", re.IGNORECASE)


Row = tuple[int, list[str]]  # line number, cells


@dataclass(frozen=True)
class _Header:
    """Column numbers; `values`: joint name ("" in a long table) -> columns of coordinates (and confidence)."""

    frame: int | None
    time: int | None
    person: int | None
    joint: int | None
    values: dict[str, list[int]]
    dims: int
    scored: bool

    @property
    def columns(self) -> list[int]:
        return [column for group in self.values.values() for column in group]


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2 or 3)`. An empty cell, or nan, is missing.

    Without a frame column the rows are the frames. A `time` column (seconds) gives the frame rate. The joint names
    define the layout (a known one where names and order agree); a layout given as an option selects its joints.
    """
    lines = _lines(path)
    names = next(lines, [])
    header = _header(names)
    if header is None:
        raise bad_file(path, "line 1", f"expected columns such as nose_x, nose_y or joint, x, y; got {names[:12]}.")
    rows = _rows(path, header, lines)
    content = _numbers(path, rows, header.columns)
    frames, period = _frames(path, header, rows)
    positions = frame_positions(path, frames.tolist())
    people, person_of = _numbered(_texts(rows, header.person))
    joints, joint_of = list(header.values), None
    if header.joint is not None:
        joints, joint_of = _numbered(_texts(rows, header.joint))
    length = max(positions.values()) + 1
    checked_size(path, len(people), length, len(joints), header.dims + 1)
    index_of_frame = np.array([positions[frame] for frame in frames.tolist()])
    places = [person_of, index_of_frame] if joint_of is None else [person_of, index_of_frame, joint_of]
    _, first = np.unique(np.stack(places), axis=1, return_index=True)
    if len(first) < len(frames):
        again = rows[np.setdiff1d(np.arange(len(frames)), first)[0]][0]
        raise bad_file(path, f"line {again}", "the same frame, person and joint occur twice.")
    values = np.full((len(people), length, len(joints), header.dims + header.scored), np.nan, np.float32)
    with np.errstate(over="ignore"):  # values that overflow float32 are missing
        values[tuple(places)] = content.reshape(len(frames), *values.shape[len(places) :])
    layout, order = layout_of_names(path, joints, options)
    clip = options.sequence(
        path,
        values[..., order, : header.dims],
        layout,
        fps=None if period is None else rate_of(period),
        unit=options.unit_of(path),
        confidence=np.nan_to_num(values[..., order, header.dims]) if header.scored else None,
        track_ids=_track_ids(people),
    )
    return [clip]


def _rows(path: Path, header: _Header, lines: Iterator[list[str]]) -> list[Row]:
    special = (header.frame, header.time, header.person, header.joint)
    width = max(*header.columns, *(column for column in special if column is not None)) + 1
    rows = []
    for line, cells in enumerate(lines, start=2):
        if any(cells):
            if len(cells) < width:
                reason = f"expected at least {width} columns, got {len(cells)}; cut off?"
                raise bad_file(path, f"line {line}", reason)
            rows.append((line, cells))
    if not rows:
        raise bad_file(path, "line 2", "the table has no rows.")
    return rows


def _numbers(path: Path, rows: list[Row], columns: list[int]) -> np.ndarray:
    return np.array([[_number(path, line, cells[column]) for column in columns] for line, cells in rows])


def _texts(rows: list[Row], column: int | None) -> list[str]:
    return ["0" if column is None else cells[column] for _, cells in rows]


def _numbered(texts: list[str]) -> tuple[list[str], np.ndarray]:
    """The unique texts in the order of their appearance, and the position of each text among them."""
    number_of = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return list(number_of), np.array([number_of[text] for text in texts])


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
    """The meaning of the columns, or None when they are no poses."""
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


def _number(path: Path, line: int, cell: str) -> float:
    if not cell:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        raise bad_file(path, f"line {line}", f"expected a number, got {cell[:40]!r}.") from None


def _frames(path: Path, header: _Header, rows: list[Row]) -> tuple[np.ndarray, float | None]:
    """The frame number of each row, and the seconds per frame where the file states them."""
    times = np.zeros(len(rows)) if header.time is None else _numbers(path, rows, [header.time])[:, 0]
    if header.frame is not None:
        numbers = _numbers(path, rows, [header.frame])[:, 0]
        for (line, _), number in zip(rows, numbers, strict=True):
            if not abs(number) < 1e15 or number != int(number):
                raise bad_file(path, f"line {line}", f"expected a whole frame number, got {number}.")
        frames = numbers.astype(np.int64)
    elif header.time is not None:
        if not np.isfinite(times).all():
            raise bad_file(path, "time", "expected a number in every row.")
        frames = np.unique(times, return_inverse=True)[1]  # rows of the same time are one frame
    elif header.joint is not None:
        raise bad_file(path, "line 1", "a table with one row per joint needs a column 'frame' or 'time'.")
    else:
        appearances: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        frames = np.array([next(appearances[person]) for person in _texts(rows, header.person)], np.int64)
    return frames, _period(path, header, frames, times)


def _period(path: Path, header: _Header, frames: np.ndarray, times: np.ndarray) -> float | None:
    """Seconds per frame, from a time column with even steps."""
    numbers, first = np.unique(frames, return_index=True)
    if header.time is None or len(numbers) < 2 or not np.isfinite(times).all():
        return None
    positions = frame_positions(path, numbers.tolist())
    steps = np.diff(times[first]) / np.diff([positions[int(number)] for number in numbers])
    period = float(np.median(steps))
    if not 1e-3 <= period <= 10 or np.abs(steps - period).max() > 0.1 * period:
        if header.frame is not None:
            return None  # numbered frames need only `fps`
        reason = f"expected seconds that advance evenly, got steps of {steps.min():g} to {steps.max():g}"
        raise bad_file(path, "time", f"{reason}; drop the column and give fps=.")
    return float((times[first][-1] - times[first][0]) / (positions[int(numbers[-1])]))


def _track_ids(people: list[str]) -> tuple[int, ...] | None:
    """The person numbers of the file; None where they have names or are not unique."""
    if not all(person.isascii() and person.isdigit() and len(person) < 19 for person in people):
        return None
    numbers = tuple(int(person) for person in people)
    return numbers if len(set(numbers)) == len(numbers) else None


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
    rows.writerow(["frame", "time", "person", *columns])
    for frame in range(sequence.num_frames):
        for person, track in enumerate(file_tracks(sequence)):
            cells = ["" if np.isnan(value) else str(value) for value in values[person, frame].ravel()]
            rows.writerow([frame, frame / sequence.fps, track, *cells])
    return stream.getvalue().encode()


def matches(path: Path, head: bytes) -> bool:
    """Whether a text begins with the header of a table of joints."""
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
    writer=Writer("csv", "CSV table, one row per person and frame", ".csv", encode),
)
