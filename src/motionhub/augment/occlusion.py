"""Hides parts of the body, as occlusion does: OR-VPE's six patterns, in any layout by joint names."""

import torch
from torch import Generator, Tensor

from motionhub.skeletons.layout import SkeletonLayout


# The hidden part of each of OR-VPE's patterns (SPECS 3.2).
PATTERNS = ("upper", "lower", "left", "right", "centre", "none")
# "origin", the root node of Bandai-Namco files, lies on the floor under the hips.
_LOWER = ("mid_hip", "origin", "hip", "knee", "ankle", "foot", "heel", "big_toe", "small_toe")


def joints_of_part(layout: SkeletonLayout, part: str) -> tuple[int, ...]:
    """Indices of the joints that a pattern hides.

    "left" and "right" are the joints of that name, "centre" all others; "lower" is hips and legs, "upper" all others.
    """
    if part not in PATTERNS:
        raise ValueError(f"A part of the body is one of {PATTERNS}, got {part!r}.")
    found = []
    for index, joint in enumerate(layout.joints):
        side = joint.split("_")[0] if joint.startswith(("left_", "right_")) else "centre"
        half = "lower" if joint.removeprefix("left_").removeprefix("right_") in _LOWER else "upper"
        if part in (side, half):
            found.append(index)
    return tuple(found)


def visibility(layout: SkeletonLayout) -> Tensor:
    """`(6, joints)` bool: the joints that each of PATTERNS leaves visible."""
    visible = torch.ones(len(PATTERNS), layout.num_joints, dtype=torch.bool)
    for number, part in enumerate(PATTERNS):
        visible[number, list(joints_of_part(layout, part))] = False
    return visible


def draw_patterns(seeds: Tensor) -> Tensor:
    """Indices into PATTERNS `(batch,)`, each uniform over the six and decided by its own seed `(batch,)` alone."""
    drawn = [torch.randint(len(PATTERNS), (), generator=Generator().manual_seed(seed)) for seed in seeds.tolist()]
    return torch.stack(drawn) if drawn else torch.empty(0, dtype=torch.long)


def hide(keypoints: Tensor, joint_mask: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Model input with hidden joints: coordinates 0 (as in the official code, after normalisation), mask False.

    Args:
        keypoints: `(batch, people, frames, joints, dims)`.
        joint_mask: `(batch, people, frames, joints)` bool.
        visible: `(batch, joints)` bool, for all people and frames of a clip.
    """
    seen = visible[:, None, None, :]
    return keypoints * seen.unsqueeze(-1).to(keypoints.dtype), joint_mask & seen
