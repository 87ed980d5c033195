"""How far apart two poses are once one is moved, turned and scaled onto the other; batched.

Errors are mean distances over the points that both poses have, in their unit.
"""

import torch
from torch import Tensor


def procrustes_error(first: Tensor, second: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean distance after the similarity (rotation, scale, shift; no mirror) that fits `second` onto `first` best.

    Args:
        first, second: `(..., points, 3)`, broadcast against each other.
        seen: `(..., points)` bool: what both have; None: all.

    Returns:
        `(...)`; 0 where nothing is seen.
    """
    one, other, weight, total = _centred(first, second, seen)
    covariance = (one * weight).mT @ other
    left, _, right = torch.linalg.svd(covariance)
    upright = torch.linalg.det(left @ right).sign()
    signs = torch.stack([torch.ones_like(upright), torch.ones_like(upright), upright], dim=-1)
    rotation = left @ (signs.unsqueeze(-1) * right)
    turned = other @ rotation.mT
    size = (turned.square() * weight).sum((-1, -2)).clamp(min=1e-12)
    scale = ((one * turned * weight).sum((-1, -2)) / size).clamp(min=0)
    distance = (one - scale[..., None, None] * turned).norm(dim=-1)
    return (distance * weight.squeeze(-1)).sum(-1) / total


def turned_error(first: Tensor, second: Tensor, seen: Tensor | None = None, up: int = 1) -> Tensor:
    """Mean distance after the best turn about the vertical through the mean point: bodies that lean stay leaning.

    Args:
        first, second, seen: as `procrustes_error`; up: axis that points up.
    """
    one, other, weight, total = _centred(first, second, seen)
    axes = [axis for axis in (0, 1, 2) if axis != up]
    (x, y), (u, v) = one[..., axes].unbind(-1), other[..., axes].unbind(-1)
    heavy = weight.squeeze(-1)
    angle = torch.atan2(((y * u - x * v) * heavy).sum(-1), ((x * u + y * v) * heavy).sum(-1)).unsqueeze(-1)
    turned = torch.stack([u * angle.cos() - v * angle.sin(), u * angle.sin() + v * angle.cos()], dim=-1)
    level = (one[..., axes] - turned).square().sum(-1)
    distance = (level + (one[..., up] - other[..., up]).square()).sqrt()
    return (distance * heavy).sum(-1) / total


def _centred(first: Tensor, second: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both about the mean of the seen points, the weight `(..., points, 1)` of a point, and the number of points."""
    first, second = torch.broadcast_tensors(first, second)
    weight = torch.ones_like(first[..., :1]) if seen is None else seen.unsqueeze(-1).to(first.dtype)
    weight = weight.expand(*first.shape[:-1], 1)
    total = weight.sum((-1, -2)).clamp(min=1)
    shared = total[..., None, None]
    centred = [torch.where(weight > 0, pose, 0) for pose in (first, second)]
    one, other = ((pose - (pose * weight).sum(-2, keepdim=True) / shared) * weight for pose in centred)
    return one, other, weight, total
