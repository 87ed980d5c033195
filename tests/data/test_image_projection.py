"""A motion in space as pixels: from the side asked for, in the middle, as large as fits."""

import numpy as np
import pytest

from motionhub.data.synthetic.generate import Scene, generate, project_pinhole
from motionhub.data.views.cameras import FILLED, project_to_pixels


@pytest.fixture
def clip():
    return generate("wave", num_frames=5)


def test_everything_is_in_the_middle_and_fills_what_it_may(clip):
    seen = project_to_pixels(clip, 30, 10, (640, 480))
    assert (seen.num_dims, seen.unit, seen.image_size, seen.layout) == (2, "pixel", (640, 480), clip.layout)
    low, high = seen.keypoints.min(axis=(0, 1, 2)), seen.keypoints.max(axis=(0, 1, 2))
    np.testing.assert_allclose((low + high) / 2, [320, 240], atol=1e-3)
    assert ((high - low) / [640, 480]).max() == pytest.approx(FILLED)


def test_a_kinects_own_view_is_from_180_degrees(clip):
    # Far away perspective is none: the pinhole camera of the generator sees the same up to scale and place.
    far = generate("wave", num_frames=5, scene=Scene(distance=1000.0, camera_height=1.0))
    pinhole = project_pinhole(far, focal=300_000.0).keypoints
    ours = project_to_pixels(far, 180).keypoints
    scale = np.ptp(ours[..., 1]) / np.ptp(pinhole[..., 1])
    centre = [(values.max(axis=(0, 1, 2)) + values.min(axis=(0, 1, 2))) / 2 for values in (ours, pinhole)]
    np.testing.assert_allclose(ours - centre[0], scale * (pinhole - centre[1]), atol=2)
    left, right = (clip.layout.index(f"{side}_shoulder") for side in ("left", "right"))
    assert (ours[0, 0, left, 0] > ours[0, 0, right, 0]) and (ours[0, :, 3, 1] < ours[0, :, 0, 1]).all()


def test_ninety_degrees_show_the_depth_and_the_height(clip):
    ours, points = project_to_pixels(clip, 90).keypoints, clip.keypoints
    scale = np.ptp(ours[..., 1]) / np.ptp(points[..., 1])
    expected = scale * np.stack([-points[..., 2], -points[..., 1]], axis=-1)
    np.testing.assert_allclose(ours - ours[0, 0, 0], expected - expected[0, 0, 0], atol=1e-2)


def test_missing_joints_stay_missing_and_a_flat_clip_is_refused(clip):
    points = clip.keypoints.copy()
    points[0, 2, 5:9] = np.nan
    seen = project_to_pixels(clip.replace(keypoints=points), 0)
    np.testing.assert_array_equal(np.isnan(seen.keypoints[..., 0]), np.isnan(points[..., 0]))
    with pytest.raises(ValueError, match="needs 3-D"):
        project_to_pixels(seen, 0)
    with pytest.raises(ValueError, match="never seen"):
        project_to_pixels(clip.replace(keypoints=np.full_like(points, np.nan)), 0)
    with pytest.raises(ValueError, match="image_size"):
        project_to_pixels(clip, 0, image_size=(0, 10))
    with pytest.raises(ValueError, match="degrees"):
        project_to_pixels(clip, float("nan"))
