"""A skeleton in 3-D as a camera with a depth sensor would see it: capsules around its bones, drawn for any camera.

Exact images of one moment from several sides, without recordings of several cameras.
"""

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


# Radius of a limb as a part of the body's height; by eye, not measured on people.
RADII = {"torso": 0.065, "head": 0.055, "shoulder": 0.04, "pelvis": 0.05, "arm": 0.025, "leg": 0.037}


@dataclass(frozen=True)
class BodyImages:
    """Images of one moment.

    Args:
        depth: `(size, size)` float32: how far the surface lies before the plane through the middle of the body,
            towards the camera, in the sequence's unit; NaN where no surface is.
        part: `(size, size)` int16: index of the bone in `layout.bones`, -1 where no surface is.
    """

    depth: np.ndarray
    part: np.ndarray


def body_height(sequence: SkeletonSequence) -> float:
    """The longest way along bones from one end of the skeleton to another, medians over frames, in its unit.

    Raises:
        ValueError: no bone is ever seen.
    """
    points = sequence.keypoints.reshape(-1, *sequence.keypoints.shape[2:])
    pairs = sequence.layout.bone_indices
    lengths = np.linalg.norm(points[:, pairs[:, 0]] - points[:, pairs[:, 1]], axis=-1)
    if not np.isfinite(lengths).any():
        raise ValueError("No bone of the sequence is seen in any frame: there is no body to draw.")
    bones = np.where(np.isfinite(lengths).any(0), np.nan_to_num(np.nanmedian(lengths, axis=0)), 0.0)
    graph = np.zeros((sequence.layout.num_joints,) * 2)
    graph[pairs[:, 0], pairs[:, 1]] = np.maximum(bones, 1e-12)  # 0 is no edge
    reach = shortest_path(graph, directed=False)
    return float(reach[np.isfinite(reach)].max())


def draw_body(
    sequence: SkeletonSequence,
    frames: Sequence[int],
    cameras: Sequence[Camera],
    *,
    person: int = 0,
    up: str = "y",
    size: int = 128,
    half_width: float | None = None,
) -> list[list[BodyImages]]:
    """The person in each of `frames` as each of `cameras` sees it; `[frame][camera]`.

    Every camera looks at the middle of the person's joints in that frame, as after cutting out a person.

    Args:
        sequence: in 3-D.
        person: which of its people.
        up: axis of the recording that points up, see `cameras.seen_by`.
        size: pixels of a side.
        half_width: from the middle to the border, in the sequence's unit; 0.6 of the body's height by default.

    Raises:
        ValueError: the sequence is 2-D, no joint is seen in a frame, all joints are one point, or a camera stands
            inside the body.
    """
    turned = upright(sequence, up)
    height = body_height(sequence)
    if height <= 0:
        raise ValueError("All joints of the sequence are one point: there is no body to draw.")
    outside = [frame for frame in frames if not 0 <= frame < sequence.num_frames]
    if outside or not len(frames) or not 0 <= person < sequence.num_people:
        raise ValueError(
            f"The sequence has {sequence.num_people} people and {sequence.num_frames} frames; got person {person} and "
            f"frames {outside[:8] or list(frames)[:8]}."
        )
    points = turned[person, list(frames)]
    unseen = [frame for frame, joints in zip(frames, points, strict=True) if not np.isfinite(joints).all(-1).any()]
    if unseen:
        raise ValueError(f"Person {person} is not seen in frames {unseen[:8]}; choose others.")
    centred = torch.from_numpy(points - np.nanmean(points, axis=1, keepdims=True)).float()
    pairs = torch.from_numpy(sequence.layout.bone_indices.astype(np.int64))
    rotation, distance = _stand(cameras)
    count = len(cameras)
    starts, ends = (centred[:, pairs[:, side]].repeat_interleave(count, 0) for side in (1, 0))
    depth, part = render_capsules(
        starts,
        ends,
        torch.tensor([RADII[limb_group(child)] * height for child, _ in sequence.layout.bones]),
        rotation.repeat(len(points), 1, 1),
        size=size,
        half_width=0.6 * height if half_width is None else half_width,
        distance=None if distance is None else distance.repeat(len(points)),
    )
    images = [
        BodyImages(each.numpy(), which.numpy().astype(np.int16)) for each, which in zip(depth, part, strict=True)
    ]
    return [images[first : first + count] for first in range(0, len(images), count)]


def _stand(cameras: Sequence[Camera]) -> tuple[Tensor, Tensor | None]:
    """Rotations `(C, 3, 3)` and distances `(C,)`, None for parallel rays."""
    distances = [camera.distance for camera in cameras]
    if not cameras or (None in distances and any(distance is not None for distance in distances)):
        raise ValueError("Give at least one camera, and a distance to all cameras or to none.")
    angles = torch.tensor([[camera.azimuth, camera.elevation, camera.roll] for camera in cameras]).deg2rad()
    far = None if None in distances else torch.tensor([float(distance or 0) for distance in distances])
    return camera_rotation(*angles.unbind(1)), far
