"""AlphaPose's result list: COCO's 17 joints, Halpe's 26 or 136, or COCO-WholeBody's 133.

`openpose.py` reads the OpenPose output of AlphaPose.
"""

import re
from pathlib import Path
from typing import Any

from motionhub.data.formats.coco import clips_of_results
from motionhub.data.formats.files import bad_file, load_json
from motionhub.data.formats.folders import number_in
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.people import clips_in
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


_POSE_FLOW = re.compile(rb'\s*\{\s*"[^"]*\d\.\w+"\s*:\s*\[')
# Joints of a person -> layout.
LAYOUTS = {17: "coco-17", 26: "halpe-26", 133: "coco-wholebody-133", 136: "halpe-136"}


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip for each folder of images, `(people, frames, joints, 2)` pixels.

    Frames are placed by the last number in the image name; `idx` is the person number, unless a frame has it twice. Of
    136 or 133 joints the body is read, without face and hands. PoseFlow's tracked results are read too.
    """
    content = load_json(path)
    if isinstance(content, dict):  # PoseFlow
        return clips_in(path, content, options, Program(layouts=LAYOUTS, flat=True, default="noted"))
    return clips_of_results(path, content, options, _frame, _track, LAYOUTS)


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
    """A list whose images have names, not numbers; or PoseFlow's object of people with `idx` by image name."""
    if _POSE_FLOW.match(head):
        return b'"keypoints"' in head and b'"idx"' in head
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
