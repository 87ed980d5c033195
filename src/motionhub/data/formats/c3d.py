"""Reads the markers of C3D files: Intel, DEC and SGI numbers, whole or floating; names, rate and unit are in the file.

A marker with a negative residual, or at (0, 0, 0), is missing. Angles, moments, forces and powers that biomechanics
programs store among the points are left out, with a note. `POINT:Y_SCREEN` states which axis is up.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.columns import UNITS
from motionhub.data.formats.files import bad_file, nan_at_origin, note, read_bytes
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.data.formats.markers import clip_of_markers
from motionhub.skeletons.sequence import SkeletonSequence


_BLOCK = 512
_MAGIC = 0x50
# The first number of the parameters, after their count.
_INTEL, _DEC, _SGI = 84, 85, 86
_NO_POINTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")
_ITEM = {-1: 1, 1: 1, 2: 2, 4: 4}
_MOST_PARAMETERS = 20_000


@dataclass(frozen=True)
class _Numbers:
    """How the processor that wrote the file stores numbers."""

    processor: int

    @property
    def order(self) -> str:
        return ">" if self.processor == _SGI else "<"

    def floats(self, content: bytes) -> np.ndarray:
        """32-bit floats; those of DEC have their halves swapped and count four times as much."""
        if self.processor != _DEC:
            return np.frombuffer(content, f"{self.order}f4").astype(np.float32)
        halves = np.frombuffer(content, "<u2").reshape(-1, 2)[:, ::-1]
        return np.ascontiguousarray(halves).view("<f4").ravel() / np.float32(4)

    def whole(self, content: bytes, offset: int, signed: bool = False) -> int:
        return int(struct.unpack_from(f"{self.order}{'h' if signed else 'H'}", content, offset)[0])


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of `(people, frames, markers, 3)` metres; markers called `subject:marker` are several people."""
    content = read_bytes(path)
    if len(content) < 2 * _BLOCK:
        raise bad_file(path, "header", f"expected at least {2 * _BLOCK} bytes, got {len(content)}; is it cut off?")
    at = (content[0] - 1) * _BLOCK
    if content[1] != _MAGIC or at < 0 or at + 4 > len(content) or content[at + 3] not in (_INTEL, _DEC, _SGI):
        raise bad_file(path, "header", "the parameters are not where the header says; the file is damaged.")
    numbers = _Numbers(content[at + 3])
    facts = _parameters(path, content, at, numbers)
    count = numbers.whole(content, 2)
    if count == 0:
        raise bad_file(path, "POINT:USED", "the file has no markers, only analog channels.")
    points, missing = _points(path, content, count, numbers, facts)
    names = _labels(facts)[:count]
    names += [f"*{number}" for number in range(len(names), count)]
    kept = _markers(path, names, facts)
    rate = _number(facts.get("POINT:RATE")) or float(numbers.floats(content[20:24])[0])
    if not 0 < rate < 1e9:
        raise bad_file(path, "POINT:RATE", f"expected a positive rate, got {rate:g}.")
    stated = UNITS.get(str(_text(facts.get("POINT:UNITS"))).lower())
    screen = str(_text(facts.get("POINT:Y_SCREEN"))).strip().lower().lstrip("+")
    clip = clip_of_markers(
        path,
        [names[row] for row in kept],
        np.where(missing[:, kept, None], np.nan, points[:, kept]),
        options,
        rate=rate,
        unit=options.unit_of(path, stated),
        by_format=screen if screen in ("x", "-x", "y", "-y", "z", "-z") else None,
    )
    return [clip]


def _points(
    path: Path, content: bytes, count: int, numbers: _Numbers, facts: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """`(frames, markers, 3)` in the unit of the file, and where they are missing."""
    scale = float(numbers.floats(content[12:16])[0])
    start = (numbers.whole(content, 16) - 1) * _BLOCK
    width = 4 * count + numbers.whole(content, 4)
    size = 4 if scale < 0 else 2
    length = _length(content, numbers, facts)
    there = (len(content) - start) // (size * width) if 0 < start < len(content) else 0
    if length == 0xFFFF and there > length:  # more frames than the header can count
        length = int(_number(facts.get("POINT:LONG_FRAMES")) or there)
    if not 0 < length <= there:
        raise bad_file(path, "data", f"expected {length} frames of {count} markers, got {there}; is it cut off?")
    checked_size(path, length, width)
    part = content[start : start + length * width * size]
    if size == 4:
        values = numbers.floats(part).reshape(length, width)[:, : 4 * count].reshape(length, count, 4)
        points = values[..., :3]
    else:
        values = np.frombuffer(part, f"{numbers.order}i2").reshape(length, width)[:, : 4 * count]
        values = values.reshape(length, count, 4)
        points = values[..., :3].astype(np.float32) * np.float32(scale)
    with np.errstate(invalid="ignore"):
        return nan_at_origin(points.astype(np.float64)), ~(values[..., 3] >= 0)


def _length(content: bytes, numbers: _Numbers, facts: dict[str, Any]) -> int:
    """The number of frames, by the trial where it counts with 32 bits, else by the header."""
    first, last = (facts.get(f"TRIAL:ACTUAL_{end}_FIELD") for end in ("START", "END"))
    ends = [each for each in (first, last) if isinstance(each, np.ndarray) and each.size == 2]
    if len(ends) == 2:
        start, end = (int(each[0]) % 65536 + 65536 * (int(each[1]) % 65536) for each in ends)
        if end >= start:
            return end - start + 1
    return numbers.whole(content, 8) - numbers.whole(content, 6) + 1


def _markers(path: Path, names: list[str], facts: dict[str, Any]) -> list[int]:
    """The rows of the points that are markers."""
    other: set[str] = set()
    for kind in _NO_POINTS:
        listed = facts.get(f"POINT:{kind}")
        other |= {*listed} if isinstance(listed, list) else set()
    kept = [row for row, name in enumerate(names) if name not in other]
    if len(kept) < len(names):
        note(path, "POINT:LABELS", f"{len(names) - len(kept)} angles, forces, moments or powers are not read.")
    return kept


def _labels(facts: dict[str, Any]) -> list[str]:
    """The names of all points; a parameter holds at most 255, so that more are in LABELS2 and so on."""
    names: list[str] = []
    for number in ("", *range(2, 300)):
        listed = facts.get(f"POINT:LABELS{number}")
        if not isinstance(listed, list):
            break
        names += listed
    return names


def _parameters(path: Path, content: bytes, at: int, numbers: _Numbers) -> dict[str, Any]:
    """The parameters by `GROUP:NAME`: a list of texts, or an array of numbers."""
    end = min(at + max(content[at + 2], 1) * _BLOCK, len(content))
    groups: dict[int, str] = {}
    found: list[tuple[int, str, Any]] = []
    place = at + 4
    try:
        for _ in range(_MOST_PARAMETERS):
            length, group = struct.unpack_from("bb", content, place)
            if length == 0 or place >= end:
                break
            name = content[place + 2 : place + 2 + abs(length)].decode("latin-1").upper()
            pointer = place + 2 + abs(length)
            step = numbers.whole(content, pointer)
            if group < 0:
                groups[-group] = name
            else:
                found.append((group, name, _value(content, pointer + 2, numbers)))
            if step == 0:
                break
            place = pointer + step
    except (struct.error, IndexError, ValueError):
        raise bad_file(path, "parameters", f"damaged at byte {place}; export the file again.") from None
    return {f"{groups.get(group, group)}:{name}": value for group, name, value in found}


def _value(content: bytes, at: int, numbers: _Numbers) -> Any:
    kind, dims = struct.unpack_from("bB", content, at)
    shape = [*content[at + 2 : at + 2 + dims]]
    size = math.prod(shape)
    start = at + 2 + dims
    part = content[start : start + size * _ITEM.get(kind, 0)]
    if kind not in _ITEM or len(shape) < dims or len(part) < size * _ITEM[kind]:
        raise ValueError("a parameter goes beyond the file")
    if kind == -1:
        width = shape[0] if shape else 1
        return [part[row : row + width].decode("latin-1").strip("\0 ") for row in range(0, size, width or 1)]
    if kind == 4:
        return numbers.floats(part)
    return np.frombuffer(part, np.int8 if kind == 1 else f"{numbers.order}i2")


def _number(value: Any) -> float:
    """The first number of a parameter; 0 without."""
    return float(value.ravel()[0]) if isinstance(value, np.ndarray) and value.size else 0.0


def _text(value: Any) -> str:
    return value[0] if isinstance(value, list) and value else ""


def matches(path: Path, head: bytes) -> bool:
    """Whether a binary file has the mark of C3D in its second byte, and a block number before."""
    return len(head) > 1 and head[1] == _MAGIC and 2 <= head[0] <= 20 and b"\0" in head


FORMAT = Format(
    name="c3d",
    title="C3D markers",
    matches=matches,
    read=read,
    pattern="*.c3d",
    container="binary",
    signature="C3D file: a second byte of 80, parameters and frames of markers",
)
