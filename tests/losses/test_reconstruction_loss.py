"""Mean squared error over the joints that are there."""

import pytest
import torch

from motionhub.losses.reconstruction import reconstruction_loss


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
