"""NTU RGB+D 60 and 120: `.skeleton` text files of all tracked Kinect v2 bodies; the actor is not marked."""

import re
from collections.abc import Sequence
from functools import partial
from itertools import dropwhile
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.protocols import EVEN, ODD, Assign, Protocol, Row, Split, by_value
from motionhub.data.formats.files import bad_file, name_parts, origin_is_missing, read_text
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("ntu-rgbd")
CLASS_NAMES = PUBLISHED.classes
FPS = 30.0
NUM_JOINTS = 25
# Shahroudy et al. 2016, section 4.2 (as listed by the UNIK and 2s-AGCN code).
NTU60_TRAIN_SUBJECTS = frozenset({1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38})
# Liu et al. 2019, from public code (several repositories agree); not checked against the paper.
NTU120_TRAIN_SUBJECTS = NTU60_TRAIN_SUBJECTS | frozenset(
    {45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96), 97, 98, 100, 103}
)
# A corrupt or hostile file must not fill the memory.
MAX_VALUES = 2**26
# Kinect v2: 0 not tracked, 1 inferred from its neighbours, 2 tracked.
TRACKING_CONFIDENCE = {"0": 0.0, "1": 0.5, "2": 1.0}
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")

# body id -> (joints, 4) x, y, z, confidence. The ids exceed 2**53, so they must stay integers.
Bodies = dict[int, np.ndarray]


class _Lines:
    """The lines of one file one by one, with errors that name the line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = read_text(path).rstrip().splitlines()
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.lines) - self.position

    def error(self, reason: str) -> ValueError:
        return bad_file(self.path, f"line {max(self.position, 1)}", reason)

    def take(self, what: str, length: int) -> list[str]:
        if self.left == 0:
            raise self.error(f"the file ends where {what} should follow; it is cut off.")
        words = self.lines[self.position].split()
        self.position += 1
        if len(words) != length:
            shown = self.lines[self.position - 1][:40]
            raise self.error(f"expected {what} ({length} numbers), got {len(words)} words: {shown!r}.")
        return words

    def take_count(self, what: str, lines_each: int) -> int:
        """A count of items; raises ValueError when fewer lines follow, before allocation."""
        word = self.take(what, 1)[0]
        if not word.isascii() or not word.isdigit() or len(word) > 12:
            raise self.error(f"expected {what} (a whole number), got {word[:40]!r}.")
        if int(word) * lines_each > self.left:
            raise self.error(f"{what} is {word}, but only {self.left} lines follow; the file is cut off or corrupt.")
        return int(word)


def _body(lines: _Lines, num_joints: int) -> tuple[int, np.ndarray]:
    """One body of one frame: a header of 10 numbers, the joint count, and a line of 12 numbers per joint."""
    body_id = lines.take("a body's header", 10)[0]
    if not (body_id.isascii() and body_id.isdigit() and len(body_id) < 20 and int(body_id) < 2**63):
        raise lines.error(f"expected a body id (a whole number), got {body_id[:40]!r}.")
    joints = lines.take_count("the number of joints", 1)
    if joints != num_joints:
        raise lines.error(f"expected {num_joints} joints, got {joints}.")
    return int(body_id), np.array([_joint(lines) for _ in range(num_joints)])


def _joint(lines: _Lines) -> list[float]:
    words = lines.take("a joint", 12)
    if words[11] not in TRACKING_CONFIDENCE:
        raise lines.error(f"expected a tracking state 0, 1 or 2 at the end of a joint, got {words[11][:40]!r}.")
    try:
        return [float(words[0]), float(words[1]), float(words[2]), TRACKING_CONFIDENCE[words[11]]]
    except ValueError:
        raise lines.error(f"expected the numbers x, y, z of a joint, got {' '.join(words[:3])[:60]!r}.") from None


def _frame(lines: _Lines, num_joints: int) -> Bodies:
    bodies: Bodies = {}
    for _ in range(lines.take_count("the number of bodies", num_joints + 2)):
        body_id, joints = _body(lines, num_joints)
        if body_id in bodies:
            raise lines.error(f"body {body_id} occurs twice in one frame.")
        bodies[body_id] = joints
    return bodies


def read_bodies(path: Path, num_joints: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """A file in NTU's text format with bodies of `num_joints` joints.

    Returns:
        `(num_bodies, num_frames, num_joints, 4)` float64 x, y, z (NaN where the body is absent) and confidence (0
        there), and the body ids in the order of their first appearance.

    Raises:
        ValueError: the file is broken; names the line.
    """
    lines = _Lines(path)
    num_frames = lines.take_count("the number of frames", 1)
    if num_frames == 0:
        raise lines.error("the clip has no frames.")
    frames = [_frame(lines, num_joints) for _ in range(num_frames)]
    if lines.left:
        raise lines.error(f"{lines.left} lines follow the last of {num_frames} frames; the counts are corrupt.")
    track_ids = tuple(dict.fromkeys(body_id for frame in frames for body_id in frame))
    if len(track_ids) * num_frames * num_joints * 4 > MAX_VALUES:
        raise lines.error(f"{len(track_ids)} bodies in {num_frames} frames are more than a clip can hold.")
    values = np.full((len(track_ids), num_frames, num_joints, 4), (np.nan, np.nan, np.nan, 0.0))
    row_of = {body_id: row for row, body_id in enumerate(track_ids)}
    for time, frame in enumerate(frames):
        for body_id, joints in frame.items():
            values[row_of[body_id], time] = joints
    return values, track_ids


def read(path: Path) -> list[SkeletonSequence]:
    """`(num_bodies, num_frames, 25, 3)` metres in the camera's frame; the body ids are the track ids.

    An absent body is NaN, and so is a joint at exactly (0, 0, 0). `confidence` is the Kinect's tracking state: 1
    tracked, 0.5 inferred, 0 not tracked or absent. A clip without bodies has zero people.
    """
    values, track_ids = read_bodies(path, NUM_JOINTS)
    keypoints, confidence = origin_is_missing(values[..., :3]), values[..., 3].astype(np.float32)
    layout = get_layout("ntu-25")
    return [SkeletonSequence(keypoints, layout, FPS, "metre", confidence=confidence, track_ids=track_ids)]


def annotate(path: Path) -> ClipFacts:
    """Everything from the name `SsssCcccPpppRrrrAaaa` (setup, camera, performer, replication, action 1..120)."""
    setup, camera, performer, _, action = map(int, name_parts(path, _NAME, "SsssCcccPpppRrrrAaaa.skeleton"))
    label = label_numbered(path, "name", action, len(CLASS_NAMES), first=1)
    return ClipFacts(label, subject=performer, camera=camera, setup=setup, clip_id=path.stem)


def has_bodies(head: bytes, num_joints: int) -> bool:
    """Whether the head has NTU's text format with that many joints; empty frames are a line "0"."""
    lines = head.decode("ascii", errors="replace").splitlines()
    if not lines or not lines[0].strip().isdigit():
        return False
    rest = list(dropwhile(lambda line: line.strip() == "0", lines[1:]))
    if len(rest) < 3:  # only empty frames in the head
        return len(lines) > 1 and not rest
    return rest[0].strip().isdigit() and len(rest[1].split()) == 10 and rest[2].strip() == str(num_joints)


_ntu60 = partial(PUBLISHED.protocol, num_classes=60)


def _ntu120(name: str, assign: Assign) -> Protocol:
    """A protocol of all 120 classes, without splits for clips of NTU-60 (the first 60) alone."""

    def of_all_classes(rows: Sequence[Row]) -> list[Split]:
        return assign(rows) if any(int(row["label"]) >= 60 for row in rows) else [None] * len(rows)

    return PUBLISHED.protocol(name, of_all_classes)


DATASET = Dataset(
    format=PUBLISHED.format(lambda path, head: has_bodies(head, NUM_JOINTS), read),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        _ntu60("xsub", by_value("subject", NTU60_TRAIN_SUBJECTS, None, num_classes=60)),
        _ntu60("xview", by_value("camera", {2, 3}, {1}, num_classes=60)),
        _ntu120("xsub-120", by_value("subject", NTU120_TRAIN_SUBJECTS, None)),
        _ntu120("xset-120", by_value("setup", EVEN, ODD)),
    ),
    exclude_lists=("*samples_with_missing_skeletons.txt",),
    **PUBLISHED.fields(),
)
