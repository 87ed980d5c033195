"""Cameras before which a recorded motion is seen: in the recording's unit, or as pixels of an image."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from motionhub.geometry.cameras import UPRIGHT, camera_rotation, project
from motionhub.skeletons.sequence import SkeletonSequence


UP_AXES = ("x", "y", "z", "-x", "-y", "-z")
# Of the image's width and height, what the people fill over the whole clip: a person at the border is cut off.
FILLED = 0.8


@dataclass(frozen=True)
class Camera:
    """Where a camera stands. The default looks along the recording's own axis at eye level.

    Args:
        azimuth, elevation, roll: degrees: about the vertical, above the horizon, of the image.
        distance: from the root to the camera in the recording's unit; None: weak perspective.
    """

    azimuth: float = 0.0
    elevation: float = 0.0
    roll: float = 0.0
    distance: float | None = None


def seen_by(sequence: SkeletonSequence, camera: Camera, *, num_dims: int = 2, up: str = "y") -> SkeletonSequence:
    """A 3-D sequence before a camera that looks at where the root is in the first frame that shows it, and stays.

    Args:
        num_dims: 2: image coordinates in the sequence's unit at the root's distance, y downward, the root of the first
            frame in the middle. 3: the recording turned by the camera's azimuth only.
        up: which way is up in the recording: `"y"` (BVH, Kinect), `"z"`, ... `"-z"`.

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
    image = project(points.flatten(1, 2), camera_rotation(*angles), camera.distance).unflatten(1, points.shape[1:3])
    unit = "normalised" if sequence.unit == "pixel" else sequence.unit
    return sequence.replace(keypoints=image.numpy(), unit=unit, image_size=None)


def project_to_pixels(
    sequence: SkeletonSequence,
    azimuth: float,
    elevation: float = 0.0,
    image_size: tuple[int, int] = (1920, 1080),
    *,
    up: str = "y",
) -> SkeletonSequence:
    """Pixels from the upper left corner, y downward, not mirrored: all that the clip shows, in the middle.

    One scale for both axes and all frames, the largest with which everything fills no more than `FILLED` of the
    image. Missing joints stay missing.

    Args:
        sequence: 3-D, in any unit.
        azimuth: degrees about the vertical: 0 looks against the axis that points towards the camera (z where y is
            up), 90 from the recording's right. A Kinect's z points away from it: its own view is 180.
        elevation: degrees above the horizon.
        image_size: `(width, height)` in pixels.
        up: the axis that points up: `"y"` (Kinect, BVH), `"z"`, ... `"-z"`.

    Raises:
        ValueError: the sequence is not 3-D, never shows its root, or the image has no size.
    """
    if min(image_size) < 1:
        raise ValueError(f"image_size must be (width, height) of a pixel or more, got {tuple(image_size)}.")
    if not np.isfinite([azimuth, elevation]).all():
        raise ValueError(f"azimuth and elevation must be degrees, got {azimuth!r} and {elevation!r}.")
    flat = seen_by(sequence, Camera(azimuth, elevation), up=up)
    points = flat.keypoints.astype(np.float64)
    low, high = np.nanmin(points, axis=(0, 1, 2)), np.nanmax(points, axis=(0, 1, 2))
    size = np.asarray(image_size, np.float64)
    extent = np.maximum(high - low, np.finfo(np.float32).tiny)  # a single point is drawn in the middle
    scale = FILLED * (size / extent).min() if (high > low).any() else 1.0
    pixels = size / 2 + scale * (points - (low + high) / 2)
    return flat.replace(keypoints=pixels.astype(np.float32), unit="pixel", image_size=tuple(image_size))


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
