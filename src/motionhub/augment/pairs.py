"""A batch of 3-D motions on other bodies, before other cameras: exact pairs for training, decided by a seed per entry.

`data.pairs` does the same for clips; here it is torch on model input, so that a pretext makes its pairs as it goes. A
look is a body (its bone lengths) and a camera. Any motion of the batch can be given any look: motion 1 with look 2 is
exactly what motion 2's person would look like doing motion 1, also where the recorded bodies differ.

It does not know models nor what a pair is used for. Missing joints are zeros with a mask that is False.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from motionhub.geometry.cameras import camera_rotation, project
from motionhub.skeletons.bodies import GROUPS, limb_group, outwards
from motionhub.skeletons.layout import SkeletonLayout


# Rows (right, up, towards the camera) of a recording whose vertical is this axis.
_UPRIGHT = {"y": (0, 1, 2), "z": (1, 2, 0), "x": (2, 0, 1)}
_SHORTEST = 1e-6  # a bone of no length keeps it


@dataclass(frozen=True)
class Looks:
    """What the people of each entry look like.

    Args:
        lengths: `(batch, joints)` of the bone that ends in the joint; the root's entry is that of the legs.
        angles: `(batch, 3)` radians: azimuth, elevation, roll of the camera.
        distance: `(batch,)` of the camera in the unit of the keypoints; None: weak perspective.
    """

    lengths: Tensor
    angles: Tensor
    distance: Tensor | None

    def of(self, rows: Tensor) -> "Looks":
        """The looks of other entries: `looks.of(partner)` gives entry i the look of entry `partner[i]`."""
        return Looks(self.lengths[rows], self.angles[rows], None if self.distance is None else self.distance[rows])


class LookChanger(nn.Module):
    """Draws looks, and gives them to motions.

    Args:
        layout: of the keypoints; every joint should be connected to the root by bones.
        bone_factor: least and greatest factor on the bones of a limb (torso, head, shoulder, arm, pelvis, leg).
        azimuth, elevation, roll: degrees either way from which the camera's are drawn.
        distance: least and greatest distance of the camera; None: weak perspective.
        num_dims: 2: pictures, y downward. 3: turned by the azimuth only.
        up: which way is up in the keypoints: `"y"` (BVH, Kinect), `"z"` or `"x"`.

    Raises:
        ValueError: an option has no such value.
    """

    limbs: Tensor
    ways: Tensor

    def __init__(
        self,
        layout: SkeletonLayout,
        *,
        bone_factor: tuple[float, float] = (0.7, 1.4),
        azimuth: float = 180.0,
        elevation: float = 30.0,
        roll: float = 0.0,
        distance: tuple[float, float] | None = None,
        num_dims: int = 2,
        up: str = "y",
    ) -> None:
        super().__init__()
        if not 0 < bone_factor[0] <= bone_factor[1] or (distance and not 0 < distance[0] <= distance[1]):
            raise ValueError(
                f"bone_factor and distance must be (least, greatest), above 0, got {bone_factor} and {distance}."
            )
        if min(azimuth, elevation, roll) < 0 or num_dims not in (2, 3) or up not in _UPRIGHT:
            raise ValueError(
                f"Angles are degrees of 0 or more, num_dims is 2 or 3, up one of {tuple(_UPRIGHT)}; got "
                f"{(azimuth, elevation, roll)}, {num_dims!r} and {up!r}."
            )
        self.layout, self.bone_factor, self.distance = layout, tuple(bone_factor), distance
        self.degrees, self.num_dims, self.up = (azimuth, elevation, roll), num_dims, up
        self.root, self.tree = layout.index(layout.root), outwards(layout)
        groups = [GROUPS.index("leg" if joint == layout.root else limb_group(joint)) for joint in layout.joints]
        self.register_buffer("limbs", torch.tensor(groups), persistent=False)
        self.register_buffer("ways", self._ways(), persistent=False)

    def draw(self, keypoints: Tensor, joint_mask: Tensor, seeds: Tensor) -> Looks:
        """A look for each entry of `keypoints (batch, people, frames, joints, 3)`, by its `seeds (batch,)` alone.

        The body is the one recorded of the first person who is seen, each limb made longer or shorter.
        """
        numbers = [torch.rand(len(GROUPS) + 4, generator=Generator().manual_seed(seed)) for seed in seeds.tolist()]
        drawn = torch.stack(numbers).to(keypoints)
        least, most = self.bone_factor
        factors = least + (most - least) * drawn[:, : len(GROUPS)]
        limits = torch.deg2rad(drawn.new_tensor(self.degrees))
        distance = None
        if self.distance is not None:
            distance = self.distance[0] + (self.distance[1] - self.distance[0]) * drawn[:, -1]
        first = joint_mask.flatten(2).any(-1).byte().argmax(1)
        recorded = self.bone_lengths(keypoints, joint_mask)[torch.arange(len(first)), first]
        return Looks(recorded * factors[:, self.limbs], limits * (2 * drawn[:, len(GROUPS) : -1] - 1), distance)

    def forward(self, keypoints: Tensor, joint_mask: Tensor, looks: Looks) -> tuple[Tensor, Tensor]:
        """The motions with these looks: `(batch, people, frames, joints, num_dims)` and the mask of what is seen.

        A missing joint hides everything beyond it. The camera looks at the origin of the keypoints and stays.
        """
        own = self.bone_lengths(keypoints, joint_mask)
        factors = torch.where(own > _SHORTEST, looks.lengths[:, None] / own.clamp(min=_SHORTEST), 1.0)
        moved = self._placed(factors)[:, :, None] @ keypoints
        points = moved[..., list(_UPRIGHT[self.up])]
        azimuth, elevation, roll = looks.angles.T
        if self.num_dims == 3:
            seen = points @ camera_rotation(azimuth, torch.zeros_like(azimuth)).mT[:, None, None]
        else:
            rotation = camera_rotation(azimuth, elevation, roll)
            seen = project(points.flatten(1, 3), rotation, looks.distance).view(*points.shape[:-1], 2)
        visible = self.visible(joint_mask)
        return seen * visible.unsqueeze(-1), visible

    def visible(self, joint_mask: Tensor) -> Tensor:
        """`(batch, people, frames, joints)`: the joints whose whole way from the root is seen."""
        hidden = (~joint_mask).to(self.ways.dtype) @ self.ways.mT
        return hidden == 0

    def bone_lengths(self, keypoints: Tensor, joint_mask: Tensor) -> Tensor:
        """`(batch, people, joints)`: medians over the frames that show the bone; 0 where none does."""
        lengths = keypoints.new_zeros(*keypoints.shape[:2], self.layout.num_joints)
        child, parent = (list(side) for side in zip(*self.tree, strict=True))
        bones = (keypoints[..., child, :] - keypoints[..., parent, :]).norm(dim=-1)
        bones = bones.masked_fill(~(joint_mask[..., child] & joint_mask[..., parent]), float("nan"))
        lengths[..., child] = bones.nanmedian(2).values.nan_to_num(0.0)
        legs = [joint for joint, _ in self.tree if self.limbs[joint] == GROUPS.index("leg")]
        lengths[..., self.root] = lengths[..., legs].mean(-1) if legs else 1.0
        return lengths

    def _placed(self, factors: Tensor) -> Tensor:
        """`(batch, people, joints, joints)`: matrices that make new places of old ones, for factors on bones."""
        old = torch.eye(self.layout.num_joints, dtype=factors.dtype, device=factors.device)
        old = old.expand(*factors.shape[:2], -1, -1)
        root = old[..., self.root, :] * (factors[..., self.root, None] - 1)
        rows = list((old + root.unsqueeze(-2)).unbind(-2))  # unconnected joints move as the root does
        for child, parent in self.tree:
            rows[child] = rows[parent] + factors[..., child, None] * (old[..., child, :] - old[..., parent, :])
        return torch.stack(rows, dim=-2)

    def _ways(self) -> Tensor:
        """`(joints, joints)` 1 where joint b lies on the way from the root to joint a, both included."""
        ways = torch.eye(self.layout.num_joints)
        ways[:, self.root] = 1.0
        for child, parent in self.tree:
            ways[child] = torch.maximum(ways[child], ways[parent])
        return ways
