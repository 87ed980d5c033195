"""Which way is up in a clip, found from the body, and the clip turned so that it is up in a picture too (-y).

It does not know file formats, cameras or gravity: whoever lies through the whole clip is left as the data has them.

The height of a body's parts is known roughly (head above shoulders above hips above feet). Its covariance with the
coordinates of the joints that were seen, over all people and frames, points up: y or z, upward or downward.
"""

import torch
from torch import Tensor

from motionhub.skeletons.layout import SkeletonLayout


# Share of the body's height at which a joint is when somebody stands, by the first word that its name has.
HEIGHTS = {
    **dict.fromkeys(("ankle", "foot", "toe", "heel"), 0.04),
    "knee": 0.28,
    **dict.fromkeys(("hip", "pelvis", "waist"), 0.53),
    **dict.fromkeys(("wrist", "hand", "thumb", "finger", "index", "pinky"), 0.5),
    "elbow": 0.63,
    **dict.fromkeys(("spine", "torso", "chest"), 0.68),
    **dict.fromkeys(("shoulder", "collar", "clavicle"), 0.82),
    "neck": 0.85,
    **dict.fromkeys(("head", "nose", "eye", "ear", "mouth", "face", "jaw"), 0.94),
}


def turned_upright(keypoints: Tensor, layout: SkeletonLayout) -> Tensor:
    """Keypoints `(people, frames, joints, dims)` with y downward in the sense of a picture: heads above feet.

    3-D clips are turned (never mirrored) by right angles about x. 2-D clips whose y points up are flipped: theirs was
    only another convention.
    """
    up = _up(keypoints, layout)
    if up is None:
        return keypoints
    if keypoints.shape[-1] == 2:
        return keypoints * keypoints.new_tensor([1.0, -1.0]) if up[1] > 0 else keypoints
    x, y, z = keypoints.unbind(-1)
    if abs(up[1]) >= abs(up[2]):
        return torch.stack([x, -y, -z], dim=-1) if up[1] > 0 else keypoints
    return torch.stack([x, -z, y] if up[2] > 0 else [x, z, -y], dim=-1)


def _up(keypoints: Tensor, layout: SkeletonLayout) -> list[float] | None:
    """The direction in which joints are higher that stand higher in a body; None where nothing is seen."""
    heights = keypoints.new_tensor([_height(joint) for joint in layout.joints])
    seen = ~keypoints[..., 0].isnan() & ~heights.isnan()
    weight = seen.to(keypoints.dtype)
    count = weight.sum(-1, keepdim=True)
    if not bool((count > 1).any()):
        return None
    high = heights.nan_to_num() * weight
    high = (high - high.sum(-1, keepdim=True) / count.clamp(min=1)) * weight
    # High minus its mean needs no centring of the places.
    up = (high.unsqueeze(-1) * keypoints.nan_to_num()).sum((0, 1, 2))
    return [float(value) for value in up]


def _height(joint: str) -> float:
    return next((height for word, height in HEIGHTS.items() if word in joint), float("nan"))
