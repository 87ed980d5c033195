"""UAV-Human poses from a drone: NTU's text format with COCO's 17 joints; only the labelled clips."""

import re
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.ntu import has_bodies, read_bodies
from motionhub.data.datasets.protocols import Protocol, by_value
from motionhub.data.formats.files import name_parts, origin_is_missing
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("uav-human")
NUM_CLASSES = 155
CLASS_NAMES = tuple(f"action {number}" for number in range(NUM_CLASSES))
FPS = 30.0
NUM_JOINTS = 17
IMAGE_SIZE = (1920, 1080)
# Li et al. 2021: the training performers of the two cross-subject protocols, of 119 (0 to 118).
# fmt: off
UAV_TRAIN_SUBJECTS = (
    frozenset({
        0, 2, 5, 6, 7, 8, *range(10, 22), *range(25, 31), *range(32, 41), *range(42, 54), 55, 56, 57, 59,
        *range(61, 66), *range(67, 72), 73, *range(76, 91), 98, 100, 102, 103, 105, 106, 110, 111, 112,
        *range(114, 119),
    }),
    frozenset({
        0, 3, 4, 5, 6, 8, 10, 11, 12, 14, 16, *range(18, 23), 24, 26, *range(29, 33), *range(35, 41),
        *range(43, 48), 49, 52, 54, 56, 57, *range(59, 65), 66, 67, *range(69, 76), *range(77, 82), 83, 84,
        *range(86, 90), *range(91, 98), *range(99, 105), *range(106, 116), 117, 118,
    }),
)
# fmt: on
_NAME = re.compile(r"P(\d{1,9})S(\d{1,9})G\d+B\d+H\d+UC\d+LC\d+A(\d{1,9})R\d+_\d+")


def read(path: Path) -> list[SkeletonSequence]:
    """`(num_bodies, num_frames, 17, 2)` pixels of the 1920 x 1080 video; the body ids are the track ids.

    The third coordinate is dropped, as the poses are 2-D. A joint at exactly (0, 0) is missing, and so is an absent
    body. `confidence` is the tracking state, as in NTU's files.
    """
    values, track_ids = read_bodies(path, NUM_JOINTS)
    keypoints, confidence = origin_is_missing(values[..., :2]), values[..., 3].astype(np.float32)
    layout = get_layout("coco-17")
    return [SkeletonSequence(keypoints, layout, FPS, "pixel", confidence, IMAGE_SIZE, track_ids)]


def annotate(path: Path) -> ClipFacts:
    """Everything from the name `P..S..G..B..H..UC..LC..A..R.._..` (performer, scene, ..., action 0..154)."""
    expected = "P..S..G..B..H..UC..LC..A..R.._...txt (clips of the competition, with other names, have no labels)"
    performer, scene, action = map(int, name_parts(path, _NAME, expected))
    label = label_numbered(path, "name", action, NUM_CLASSES)
    return ClipFacts(label, subject=performer, camera=None, setup=scene, clip_id=path.stem)


DATASET = Dataset(
    format=PUBLISHED.format(lambda path, head: has_bodies(head, NUM_JOINTS), read),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=tuple(
        Protocol(
            f"csv{number}",
            f"Cross-subject version {number}: train on the {len(subjects)} listed performers, test on the other "
            f"{119 - len(subjects)} (Li et al., CVPR 2021).",
            by_value("subject", subjects, range(119)),
        )
        for number, subjects in enumerate(UAV_TRAIN_SUBJECTS, start=1)
    ),
    **PUBLISHED.fields(),
)
