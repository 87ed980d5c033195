"""Reads UAV-Human poses: NTU's text format with COCO's 17 joints, seen from a drone.

It does not know the protocols (`splits.py`), nor the anonymous clips of the competition, which have no labels.
"""

import re
from pathlib import Path

import numpy as np

from motionhub.data.datasets.ntu import has_bodies, read_bodies
from motionhub.data.formats.reader import ClipFacts, Reader, bad_file
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


NUM_CLASSES = 155
CLASS_NAMES = tuple(f"action {number}" for number in range(NUM_CLASSES))
FPS = 30.0
NUM_JOINTS = 17
IMAGE_SIZE = (1920, 1080)
_NAME = re.compile(r"P(\d{1,9})S(\d{1,9})G\d+B\d+H\d+UC\d+LC\d+A(\d{1,9})R\d+_\d+")


def read(path: Path) -> list[SkeletonSequence]:
    """`(num_bodies, num_frames, 17, 2)` pixels of the 1920 x 1080 video; the body ids are the track ids.

    The third number of a joint is left out: the poses were estimated in the image. A joint at exactly (0, 0) is
    missing, and so is a body that a frame does not show. `confidence` is the tracking state, as in NTU's files.
    """
    values, track_ids = read_bodies(path, NUM_JOINTS)
    points = values[..., :2]
    lost = (points == 0).all(axis=-1, keepdims=True)
    with np.errstate(over="ignore"):
        keypoints = np.where(lost, np.nan, points).astype(np.float32)
    confidence = values[..., 3].astype(np.float32)
    layout = get_layout("coco-17")
    return [SkeletonSequence(keypoints, layout, FPS, "pixel", confidence, IMAGE_SIZE, track_ids)]


def annotate(path: Path) -> ClipFacts:
    """Everything from the name `P..S..G..B..H..UC..LC..A..R.._..` (performer, scene, ..., action 0..154)."""
    named = _NAME.fullmatch(path.stem)
    if named is None:
        reason = (
            "expected P..S..G..B..H..UC..LC..A..R.._...txt; rename it back (the competition's clips have no labels)."
        )
        raise bad_file(path, "name", reason)
    performer, scene, action = (int(number) for number in named.groups())
    if action >= NUM_CLASSES:
        raise bad_file(path, "name", f"expected an action in 0..{NUM_CLASSES - 1}, got {action}.")
    return ClipFacts(label=action, subject=performer, camera=None, setup=scene, clip_id=path.stem)


def matches(path: Path, head: bytes) -> bool:
    return has_bodies(head, NUM_JOINTS)


READER = Reader(
    name="uav-human",
    title="UAV-Human",
    matches=matches,
    read=read,
    annotate=annotate,
    pattern="P[0-9]*S[0-9]*G[0-9]*B[0-9]*H[0-9]*UC*LC*A*R*_*.txt",
    container="text",
    signature="text: number of frames, then per frame the number of bodies, per body 10 numbers, 17, 17 lines of 12",
    layout="coco-17",
    fps=FPS,
    fps_source="assumed: 30 frames per second; the files carry no time stamps",
    unit="pixel",
    class_names=CLASS_NAMES,
    missing_joints="a joint at exactly (0, 0), or of a body absent from the frame, becomes missing",
    licence="academic research only, by agreement with the authors; no redistribution",
    homepage="https://github.com/SUTDCV/UAV-Human",
    citation="Li, Liu, Zhang, Ni, Wang, Li: UAV-Human: A Large Benchmark for Human Behavior Understanding with "
    "Unmanned Aerial Vehicles. CVPR 2021.",
    remarks="Built from a description of the format, without a published file at hand: verify unit and image size on "
    "the first clips. The actions are numbered as in the files' names; their titles are not in them",
    column_notes={"setup": "the S number of the file's name", "camera": "unknown in this data set (-1)"},
)
