"""Distances of embeddings that are distributions, and triplets of them: the losses of Pr-VIPE (Sun et al., ECCV 2020).

Which pairs match, and which may be negatives, is an argument.
"""

import math

import torch
from torch import Tensor


def matching_probability(distances: Tensor, scale: Tensor, shift: Tensor, smoothing: float = 0.1) -> Tensor:
    """`(1 - s) sigmoid(-a d + b) + s / 2`: that two samples at distance d show one pose."""
    return (1 - smoothing) * torch.sigmoid(-scale * distances + shift) + smoothing / 2


def sample_distance(first: Tensor, second: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """`-log` of the mean matching probability over all pairs of samples.

    Args:
        first, second: `(batch, num_samples, channels)`, row by row.

    Returns:
        `(batch,)`.
    """
    squared = (first.unsqueeze(2) - second.unsqueeze(1)).square().sum(-1)
    distances = squared.clamp(min=1e-12).sqrt()
    return -matching_probability(distances, scale, shift).flatten(1).mean(1).log()


def mean_distances(first: Tensor, second: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The same distance of means `(batch, channels)`, of every row with every other: `(batch, batch)`."""
    return -matching_probability(torch.cdist(first, second), scale, shift).log()


def semi_hard_negatives(distances: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """For each anchor the nearest negative that is farther than its positive; the farthest where there is none.

    Args:
        distances: `(batch, batch)` of anchors (rows) and candidates; the diagonal holds the positives.
        allowed: `(batch, batch)` bool: may be a negative.

    Returns:
        Their columns `(batch,)`, and which anchors have a negative at all `(batch,)`.
    """
    farther = allowed & (distances > distances.diagonal().unsqueeze(1))
    near = distances.masked_fill(~farther, math.inf).argmin(1)
    far = distances.masked_fill(~allowed, -math.inf).argmax(1)
    return torch.where(farther.any(1), near, far), allowed.any(1)


def active_triplet_loss(positive: Tensor, negative: Tensor, margin: float = math.log(2)) -> Tensor:
    """Mean of `positive - negative + margin` over the rows in which it is above 0; 0 when none is."""
    losses = (positive - negative + margin).clamp(min=0)
    return losses.sum() / (losses > 0).sum().clamp(min=1)
