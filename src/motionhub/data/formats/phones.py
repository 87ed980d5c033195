"""Poses of phones as JSON that apps dump: Apple's Vision (2-D) and ARKit (3-D), and Google's ML Kit.

Apple names its joints `left_upLeg_joint`. Vision has fractions of the image with y up, which are turned to y down as
everywhere else; in ARKit `left_shoulder_1_joint` is the collar and `left_arm_joint` the shoulder. ML Kit numbers or
names the 33 landmarks of MediaPipe, in pixels.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.files import MAX_JSON_BYTES, note, read_bytes
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, load_document
from motionhub.data.formats.people import clips_in
from motionhub.data.formats.persons import Program
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.sequence import SkeletonSequence


_APPLE = rb"_(upLeg|leg|foot|forearm|hand|shoulder_1)_joint"
_ARKIT = rb"(left|right)_arm_joint"
_LANDMARKS = {"landmarks", "poseLandmarks", "allPoseLandmarks"}
_OF_A_SIDE = {"forearm": "elbow", "hand": "wrist", "upLeg": "hip", "leg": "knee", "foot": "ankle"}
_NAMES: dict[int | str, str] = {
    **{f"{side}_{part}_joint": f"{side}_{joint}" for side in ("left", "right") for part, joint in _OF_A_SIDE.items()},
    **{f"{side}_{part}_joint": f"{side}_{part}" for side in ("left", "right") for part in ("eye", "ear")},
    "neck_1_joint": "neck",
}
_VISION = Program(
    flat=True,
    joint_types={
        **_NAMES,
        "head_joint": "nose",
        "root": "mid_hip",
        **{f"{side}_shoulder_1_joint": f"{side}_shoulder" for side in ("left", "right")},
    },
)
_IN_ARKIT = Program(
    unit="metre",
    up="y",
    three=True,
    joint_types={
        **_NAMES,
        **{"head_joint": "head", "nose_joint": "nose", "hips_joint": "mid_hip", "spine_7_joint": "chest"},
        **{f"{side}_shoulder_1_joint": f"{side}_collar" for side in ("left", "right")},
        **{f"{side}_arm_joint": f"{side}_shoulder" for side in ("left", "right")},
    },
)
_ML_KIT = Program(
    flat=True,
    joint_types=dict(enumerate(LAYOUTS["mediapipe-33"].joints)),
)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """`(people, frames, joints, 2)` in fractions of the image (Vision) or pixels (ML Kit), or metres, y up (ARKit)."""
    content, text = load_document(path), read_bytes(path, MAX_JSON_BYTES)
    if re.search(_APPLE, text) is None:
        return clips_in(path, _with_keypoints(content), options, _ML_KIT)
    if re.search(_ARKIT, text) is not None:
        return clips_in(path, content, options, _IN_ARKIT)
    clips = clips_in(path, content, options, _VISION)
    if any(clip.unit != "normalised" for clip in clips):
        return clips
    note(path, "axes", "y is up in Vision: it is read as 1 - y, down as in other images.")
    return [clip.replace(keypoints=_turned(clip.keypoints)) for clip in clips]


def _with_keypoints(content: Any, depth: int = 6) -> Any:
    """The document with its landmarks under the usual key."""
    if isinstance(content, list) and depth:
        return [_with_keypoints(item, depth - 1) for item in content]
    if not isinstance(content, dict) or not depth:
        return content
    renamed = (("keypoints" if key in _LANDMARKS else key, value) for key, value in content.items())
    return {key: _with_keypoints(value, depth - 1) for key, value in renamed}


def _turned(points: np.ndarray) -> np.ndarray:
    return points * np.array([1, -1], np.float32) + np.array([0, 1], np.float32)


def _matches(path: Path, head: bytes) -> bool:
    apple = finds(path, head, r'"((left|right)_(upLeg|leg|foot|forearm|hand|shoulder_1)|head|neck_1)_joint"')
    return apple or finds(path, head, r'"(inFrameLikelihood|landmarkType|likelihood)"', r'"\w*[lL]andmarks"')


FORMAT = Format(
    name="phones",
    title="Apple Vision, ARKit or ML Kit poses (JSON)",
    matches=_matches,
    read=read,
    container="json",
    signature='frames with "joints" called left_upLeg_joint (Apple), or "landmarks" with inFrameLikelihood (ML Kit)',
    needs=("fps",),
)
