"""Bounds of mutual information against sums written out by hand, and against information that is known."""

import math

import pytest
import torch
from torch import nn

from motionhub.losses.mutual_information import (
    club_loss,
    discriminator_loss,
    fuse,
    gaussian_log_likelihood,
    gradient_penalty,
    mutual_information_loss,
    paired_log_likelihood,
    prior_loss,
    standard_normal_divergence,
)


def softplus(value):
    return math.log1p(math.exp(value))


def test_jsd_bound_of_two_rows_is_the_sum_written_out():
    first, second = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.5, 0.0], [1.0, 1.0]])
    scores = [[0.5, 1.0], [0.0, 2.0]]  # dot products
    positive = sum(math.log(2) - softplus(-scores[i][i]) for i in (0, 1)) / 2
    negative = sum(softplus(-scores[i][1 - i]) + scores[i][1 - i] - math.log(2) for i in (0, 1)) / 2
    assert mutual_information_loss(first, second).item() == pytest.approx(negative - positive, abs=1e-6)
    heavy = mutual_information_loss(first, second, negative_weight=20.0).item()
    assert heavy == pytest.approx(20 * negative - positive, abs=1e-5)


def test_jsd_of_zero_scores_is_zero():
    assert mutual_information_loss(torch.zeros(4, 3), torch.randn(4, 3)).item() == pytest.approx(0, abs=1e-6)


def test_infonce_of_equal_similarities_is_the_log_of_the_batch():
    same = torch.ones(8, 3)
    assert mutual_information_loss(same, same, estimator="infonce").item() == pytest.approx(math.log(8), abs=1e-5)


def test_infonce_of_orthogonal_pairs_is_written_out():
    eye, temperature = torch.eye(3), 0.5
    expected = -math.log(math.exp(2) / (math.exp(2) + 2))
    got = mutual_information_loss(eye, eye, estimator="infonce", temperature=temperature).item()
    assert got == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("first", "second"), [((3, 2), (4, 2)), ((1, 2), (1, 2)), ((3, 2, 2), (3, 2, 2))])
def test_a_bound_needs_pairs_and_negatives(first, second):
    with pytest.raises(ValueError, match="batch of 2 or more"):
        mutual_information_loss(torch.zeros(first), torch.zeros(second))


def test_gaussian_log_likelihood_is_that_of_torch_without_the_constant():
    generator = torch.Generator().manual_seed(0)
    means, spreads, values = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(3))
    got = gaussian_log_likelihood(means, spreads, values)
    normal = torch.distributions.Normal(means[:, None], (spreads[:, None] / 2).exp())
    expected = (normal.log_prob(values[None]) + 0.5 * math.log(2 * math.pi)).mean(-1)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(paired_log_likelihood(means, spreads, values), expected.diagonal())


def test_club_is_the_positive_mean_less_the_negative_one_and_never_below_zero():
    likelihoods = torch.tensor([[-1.0, -4.0], [-2.0, -3.0]])
    assert club_loss(likelihoods).item() == pytest.approx(-2.0 - -3.0)
    assert club_loss(-likelihoods).item() == 0


def test_club_of_the_true_conditional_is_the_information_of_independent_vectors_zero():
    """y ~ N(0, 1) whatever x: q(y | x) = N(0, 1) has the same likelihood for every pair."""
    y = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert club_loss(gaussian_log_likelihood(torch.zeros_like(y), torch.zeros_like(y), y)).item() < 1e-3


def test_club_of_the_true_conditional_bounds_gaussian_information_from_above():
    """y = r x + sqrt(1 - r^2) noise: I = -log(1 - r^2) / 2; CLUB of the true q is r^2 / (1 - r^2), which is more."""
    generator, r = torch.Generator().manual_seed(1), 0.8
    x = torch.randn(3000, 1, generator=generator, dtype=torch.float64)
    y = r * x + math.sqrt(1 - r * r) * torch.randn(3000, 1, generator=generator, dtype=torch.float64)
    log_variance = torch.full_like(x, math.log(1 - r * r))
    bound = club_loss(gaussian_log_likelihood(r * x, log_variance, y)).item()
    assert bound == pytest.approx(r * r / (1 - r * r), rel=0.1)
    assert bound > -0.5 * math.log(1 - r * r)


def test_fusions():
    pose, view = torch.tensor([[2.0, 3.0]]), torch.tensor([[4.0, -1.0]])
    assert fuse(pose, view, "mixture").tolist() == [[3.0, 1.0]]
    assert fuse(pose, view, "product").tolist() == [[8.0, -3.0]]
    assert fuse(pose, view, "concatenation").tolist() == [[2.0, 3.0, 4.0, -1.0]]
    with pytest.raises(ValueError, match="one size"):
        fuse(pose, view[:, :1], "mixture")


def test_prior_losses_of_an_undecided_discriminator():
    undecided = torch.zeros(6, 1)
    assert prior_loss(undecided).item() == pytest.approx(math.log(2))
    assert discriminator_loss(undecided, undecided).item() == pytest.approx(math.log(2))
    assert discriminator_loss(torch.tensor([[3.0]]), torch.tensor([[-2.0]])).item() == pytest.approx(
        (softplus(-3.0) + softplus(2.0) - 2.0) / 2
    )


def test_gradient_penalty_of_a_linear_map_is_the_squared_length_of_its_weights():
    layer = nn.Linear(3, 1)
    nn.init.constant_(layer.weight, 2.0)
    inputs = torch.randn(7, 3, requires_grad=True)
    penalty = gradient_penalty(layer(inputs), inputs)
    assert penalty.item() == pytest.approx(12.0)
    penalty.backward()
    torch.testing.assert_close(layer.weight.grad, torch.full((1, 3), 4.0))


def test_divergence_of_gaussians_from_the_standard_one():
    assert standard_normal_divergence(torch.zeros(2, 3), torch.ones(2, 3)).item() == pytest.approx(0)
    mean, deviation = torch.tensor([[1.0]]), torch.tensor([[0.5]])
    expected = math.log(1 / 0.5) + (0.25 + 1) / 2 - 0.5
    assert standard_normal_divergence(mean, deviation).item() == pytest.approx(expected)
