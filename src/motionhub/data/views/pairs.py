"""Exact training pairs for motion retargeting: a motion on two bodies of other limb lengths, seen by two cameras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motionhub.data.views.cameras import Camera, seen_by
from motionhub.skeletons.bodies import GROUPS, with_bone_lengths
from motionhub.skeletons.sequence import SkeletonSequence


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


@dataclass(frozen=True)
class MotionPair:
    """Two motions and two views (a body and a camera), in all four combinations.

    Args:
        first, second: motion 1 in view 1, motion 2 in view 2: the inputs of a network.
        crossed, crossed_back: motion 1 in view 2, motion 2 in view 1: its targets.
    """

    first: SkeletonSequence
    second: SkeletonSequence
    crossed: SkeletonSequence
    crossed_back: SkeletonSequence


def make_pair(
    motions: tuple[SkeletonSequence, SkeletonSequence],
    bodies: tuple[dict[str, float], dict[str, float]],
    cameras: tuple[Camera, Camera],
) -> MotionPair:
    """Both motions, 3-D with y up and of one layout, on both bodies, as 2-D views of the cameras.

    Raises:
        ValueError: a motion in 2-D or without frames, two layouts, or a camera inside the body.
    """
    for motion in motions:
        if motion.num_dims != 3 or not motion.num_frames or not motion.num_people:
            raise ValueError(
                f"Pairs need 3-D motions with people and frames, got {motion.num_dims}-D keypoints "
                f"{motion.keypoints.shape}; read BVH or Kinect files, or generate motions."
            )
    if motions[0].layout != motions[1].layout:
        raise ValueError(
            f"Both motions must have one layout, got {motions[0].layout.name!r} and {motions[1].layout.name!r}; "
            "convert one: motionhub.convert_layout(motion, layout)."
        )

    def view(motion: int, which: int) -> SkeletonSequence:
        return seen_by(with_bone_lengths(motions[motion], bodies[which]), cameras[which])

    return MotionPair(view(0, 0), view(1, 1), view(0, 1), view(1, 0))


class PairMaker:
    """Pairs of clips, bodies and cameras by number: pair `i` is always the same.

    Args:
        motions: 3-D clips of one layout, each of at least `num_frames` frames.
        num_frames: of a pair: a window of each clip, at a random place.
        ranges: of bodies and cameras.
        seed: of everything random.
    """

    def __init__(
        self, motions: Sequence[SkeletonSequence], num_frames: int, *, ranges: PairRanges | None = None, seed: int = 0
    ) -> None:
        short = [index for index, motion in enumerate(motions) if motion.num_frames < num_frames]
        if len(motions) < 2 or num_frames < 1 or short:
            raise ValueError(
                f"Pairs need two or more motions of at least num_frames={num_frames} frames, got {len(motions)} of "
                f"which {len(short)} are shorter (first {short[:1]}); leave these out, or lower num_frames."
            )
        self.motions, self.num_frames = list(motions), num_frames
        self.ranges, self.seed = ranges or PairRanges(), seed

    def pair(self, number: int) -> MotionPair:
        """Clip `number` (modulo the number of clips) with a random other one."""
        generator = np.random.default_rng([self.seed, number])
        first = number % len(self.motions)
        second = int(generator.integers(len(self.motions) - 1))
        second += second >= first
        motions = tuple(self._window(self.motions[index], generator) for index in (first, second))
        bodies = (self.ranges.draw_body(generator), self.ranges.draw_body(generator))
        cameras = (self.ranges.draw_camera(generator), self.ranges.draw_camera(generator))
        return make_pair((motions[0], motions[1]), bodies, cameras)

    def _window(self, motion: SkeletonSequence, generator: np.random.Generator) -> SkeletonSequence:
        start = int(generator.integers(motion.num_frames - self.num_frames + 1))
        frames = slice(start, start + self.num_frames)
        confidence = None if motion.confidence is None else motion.confidence[:, frames]
        return motion.replace(keypoints=motion.keypoints[:, frames], confidence=confidence)
