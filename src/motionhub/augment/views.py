"""Seeing the same motion from elsewhere: rotation, scale, shear, UNIK's moving view, and cameras about single poses.

It does not know layouts. Keypoints are `(people, frames, joints, dims)`; NaN stays NaN. Cameras take any batch of
poses, with a mask.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from motionhub.geometry.cameras import UPRIGHT, camera_rotation
from motionhub.geometry.rotations import axis_angle_matrix, plane_matrix


# The values UNIK's feeder draws from (SPECS 2.4): degrees, factor, shift in units of the (normalised) coordinates.
MOVE_ANGLES = (-10.0, -5.0, 0.0, 5.0, 10.0)
MOVE_SCALES = (0.9, 1.0, 1.1)
MOVE_SHIFTS = (-0.2, -0.1, 0.0, 0.1, 0.2)


@dataclass(frozen=True)
class CameraRanges:
    """Where cameras stand; the defaults are CV-MIM's (SPECS 9.3), for poses whose trunk has length 1.

    Args:
        azimuth, elevation, roll: degrees either way, each uniform.
        distance: of the camera from the origin; None: weak perspective.
        nearest: a joint nearer to the camera than this (or behind it) is not seen: a camera that stands inside the
            body gives a picture of the rest.
    """

    azimuth: float = 180.0
    elevation: float = 30.0
    roll: float = 30.0
    distance: float | None = 2.0
    nearest: float = 0.2

    def __post_init__(self) -> None:
        angles = (self.azimuth, self.elevation, self.roll)
        if min(angles) < 0 or (self.distance is not None and not 0 < self.nearest < self.distance):
            raise ValueError(
                "Cameras need angles in degrees of 0 or more and 0 < nearest < distance (or distance=None), got "
                f"{angles}, nearest={self.nearest} and distance={self.distance}."
            )


def draw_cameras(draws: Tensor, ranges: CameraRanges) -> Tensor:
    """Azimuth, elevation and roll in radians, `(..., 3)`, from `draws (..., 3)` uniform in 0..1."""
    limits = [math.radians(limit) for limit in (ranges.azimuth, ranges.elevation, ranges.roll)]
    return (2 * draws - 1) * draws.new_tensor(limits)


def pictures_of(
    points: Tensor, seen: Tensor, angles: Tensor, ranges: CameraRanges, up: str = "y"
) -> tuple[Tensor, Tensor]:
    """What cameras about the origin see of poses: `(..., joints, 2)`, y downward, and which joints; differentiable.

    Args:
        points: `(..., joints, 3)`; what is not seen may be any finite number.
        seen: `(..., joints)` bool.
        angles: `(..., 3)` azimuth, elevation, roll in radians (`geometry.cameras`).
        up: the axis of the points that points up.

    Raises:
        ValueError: not 3-D, or no such axis.
    """
    if points.shape[-1] != 3 or up not in UPRIGHT:
        raise ValueError(f"Cameras see 3-D points with up in {sorted(UPRIGHT)}, got {tuple(points.shape)} and {up!r}.")
    azimuth, elevation, roll = angles.unbind(-1)
    camera = points[..., list(UPRIGHT[up])] @ camera_rotation(azimuth, elevation, roll).mT
    picture = camera[..., :2] * camera.new_tensor([1.0, -1.0])
    if ranges.distance is None:
        return picture, seen
    depth = ranges.distance - camera[..., 2]
    in_front = seen & (depth >= ranges.nearest)
    # Where a joint is not in front, a depth of 1 keeps value and gradient finite; the mask says it is not there.
    return picture * (ranges.distance / torch.where(in_front, depth, 1)).unsqueeze(-1), in_front


@dataclass(frozen=True)
class MoveNodes:
    """What `move` goes through: every field is (value at the first frame, value at the last frame)."""

    angles: Sequence[float]  # degrees
    scales: Sequence[float]
    shifts_x: Sequence[float]
    shifts_y: Sequence[float]


def draw_move_nodes(generator: Generator | None = None) -> MoveNodes:
    """Start and end of a `random_move`, each value uniform over its set."""
    choices = (MOVE_ANGLES, MOVE_SCALES, MOVE_SHIFTS, MOVE_SHIFTS)
    picks = [torch.randint(len(values), (2,), generator=generator).tolist() for values in choices]
    return MoveNodes(*([values[pick] for pick in chosen] for values, chosen in zip(choices, picks, strict=True)))


def move(keypoints: Tensor, nodes: MoveNodes) -> Tensor:
    """Rotate, scale and shift x and y (not z), the amounts changing linearly from the first frame to the last.

    `xy' = scale * R(angle) xy + shift`, frame by frame; every person moves alike. Missing joints (NaN) stay missing.
    """
    frames = keypoints.shape[1]
    table = torch.tensor([nodes.angles, nodes.scales, nodes.shifts_x, nodes.shifts_y], dtype=torch.float64)
    share = torch.linspace(0, 1, frames, dtype=torch.float64)
    angle, scale, shift_x, shift_y = table[:, :1] + (table[:, 1:] - table[:, :1]) * share
    matrix = (plane_matrix(torch.deg2rad(angle)) * scale[:, None, None]).to(keypoints.dtype)
    shift = torch.stack([shift_x, shift_y], dim=-1)[:, None].to(keypoints.dtype)
    moved = keypoints[..., :2] @ matrix.mT + shift
    return moved if keypoints.shape[-1] == 2 else torch.cat([moved, keypoints[..., 2:]], dim=-1)


def random_move(keypoints: Tensor, generator: Generator | None = None, official: bool = False) -> Tensor:
    """UNIK's moving view (SPECS 2.4).

    Args:
        keypoints: `(people, frames, joints, dims)`, normalised coordinates: the shifts are up to 0.2 of their unit.
        official: True fills missing joints and absent people with zeros first and moves them too, as the official
            feeder does; False keeps them missing.
    """
    values = keypoints.nan_to_num(nan=0.0) if official else keypoints
    return move(values, draw_move_nodes(generator))


def random_rotation(keypoints: Tensor, degrees: Sequence[float], generator: Generator | None = None) -> Tensor:
    """Rotate the clip about the origin by angles uniform in `[-degrees, degrees]`, one limit per axis x, y, z.

    Two-dimensional keypoints turn in the plane: only the limit of z counts. 3-D: about x, then y, then z.
    """
    limits = torch.tensor(list(degrees), dtype=torch.float64)
    angles = torch.deg2rad(limits * _symmetric(3, generator))
    if keypoints.shape[-1] == 2:
        matrix = plane_matrix(angles[2])
    else:
        about = axis_angle_matrix(torch.eye(3, dtype=torch.float64), angles)
        matrix = about[2] @ about[1] @ about[0]
    return keypoints @ matrix.T.to(keypoints.dtype)


def random_scale(keypoints: Tensor, jitter: float, generator: Generator | None = None) -> Tensor:
    """Multiply every axis by its own factor, uniform in `[1 - jitter, 1 + jitter]`."""
    return keypoints * (1 + jitter * _symmetric(keypoints.shape[-1], generator)).to(keypoints.dtype)


def random_shear(keypoints: Tensor, limit: float, generator: Generator | None = None) -> Tensor:
    """Add to every axis each other axis times a factor uniform in `[-limit, limit]`."""
    dims = keypoints.shape[-1]
    matrix = limit * _symmetric(dims * dims, generator).reshape(dims, dims)
    matrix.fill_diagonal_(1.0)
    return keypoints @ matrix.T.to(keypoints.dtype)


def _symmetric(count: int, generator: Generator | None) -> Tensor:
    return 2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1
