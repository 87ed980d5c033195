"""The layouts: the published orders and bone lists, and what must hold of every layout."""

import numpy as np
import pytest

from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout


ALL = list(LAYOUTS.values())
SIZES = {
    **{"ntu-25": 25, "kinect-20": 20, "utd-mhad-20": 20, "kinect-15": 15, "coco-17": 17, "openpose-18": 18},
    **{"body-25": 25, "h36m-17": 17, "lcrnet-13": 13, "posetics-17": 17, "smarthome-15": 15, "lac-15": 15},
    **{"lac-17": 17, "cv-mim-13": 13, "penn-13": 13, "ui-prmd-22": 22, "bandai-22": 22},
    **{"mediapipe-33": 33},
}

# The joint orders as their authors print them, spelled out once more, with the first index they use.
ORDERS = {
    "ntu-25": "mid_hip chest neck head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
    "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
    "shoulder_centre left_hand_tip left_thumb right_hand_tip right_thumb",
    "utd-mhad-20": "head shoulder_centre spine mid_hip left_shoulder left_elbow left_wrist left_hand right_shoulder "
    "right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle "
    "right_foot",
    "coco-17": "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    "openpose-18": "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear",
    "body-25": "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear "
    "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel",
    "lcrnet-13": "right_ankle left_ankle right_knee left_knee right_hip left_hip right_wrist left_wrist right_elbow "
    "left_elbow right_shoulder left_shoulder head",
    "posetics-17": "head mouth neck chest mid_hip left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    "smarthome-15": "head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip "
    "right_hip left_knee right_knee left_ankle right_ankle neck mid_hip",
    "h36m-17": "mid_hip head neck_nose shoulder_centre left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist chest left_hip right_hip left_knee right_knee left_ankle right_ankle",
    # right first: what the files call left is the person's right (tests/data/test_readers.py measures it)
    "penn-13": "head right_shoulder left_shoulder right_elbow left_elbow right_wrist left_wrist right_hip left_hip "
    "right_knee left_knee right_ankle left_ankle",
    "ui-prmd-22": "mid_hip chest shoulder_centre neck_base neck head left_collar left_shoulder left_elbow left_wrist "
    "right_collar right_shoulder right_elbow right_wrist left_hip left_knee left_ankle left_foot right_hip right_knee "
    "right_ankle right_foot",
    "bandai-22": "origin mid_hip spine chest neck head left_collar left_shoulder left_elbow left_wrist right_collar "
    "right_shoulder right_elbow right_wrist left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle "
    "right_foot",
    # Google prints "foot index" and, for the corners of the mouth, "mouth (left)"
    "mediapipe-33": "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
    "right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee "
    "left_ankle right_ankle left_heel right_heel left_foot right_foot",
    "kinect-15": "head neck torso left_shoulder left_elbow left_hand right_shoulder right_elbow right_hand left_hip "
    "left_knee left_foot right_hip right_knee right_foot",
}

# (child, parent) as printed, with the index of the first joint.
BONES = {
    "ntu-25": "1 (1,2)(2,21)(3,21)(4,3)(5,21)(6,5)(7,6)(8,7)(9,21)(10,9)(11,10)(12,11)(13,1)(14,13)(15,14)(16,15)"
    "(17,1)(18,17)(19,18)(20,19)(22,23)(21,21)(23,8)(24,25)(25,12)",
    "openpose-18": "0 (0,0)(1,0)(2,1)(3,2)(4,3)(5,1)(6,5)(7,6)(8,2)(9,8)(10,9)(11,5)(12,11)(13,12)(14,0)(15,0)(16,14)"
    "(17,15)",
    "posetics-17": "1 (5,4)(4,3)(3,2)(2,1)(6,3)(8,6)(10,8)(7,3)(9,7)(11,9)(12,5)(14,12)(16,14)(13,5)(15,13)(17,15)",
    "smarthome-15": "1 (14,1)(15,14)(9,15)(8,15)(10,8)(12,10)(11,9)(13,11)(3,14)(5,3)(7,5)(2,14)(4,2)(6,4)",
}


def published_pairs(text):
    first, pairs = text.split(" ", 1)
    numbers = [[int(number) for number in pair.split(",")] for pair in pairs.strip("()").split(")(")]
    return (np.array(numbers) - int(first)).tolist()


def test_every_promised_layout_has_its_number_of_joints():
    assert {name: layout.num_joints for name, layout in LAYOUTS.items()} == SIZES


@pytest.mark.parametrize("name", ORDERS)
def test_joint_order_is_the_published_one(name):
    assert list(get_layout(name).joints) == ORDERS[name].split()


@pytest.mark.parametrize("name", BONES)
def test_bones_are_the_published_list_in_its_order(name):
    assert get_layout(name).bone_indices.tolist() == published_pairs(BONES[name])


def test_lac_15_is_the_first_fifteen_of_body_25():
    assert get_layout("lac-15").joints == get_layout("body-25").joints[:15]
    assert get_layout("lac-17").joints == (*get_layout("lac-15").joints, "mouth", "chest")


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_mirror_twice_is_identity(layout):
    assert layout.mirror[layout.mirror].tolist() == list(range(layout.num_joints))


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_every_left_joint_has_a_right_one_and_mirroring_exchanges_them(layout):
    for index, joint in enumerate(layout.joints):
        side, _, part = joint.partition("_")
        expected = {"left": f"right_{part}", "right": f"left_{part}"}.get(side, joint)
        assert layout.joints[layout.mirror[index]] == expected


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_bones_are_a_mirror_symmetric_forest(layout):
    parents = dict(layout.bones)
    assert len(parents) == len(layout.bones), "a joint is the child of two bones"
    for joint in layout.joints:
        walked = [joint]
        while parents.get(walked[-1], walked[-1]) != walked[-1]:
            walked.append(parents[walked[-1]])
            assert len(walked) <= layout.num_joints, f"bones go round in a circle: {walked}"
    swap = {"left": "right", "right": "left"}
    mirrored = {
        tuple("_".join([swap.get(first, first), *rest]) for first, *rest in (joint.split("_") for joint in bone))
        for bone in layout.bones
    }
    # OpenPose-18 has an eye on its nose and an ear on each eye, all mirrored; so has every other list.
    assert mirrored == set(layout.bones)


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_all_joints_but_those_outside_the_body_hang_together(layout):
    parents = dict(layout.bones)
    tops = set()
    for joint in layout.joints:
        while parents.get(joint, joint) != joint:
            joint = parents[joint]
        tops.add(joint)
    assert len(tops - {"origin"}) == 1


def test_get_layout_takes_a_name_or_a_layout():
    own = SkeletonLayout("stick", ("foot", "head"), (("head", "foot"),), root="foot")
    assert get_layout(own) is own
    assert get_layout("ntu-25") is LAYOUTS["ntu-25"]


@pytest.mark.parametrize(("wrong", "near"), [("posetics", "posetics-17"), ("NTU_25", "ntu-25"), ("coco17", "coco-17")])
def test_an_unknown_name_is_answered_with_the_nearest_ones(wrong, near):
    with pytest.raises(ValueError, match=f"Did you mean.*'{near}'"):
        get_layout(wrong)


@pytest.mark.parametrize("wrong", ["", "zebra", None, 17, ["ntu-25"]])
def test_anything_else_is_answered_with_the_list(wrong):
    with pytest.raises(ValueError, match="The layouts are .*ui-prmd-22"):
        get_layout(wrong)


def test_a_layout_of_twice_the_same_name_or_unknown_joints_is_refused():
    with pytest.raises(ValueError, match="more than once"):
        SkeletonLayout("x", ("a", "a"), (), root="a")
    with pytest.raises(ValueError, match=r"\['c'\]"):
        SkeletonLayout("x", ("a", "b"), (("a", "c"),), root="a")
    with pytest.raises(ValueError, match=r"\['r'\]"):
        SkeletonLayout("x", ("a", "b"), (), root="r")
    with pytest.raises(ValueError, match="no joint 'tail'"):
        get_layout("ntu-25").index("tail")
