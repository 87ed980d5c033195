"""PRECOG-2016 untrimmed recordings: one CSV per sequence, 20 joints and an action number (without name) per frame."""

import re
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published
from motionhub.data.datasets.protocols import by_value, leave_one_out, odd_subjects
from motionhub.data.formats.files import bad_file, name_parts, numbers_of, origin_is_missing, read_text
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("precog")
CLASS_NAMES = ("background", *(f"action {number}" for number in range(1, 9)))
FPS = 30.0
# Of the header: the joints of kinect-20 as the Kinect SDK spells them, WristLeft for left_wrist.
_CENTRES = {"mid_hip": "HipCenter", "shoulder_centre": "ShoulderCenter"}
COLUMNS = tuple(
    _CENTRES.get(joint) or "".join(word.capitalize() for word in reversed(joint.split("_")))
    for joint in get_layout("kinect-20").joints
)
MAX_BYTES = 2**28
_NAME = re.compile(r"Seq(\d{1,3})_(\d{1,3})")


def _load(path: Path) -> tuple[np.ndarray, tuple[int, ...]]:
    """`(frames, 20, 3)` coordinates and one action per frame."""
    header, *lines = read_text(path, MAX_BYTES).splitlines() or [""]
    names = tuple(name.strip() for name in header.split(";"))
    if names[: len(COLUMNS)] != COLUMNS or len(names) > len(COLUMNS) + 1:
        reason = f"expected the joints {'; '.join(COLUMNS[:3])}; ... {COLUMNS[-1]}, got {header[:60]!r}."
        raise bad_file(path, "line 1", reason)
    rows = [_row(path, number, line) for number, line in enumerate(lines, start=2) if line.strip()]
    if not rows:
        raise bad_file(path, "content", "the sequence has no frames.")
    return np.array([points for points, _ in rows]), tuple(action for _, action in rows)


def _row(path: Path, number: int, line: str) -> tuple[list[list[float]], int]:
    cells = line.split(";")
    if len(cells) != len(COLUMNS) + 1:
        reason = f"expected {len(COLUMNS)} joints and an action, separated by semicolons, got {len(cells)} cells."
        raise bad_file(path, f"line {number}", reason)
    action = cells[-1].strip()
    if action not in "012345678" or len(action) != 1:
        raise bad_file(path, f"line {number}", f"expected an action 0..8 in the last cell, got {action[:40]!r}.")
    return [numbers_of(path, number, cell, 3) for cell in cells[:-1]], int(action)


def read(path: Path) -> list[SkeletonSequence]:
    """One person, `(1, num_frames, 20, 3)` metres in the camera's frame, y up, Kinect v1 SDK order."""
    return [SkeletonSequence(origin_is_missing(_load(path)[0]), get_layout("kinect-20"), FPS, "metre")]


def annotate(path: Path) -> ClipFacts:
    """The action of every frame from the content; subject and sequence number from the name `SeqN_S`."""
    sequence, subject = map(int, name_parts(path, _NAME, "SeqN_S.csv (sequence, subject)"))
    return ClipFacts(None, subject, None, sequence, path.stem, frame_labels=_load(path)[1])


DATASET = Dataset(
    format=PUBLISHED.format(
        lambda path, head: head.replace(b" ", b"").startswith(";".join(COLUMNS[:8]).encode()), read
    ),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        odd_subjects(),
        PUBLISHED.protocol("subjects-1-6", by_value("subject", range(1, 7), {7, 8})),
        *leave_one_out("subject", {subject: str(subject) for subject in range(1, 13)}, "subject"),
    ),
    **PUBLISHED.fields(),
)
