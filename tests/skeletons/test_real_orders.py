"""Joint orders on real recordings: where the names say the body is, it is. Skipped without the data."""

import numpy as np
import pytest

from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import read
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


def heights(sequence, joints, up=1.0):
    """Median height of each joint over the first person's frames."""
    return [up * np.nanmedian(sequence.keypoints[0, :, sequence.layout.index(joint), 1]) for joint in joints]


@pytest.fixture(
    params=[
        ("data/nucla_views12.zip", "**/a04_s01_e00_v01.json", 1.0),
        ("data/utd_mhad_s1-6.zip", "**/a1_s1_t1_skeleton.mat", 1.0),
        ("data/ntu_and_kinetics_samples.zip", "**/S001C001P001R001A006.skeleton", 1.0),
        ("data/penn_action_train.zip", "**/0049.mat", -1.0),
    ],
    ids=["n-ucla", "utd-mhad", "ntu", "penn"],
)
def clip(request, unzipped):
    archive, pattern, up = request.param
    return read(next(unzipped(archive).glob(pattern)))[0], up


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_standing_person_has_head_shoulders_hips_knees_and_ankles_in_that_order(clip, side):
    sequence, up = clip
    ladder = heights(sequence, ["head", f"{side}_shoulder", f"{side}_hip", f"{side}_knee", f"{side}_ankle"], up)
    assert ladder == sorted(ladder, reverse=True)


def test_the_right_arm_swipes_left_in_utd_mhad(unzipped):
    sequence = read(next(unzipped("data/utd_mhad_s1-6.zip").glob("**/a1_s1_t1_skeleton.mat")))[0]
    left, right = (
        np.abs(np.diff(sequence.keypoints[0, :, sequence.layout.index(f"{side}_wrist")], axis=0)).sum()
        for side in ("left", "right")
    )
    assert right > 5 * left


@pytest.mark.parametrize(
    "action, view, sign", [("jumping_jacks", "front", 1), ("strum_guitar", "front", 1), ("pullup", "back", -1)]
)
def test_left_is_right_in_the_picture_when_the_camera_is_in_front(unzipped, action, view, sign):
    reader = DATASETS["penn-action"]
    sides = []
    for path in sorted(unzipped("data/penn_action_train.zip").glob("**/*.mat")):
        facts = reader.annotate(path)
        if reader.class_names[facts.label] == action and facts.camera == {"back": 0, "front": 1}[view]:
            sequence = reader.read(path)[0]
            left, right = (
                sequence.keypoints[0, :, sequence.layout.index(f"{side}_shoulder"), 0] for side in ("left", "right")
            )
            if np.isfinite(left - right).any():
                sides.append(np.nanmedian(left - right))
        if len(sides) == 10:
            break
    assert len(sides) == 10
    assert np.all(np.sign(sides) == sign)


def test_ui_prmd_head_tip_is_the_head_and_its_head_the_neck(shared):
    """Measured in trunks above the hips, NTU has its neck at 1.14 and its head at 1.35 to 1.40."""
    archive = np.load(shared("data/uiprmd_kinect_s1-7.npz"))
    frames = archive["frames"][: archive["offsets"][1]] * float(archive["scale_cm"]) / 100
    sequence = SkeletonSequence(frames, get_layout("ui-prmd-22"), 30, "metre")
    hip, chest, shoulders, neck, head = heights(sequence, ["mid_hip", "chest", "shoulder_centre", "neck", "head"])
    trunk = shoulders - hip
    assert (chest - hip) / trunk == pytest.approx(0.57, abs=0.03)
    assert (neck - hip) / trunk == pytest.approx(1.14, abs=0.05)
    assert (head - hip) / trunk == pytest.approx(1.4, abs=0.1)
