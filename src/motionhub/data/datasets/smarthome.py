"""Reads Toyota Smarthome (trimmed) poses: one LCR-Net JSON a clip, in the image or in space.

It does not know how LCR-Net's JSON is written (`lcrnet.py`), nor the protocols (`data/datasets/splits.py`).
"""

import re
from dataclasses import replace
from pathlib import Path

from motionhub.data.formats import lcrnet
from motionhub.data.formats.options import ReadOptions
from motionhub.data.formats.reader import ClipFacts, Reader, bad_file
from motionhub.skeletons.sequence import SkeletonSequence


# In the order of the cross-subject protocol; the cross-view ones number 19 of them otherwise (`datasets/splits.py`).
CLASS_NAMES = (
    "Cook.Cleandishes",
    "Cook.Cleanup",
    "Cook.Cut",
    "Cook.Stir",
    "Cook.Usestove",
    "Cutbread",
    "Drink.Frombottle",
    "Drink.Fromcan",
    "Drink.Fromcup",
    "Drink.Fromglass",
    "Eat.Attable",
    "Eat.Snack",
    "Enter",
    "Getup",
    "Laydown",
    "Leave",
    "Makecoffee.Pourgrains",
    "Makecoffee.Pourwater",
    "Maketea.Boilwater",
    "Maketea.Insertteabag",
    "Pour.Frombottle",
    "Pour.Fromcan",
    "Pour.Fromkettle",
    "Readbook",
    "Sitdown",
    "Takepills",
    "Uselaptop",
    "Usetelephone",
    "Usetablet",
    "Walk",
    "WatchTV",
)
FPS = 20.0
IMAGE_SIZE = (640, 480)
_NAME = re.compile(r"([A-Za-z.]{1,40})_p(\d\d)_r(\d\d)_v(\d\d)_c(\d\d)(?:_.*)?")


def read(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 13, 2)` pixels of the 640 x 480 video. People are followed on their keypoints alone."""
    return lcrnet.read(path, ReadOptions(fps=FPS, unit="pixel", image_size=IMAGE_SIZE))


def read_3d(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 13, 3)` as LCR-Net estimates it, relative to the body, taken for metres."""
    return lcrnet.read(path, ReadOptions(fps=FPS, unit="metre"))


def annotate(path: Path) -> ClipFacts:
    """Everything from the name `Class_pPP_rRR_vVV_cCC` (performer, repetition, video, camera)."""
    named = _NAME.fullmatch(path.stem)
    if named is None:
        raise bad_file(path, "name", "expected Class_pPP_rRR_vVV_cCC.json (performer, ..., camera); rename it back.")
    if named.group(1) not in CLASS_NAMES:
        raise bad_file(path, "name", f"expected one of the 31 classes such as {CLASS_NAMES[0]}, got {named.group(1)}.")
    subject, camera = int(named.group(2)), int(named.group(5))
    return ClipFacts(CLASS_NAMES.index(named.group(1)), subject, camera, None, clip_id=path.stem)


def matches(path: Path, head: bytes) -> bool:
    """LCR-Net's JSON called like this data set's clips: the content alone does not tell them apart."""
    return _NAME.fullmatch(path.stem) is not None and lcrnet.matches(path, head)


READER = Reader(
    name="smarthome",
    title="Toyota Smarthome (trimmed), poses in the image",
    matches=matches,
    read=read,
    annotate=annotate,
    pattern="*_p[0-9][0-9]_r[0-9][0-9]_v[0-9][0-9]_c[0-9][0-9]*.json",
    container="json",
    signature='LCR-Net JSON ("frames" of people with "pose2d", "pose3d") called Class_pPP_rRR_vVV_cCC.json',
    layout="lcrnet-13",
    fps=FPS,
    fps_source="assumed: 20 frames per second, as the videos are said to have; the files carry no time stamps",
    unit="pixel",
    class_names=CLASS_NAMES,
    missing_joints="a joint at exactly the origin, or of a person absent from the frame, becomes missing",
    licence="academic research only, by agreement with the authors; no redistribution",
    homepage="https://project.inria.fr/toyotasmarthome/",
    citation="Das, Dai, Koperski, Minciullo, Garattoni, Bremond, Francesca: Toyota Smarthome: Real-World Activities "
    "of Daily Living. ICCV 2019.",
    provenance="Read from the authors' files, poses that LCR-Net estimated; coordinates are theirs, who is who from "
    "frame to frame is motionhub's finding",
    remarks="Labels are numbered as in the cross-subject protocol; for the other order of the cross-view protocols "
    'call motionhub.data.datasets.splits.relabel(dataset, get_protocol("smarthome", "cv1"))',
    column_notes={"camera": "camera 1..7", "setup": "unknown in this data set (-1)"},
)
READER_3D = replace(
    READER,
    name="smarthome-3d",
    title="Toyota Smarthome (trimmed), poses in space",
    read=read_3d,
    unit="metre",
    remarks=f"{READER.remarks}. LCR-Net's unit is not documented with the files: metres were assumed",
)
