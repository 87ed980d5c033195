"""AlphaPose's result list: people with the name of their image, 17 (COCO) or more keypoints and perhaps an id.

Its OpenPose-like output is `openpose.py`'s. More than 17 joints (Halpe) need a layout given by the caller.
"""

from pathlib import Path
from typing import Any

from motionhub.data.formats.coco import clip_of_results, number_in
from motionhub.data.formats.files import bad_file, list_of, load_json
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels; frames by the last number in the image's name.

    `idx`, which AlphaPose writes when it tracks, becomes the track id.
    """
    entries = list_of(path, "results", load_json(path), dict)
    return [clip_of_results(path, entries, options, _frame, _track)]


def _frame(path: Path, place: str, entry: dict[str, Any]) -> int:
    number = number_in(str(entry.get("image_id")), -1)
    if number < 0:
        got = str(entry.get("image_id"))[:40]
        raise bad_file(path, f"{place}.image_id", f"expected a name with a number, got {got!r}.")
    return number


def _track(entry: dict[str, Any]) -> Any:
    track = entry.get("idx")
    return track[0] if isinstance(track, list) and len(track) == 1 else track


def matches(path: Path, head: bytes) -> bool:
    """Its images have names, not numbers."""
    start = head.lstrip()
    quoted = b'"image_id": "' in head or b'"image_id":"' in head
    return start.startswith(b"[") and b'"keypoints"' in head and quoted


FORMAT = Format(
    name="alphapose",
    title="AlphaPose JSON",
    matches=matches,
    read=read,
    pattern="alphapose-results.json",
    container="json",
    signature='list of objects with "image_id" (a name with a number), "keypoints", "score" and perhaps "idx"',
    needs=("fps",),
)
