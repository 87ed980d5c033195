"""Files as bytes, text and JSON; every way in which a file can be broken is a one-line error."""

import codecs
import csv
import io
import json
import re
import reprlib
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np


# No clip comes near it; a wrong path must not fill the memory.
MAX_FILE_BYTES = 2**30
# Python keeps about ten bytes for each one of JSON: a larger file is no clip that could be used afterwards.
MAX_JSON_BYTES = 2**28
_LONGEST_ERROR = 2000
Made = TypeVar("Made")
# The longer mark of two that begin alike comes first.
_CODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MARKS = tuple(_CODINGS)


class OptionError(ValueError):
    """A file cannot be read or written as it is, but could with another argument.

    Args:
        message: one line with the fix in Python.
        option: the argument.
    """

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


def bad_file(path: Path, place: str, reason: str) -> ValueError:
    """The one-line error of every reader: which file, where in it, what is wrong."""
    words = " ".join(f"{place}: {reason}".split())
    # What a broken file holds where a number or name should be may be long, and no text.
    shown = "".join(char if char.isprintable() else "?" for char in words[:_LONGEST_ERROR])
    return ValueError(f"{path}: {shown}{'...' if len(words) > _LONGEST_ERROR else ''}")


def read_bytes(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """The whole file. Raises ValueError when it is absent, no file, unreadable, empty or larger than `most` bytes."""
    return _read(path, None, most)


def read_head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of the file, a text in UTF-8 whatever its own coding. Raises ValueError as `read_bytes` does."""
    head = _read(path, size)
    return text_of(head).encode() if head.startswith(_MARKS) else head


def read_text(path: Path, most: int = MAX_FILE_BYTES) -> str:
    """The whole file as text. Raises ValueError as `read_bytes` does."""
    text = text_of(read_bytes(path, most))
    if not text:  # nothing but the mark of its coding
        raise bad_file(path, "file", "is empty; download or extract it again.")
    return text


def text_of(content: bytes) -> str:
    """UTF-8, or UTF-16 or UTF-32 by the mark that tables saved as "Unicode text" begin with; the mark is dropped."""
    coding = next((coding for mark, coding in _CODINGS.items() if content.startswith(mark)), "utf-8")
    return content.decode(coding, errors="replace")


def _read(path: Path, size: int | None, most: int = MAX_FILE_BYTES) -> bytes:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # reading a pipe waits for ever, a device does not end
            what = "directory" if stat.S_ISDIR(facts.st_mode) else "pipe or device"
            raise bad_file(path, "file", f"is a {what}, not a file; give the path of a readable file.")
        if size is None and facts.st_size > most:
            raise bad_file(path, "file", f"has {facts.st_size} bytes, more than {most}; split the recording.")
        with path.open("rb") as file:
            content = file.read() if size is None else file.read(size)
    except OSError as error:
        raise bad_file(path, "file", f"cannot be read ({error.strerror}); give the path of a readable file.") from None
    if not content:
        raise bad_file(path, "file", "is empty; download or extract it again.")
    return content


def load_json(path: Path) -> Any:
    """What the file holds. Raises ValueError with the line and column where it is broken."""
    content = read_bytes(path, MAX_JSON_BYTES)
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise bad_file(path, f"byte {error.start}", "not valid text; the JSON file is corrupt.") from None
    except json.JSONDecodeError as error:
        reason = f"not valid JSON ({error.msg}); the file is corrupt or cut off."
        raise bad_file(path, f"line {error.lineno}, column {error.colno}", reason) from None
    except (RecursionError, ValueError) as error:  # nested or with numbers beyond what Python parses
        raise bad_file(path, "JSON", f"cannot be parsed ({error}).") from None


def load_object(path: Path, *keys: str) -> dict[str, Any]:
    """A file that holds a JSON object with these keys. Raises ValueError as `load_json`, or saying what it holds."""
    content = load_json(path)
    if isinstance(content, dict) and all(key in content for key in keys):
        return content
    got = f"the keys {list(content)[:8]}" if isinstance(content, dict) else f"a {type(content).__name__}"
    raise bad_file(path, "JSON", f"expected an object{' with ' * bool(keys)}{', '.join(map(repr, keys))}, got {got}.")


def number_array(path: Path, place: str, value: Any) -> np.ndarray:
    """A (nested) list of numbers as float64; null is NaN. Raises ValueError when it is anything else."""
    try:
        array = np.asarray(value)
        # Text that looks like a number is not one, nor are true and false.
        if array.dtype.kind in "iuf" or (array.dtype.kind == "O" and _numbers_and_nulls(array)):
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise bad_file(path, place, f"expected a regular list of numbers, got {reprlib.repr(value)}.")


def _numbers_and_nulls(array: np.ndarray) -> bool:
    return all(item is None or type(item) in (int, float) for item in array.flat)


def list_of(path: Path, place: str, value: Any, kind: type) -> list[Any]:
    """A list whose elements are all of one type. Raises ValueError naming the first that is not."""
    if not isinstance(value, list):
        raise bad_file(path, place, f"expected a list, got {reprlib.repr(value)}.")
    for index, item in enumerate(value):
        if not isinstance(item, kind):
            words = "an object" if kind is dict else "a list"
            raise bad_file(path, f"{place}[{index}]", f"expected {words}, got {reprlib.repr(item)}.")
    return value


def table_lines(
    path: Path, known: Sequence[str], needed: Sequence[str], most: int
) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a CSV table with a header: the number of each, and its fields by column; empty ones are skipped.

    Args:
        known: the columns that there may be.
        needed: those that must be.

    Raises:
        ValueError: the header has others, a line has another number of fields, or as `read_text` does.
    """
    reader = csv.reader(io.StringIO(read_text(path, most), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not set(needed) <= set(header) <= set(known) or len(set(header)) < len(header):
            reason = f"expected the columns {','.join(needed)} and perhaps others of {known}, got {header[:12]}."
            raise bad_file(path, "line 1", reason)
        for words in reader:
            if any(word.strip() for word in words):
                if len(words) != len(header):
                    reason = f"expected {len(header)} fields, got {len(words)}."
                    raise bad_file(path, f"line {reader.line_num}", reason)
                yield reader.line_num, {name: word.strip() for name, word in zip(header, words, strict=True)}
    except csv.Error as error:
        raise bad_file(path, f"line {reader.line_num}", f"not valid CSV ({error}).") from None


def name_parts(path: Path, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
    """The groups of a pattern in the file's name without its extension. Raises ValueError saying what is expected."""
    named = pattern.fullmatch(path.stem)
    if named is None:
        raise bad_file(path, "name", f"expected {expected}; rename it back.")
    return named.groups()


def number_rows(path: Path, width: int, most: int = MAX_FILE_BYTES) -> np.ndarray:
    """`(lines, width)` float64: text lines of `width` numbers, with commas or blanks; empty lines are passed over.

    Raises:
        ValueError: a line has another count or something else; it names the line. Or as `read_bytes`.
    """
    rows = []
    for number, line in enumerate(read_text(path, most).splitlines(), start=1):
        if not line.strip():
            continue
        words = line.replace(",", " ").split()
        if len(words) != width:
            raise bad_file(path, f"line {number}", f"expected {width} numbers, got {len(words)} words: {line[:40]!r}.")
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            raise bad_file(path, f"line {number}", f"expected {width} numbers, got {line[:40]!r}.") from None
    if not rows:
        raise bad_file(path, "content", "the recording has no frames.")
    return np.array(rows, dtype=np.float64)


def origin_is_missing(points: np.ndarray) -> np.ndarray:
    """`(..., dims)` float32 with every joint at exactly the origin set to NaN: so sensors mark a joint they lost."""
    lost = (points == 0).all(axis=-1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite as float32 is missing
        return np.where(lost, np.nan, points).astype(np.float32)


def find_above(path: Path, name: str) -> Path | None:
    """The file called `name` in the folder of `path`, or the nearest one above it, up to three folders."""
    candidates = (folder / name for folder in path.absolute().parents[:4])
    return next((found for found in candidates if found.is_file()), None)


def kept_until_changed(read: Callable[[Path], Made]) -> Callable[[Path], Made]:
    """Remembers what a function makes of a file until the file changes."""

    @lru_cache(maxsize=16)
    def remembered(path: Path, changed: int) -> Made:
        return read(path)

    @wraps(read)
    def call(path: Path) -> Made:
        return remembered(path, path.stat().st_mtime_ns)

    return call
