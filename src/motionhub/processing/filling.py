"""Numbers in the place of missing joints, for models that need one everywhere; the joint mask still says "missing".

It does not know layouts, units or models. Keypoints are torch `(people, frames, joints, dims)`; NaN means missing.
"""

import torch
from torch import Tensor


FILLS = ("zero", "interpolate", "previous")


def fill_missing(keypoints: Tensor, fill: str) -> Tensor:
    """Keypoints without NaN.

    Args:
        fill: `"zero"`; `"previous"`: the joint's last seen position, before it was first seen its first one;
            `"interpolate"`: on the straight line in time between the frames around, held at both ends of the clip.
            A joint that was never seen is zero in any case.
    """
    if fill != "zero" and keypoints.shape[1] > 1 and bool((missing := keypoints[..., 0].isnan()).any()):
        keypoints = _filled_in_time(keypoints, ~missing, interpolate=fill == "interpolate")
    return keypoints.nan_to_num(nan=0.0)


def _filled_in_time(keypoints: Tensor, seen: Tensor, interpolate: bool) -> Tensor:
    frames = torch.arange(seen.shape[1])[None, :, None].expand_as(seen)
    last = torch.where(seen, frames, -1).cummax(1).values
    after = torch.where(seen, frames, seen.shape[1]).flip(1).cummin(1).values.flip(1)
    # Outside the seen frames both neighbours are the one that exists; never seen: frame 0, which is NaN there.
    before = torch.where(last < 0, after, last).clamp_(max=seen.shape[1] - 1)
    if not interpolate:
        return _at(keypoints, before)
    after = torch.where(after == seen.shape[1], before, after)
    share = (frames - before) / (after - before).clamp_(min=1)
    start, end = _at(keypoints, before), _at(keypoints, after)
    return start + (end - start) * share[..., None].to(keypoints.dtype)


def _at(keypoints: Tensor, frames: Tensor) -> Tensor:
    return keypoints.gather(1, frames[..., None].expand_as(keypoints))
