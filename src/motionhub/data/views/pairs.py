"""Ranges of the bodies and cameras that pairs of views are drawn from."""

from dataclasses import dataclass

import numpy as np

from motionhub.data.views.cameras import Camera
from motionhub.skeletons.bodies import GROUPS


@dataclass(frozen=True)
class PairRanges:
    """Uniform ranges of bodies and cameras; angles in degrees to either side.

    Args:
        bone_factor: least and greatest factor of a limb's bones.
        azimuth, elevation, roll: of the cameras.
        distance: least and greatest distance of the cameras in the recording's unit; None: weak perspective.

    Examples:
        >>> import numpy as np
        >>> ranges = motionhub.PairRanges(bone_factor=(0.5, 2.0))
        >>> factors = ranges.draw_body(np.random.default_rng(0))
        >>> all(0.5 <= factor <= 2.0 for factor in factors.values())
        True
    """

    bone_factor: tuple[float, float] = (0.7, 1.4)
    azimuth: float = 180.0
    elevation: float = 30.0
    roll: float = 0.0
    distance: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.bone_factor[0] <= self.bone_factor[1]:
            raise ValueError(f"bone_factor must be (least, greatest), both above 0, got {self.bone_factor}.")
        if self.distance is not None and not 0 < self.distance[0] <= self.distance[1]:
            raise ValueError(f"distance must be (least, greatest), both above 0, or None; got {self.distance}.")
        if min(self.azimuth, self.elevation, self.roll) < 0:
            raise ValueError("azimuth, elevation and roll are degrees to either side: give numbers of 0 or more.")

    def draw_body(self, generator: np.random.Generator) -> dict[str, float]:
        """A factor per limb, for `skeletons.bodies.with_bone_lengths`."""
        return {limb: float(generator.uniform(*self.bone_factor)) for limb in GROUPS}

    def draw_camera(self, generator: np.random.Generator) -> Camera:
        limits = (self.azimuth, self.elevation, self.roll)
        azimuth, elevation, roll = (float(generator.uniform(-limit, limit)) for limit in limits)
        distance = None if self.distance is None else float(generator.uniform(*self.distance))
        return Camera(azimuth, elevation, roll, distance)
