"""Kinetics-skeleton clips: one JSON per clip, the OpenPose detections of each frame; tracking finds identities.

ST-GCN's own reader takes the first five detections of a frame; the files have more, and all are read.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, PaperCounts, checked, label_numbered, listed_classes
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats.detections import Detection, clip_of
from motionhub.data.formats.files import bad_file, list_of, load_object, number_array
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


CLASS_NAMES = listed_classes("kinetics-skeleton")
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
    format=Format(
        name="kinetics-skeleton",
        title="Kinetics-skeleton (ST-GCN)",
        matches=matches,
        read=checked(read),
        container="json",
        signature='JSON object with "data" (frames with "frame_index", "skeleton": pose, score), "label", '
        '"label_index"',
    ),
    pattern="*.json",
    aliases=("kinetics", "kinetics400", "kinetics400skeleton"),
    annotate_clip=annotate,
    is_clip=lambda path: not path.stem.endswith("_label"),
    layout="openpose-18",
    fps=FPS,
    fps_source="the authors converted all videos to 30 frames per second before they ran OpenPose",
    unit="normalised",
    class_names=CLASS_NAMES,
    protocols=(
        by_setup(
            "official", "Train on the training clips, test on the validation clips, by folder (Yan et al., AAAI 2018)."
        ),
    ),
    counts=(
        PaperCounts(
            "clips with a skeleton",
            "Liu et al., CVPR 2020 (MS-G3D), from general knowledge",
            240_436 + 19_796,
            400,
            splits={"official": (240_436, 19_796)},
        ),
    ),
    missing_joints="a joint with score 0, or of a person absent from the frame, becomes missing",
    licence="research use; poses estimated on videos from the web, no licence text comes with the files",
    homepage="https://github.com/yysijie/st-gcn",
    citation="Yan, Xiong, Lin: Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition. "
    "AAAI 2018. Kay et al.: The Kinetics Human Action Video Dataset. arXiv 1705.06950.",
    provenance="Read from the authors' files; coordinates and scores as published, identities by motionhub's tracking",
    remarks="The detections of a frame have no identity; motionhub tracks people by keypoints alone, and every track "
    "is a person, often more than are visible at once",
    column_notes={
        "setup": "1 training clip, 0 validation clip, by folder",
        "subject": "unknown in this dataset (-1)",
        "camera": "unknown in this dataset (-1)",
    },
)
