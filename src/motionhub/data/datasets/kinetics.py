"""Kinetics-skeleton clips: one JSON per clip, the OpenPose detections of each frame; tracking finds identities.

ST-GCN's own reader takes the first five detections of a frame; the files have more, and all are read.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.protocols import by_value
from motionhub.data.formats.detections import Detection, clip_of
from motionhub.data.formats.files import bad_file, list_of, load_object, number_array
from motionhub.data.formats.format import ReadOptions
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("kinetics-skeleton")
CLASS_NAMES = PUBLISHED.classes
FPS = 30.0
NUM_JOINTS = 18
_PREFIX = "kinetics_skeleton_"
# Folder name in the published archive -> whether its clips train.
_FOLDERS = {"kinetics_train": 1, "kinetics_val": 0}


def _person(path: Path, place: str, person: dict[str, Any]) -> Detection:
    pose = number_array(path, f"{place}.pose", person.get("pose"))
    score = number_array(path, f"{place}.score", person.get("score"))
    if pose.shape != (2 * NUM_JOINTS,) or score.shape != (NUM_JOINTS,):
        expected = f"expected {2 * NUM_JOINTS} numbers in 'pose' and {NUM_JOINTS} in 'score'"
        raise bad_file(path, place, f"{expected}, got shapes {pose.shape} and {score.shape}.")
    points = np.where(score[:, None] > 0, pose.reshape(NUM_JOINTS, 2), np.nan)
    return Detection(points, np.where(score > 0, score, 0.0))


def _people(path: Path, index: int, frame: dict[str, Any]) -> list[Detection]:
    place = f"data[{index}].skeleton"
    people = list_of(path, place, frame.get("skeleton"), dict)
    return [_person(path, f"{place}[{number}]", person) for number, person in enumerate(people)]


def _positions(path: Path, frames: list[dict[str, Any]]) -> list[int]:
    """The position of each frame in the clip; an absent number is an empty frame."""
    numbers = [frame.get("frame_index") for frame in frames]
    whole = [number for number in numbers if type(number) is int and 0 <= number < 2**31]
    if len(whole) < len(numbers) or any(after <= before for before, after in pairwise(whole)):
        raise bad_file(path, "frame_index", "expected increasing whole numbers.")
    if whole[-1] - whole[0] > 100 * len(whole) + 10_000:
        raise bad_file(path, "frame_index", f"{len(whole)} frames are numbered from {whole[0]} to {whole[-1]}.")
    return [number - whole[0] for number in whole]


def read(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 18, 2)` in 0..1 of the image width and height, y down, and the scores as confidence.

    A joint with score 0 is missing. People are tracked by keypoints alone and get a new identity after a second out of
    sight. A clip without people has zero people.
    """
    frames = list_of(path, "data", load_object(path, "data")["data"], dict)
    if not frames:
        raise bad_file(path, "data", "the clip has no frames.")
    positions = _positions(path, frames)
    people: list[list[Detection]] = [[] for _ in range(positions[-1] + 1)]
    for index, frame in enumerate(frames):
        people[positions[index]] = _people(path, index, frame)
    return [clip_of(path, people, ReadOptions(), get_layout("openpose-18"), fps=FPS, unit="normalised", up="-y")]


def annotate(path: Path) -> ClipFacts:
    """Label from the content; `setup` from the folder: 1 in `kinetics_train`, 0 in `kinetics_val`."""
    label = label_numbered(path, "label_index", load_object(path, "data").get("label_index"), len(CLASS_NAMES))
    setup = _FOLDERS.get(path.absolute().parent.name)
    return ClipFacts(label, None, None, setup, clip_id=path.stem.removeprefix(_PREFIX))


def matches(path: Path, head: bytes) -> bool:
    """Whether a file begins as a clip of Kinetics-skeleton."""
    return head.lstrip().startswith(b"{") and b'"data"' in head and b'"frame_index"' in head and b'"skeleton"' in head


DATASET = Dataset(
    format=PUBLISHED.format(matches, read),
    pattern="*.json",
    annotate_clip=annotate,
    is_clip=lambda path: not path.stem.endswith("_label"),
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(PUBLISHED.protocol("official", by_value("setup", {1}, {0})),),
    **PUBLISHED.fields(),
)
