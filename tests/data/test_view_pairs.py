"""Bodies drawn for cameras, takes of several cameras, pictures that move."""

import numpy as np
import pytest
import torch

from motionhub.data.views.body_images import body_height, draw_body
from motionhub.data.views.cameras import Camera
from motionhub.data.views.view_pairs import RecordedTake, ViewPairDataset, shift_image
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


STICK = SkeletonLayout(
    "stick-3", ("root", "left_knee", "left_ankle"), (("left_knee", "root"), ("left_ankle", "left_knee")), "root"
)


def stick(points):
    keypoints = np.asarray(points, dtype=np.float32)[None]
    return SkeletonSequence(keypoints, layout=STICK, fps=30.0, unit="metre")


STANDING = [[0.0, 1.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_the_height_of_a_body_is_its_longest_way_along_bones():
    bent = [[0.0, 1.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.5, 0.0]]
    assert body_height(stick([STANDING, bent])) == pytest.approx(1.0)


def test_a_standing_stick_is_as_high_and_wide_as_its_capsules():
    [[picture]] = draw_body(stick([STANDING]), [0], [Camera()], size=200, half_width=1.0)
    rows, columns = np.nonzero(picture.part >= 0)
    radius = 0.037  # of a leg, for a body of 1 m
    assert np.ptp(rows) + 1 == pytest.approx((1.0 + 2 * radius) * 100, abs=2)
    assert np.ptp(columns) + 1 == pytest.approx(2 * radius * 100, abs=2)
    assert np.nanmax(picture.depth) == pytest.approx(radius, abs=1e-3)
    upper, lower = (np.nonzero(picture.part == bone)[0] for bone in (0, 1))
    assert upper.mean() < lower.mean()  # the knee's bone is above the ankle's, and up is up


def test_cameras_face_to_face_see_mirrored_outlines():
    lying = stick([[[0.4, 0.0, 0.1], [0.0, 0.1, 0.0], [-0.3, 0.3, -0.2]]])
    [[front, back]] = draw_body(lying, [0], [Camera(), Camera(azimuth=180)], size=64)
    assert np.array_equal(front.part >= 0, (back.part >= 0)[:, ::-1])
    both = np.isfinite(front.depth)
    assert (front.depth[both] + back.depth[:, ::-1][both] >= -1e-6).all()  # front surface before back surface


def test_every_frame_and_camera_has_its_picture():
    moving = stick([STANDING, [[0, 1, 0], [0.4, 0.7, 0], [0.8, 0.4, 0]]])
    drawn = draw_body(moving, [1, 0], [Camera(), Camera(azimuth=90)], size=32)
    alone = draw_body(moving, [0], [Camera(azimuth=90)], size=32)
    assert np.array_equal(drawn[1][1].part, alone[0][0].part)
    assert not np.array_equal(drawn[0][0].part, drawn[1][0].part)


@pytest.mark.parametrize(
    ("points", "frames", "options", "reason"),
    [
        ([np.full((3, 3), np.nan)], [0], {}, "No bone of the sequence is seen"),
        ([STANDING, np.full((3, 3), np.nan)], [1], {}, r"not seen in frames \[1\]"),
        ([np.zeros((3, 3))], [0], {}, "one point"),
        ([STANDING], [4], {}, r"frames \[4\]"),
        ([STANDING], [], {}, r"frames \[\]"),
        ([STANDING], [0], {"person": 2}, "person 2"),
        ([STANDING], [0], {"up": "w"}, "up must be"),
        ([np.zeros((3, 2))], [0], {}, "3-D keypoints"),
    ],
)
def test_what_cannot_be_drawn_says_why(points, frames, options, reason):
    with pytest.raises(ValueError, match=reason):
        draw_body(stick(points), frames, [Camera()], **options)


def test_a_camera_inside_the_body_says_so():
    with pytest.raises(ValueError, match="inside or behind the body"):
        draw_body(stick([STANDING]), [0], [Camera(distance=0.01)])
    with pytest.raises(ValueError, match="all cameras or to none"):
        draw_body(stick([STANDING]), [0], [Camera(distance=3), Camera()])


def test_a_shifted_picture_moves_right_and_down_and_fills_with_nothing():
    picture = torch.arange(12.0).reshape(1, 3, 4) + 1
    assert torch.equal(shift_image(picture, 1, 2), torch.tensor([[[0, 0, 0, 0], [0, 0, 0, 0], [0, 1.0, 2, 3]]]))
    assert torch.equal(shift_image(picture, -3, -1), torch.tensor([[[8.0, 0, 0, 0], [12, 0, 0, 0], [0, 0, 0, 0]]]))
    assert torch.equal(shift_image(picture, 0, 0), picture) and not shift_image(picture, 4, 0).any()


def plane(frames):
    return torch.from_numpy(np.asarray(frames, dtype=np.float32))[:, None]


def test_recorded_takes_pair_two_cameras_of_one_moment():
    views = tuple(np.full((5, 8, 8), camera * 10.0) + np.arange(5)[:, None, None] for camera in (1, 2, 3))
    take = RecordedTake("take", views, plane)
    pictures = take.images([2, 4], np.random.default_rng(0))
    assert pictures.shape == (2, 2, 1, 8, 8)
    cameras, moments = (pictures[..., 0, 0, 0] // 10).tolist(), (pictures[..., 0, 0, 0] % 10).tolist()
    assert moments == [[2, 2], [4, 4]] and cameras[0] == cameras[1] and cameras[0][0] != cameras[0][1]


def test_a_view_without_a_partner_is_refused():
    with pytest.raises(ValueError, match="needs a second camera"):
        RecordedTake("alone", (np.ones((2, 8, 8)),), plane)
    with pytest.raises(ValueError, match=r"have \[2, 3\] frames"):
        RecordedTake("cut", (np.ones((2, 8, 8)), np.ones((3, 8, 8))), plane)
    with pytest.raises(ValueError, match="takes"):
        ViewPairDataset([])
