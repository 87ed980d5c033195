"""Toyota Smarthome Untrimmed: LCR-Net poses of long videos, and lists of actions that may overlap."""

import re
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published
from motionhub.data.datasets.lcrnet_poses import (
    IMAGE_SIZE,
    UNIT_REMARK,
    image_poses,
    in_space,
    named_format,
    space_poses,
)
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.datasets.timed_actions import TimedActions, entry_of, segments_of_actions
from motionhub.data.formats import arrays
from motionhub.data.formats.files import bad_file, find_above, load_object, name_parts, read_head
from motionhub.data.formats.format import ReadOptions
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("tsu")
CLASS_NAMES = PUBLISHED.classes
FPS = 20.0
# Protocol -> its list, in the order of the digits of `setup`.
LISTS = {"cs": "smarthome_CS_51.json", "cv": "smarthome_CV_51.json"}
_LISTED = "by the authors' {}, 51 classes (Dai et al., TPAMI 2022)."
_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_NAME = re.compile(r"(P(\d\d)T(\d\d)C(\d\d))(?:_.*)?")


def read(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 13, 2)` pixels, from LCR-Net's JSON or the `.npz` of the authors' tools."""
    if _is_archive(path):
        options = ReadOptions(layout="coco-17", fps=FPS, unit="pixel", image_size=IMAGE_SIZE)
        return [_without_copied_head(path, clip) for clip in arrays.read(path, options)]
    return image_poses(FPS)(path)


def read_3d(path: Path) -> list[SkeletonSequence]:
    """As `lcrnet_poses.space_poses`, from the JSON alone."""
    if _is_archive(path):
        raise bad_file(path, "content", 'has only 2-D poses; use the JSON, or the reader "tsu".')
    return space_poses(FPS)(path)


def _is_archive(path: Path) -> bool:
    return arrays.matches(path, read_head(path))


def _without_copied_head(path: Path, clip: SkeletonSequence) -> SkeletonSequence:
    """LCR-Net's 13 joints from COCO's order, in which the tools copy its head point to nose, eyes and ears."""
    names, wanted = clip.layout.joints, get_layout("lcrnet-13")
    head = clip.keypoints[:, :, [names.index(name) for name in _HEAD]]
    if not np.array_equal(head, np.repeat(head[:, :, :1], head.shape[2], axis=2), equal_nan=True):
        reason = "nose, eyes and ears differ, so these are no poses of LCR-Net; read them with motionhub.read."
        raise bad_file(path, "joints", reason)
    order = [names.index("nose" if joint == "head" else joint) for joint in wanted.joints]
    return clip.replace(keypoints=clip.keypoints[:, :, order], layout=wanted)


def annotate(path: Path) -> ClipFacts:
    """Actions and `setup` from the lists beside or above the clip, subject and camera from its name."""
    video, subject, _, camera = name_parts(path, _NAME, "PppTttCcc.json or .npz (performer, recording, camera)")
    entries = _entries(path, video)
    known = [entry for entry in entries.values() if entry is not None]
    if any(other.actions != known[0].actions or other.duration != known[0].duration for other in known):
        raise bad_file(path, "labels", f"{list(LISTS.values())} state different actions; download them again.")
    cross_subject, cross_view = (0 if entry is None else 1 if entry.trains else 2 for entry in entries.values())
    segments, setup = segments_of_actions(known[0], _num_frames(path)), 10 * cross_subject + cross_view
    return ClipFacts(None, int(subject), int(camera), setup, clip_id=video, segments=segments)


def _entries(path: Path, video: str) -> dict[str, TimedActions | None]:
    """Protocol -> the video's entry in its list, or None."""
    found = {protocol: find_above(path, name) for protocol, name in LISTS.items()}
    if not any(found.values()):
        reason = f"expected {' or '.join(LISTS.values())} beside the clips or above them, found neither."
        raise bad_file(path, "labels", reason)
    entries = {protocol: _entry(listed, video) for protocol, listed in found.items()}
    if not any(entries.values()):
        raise bad_file(path, "labels", f"{video} is in none of {[each.name for each in found.values() if each]}.")
    return entries


def _entry(listed: Path | None, video: str) -> TimedActions | None:
    if listed is None:
        return None
    entry = entry_of(listed, video, len(CLASS_NAMES))
    for row, (_, start, end) in enumerate(entry.actions if entry else ()):
        if start > end:
            reason = f"expected start <= end (frames), got {start:g}, {end:g}."
            raise bad_file(listed, f"{video}, action {row}", reason)
    return entry


def _num_frames(path: Path) -> int:
    """Without tracking, which is slow."""
    if _is_archive(path):
        return read(path)[0].num_frames
    frames = load_object(path, "frames")["frames"]
    if not isinstance(frames, list) or not frames:
        raise bad_file(path, "frames", "expected a non-empty list of frames.")
    return len(frames)


def is_clip(path: Path) -> bool:
    """Whether a file is LCR-Net's JSON, or an archive without JSON of the same video beside it."""
    named = _NAME.fullmatch(path.stem)
    if named is None or path.suffix not in (".json", ".npz"):
        return False
    return path.suffix == ".json" or not any(path.parent.glob(f"{named.group(1)}*.json"))


DATASET = Dataset(
    format=named_format(PUBLISHED, _NAME, read),
    annotate_clip=annotate,
    is_clip=is_clip,
    sidecars=tuple(LISTS.values()),
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        by_setup("cs", f"Cross-subject: {_LISTED.format(LISTS['cs'])}", {10, 11, 12}, {20, 21, 22}),
        by_setup("cv", f"Cross-view: {_LISTED.format(LISTS['cv'])}", {1, 11, 21}, {2, 12, 22}),
    ),
    **PUBLISHED.fields(),
)
DATASET_3D = in_space(DATASET, f"{DATASET.remarks}. {UNIT_REMARK}", ("toyotasmarthomeuntrimmed3d",), read_3d)
