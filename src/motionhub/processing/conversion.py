"""Layout conversion of a tensor, for the processor: the recipes of `motionhub.skeletons.convert`, looked up once.

It does not know recipes, frame rates or units. NaN means missing.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from motionhub.skeletons.convert import conversion_weights
from motionhub.skeletons.layout import SkeletonLayout


def converted(keypoints: Tensor, source: SkeletonLayout, target: SkeletonLayout) -> Tensor:
    """Keypoints `(people, frames, joints, dims)` in another layout; a joint is missing where any of its sources is.

    Raises:
        ValueError: the layouts have no joint in common.
    """
    if source is target or source == target:
        return keypoints
    weights, copied_from, absent = _conversion(source, target)
    if copied_from is not None:
        result = keypoints.index_select(2, copied_from)
    else:
        # A target joint is missing if any of its sources is, and only then.
        missing = keypoints[..., :1].isnan()
        result = weights @ keypoints.nan_to_num(nan=0.0)
        if bool(missing.any()):
            uses_missing = (weights != 0).to(keypoints.dtype) @ missing.to(keypoints.dtype)
            result = result.masked_fill(uses_missing > 0, float("nan"))
    return result if absent is None else result.masked_fill(absent[:, None], float("nan"))


@lru_cache(maxsize=64)
def _conversion(source: SkeletonLayout, target: SkeletonLayout) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Weights `(target, source)`; the source of each joint if all are copies; which joints are absent, if any."""
    matrix, _ = conversion_weights(source, target)
    weights = torch.from_numpy(np.asarray(matrix, dtype=np.float32))
    used = weights != 0
    absent = ~used.any(dim=1)
    if bool(absent.all()):
        raise ValueError(
            f"No joint of layout {source.name!r} ({list(source.joints)}) can become one of {target.name!r} "
            f"({list(target.joints)}); use a model of layout {source.name!r}: "
            f"SkeletonProcessor(layout={source.name!r}), or name the layout the data really have: "
            "SkeletonSequence(array, layout=...)."
        )
    copies = bool(((weights == 1) | ~used).all()) and bool((used.sum(dim=1) <= 1).all())
    return weights, weights.argmax(dim=1) if copies else None, absent if bool(absent.any()) else None
