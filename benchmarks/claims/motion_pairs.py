"""Exact test pairs for motion retargeting: a motion on two bodies of other limb lengths, seen by two cameras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motionhub.data.views.cameras import Camera, seen_by
from motionhub.data.views.pairs import PairRanges
from motionhub.skeletons.bodies import with_bone_lengths
from motionhub.skeletons.repair import part
from motionhub.skeletons.sequence import SkeletonSequence


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
        return part(motion, start, start + self.num_frames)
