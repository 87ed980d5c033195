"""Projection of recorded 3-D motion by a virtual camera, in the recording's unit or as pixels."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from motionhub.geometry.cameras import UPRIGHT, camera_rotation, project
from motionhub.skeletons.sequence import DIRECTIONS, SkeletonSequence


# Share of the image's width and height that the people fill over the whole clip.
FILLED = 0.8


@dataclass(frozen=True)
class Camera:
    """Pose of a camera. The default looks along the recording's own axis at eye level.

    Args:
        azimuth, elevation, roll: degrees: about the vertical, above the horizon, of the image.
        distance: from the root to the camera in the recording's unit; None: weak perspective.
    """

    azimuth: float = 0.0
    elevation: float = 0.0
    roll: float = 0.0
    distance: float | None = None


def seen_by(
    sequence: SkeletonSequence, camera: Camera, *, num_dims: int = 2, up: str | None = None
) -> SkeletonSequence:
    """A 3-D sequence seen by a static camera that looks at the first detected root.

    Args:
        num_dims: 2: image coordinates in the sequence's unit at the root's distance, y downward, the root of the first
            frame in the middle. 3: the recording turned by the camera's azimuth only.
        up: axis of the recording that points up: `"y"` (BVH, Kinect), `"z"`, ... `"-z"`. None: the recording's own
            `up`, else y.

    Raises:
        ValueError: the sequence is not 3-D or has no root, `up` is no axis, or the camera is inside the body.
    """
    points = torch.from_numpy(upright(sequence, up or sequence.up or "y"))
    points = points - torch.from_numpy(_first_root(sequence, points.numpy()))
    angles = [torch.tensor(math.radians(angle)) for angle in (camera.azimuth, camera.elevation, camera.roll)]
    if num_dims == 3:
        turned = points @ camera_rotation(angles[0], torch.zeros(())).mT
        return sequence.replace(keypoints=turned.numpy(), up="y")
    if num_dims != 2:
        raise ValueError(f"num_dims must be 2 or 3, got {num_dims!r}.")
    image = project(points.flatten(1, 2), camera_rotation(*angles), camera.distance).unflatten(1, points.shape[1:3])
    unit = "normalised" if sequence.unit == "pixel" else sequence.unit
    return sequence.replace(keypoints=image.numpy(), unit=unit, image_size=None, up="-y")


def project_to_pixels(
    sequence: SkeletonSequence,
    azimuth: float,
    elevation: float = 0.0,
    image_size: tuple[int, int] = (1920, 1080),
    *,
    up: str | None = None,
) -> SkeletonSequence:
    """Pixels from the upper left corner, y downward, not mirrored; the clip is centred in the image.

    All axes and frames have one scale, with which the clip fills `FILLED` of the image. Missing joints stay missing.

    Args:
        sequence: 3-D, in any unit.
        azimuth: degrees about the vertical: 0 looks against the axis that points towards the camera (z where y is
            up), 90 from the recording's right. A Kinect's z points away from it: its own view is 180.
        elevation: degrees above the horizon.
        image_size: `(width, height)` in pixels.
        up: as in `seen_by`.

    Raises:
        ValueError: as `seen_by`, or the image has no size.
    """
    if min(image_size) < 1:
        raise ValueError(f"image_size must be (width, height) of a pixel or more, got {tuple(image_size)}.")
    if not np.isfinite([azimuth, elevation]).all():
        raise ValueError(f"azimuth and elevation must be degrees, got {azimuth!r} and {elevation!r}.")
    flat = seen_by(sequence, Camera(azimuth, elevation), up=up)
    points = flat.keypoints.astype(np.float64)
    low, high = np.nanmin(points, axis=(0, 1, 2)), np.nanmax(points, axis=(0, 1, 2))
    size = np.asarray(image_size, np.float64)
    extent = np.maximum(high - low, np.finfo(np.float32).tiny)  # a single point is in the middle
    scale = FILLED * (size / extent).min() if (high > low).any() else 1.0
    pixels = size / 2 + scale * (points - (low + high) / 2)
    return flat.replace(keypoints=pixels.astype(np.float32), unit="pixel", image_size=tuple(image_size))


def upright(sequence: SkeletonSequence, up: str) -> np.ndarray:
    """Keypoints rotated (not mirrored) so that y is up."""
    if sequence.num_dims != 3:
        raise ValueError(f"A camera needs 3-D keypoints, got {sequence.num_dims}-D ones.")
    if up not in DIRECTIONS:
        raise ValueError(f"up must be one of {DIRECTIONS}, got {up!r}.")
    points = sequence.keypoints[..., list(UPRIGHT[up[-1]])]
    # Upside down: half a turn about the axis towards the camera.
    return points * np.array([-1, -1, 1], np.float32) if up.startswith("-") else points


def _first_root(sequence: SkeletonSequence, points: np.ndarray) -> np.ndarray:
    """`(3,)`: the first detected root of the first person that has one."""
    root = sequence.layout.root
    places = points[:, :, sequence.layout.index(root)]
    detected = places[~np.isnan(places[..., 0])]
    if not len(detected):
        raise ValueError(f"The root {root!r}, which the camera looks at, is missing in all frames; estimate it first.")
    return np.asarray(detected[0])
