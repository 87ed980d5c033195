"""PKU-MMD untrimmed recordings: one line per frame with two Kinect v2 bodies, actions in a label file."""

import re
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published
from motionhub.data.datasets.protocols import by_value
from motionhub.data.formats.files import (
    bad_file,
    find_above,
    kept_until_changed,
    name_parts,
    number_rows,
    origin_is_missing,
    read_head,
    read_text,
)
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("pku-mmd")
# 1..51 from general knowledge: verify against the authors' Actions.xlsx.
CLASS_NAMES = PUBLISHED.classes
FPS = 30.0
NUM_JOINTS = 25
NUM_VALUES = 2 * NUM_JOINTS * 3
CAMERAS = {"L": 0, "M": 1, "R": 2}
MAX_BYTES = 2**29
SUBJECT_LIST = "cross-subject.txt"
_NAME = re.compile(r"(\d{4})-([LMR])")


def read(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 25, 3)` metres in the camera's frame, NTU's joint order, one or two people.

    A joint at exactly (0, 0, 0) is missing. People without valid joints (often the second one) are dropped.
    """
    rows = number_rows(path, NUM_VALUES, MAX_BYTES)
    keypoints = origin_is_missing(rows.reshape(-1, 2, NUM_JOINTS, 3).transpose(1, 0, 2, 3))
    shown = [body for body in range(2) if np.isfinite(keypoints[body]).any()]
    return [SkeletonSequence(keypoints[shown], get_layout("ntu-25"), FPS, "metre", track_ids=tuple(shown))]


def read_segments(path: Path) -> list[tuple[int, int, int, int]]:
    """The actions of a label file: `(label 1..51, first frame, last frame, confidence 1 or 2)`, as written there.

    Raises ValueError that names the line.
    """
    segments = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        if len(words) != 4 or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
            reason = f"expected 4 whole numbers (label, start, end, confidence), got {line[:40]!r}."
            raise bad_file(path, f"line {number}", reason)
        label, start, end, confidence = (int(word) for word in words)
        if not 1 <= label < len(CLASS_NAMES) or start > end:
            reason = f"expected a label in 1..{len(CLASS_NAMES) - 1} and start <= end, got {line[:40]!r}."
            raise bad_file(path, f"line {number}", reason)
        segments.append((label, start, end, confidence))
    return segments


def frame_labels(path: Path, num_frames: int) -> tuple[int, ...]:
    """The action of every frame from a label file: 0 between the actions, the later one where two overlap.

    Frames count from 0, both ends are inclusive, and frames after the clip are cut off.
    """
    labels = np.zeros(num_frames, dtype=int)
    for label, start, end, _ in sorted(read_segments(path), key=lambda segment: segment[1]):
        labels[start : end + 1] = label
    return tuple(labels.tolist())


def annotate(path: Path) -> ClipFacts:
    """Actions from the label file of the same name, camera from the name, `setup` from the cross-subject list."""
    _, view = name_parts(path, _NAME, "NNNN-V.skeleton (recording, view L, M or R)")
    labels, subjects = _label_file(path), find_above(path, SUBJECT_LIST)
    if labels is None:
        raise bad_file(path, "labels", f"expected {path.stem}.label or .txt beside it or in a sibling folder.")
    actions = frame_labels(labels, sum(bool(line.strip()) for line in read_text(path).splitlines()))
    trains = None if subjects is None else _subject_list(subjects).get(path.stem)
    return ClipFacts(None, None, CAMERAS[view], trains, clip_id=path.stem, frame_labels=actions)


def is_recording(path: Path) -> bool:
    """False for label files with names of recordings: their lines have four numbers."""
    if path.suffix == ".label":
        return False
    if path.suffix == ".skeleton":
        return True
    try:
        first = read_head(path).lstrip().split(b"\n")[0].replace(b",", b" ").split()
    except ValueError:
        return True  # reading reports the defect
    return len(first) != 4


def _label_file(path: Path) -> Path | None:
    own = path.absolute().parent
    folders = [own, *sorted(folder for folder in own.parent.iterdir() if folder.is_dir() and folder != own)]
    names = (f"{path.stem}.label", f"{path.stem}.txt")
    candidates = (folder / name for folder in folders for name in names)
    return next((found for found in candidates if found.is_file() and not is_recording(found)), None)


@kept_until_changed
def _subject_list(path: Path) -> dict[str, int]:
    """Recording -> 1 below a heading with "train", 0 below another heading."""
    trains, listed = None, {}
    for line in read_text(path).splitlines():
        names = re.findall(r"\d{4}-[LMR]", line)
        if not names and re.search("[A-Za-z]", line):
            trains = int("train" in line.lower())
        elif trains is not None:
            listed.update(dict.fromkeys(names, trains))
    if set(listed.values()) != {0, 1}:
        reason = "expected names such as 0002-M below a heading for training and one for the rest."
        raise bad_file(path, "content", reason)
    return listed


def matches(path: Path, head: bytes) -> bool:
    """A line of 150 numbers."""
    words = head.split(b"\n")[0].replace(b",", b" ").split()
    if len(words) != NUM_VALUES:
        return False
    try:
        return all(np.isfinite(float(word)) for word in words)
    except ValueError:
        return False


DATASET = Dataset(
    format=PUBLISHED.format(matches, read),
    annotate_clip=annotate,
    is_clip=is_recording,
    sidecars=(SUBJECT_LIST,),
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        PUBLISHED.protocol("xview", by_value("camera", {1, 2}, {0})),
        PUBLISHED.protocol("xsub", by_value("setup", {1}, {0})),
    ),
    **PUBLISHED.fields(),
)
