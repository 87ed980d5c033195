"""Hiding whole parts of the body, as occlusion does (the six sub-graphs of OR-VPE), in any layout by joint names."""

import torch
from torch import Generator, Tensor

from motionhub.skeletons.layout import SkeletonLayout


# OR-VPE's patterns: what is hidden (SPECS 3.2). "all visible" hides nothing.
PATTERNS = ("upper", "lower", "left", "right", "centre", "none")
# The root node of Bandai-Namco files lies on the floor, under the hips.
_LOWER = ("mid_hip", "origin")
_LEG = ("hip", "knee", "ankle", "foot", "heel", "big_toe", "small_toe")


def joints_of_part(layout: SkeletonLayout, part: str) -> tuple[int, ...]:
    """Indices of the joints that a pattern hides.

    "left" and "right" are the joints named so, "centre" all others. "lower" is the legs from the middle of the hips
    down, "upper" all others; every joint is in exactly one of the two.

    Raises:
        ValueError: no such part.
    """
    if part not in PATTERNS:
        raise ValueError(f"A part of the body is one of {PATTERNS}, got {part!r}.")
    belongs = {
        "upper": lambda joint: not _is_lower(joint),
        "lower": _is_lower,
        "left": lambda joint: joint.startswith("left_"),
        "right": lambda joint: joint.startswith("right_"),
        "centre": lambda joint: not joint.startswith(("left_", "right_")),
        "none": lambda joint: False,
    }[part]
    return tuple(index for index, joint in enumerate(layout.joints) if belongs(joint))


def visibility(layout: SkeletonLayout) -> Tensor:
    """`(6, joints)` bool: which joints each of PATTERNS leaves visible."""
    visible = torch.ones(len(PATTERNS), layout.num_joints, dtype=torch.bool)
    for number, part in enumerate(PATTERNS):
        visible[number, list(joints_of_part(layout, part))] = False
    return visible


def draw_patterns(seeds: Tensor) -> Tensor:
    """Numbers of PATTERNS `(batch,)`, each uniform over the six and decided by its own seed `(batch,)` alone."""
    drawn = [torch.randint(len(PATTERNS), (), generator=Generator().manual_seed(seed)) for seed in seeds.tolist()]
    return torch.stack(drawn) if drawn else torch.empty(0, dtype=torch.long)


def hide(keypoints: Tensor, joint_mask: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Model input without the hidden joints: their coordinates 0 (the official rule: after normalisation), mask False.

    Args:
        keypoints: `(batch, people, frames, joints, dims)`.
        joint_mask: `(batch, people, frames, joints)` bool.
        visible: `(batch, joints)` bool, for all people and frames of a clip.
    """
    seen = visible[:, None, None, :]
    return keypoints * seen.unsqueeze(-1).to(keypoints.dtype), joint_mask & seen


def _is_lower(joint: str) -> bool:
    return joint in _LOWER or joint.removeprefix("left_").removeprefix("right_") in _LEG
