"""Rotation matrices, batched and differentiable. They act on column vectors: `rotated = points @ matrix.mT`."""

import torch
from torch import Tensor

from motionhub.geometry.trunk import SMALLEST_ANGLE, SMALLEST_AXIS


def axis_angle_matrix(axis: Tensor, angle: Tensor) -> Tensor:
    """Counter-clockwise rotation about an axis of any length (Rodrigues' formula).

    Args:
        axis: `(..., 3)`.
        angle: `(...)` radians.

    Returns:
        `(..., 3, 3)`; the identity where the L1 length of the axis or the angle is below 1e-6.
    """
    still = (axis.abs().sum(-1) < SMALLEST_AXIS) | (angle.abs() < SMALLEST_ANGLE)
    safe_axis = torch.where(still[..., None], torch.ones_like(axis), axis)
    x, y, z = (safe_axis / safe_axis.norm(dim=-1, keepdim=True)).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    turned = torch.where(still, torch.zeros_like(angle), angle)[..., None, None]
    identity = torch.eye(3, dtype=axis.dtype, device=axis.device)
    return identity + torch.sin(turned) * cross + (1 - torch.cos(turned)) * (cross @ cross)


def aligning_matrix(source: Tensor, target: Tensor) -> Tensor:
    """The smallest rotation from the direction of `source` to that of `target`, `(..., 3)` of any length, broadcast.

    Returns:
        `(..., 3, 3)`; the identity where they are parallel, **exactly opposite** (their cross product gives no axis;
        the official pre-processing does the same), or one is zero.
    """
    source, target = torch.broadcast_tensors(source, target)
    axis = torch.linalg.cross(source, target, dim=-1)
    # atan2 instead of arccos: the same angle, without arccos' infinite slope at 0 and pi.
    angle = torch.atan2(safe_norm(axis), (source * target).sum(-1))
    return axis_angle_matrix(axis, angle)


def plane_matrix(angle: Tensor) -> Tensor:
    """`(..., 2, 2)` counter-clockwise rotation in the x-y plane by `angle` `(...)` radians."""
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return torch.stack([cosine, -sine, sine, cosine], dim=-1).unflatten(-1, (2, 2))


def safe_norm(vector: Tensor) -> Tensor:
    """Length whose gradient at zero is zero instead of NaN."""
    squared = vector.square().sum(-1)
    zero = squared == 0
    return torch.where(zero, torch.zeros_like(squared), torch.where(zero, torch.ones_like(squared), squared).sqrt())
