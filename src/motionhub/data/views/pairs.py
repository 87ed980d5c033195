"""Training pairs for motion retargeting, without paired recordings: one motion on two bodies, before two cameras.

The pairs are exact: bodies differ by the lengths of their limbs, cameras by where they stand. It does not know file
formats (clips come as `SkeletonSequence`s in 3-D), models nor processors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from motionhub.geometry.cameras import UPRIGHT, camera_rotation, project
from motionhub.skeletons.bodies import GROUPS, with_bone_lengths
from motionhub.skeletons.sequence import SkeletonSequence


UP_AXES = ("x", "y", "z", "-x", "-y", "-z")


@dataclass(frozen=True)
class Camera:
    """Where a camera stands. The default looks along the recording's own axis at eye level.

    Args:
        azimuth, elevation, roll: degrees: about the vertical, above the horizon, of the picture.
        distance: from the root to the camera in the recording's unit; None: weak perspective.
    """

    azimuth: float = 0.0
    elevation: float = 0.0
    roll: float = 0.0
    distance: float | None = None


@dataclass(frozen=True)
class PairRanges:
    """What bodies and cameras are drawn from, each uniformly; angles in degrees either way.

    Args:
        bone_factor: least and greatest factor of a limb's bones.
        azimuth, elevation, roll: of the cameras.
        distance: least and greatest distance of the cameras in the recording's unit; None: weak perspective.
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
            raise ValueError("azimuth, elevation and roll are degrees either way: give numbers of 0 or more.")

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
    """Two motions and two looks (a body, and for 2-D the camera it is seen by), in all four combinations.

    Args:
        first, second: motion 1 with look 1, motion 2 with look 2: what a network is given.
        crossed, crossed_back: motion 1 with look 2, motion 2 with look 1: what it shall make of them.
    """

    first: SkeletonSequence
    second: SkeletonSequence
    crossed: SkeletonSequence
    crossed_back: SkeletonSequence


def make_pair(
    motions: tuple[SkeletonSequence, SkeletonSequence],
    bodies: tuple[dict[str, float], dict[str, float]],
    cameras: tuple[Camera, Camera],
    *,
    num_dims: int = 2,
    up: str = "y",
) -> MotionPair:
    """Both motions on both bodies, seen by the cameras.

    Args:
        motions: 3-D, of one layout, in any unit.
        num_dims: 2: pictures, in the motions' unit at the root's distance, y downward, the root of the first frame in
            the middle. 3: the recording turned by the cameras' azimuth only, which changes the body and the heading.
        up: which way is up in the motions: `"y"` (BVH, Kinect), `"z"`, ... `"-z"`.

    Raises:
        ValueError: a motion in 2-D or without frames, two layouts, or a camera inside the body.
    """
    for motion in motions:
        if motion.num_dims != 3 or not motion.num_frames or not motion.num_people:
            raise ValueError(
                f"Pairs are made of 3-D motions with people and frames, got {motion.num_dims}-D keypoints "
                f"{motion.keypoints.shape}; read BVH or Kinect files, or generate motions."
            )
    if motions[0].layout != motions[1].layout:
        raise ValueError(
            f"Both motions must have one layout, got {motions[0].layout.name!r} and {motions[1].layout.name!r}; "
            "convert one: motionhub.convert_layout(motion, layout)."
        )

    def look(motion: int, which: int) -> SkeletonSequence:
        body = with_bone_lengths(motions[motion], bodies[which])
        return seen_by(body, cameras[which], num_dims=num_dims, up=up)

    return MotionPair(look(0, 0), look(1, 1), look(0, 1), look(1, 0))


def seen_by(sequence: SkeletonSequence, camera: Camera, *, num_dims: int = 2, up: str = "y") -> SkeletonSequence:
    """A 3-D sequence before a camera, see `make_pair`. The camera looks at where the root is in the first frame that
    shows it, and stays.

    Raises:
        ValueError: the sequence is not 3-D or never shows its root, `up` is no axis, or the camera is inside the body.
    """
    points = torch.from_numpy(upright(sequence, up))
    points = points - torch.from_numpy(_first_root(sequence, points.numpy()))
    angles = [torch.tensor(math.radians(angle)) for angle in (camera.azimuth, camera.elevation, camera.roll)]
    if num_dims == 3:
        turned = points @ camera_rotation(angles[0], torch.zeros(())).mT
        return sequence.replace(keypoints=turned.numpy())
    if num_dims != 2:
        raise ValueError(f"num_dims must be 2 or 3, got {num_dims!r}.")
    picture = project(points.flatten(1, 2), camera_rotation(*angles), camera.distance).unflatten(1, points.shape[1:3])
    unit = "normalised" if sequence.unit == "pixel" else sequence.unit
    return sequence.replace(keypoints=picture.numpy(), unit=unit, image_size=None)


class PairMaker:
    """Pairs of clips, bodies and cameras by number: pair `i` is always the same.

    Args:
        motions: 3-D clips of one layout, each at least `num_frames` long (shorter ones are an error).
        num_frames: of a pair: a window of each clip, at a random place.
        ranges: of bodies and cameras.
        num_dims, up: see `make_pair`.
        seed: of everything random.
    """

    def __init__(
        self,
        motions: Sequence[SkeletonSequence],
        num_frames: int,
        *,
        ranges: PairRanges | None = None,
        num_dims: int = 2,
        up: str = "y",
        seed: int = 0,
    ) -> None:
        short = [index for index, motion in enumerate(motions) if motion.num_frames < num_frames]
        if len(motions) < 2 or num_frames < 1 or short:
            raise ValueError(
                f"Pairs need two or more motions of at least num_frames={num_frames} frames, got {len(motions)} of "
                f"which {len(short)} are shorter (first {short[:1]}); leave these out, or lower num_frames."
            )
        self.motions, self.num_frames = list(motions), num_frames
        self.ranges, self.num_dims, self.up, self.seed = ranges or PairRanges(), num_dims, up, seed

    def pair(self, number: int) -> MotionPair:
        """Clip `number` (modulo the number of clips) with a random other one."""
        generator = np.random.default_rng([self.seed, number])
        first = number % len(self.motions)
        second = int(generator.integers(len(self.motions) - 1))
        second += second >= first
        motions = tuple(self._window(self.motions[index], generator) for index in (first, second))
        bodies = (self.ranges.draw_body(generator), self.ranges.draw_body(generator))
        cameras = (self.ranges.draw_camera(generator), self.ranges.draw_camera(generator))
        return make_pair((motions[0], motions[1]), bodies, cameras, num_dims=self.num_dims, up=self.up)

    def _window(self, motion: SkeletonSequence, generator: np.random.Generator) -> SkeletonSequence:
        start = int(generator.integers(motion.num_frames - self.num_frames + 1))
        frames = slice(start, start + self.num_frames)
        confidence = None if motion.confidence is None else motion.confidence[:, frames]
        return motion.replace(keypoints=motion.keypoints[:, frames], confidence=confidence)


def upright(sequence: SkeletonSequence, up: str) -> np.ndarray:
    """Keypoints with y up, turned (not mirrored) from wherever up is."""
    if sequence.num_dims != 3:
        raise ValueError(f"A camera needs 3-D keypoints, got {sequence.num_dims}-D ones.")
    if up not in UP_AXES:
        raise ValueError(f"up must be one of {UP_AXES}, got {up!r}.")
    points = sequence.keypoints[..., list(UPRIGHT[up[-1]])]
    # Head down: half a turn about the axis towards the camera.
    return points * np.array([-1, -1, 1], np.float32) if up.startswith("-") else points


def _first_root(sequence: SkeletonSequence, points: np.ndarray) -> np.ndarray:
    """`(people, 1, 1, 3)`: one place for all people, the first person's who is seen."""
    root = points[:, :, sequence.layout.index(sequence.layout.root)]
    seen = np.argwhere(~np.isnan(root[..., 0]))
    if not len(seen):
        raise ValueError(
            f"The root {sequence.layout.root!r} is never seen, and the camera looks at it; estimate it first."
        )
    person, frame = seen[0]
    return np.broadcast_to(root[person, frame], (len(points), 1, 1, 3)).copy()
