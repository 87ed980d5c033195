"""The joints of the vocabulary on one body: where they are on a standing adult, and which bones connect them."""

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout


# Metres: x towards the person's left, y up from the floor, z to the front; the person is 1.75 m tall.
_CENTRE: dict[str, tuple[float, float, float]] = {
    "origin": (0.0, 0.0, 0.0),
    "mid_hip": (0.0, 0.94, 0.0),
    "spine": (0.0, 1.05, 0.0),
    "torso": (0.0, 1.17, 0.0),
    "chest": (0.0, 1.19, 0.0),
    "upper_chest": (0.0, 1.31, 0.0),
    "shoulder_centre": (0.0, 1.42, 0.0),
    "neck_base": (0.0, 1.44, 0.0),
    "neck": (0.0, 1.46, 0.0),
    "upper_neck": (0.0, 1.53, 0.02),
    "neck_nose": (0.0, 1.55, 0.06),
    "mouth": (0.0, 1.56, 0.09),
    "nose": (0.0, 1.61, 0.11),
    "head": (0.0, 1.63, 0.03),
    "head_top": (0.0, 1.75, 0.0),
}
_LEFT: dict[str, tuple[float, float, float]] = {
    "eye_inner": (0.02, 1.65, 0.09),
    "eye": (0.035, 1.65, 0.09),
    "eye_outer": (0.05, 1.65, 0.08),
    "ear": (0.075, 1.63, 0.02),
    "mouth": (0.025, 1.57, 0.09),
    "collar": (0.06, 1.42, 0.0),
    "shoulder": (0.18, 1.43, 0.0),
    "elbow": (0.29, 1.15, -0.01),
    "wrist": (0.37, 0.91, 0.03),
    "hand": (0.40, 0.83, 0.04),
    "hand_tip": (0.43, 0.74, 0.05),
    "thumb": (0.39, 0.83, 0.09),
    "index": (0.41, 0.82, 0.07),
    "pinky": (0.42, 0.82, 0.01),
    "hip": (0.11, 0.92, 0.0),
    "knee": (0.12, 0.51, 0.02),
    "ankle": (0.13, 0.10, -0.02),
    "heel": (0.13, 0.03, -0.07),
    "foot": (0.15, 0.03, 0.11),
    "big_toe": (0.13, 0.02, 0.17),
    "small_toe": (0.19, 0.02, 0.13),
}
STANDING: dict[str, tuple[float, float, float]] = {
    **_CENTRE,
    **{
        f"{side}_{part}": (sign * x, y, z)
        for part, (x, y, z) in _LEFT.items()
        for side, sign in (("left", 1), ("right", -1))
    },
}


def standing(layout: SkeletonLayout) -> np.ndarray:
    """`(joints, 3)` of the standing person in metres; NaN for names outside the library's vocabulary."""
    unknown = (np.nan, np.nan, np.nan)
    return np.array([STANDING.get(joint, unknown) for joint in layout.joints], np.float32)


# Joint -> the next joint towards the hips.
_PARENTS: dict[str, str] = {
    **{"spine": "mid_hip", "torso": "mid_hip", "chest": "spine", "upper_chest": "chest"},
    **{"shoulder_centre": "upper_chest", "neck_base": "shoulder_centre", "neck": "neck_base", "upper_neck": "neck"},
    **{"neck_nose": "upper_neck", "head": "neck_nose", "head_top": "head", "nose": "head", "mouth": "nose"},
    **{
        f"{side}_{child}": parent if parent in _CENTRE else f"{side}_{parent}"
        for side in ("left", "right")
        for child, parent in {
            **{"eye": "nose", "eye_inner": "eye", "eye_outer": "eye", "ear": "eye", "mouth": "nose"},
            **{"collar": "shoulder_centre", "shoulder": "collar", "elbow": "shoulder", "wrist": "elbow"},
            **{"hand": "wrist", "hand_tip": "hand", "thumb": "wrist", "index": "wrist", "pinky": "wrist"},
            **{"hip": "mid_hip", "knee": "hip", "ankle": "knee", "foot": "ankle", "heel": "ankle"},
            **{"big_toe": "ankle", "small_toe": "big_toe"},
        }.items()
    },
}
_ROOTS = ("mid_hip", "torso", "spine", "chest", "upper_chest", "shoulder_centre", "neck", "upper_neck", "head", "nose")


def named_layout(name: str, joints: tuple[str, ...]) -> SkeletonLayout:
    """A layout of joints of the vocabulary, with bones between neighbours; other joints have no bone.

    Examples:
        >>> from motionhub.skeletons.standing import named_layout
        >>> named_layout("leg", ("mid_hip", "left_hip", "left_ankle")).bones
        (('left_hip', 'mid_hip'), ('left_ankle', 'left_hip'))
    """
    root = next((joint for joint in _ROOTS if joint in joints), joints[0])
    bones = [(joint, _parent(joint, joints, root)) for joint in joints if joint in _PARENTS and joint != root]
    return SkeletonLayout(name, joints, tuple((child, parent) for child, parent in bones if parent), root)


def _parent(joint: str, joints: tuple[str, ...], root: str) -> str:
    """The nearest joint towards the hips that the layout has; a hip without `mid_hip` hangs from its shoulder."""
    side, _, part = joint.partition("_")
    if part == "hip" and "mid_hip" not in joints and f"{side}_shoulder" in joints:
        return f"{side}_shoulder"
    parent = _PARENTS[joint]
    while parent not in joints and parent in _PARENTS:
        parent = _PARENTS[parent]
    return parent if parent in joints else root if root in _ROOTS else ""
