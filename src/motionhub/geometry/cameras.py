"""Cameras that look at points from any side: rotation from angles, weak and full perspective; batched, differentiable.

World and camera frames are right-handed: the world's y is up; the camera's x points to the
right of the image, y up, z from the scene to the camera. Images have y downward, as pixels do.
"""

import torch
from torch import Tensor


# The axes of a recording in the order (right, up, towards the camera), by which of them is up: turned, never mirrored.
UPRIGHT = {"x": (2, 0, 1), "y": (0, 1, 2), "z": (1, 2, 0)}


def camera_rotation(azimuth: Tensor, elevation: Tensor, roll: Tensor | None = None) -> Tensor:
    """World directions -> camera directions, of a camera that looks at the origin.

    Args:
        azimuth: `(...)` radians about the vertical: 0 looks from +z, pi/2 from +x.
        elevation: `(...)` radians above the horizon.
        roll: `(...)` radians by which the image turns counter-clockwise; none by default.

    Returns:
        `(..., 3, 3)`; `camera = points @ matrix.mT`.
    """
    azimuth, elevation = torch.broadcast_tensors(azimuth, elevation)
    sine, cosine, up, level = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    zero = torch.zeros_like(azimuth)
    right = torch.stack([cosine, zero, -sine], dim=-1)
    towards = torch.stack([sine * level, up, cosine * level], dim=-1)
    above = torch.stack([-sine * up, level, -cosine * up], dim=-1)
    rotation = torch.stack([right, above, towards], dim=-2)
    if roll is None:
        return rotation
    one, none = torch.ones_like(roll), torch.zeros_like(roll)
    rows = [roll.cos(), -roll.sin(), none, roll.sin(), roll.cos(), none, none, none, one]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3)) @ rotation


def project(points: Tensor, rotation: Tensor, distance: Tensor | float | None = None) -> Tensor:
    """Points about the origin as a camera sees them: `(..., n, 3)` and `(..., 3, 3)` -> `(..., n, 2)`, y downward.

    Args:
        points: relative to what the camera looks at, any unit; missing ones (NaN) stay missing.
        distance: `(...)` of the camera from the origin, same unit: perspective, in which what is at the origin keeps
            its size. None: weak perspective, every point does.

    Raises:
        ValueError: a point lies at or behind the camera.
    """
    image, towards = _in_camera(points, rotation)
    if distance is None:
        return image
    far = torch.as_tensor(distance, dtype=points.dtype, device=points.device)
    depth = far[..., None] - towards
    if bool((depth <= 0).any()):
        raise ValueError(
            f"The camera stands {float(far.min()):.3g} from the centre and points reach {float(depth.min()):.3g} "
            "before it: it is inside or behind the body; use a larger distance (or none: weak perspective), and "
            "centre the points first."
        )
    return image * (far[..., None] / depth)[..., None]


def project_visible(
    points: Tensor, seen: Tensor, rotation: Tensor, distance: float | None, nearest: float
) -> tuple[Tensor, Tensor]:
    """As `project`, of poses that the camera may stand inside of, and which points it sees `(..., n)`; differentiable.

    Args:
        points: what is not `seen` may be any finite number.
        nearest: a point nearer to the camera than this, or behind it, is not seen.
    """
    image, towards = _in_camera(points, rotation)
    if distance is None:
        return image, seen
    in_front = seen & (distance - towards >= nearest)
    # Where a point is not in front, a depth of 1 keeps value and gradient finite; the mask says it is not there.
    return image * (distance / torch.where(in_front, distance - towards, 1)).unsqueeze(-1), in_front


def _in_camera(points: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    """Right and down `(..., n, 2)`, and towards the camera `(..., n)`."""
    camera = points @ rotation.mT
    return camera[..., :2] * camera.new_tensor([1.0, -1.0]), camera[..., 2]
