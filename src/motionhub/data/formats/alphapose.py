"""AlphaPose's result list; more than 17 joints (Halpe) require `layout=`. `openpose.py` reads its OpenPose output."""

from pathlib import Path
from typing import Any

from motionhub.data.formats.coco import clip_of_results, number_in
from motionhub.data.formats.files import bad_file, load_json
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels; frames by the last number in the image name, tracks by `idx`."""
    return [clip_of_results(path, load_json(path), options, _frame, _track)]


def _frame(path: Path, place: str, entry: dict[str, Any]) -> int:
    name = str(entry.get("image_id"))
    number = number_in(name, -1)
    if number < 0:
        raise bad_file(path, f"{place}.image_id", f"expected a name with a number, got {name[:40]!r}.")
    return number


def _track(entry: dict[str, Any]) -> Any:
    track = entry.get("idx")
    return track[0] if isinstance(track, list) and len(track) == 1 else track


def matches(path: Path, head: bytes) -> bool:
    """A list whose images have names, not numbers."""
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
    signature='list of objects with "image_id" (a name with a number), "keypoints", "score" and optionally "idx"',
    needs=("fps",),
)
