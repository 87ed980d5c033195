"""The JSON of LCR-Net: frames of people with `pose2d` (13 x, 13 y) and `pose3d` (13 x, 13 y, 13 z).

Scores of detections and boxes are passed over. Smarthome and Posetics are published so.
"""

from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import Detection, clip_of
from motionhub.data.formats.files import MAX_JSON_BYTES, bad_file, list_of, load_object, number_array, read_bytes
from motionhub.data.formats.format import FILE_UNITS, Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


JOINTS = 13
DIMS = {"pose2d": 2, "pose3d": 3}


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, 13, 2)` pixels; with `unit="metre"` `(people, frames, 13, 3)` of `pose3d`.

    A joint at exactly the origin is missing (NaN). People are told apart by `skeletons/tracking.py`.
    """
    content = load_object(path, "frames")
    unit = options.unit_of(path, assumed="pixel")
    key = "pose3d" if FILE_UNITS[unit][0] == "metre" else "pose2d"
    frames = [
        [
            _person(path, f"frames[{time}][{index}]", person, key)
            for index, person in enumerate(list_of(path, f"frames[{time}]", people, dict))
        ]
        for time, people in enumerate(list_of(path, "frames", content["frames"], list))
    ]
    if not frames:
        raise bad_file(path, "frames", "expected a non-empty list of frames.")
    return [clip_of(path, frames, options, options.layout_of(path, "lcrnet-13"), unit=unit, dims=DIMS[key])]


def _person(path: Path, place: str, person: dict[str, Any], key: str) -> Detection:
    values = number_array(path, f"{place}.{key}", person.get(key))
    if values.shape != (DIMS[key] * JOINTS,):
        reason = f"expected {DIMS[key] * JOINTS} numbers (all x, then all y, ...), got shape {values.shape}."
        raise bad_file(path, f"{place}.{key}", reason)
    points = values.reshape(DIMS[key], JOINTS).T
    return Detection(np.where((points == 0).all(axis=-1, keepdims=True), np.nan, points))


def matches(path: Path, head: bytes) -> bool:
    """An object of frames; the first person may come long after the head."""
    if not head.lstrip().startswith(b"{") or b'"frames"' not in head:
        return False
    keys = [f'"{key}"'.encode() for key in DIMS]
    if any(key in head for key in keys):
        return True
    content = read_bytes(path, MAX_JSON_BYTES)
    return any(key in content for key in keys)


FORMAT = Format(
    name="lcrnet",
    title="LCR-Net JSON",
    matches=matches,
    read=read,
    pattern="",
    container="json",
    signature='object with "frames", lists of people with "pose2d" (13 x, 13 y) and "pose3d"',
    needs=("fps",),
)
