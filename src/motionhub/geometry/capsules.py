"""Depth and part maps of capsules (a segment and everything within a radius of it) as a camera sees them; batched.

Differentiable where a ray meets a capsule. It does not know skeletons; cameras are those of `geometry.cameras`.
"""

import torch
from torch import Tensor


def camera_rays(size: int, half_width: float, distance: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Where the rays of a square picture start and go, in the camera's frame (x right, y up, z towards the camera).

    Args:
        size: pixels of a side; rays go through their centres.
        half_width: from the picture's centre to its border, measured at the origin, in the unit of the points.
        distance: `(B,)` of the camera from the origin: perspective. None: parallel rays.
        like: gives dtype and device.

    Returns:
        origins and unit directions, each `(B or 1, size, size, 3)`; row 0 is the top of the picture.
    """
    ticks = (torch.arange(size, dtype=like.dtype, device=like.device) + 0.5) / size * 2 - 1
    x, y = torch.meshgrid(ticks * half_width, -ticks * half_width, indexing="xy")
    at_origin = torch.stack([x, y, torch.zeros_like(x)], dim=-1)[None]
    if distance is None:
        return at_origin, torch.tensor([0.0, 0.0, -1.0], dtype=like.dtype, device=like.device).expand_as(at_origin)
    camera = torch.zeros(len(distance), 1, 1, 3, dtype=like.dtype, device=like.device)
    camera[..., 2] = distance[:, None, None]
    towards = at_origin - camera
    return camera.expand_as(towards), towards / towards.norm(dim=-1, keepdim=True)


def render_capsules(
    starts: Tensor,
    ends: Tensor,
    radii: Tensor,
    rotation: Tensor,
    *,
    size: int,
    half_width: float,
    distance: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """What a camera that looks at the origin sees.

    Args:
        starts, ends: `(B, M, 3)` ends of the segments; a capsule with NaN is not there. Equal ends are a ball.
        radii: `(M,)` or `(B, M)`, same unit.
        rotation: `(B, 3, 3)` world -> camera (`geometry.cameras.camera_rotation`).
        size, half_width: of the picture, see `camera_rays`.
        distance: `(B,)` of the camera from the origin; None: parallel rays.

    Returns:
        `depth (B, size, size)`: how far in front of the plane through the origin the nearest surface lies (towards
        the camera is positive), NaN where there is none; `part (B, size, size)`: which capsule it is, 0..M-1, or -1.

    Raises:
        ValueError: the camera stands inside a capsule or has one behind it.
    """
    starts, ends = starts @ rotation.mT, ends @ rotation.mT
    radii = torch.as_tensor(radii, dtype=starts.dtype, device=starts.device).expand(starts.shape[:2])
    if distance is not None:
        nearest = torch.maximum(starts[..., 2], ends[..., 2]) + radii
        if bool((nearest >= distance[:, None]).any()):
            raise ValueError(
                f"The camera stands {float(distance.min()):.3g} from the centre and the body reaches "
                f"{float(nearest.nan_to_num(-torch.inf).max()):.3g} towards it: it is inside or behind the body; "
                "use a larger distance (or none: parallel rays)."
            )
    origins, directions = camera_rays(size, half_width, distance, starts)
    # Rays (B, H, W, 1, 3), capsules (B, 1, 1, M, 3).
    along = _nearest_hit(
        origins[..., None, :],
        directions[..., None, :],
        starts[:, None, None],
        ends[:, None, None],
        radii[:, None, None],
    )
    length, part = along.min(-1)
    hit = length.isfinite()
    surface = origins[..., 2] + length.where(hit, 0) * directions[..., 2]
    return surface.where(hit, torch.nan), part.where(hit, -1)


def _nearest_hit(origins: Tensor, directions: Tensor, starts: Tensor, ends: Tensor, radii: Tensor) -> Tensor:
    """Length of each ray to each capsule, infinite where they do not meet: the first of two balls and a cylinder."""
    axis, offset = ends - starts, origins - starts
    axis_axis = axis.square().sum(-1)
    axis_ray, axis_offset = (axis * directions).sum(-1), (axis * offset).sum(-1)
    # Both perpendicular to the axis, times |axis|: a quadratic in the length along the ray.
    slope = axis_axis - axis_ray.square()
    middle = axis_axis * (directions * offset).sum(-1) - axis_offset * axis_ray
    rest = axis_axis * (offset.square().sum(-1) - radii.square()) - axis_offset.square()
    cylinder = _first_root(slope, middle, rest)
    place = axis_offset + cylinder * axis_ray  # along the axis, 0 at the start and |axis|^2 at the end
    cylinder = torch.where((place >= 0) & (place <= axis_axis), cylinder, torch.inf)
    balls = [
        _first_root(torch.ones_like(slope), (directions * gap).sum(-1), gap.square().sum(-1) - radii.square())
        for gap in (offset, origins - ends)
    ]
    nearest = torch.minimum(cylinder, torch.minimum(*balls))
    return torch.where(axis_axis.isfinite(), nearest, torch.inf)  # NaN: the capsule is not there


def _first_root(slope: Tensor, middle: Tensor, rest: Tensor) -> Tensor:
    """The smaller solution of `slope t^2 + 2 middle t + rest = 0`, infinite where there is none or slope is 0."""
    inside = middle.square() - slope * rest
    real = (inside > 0) & (slope > 1e-12)
    root = torch.where(real, inside, torch.ones_like(inside)).sqrt()  # keeps the gradient finite where unused
    return torch.where(real, (-middle - root) / torch.where(real, slope, torch.ones_like(slope)), torch.inf)
