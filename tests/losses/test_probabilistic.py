"""Pr-VIPE's distances and triplets, written out by hand."""

import math

import pytest
import torch

from motionhub.losses.probabilistic import (
    active_triplet_loss,
    matching_probability,
    mean_distances,
    sample_distance,
    semi_hard_negatives,
)


A, B = torch.tensor(2.0), torch.tensor(-0.5)


def probability(distance: float) -> float:
    return 0.9 / (1 + math.exp(2 * distance + 0.5)) + 0.05


def test_matching_probability_is_its_formula_and_stays_within_the_smoothing():
    got = matching_probability(torch.tensor([0.0, 1.5, 1e6]), A, B)
    assert got.tolist() == pytest.approx([probability(0), probability(1.5), 0.05])


def test_sample_distance_averages_probabilities_over_all_pairs_of_samples():
    first, second = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[0.0], [3.0]]])
    mean = (probability(0) + probability(3) + probability(1) + probability(2)) / 4
    assert sample_distance(first, second, A, B).item() == pytest.approx(-math.log(mean), abs=1e-5)
    grid = mean_distances(first[0], second[0], A, B)
    assert grid[1, 1].item() == pytest.approx(-math.log(probability(2)), abs=1e-5)


def test_semi_hard_negatives_are_the_nearest_beyond_the_positive():
    distances = torch.tensor([[1.0, 0.5, 1.2, 3.0], [9, 2, 1, 1.5], [1, 1, 1, 1], [5, 6, 7, 4]])
    allowed = ~torch.eye(4, dtype=torch.bool)
    allowed[2] = False
    allowed[3, 0] = False
    chosen, there = semi_hard_negatives(distances, allowed)
    assert there.tolist() == [True, True, False, True]
    assert chosen[[0, 1, 3]].tolist() == [2, 0, 1]
    near = torch.tensor([[2.0, 1.0, 0.5], [0, 2, 0], [0, 0, 2]])
    assert semi_hard_negatives(near, ~torch.eye(3, dtype=torch.bool))[0][0].item() == 1  # none beyond: the farthest


def test_triplets_are_averaged_over_the_active_ones():
    loss = active_triplet_loss(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 5.0, 0.2]), margin=0.5)
    assert loss.item() == pytest.approx((0.5 + 0.3) / 2)
    assert active_triplet_loss(torch.zeros(2), torch.full((2,), 9.0)).item() == 0
