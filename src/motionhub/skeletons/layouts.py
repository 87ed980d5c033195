"""The skeleton layouts of the library, by name, with one vocabulary of joint names.

A name means a place of the body, whatever a dataset calls it; `left_*` and `right_*` are the sides of the person.

head             its middle in Kinect (UI-PRMD "head tip"), its base in BVH, the face in LCR-Net, Posetics.
nose, *_eye, *_ear   as in COCO and OpenPose.
mouth            half way between head and neck: Posetics joint 1 (which its authors call "nose"), LAC's "Mout".
neck             the neck; where it is computed, the middle of the shoulders. UI-PRMD "head": a joint there is the
start
                 of the part it is named after, and is as high as NTU's neck (1.14 trunks above the hips).
upper_neck       where the neck meets the head: MPII and BODY_25B "upper neck", PoseTrack "head bottom".
head_top         the top of the head: MPII, BODY_25B, OpenPose MPI, CrowdPose. Halpe and H36M call it "head", as here.
neck_base        UI-PRMD "neck", which lies on its shoulder centre.
shoulder_centre  on the spine between the shoulders: NTU "spine shoulder", Kinect v1 "shoulder centre", H36M "thorax",
                 UI-PRMD "chest" (as high as its collars). Not `neck`: NTU-25 has both.
neck_nose        H36M "neck/nose": near the chin, neither neck nor nose.
chest            middle of the trunk, half way between neck and mid_hip: Posetics "chest", NTU "spine mid", H36M
                 "spine", UI-PRMD "spine", BVH "Chest".          torso    OpenNI's centre of the trunk (15 joints).
spine            lower spine, about a sixth of the way from the hips to the shoulders: Kinect v1 "spine", BVH "Spine";
                 also SMPL "spine1" and Azure Kinect "spine navel", a third of the way up.
upper_chest      above the middle of the trunk, about three quarters up: SMPL "spine3", Unity "UpperChest".
mid_hip          middle of the hips: NTU "spine base", Kinect v1 "hip centre", H36M "hip", UI-PRMD "waist", BVH "Hips",
                 SMPL "pelvis" (a little above them).
*_collar         inner end of the collar bone.          *_shoulder *_elbow *_wrist *_hip *_knee *_ankle   the limbs; in
                 H36M, BVH and UI-PRMD "hand" is the wrist and "foot" the ankle, because the rotation is there.
*_hand *_hand_tip *_thumb, *_foot (front of the foot, BVH "Toes"), *_heel *_big_toe *_small_toe   extremities.
*_eye_inner *_eye_outer *_mouth (its corners) *_pinky *_index (knuckles)   MediaPipe; its "foot index" is *_foot.
origin           the root node of Bandai-Namco files, which does not move with the person.

Bones of NTU-25, OpenPose-18, Posetics-17 and Smarthome-15 are the official lists in the official order, with their
quirks (see `SkeletonLayout`); the others are the natural tree, whose root keeps raw coordinates.

Layouts of body, face and hands (halpe-136, coco-wholebody-133, body-135, mhr-70, soma-77, smplh-52, smplx-55) have the
joints of the body: arrays of `num_file_joints` are accepted, and the rest is left out.

Earlier versions called POEM's joint order `h36m-17`. It is `poem-17` now, and `h36m-17` is the order of VideoPose3D,
MMPose and MotionBERT. Saved data (rows, npz, processors, configs) hold today's h36m-17 in full, not by name, so that
the bare name in saved data always means the older order.
"""

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from motionhub.skeletons.layout import SUFFIXES, SkeletonLayout, read_layout
from motionhub.skeletons.standing import named_layout


Bones = tuple[tuple[str, str], ...]

_SIDES = ("left", "right")
_ARM = ("shoulder", "elbow", "wrist")
_LEG = ("hip", "knee", "ankle")


def _one_by_one(*parts: str, sides: tuple[str, ...] = _SIDES) -> tuple[str, ...]:
    """All parts of the first side, then all of the other."""
    return tuple(f"{side}_{part}" for side in sides for part in parts)


def _in_pairs(*parts: str) -> tuple[str, ...]:
    """Left and right of the first part, of the second, ..."""
    return tuple(f"{side}_{part}" for part in parts for side in _SIDES)


def _right_first(*parts: str) -> tuple[str, ...]:
    return _one_by_one(*parts, sides=("right", "left"))


def _chain(*joints: str) -> Bones:
    """`(child, parent)` along a chain whose first joint is the parent of all."""
    return tuple(zip(joints[1:], joints[:-1], strict=True))


def _limbs(parent: str, *parts: str) -> Bones:
    """The same chain of `left_*` and of `right_*` joints, attached to `parent`."""
    return tuple(bone for side in _SIDES for bone in _chain(parent, *(f"{side}_{part}" for part in parts)))


def _official(joints: tuple[str, ...], first: int, *bones: tuple[int, int]) -> Bones:
    """A published list of index pairs; `first` is the index its authors give the first joint."""
    return tuple((joints[child - first], joints[parent - first]) for child, parent in bones)


# fmt: off
_NTU_25 = (
    "mid_hip", "chest", "neck", "head", *_one_by_one(*_ARM, "hand"), *_one_by_one(*_LEG, "foot"),
    "shoulder_centre", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb",
)
# Microsoft's SDK order (N-UCLA, PRECOG); UTD-MHAD turns the trunk upside down.
_KINECT_20 = ("mid_hip", "spine", "shoulder_centre", "head", *_one_by_one(*_ARM, "hand"), *_one_by_one(*_LEG, "foot"))
_UTD_MHAD_20 = ("head", "shoulder_centre", "spine", "mid_hip", *_KINECT_20[4:])
_KINECT_15 = ("head", "neck", "torso", *_one_by_one("shoulder", "elbow", "hand"), *_one_by_one("hip", "knee", "foot"))
_COCO_17 = ("nose", *_in_pairs("eye", "ear", *_ARM, *_LEG))
_LAC_15 = ("nose", "neck", *_right_first(*_ARM), "mid_hip", *_right_first(*_LEG))
_BODY_25 = (
    *_LAC_15, "right_eye", "left_eye", "right_ear", "left_ear",
    *_one_by_one("big_toe", "small_toe", "heel"),
)
_OPENPOSE_18 = (
    "nose", "neck", *_right_first(*_ARM), *_right_first(*_LEG), "right_eye", "left_eye", "right_ear", "left_ear",
)
# VideoPose3D common/h36m_dataset.py after removing static joints, MMPose configs/_base_/datasets/h36m.py, MotionBERT.
_H36M_17 = (
    "mid_hip", *_right_first(*_LEG), "chest", "shoulder_centre", "neck_nose", "head", *_one_by_one(*_ARM),
)
# POEM's LEGACY_3DH36M17.
_POEM_17 = (
    "mid_hip", "head", "neck_nose", "shoulder_centre", *_in_pairs(*_ARM), "chest", *_in_pairs(*_LEG),
)
_CV_MIM_13 = ("head", *_in_pairs(*_ARM, *_LEG))
# Penn Action's files call the first of each pair left, but it is the person's right: it lies left in the image in all
# front views (jumping jacks, pull-ups, squats, guitar), and right in all back views (pull-ups, bowling).
_PENN_13 = ("head", *(f"{side}_{part}" for part in (*_ARM, *_LEG) for side in ("right", "left")))
_LCRNET_13 = (
    "right_ankle", "left_ankle", "right_knee", "left_knee", "right_hip", "left_hip",
    "right_wrist", "left_wrist", "right_elbow", "left_elbow", "right_shoulder", "left_shoulder", "head",
)
_POSETICS_17 = ("head", "mouth", "neck", "chest", "mid_hip", *_in_pairs(*_ARM, *_LEG))
_SMARTHOME_15 = (*reversed(_LCRNET_13), "neck", "mid_hip")
_UI_PRMD_22 = (
    "mid_hip", "chest", "shoulder_centre", "neck_base", "neck", "head",
    *_one_by_one("collar", *_ARM), *_one_by_one(*_LEG, "foot"),
)
_MEDIAPIPE_33 = (
    "nose", *(f"{side}_{part}" for side in _SIDES for part in ("eye_inner", "eye", "eye_outer")),
    *_in_pairs("ear", "mouth", *_ARM, "pinky", "index", "thumb", *_LEG, "heel", "foot"),
)
_BANDAI_22 = (
    "origin", "mid_hip", "spine", "chest", "neck", "head", *_one_by_one("collar", *_ARM), *_one_by_one(*_LEG, "foot"),
)
# smplx/joint_names.py: 22 body joints, then the hands (SMPL: one joint each). HumanML3D's new_joints have these 22.
_SMPL_22 = (
    "mid_hip", *_in_pairs("hip"), "spine", *_in_pairs("knee"), "chest", *_in_pairs("ankle"), "upper_chest",
    *_in_pairs("foot"), "neck", *_in_pairs("collar"), "head", *_in_pairs(*_ARM),
)
# The joints of the MMM body in KIT-ML, named by its authors; scripts of HumanML3D call the first of each pair right.
_KIT_21 = (
    "mid_hip", "spine", "chest", "neck", "head", *_one_by_one(*_ARM), *_one_by_one(*_LEG, "foot", "big_toe"),
)
# Fang-Haoshu/Halpe-FullBody; MMPose configs/_base_/datasets/halpe26.py. Halpe-136: these, face, left and right hand.
_HALPE_26 = (*_COCO_17, "head", "neck", "mid_hip", *_in_pairs("big_toe", "small_toe", "heel"))
# jin-s13/COCO-WholeBody: 17 body, 6 feet, 68 face, 21 and 21 hands.
_COCO_WHOLEBODY = (*_COCO_17, *_one_by_one("big_toe", "small_toe", "heel"))
# OpenPose src/openpose/pose/poseParameters.cpp: POSE_BODY_25B_BODY_PARTS; BODY_135: these, hands and face.
_BODY_25B = (*_COCO_17, "upper_neck", "head_top", *_one_by_one("big_toe", "small_toe", "heel"))
# The same file, POSE_MPI_BODY_PARTS.
_OPENPOSE_15 = ("head_top", "neck", *_right_first(*_ARM), *_right_first(*_LEG), "chest")
# k4abt_joint_id_t of the Azure Kinect Body Tracking SDK.
_KINECT_AZURE_32 = (
    "mid_hip", "spine", "chest", "neck", *_one_by_one("collar", *_ARM, "hand", "hand_tip", "thumb"),
    *_one_by_one(*_LEG, "foot"), "head", "nose", *_one_by_one("eye", "ear"),
)
# ZED SDK: BODY_18_PARTS is OpenPose's COCO order; BODY_34_PARTS is Azure Kinect's and heels; BODY_38_PARTS.
_ZED_38 = (
    "mid_hip", "spine", "chest", "upper_chest", "neck", "nose", *_in_pairs("eye", "ear", "collar", *_ARM, *_LEG),
    *_in_pairs("big_toe", "small_toe", "heel", "thumb", "index", "hand_tip", "pinky"),
)
# SAM 3D Body, metadata/mhr70.py: 21 joints of body and feet, right hand (its last is the wrist), left hand, olecranon,
# cubital fossa and acromion of both arms, neck.
_MHR_70 = (
    *_COCO_17[:9], *_COCO_17[11:], *_one_by_one("big_toe", "small_toe", "heel"), *_in_pairs("wrist"), "neck",
)
# Kimodo, skeleton/definitions.py, SOMASkeleton77: a trunk, jaw and eyes, arms with 24 finger joints each, legs.
_SOMA_77 = (
    "mid_hip", "spine", "chest", "upper_chest", "neck", "upper_neck", "head", "head_top", "left_eye", "right_eye",
    *_one_by_one("collar", *_ARM), *_one_by_one(*_LEG, "foot"),
)
_SOMA_KEPT = (*range(8), 9, 10, *range(11, 15), *range(39, 43), *range(67, 71), *range(72, 76))
# MPII Human Pose annotations, `id` 0..15.
_MPII_16 = (
    *(f"right_{part}" for part in reversed(_LEG)), *(f"left_{part}" for part in _LEG),
    "mid_hip", "shoulder_centre", "upper_neck", "head_top",
    *(f"right_{part}" for part in reversed(_ARM)), *(f"left_{part}" for part in _ARM),
)
# The ends of the bones of CMU's ASF skeletons without fingers, thumbs and the second joint of the wrist, in the order
# of the ASF hierarchy: root, lhipjoint, lfemur, ltibia, lfoot, right leg, lowerback, upperback, thorax, lowerneck,
# upperneck, head, lclavicle, lhumerus, lradius, lhand, right arm.
_CMU_23 = (
    "mid_hip", *_one_by_one(*_LEG, "foot"), "spine", "chest", "shoulder_centre", "neck", "upper_neck", "head",
    *_one_by_one(*_ARM, "hand"),
)
# Jeff-sjtu/CrowdPose categories: limbs in pairs, "top_head", "neck".
_CROWDPOSE_14 = (*_in_pairs(*_ARM, *_LEG), "head_top", "neck")
# PoseTrack 2017 (poseval), as MPII without trunk: legs, arms, "head bottom", nose, "head top".
_POSETRACK_15 = (*_MPII_16[:6], *_MPII_16[10:], "upper_neck", "nose", "head_top")

_FEET = tuple(
    (f"{side}_{toe}", f"{side}_{end}")
    for side in _SIDES
    for toe, end in (("big_toe", "ankle"), ("small_toe", "big_toe"), ("heel", "ankle"))
)
_FACE = (("left_eye", "nose"), ("right_eye", "nose"), ("left_ear", "left_eye"), ("right_ear", "right_eye"))

# 2s-AGCN's lists, the first 1-based; (21, 21) and (0, 0) make that joint's bone zero.
_NTU_25_BONES = _official(
    _NTU_25, 1,
    (1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11),
    (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19),
    (22, 23), (21, 21), (23, 8), (24, 25), (25, 12),
)
_OPENPOSE_18_BONES = _official(
    _OPENPOSE_18, 0,
    (0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9), (11, 5), (12, 11),
    (13, 12), (14, 0), (15, 0), (16, 14), (17, 15),
)
# UNIK's list: the head has no parent.
_POSETICS_17_BONES = _official(
    _POSETICS_17, 1,
    (5, 4), (4, 3), (3, 2), (2, 1), (6, 3), (8, 6), (10, 8), (7, 3), (9, 7), (11, 9),
    (12, 5), (14, 12), (16, 14), (13, 5), (15, 13), (17, 15),
)
# 2s-AGCN-For-Daily-Living's list.
_SMARTHOME_15_BONES = _official(
    _SMARTHOME_15, 1,
    (14, 1), (15, 14), (9, 15), (8, 15), (10, 8), (12, 10), (11, 9), (13, 11),
    (3, 14), (5, 3), (7, 5), (2, 14), (4, 2), (6, 4),
)
_KINECT_20_BONES = (
    *_chain("mid_hip", "spine", "shoulder_centre", "head"),
    *_limbs("shoulder_centre", *_ARM, "hand"), *_limbs("mid_hip", *_LEG, "foot"),
)
_KINECT_15_BONES = (
    *_chain("torso", "neck", "head"),
    *_limbs("neck", "shoulder", "elbow", "hand"), *_limbs("torso", "hip", "knee", "foot"),
)
# Without trunk joints, the arms are attached to the head and the legs to the shoulders.
_NO_TRUNK_LEGS = tuple(bone for side in _SIDES for bone in _chain(*_one_by_one("shoulder", *_LEG, sides=(side,))))
_HEAD_AND_PAIRS_BONES = (*_limbs("head", *_ARM), *_NO_TRUNK_LEGS)
_COCO_17_BONES = (*_FACE, *_limbs("nose", *_ARM), *_NO_TRUNK_LEGS)
_MEDIAPIPE_33_BONES = (
    *_COCO_17_BONES, *_limbs("nose", "mouth"),
    *((f"{side}_{part}", f"{side}_{end}")
      for side in _SIDES
      for part, end in (
          ("eye_inner", "eye"), ("eye_outer", "eye"), ("pinky", "wrist"), ("index", "wrist"), ("thumb", "wrist"),
          ("heel", "ankle"), ("foot", "ankle"),
      )),
)
_LAC_15_BONES = (*_chain("mid_hip", "neck", "nose"), *_limbs("neck", *_ARM), *_limbs("mid_hip", *_LEG))
_LAC_17_BONES = (
    *_chain("mid_hip", "chest", "neck", "mouth", "nose"), *_limbs("neck", *_ARM), *_limbs("mid_hip", *_LEG),
)
_BODY_25_BONES = (*_LAC_15_BONES, *_FACE, *_FEET)
_H36M_17_BONES = (
    *_chain("mid_hip", "chest", "shoulder_centre", "neck_nose", "head"),
    *_limbs("shoulder_centre", *_ARM), *_limbs("mid_hip", *_LEG),
)
_UI_PRMD_22_BONES = (
    *_chain("mid_hip", "chest", "shoulder_centre", "neck_base", "neck", "head"),
    *_limbs("shoulder_centre", "collar", *_ARM), *_limbs("mid_hip", *_LEG, "foot"),
)
_BANDAI_22_BONES = (
    *_chain("mid_hip", "spine", "chest", "neck", "head"),
    *_limbs("chest", "collar", *_ARM), *_limbs("mid_hip", *_LEG, "foot"),
)
_SMPL_22_BONES = (
    *_chain("mid_hip", "spine", "chest", "upper_chest", "neck", "head"),
    *_limbs("upper_chest", "collar", *_ARM), *_limbs("mid_hip", *_LEG, "foot"),
)
_KIT_21_BONES = (
    *_chain("mid_hip", "spine", "chest", "neck", "head"), *_limbs("neck", *_ARM),
    *_limbs("mid_hip", *_LEG, "foot", "big_toe"),
)
_SMPL_24_BONES = (*_SMPL_22_BONES, *((f"{side}_hand", f"{side}_wrist") for side in _SIDES))
_HALPE_26_BONES = (
    *_chain("mid_hip", "neck", "head"), ("nose", "neck"), *_FACE,
    *_limbs("neck", *_ARM), *_limbs("mid_hip", *_LEG), *_FEET,
)
_OPENPOSE_15_BONES = (
    *_chain("chest", "neck", "head_top"), *_limbs("neck", *_ARM), *_limbs("chest", *_LEG),
)
_BODY_25B_BONES = (
    *_chain("nose", "upper_neck"), *_FACE, ("head_top", "nose"), *_limbs("upper_neck", *_ARM), *_NO_TRUNK_LEGS, *_FEET,
)
_KINECT_AZURE_BONES = (
    *_chain("mid_hip", "spine", "chest", "neck", "head", "nose"), *_FACE,
    *_limbs("chest", "collar", *_ARM, "hand", "hand_tip"), *_limbs("mid_hip", *_LEG, "foot"),
    *((f"{side}_thumb", f"{side}_wrist") for side in _SIDES),
)
_ZED_34_BONES = (*_KINECT_AZURE_BONES, *((f"{side}_heel", f"{side}_ankle") for side in _SIDES))
_ZED_38_BONES = (
    *_chain("mid_hip", "spine", "chest", "upper_chest", "neck", "nose"), *_FACE,
    *_limbs("upper_chest", "collar", *_ARM), *_limbs("mid_hip", *_LEG), *_FEET,
    *((f"{side}_{part}", f"{side}_wrist") for side in _SIDES for part in ("thumb", "index", "hand_tip", "pinky")),
)
_MHR_70_BONES = (("nose", "neck"), *_FACE, *_limbs("neck", *_ARM), *_NO_TRUNK_LEGS, *_FEET)
_SOMA_77_BONES = (
    *_chain("mid_hip", "spine", "chest", "upper_chest", "neck", "upper_neck", "head", "head_top"),
    *_limbs("head", "eye"), *_limbs("upper_chest", "collar", *_ARM), *_limbs("mid_hip", *_LEG, "foot"),
)
_MPII_16_BONES = (
    *_chain("mid_hip", "shoulder_centre", "upper_neck", "head_top"),
    *_limbs("shoulder_centre", *_ARM), *_limbs("mid_hip", *_LEG),
)
_CMU_23_BONES = (
    *_chain("mid_hip", "spine", "chest", "shoulder_centre", "neck", "upper_neck", "head"),
    *_limbs("shoulder_centre", *_ARM, "hand"), *_limbs("mid_hip", *_LEG, "foot"),
)
_CROWDPOSE_14_BONES = (("head_top", "neck"), *_limbs("neck", *_ARM), *_NO_TRUNK_LEGS)
_POSETRACK_15_BONES = (
    *_chain("upper_neck", "nose", "head_top"), *_limbs("upper_neck", *_ARM), *_NO_TRUNK_LEGS,
)
LAYOUTS: dict[str, SkeletonLayout] = {
    name: SkeletonLayout(name, joints, bones, root, description=description, **whole)
    for name, joints, bones, root, description, whole in (
        ("ntu-25", _NTU_25, _NTU_25_BONES, "mid_hip", "3-D; Kinect v2, NTU RGB+D, PKU-MMD", {}),
        ("kinect-20", _KINECT_20, _KINECT_20_BONES, "mid_hip", "3-D; Kinect v1, N-UCLA, PRECOG", {}),
        ("utd-mhad-20", _UTD_MHAD_20, _KINECT_20_BONES, "mid_hip", "3-D; Kinect v1 with the head first, UTD-MHAD", {}),
        ("kinect-15", _KINECT_15, _KINECT_15_BONES, "torso", "3-D; OpenNI, SBU", {}),
        ("kinect-azure-32", _KINECT_AZURE_32, _KINECT_AZURE_BONES, "mid_hip", "3-D; Azure Kinect body tracking", {}),
        ("coco-17", _COCO_17, _COCO_17_BONES, "nose", "2-D; COCO: ultralytics, ViTPose, MMPose, MoveNet", {}),
        ("coco-wholebody-133", _COCO_WHOLEBODY, (*_COCO_17_BONES, *_FEET), "nose",
         "2-D; COCO-WholeBody: RTMW, DWPose; face and hands are left out", {"num_file_joints": 133}),
        ("halpe-26", _HALPE_26, _HALPE_26_BONES, "mid_hip", "2-D; AlphaPose, RTMPose, Sports2D, Pose2Sim", {}),
        ("halpe-136", _HALPE_26, _HALPE_26_BONES, "mid_hip", "2-D; AlphaPose; face and hands are left out",
         {"num_file_joints": 136}),
        ("openpose-15", _OPENPOSE_15, _OPENPOSE_15_BONES, "chest", "2-D; OpenPose MPI", {}),
        ("openpose-18", _OPENPOSE_18, _OPENPOSE_18_BONES, "neck", "2-D; OpenPose COCO, Kinetics-skeleton", {}),
        ("body-25", _BODY_25, _BODY_25_BONES, "mid_hip", "2-D, 3-D; OpenPose BODY_25, EasyMocap", {}),
        ("body-25b", _BODY_25B, _BODY_25B_BONES, "nose", "2-D; OpenPose BODY_25B", {}),
        ("body-135", _BODY_25B, _BODY_25B_BONES, "nose", "2-D; OpenPose BODY_135; face and hands are left out",
         {"num_file_joints": 135}),
        ("mediapipe-33", _MEDIAPIPE_33, _MEDIAPIPE_33_BONES, "nose", "2-D, 3-D; MediaPipe Pose, FreeMoCap", {}),
        ("mpii-16", _MPII_16, _MPII_16_BONES, "mid_hip", "2-D; MPII Human Pose", {}),
        ("crowdpose-14", _CROWDPOSE_14, _CROWDPOSE_14_BONES, "neck", "2-D; CrowdPose", {}),
        ("posetrack-15", _POSETRACK_15, _POSETRACK_15_BONES, "upper_neck", "2-D; PoseTrack 2017", {}),
        ("aist-17", _COCO_17, _COCO_17_BONES, "nose", "2-D, 3-D; AIST++ keypoints, in COCO's order", {}),
        ("h36m-17", _H36M_17, _H36M_17_BONES, "mid_hip", "2-D, 3-D; Human3.6M: VideoPose3D, MotionBERT, MMPose", {}),
        ("poem-17", _POEM_17, _H36M_17_BONES, "mid_hip", "3-D; Human3.6M's joints in the order of POEM", {}),
        ("smpl-22", _SMPL_22, _SMPL_22_BONES, "mid_hip", "3-D; SMPL without hands, AMASS", {}),
        ("smpl-24", (*_SMPL_22, "left_hand", "right_hand"), _SMPL_24_BONES, "mid_hip", "3-D; SMPL", {}),
        ("smplh-52", _SMPL_22, _SMPL_22_BONES, "mid_hip", "3-D; SMPL-H; fingers are left out",
         {"num_file_joints": 52}),
        ("smplx-22", _SMPL_22, _SMPL_22_BONES, "mid_hip", "3-D; the body joints of SMPL-X", {}),
        ("smplx-55", _SMPL_22, _SMPL_22_BONES, "mid_hip", "3-D; SMPL-X; jaw, eyes and fingers are left out",
         {"num_file_joints": 55}),
        ("humanml3d-22", _SMPL_22, _SMPL_22_BONES, "mid_hip", "3-D; HumanML3D joints (new_joints)", {}),
        ("kit-21", _KIT_21, _KIT_21_BONES, "mid_hip", "3-D; KIT-ML, left first as its authors name them", {}),
        ("mhr-70", _MHR_70, _MHR_70_BONES, "nose", "2-D, 3-D; SAM 3D Body; fingers are left out",
         {"num_file_joints": 70, "kept": (*range(21), 62, 41, 69)}),
        ("soma-77", _SOMA_77, _SOMA_77_BONES, "mid_hip", "3-D; SOMA, Kimodo; fingers, jaw, ends of toes are left out",
         {"num_file_joints": 77, "kept": _SOMA_KEPT}),
        ("zed-18", _OPENPOSE_18, _OPENPOSE_18_BONES, "neck", "2-D, 3-D; ZED BODY_18, in OpenPose's order", {}),
        ("zed-34", (*_KINECT_AZURE_32, "left_heel", "right_heel"), _ZED_34_BONES, "mid_hip", "3-D; ZED BODY_34", {}),
        ("zed-38", _ZED_38, _ZED_38_BONES, "mid_hip", "3-D; ZED BODY_38", {}),
        ("cmu-23", _CMU_23, _CMU_23_BONES, "mid_hip", "3-D; CMU motion capture (ASF/AMC) without fingers", {}),
        ("bandai-22", _BANDAI_22, _BANDAI_22_BONES, "mid_hip", "3-D; Bandai-Namco motion capture (BVH)", {}),
        ("ui-prmd-22", _UI_PRMD_22, _UI_PRMD_22_BONES, "mid_hip", "3-D; UI-PRMD", {}),
        ("lcrnet-13", _LCRNET_13, _HEAD_AND_PAIRS_BONES, "head", "2-D, 3-D; LCR-Net", {}),
        ("posetics-17", _POSETICS_17, _POSETICS_17_BONES, "mid_hip", "2-D; Posetics, UNIK", {}),
        ("smarthome-15", _SMARTHOME_15, _SMARTHOME_15_BONES, "mid_hip", "2-D, 3-D; Toyota Smarthome", {}),
        ("lac-15", _LAC_15, _LAC_15_BONES, "mid_hip", "2-D; LAC; Mixamo as LAC projects it", {}),
        ("lac-17", (*_LAC_15, "mouth", "chest"), _LAC_17_BONES, "mid_hip", "2-D; LAC with the trunk of Posetics", {}),
        ("cv-mim-13", _CV_MIM_13, _HEAD_AND_PAIRS_BONES, "head", "2-D, 3-D; CV-MIM, Pr-VIPE", {}),
        ("penn-13", _PENN_13, _HEAD_AND_PAIRS_BONES, "head", "2-D; Penn Action", {}),
    )
}

# Names as programs and papers write them, without punctuation, for one layout or, if they are ambiguous, several.
_ALSO_CALLED: dict[str, tuple[str, ...]] = {
    "blazepose": ("mediapipe-33",),
    "blazepose33": ("mediapipe-33",),
    "ntu": ("ntu-25",),
    "nturgbd": ("ntu-25",),
    "kinectv2": ("ntu-25",),
    "kinectv1": ("kinect-20",),
    "azurekinect": ("kinect-azure-32",),
    "azurekinect32": ("kinect-azure-32",),
    "k4a": ("kinect-azure-32",),
    "human36m": ("h36m-17",),
    "human36m17": ("h36m-17",),
    "humanml3d": ("humanml3d-22",),
    "smplh": ("smplh-52",),
    "openpose25": ("body-25",),
    "openpose25b": ("body-25b",),
    "openposebody25": ("body-25",),
    "openposebody25b": ("body-25b",),
    "openposecoco": ("openpose-18",),
    "openposempi": ("openpose-15",),
    "coco133": ("coco-wholebody-133",),
    "cocowholebody": ("coco-wholebody-133",),
    "wholebody": ("coco-wholebody-133",),
    "bodywithfeet": ("halpe-26", "coco-wholebody-133"),
    "movenet": ("coco-17",),
    "yolo": ("coco-17",),
    "yolopose": ("coco-17",),
    "ultralytics": ("coco-17",),
    "vitpose": ("coco-17", "coco-wholebody-133"),
    "rtmpose": ("coco-17", "halpe-26", "coco-wholebody-133"),
    "mmpose": ("coco-17", "halpe-26", "coco-wholebody-133"),
    "alphapose": ("coco-17", "halpe-26", "halpe-136"),
    "openpose": ("body-25", "openpose-18", "openpose-15", "body-25b", "body-135"),
    "body": ("body-25", "body-25b", "body-135"),
    "kinect": ("kinect-20", "ntu-25", "kinect-azure-32", "kinect-15"),
    "kinect25": ("ntu-25",),
    "kinect32": ("kinect-azure-32",),
}
# Names that saved data of earlier versions hold, and what these layouts are called now.
RENAMED = {"h36m-17": "poem-17"}
# fmt: on


def get_layout(name: str | Path | SkeletonLayout | Mapping[str, Any]) -> SkeletonLayout:
    """The layout of that name, file or description; a `SkeletonLayout` is returned as it is.

    Args:
        name: a key of `LAYOUTS` in any spelling (`COCO_17`, `halpe26`), or without its number where that is no other
            layout (`mediapipe`); the path of a YAML file, see `load_layout`; or what `SkeletonLayout.to_dict` gives,
            also as JSON text.

    Raises:
        ValueError: an unknown or ambiguous name (the message gives the nearest and all names), or a file or
            description that declares no layout.

    Examples:
        >>> motionhub.get_layout("coco-17").joints[:3]
        ('nose', 'left_eye', 'right_eye')
    """
    if isinstance(name, SkeletonLayout):
        return name
    if isinstance(name, Path) or (isinstance(name, str) and name.lower().endswith(SUFFIXES)):
        return load_layout(name)
    found = _found(name)
    if found is not None:
        return found
    raise ValueError(
        f"{_unknown(name)} The layouts are {list(LAYOUTS)}; "
        "for another one, make a motionhub.SkeletonLayout(name, joints, bones, root), or declare it in a YAML file "
        'and give its path, such as "my_layout.yaml".'
    )


def stated_layout(reference: str | Mapping[str, Any]) -> SkeletonLayout:
    """The layout of a name, dictionary or JSON text in saved data; never of a path, as these must not open files.

    A name that earlier versions gave to another order of joints means that order, and a warning says so once.
    """
    found = _found(current_reference(reference))
    if found is not None:
        return found
    raise ValueError(
        f"{_unknown(reference)} Data name one of {list(LAYOUTS)}, or hold the whole layout as "
        'JSON, {"name": ..., "joints": [...], "bones": [[child, parent], ...], "root": ...}; motionhub.write does it.'
    )


def _found(name: Any) -> SkeletonLayout | None:
    if isinstance(name, Mapping):
        return SkeletonLayout.from_dict(name)
    if not isinstance(name, str):
        return None
    if name.startswith("{"):
        return _from_json(name)
    named = LAYOUTS.get(name) or _by_spelling().get(_plain(name))
    if named is not None:
        return named
    called = _called(name)
    return LAYOUTS[called[0]] if len(called) == 1 else None


def _plain(name: str) -> str:
    """The name without capitals and punctuation: `coco17` for COCO_17."""
    return re.sub(r"[^a-z0-9]", "", name[:80].lower())


def _stem(name: str) -> str:
    """The plain name without the number of joints: `coco` for coco-17, `body` for body-25b."""
    return re.sub(r"\d+b?$", "", _plain(name))


@lru_cache(maxsize=1)
def _by_spelling() -> dict[str, SkeletonLayout]:
    return {_plain(name): layout for name, layout in LAYOUTS.items()}


def _called(name: str) -> tuple[str, ...]:
    """The layouts that are called like this, without their number or by a name of a program."""
    plain = _plain(name)
    return _ALSO_CALLED.get(plain) or tuple(known for known in LAYOUTS if plain and _stem(known) == plain)


def _unknown(name: Any) -> str:
    text = str(name)[:80]
    if several := _called(text):
        return f"Layout {text!r} is ambiguous: {', '.join(f'{each} ({_about(each)})' for each in several)}."
    # The number alone says nothing: a suggestion has a similar name before it.
    stems = {_stem(known): known for known in reversed(LAYOUTS)} | dict.fromkeys(_ALSO_CALLED, "")
    near = get_close_matches(_stem(text), stems, n=3, cutoff=0.7) if len(_stem(text)) > 2 else []
    found = [each for stem in near for each in _ALSO_CALLED.get(stem) or _called(stem)]
    hint = f" Did you mean {' or '.join(map(repr, dict.fromkeys(found)))}?" if found else ""
    return f"Unknown layout {text!r}.{hint}"


def _about(name: str) -> str:
    return LAYOUTS[name].description.partition("; ")[2]


def load_layout(path: str | Path) -> SkeletonLayout:
    """The layout declared in a YAML file: `name`, `joints`, `root` and, if wanted, `bones`, `dims`, `description`.

    `names` maps names in files to joints; with it, all but `name` may be left out, and the bones are the usual ones.

    Nothing is registered: pass the layout (or the path) wherever a layout is asked for. Processors, datasets and npz
    files contain it, so loading them does not need the file.

    Raises:
        ValueError: the file declares no layout, or one with the name of another layout of the library.

    Examples:
        >>> from pathlib import Path
        >>> rig = "{name: rig, root: hips, joints: [hips, head], bones: [[head, hips]]}"
        >>> _ = Path("rig.yaml").write_text(rig)
        >>> motionhub.load_layout("rig.yaml").num_joints
        2
    """
    layout = read_layout(path)
    if layout.names and not layout.bones:
        layout = replace(layout, bones=named_layout(layout.name, layout.joints).bones)
    if LAYOUTS.get(layout.name, layout) != layout:
        raise ValueError(
            f"{path}: name {layout.name!r} belongs to another layout of the library; choose another name."
        )
    return layout


def current_reference(reference: Any) -> Any:
    """What saved data call a layout, as it is called today; a warning, once, where that is another name."""
    if not isinstance(reference, str) or reference not in RENAMED:
        return reference
    if reference not in _SAID:
        _SAID.add(reference)
        warnings.warn(
            f"Saved data name the layout {reference!r}, which earlier versions wrote for the joint order of POEM; it "
            f"is read as {RENAMED[reference]!r}. If the joints are in the order of VideoPose3D and MotionBERT, call "
            f"sequence.replace(layout={reference!r}).",
            UserWarning,
            stacklevel=3,
        )
    return RENAMED[reference]


_SAID: set[str] = set()


def layout_reference(layout: SkeletonLayout) -> str | dict[str, Any]:
    """What a config or a row stores so that `stated_layout` finds the layout again: its name, or all of it."""
    known = LAYOUTS.get(layout.name) == layout and layout.name not in RENAMED
    return layout.name if known else layout.to_dict()


def layout_text(layout: SkeletonLayout) -> str:
    """`layout_reference` as text (a column, a field of a config): the name, or all of it as JSON."""
    reference = layout_reference(layout)
    return reference if isinstance(reference, str) else json.dumps(reference)


def with_current_layouts(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A saved processor or config, and the encoder's in it, with the present name of its layout."""
    content = dict(stored)
    if "layout" in content:
        content["layout"] = current_reference(content["layout"])
    if isinstance(content.get("encoder_config"), Mapping):
        content["encoder_config"] = with_current_layouts(content["encoder_config"])
    return content


def check_carried_layout(stored: Mapping[str, Any]) -> None:
    """Raises a ValueError unless a saved processor contains its layout: a path is useless on another machine."""
    if "layout" not in stored:
        return
    try:
        stated_layout(stored["layout"])
    except ValueError as error:
        raise ValueError(
            f"preprocessor_config.json does not carry its layout: {error} From a file, once: "
            "SkeletonProcessor.from_pretrained(folder, layout='my_layout.yaml').save_pretrained(folder)."
        ) from None


@lru_cache(maxsize=64)
def _from_json(text: str) -> SkeletonLayout:
    """Cached: a dataset has the same text in every row."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Layout {text[:40]!r}... is not JSON: {error}.") from None
    return SkeletonLayout.from_dict(content)
