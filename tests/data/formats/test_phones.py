"""Apple Vision, ARKit and ML Kit: joints by their programs' names; Vision's images, y up, become y down."""

import json

import numpy as np
import pytest

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


FRAMES = 4
PARTS = {"elbow": "forearm", "wrist": "hand", "hip": "upLeg", "knee": "leg", "ankle": "foot"}
SIDED = [(side, joint, part) for side in ("left", "right") for joint, part in PARTS.items()]
LIMBS = {f"{side}_{joint}": f"{side}_{part}_joint" for side, joint, part in SIDED} | {"neck": "neck_1_joint"}
VISION = {**LIMBS, "nose": "head_joint", "left_shoulder": "left_shoulder_1_joint", "mid_hip": "root"}
ARKIT = {**LIMBS, "head": "head_joint", "left_collar": "left_shoulder_1_joint", "left_shoulder": "left_arm_joint"}


@pytest.fixture
def write(tmp_path):
    def written(content):
        (tmp_path / "clip.json").write_text(json.dumps(content))
        assert find_format(tmp_path / "clip.json").name == "phones"
        return tmp_path / "clip.json"

    return written


def points(names, dims, low=0.1, high=0.9):
    body = np.random.default_rng(0).uniform(low, high, (len(names), dims))
    return (body + (high - low) / 100 * np.arange(FRAMES)[:, None, None]).round(4)  # moves a little


def test_joints_of_vision_are_fractions_of_the_image_with_y_down(write):
    values = points(VISION, 2)
    frames = []
    for row, each in enumerate(values.tolist()):
        joints = {
            name: {"x": x, "y": y, "confidence": 0.5} for name, (x, y) in zip(VISION.values(), each, strict=True)
        }
        frames.append({"timestamp": row / 25, "joints": joints})
    with pytest.warns(FileNote, match="y is up in Vision"):
        (clip,) = read(write(frames))
    assert (clip.fps, clip.unit, clip.up) == (25, "normalised", "-y")
    order = [clip.layout.index(joint) for joint in VISION]
    np.testing.assert_allclose(clip.keypoints[0][:, order], values * [1, -1] + [0, 1], rtol=1e-5)


def test_the_shoulder_of_arkit_is_where_its_arm_begins(write):
    values = points(ARKIT, 3)
    frames = [{"timestamp": row / 60, "joints": each} for row, each in enumerate(values.tolist())]
    (clip,) = read(write({"jointNames": [*ARKIT.values()], "frames": frames}))
    assert (clip.fps, clip.unit, clip.up, clip.num_dims) == (60, "metre", "y", 3)
    order = [clip.layout.index(joint) for joint in ARKIT]
    np.testing.assert_allclose(clip.keypoints[0][:, order], values, rtol=1e-6)


@pytest.mark.parametrize("kind", ["numbers", "camel", "capitals", "keys"])
def test_landmarks_of_ml_kit_by_number_or_name_are_pixels(write, kind):
    names = ["nose", "left_shoulder", "right_shoulder", "left_foot_index"]
    spelled = {
        "numbers": [0, 11, 12, 31],
        "camel": ["nose", "leftShoulder", "rightShoulder", "leftFootIndex"],
        "capitals": [name.upper() for name in names],
        "keys": names,
    }[kind]
    values = points(names, 2, 100, 900)
    frames = []
    for row, each in enumerate(values.tolist()):
        marks = [{"position": {"x": x, "y": y, "z": 0.5}, "inFrameLikelihood": 0.5} for x, y in each]
        if kind == "keys":
            landmarks = dict(zip(spelled, marks, strict=True))
        else:
            landmarks = [{"type": name, **mark} for name, mark in zip(spelled, marks, strict=True)]
        frames.append({"timestampMs": 40 * row, "landmarks": landmarks})
    (clip,) = read(write(frames))
    assert (clip.fps, clip.unit, clip.up, clip.num_dims) == (25, "pixel", "-y", 2)
    order = [clip.layout.index(joint) for joint in ("nose", "left_shoulder", "right_shoulder", "left_foot")]
    np.testing.assert_allclose(clip.keypoints[0][:, order], values, rtol=1e-6)
    assert (clip.confidence == 0.5).all()
