"""Distances of whole codes against a margin."""

import math

import pytest
import torch

from motionhub.losses.triplet import triplet_loss


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
