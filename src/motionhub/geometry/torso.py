"""Poses in units of their torso: middle of the hips as origin, trunk length as unit; batched, differentiable.

A pose whose trunk cannot be measured (hips missing, or zero length) comes out as all missing; no division by zero.
"""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from motionhub.geometry.rotations import safe_norm
from motionhub.geometry.trunk import IMAGE_UNIT


def torso_frame(
    points: Tensor, seen: Tensor, shoulders: Sequence[int], hips: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Centre and unit of every pose (SPECS 9.3).

    The unit in 2-D is twice the longest visible distance among shoulders and hips; in 3-D the distance from the middle
    of the hips to that of the shoulders. The centre is the middle of the hips, or the one visible hip.

    Args:
        points: `(..., points, 2 or 3)`; points that are not `seen` may have any value.
        seen: `(..., points)` bool.
        shoulders, hips: two indices each.

    Returns:
        centre `(..., dims)`, unit `(...)`, and whether both could be measured `(...)`; else they are 0 and 1.
    """
    used = [*shoulders, *hips]
    there = seen[..., used]
    corners = torch.where(there.unsqueeze(-1), points[..., used, :], 0)
    count = there[..., 2:].sum(-1)
    centre = corners[..., 2:, :].sum(-2) / count.clamp(min=1).unsqueeze(-1)
    if points.shape[-1] == 2:
        sides = [
            safe_norm(corners[..., one, :] - corners[..., other, :]) * (there[..., one] & there[..., other])
            for one, other in combinations(range(4), 2)
        ]
        unit = torch.stack(sides).amax(0) / IMAGE_UNIT
    else:
        unit = safe_norm(corners[..., :2, :].mean(-2) - centre) * there.all(-1)
    measured = (count > 0) & (unit > torch.finfo(points.dtype).tiny * 1e6)
    return centre * measured.unsqueeze(-1), torch.where(measured, unit, 1), measured


def in_torso_units(
    points: Tensor, seen: Tensor, shoulders: Sequence[int], hips: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Every pose with its hips at the origin and its trunk as unit; zeros, all missing, where that is impossible."""
    centre, unit, measured = torso_frame(points, seen, shoulders, hips)
    kept = seen & measured.unsqueeze(-1)
    moved = (points - centre.unsqueeze(-2)) / unit[..., None, None]
    return torch.where(kept.unsqueeze(-1), moved, 0), kept
