"""Random cameras around single poses."""

import math
from dataclasses import dataclass

from torch import Tensor

from motionhub.geometry.cameras import UPRIGHT, camera_rotation, project_visible


@dataclass(frozen=True)
class CameraRanges:
    """Ranges of camera positions; the defaults are CV-MIM's (SPECS 9.3), for poses whose trunk has length 1.

    Args:
        azimuth, elevation, roll: degrees either way, each uniform.
        distance: of the camera from the origin; None: weak perspective.
        nearest: joints nearer to the camera than this, or behind it, are not visible (the camera may be inside the
            body).

    Examples:
        >>> motionhub.CameraRanges(azimuth=90.0, distance=None).azimuth
        90.0
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
    """Azimuth, elevation and roll in radians `(..., 3)`, from `draws (..., 3)` uniform in 0..1."""
    limits = [math.radians(limit) for limit in (ranges.azimuth, ranges.elevation, ranges.roll)]
    return (2 * draws - 1) * draws.new_tensor(limits)


def images_of(
    points: Tensor, seen: Tensor, angles: Tensor, ranges: CameraRanges, up: str = "y"
) -> tuple[Tensor, Tensor]:
    """Poses as cameras around the origin see them: image coordinates `(..., joints, 2)`, y down, and visible joints.

    Args:
        points: `(..., joints, 3)`; points that are not `seen` may have any finite value.
        seen: `(..., joints)` bool.
        angles: `(..., 3)` azimuth, elevation, roll in radians (`geometry.cameras`).
        up: the axis of the points that points up.
    """
    if points.shape[-1] != 3 or up not in UPRIGHT:
        raise ValueError(f"Cameras see 3-D points with up in {sorted(UPRIGHT)}, got {tuple(points.shape)} and {up!r}.")
    rotation = camera_rotation(*angles.unbind(-1))
    return project_visible(points[..., list(UPRIGHT[up])], seen, rotation, ranges.distance, ranges.nearest)
