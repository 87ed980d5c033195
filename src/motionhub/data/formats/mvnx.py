"""Reads Xsens MVN's XML (MVNX): positions of segments in metres, z up, names and rate in the file.

Definitions of documents and entities are refused before anything of them is expanded. The frames of calibration poses
are left out.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from motionhub.data.formats.files import bad_file, read_bytes
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.data.formats.markers import clip_of_markers, positive
from motionhub.skeletons.sequence import SkeletonSequence


_MAX_BYTES = 2**29
_MOST_NESTED = 64


@dataclass
class _Subject:
    label: str
    rate: str
    segments: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # NaN where no time is stated
    positions: list[str] = field(default_factory=list)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of `(people, frames, segments, 3)` metres: where segments begin (`RightUpperArm`: the shoulder)."""
    subjects = [subject for subject in _subjects(path) if subject.positions]
    if not subjects:
        raise bad_file(path, "frames", 'expected frames of type "normal" with positions; export them from MVN.')
    rates = {subject.rate for subject in subjects}
    if len(rates) > 1:
        raise bad_file(path, "subject", f"expected one frameRate, got {sorted(rates)}.")
    rate = positive(path, "subject", "frameRate", subjects[0].rate)
    names, frames = [], sorted({frame for subject in subjects for frame in subject.frames})
    row_of = {frame: row for row, frame in enumerate(frames)}
    checked_size(path, len(frames), sum(len(subject.segments) for subject in subjects), 4)
    parts = []
    for number, subject in enumerate(subjects):
        width = 3 * len(subject.segments)
        values = np.full((len(frames), width), np.nan)
        for frame, text in zip(subject.frames, subject.positions, strict=True):
            values[row_of[frame]] = _numbers(path, frame, text, width)
        names += [f"{number}:{segment}" for segment in subject.segments]
        parts.append(values.reshape(len(frames), -1, 3))
    points = np.concatenate(parts, axis=1)
    time_of = {
        frame: time for subject in subjects for frame, time in zip(subject.frames, subject.seconds, strict=True)
    }
    seconds = [time_of[frame] for frame in frames]
    clip = clip_of_markers(
        path, names, points, options, rate=rate, unit="metre", frames=frames, seconds=seconds, by_format="z"
    )
    return [clip]


def _numbers(path: Path, frame: int, text: str, width: int) -> np.ndarray:
    words = text.split()
    if len(words) != width or not width:
        reason = f"expected {width} numbers of {width // 3} segments, got {len(words)}"
        raise bad_file(path, f"frame {frame}", f"{reason}.")
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise bad_file(path, f"frame {frame}", f"expected numbers ({error}).") from None


def _subjects(path: Path) -> list[_Subject]:
    """The subjects with the text of their positions, read without a tree of elements."""
    subjects: list[_Subject] = []
    opened: list[str] = []
    text: list[str] = []
    frame: list[tuple[int, float]] = []  # index and seconds of the open one

    def start(tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        opened.append(tag)
        if len(opened) > _MOST_NESTED:
            raise bad_file(path, "XML", f"elements are nested more than {_MOST_NESTED} deep.")
        if tag == "subject":
            rate = attributes.get("frameRate", "")
            subjects.append(_Subject(attributes.get("label", ""), rate))
        elif tag == "segment" and subjects and opened[-2:-1] == ["segments"]:
            subjects[-1].segments.append(attributes.get("label", ""))
        elif tag == "frame" and subjects:
            frame[:] = []
            if attributes.get("type", "normal") == "normal":
                index = _whole(path, "index", attributes.get("index", ""), len(subjects[-1].frames))
                milliseconds = _whole(path, "time", attributes.get("time", ""), math.nan)
                frame.append((int(index), milliseconds / 1000))
        elif tag == "position":
            text.clear()

    def end(tag: str) -> None:
        tag = tag.rpartition(":")[2]
        opened.pop()
        if tag == "position" and frame and subjects and opened[-1:] == ["frame"]:
            subjects[-1].frames.append(frame[0][0])
            subjects[-1].seconds.append(frame[0][1])
            subjects[-1].positions.append("".join(text))

    def characters(part: str) -> None:
        if opened[-1:] == ["position"] and frame:
            text.append(part)

    def refuse(*_: object) -> None:
        raise bad_file(path, "XML", "a document type or entity is defined; MVNX has none, so the file is refused.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(read_bytes(path, _MAX_BYTES), True)
    except expat.ExpatError as error:
        reason = f"not valid XML ({expat.ErrorString(error.code)}); the file is corrupt or cut off."
        raise bad_file(path, f"line {error.lineno}", reason) from None
    except LookupError:
        raise bad_file(path, "XML", "an unknown encoding; save the file as UTF-8.") from None
    for subject in subjects:
        if len({*subject.frames}) < len(subject.frames):
            raise bad_file(path, "frames", "expected every index once.")
    return subjects


def _whole(path: Path, name: str, text: str, default: float) -> float:
    if not text:
        return default
    if not re.fullmatch(r"\d{1,12}", text.strip()):
        raise bad_file(path, "frame", f"expected a whole {name}, got {text[:40]!r}.")
    return int(text)


def matches(path: Path, head: bytes) -> bool:
    """Whether an XML has the element of MVN."""
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") and b"<mvnx" in head


FORMAT = Format(
    name="mvnx",
    title="Xsens MVN (MVNX)",
    matches=matches,
    read=read,
    pattern="*.mvnx",
    container="text",
    signature="XML that starts with <mvnx, with subject, segments and frames",
)
