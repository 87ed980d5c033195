"""Depth and part maps of capsules (a segment and everything within a radius of it) as a camera sees them; batched.

Differentiable where a ray meets a capsule. Cameras are those of `geometry.cameras`.
"""

import torch
from torch import Tensor


def camera_rays(size: int, half_width: float, distance: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Where the rays of a square image start and go, in the camera's frame (x right, y up, z towards the camera).

    Args:
        size: pixels of a side; rays go through their centres.
        half_width: from the image's centre to its border, measured at the origin, in the unit of the points.
        distance: `(B,)` of the camera from the origin: perspective. None: parallel rays.
        like: gives dtype and device.

    Returns:
        origins and unit directions, each `(B or 1, size, size, 3)`; row 0 is the top of the image.
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
        size, half_width: of the image, see `camera_rays`.
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
    rays = (each.flatten(1, 2).expand(len(starts), -1, -1) for each in camera_rays(size, half_width, distance, starts))
    inputs = (*rays, starts, ends, radii)
    # image by image: what one needs fits in the processor's cache
    drawn = [_nearest_surface(*(each[row : row + 1] for each in inputs)) for row in range(len(starts))]
    depth, part = (torch.cat(parts).unflatten(1, (size, size)) for parts in zip(*drawn, strict=True))
    return depth, part


def _nearest_surface(
    origins: Tensor, directions: Tensor, starts: Tensor, ends: Tensor, radii: Tensor
) -> tuple[Tensor, Tensor]:
    """Height above the plane through the origin, NaN where nothing is, and which capsule, `(B, rays)` each."""
    length, part = _nearest_hit(origins, directions, starts, ends, radii).min(-1)
    hit = length.isfinite()
    surface = origins[..., 2] + length.where(hit, 0) * directions[..., 2]
    return surface.where(hit, torch.nan), part.where(hit, -1)


def _nearest_hit(origins: Tensor, directions: Tensor, starts: Tensor, ends: Tensor, radii: Tensor) -> Tensor:
    """`(B, rays, M)` length of each ray to each capsule, infinite where they do not meet.

    It is the first of two balls and a cylinder; of rays `(B, rays, 3)` and capsules `(B, M, 3)` only products are
    needed, so nothing has an entry for every ray, capsule and coordinate.
    """
    axis = ends - starts
    axis_axis = axis.square().sum(-1).unsqueeze(1)
    axis_ray = directions @ axis.mT
    # offset: from the start to where the ray begins
    axis_offset = origins @ axis.mT - (axis * starts).sum(-1).unsqueeze(1)
    ray_offset = (directions * origins).sum(-1, keepdim=True) - directions @ starts.mT
    offset_offset = (
        origins.square().sum(-1, keepdim=True) - 2 * origins @ starts.mT + starts.square().sum(-1).unsqueeze(1)
    )
    start_gap = offset_offset - radii.square().unsqueeze(1)
    # Both perpendicular to the axis, times |axis|: a quadratic in the length along the ray.
    slope = axis_axis - axis_ray.square()
    cylinder = _first_root(
        slope, axis_axis * ray_offset - axis_offset * axis_ray, axis_axis * start_gap - axis_offset.square()
    )
    place = axis_offset + cylinder * axis_ray  # along the axis, 0 at the start and |axis|^2 at the end
    cylinder = torch.where((place >= 0) & (place <= axis_axis), cylinder, torch.inf)
    one = torch.ones_like(slope)
    start_ball = _first_root(one, ray_offset, start_gap)
    end_ball = _first_root(one, ray_offset - axis_ray, start_gap - 2 * axis_offset + axis_axis)
    nearest = torch.minimum(cylinder, torch.minimum(start_ball, end_ball))
    return torch.where(axis_axis.isfinite(), nearest, torch.inf)  # NaN: the capsule is not there


def _first_root(slope: Tensor, middle: Tensor, rest: Tensor) -> Tensor:
    """The smaller solution of `slope t^2 + 2 middle t + rest = 0`, infinite where there is none or slope is 0."""
    inside = middle.square() - slope * rest
    real = (inside > 0) & (slope > 1e-12)
    root = torch.where(real, inside, torch.ones_like(inside)).sqrt()  # keeps the gradient finite where unused
    return torch.where(real, (-middle - root) / torch.where(real, slope, torch.ones_like(slope)), torch.inf)
