"""Joint names of other programs: each convention reaches the vocabulary, and no two names become one joint."""

import itertools
import time
import zipfile

import pytest

from motionhub.data.datasets.reading import read
from motionhub.skeletons.convert import conversion_weights, convert_layout
from motionhub.skeletons.joint_names import VOCABULARY, named_joints, own_names
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS


PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
LIMBS = [f"{side}_{part}" for side in ("left", "right") for part in PARTS]
TRUNK = "mid_hip neck head"
RIG = "Arm {p}{S}ForeArm {p}{S}Hand {p}{S}UpLeg {p}{S}Leg {p}{S}Foot"
BEND = "{S}ShldrBend {S}ForearmBend {S}Hand {S}ThighBend {S}Shin {S}Foot"
MVN = "{S}UpperArm {S}ForeArm {S}Hand {S}UpperLeg {S}LowerLeg {S}Foot"
UNITY = "{S}UpperArm {S}LowerArm {S}Hand {S}UpperLeg {S}LowerLeg {S}Foot"
BIPED = "{p}{S}_UpperArm {p}{S}_Forearm {p}{S}_Hand {p}{S}_Thigh {p}{S}_Calf {p}{S}_Foot"
BLENDER = "upper_arm.{S} forearm.{S} hand.{S} thigh.{S} shin.{S} foot.{S}"
UNREAL = "upperarm_{S} lowerarm_{S} hand_{S} thigh_{S} calf_{S} foot_{S}"
AZURE = "SHOULDER_{S} ELBOW_{S} WRIST_{S} HIP_{S} KNEE_{S} ANKLE_{S}"
ROKOKO = "{S}Arm {S}ForeArm {S}Hand {S}Thigh {S}Shin {S}Foot"
SMPL = "{S}_Shoulder {S}_Elbow {S}_Wrist {S}_Hip {S}_Knee {S}_Ankle"
VROID_LEGS = "{p}{S}_UpperLeg {p}{S}_LowerLeg {p}{S}_Foot"
ARKIT = "{S}_arm_joint {S}_forearm_joint {S}_hand_joint {S}_upLeg_joint {S}_leg_joint {S}_foot_joint"
NUITRACK = " ".join(f"JOINT_{{S}}_{part}" for part in ("SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE"))
ADD_ON = " ".join(f"{{p}}{{S}}_{part}" for part in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle"))
THEIA = "{S}_uarm {S}_larm {S}_hand {S}_thigh {S}_shank {S}_foot"
MAYA = "Shoulder_{S} Elbow_{S} Wrist_{S} Hip_{S} Knee_{S} Ankle_{S}"
PLAIN = "{S}Shoulder {S}Elbow {S}Wrist {S}Hip {S}Knee {S}Ankle"
# How programs name the trunk, the collars where they have them, and the limbs in the order of PARTS; the sides, and
# what stands before every name.
# fmt: off
CONVENTIONS = {
    "xsens bvh": f"Hips Neck Head | LeftCollar RightCollar | {PLAIN} | Left Right |",
    "xsens mvn": f"Pelvis Neck Head | LeftShoulder RightShoulder | {MVN} | Left Right |",
    "smpl": f"Pelvis Neck Head | L_Collar R_Collar | {SMPL} | L R |",
    "daz": "hip neck head | lCollar rCollar | {S}Shldr {S}ForeArm {S}Hand {S}Thigh {S}Shin {S}Foot | l r |",
    "genesis": f"hip neck head | lCollar rCollar | {BEND} | l r |",
    "unity": f"Hips Neck Head | LeftShoulder RightShoulder | {UNITY} | Left Right |",
    "mixamo": f"Hips Neck Head | LeftShoulder RightShoulder | {{S}}{RIG} | Left Right |",
    "mixamo :": f"Hips Neck Head | LeftShoulder RightShoulder | {{p}}{{S}}{RIG} | Left Right | mixamorig:",
    "mixamo 9:": f"Hips Neck Head | | {{p}}{{S}}{RIG} | Left Right | mixamorig9:",
    "mixamo _": f"Hips Neck Head | LeftShoulder RightShoulder | {{p}}{{S}}{RIG} | Left Right | mixamorig_",
    "mixamo glued": f"Hips Neck Head | | {{p}}{{S}}{RIG} | Left Right | mixamorig",
    "motionbuilder": f"Hips Neck Head | LeftShoulder RightShoulder | {{p}}{{S}}{RIG} | Left Right | Character1_",
    "biped": f"Pelvis Neck Head | L_Clavicle R_Clavicle | {BIPED} | L R | Bip01_",
    "blender": f"hips neck head | shoulder.L shoulder.R | {BLENDER} | L R |",
    "rokoko": f"Hips Neck Head | LeftShoulder RightShoulder | {ROKOKO} | Left Right |",
    "unreal": f"pelvis neck_01 head | clavicle_l clavicle_r | {UNREAL} | l r |",
    "kinect v2": "SpineBase Neck Head | | Shoulder{S} Elbow{S} Wrist{S} Hip{S} Knee{S} Ankle{S} | Left Right |",
    "azure kinect": f"PELVIS NECK HEAD | CLAVICLE_LEFT CLAVICLE_RIGHT | {AZURE} | LEFT RIGHT |",
    "maya": f"Root_M Neck_M Head_M | Scapula_L Scapula_R | {MAYA} | L R |",
    "vroid": f"Hips Neck Head | | {{p}}{{S}}_UpperArm {{p}}{{S}}_LowerArm {{p}}{{S}}_Hand {VROID_LEGS} | L R | J_Bip_",
    "arkit": f"hips_joint neck_joint head_joint | | {ARKIT} | left right |",
    "nuitrack": f"JOINT_WAIST JOINT_NECK JOINT_HEAD | | {NUITRACK} | LEFT RIGHT |",
    "smpl add-on": f"Pelvis Neck Head | L_Collar R_Collar | {ADD_ON} | L R | m_avg_",
    "theia": f"pelvis neck head | | {THEIA} | l r |",
    "openpose": f"MidHip Neck Head | | {PLAIN} | L R |",
    "letters": "pelvis neck head | | {S}shoulder {S}elbow {S}wrist {S}hip {S}knee {S}ankle | l r |",
}
# fmt: on


def convention(text):
    """`(name in the file, joint)` of a row of CONVENTIONS."""
    trunk, collars, limbs, sides, prefix = (part.split() for part in text.split("|"))
    before = "".join(prefix)
    names = [f"{before}{name}" for name in (*trunk, *collars)]
    names += [limb.format(S=side, p=before) for side in sides for limb in limbs]
    joints = [*TRUNK.split(), *["left_collar", "right_collar"][: len(collars)], *LIMBS]
    return list(zip(names, joints, strict=True))


@pytest.mark.parametrize("program", CONVENTIONS)
def test_each_convention_reaches_the_vocabulary_with_its_sides(program):
    pairs = convention(CONVENTIONS[program])
    assert named_joints(name for name, _ in pairs) == dict(pairs)


@pytest.mark.parametrize("program", ["mixamo", "unity", "rokoko", "blender", "xsens mvn"])
def test_spaces_in_names_change_nothing(program):
    pairs = [(" ".join(name.replace("Left", "Left ").replace("Right", "Right ").split()), joint)
             for name, joint in convention(CONVENTIONS[program])]  # fmt: skip
    assert named_joints(name for name, _ in pairs) == dict(pairs)


@pytest.mark.parametrize(
    ("name", "joint"),
    [
        ("left_foot_index", "left_foot"),
        ("LEFT_FOOT_INDEX", "left_foot"),
        ("mouth_left", "left_mouth"),
        ("MOUTH_RIGHT", "right_mouth"),
        ("LBigToe", "left_big_toe"),
        ("RSmallToe", "right_small_toe"),
        ("HANDTIP_LEFT", "left_hand_tip"),
        ("SPINE_NAVEL", "spine"),
        ("SPINE_CHEST", "chest"),
        ("NAVAL_SPINE", "spine"),
        ("SpineShoulder", "shoulder_centre"),
        ("HeadTop", "head_top"),
        ("UpperNeck", "upper_neck"),
        ("head_bottom", "upper_neck"),
        ("lankle", "left_ankle"),
        ("RASI", None),
        ("LFHD", None),
        ("L5", None),
        ("Tail", None),
        ("Hand", None),
    ],
)
def test_single_names(name, joint):
    assert named_joints([name])[name] == joint


def test_the_shoulder_of_a_rig_is_the_collar_unless_it_has_collars():
    assert named_joints(["LeftShoulder", "LeftUpperArm"])["LeftShoulder"] == "left_collar"
    assert named_joints(["LeftShoulder", "LeftElbow"])["LeftShoulder"] == "left_shoulder"
    assert named_joints(["LeftCollar", "LeftShoulder", "LeftElbow"])["LeftShoulder"] == "left_shoulder"


def test_a_hand_without_forearm_and_a_foot_without_shin_stay_what_they_are():
    names = LAYOUTS["kinect-15"].joints
    assert named_joints(names) == {name: name for name in names}
    assert named_joints(["LHip", "LKnee", "LFoot"])["LFoot"] == "left_foot"


@pytest.mark.parametrize("order", list(itertools.permutations(["Hips", "pelvis", "mid_hip"])))
def test_no_two_names_become_the_same_joint(order):
    found = named_joints([*order, "LHip", "left_hip", "LeftHip"])
    joints = [joint for joint in found.values() if joint]
    assert sorted(joints) == ["left_hip", "mid_hip"]
    assert found["mid_hip"] == "mid_hip" and found["left_hip"] == "left_hip"


@pytest.mark.parametrize("trunk, joints", [
    ("Spine1 Spine2 Spine3", "spine chest upper_chest"),
    ("Chest Chest2 Chest3 Chest4", "spine None chest upper_chest"),
    ("abdomen chest chest2", "spine chest upper_chest"),
    ("Spine Chest UpperChest", "spine chest upper_chest"),
    ("Spine Spine1 Spine2", "spine None None"),
])  # fmt: skip
def test_numbered_trunks_go_from_the_spine_to_the_upper_chest(trunk, joints):
    found = named_joints(["Hips", *trunk.split(), "Neck"])
    assert [str(found[name]) for name in trunk.split()] == joints.split()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_librarys_own_names_stay(layout):
    assert set(layout.joints) <= VOCABULARY
    assert own_names(layout.joints) == list(layout.joints)
    shouted = [joint.upper() for joint in layout.joints]
    if {"left_hand", "left_foot"}.isdisjoint(layout.joints):
        assert list(named_joints(shouted).values()) == list(layout.joints)


@pytest.mark.parametrize("program", ["mixamo", "xsens bvh", "daz", "azure kinect"])
def test_a_layout_with_foreign_names_converts_by_what_they_mean(program):
    pairs = convention(CONVENTIONS[program])
    names = tuple(name for name, _ in pairs)
    rig = SkeletonLayout("rig", names, (), names[0])
    weights, report = conversion_weights(rig, "coco-17")
    assert set(LIMBS) <= set(report.copied)
    for joint in LIMBS:
        (row,) = weights[LAYOUTS["coco-17"].index(joint)].nonzero()[0]
        assert dict(pairs)[names[row]] == joint
    back = conversion_weights("coco-17", rig)[1]
    assert {name for name, joint in pairs if joint in LIMBS} <= set(back.copied)


FILES = ["xsens", "smpl_addon", "daz_poser", "unity_humanoid", "mixamo_underscore", "mixamo_colon", "mixamo_plain"]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory, shared):
    folder = tmp_path_factory.mktemp("foreign")
    zipfile.ZipFile(shared("inputs/foreign_files.zip")).extractall(folder)
    return folder / "foreign_files"


@pytest.mark.parametrize("name", FILES)
def test_bvh_files_of_every_program_give_the_twelve_joints_of_the_limbs(name, foreign):
    (clip,) = read(foreign / "26-bvh-names" / f"{name}.bvh")
    converted, report = convert_layout(clip, "coco-17", return_report=True)
    assert set(LIMBS) <= set(report.copied)
    (first,) = read(foreign / "26-bvh-names" / "xsens.bvh")
    wanted = convert_layout(first, "coco-17").keypoints[:, :, 5:]
    assert abs(converted.keypoints[:, :, 5:] - wanted).max() < 0.02


def test_absurd_names_take_no_time():
    start = time.perf_counter()
    names = [f"{'j ' * 100_000}{number}" for number in range(5)] + [f"bone {number}" for number in range(10_000)]
    assert set(named_joints(names).values()) == {None}
    assert time.perf_counter() - start < 5
