"""View parameters for whole batches: processed 3-D clips with other limb lengths, before other cameras, on any device.

They stay the same over a clip; cameras are weak perspective. `data.views.pairs` does the same clip by clip.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from motionhub.geometry.cameras import UPRIGHT, camera_rotation, project
from motionhub.skeletons.bodies import GROUPS, with_bone_lengths
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class ViewRanges:
    """Ranges of view parameters, each uniform.

    Args:
        bone_factor: smallest and largest factor of a limb's bones; (1, 1) keeps the body.
        azimuth, elevation, roll: of the camera, degrees either way.

    Examples:
        >>> motionhub.ViewRanges(bone_factor=(1.0, 1.0), azimuth=45.0).roll
        0.0
    """

    bone_factor: tuple[float, float] = (0.7, 1.4)
    azimuth: float = 180.0
    elevation: float = 30.0
    roll: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.bone_factor[0] <= self.bone_factor[1] or min(self.azimuth, self.elevation, self.roll) < 0:
            raise ValueError(
                "Views need a bone_factor (least, greatest) above 0 and angles in degrees of 0 or more, got "
                f"{self.bone_factor} and {self.azimuth}, {self.elevation}, {self.roll}."
            )


@dataclass(frozen=True)
class ViewParams:
    """Body and viewpoint of each clip.

    Args:
        factors: `(batch, limbs)`, limbs in the order of `skeletons.bodies.GROUPS`.
        angles: `(batch, 3)` azimuth, elevation and roll in radians (`geometry.cameras`).
    """

    factors: Tensor
    angles: Tensor

    def of(self, rows: Tensor) -> "ViewParams":
        """The parameters of other clips of the batch."""
        return ViewParams(self.factors[rows], self.angles[rows])


def draw_views(seeds: Tensor, ranges: ViewRanges) -> ViewParams:
    """View parameters for each of `seeds (batch,)`, decided by that seed alone."""
    limits = [math.radians(limit) for limit in (ranges.azimuth, ranges.elevation, ranges.roll)]
    drawn = torch.stack(
        [torch.rand(len(GROUPS) + 3, generator=Generator().manual_seed(seed)) for seed in seeds.tolist()]
    ).to(seeds.device)
    least, greatest = ranges.bone_factor
    factors = least + (greatest - least) * drawn[:, : len(GROUPS)]
    return ViewParams(factors, (2 * drawn[:, len(GROUPS) :] - 1) * drawn.new_tensor(limits))


def limb_responses(layout: SkeletonLayout) -> Tensor:
    """`(limbs, joints, joints)`: how far joint i moves with joint j when the bones of a limb get one length longer.

    Joints move linearly: a body with factors f is `1 + sum_limb (f - 1) response` times the joints.
    """
    joints = layout.num_joints
    places = np.zeros((1, joints, joints, 3), np.float32)
    places[0, :, :, 0] = np.eye(joints)  # frame j: joint j one unit from all others
    sequence = SkeletonSequence(places, layout=layout, fps=1.0, unit="metre")
    longer = [with_bone_lengths(sequence, {limb: 2.0}).keypoints[0, :, :, 0].T for limb in GROUPS]
    return torch.from_numpy(np.stack(longer) - np.eye(joints, dtype=np.float32))


def apply_view(
    keypoints: Tensor,
    joint_mask: Tensor,
    views: ViewParams,
    responses: Tensor,
    *,
    root: int,
    num_dims: int = 2,
    up: str = "y",
    centred: bool = True,
) -> tuple[Tensor, Tensor]:
    """3-D clips on their bodies before their cameras, normalised as "centre" with scale "extent" does it.

    Args:
        keypoints: `(batch, people, frames, joints, 3)`, zeros where a joint is missing.
        joint_mask: `(batch, people, frames, joints)` bool. A missing joint hides those whose position depends on it, a
            missing root its frame.
        views: one body and viewpoint per clip.
        responses: `limb_responses` of the layout.
        root: joint that goes to the origin in every frame.
        num_dims: 2: image coordinates, y downward. 3: the clip rotated by the camera's azimuth only.
        up: the axis that points up, `"x"`, `"y"` or `"z"`.
        centred: False keeps the path of the root and the clip's own scale.

    Returns:
        keypoints `(batch, people, frames, joints, num_dims)` and their joint_mask.
    """
    if keypoints.shape[-1] != 3 or up not in UPRIGHT or num_dims not in (2, 3):
        raise ValueError(
            f"Views are made of 3-D keypoints with up in {sorted(UPRIGHT)} and num_dims 2 or 3, got "
            f"{tuple(keypoints.shape)}, {up!r} and {num_dims}; process with SkeletonProcessor(num_dims=3)."
        )
    same = torch.eye(len(responses[0]), device=keypoints.device)
    bodies = same + torch.einsum("bl,lij->bij", views.factors - 1, responses)
    needed = ((responses != 0).any(0) | same.bool()).to(keypoints.dtype)
    seen = (needed @ (~joint_mask).to(keypoints.dtype).unsqueeze(-1)).squeeze(-1) == 0
    seen = seen & seen[..., root : root + 1]
    points = torch.einsum("bij,bmtjc->bmtic", bodies, keypoints)[..., list(UPRIGHT[up])]
    azimuth, elevation, roll = views.angles.unbind(-1)
    flat = points.flatten(1, 3)
    if num_dims == 3:
        flat = flat @ camera_rotation(azimuth, torch.zeros_like(azimuth)).mT
    else:
        flat = project(flat, camera_rotation(azimuth, elevation, roll))
    turned = flat.unflatten(1, points.shape[1:4])
    return _centred(turned, seen, root) if centred else turned * seen.unsqueeze(-1).to(turned.dtype), seen


def _centred(points: Tensor, seen: Tensor, root: int) -> Tensor:
    """The root at the origin, root mean square distance of the valid joints from it 1; zeros elsewhere."""
    moved = (points - points[..., root : root + 1, :]) * seen.unsqueeze(-1).to(points.dtype)
    count = seen.sum((2, 3)).clamp(min=1).to(points.dtype)
    extent = (moved.square().sum((2, 3, 4)) / count).sqrt()
    return moved / torch.where(extent > 0, extent, 1.0)[..., None, None, None]
