"""The header of a table of poses: below comments and titles, in one line, or in two with axes or units below."""

import csv
import re
from collections.abc import Sequence

from motionhub.data.formats.cells import separator_of
from motionhub.data.formats.columns import UNITS, columns_of


_RATE = re.compile(r"#\s*(?:fps|frame[ _]?rate|rate)\s*[=:,;]?\s*([0-9.]+)\s*", re.IGNORECASE)
# Of several people with a thousand joints each.
MOST_COLUMNS = 32_000
# Lines of comments, and of a title, above the header; Excel's line that names the separator.
_MOST_COMMENTS, _MOST_TITLES = 100, 20
_EXCEL = re.compile(r"\"?sep=.?\"?", re.IGNORECASE)
_UNIT_WORDS = {*UNITS, "", "s", "ms", "sec", "frames", "frame", "#", "-", "n/a", "none"}


def header_of(lines: Sequence[str]) -> tuple[int, list[str], float | None]:
    """The number of the header's line, its names, and the frame rate in a comment above it."""
    rate = None
    for row, line in enumerate(lines[:_MOST_COMMENTS]):
        plain = line.strip().lstrip("\ufeff")
        if plain.startswith("#"):
            if stated := _RATE.fullmatch(plain):
                rate = number_or_none(stated[1])
            names = _cells(plain.lstrip("# "))
            if columns_of(names) is None:
                continue
            return row + 1, names, rate
        if plain and not _EXCEL.fullmatch(plain):
            names, below = _cells(line), _cells(lines[row + 1]) if row + 1 < len(lines) else []
            if max(len(names), len(below)) > MOST_COLUMNS:  # read says so
                return row + 1, names, rate
            axes = [cell.lower() for cell in below if cell]
            if columns_of(names) is None and {"x", "y"} <= {*axes} and columns_of(joined := _joined(names, below)):
                return row + 2, joined, rate
            if (header := _below_title(lines, row)) is not None:
                found = header_of(lines[header:])
                return header + found[0], found[1], found[2] or _rate_in(lines[row:header]) or rate
            if names and below and (with_units := _with_units(names, below)) is not None:
                return row + 2, with_units, rate
            return row + 1, names, rate
    return 1, [], rate


def _below_title(lines: Sequence[str], first: int) -> int | None:
    """The number of the header below lines of fewer cells, such as a title; None where `first` is the header."""
    names = _cells(lines[first])
    if len(names) > MOST_COLUMNS or columns_of(names) is not None:
        return None
    for row in range(first + 1, min(first + _MOST_TITLES, len(lines))):
        below = _cells(lines[row])
        if len(names) < len(below) <= MOST_COLUMNS and columns_of(below) is not None:
            return row
    return None


def _with_units(names: list[str], below: list[str]) -> list[str] | None:
    """The names with the units in the line below them (`mm`, `s`); None where that line has anything else."""
    words = [cell.strip("()[]").lower() for cell in below]
    if not any(words) or not all(word in _UNIT_WORDS for word in words):
        return None
    words += [""] * (len(names) - len(words))
    read = (word if word in UNITS or word in ("s", "ms") else "" for word in words)
    return [f"{name}_{word}" if word else name for name, word in zip(names, read, strict=False)]


def _joined(names: list[str], axes: list[str]) -> list[str]:
    """The names of two lines: joints, perhaps only above their first column, and below them x, y, ..."""
    found, last = [], ""
    for place, axis in enumerate(axes):
        last = (names[place] if place < len(names) else "") or last
        found.append(f"{last}_{axis}" if axis else last)
    return found


def _rate_in(lines: Sequence[str]) -> float | None:
    """The frame rate that a line above the header states."""
    found = (_RATE.fullmatch(f"# {line.strip()}") for line in lines)
    return next((number_or_none(each[1]) for each in found if each), None)


def number_or_none(text: str) -> float | None:
    """A positive number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e9 else None


def _cells(line: str) -> list[str]:
    try:
        row = next(csv.reader([line], delimiter=separator_of(line), skipinitialspace=True), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in row]
