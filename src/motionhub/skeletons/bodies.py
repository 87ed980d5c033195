"""The same motion on another body: bones made longer or shorter along the chain, directions kept. NumPy.

It does not know cameras, random numbers nor models.
"""

from collections import deque
from collections.abc import Mapping

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# A bone belongs to the group of the first of these words that its child joint's name has.
LIMB_GROUPS: dict[str, tuple[str, ...]] = {
    "arm": ("elbow", "wrist", "hand", "forearm", "thumb", "finger", "index", "pinky", "tip"),
    "leg": ("knee", "ankle", "foot", "toe", "heel", "leg"),
    "pelvis": ("hip",),
    "shoulder": ("shoulder", "collar", "clavicle", "arm"),
    "head": ("head", "nose", "eye", "ear", "mouth", "face", "jaw"),
}
GROUPS = (*LIMB_GROUPS, "torso")
_CENTRAL = ("neck", "mid_hip", "pelvis", "shoulder_centre", "spine", "torso", "chest", "waist", "root")


def limb_group(joint: str) -> str:
    """The limb that the bone ending in `joint` belongs to: one of `GROUPS`."""
    name = joint.lower()
    if any(word in name for word in _CENTRAL):
        return "torso"
    if "head" in name:  # "head_tip" is no finger
        return "head"
    return next((group for group, words in LIMB_GROUPS.items() if any(word in name for word in words)), "torso")


def with_bone_lengths(sequence: SkeletonSequence, factors: Mapping[str, float]) -> SkeletonSequence:
    """The sequence with every bone multiplied by the factor of its limb; directions of bones do not change.

    The root's path is multiplied by the factor of the legs, so that longer legs take longer steps. A bone with a
    missing end hides everything beyond it. Joints that no bone connects to the root move as the root does.

    Args:
        factors: by limb (`GROUPS`) or by child joint, which goes first; 1 where nothing is said.

    Raises:
        ValueError: a name that is neither a limb nor a joint, or a factor that is not above 0.
    """
    layout = sequence.layout
    unknown = sorted(set(factors) - set(GROUPS) - set(layout.joints))
    if unknown or not all(0 < factor < np.inf for factor in factors.values()):
        raise ValueError(
            f"factors must be positive numbers for limbs {list(GROUPS)} or joints of {layout.name!r}, got "
            f"{dict(factors)}."
        )
    before = sequence.keypoints
    root = layout.index(layout.root)
    moved = before[:, :, root] * np.float32(factors.get("leg", 1.0)) - before[:, :, root]
    after = before + moved[:, :, None]
    for child, parent in _outwards(layout):
        joint = layout.joints[child]
        factor = np.float32(factors.get(joint, factors.get(limb_group(joint), 1.0)))
        after[:, :, child] = after[:, :, parent] + factor * (before[:, :, child] - before[:, :, parent])
    confidence = sequence.confidence
    if confidence is not None:
        confidence = np.where(np.isnan(after[..., 0]), 0.0, confidence)
    return sequence.replace(keypoints=after, confidence=confidence)


def _outwards(layout: SkeletonLayout) -> list[tuple[int, int]]:
    """`(joint, the one before it)` for every joint that bones connect to the root, from the root outwards."""
    neighbours: dict[int, list[int]] = {index: [] for index in range(layout.num_joints)}
    for child, parent in layout.bone_indices.tolist():
        neighbours[child].append(parent)
        neighbours[parent].append(child)
    root = layout.index(layout.root)
    order, seen, waiting = [], {root}, deque([root])
    while waiting:
        joint = waiting.popleft()
        for other in neighbours[joint]:
            if other not in seen:
                seen.add(other)
                order.append((other, joint))
                waiting.append(other)
    return order
