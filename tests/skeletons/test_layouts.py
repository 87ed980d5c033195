"""The layouts: the published orders and bone lists, and what must hold of every layout."""

import warnings

import numpy as np
import pytest

import motionhub
from motionhub.models.agcn import AgcnConfig
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons import layouts
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout, stated_layout
from motionhub.skeletons.rows import from_row, to_row
from motionhub.skeletons.sequence import SkeletonSequence


ALL = list(LAYOUTS.values())
SIZES = {
    **{"ntu-25": 25, "kinect-20": 20, "utd-mhad-20": 20, "kinect-15": 15, "coco-17": 17, "openpose-18": 18},
    **{"body-25": 25, "h36m-17": 17, "lcrnet-13": 13, "posetics-17": 17, "smarthome-15": 15, "lac-15": 15},
    **{"lac-17": 17, "cv-mim-13": 13, "penn-13": 13, "ui-prmd-22": 22, "bandai-22": 22},
    **{"mediapipe-33": 33, "poem-17": 17, "kinect-azure-32": 32, "zed-18": 18, "zed-34": 34, "zed-38": 38},
    **{"halpe-26": 26, "body-25b": 25, "openpose-15": 15, "mpii-16": 16, "crowdpose-14": 14, "posetrack-15": 15},
    **{"aist-17": 17, "smpl-22": 22, "smpl-24": 24, "smplx-22": 22, "humanml3d-22": 22, "cmu-23": 23, "kit-21": 21},
    # of the body; the number in the name is that of the file
    **{"coco-wholebody-133": 23, "halpe-136": 26, "body-135": 25, "mhr-70": 24, "soma-77": 26},
    **{"smplh-52": 22, "smplx-55": 22},
}
COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
SMPL = (
    "mid_hip left_hip right_hip spine left_knee right_knee chest left_ankle right_ankle upper_chest left_foot "
    "right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist"
)
TOES = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
AZURE = (
    "mid_hip spine chest neck left_collar left_shoulder left_elbow left_wrist left_hand left_hand_tip left_thumb "
    "right_collar right_shoulder right_elbow right_wrist right_hand right_hand_tip right_thumb left_hip left_knee "
    "left_ankle left_foot right_hip right_knee right_ankle right_foot head nose left_eye left_ear right_eye right_ear"
)

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
    "h36m-17": "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle chest shoulder_centre "
    "neck_nose head left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist",
    "smpl-22": SMPL,
    "smplx-22": SMPL,
    "smplh-52": SMPL,
    "smplx-55": SMPL,
    "humanml3d-22": SMPL,
    "smpl-24": f"{SMPL} left_hand right_hand",
    "kit-21": "mid_hip spine chest neck head left_shoulder left_elbow left_wrist right_shoulder right_elbow "
    "right_wrist left_hip left_knee left_ankle left_foot left_big_toe right_hip right_knee right_ankle right_foot "
    "right_big_toe",
    "aist-17": COCO,
    "halpe-26": f"{COCO} head neck mid_hip left_big_toe right_big_toe left_small_toe right_small_toe left_heel "
    "right_heel",
    "coco-wholebody-133": f"{COCO} {TOES}",
    "body-25b": f"{COCO} upper_neck head_top {TOES}",
    "openpose-15": "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle chest",
    "kinect-azure-32": AZURE,
    "zed-34": f"{AZURE} left_heel right_heel",
    "zed-18": "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear",
    "zed-38": "mid_hip spine chest upper_chest neck nose left_eye right_eye left_ear right_ear left_collar "
    "right_collar left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle left_big_toe right_big_toe left_small_toe right_small_toe "
    "left_heel right_heel left_thumb right_thumb left_index right_index left_hand_tip right_hand_tip left_pinky "
    "right_pinky",
    "mpii-16": "right_ankle right_knee right_hip left_hip left_knee left_ankle mid_hip shoulder_centre upper_neck "
    "head_top right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    "crowdpose-14": "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle head_top neck",
    "posetrack-15": "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow "
    "right_shoulder left_shoulder left_elbow left_wrist upper_neck nose head_top",
    "cmu-23": "mid_hip left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot spine "
    "chest shoulder_centre neck upper_neck head left_shoulder left_elbow left_wrist left_hand right_shoulder "
    "right_elbow right_wrist right_hand",
    "mhr-70": "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    f"left_hip right_hip left_knee right_knee left_ankle right_ankle {TOES} left_wrist right_wrist neck",
    "poem-17": "mid_hip head neck_nose shoulder_centre left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist chest left_hip right_hip left_knee right_knee left_ankle right_ankle",
    # right first: what the files call left is the person's right (tests/data/datasets/test_readers.py measures it)
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


SPELLINGS = {
    **{"NTU_25": "ntu-25", "COCO17": "coco-17", "coco_17": "coco-17", "halpe26": "halpe-26", "body_25b": "body-25b"},
    **{"BODY_25": "body-25", "BODY_25B": "body-25b", "mediapipe": "mediapipe-33", "ntu": "ntu-25", "h36m": "h36m-17"},
    **{"Human3.6M": "h36m-17", "smplh": "smplh-52", "posetics": "posetics-17", "OpenPose_BODY_25": "body-25"},
    **{"azure_kinect": "kinect-azure-32", "COCO-WholeBody": "coco-wholebody-133", "coco": "coco-17"},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_capitals_punctuation_and_a_lacking_number_change_no_layout(spelling):
    assert get_layout(spelling) is LAYOUTS[SPELLINGS[spelling]]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_found_under_its_own_name(name):
    for spelling in (name, name.upper(), name.replace("-", "_"), name.replace("-", "")):
        assert get_layout(spelling) is LAYOUTS[name]


@pytest.mark.parametrize(
    ("word", "answers"),
    [
        ("openpose", ["body-25", "openpose-18", "openpose-15", "body-25b", "body-135"]),
        ("smpl", ["smpl-22", "smpl-24"]),
        ("halpe", ["halpe-26", "halpe-136"]),
        ("kinect", ["kinect-20", "ntu-25", "kinect-azure-32", "kinect-15"]),
    ],
)
def test_a_name_of_several_layouts_is_answered_with_these(word, answers):
    with pytest.raises(ValueError, match=f"Layout '{word}' is ambiguous") as raised:
        get_layout(word)
    listed = str(raised.value).partition(". The layouts are")[0]
    assert all(f"{name} (" in listed for name in answers) and "mediapipe" not in listed


@pytest.mark.parametrize("number", range(12, 40))
def test_no_layout_is_suggested_by_its_number_alone(number):
    for word in ("zebra", "moves", "dlc", "rig", "x"):
        with pytest.raises(ValueError, match="Unknown layout") as raised:
            get_layout(f"{word}-{number}")
        assert "Did you mean" not in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "near"), [("posetic-17", "posetics-17"), ("nutu-25", "ntu-25"), ("medipipe", "mediapipe-33")]
)
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


WHOLE = {name: layout for name, layout in LAYOUTS.items() if layout.num_file_joints}


@pytest.mark.parametrize("name", WHOLE)
def test_keypoints_with_face_and_hands_are_cut_to_the_body(name):
    layout = WHOLE[name]
    keypoints = np.arange(2 * 3 * layout.num_file_joints * 2, dtype=np.float32).reshape(2, 3, -1, 2)
    confidence = np.linspace(0, 1, keypoints[..., 0].size).reshape(keypoints.shape[:3])
    clip = SkeletonSequence(keypoints, name, 30, "pixel", confidence=confidence)
    np.testing.assert_array_equal(clip.keypoints, keypoints[:, :, list(layout.kept_positions)])
    np.testing.assert_allclose(clip.confidence, confidence[:, :, list(layout.kept_positions)], rtol=1e-6)
    again = SkeletonSequence(clip.keypoints, name, 30, "pixel")
    np.testing.assert_array_equal(again.keypoints, clip.keypoints)
    assert layout.fits(int(name.rpartition("-")[2])) and layout.fits(layout.num_joints) and not layout.fits(7)
    with pytest.raises(ValueError, match=f"has {layout.num_joints} joints"):
        SkeletonSequence(keypoints[:, :, :7], name, 30, "pixel")


def test_the_wrists_of_mhr_are_the_last_joints_of_its_hands():
    kept = dict(zip(get_layout("mhr-70").joints, get_layout("mhr-70").kept_positions, strict=True))
    assert (kept["right_wrist"], kept["left_wrist"], kept["neck"], kept["left_hip"]) == (41, 62, 69, 9)


def test_soma_keeps_hips_arms_and_legs_where_its_hierarchy_has_them():
    kept = dict(zip(get_layout("soma-77").joints, get_layout("soma-77").kept_positions, strict=True))
    assert (kept["left_wrist"], kept["right_collar"], kept["right_wrist"]) == (14, 39, 42)
    assert (kept["left_hip"], kept["left_foot"], kept["right_hip"], kept["right_foot"]) == (67, 70, 72, 75)


# Human3.6M's joints: the name had another order in earlier versions.

OLD, NEW = LAYOUTS["poem-17"], LAYOUTS["h36m-17"]


@pytest.fixture
def unsaid(monkeypatch):
    monkeypatch.setattr(layouts, "_SAID", set())


def old_row():
    points = np.random.default_rng(0).normal(size=(1, 4, 17, 3)).astype(np.float32)
    return points, {**to_row(SkeletonSequence(points, OLD, 50, "metre")), "schema_version": 4, "layout": "h36m-17"}


def test_a_row_of_an_earlier_version_keeps_its_joints_and_says_so_once(unsaid):
    points, row = old_row()
    with pytest.warns(UserWarning, match="'h36m-17'.*'poem-17'"):
        clip = from_row(row)
    assert clip.layout == OLD
    np.testing.assert_array_equal(clip.keypoints, points)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_row(row).layout == OLD


def test_todays_h36m_survives_rows_npz_processors_and_configs(tmp_path, unsaid):
    points, _ = old_row()
    clip = SkeletonSequence(points, "h36m-17", 50, "metre")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_row(to_row(clip)).layout == NEW
        motionhub.write(clip, tmp_path / "clip.npz")
        assert motionhub.read(tmp_path / "clip.npz")[0].layout == NEW
        SkeletonProcessor(layout="h36m-17", num_dims=3).save_pretrained(tmp_path)
        assert get_layout(SkeletonProcessor.from_pretrained(tmp_path).layout) == NEW
        config = AgcnConfig(layout="h36m-17", num_joints=17)
        config.save_pretrained(tmp_path)
        assert stated_layout(AgcnConfig.from_pretrained(tmp_path).layout) == NEW


def test_an_npz_processor_and_config_of_an_earlier_version_mean_the_older_order(tmp_path, unsaid):
    points, _ = old_row()
    np.savez(tmp_path / "clip.npz", keypoints=points, layout="h36m-17", fps=50.0, unit="metre")
    SkeletonProcessor(layout="poem-17", num_dims=3).save_pretrained(tmp_path)
    AgcnConfig(layout="poem-17", num_joints=17).save_pretrained(tmp_path)
    for path in (tmp_path / "preprocessor_config.json", tmp_path / "config.json"):
        path.write_text(path.read_text().replace("poem-17", "h36m-17"))
    with pytest.warns(UserWarning, match="poem-17"):
        assert motionhub.read(tmp_path / "clip.npz")[0].layout == OLD
    assert get_layout(SkeletonProcessor.from_pretrained(tmp_path).layout) == OLD
    assert stated_layout(AgcnConfig.from_pretrained(tmp_path).layout) == OLD
