"""Joint positions of SMPL rotations, by forward kinematics on a mean skeleton of our own.

SMPL itself is licensed and not needed for joints: they follow from rotations and bone offsets. The offsets below are
those of SMPL's mean body as published humanoid models state them (the MuJoCo body of PHC and ProtoMotions), made the
same on both sides and rounded to a millimetre: at rest a joint is at most 5.3 mm from its source, a bone at most 4 mm
longer or shorter. A person's own limbs differ by more: shape parameters (`betas`) are not applied.
"""

import numpy as np


# Joint -> parent, and metres from it at rest: x to the person's left, y up, z forward. One line for both sides.
_TRUNK = {
    "spine": ("mid_hip", (0.0, 0.109, -0.027)),
    "chest": ("spine", (0.0, 0.135, 0.001)),
    "upper_chest": ("chest", (0.0, 0.053, 0.025)),
    "neck": ("upper_chest", (0.0, 0.214, -0.043)),
    "head": ("neck", (0.0, 0.065, 0.051)),
}
_SIDE = {
    "hip": ("mid_hip", (0.069, -0.091, -0.006)),
    "knee": ("hip", (0.036, -0.379, -0.007)),
    "ankle": ("knee", (-0.015, -0.398, -0.043)),
    "foot": ("ankle", (0.026, -0.052, 0.121)),
    "collar": ("upper_chest", (0.080, 0.120, -0.036)),
    "shoulder": ("collar", (0.094, 0.032, -0.009)),
    "elbow": ("shoulder", (0.257, -0.013, -0.024)),
    "wrist": ("elbow", (0.252, 0.008, -0.003)),
    "hand": ("wrist", (0.084, -0.007, -0.013)),
}
# Where the pelvis is when `trans` is zero: the origin of SMPL lies in the trunk, above it.
PELVIS = (0.0, -0.223, 0.028)
# SMPL's order of joints; SMPL-H and SMPL-X have fingers (and a face) after the 22nd.
JOINTS = (
    *("mid_hip", "left_hip", "right_hip", "spine", "left_knee", "right_knee", "chest", "left_ankle", "right_ankle"),
    *("upper_chest", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hand", "right_hand"),
)
# Radians beyond which a number is no rotation.
_LARGEST = 1e6


def _rest(joint: str) -> tuple[int, tuple[float, ...]]:
    """Index of the parent, and the offset from it."""
    side, _, part = joint.partition("_")
    if joint in _TRUNK:
        return JOINTS.index(_TRUNK[joint][0]), _TRUNK[joint][1]
    parent, (x, y, z) = _SIDE[part]
    parent = f"{side}_{parent}" if parent in _SIDE else parent
    return JOINTS.index(parent), (x if side == "left" else -x, y, z)


_REST = [(-1, PELVIS), *(_rest(joint) for joint in JOINTS[1:])]


def joint_positions(rotations: np.ndarray, trans: np.ndarray | None = None) -> np.ndarray:
    """`(frames, joints, 3)` metres of 22 or 24 joints, in the axes of the root rotation.

    Args:
        rotations: `(frames, joints, 3)` axis-angle in radians, or `(frames, joints, 3, 3)` matrices, each joint's
            relative to its parent, the root's relative to the world.
        trans: `(frames, 3)` metres; None leaves the root where SMPL has it at rest. The root is at `trans` plus the
            rest position of the pelvis, as in SMPL.

    A frame with an invalid number is NaN.

    Examples:
        >>> import numpy as np
        >>> joint_positions(np.zeros((1, 22, 3)))[0, 4].round(3).tolist()  # the left knee at rest
        [0.103, -0.693, 0.015]
    """
    frames, joints = rotations.shape[:2]
    broken = ~(np.abs(rotations.reshape(frames, -1)) < _LARGEST).all(axis=1)
    turns = _matrices(np.where(broken.reshape(-1, *[1] * (rotations.ndim - 1)), 0.0, rotations))
    places = np.empty((frames, joints, 3))
    world = np.empty_like(turns)
    for row in range(joints):
        parent, offset = _REST[row]
        if parent < 0:
            places[:, row], world[:, row] = offset, turns[:, row]
        else:
            places[:, row] = places[:, parent] + world[:, parent] @ np.array(offset)
            world[:, row] = world[:, parent] @ turns[:, row]
    places[broken] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        return places if trans is None else places + trans[:, None]


def _matrices(rotations: np.ndarray) -> np.ndarray:
    """`(frames, joints, 3, 3)` rotation matrices."""
    if rotations.ndim == 4:
        return rotations
    from scipy.spatial.transform import Rotation  # imports in 0.3 s, too slow for `--help`

    return Rotation.from_rotvec(rotations.reshape(-1, 3)).as_matrix().reshape(*rotations.shape, 3)
