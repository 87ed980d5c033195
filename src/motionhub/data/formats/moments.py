"""Who is seen when in a table: recordings, people and positions of its rows, by numbers, names of images and times."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from motionhub.data.formats.cells import MISSING, Row, numbers, whole_numbers
from motionhub.data.formats.clock import clock_seconds, place_stamps, seconds_per_stamp
from motionhub.data.formats.columns import Columns
from motionhub.data.formats.detections import frame_positions
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.folders import number_in, without_number
from motionhub.data.formats.format import ReadOptions


# More people than in one frame that is all of a file.
_CROWD = 8
_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_TIMECODE = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2})[:;](\d{1,3})")
_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".wmv")


def recordings(path: Path, columns: Columns, rows: list[Row]) -> list[list[Row]]:
    """The rows of each recording, in order: by the columns that name recordings, and by the names of images."""
    frame, groups = columns.frame, dict[tuple[str, ...], list[Row]]()
    named = frame is not None and not any(_is_number(cells[frame]) for _, cells in rows)
    if not named and not columns.recording:
        return [rows]
    for line, cells in rows:
        key = tuple(_without_number(cells[column], _IMAGES) for column in columns.recording)
        if named and frame is not None:
            key = (*key, _without_number(cells[frame]))
        groups.setdefault(key, []).append((line, cells))
    if len(groups) == len(rows) > 2:
        reason = "every row is a recording of its own, by the columns of recordings or the names of images"
        raise bad_file(path, "recordings", f'{reason}; call a column that numbers frames "frame".')
    return list(groups.values())


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _without_number(name: str, endings: tuple[str, ...] = ("",)) -> str:
    """The name of an image without its number: of one recording all are the same; `endings`: of names of images."""
    if not name.lower().endswith(endings):
        return name
    if name.lower() in MISSING or name.lower().endswith(_VIDEOS):
        return name
    return without_number(name)


def people_of(columns: Columns, rows: list[Row]) -> list[str]:
    """The person of each row: a name, or a number without decimals."""
    if columns.person is None:
        return ["0"] * len(rows)
    people = [cells[columns.person] for _, cells in rows]
    return [re.sub(r"\.0+$", "", person) for person in people]


def positions_of(
    path: Path, names: list[str], columns: Columns, rows: list[Row], options: ReadOptions
) -> tuple[np.ndarray, ReadOptions, float | None]:
    """The position of each row in the clip, the options with the rate of its frames, and the rate that times state."""
    frames = _frame_numbers(path, columns, rows)
    times = _times(path, columns, rows, options)
    moments = times if frames is None else frames
    if moments is None:
        return _without_frames(path, columns, rows), options, None
    unique, first, moment_of = np.unique(moments, return_index=True, return_inverse=True)
    if times is not None and columns.time is not None:
        stamps = times[first]
        if frames is None or (np.isfinite(stamps).all() and (np.diff(stamps) > 0).all()):
            seconds = (stamps - stamps[:1]) * _seconds_per_stamp(rows, columns, names, stamps)
            placed, rate = place_stamps(path, seconds, options)
            return placed[moment_of], options, rate
        text = f"{names[columns.time]!r} does not ascend from frame to frame, so the numbers of frames count."
        note(path, "time", text)
    positions, options = placed_frames(path, [int(frame) for frame in unique], options)
    return positions[moment_of], options, None


def placed_frames(path: Path, numbers: list[int], options: ReadOptions) -> tuple[np.ndarray, ReadOptions]:
    """The position in the clip of each frame number of a video, and the options with the rate of the clip.

    `fps` counts the frames of the video: of numbers in steps of three, the clip has a third of it.
    """
    places = frame_positions(path, numbers)
    first, last = min(numbers), max(numbers)
    step = (last - first) // max(places[last], 1)
    if step > 1 and options.fps is not None:
        rate = options.fps / step
        text = f"numbered in steps of {step}, of {options.fps:g} per second: a clip of {rate:.4g} fps."
        note(path, "frames", text)
        options = replace(options, fps=rate)
    return np.array([places[number] for number in numbers], np.int64), options


def _seconds_per_stamp(rows: list[Row], columns: Columns, names: list[str], stamps: np.ndarray) -> float:
    assert columns.time is not None
    cell = rows[0][1][columns.time]
    in_seconds = clock_seconds(cell) is not None or _TIMECODE.fullmatch(cell) is not None
    return 1.0 if in_seconds else seconds_per_stamp(stamps, names[columns.time])


def _frame_numbers(path: Path, columns: Columns, rows: list[Row]) -> np.ndarray | None:
    """The frame number of each row: whole numbers, or those in the names of images."""
    column = columns.frame
    if column is None:
        return None
    first = rows[0][1][column]
    if _is_number(first) or any(_is_number(cells[column]) or cells[column].lower() in MISSING for _, cells in rows):
        return whole_numbers(path, rows, column)
    names = [cells[column] for _, cells in rows]
    if all(name.lower().endswith(_VIDEOS) or not re.search(r"\d", name) for name in names):
        return None  # names of recordings
    absent = next((line for (line, _), name in zip(rows, names, strict=True) if not re.search(r"\d", name)), None)
    if absent is not None:
        raise bad_file(path, f"line {absent}", "expected a name of an image with its number.")
    return np.array([number_in(name, -1) for name in names], np.int64)


def _times(path: Path, columns: Columns, rows: list[Row], options: ReadOptions) -> np.ndarray | None:
    """The time stamp of each row; times of day, dates and time codes (at the stated rate) in seconds."""
    if columns.time is None:
        return None
    codes = [_TIMECODE.fullmatch(cells[columns.time]) for _, cells in rows]
    if all(codes):
        rate = options.fps_of(path)
        parts = np.array([[int(part) for part in code.groups()] for code in codes if code], np.float64)
        return parts @ [3600, 60, 1, 1 / rate]
    if clock_seconds(rows[0][1][columns.time]) is None:
        return numbers(path, rows, [columns.time])[:, 0]
    stamps = [clock_seconds(cells[columns.time]) for _, cells in rows]
    for (line, cells), stamp in zip(rows, stamps, strict=True):
        if stamp is None:
            raise bad_file(path, f"line {line}", f"expected a time of day, got {cells[columns.time][:40]!r}.")
    return np.array(stamps, np.float64)


def _without_frames(path: Path, columns: Columns, rows: list[Row]) -> np.ndarray:
    """Rows are frames: the n-th row of each person is frame n, which people who come and go would contradict."""
    if columns.joint is not None:
        raise bad_file(path, "line 1", "a table with one row per joint needs a column 'frame' or 'time'.")
    people = people_of(columns, rows)
    counts: dict[str, int] = {}
    positions = []
    for person in people:
        positions.append(counts.get(person, 0))
        counts[person] = positions[-1] + 1
    if len(counts) > 1:
        if len(counts) == len(rows) > _CROWD:
            reason = f"{len(rows)} rows are each another person and no column says when"
            raise bad_file(path, "columns", f'{reason}; call the column of people "frame" if it numbers the frames.')
        if len(set(counts.values())) > 1:
            reason = f"{len(counts)} people with {min(counts.values())} to {max(counts.values())} rows"
            raise bad_file(path, "columns", f'{reason} need a column "frame" or "time", which says who is seen when.')
        note(path, "columns", "no frames or times: the n-th row of each person is read as frame n.")
    return np.array(positions, np.int64)
