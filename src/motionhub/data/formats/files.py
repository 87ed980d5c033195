"""Files as bytes, text, JSON and tables; every defect of a file is a one-line error."""

import codecs
import csv
import io
import json
import re
import reprlib
import stat
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, wraps
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np


# Far larger than any clip; a wrong path must not fill the memory.
MAX_FILE_BYTES = 2**30
# Parsed JSON takes about ten times its size in memory.
MAX_JSON_BYTES = 2**28
_LONGEST_ERROR = 700
LONGEST_NAME, LONGEST_PATH = 255, 1000  # bytes of a file's name, on all usual disks, and of a path below a folder
# Poses as text shrink to a tenth in a gzip file; one that grows more than this is a bomb.
_LEAST_UNZIPPED, _MOST_UNZIPPED = 2**23, 20
Made = TypeVar("Made")
# Of marks with the same start, the longer comes first.
_CODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class OptionError(ValueError):
    """Reading or writing needs another value of the argument `option`; the message has the fix in Python."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


def bad_file(path: Path, place: str, reason: str) -> ValueError:
    """The one-line error of every reader: file, place and reason; long or unprintable content is cut or replaced."""
    line = " ".join(f"{place}: {reason}".split())
    shown = "".join(char if char.isprintable() else "?" for char in line[:_LONGEST_ERROR])
    return ValueError(f"{path}: {shown}{'...' if len(line) > _LONGEST_ERROR else ''}")


def is_too_long(path: PurePath) -> bool:
    """Whether a path that a stranger's file names is longer than disks take, in one part or in all."""
    parts = [str(path), *path.parts]
    sizes = [len(part.encode(errors="replace")) for part in parts]
    return sizes[0] > LONGEST_PATH or max(sizes[1:], default=0) > LONGEST_NAME


class FileNote(UserWarning):
    """Something in a file that a reader repaired, left out or assumed; commands print it as a note."""


def note(path: Path, place: str, text: str) -> None:
    """States in one line what a reader repaired, left out or assumed, as a warning of class `FileNote`."""
    warnings.warn(str(bad_file(path, place, text)), FileNote, stacklevel=2)


def read_head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of the file; text is recoded to UTF-8. Raises ValueError as `read_bytes` does."""
    head = read_bytes(path, size=size)
    return text_of(head).encode() if head.startswith(tuple(_CODINGS)) else head


def read_text(path: Path, most: int = MAX_FILE_BYTES) -> str:
    """The whole file as text. Raises ValueError as `read_bytes` does."""
    text = text_of(read_bytes(path, most))
    if not text:  # only a byte order mark
        raise bad_file(path, "file", "is empty; download or extract it again.")
    return text


def text_of(content: bytes) -> str:
    """Decodes UTF-8, or UTF-16 or UTF-32 by the byte order mark (of "Unicode text" tables), which is dropped."""
    coding = next((coding for mark, coding in _CODINGS.items() if content.startswith(mark)), "utf-8")
    return content.decode(coding, errors="replace")


def read_bytes(path: Path, most: int = MAX_FILE_BYTES, size: int | None = None) -> bytes:
    """The file, or its first `size` bytes. Raises ValueError when it is unreadable, empty or above `most` bytes."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # reading a pipe or device may never end
            what = "directory" if stat.S_ISDIR(facts.st_mode) else "pipe or device"
            raise bad_file(path, "file", f"is a {what}, not a file; give the path of a readable file.")
        if size is None and facts.st_size > most:
            raise bad_file(path, "file", f"has {facts.st_size} bytes, more than {most}; split the recording.")
        with path.open("rb") as file:
            content = file.read() if size is None else file.read(size)
        if content.startswith(b"\x1f\x8b"):
            content = _unzipped(path, content, most if size is None else size, whole=size is None)
    except OSError as error:
        raise bad_file(path, "file", f"cannot be read ({error.strerror}); give the path of a readable file.") from None
    if not content:
        raise bad_file(path, "file", "is empty; download or extract it again.")
    return content


def _unzipped(path: Path, content: bytes, most: int, whole: bool) -> bytes:
    """What a gzip file holds, or its first `most` bytes. Raises ValueError for one that unpacks to far too much."""
    most = min(most, max(_LEAST_UNZIPPED, _MOST_UNZIPPED * len(content))) if whole else most
    decoder, found = zlib.decompressobj(wbits=31), bytearray()
    try:
        while content and len(found) <= most:  # a file may be several parts, one after the other
            found += decoder.decompress(content, most + 1 - len(found))
            content = decoder.unconsumed_tail or decoder.unused_data
            if decoder.eof and content:
                decoder = zlib.decompressobj(wbits=31)
    except zlib.error as error:
        if whole or not found:
            raise bad_file(path, "file", f"not valid gzip ({error}); download it again.") from None
    if whole and len(found) > most:
        raise bad_file(path, "file", f"unpacks to more than {most} bytes; unpack and split the recording.")
    if whole and not decoder.eof:
        raise bad_file(path, "file", "the gzip file is cut off; download it again.")
    return bytes(found[:most])


def load_json(path: Path) -> Any:
    """The parsed JSON. Raises ValueError with line and column."""
    content = read_bytes(path, MAX_JSON_BYTES)
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise bad_file(path, f"byte {error.start}", "not valid text; the JSON file is corrupt.") from None
    except json.JSONDecodeError as error:
        reason = f"not valid JSON ({error.msg}); the file is corrupt or cut off."
        raise bad_file(path, f"line {error.lineno}, column {error.colno}", reason) from None
    except (RecursionError, ValueError) as error:  # nesting or numbers beyond Python's limits
        raise bad_file(path, "JSON", f"cannot be parsed ({error}).") from None


def load_object(path: Path, *keys: str) -> dict[str, Any]:
    """A JSON object with these keys. Raises ValueError otherwise."""
    content = load_json(path)
    if isinstance(content, dict) and all(key in content for key in keys):
        return content
    got = f"the keys {list(content)[:8]}" if isinstance(content, dict) else f"a {type(content).__name__}"
    raise bad_file(path, "JSON", f"expected an object{' with ' * bool(keys)}{', '.join(map(repr, keys))}, got {got}.")


def number_array(path: Path, place: str, value: Any) -> np.ndarray:
    """A (nested) list of numbers as float64; null is NaN. Raises ValueError for anything else, also text and bool."""
    try:
        array = np.asarray(value)
        nullable = array.dtype.kind == "O" and all(
            item is None or type(item) in (int, float) for item in array.ravel()
        )
        if array.dtype.kind in "iuf" or nullable:
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise bad_file(path, place, f"expected a regular list of numbers, got {reprlib.repr(value)}.")


def list_of(path: Path, place: str, value: Any, kind: type) -> list[Any]:
    """A list of elements of one type. Raises ValueError that names the first other one."""
    if not isinstance(value, list):
        raise bad_file(path, place, f"expected a list, got {reprlib.repr(value)}.")
    for index, item in enumerate(value):
        if not isinstance(item, kind):
            expected = "an object" if kind is dict else "a list"
            raise bad_file(path, f"{place}[{index}]", f"expected {expected}, got {reprlib.repr(item)}.")
    return value


def table_lines(
    path: Path, known: Sequence[str] | None, needed: Sequence[str], most: int
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and fields (by column) of the non-empty lines of a CSV table with the columns `needed` among `known`.

    None: any other columns may be there.

    Raises ValueError when the header or a line does not fit, and as `read_text` does.
    """
    reader = csv.reader(io.StringIO(read_text(path, most), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        allowed = header if known is None else known
        if not set(needed) <= set(header) <= set(allowed) or len(set(header)) < len(header):
            others = "others" if known is None else f"others of {known}"
            reason = f"expected the columns {','.join(needed)} and optionally {others}, got {header[:12]}."
            raise bad_file(path, "line 1", reason)
        for fields in reader:
            if any(field.strip() for field in fields):
                if len(fields) != len(header):
                    reason = f"expected {len(header)} fields, got {len(fields)}."
                    raise bad_file(path, f"line {reader.line_num}", reason)
                yield reader.line_num, dict(zip(header, map(str.strip, fields), strict=True))
    except csv.Error as error:
        raise bad_file(path, f"line {reader.line_num}", f"not valid CSV ({error}).") from None


def name_parts(path: Path, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
    """The groups of a pattern in the file name without its extension. Raises ValueError with the expected form."""
    named = pattern.fullmatch(path.stem)
    if named is None:
        raise bad_file(path, "name", f"expected {expected}; rename it back.")
    return named.groups()


def number_rows(path: Path, width: int, most: int = MAX_FILE_BYTES) -> np.ndarray:
    """`(lines, width)` float64 of lines of numbers, separated by commas or blanks; empty lines are skipped.

    Raises ValueError that names the line, and as `read_bytes` does.
    """
    lines = enumerate(read_text(path, most).splitlines(), start=1)
    rows = [numbers_of(path, number, line.replace(",", " "), width) for number, line in lines if line.strip()]
    if not rows:
        raise bad_file(path, "content", "the recording has no frames.")
    return np.array(rows, dtype=np.float64)


def numbers_of(path: Path, number: int, line: str, width: int) -> list[float]:
    """The `width` numbers of a line, separated by blanks. Raises ValueError that names the line."""
    words = line.split()
    if len(words) != width:
        raise bad_file(path, f"line {number}", f"expected {width} numbers, got {len(words)} words: {line[:40]!r}.")
    try:
        return [float(word) for word in words]
    except ValueError:
        raise bad_file(path, f"line {number}", f"expected {width} numbers, got {line[:40]!r}.") from None


def nan_at_origin(points: np.ndarray, scores: np.ndarray | None = None) -> np.ndarray:
    """`(..., joints, dims)` with NaN for joints at exactly the origin; with scores, for those without a positive one.

    A person with all joints there is missing whatever the scores; so is (-1, -1) in images.
    """
    at_origin = (points == 0).all(axis=-1)
    missing = at_origin & (True if scores is None else ~(scores > 0))
    if points.ndim > 1 and points.shape[-2] > 1:
        missing |= at_origin.all(axis=-1, keepdims=True)
    if points.shape[-1] == 2:
        missing |= (points == -1).all(axis=-1)
    return np.where(missing[..., None], np.nan, points)


def origin_is_missing(points: np.ndarray) -> np.ndarray:
    """`(..., dims)` float32 with NaN for joints at exactly the origin, as sensors mark lost joints."""
    with np.errstate(over="ignore", invalid="ignore"):  # values that overflow float32 are missing
        return nan_at_origin(points).astype(np.float32)


def find_above(path: Path, name: str) -> Path | None:
    """The file called `name` in the folder of `path`, or the nearest one in up to three folders above it."""
    candidates = (folder / name for folder in path.absolute().parents[:4])
    return next((found for found in candidates if found.is_file()), None)


def kept_until_changed(read: Callable[..., Made]) -> Callable[..., Made]:
    """Caches the result of a function of files, which may be absent, until one of them changes."""

    @lru_cache(maxsize=16)
    def remembered(paths: tuple[Path, ...], changed: tuple[int | None, ...]) -> Made:
        return read(*paths)

    @wraps(read)
    def call(*paths: Path) -> Made:
        return remembered(paths, tuple(path.stat().st_mtime_ns if path.exists() else None for path in paths))

    return call


@kept_until_changed
def cached_object(path: Path) -> dict[str, Any]:
    """As `load_object`, cached until the file changes."""
    return load_object(path)
