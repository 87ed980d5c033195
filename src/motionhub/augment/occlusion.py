"""Hiding joints at random, as occlusion does.

It does not know which joints matter: every joint is hidden with the same probability. NaN means missing.
"""

import torch
from torch import Generator, Tensor


def drop_joints(
    keypoints: Tensor, probability: float, generator: Generator | None = None, per_frame: bool = False
) -> Tensor:
    """A copy of `(people, frames, joints, dims)` in which joints are missing (NaN) with `probability`.

    A joint is hidden over the whole clip, or frame by frame and independently with `per_frame`.
    """
    people, frames, joints, _ = keypoints.shape
    drawn = torch.rand((people, frames if per_frame else 1, joints, 1), generator=generator)
    return keypoints.masked_fill(drawn < probability, float("nan"))
