"""Losses of motions: reconstruction, velocity and triplets by hand, masks, and errors."""

import math

import pytest
import torch

from motionhub.losses.motion import reconstruction_loss, triplet_loss, velocity_loss


def test_mean_square_by_hand():
    made = torch.tensor([[[1.0, 2.0], [0.0, 0.0]]])
    true = torch.tensor([[[0.0, 0.0], [0.0, 2.0]]])
    assert float(reconstruction_loss(made, true)) == pytest.approx((1 + 4 + 0 + 4) / 4)


def test_hidden_joints_do_not_count_whatever_stands_there():
    made, true = torch.tensor([[[1.0, 3.0], [9.0, 9.0]]]), torch.tensor([[[0.0, 0.0], [float("nan"), 0.0]]])
    assert float(reconstruction_loss(made, true, torch.tensor([[True, False]]))) == pytest.approx((1 + 9) / 2)
    made.requires_grad_()
    reconstruction_loss(made, true, torch.tensor([[True, False]])).backward()
    assert torch.equal(made.grad, torch.tensor([[[1.0, 3.0], [0.0, 0.0]]]))


def test_no_joint_at_all_costs_nothing():
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    assert float(reconstruction_loss(torch.ones(2, 3, 2), torch.zeros(2, 3, 2), nothing)) == 0


def test_motions_of_different_length_are_an_error():
    with pytest.raises(ValueError, match="same frames"):
        reconstruction_loss(torch.zeros(1, 8, 3, 2), torch.zeros(1, 7, 3, 2))


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


def test_distances_of_flattened_codes_by_hand():
    anchor, positive = torch.zeros(1, 2, 2), torch.full((1, 2, 2), 1.0)  # 2 away
    negative = torch.full((1, 2, 2), 1.25)  # 2.5 away
    assert float(triplet_loss(anchor, positive, negative)) == pytest.approx(2 - 2.5 + 1)
    assert float(triplet_loss(anchor, positive, negative, margin=0.25)) == 0
    assert float(triplet_loss(anchor, negative, positive, margin=0.0)) == pytest.approx(0.5)


def test_equal_codes_cost_the_margin_and_have_finite_gradients():
    codes = torch.ones(3, 4, requires_grad=True)
    loss = triplet_loss(codes, codes.detach(), codes.detach())
    loss.backward()
    assert float(loss.detach()) == 1.0 and bool(codes.grad.isfinite().all())


def test_rows_left_out_do_not_count():
    anchor, far = torch.zeros(2, 1), torch.tensor([[3.0], [7.0]])
    mask = torch.tensor([True, False])
    assert float(triplet_loss(anchor, far, anchor, mask=mask)) == pytest.approx(4.0)
    assert float(triplet_loss(anchor, far, anchor, mask=~mask)) == pytest.approx(8.0)
    assert float(triplet_loss(anchor, far, anchor, mask=torch.zeros(2, dtype=torch.bool))) == 0


def test_distances_grow_with_the_square_root_of_the_length():
    short, long = (triplet_loss(torch.zeros(1, n), torch.ones(1, n), torch.zeros(1, n), margin=0) for n in (4, 64))
    assert float(long / short) == pytest.approx(math.sqrt(64 / 4))


def test_codes_of_different_shapes_are_an_error():
    with pytest.raises(ValueError, match="one shape"):
        triplet_loss(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 4))
