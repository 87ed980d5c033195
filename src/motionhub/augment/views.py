"""Seeing the same motion from elsewhere: rotation, scale, shear, and UNIK's moving view (`random_move`).

It does not know layouts. Keypoints are `(people, frames, joints, dims)`; NaN stays NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from motionhub.geometry.rotations import axis_angle_matrix, plane_matrix


# The values UNIK's feeder draws from (SPECS 2.4): degrees, factor, shift in units of the (normalised) coordinates.
MOVE_ANGLES = (-10.0, -5.0, 0.0, 5.0, 10.0)
MOVE_SCALES = (0.9, 1.0, 1.1)
MOVE_SHIFTS = (-0.2, -0.1, 0.0, 0.1, 0.2)


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
