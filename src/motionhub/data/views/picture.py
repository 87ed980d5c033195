"""A motion in space as pixels of a picture, for formats and models that know only pictures.

It does not know what camera recorded a motion: the view is the caller's, and there is no perspective.
"""

import numpy as np

from motionhub.data.views.pairs import Camera, seen_by
from motionhub.skeletons.sequence import SkeletonSequence


# Of the picture's width and height, what the people fill over the whole clip: a person at the border is cut off.
FILLED = 0.8


def picture_of(
    sequence: SkeletonSequence,
    azimuth: float,
    elevation: float = 0.0,
    image_size: tuple[int, int] = (1920, 1080),
    *,
    up: str = "y",
) -> SkeletonSequence:
    """Pixels from the upper left corner, y downward, not mirrored: all that the clip shows, in the middle.

    One scale for both axes and all frames, the largest with which everything fills no more than `FILLED` of the
    picture. Missing joints stay missing.

    Args:
        sequence: 3-D, in any unit.
        azimuth: degrees about the vertical: 0 looks against the axis that points towards the camera (z where y is
            up), 90 from the recording's right. A Kinect's z points away from it: its own view is 180.
        elevation: degrees above the horizon.
        image_size: `(width, height)` in pixels.
        up: the axis that points up: `"y"` (Kinect, BVH), `"z"`, ... `"-z"`.

    Raises:
        ValueError: the sequence is not 3-D, never shows its root, or the picture has no size.
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
