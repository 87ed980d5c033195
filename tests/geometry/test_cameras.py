"""Cameras at places where the image is known without computing."""

import math

import pytest
import torch

from motionhub.geometry.cameras import camera_rotation, project


def degrees(*angles: float) -> list[torch.Tensor]:
    return [torch.tensor(math.radians(angle), dtype=torch.float64) for angle in angles]


POINTS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)  # right, up, towards azimuth 0


@pytest.mark.parametrize(
    ("angles", "picture"),
    [
        ((0, 0, 0), [[1, 0], [0, -1], [0, 0]]),
        ((90, 0, 0), [[0, 0], [0, -1], [-1, 0]]),  # from +x: what stood towards us goes to the left
        ((180, 0, 0), [[-1, 0], [0, -1], [0, 0]]),
        ((0, 90, 0), [[1, 0], [0, 0], [0, 1]]),  # from above: what stood towards us is at the bottom
        ((0, 0, 90), [[0, -1], [-1, 0], [0, 0]]),  # counter-clockwise: right goes up, up goes left
    ],
)
def test_images_of_the_axes(angles: tuple, picture: list) -> None:
    seen = project(POINTS, camera_rotation(*degrees(*angles)))
    torch.testing.assert_close(seen, torch.tensor(picture, dtype=torch.float64), atol=1e-12, rtol=0)


def test_rotations_are_proper_and_batched() -> None:
    angles = torch.rand(3, 4, 5, dtype=torch.float64) * 6
    rotation = camera_rotation(*angles)
    identity = torch.eye(3, dtype=torch.float64).expand(4, 5, 3, 3)
    torch.testing.assert_close(rotation @ rotation.mT, identity)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(4, 5, dtype=torch.float64))


def test_perspective_is_similar_triangles() -> None:
    points = torch.tensor([[[1.0, 0, 0], [1, 0, 2], [1, 0, -2]]])
    seen = project(points, camera_rotation(torch.zeros(1), torch.zeros(1)), torch.tensor([4.0]))
    torch.testing.assert_close(seen[0, :, 0], torch.tensor([1.0, 2.0, 4 / 6]))


def test_far_away_perspective_becomes_weak() -> None:
    rotation = camera_rotation(*degrees(30, 20, 10))
    torch.testing.assert_close(project(POINTS, rotation, 1e9), project(POINTS, rotation), atol=1e-8, rtol=0)


def test_camera_inside_the_body_is_refused() -> None:
    with pytest.raises(ValueError, match="inside or behind"):
        project(POINTS, camera_rotation(*degrees(0, 0)), 0.5)


def test_missing_points_stay_missing_and_alone() -> None:
    points = POINTS.clone()
    points[1] = torch.nan
    seen = project(points, camera_rotation(*degrees(10, 10)), 5.0)
    assert seen.isnan().any(-1).tolist() == [False, True, False]


def test_gradient_reaches_angles_and_points() -> None:
    angles = [angle.requires_grad_() for angle in degrees(10, 20, 30)]
    points = POINTS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p, *a: project(p, camera_rotation(*a), 6.0), (points, *angles))
