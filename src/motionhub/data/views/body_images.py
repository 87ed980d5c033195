"""Depth images of a 3-D skeleton from any camera, rendered as capsules around its bones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.csgraph import shortest_path
from torch import Tensor

from motionhub.data.views.cameras import Camera, upright
from motionhub.geometry.cameras import camera_rotation
from motionhub.geometry.capsules import render_capsules
from motionhub.skeletons.bodies import limb_group
from motionhub.skeletons.sequence import SkeletonSequence


# Radius of a limb as a share of the body's height; estimated by eye.
RADII = {"torso": 0.065, "head": 0.055, "shoulder": 0.04, "pelvis": 0.05, "arm": 0.025, "leg": 0.037}


@dataclass(frozen=True)
class BodyImages:
    """Images of one moment.

    Args:
        depth: `(size, size)` float32: distance of the surface from the plane through the middle of the body, towards
            the camera, in the sequence's unit; NaN without a surface.
        part: `(size, size)` int16: index of the bone in `layout.bones`, -1 without a surface.
    """

    depth: np.ndarray
    part: np.ndarray


def body_height(sequence: SkeletonSequence) -> float:
    """The longest path along bones between two joints, of median lengths over frames, in the sequence's unit."""
    points = sequence.keypoints.reshape(-1, *sequence.keypoints.shape[2:])
    pairs = sequence.layout.bone_indices
    lengths = np.linalg.norm(points[:, pairs[:, 0]] - points[:, pairs[:, 1]], axis=-1)
    if not np.isfinite(lengths).any():
        raise ValueError("No bone of the sequence is complete in any frame: there is no body to draw.")
    bones = np.where(np.isfinite(lengths).any(0), np.nan_to_num(np.nanmedian(lengths, axis=0)), 0.0)
    graph = np.zeros((sequence.layout.num_joints,) * 2)
    graph[pairs[:, 0], pairs[:, 1]] = np.maximum(bones, 1e-12)  # 0 is no edge
    reach = shortest_path(graph, directed=False)
    return float(reach[np.isfinite(reach)].max())


def draw_body(
    sequence: SkeletonSequence, frames: Sequence[int], cameras: Sequence[Camera], *, up: str = "y", size: int = 128
) -> list[list[BodyImages]]:
    """Images `[frame][camera]` of the first person; the border is 0.6 body heights from the middle.

    Every camera looks at the middle of the person's joints in that frame, as after cropping a person.

    Args:
        sequence: in 3-D.
        frames: to draw.
        cameras: all with a distance, or none.
        up: axis of the recording that points up, see `cameras.seen_by`.
        size: pixels of a side.

    Raises:
        ValueError: the sequence is 2-D, no joint is detected in a frame, all joints are one point, or a camera is
            inside the body.
    """
    turned = upright(sequence, up)
    height = body_height(sequence)
    if height <= 0:
        raise ValueError("All joints of the sequence are one point: there is no body to draw.")
    outside = [frame for frame in frames if not 0 <= frame < sequence.num_frames]
    if outside or not len(frames):
        got = outside[:8] or list(frames)[:8]
        raise ValueError(f"The sequence has {sequence.num_frames} frames; got frames {got}.")
    points = turned[0, list(frames)]
    missing = [frame for frame, joints in zip(frames, points, strict=True) if not np.isfinite(joints).all(-1).any()]
    if missing:
        raise ValueError(f"The person is not detected in frames {missing[:8]}; choose others.")
    centred = torch.from_numpy(points - np.nanmean(points, axis=1, keepdims=True)).float()
    pairs = torch.from_numpy(sequence.layout.bone_indices.astype(np.int64))
    rotation, distance = _stacked(cameras)
    count = len(cameras)
    starts, ends = (centred[:, pairs[:, side]].repeat_interleave(count, 0) for side in (1, 0))
    depth, part = render_capsules(
        starts,
        ends,
        torch.tensor([RADII[limb_group(child)] * height for child, _ in sequence.layout.bones]),
        rotation.repeat(len(points), 1, 1),
        size=size,
        half_width=0.6 * height,
        distance=None if distance is None else distance.repeat(len(points)),
    )
    images = [BodyImages(*pair) for pair in zip(depth.numpy(), part.numpy().astype(np.int16), strict=True)]
    return [images[first : first + count] for first in range(0, len(images), count)]


def _stacked(cameras: Sequence[Camera]) -> tuple[Tensor, Tensor | None]:
    """Rotations `(C, 3, 3)` and distances `(C,)`, None for parallel rays."""
    distances = [camera.distance for camera in cameras]
    if not cameras or (None in distances and any(distance is not None for distance in distances)):
        raise ValueError("Give at least one camera, and a distance to all cameras or to none.")
    angles = torch.tensor([[camera.azimuth, camera.elevation, camera.roll] for camera in cameras]).deg2rad()
    far = None if None in distances else torch.tensor([float(distance or 0) for distance in distances])
    return camera_rotation(*angles.unbind(1)), far
