"""Cameras about single poses: against `geometry.cameras.project`, inside the body, gradients."""

import math

import pytest
import torch

from motionhub.augment.views import CameraRanges, draw_cameras, images_of
from motionhub.geometry.cameras import camera_rotation, project


def points(count: int = 5) -> torch.Tensor:
    return torch.rand(count, 13, 3, generator=torch.Generator().manual_seed(0)) - 0.5


SEEN = torch.ones(5, 13, dtype=torch.bool)


def test_angles_fill_their_ranges_and_no_more():
    draws = torch.rand(4000, 3, generator=torch.Generator().manual_seed(1))
    angles = torch.rad2deg(draw_cameras(draws, CameraRanges()))
    limits = torch.tensor([180.0, 30.0, 30.0])
    assert (angles.abs() <= limits + 1e-3).all()
    assert (angles.amax(0) > 0.99 * limits).all() and (angles.amin(0) < -0.99 * limits).all()
    assert torch.equal(draw_cameras(torch.full((1, 3), 0.5), CameraRanges()), torch.zeros(1, 3))


@pytest.mark.parametrize("distance", [None, 2.0, 6.0])
def test_images_are_those_of_a_camera(distance):
    angles = draw_cameras(torch.rand(5, 3, generator=torch.Generator().manual_seed(2)), CameraRanges())
    made, seen = images_of(points(), SEEN, angles, CameraRanges(distance=distance))
    expected = project(points(), camera_rotation(*angles.unbind(-1)), distance)
    torch.testing.assert_close(made, expected)
    assert seen.all()


def test_joints_behind_or_at_a_camera_inside_the_body_are_not_seen_and_the_rest_is_right():
    body = points()
    body[:, 0] = torch.tensor([0.0, 0, 5.0])  # behind a camera at distance 2 in front
    body[:, 1] = torch.tensor([0.3, 0.1, 1.9])  # nearer than 0.2
    body.requires_grad_()
    made, seen = images_of(body, SEEN, torch.zeros(5, 3), CameraRanges())
    assert not seen[:, :2].any() and seen[:, 2:].all()
    expected = body[:, 2:, :2] * torch.tensor([1.0, -1.0]) * (2 / (2 - body[:, 2:, 2:]))
    torch.testing.assert_close(made[:, 2:], expected)
    made.sum().backward()
    assert body.grad.isfinite().all()


def test_a_quarter_turn_of_roll_turns_the_image():
    angles = torch.tensor([[0.0, 0.0, math.pi / 2]])
    point = torch.tensor([[[1.0, 0.0, 0.0]]])
    made, _ = images_of(point, torch.ones(1, 1, dtype=torch.bool), angles, CameraRanges(distance=None))
    torch.testing.assert_close(made, torch.tensor([[[0.0, -1.0]]]), atol=1e-6, rtol=0)  # right goes up, y is downward


def test_another_axis_may_point_up():
    body = points()
    angles = torch.zeros(5, 3)
    one, _ = images_of(body, SEEN, angles, CameraRanges(), up="y")
    other, _ = images_of(body[..., [2, 0, 1]], SEEN, angles, CameraRanges(), up="z")
    torch.testing.assert_close(one, other)
    with pytest.raises(ValueError, match="up in"):
        images_of(body, SEEN, angles, CameraRanges(), up="w")
    with pytest.raises(ValueError, match="nearest"):
        CameraRanges(distance=0.1)
