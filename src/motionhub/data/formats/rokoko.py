"""Reads the CSV that Rokoko Studio exports: a time stamp and positions in metres, y up; rotations are left out."""

from dataclasses import replace
from pathlib import Path

from motionhub.data.formats import table
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One person of `(1, frames, joints, 3)` metres; the time stamps state the rate."""
    clips = table.read(path, replace(options, unit=options.unit_of(path, assumed="metre")))
    return [clip.replace(up="y") for clip in clips]


def matches(path: Path, head: bytes) -> bool:
    """Whether the header has a time stamp and positions in Rokoko's words."""
    first = head.split(b"\n")[0].lower()
    return first.lstrip(b'"').startswith(b"timestamp") and b"_position_x" in first and b"hips" in first


FORMAT = Format(
    name="rokoko",
    title="Rokoko Studio (CSV)",
    matches=matches,
    read=read,
    container="text",
    signature="table with columns Timestamp, Hips_position_x, Hips_position_y, ...",
)
