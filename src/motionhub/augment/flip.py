"""Mirror a person: left becomes right and x changes sign.

It does not know the image: the mirror is x = 0, so keypoints must be normalised (or centred) first.
"""

import torch
from torch import Generator, Tensor

from motionhub.skeletons.layout import SkeletonLayout


def mirror(keypoints: Tensor, layout: SkeletonLayout) -> Tensor:
    """Mirror image of `(..., joints, dims)`: partners `left_*` and `right_*` change places, x changes sign."""
    swapped = keypoints.index_select(-2, torch.from_numpy(layout.mirror))
    swapped[..., 0].neg_()
    return swapped


def random_mirror(
    keypoints: Tensor, layout: SkeletonLayout, probability: float, generator: Generator | None = None
) -> Tensor:
    """`mirror` with `probability`, all people of the clip together."""
    drawn = float(torch.rand((), generator=generator))
    return mirror(keypoints, layout) if drawn < probability else keypoints
