"""CV-MIM's pretext: pairs of images, three optimizers that each move their own part, resume of all three."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from toy_poses import LAYOUT, RUN, batch, encoder, rows

from motionhub.losses.mutual_information import prior_loss
from motionhub.models.cv_mim import CvMimModel
from motionhub.objectives.cv_mim import CvMim, CvMimNetwork, LikelihoodEstimator, constant
from motionhub.objectives.pose_views import ViewSampler, torso_joints
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.layouts import get_layout
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.dataset import ClipDataset
from motionhub.training.objective import OwnOptimizers, PretrainingObjective
from motionhub.training.optimization import build_optimizers
from motionhub.training.trainer import train


def test_pairs_are_the_poses_seen_from_two_sides_in_torso_units():
    views = ViewSampler(LAYOUT, poses_per_clip=3)(batch())
    assert views.images.shape == (2, 12, 13, 2) and views.seen.all()
    (left, right), hips = torso_joints(LAYOUT)
    torch.testing.assert_close(views.images[..., hips, :].mean(-2), torch.zeros(2, 12, 2), atol=1e-5, rtol=0)
    corners = views.images[..., [left, right, *hips], :]
    longest = torch.cdist(corners, corners).amax((-1, -2))
    torch.testing.assert_close(longest, torch.full((2, 12), 0.5))
    trunk = views.points[:, [left, right]].mean(1).norm(dim=-1)
    torch.testing.assert_close(trunk, torch.ones(12))
    assert (views.images[0] - views.images[1]).abs().amax((1, 2)).min() > 0.01


def test_views_depend_on_the_seeds_alone():
    given = batch()
    sampler = ViewSampler(LAYOUT, hidden_joints=0.3)
    one, again = sampler(given), sampler(given)
    assert torch.equal(one.images, again.images) and torch.equal(one.seen, again.seen)
    assert not one.seen.all()
    shoulders, hips = torso_joints(LAYOUT)
    assert one.seen[..., [*shoulders, *hips]].all()
    assert not one.images[~one.seen].any()
    first = {name: value[:1] for name, value in given.items()}
    assert torch.equal(sampler(first).images, one.images[:, :4])


def test_degenerate_and_headless_poses_are_left_out_and_none_left_is_said():
    given = batch()
    given["keypoints"][0] = 0.5  # all joints on one spot
    given["joint_mask"][1, :, :, LAYOUT.index("left_hip")] = False
    views = ViewSampler(LAYOUT, poses_per_clip=2)(given)
    assert views.images.shape[1] == 4 and views.images.isfinite().all()
    given["keypoints"][:] = 0.5
    with pytest.raises(ValueError, match="teach nothing"):
        ViewSampler(LAYOUT)(given)
    with pytest.raises(ValueError, match="3-D clips of one person"):
        ViewSampler(LAYOUT)({**given, "keypoints": given["keypoints"][..., :2]})


def test_estimators_and_discriminator_have_the_official_sizes():
    network = CvMim(LAYOUT).prepare(encoder(pose_size=32, view_size=32, width=1024), RUN)
    count = {name: sum(w.numel() for w in module.parameters()) for name, module in network.named_children()}
    assert count == {
        "encoder": 4_301_888 + 13 * 1024,
        "subencoder": 4_239_392 - 1024 * 32 + 1024 * 32,
        "intra": 4_352,
        "inter": 4_352,
        "discriminator": 6_273,
    }


def test_each_optimizer_moves_its_part_by_the_gradient_of_its_own_loss():
    """The encoder's gradient is that of its loss with frozen helpers; the discriminator's holds nothing of it."""
    objective = CvMim(LAYOUT)
    network = objective.prepare(encoder(), RUN).train()
    optimizers = objective.optimizers(network, 0.02)
    assert len(optimizers) == 3 and [group["eps"] for o in optimizers for group in o.param_groups] == [1e-7] * 3
    losses = objective(network, batch())
    losses["loss"].backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())
    reference = CvMim(LAYOUT, prior_weight=0.0)
    alone = reference.prepare(copy.deepcopy(network.encoder), RUN)
    alone.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("discriminator")})
    objective.prior_weight = 0.0
    network.zero_grad()
    objective(network, batch())["loss"].backward()
    with_discriminator = network.encoder.embedder.weight.grad.clone()
    reference.views = objective.views
    alone.zero_grad()
    reference(alone, batch())["loss"].backward()
    # what the discriminator minimises gives the encoder no gradient
    torch.testing.assert_close(with_discriminator, alone.encoder.embedder.weight.grad)


def test_constant_weights_get_no_gradient_but_inputs_do():
    module, given = LikelihoodEstimator(3, 3), torch.randn(4, 3, requires_grad=True)
    constant(module, given, given).sum().backward()
    assert given.grad is not None and all(weight.grad is None for weight in module.parameters())


def test_total_is_the_weighted_sum_of_its_parts():
    objective = CvMim(LAYOUT, inter_view=True)
    network = objective.prepare(encoder(), RUN).train()
    losses = objective(network, batch())
    expected = losses["representation"] + 5 * losses["cross_view"] + losses["prior"]
    expected = expected + 0.5 * losses["intra"] + 0.5 * 2 * losses["inter"]
    torch.testing.assert_close(losses["encoder"], expected)
    torch.testing.assert_close(losses["loss"].detach(), expected + losses["estimator"] + losses["discriminator"])


def test_prior_of_an_undecided_discriminator_is_twice_log_two():
    objective = CvMim(LAYOUT)
    network = objective.prepare(encoder(), RUN).train()
    for weight in network.discriminator.parameters():
        nn.init.zeros_(weight)
    losses = objective(network, batch())
    assert losses["prior"].item() == pytest.approx(2 * math.log(2))
    assert losses["discriminator"].item() == pytest.approx(2 * math.log(2))
    assert prior_loss(torch.zeros(1)).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("options", "absent", "optimizers"),
    [
        ({"prior_weight": 0.0}, "discriminator", 2),
        ({"disentangle_weight": 0.0}, "intra", 2),
        ({"inter_view": False}, "inter", 3),
    ],
)
def test_what_is_left_out_is_not_there(options, absent, optimizers):
    objective = CvMim(LAYOUT, **options)
    network = objective.prepare(encoder(), RUN)
    assert getattr(network, absent) is None
    assert len(build_optimizers(objective, network, TrainingRecipe())) == optimizers
    assert absent not in objective(network.train(), batch())


@pytest.mark.parametrize("fusion", ["mixture", "product", "concatenation"])
@pytest.mark.parametrize("estimator", ["jsd", "infonce"])
def test_every_fusion_and_estimator_learns(fusion, estimator):
    objective = CvMim(LAYOUT, fusion=fusion, estimator=estimator)
    network = objective.prepare(encoder(), RUN).train()
    optimizers = objective.optimizers(network, 0.02)
    values = []
    for _ in range(30):
        losses = objective(network, batch())
        values.append(losses["encoder"].item())
        for optimizer in optimizers:
            optimizer.zero_grad()
        losses["loss"].backward()
        for optimizer in optimizers:
            optimizer.step()
    assert np.isfinite(values).all() and np.mean(values[-5:]) < values[0]


def test_an_encoder_of_something_else_is_refused():
    with pytest.raises(ValueError, match="pose and view vectors of one size"):
        CvMim(LAYOUT).prepare(encoder(view_size=0), RUN)
    with pytest.raises(ValueError, match="single 2-D poses"):
        CvMim(get_layout("lac-15")).prepare(encoder(), RUN)
    with pytest.raises(ValueError, match="fusion"):
        CvMim(LAYOUT, fusion="sum")


def recipe(folder, epochs: int) -> TrainingRecipe:
    return TrainingRecipe(
        mode="scratch",
        epochs=epochs,
        batch_size=4,
        learning_rate=0.02,
        output_dir=str(folder),
        progress_bar=False,
        milestones=[1],
        cpu=True,
        seed=3,
    )


def pretrain(folder, epochs: int) -> tuple[CvMimModel, CvMim]:
    solid = SkeletonProcessor(layout="cv-mim-13", num_dims=3, num_people=1, num_frames=5, normalization="none")
    model, objective = encoder(dropout=0.2), CvMim(LAYOUT, poses_per_clip=2)
    clips = ClipDataset(rows(8), solid, training=True, seed=3)
    train(model, None, clips, None, recipe(folder, epochs), objective=objective)
    return model, objective


def test_the_trainer_keeps_and_resumes_all_three_optimizers(tmp_path):
    whole, _ = pretrain(tmp_path / "whole", 3)
    _, objective = pretrain(tmp_path / "cut", 2)
    assert isinstance(objective, PretrainingObjective) and isinstance(objective, OwnOptimizers)
    state = tmp_path / "cut" / "last" / "state"
    kept = [torch.load(path, weights_only=False) for path in sorted(state.glob("optimizer*.bin"))]
    assert len(kept) == 3
    assert all("sum" in next(iter(one["state"].values())) for one in kept)
    assert sorted(path.name for path in state.glob("scheduler*.bin")) == [
        "scheduler.bin",
        "scheduler_1.bin",
        "scheduler_2.bin",
    ]
    resumed, objective = pretrain(tmp_path / "cut", 3)
    assert int(objective.updates) == 6
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    exported = CvMimModel.from_pretrained(tmp_path / "cut" / "last")
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in exported.state_dict().items())


def test_optimizers_that_do_not_share_out_the_weights_are_an_error():
    class Forgetful(CvMim):
        def optimizers(self, network, learning_rate):
            return super().optimizers(network, learning_rate)[:1]

    objective = Forgetful(LAYOUT)
    with pytest.raises(ValueError, match="hold each of the"):
        build_optimizers(objective, objective.prepare(encoder(), RUN), TrainingRecipe())


def test_the_network_names_what_it_holds():
    network = CvMim(LAYOUT).prepare(encoder(), RUN)
    assert isinstance(network, CvMimNetwork) and list(network.parts()) == ["encoder", "estimator", "discriminator"]
