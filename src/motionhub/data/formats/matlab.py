"""Reads numeric arrays and texts from MATLAB 5 files (MathWorks, "MAT-File Format"); other variables are skipped.

`scipy.io.loadmat` is not used: with a flipped bit in an element type, scipy 1.17 ends the process with a segmentation
fault. The tests compare with scipy on whole datasets.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file, read_bytes
from motionhub.data.formats.format import most_values


MAGIC = b"MATLAB"
_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBER_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT_CODECS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CHARACTERS, _NUMERIC_CLASSES = 4, range(6, 16)
_COMPLEX_FLAG = 0x0800
# Of a variable of numbers or text: flags, dimensions, name, values; any more is a struct or the like.
_MOST_PARTS = 16
# Limits of the decompressed size and ratio, of an element and of all together.
_MAX_INFLATED, _SMALL_INFLATED, _MOST_PACKED = 2**28, 2**24, 100

Element = tuple[int, bytes]  # type number, content


def variable_names(path: Path) -> list[str]:
    """Names of the variables up to the first defect of the file."""
    names: list[str] = []
    try:
        content = read_bytes(path)
        for name, _ in _matrices(content, _byte_order(content)):
            names.append(name)
    except ValueError:
        pass  # load_variables reports it
    return names


def load_variables(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray | str]:
    """The named variables: numbers as float64 in their MATLAB shape, text as str.

    Raises ValueError when the file is broken, lacks one, or one is neither an array of real numbers nor one text.
    """
    content = read_bytes(path)
    if not content.startswith(MAGIC):
        raise bad_file(path, "header", f"expected a MATLAB 5 file, got one that starts with {content[:16]!r}.")
    try:
        order, most, found = _byte_order(content), most_values(path), {}
        for name, parts in _matrices(content, order):
            if name in names:
                found[name] = _value(name, parts, order, most)
    except ValueError as error:
        raise bad_file(path, "content", f"MATLAB file cannot be read: {error}.") from None
    lacking = [name for name in names if name not in found]
    if lacking:
        present = variable_names(path)
        raise bad_file(path, "variables", f"expected {list(names)}, but {lacking} are absent; it has {present}.")
    return found


def as_numbers(path: Path, name: str, value: np.ndarray | str) -> np.ndarray:
    """A variable that must hold numbers. Raises ValueError for a text."""
    if isinstance(value, str):
        raise bad_file(path, name, f"expected numbers, got the text {value[:40]!r}.")
    return value


def _byte_order(content: bytes) -> str:
    """`"<"` or `">"`, from the last two bytes of the header; the two before them are the version of the format."""
    orders = {b"IM": "<", b"MI": ">"}
    mark = content[_HEADER_BYTES - 2 : _HEADER_BYTES]
    if mark not in orders:
        raise ValueError(f"its header of {_HEADER_BYTES} bytes ends with {mark!r} instead of b'IM' or b'MI'")
    (version,) = struct.unpack(orders[mark] + "H", content[_HEADER_BYTES - 4 : _HEADER_BYTES - 2])
    if version != 0x0100:
        raise ValueError(f"it is of version {version:#06x}, not 0x0100; save it in MATLAB with the option -v7")
    return orders[mark]


def _matrices(content: bytes, order: str) -> Iterator[tuple[str, list[Element]]]:
    """Every variable: its name and its elements (flags, dimensions, name, values...)."""
    left = max(4 * _SMALL_INFLATED, _MOST_PACKED * len(content))
    for kind, data in _elements(content[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            inflated = _inflated(data, left)
            left -= len(inflated)
            kind, data = next(_elements(inflated, order), (0, b""))
        if kind != _MATRIX:
            raise ValueError(f"expected a matrix (type {_MATRIX}), found an element of type {kind}")
        parts = list(islice(_elements(data, order), _MOST_PARTS))
        # Function handles and similar variables have no name here.
        if len(parts) >= 3 and parts[2][0] == 1:
            yield parts[2][1].decode("latin-1"), parts


def _elements(data: bytes, order: str) -> Iterator[Element]:
    """The tagged elements; all but compressed ones are padded to a multiple of 8 bytes."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError(f"it ends in the tag of an element, at byte {position} of {len(data)}")
        kind, size = struct.unpack_from(order + "II", data, position)
        start = position + 8
        if kind >> 16:  # the short form: up to 4 bytes inside the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
        if start + size > len(data) or (start == position + 4 and size > 4):
            raise ValueError(f"an element of {size} bytes does not fit, at byte {position} of {len(data)}")
        yield kind, data[start : start + size]
        position = start + size if kind == _COMPRESSED else start + size + (-(start + size)) % 8


def _inflated(data: bytes, left: int) -> bytes:
    stream, most = zlib.decompressobj(), max(_SMALL_INFLATED, _MOST_PACKED * len(data))
    limit = max(min(_MAX_INFLATED, most, left), 1)
    try:
        content = stream.decompress(data, limit)
    except zlib.error as error:
        raise ValueError(f"its compressed data are corrupt ({error})") from None
    # The end of the stream is not checked: MATLAB omits it where the content is exactly 16,384 bytes (Penn Action
    # 1605.mat). A truncated stream does not hold the element that its first bytes state.
    if stream.unconsumed_tail:
        raise ValueError(f"its compressed data ({len(data)} bytes) grow beyond {limit} bytes")
    return content


def _value(name: str, parts: list[Element], order: str, most: int) -> np.ndarray | str:
    (_, flag_bytes), (_, dimension_bytes), _, *values = parts
    if len(flag_bytes) != 8 or len(dimension_bytes) % 4 or len(dimension_bytes) < 8:
        raise ValueError(f"the description of variable {name!r} is corrupt")
    (flags,) = struct.unpack(order + "I", flag_bytes[:4])
    shape = struct.unpack(f"{order}{len(dimension_bytes) // 4}i", dimension_bytes)
    if flags & 0xFF not in (_CHARACTERS, *_NUMERIC_CLASSES) or flags & _COMPLEX_FLAG or len(values) != 1:
        raise ValueError(f"variable {name!r} is neither an array of real numbers nor a text")
    if flags & 0xFF == _CHARACTERS:
        return _text(name, values[0], shape, order)
    return _numbers(name, values[0], shape, order, most)


def _numbers(name: str, value: Element, shape: tuple[int, ...], order: str, most: int) -> np.ndarray:
    kind, data = value
    if kind not in _NUMBER_TYPES:
        raise ValueError(f"variable {name!r} has values of the unknown type {kind}")
    numbers_type = np.dtype(order + _NUMBER_TYPES[kind])
    if min(shape) < 0 or math.prod(shape) * numbers_type.itemsize != len(data):
        raise ValueError(f"variable {name!r} has {len(data)} bytes of {numbers_type}, which do not fill {shape}")
    if math.prod(shape) > most:
        raise ValueError(f"variable {name!r} has {math.prod(shape)} numbers, more than {most}; split the recording")
    with np.errstate(invalid="ignore"):  # a signalling NaN is just a NaN
        return np.frombuffer(data, numbers_type).reshape(shape, order="F").astype(np.float64)


def _text(name: str, value: Element, shape: tuple[int, ...], order: str) -> str:
    kind, data = value
    if kind not in _TEXT_CODECS or shape[0] not in (0, 1):
        raise ValueError(f"variable {name!r} is not a single line of text (shape {shape}, type {kind})")
    codec = _TEXT_CODECS[kind]
    suffix = {"<": "-le", ">": "-be"}[order] if codec in ("utf-16", "utf-32") else ""
    return data.decode(codec + suffix)
