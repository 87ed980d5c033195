"""The baselines of CV-MIM: their losses written out on networks whose output is known, and that they learn."""

import math

import numpy as np
import pytest
import torch
from toy_poses import LAYOUT, RUN, batch, encoder

from motionhub.geometry.alignment import procrustes_error
from motionhub.losses.probabilistic import semi_hard_negatives
from motionhub.objectives.pose_baselines import CrossReconstruction, DirectInformation, PrVipe
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.objective import OwnOptimizers, PretrainingObjective
from motionhub.training.optimization import build_optimizers


GAUSSIAN = {"embedder": "gaussian"}
PROBABILISTIC = {"embedder": "gaussian-elu", "view_size": 0}
CASES = {
    "auto-encoder": ({}, lambda: CrossReconstruction(LAYOUT)),
    "vae": (GAUSSIAN, lambda: CrossReconstruction(LAYOUT)),
    "infonce": ({}, lambda: DirectInformation(LAYOUT)),
    "dim": ({}, lambda: DirectInformation(LAYOUT, estimator="jsd")),
    "pr-vipe": (PROBABILISTIC, lambda: PrVipe(LAYOUT)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_baseline_learns_and_every_weight_has_a_gradient(name):
    options, make = CASES[name]
    objective = make()
    network = objective.prepare(encoder(**options), RUN).train()
    assert isinstance(objective, PretrainingObjective) and isinstance(objective, OwnOptimizers)
    (optimizer,) = build_optimizers(objective, network, TrainingRecipe(learning_rate=0.02))
    values = []
    for _ in range(25):
        losses = objective(network, batch())
        values.append(losses["loss"].item())
        optimizer.zero_grad()
        losses["loss"].backward()
        assert all(weight.grad is not None for weight in network.parameters())
        optimizer.step()
    assert np.isfinite(values).all() and np.mean(values[-5:]) < values[0]


def test_reconstruction_of_a_decoder_that_says_zero_is_the_squared_length_of_the_images():
    objective = CrossReconstruction(LAYOUT)
    network = objective.prepare(encoder(), RUN).eval()
    torch.nn.init.zeros_(network.decoder.last.weight)
    torch.nn.init.zeros_(network.decoder.last.bias)
    expected = objective.views(batch()).images.square().sum((-1, -2)).mean(-1).sum()
    losses = objective(network, batch())
    torch.testing.assert_close(losses["reconstruction"], expected)
    torch.testing.assert_close(losses["cross_reconstruction"], expected)
    torch.testing.assert_close(losses["loss"].detach(), 2 * expected)


def test_the_divergence_of_a_vae_counts_by_its_weight():
    small, large = (CrossReconstruction(LAYOUT, divergence_weight=weight) for weight in (0.0, 2.0))
    network = small.prepare(encoder(**GAUSSIAN), RUN).eval()
    without, with_weight = small(network, batch()), large(network, batch())
    torch.testing.assert_close(with_weight["loss"] - without["loss"], 2 * without["divergence"])


def test_direct_infonce_of_vectors_that_are_all_the_same_is_four_logs():
    objective = DirectInformation(LAYOUT)
    network = objective.prepare(encoder(), RUN).eval()
    for layer in (network.encoder.embedder, network.subencoder.last):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.ones_(layer.bias)
    assert objective(network, batch())["loss"].item() == pytest.approx(4 * math.log(16), abs=1e-4)


def test_pr_vipe_takes_other_poses_only_as_negatives():
    objective = PrVipe(LAYOUT)
    given = batch()
    given["keypoints"][1] = given["keypoints"][0] * 2 + 1  # the same poses, elsewhere and larger
    given["seeds"][1] = given["seeds"][0]
    views = objective.views(given)
    count = len(views.points)
    others = objective.others(views, torch.zeros(count, count))  # none is beyond its positive: all are compared
    assert not others.diagonal().any() and others[0, 1] and not others[0, 4] and not others[4, 0]


def test_negatives_are_those_of_aligning_every_pair():
    objective = PrVipe(LAYOUT, least_difference=0.2)
    given = batch(clips=8)
    given["keypoints"] = given["keypoints"][:1].expand(8, -1, -1, -1, -1).clone()  # every pose several times
    views = objective.views(given)
    count = len(views.points)
    one, other = (index.flatten() for index in torch.meshgrid(*[torch.arange(count)] * 2, indexing="ij"))
    allowed = (procrustes_error(views.points[one], views.points[other]) >= 0.2).view(count, count)
    assert 0.1 < allowed.float().mean() < 0.9
    for seed in range(20):
        distances = torch.rand(count, count, generator=torch.Generator().manual_seed(seed))
        distances.fill_diagonal_(seed / 20)
        chosen, found = semi_hard_negatives(distances, objective.others(views, distances))
        wanted, there = semi_hard_negatives(distances, allowed)
        assert torch.equal(found, there) and torch.equal(chosen[there], wanted[there])


def test_encoders_without_what_a_baseline_needs_are_refused():
    with pytest.raises(ValueError, match="view vector"):
        CrossReconstruction(LAYOUT).prepare(encoder(view_size=0), RUN)
    with pytest.raises(ValueError, match="equal"):
        DirectInformation(LAYOUT).prepare(encoder(view_size=3), RUN)
    with pytest.raises(ValueError, match="gaussian-elu"):
        PrVipe(LAYOUT).prepare(encoder(), RUN)
