"""Velocities of analytic motions."""

import pytest
import torch

from motionhub.losses.motion import velocity_loss


def straight(speeds, frames=5):
    """`(frames, joints, 2)`: joint n moves along x by `speeds[n]` a frame."""
    time = torch.arange(frames, dtype=torch.float32)[:, None]
    return torch.stack([time * torch.tensor(speeds), torch.zeros(frames, len(speeds))], dim=-1)


def test_constant_speeds_cost_the_sum_over_joints_of_their_squared_differences():
    assert float(velocity_loss(straight([1.0, 2.0]), straight([0.0, 5.0]))) == pytest.approx(1 + 9)


def test_where_a_motion_takes_place_does_not_matter():
    motion = straight([1.0, -2.0])
    assert float(velocity_loss(motion + 7.0, motion)) == pytest.approx(0, abs=1e-10)


def test_distances_do_not_tell_directions_apart_differences_do():
    there, back = straight([2.0]), straight([-2.0])
    assert float(velocity_loss(there, back, velocity="distance")) == 0
    assert float(velocity_loss(there, back)) == pytest.approx(16)


def test_a_joint_counts_where_it_is_there_twice_in_a_row():
    mask = torch.ones(5, 2, dtype=torch.bool)
    mask[2, 1] = False  # of four steps of joint 1 two are left
    loss = velocity_loss(straight([1.0, 3.0]), straight([0.0, 0.0]), mask)
    assert float(loss) == pytest.approx((4 * 1 + 2 * 9) / 4)
    mask[:] = False
    mask[:3, 0] = True  # two steps of one joint, the other frames do not count
    assert float(velocity_loss(straight([1.0, 3.0]), straight([0.0, 0.0]), mask)) == pytest.approx(1)


def test_one_frame_has_no_velocity():
    made = straight([1.0], frames=1).requires_grad_()
    loss = velocity_loss(made, straight([5.0], frames=1))
    loss.backward()
    assert float(loss.detach()) == 0


def test_other_shapes_and_kinds_are_errors():
    with pytest.raises(ValueError, match="one shape"):
        velocity_loss(straight([1.0]), straight([1.0, 2.0]))
    with pytest.raises(ValueError, match="'speed'"):
        velocity_loss(straight([1.0]), straight([1.0]), velocity="speed")
