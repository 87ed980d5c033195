"""Reads Posetics poses: one LCR-Net JSON a clip of Kinetics, in the image or in space, with two label lists.

It does not know how LCR-Net's JSON is written (`lcrnet.py`), nor what the 320 classes are called.
"""

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from motionhub.data.formats import lcrnet
from motionhub.data.formats.json_content import load_json
from motionhub.data.formats.options import ReadOptions
from motionhub.data.formats.reader import ClipFacts, Reader, bad_file
from motionhub.skeletons.sequence import SkeletonSequence


NUM_CLASSES = 320
CLASS_NAMES = tuple(f"action {number}" for number in range(NUM_CLASSES))
FPS = 30.0
IMAGE_SIZE = (640, 480)
# List -> whether its clips train.
LISTS = {"posetics_train_label.json": 1, "posetics_val_label.json": 0}
# The lists lie beside the clips or up to this many folders above.
_LEVELS = 3
# A video's id of 11 characters, then the cut in seconds: 19 characters with the extension.
_NAME = re.compile(r".*?([\w-]{11})_\d{6}_\d{6}", re.DOTALL)


def read(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 13, 2)` pixels. People are followed on their keypoints alone."""
    return lcrnet.read(path, ReadOptions(fps=FPS, unit="pixel", image_size=IMAGE_SIZE))


def read_3d(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 13, 3)` as LCR-Net estimates it, relative to the body, taken for metres."""
    return lcrnet.read(path, ReadOptions(fps=FPS, unit="metre"))


def annotate(path: Path) -> ClipFacts:
    """Label and `setup` (1 train, 0 validation) from `posetics_{train,val}_label.json` beside or above the clip."""
    clip_id, lists = _clip_id(path), _lists_of(path)
    if not lists:
        raise bad_file(
            path, "labels", f"expected {' and '.join(LISTS)} beside the clips or above them, found neither."
        )
    for found in lists:
        entry = _entries(found, found.stat().st_mtime_ns).get(clip_id)
        if entry is not None:
            label = entry.get("label_index") if isinstance(entry, dict) else None
            if type(label) is not int or not 0 <= label < NUM_CLASSES:
                raise bad_file(
                    found, clip_id, f"expected a label_index in 0..{NUM_CLASSES - 1}, got {str(label)[:40]}."
                )
            return ClipFacts(label, None, None, LISTS[found.name], clip_id)
    raise bad_file(path, "labels", f"{clip_id} is in none of {[found.name for found in lists]}.")


def has_skeleton(path: Path) -> bool:
    """False for the clips that the lists mark as empty: the authors leave them out."""
    try:
        clip_id = _clip_id(path)
        entries = [_entries(found, found.stat().st_mtime_ns).get(clip_id) for found in _lists_of(path)]
    except ValueError:
        return True  # `annotate` says what is wrong
    return all(not isinstance(entry, dict) or entry.get("has_skeleton") is not False for entry in entries)


def _clip_id(path: Path) -> str:
    named = _NAME.fullmatch(path.stem)
    if named is None:
        raise bad_file(path, "name", "expected ...ID_SSSSSS_EEEEEE.json (11 characters, start, end); rename it back.")
    return named.group(1)


def _lists_of(path: Path) -> list[Path]:
    for folder in path.absolute().parents[:_LEVELS]:
        found = [folder / name for name in LISTS if (folder / name).is_file()]
        if found:
            return found
    return []


@lru_cache(maxsize=4)
def _entries(path: Path, changed: int) -> dict[str, Any]:
    """A label list, read once until the file changes."""
    entries = load_json(path)
    if not isinstance(entries, dict):
        raise bad_file(path, "JSON", f"expected an object of clips, got a {type(entries).__name__}.")
    return entries


def matches(path: Path, head: bytes) -> bool:
    """LCR-Net's JSON called like this data set's clips: the content alone does not tell them apart."""
    return _NAME.fullmatch(path.stem) is not None and lcrnet.matches(path, head)


READER = Reader(
    name="posetics",
    title="Posetics, poses in the image",
    matches=matches,
    read=read,
    annotate=annotate,
    is_clip=has_skeleton,
    sidecars=tuple(LISTS),
    pattern="*_[0-9][0-9][0-9][0-9][0-9][0-9]_[0-9][0-9][0-9][0-9][0-9][0-9].json",
    container="json",
    signature='LCR-Net JSON ("frames" of people with "pose2d", "pose3d") called ...ID_SSSSSS_EEEEEE.json',
    layout="lcrnet-13",
    fps=FPS,
    fps_source="assumed: the videos come from the web at mixed rates, 30 frames per second is nominal",
    unit="pixel",
    class_names=CLASS_NAMES,
    missing_joints="a joint at exactly the origin, or of a person absent from the frame, becomes missing",
    licence="research use; poses estimated on videos from the web, see the home page before redistributing",
    homepage="https://github.com/YangDi666/UNIK",
    citation="Yang, Wang, Dantcheva, Garattoni, Francesca, Bremond: UNIK: A Unified Framework for Real-world "
    "Skeleton-based Action Recognition. BMVC 2021.",
    provenance="Read from the authors' files, poses that LCR-Net estimated; coordinates are theirs, who is who from "
    "frame to frame is motionhub's finding",
    remarks="The authors' code takes every video for 640 x 480 pixels, and so does this; the class titles are not "
    "published with the labels",
    column_notes={
        "setup": "1 training clip, 0 validation clip, by the list that names it",
        "subject": "unknown in this data set (-1)",
        "camera": "unknown in this data set (-1)",
    },
)
READER_3D = replace(
    READER,
    name="posetics-3d",
    title="Posetics, poses in space",
    read=read_3d,
    unit="metre",
    remarks="LCR-Net's unit is not documented with the files: metres were assumed; the class titles are not published "
    "with the labels",
)
