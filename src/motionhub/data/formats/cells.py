"""Text tables: lines of cells, and the numbers in them; words for missing values, decimal commas."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file, read_text


# What R, pandas, spreadsheets and MATLAB write for a missing value, in lower case.
MISSING = {
    *("", "na", "n/a", "#n/a", "<na>", "n.a.", "nan", "-nan", "none", "null", "nil", "-", "--", "missing"),
    *("#value!", "#ref!", "#div/0!", "#num!", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    *(".", "?", "nat", "undefined", "n.d.", "nd"),
}
_SEPARATORS = ",;\t|"

Row = tuple[int, list[str]]  # number of the line, cells


def text_lines(path: Path) -> list[str]:
    """The lines of a text table without NUL characters."""
    return [line.replace("\0", "") for line in read_text(path).splitlines()]


def separator_of(line: str) -> str:
    """The most frequent one of comma, semicolon, tab and bar, else a blank."""
    found = max(_SEPARATORS, key=line.count)
    return found if found in line else " "


def rows_of_cells(path: Path, lines: Sequence[str], separator: str, first: int = 1) -> Iterator[list[str]]:
    """The cells of each line, quotes resolved; `first`: the number of the first line, for errors."""
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    while True:
        try:
            yield [cell.strip() for cell in next(rows)]
        except StopIteration:
            return
        except csv.Error as error:
            raise bad_file(path, f"line {first - 1 + rows.line_num}", f"not a table: {error}.") from None


def decimal_points(text: str) -> str:
    """The text with decimal points where its numbers have decimal commas; unchanged where it has points."""
    return text if "." in text else text.replace(",", ".")


def number(path: Path, line: int, cell: str) -> float:
    """The number in a cell, also with a decimal comma; NaN for a word of `MISSING`. Raises ValueError otherwise."""
    try:
        return float(cell)
    except ValueError:
        word = cell.lower()
    if word in MISSING:
        return np.nan
    if cell.count(",") == 1 and "." not in cell:
        with suppress(ValueError):
            return float(cell.replace(",", "."))
    raise bad_file(path, f"line {line}", f"expected a number, got {cell[:40]!r}.")


def whole_numbers(path: Path, rows: Sequence[Row], column: int, what: str = "frame number") -> np.ndarray:
    """`(rows,)` int64 of a column, as `whole_number`."""
    found = numbers(path, rows, [column])[:, 0]
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(found) < 1e15) & (found == np.floor(found)))
    if wrong.any():
        line, cells = rows[int(wrong.argmax())]
        whole_number(path, line, cells[column], what)  # raises
    return found.astype(np.int64)


def whole_number(path: Path, line: int, cell: str, what: str = "frame number") -> int:
    """The whole number in a cell, which may have zeros behind the point. Raises ValueError otherwise."""
    value = number(path, line, cell)
    if not abs(value) < 1e15 or value != int(value):
        raise bad_file(path, f"line {line}", f"expected a whole {what}, got {cell[:40]!r}.")
    return int(value)


def numbers(path: Path, rows: Sequence[Row], columns: Sequence[int]) -> np.ndarray:
    """`(rows, columns)` float64 of numbered lines of cells. Raises ValueError for points and commas in one file."""
    found = np.empty((len(rows), len(columns)))
    with suppress(ValueError):
        for row, (_, cells) in enumerate(rows):
            found[row] = [float(cells[column]) for column in columns]
        return found
    for row, (line, cells) in enumerate(rows):  # words for missing, decimal commas, or an error: slower
        found[row] = [number(path, line, cells[column]) for column in columns]
    _check_decimals(path, rows, columns)
    return found


def _check_decimals(path: Path, rows: Sequence[Row], columns: Sequence[int]) -> None:
    """Where some cells have a decimal comma and others a point, the comma may be one of thousands."""
    comma = next((line for line, cells in rows if any("," in cells[column] for column in columns)), None)
    if comma is not None and any("." in cells[column] for _, cells in rows for column in columns):
        reason = "some numbers have a comma and others a point; is the comma one of thousands? Remove it."
        raise bad_file(path, f"line {comma}", reason)
