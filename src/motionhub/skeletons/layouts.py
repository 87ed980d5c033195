"""The skeleton layouts of the library, by name, with one vocabulary of joint names.

A name means a place of the body, whatever a dataset calls it; `left_*` and `right_*` are the sides of the person.

head             its middle in Kinect (UI-PRMD "head tip"), its base in BVH, the face in LCR-Net, Posetics.
nose, *_eye, *_ear   as in COCO and OpenPose.
mouth            half way between head and neck: Posetics joint 1 (which its authors call "nose"), LAC's "Mout".
neck             the neck; where it is computed, the middle of the shoulders. UI-PRMD "head": a joint there is the
start
                 of the part it is named after, and is as high as NTU's neck (1.14 trunks above the hips).
neck_base        UI-PRMD "neck", which lies on its shoulder centre.
shoulder_centre  on the spine between the shoulders: NTU "spine shoulder", Kinect v1 "shoulder centre", H36M "thorax",
                 UI-PRMD "chest" (as high as its collars). Not `neck`: NTU-25 has both.
neck_nose        H36M "neck/nose": near the chin, neither neck nor nose.
chest            middle of the trunk, half way between neck and mid_hip: Posetics "chest", NTU "spine mid", H36M
                 "spine", UI-PRMD "spine", BVH "Chest".          torso    OpenNI's centre of the trunk (15 joints).
spine            lower spine, about a sixth of the way from the hips to the shoulders: Kinect v1 "spine", BVH "Spine".
mid_hip          middle of the hips: NTU "spine base", Kinect v1 "hip centre", H36M "hip", UI-PRMD "waist", BVH "Hips".
*_collar         inner end of the collar bone.          *_shoulder *_elbow *_wrist *_hip *_knee *_ankle   the limbs; in
                 H36M, BVH and UI-PRMD "hand" is the wrist and "foot" the ankle, because the rotation is there.
*_hand *_hand_tip *_thumb, *_foot (front of the foot, BVH "Toes"), *_heel *_big_toe *_small_toe   extremities.
*_eye_inner *_eye_outer *_mouth (its corners) *_pinky *_index (knuckles)   MediaPipe; its "foot index" is *_foot.
origin           the root node of Bandai-Namco files, which does not move with the person.

Bones of NTU-25, OpenPose-18, Posetics-17 and Smarthome-15 are the official lists in the official order, with their
quirks (see `SkeletonLayout`); the others are the natural tree, whose root keeps raw coordinates.
"""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from motionhub.skeletons.layout import SUFFIXES, SkeletonLayout, read_layout


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
_H36M_17 = (
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
# fmt: on

LAYOUTS: dict[str, SkeletonLayout] = {
    layout.name: layout
    for layout in (
        SkeletonLayout("ntu-25", _NTU_25, _NTU_25_BONES, root="mid_hip"),
        SkeletonLayout("kinect-20", _KINECT_20, _KINECT_20_BONES, root="mid_hip"),
        SkeletonLayout("utd-mhad-20", _UTD_MHAD_20, _KINECT_20_BONES, root="mid_hip"),
        SkeletonLayout("kinect-15", _KINECT_15, _KINECT_15_BONES, root="torso"),
        SkeletonLayout("coco-17", _COCO_17, _COCO_17_BONES, root="nose"),
        SkeletonLayout("openpose-18", _OPENPOSE_18, _OPENPOSE_18_BONES, root="neck"),
        SkeletonLayout("body-25", _BODY_25, _BODY_25_BONES, root="mid_hip"),
        SkeletonLayout("h36m-17", _H36M_17, _H36M_17_BONES, root="mid_hip"),
        SkeletonLayout("lcrnet-13", _LCRNET_13, _HEAD_AND_PAIRS_BONES, root="head"),
        SkeletonLayout("posetics-17", _POSETICS_17, _POSETICS_17_BONES, root="mid_hip"),
        SkeletonLayout("smarthome-15", _SMARTHOME_15, _SMARTHOME_15_BONES, root="mid_hip"),
        SkeletonLayout("lac-15", _LAC_15, _LAC_15_BONES, root="mid_hip"),
        SkeletonLayout("lac-17", (*_LAC_15, "mouth", "chest"), _LAC_17_BONES, root="mid_hip"),
        SkeletonLayout("cv-mim-13", _CV_MIM_13, _HEAD_AND_PAIRS_BONES, root="head"),
        SkeletonLayout("penn-13", _PENN_13, _HEAD_AND_PAIRS_BONES, root="head"),
        SkeletonLayout("ui-prmd-22", _UI_PRMD_22, _UI_PRMD_22_BONES, root="mid_hip"),
        SkeletonLayout("mediapipe-33", _MEDIAPIPE_33, _MEDIAPIPE_33_BONES, root="nose"),
        SkeletonLayout("bandai-22", _BANDAI_22, _BANDAI_22_BONES, root="mid_hip"),
    )
}


def get_layout(name: str | Path | SkeletonLayout | Mapping[str, Any]) -> SkeletonLayout:
    """The layout of that name, file or description; a `SkeletonLayout` is returned as it is.

    Args:
        name: a key of `LAYOUTS`; the path of a YAML file, see `load_layout`; or what `SkeletonLayout.to_dict` gives,
            also as JSON text.

    Raises:
        ValueError: an unknown name (the message gives the nearest and all names), or a file or description that
            declares no layout.

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
    """The layout of a name, dictionary or JSON text; never of a path, as untrusted data must not open files."""
    found = _found(reference)
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
    return _from_json(name) if name.startswith("{") else LAYOUTS.get(name)


def _unknown(name: Any) -> str:
    near = get_close_matches(str(name)[:80].lower().replace("_", "-"), LAYOUTS, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"Unknown layout {str(name)[:80]!r}.{hint}"


def load_layout(path: str | Path) -> SkeletonLayout:
    """The layout declared in a YAML file: `name`, `joints`, `root` and, if wanted, `bones`, `dims`, `description`.

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
    if LAYOUTS.get(layout.name, layout) != layout:
        raise ValueError(
            f"{path}: name {layout.name!r} belongs to another layout of the library; choose another name."
        )
    return layout


def layout_reference(layout: SkeletonLayout) -> str | dict[str, Any]:
    """What a config or a row stores so that `get_layout` finds the layout again: its name, or all of it."""
    return layout.name if LAYOUTS.get(layout.name) == layout else layout.to_dict()


def layout_text(layout: SkeletonLayout) -> str:
    """`layout_reference` as text (a column, a field of a config): the name, or all of it as JSON."""
    reference = layout_reference(layout)
    return reference if isinstance(reference, str) else json.dumps(reference)


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
