"""Rendered capsules against what geometry says: balls and cylinders, occlusion, perspective, missing ones."""

import math

import pytest
import torch

from motionhub.geometry.cameras import camera_rotation
from motionhub.geometry.capsules import render_capsules


FRONT = torch.eye(3)[None]


def render(starts, ends, radii, rotation=FRONT, **options):
    starts, ends = (torch.tensor(points, dtype=torch.float64)[None] for points in (starts, ends))
    settings = {"size": 41, "half_width": 1.0, **options}
    return render_capsules(starts, ends, torch.tensor(radii).double(), rotation.double(), **settings)


def centres(size=41):
    ticks = (torch.arange(size).double() + 0.5) / size * 2 - 1
    return ticks[None, :], -ticks[:, None]  # x of columns, y of rows


def test_a_ball_has_the_depth_of_a_ball():
    depth, part = render([[0.2, 0.1, 0.3]], [[0.2, 0.1, 0.3]], [0.5])
    x, y = centres()
    squared = 0.25 - (x - 0.2) ** 2 - (y - 0.1) ** 2
    inside = squared > 0
    torch.testing.assert_close(depth[0][inside], 0.3 + squared[inside].sqrt())
    assert torch.equal(part[0] == 0, inside) and depth[0][~inside].isnan().all()


def test_a_standing_cylinder_has_one_profile_at_every_height():
    depth, _ = render([[0.0, -2.0, 0.0]], [[0.0, 2.0, 0.0]], [0.4])
    x, _ = centres()
    squared = 0.16 - x[0] ** 2
    for row in depth[0]:
        torch.testing.assert_close(row[squared > 0], squared[squared > 0].sqrt())


def test_the_nearer_capsule_hides_the_other_and_part_says_which():
    behind, before = [0.0, 0.0, -0.5], [0.0, 0.0, 0.5]
    _, part = render([behind, before], [behind, before], [0.6, 0.2])
    assert part[0, 20, 20] == 1 and part[0, 20, 20 + 8] == 0 and part[0, 0, 0] == -1
    _, from_behind = render([behind, before], [behind, before], [0.6, 0.2], camera_rotation(
        torch.tensor([math.pi]), torch.tensor([0.0])))  # fmt: skip
    assert from_behind[0, 20, 20] == 0 and (from_behind == 1).sum() == 0


def test_up_in_the_world_is_up_in_the_image_and_right_is_right():
    _, part = render([[0.5, 0.5, 0.0]], [[0.5, 0.5, 0.0]], [0.2])
    rows, columns = torch.nonzero(part[0] == 0).double().mean(0)
    assert rows < 20 and columns > 20


def test_perspective_makes_a_ball_larger_by_its_closeness():
    # The outline of a ball of radius r at depth z: rays at an angle with sine r / (distance - z).
    for z in (-1.0, 0.0, 1.0):
        depth, _ = render([[0.0, 0.0, z]], [[0.0, 0.0, z]], [0.5], size=401, half_width=2.0,
                          distance=torch.tensor([4.0]).double())  # fmt: skip
        width = depth[0, 200].isfinite().sum() * 4.0 / 401
        sine = 0.5 / (4 - z)
        assert abs(width - 2 * 4 * sine / math.sqrt(1 - sine**2)) < 0.02
        torch.testing.assert_close(depth[0, 200, 200], torch.tensor(z + 0.5).double())


def test_a_capsule_seen_along_its_axis_is_a_disc():
    depth, _ = render([[0.0, 0.0, -1.0]], [[0.0, 0.0, 1.0]], [0.3])
    x, y = centres()
    torch.testing.assert_close(depth[0].isfinite(), x**2 + y**2 < 0.09)


def test_a_missing_capsule_is_not_there():
    nan = [math.nan] * 3
    depth, part = render([[0.0, 0.0, 0.0], nan], [nan, nan], [0.5, 0.5])
    assert depth.isnan().all() and (part == -1).all()


def test_a_camera_inside_the_body_is_an_error():
    with pytest.raises(ValueError, match="inside or behind the body"):
        render([[0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]], [0.5], distance=torch.tensor([1.2]).double())


def test_gradients_say_where_the_ball_moves():
    start = torch.zeros(1, 1, 3, dtype=torch.float64, requires_grad=True)
    depth, _ = render_capsules(start, start, torch.tensor([0.5]).double(), FRONT.double(), size=9, half_width=1.0)
    depth[depth.isfinite()].sum().backward()
    assert torch.isfinite(start.grad).all()
    assert abs(float(start.grad[0, 0, 2]) - float(depth.isfinite().sum())) < 1e-9  # nearer by 1: every pixel by 1
