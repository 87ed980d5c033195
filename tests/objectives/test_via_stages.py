"""ViA's two stages on a model that can be followed by hand: pairs made on the fly, cycles, partners, clusters."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toy_poses import noise_batch, run_info

from motionhub.augment.view_params import ViewRanges
from motionhub.losses.motion import reconstruction_loss, triplet_loss
from motionhub.models.unik import UnikConfig
from motionhub.models.via import ViaConfig, ViaForMotionRetargeting, ViaModel
from motionhub.objectives.via import ViaCycle, ViaPairs, contrastive_partners, k_means, paired_people
from motionhub.skeletons.layouts import get_layout


LAYOUT = get_layout("lac-15")


class MeanAndRest(nn.Module):
    """The character is the mean frame, motion the rest, one code a frame: retargeting moves the mean."""

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_joints=15, in_channels=dims, hidden_size=15 * dims)
        self.gain = nn.Parameter(torch.ones(()))

    def via(self, keypoints: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        features = self.gain * keypoints.flatten(3)
        character = features.mean(2)
        frames = attention_mask.sum(-1)
        motion = features - character.unsqueeze(2)
        return SimpleNamespace(motion=motion, character=character, num_frames=frames, pooler_output=character.mean(1))

    def decode(self, motion: torch.Tensor, character: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        return (motion + character.unsqueeze(2)).unflatten(3, (15, self.config.in_channels))


def small_via(directions: int = 3, people: int = 2, dims: int = 2) -> ViaForMotionRetargeting:
    torch.manual_seed(0)
    sizes = {"num_joints": 15, "num_people": people, "in_channels": dims, "channels": [8, 16], "strides": [2, 2]}
    encoder = UnikConfig(layout="lac-15", **sizes)
    config = ViaConfig(encoder_config=encoder, num_directions=directions, decoder_channels=[8, 8])
    return ViaForMotionRetargeting(config).train()


def batch_of(rows: list[int], people: int = 1, dims: int = 2, frames: int = 16) -> dict[str, torch.Tensor]:
    return noise_batch(rows, people, frames, 15, dims)


# Pairs


@pytest.mark.parametrize("dims", [2, 3])
def test_a_model_that_returns_its_input_pays_what_copying_the_source_costs(dims: int) -> None:
    objective = ViaPairs(LAYOUT, ranges=ViewRanges(bone_factor=(1, 1), azimuth=0, elevation=0))
    network = objective.prepare(MeanAndRest(dims), run_info())
    losses = objective(network, batch_of([0, 1, 2], dims=3))
    assert float(losses["self"]) == pytest.approx(0, abs=1e-10)  # all looks are the same: nothing to change ...
    clip = batch_of([0, 1, 2], dims=3)["keypoints"]
    if dims == 2:  # an image: y downward
        clip = clip[..., :2] * torch.tensor([1.0, -1.0])
    root = LAYOUT.index(LAYOUT.root)
    clip = clip - clip[:, :, :, root : root + 1]
    clip = clip / clip.square().sum((3, 4)).mean(2).div(15).sqrt()[:, :, None, None, None]
    swapped = clip - clip.mean(2, keepdim=True) + clip.roll(-1, 0).mean(2, keepdim=True)
    # ... but the mean pose of the partner, which this model gives instead.
    assert float(losses["cross"]) == pytest.approx(float((swapped - clip).square().mean()), rel=1e-5)
    assert torch.allclose(losses["loss"], losses["self"] + losses["cross"])


def test_pairs_depend_on_seeds_alone_and_hidden_joints_do_not_count() -> None:
    objective = ViaPairs(LAYOUT)
    network = objective.prepare(MeanAndRest(), run_info())
    batch = batch_of([0, 1], dims=3)
    first = objective(network, batch)["loss"]
    assert torch.equal(objective(network, batch)["loss"], first)
    assert not torch.equal(objective(network, {**batch, "seeds": batch["seeds"] + 1})["loss"], first)
    wrist = LAYOUT.index("left_wrist")
    batch["joint_mask"][:, :, :, wrist] = False
    hidden = objective(network, batch)["loss"]
    batch["keypoints"][:, :, :, wrist] = 100.0
    torch.testing.assert_close(objective(network, batch)["loss"], hidden)


def test_pairs_of_crowds_or_of_a_single_clip_are_errors() -> None:
    objective = ViaPairs(LAYOUT)
    network = objective.prepare(MeanAndRest(), run_info())
    with pytest.raises(ValueError, match="num_people=1"):
        objective(network, batch_of([0, 1], people=2, dims=3))
    with pytest.raises(ValueError, match="two or more clips"):
        objective(network, batch_of([0], dims=3))
    with pytest.raises(ValueError, match=r"num_dims=3"):
        objective(network, batch_of([0, 1], dims=2))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("frames", [16, 1])
def test_every_parameter_of_the_real_model_learns_from_pairs(dims: int, frames: int) -> None:
    model, objective = small_via(people=1, dims=dims), ViaPairs(LAYOUT)
    network = objective.prepare(model, run_info())
    losses = objective(network, batch_of([0, 1, 2], dims=3, frames=frames))
    losses["loss"].backward()
    assert all(bool(value.isfinite()) for value in losses.values())
    gradients = [weight.grad for weight in model.parameters()]
    assert all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients)
    assert any(float(gradient.abs().sum()) > 0 for gradient in gradients)


# Cycles


@pytest.mark.parametrize("dims", [2, 3])
def test_a_perfect_disentanglement_costs_only_the_margins(dims: int) -> None:
    objective = ViaCycle(triplet_weight=0.5)
    network = objective.prepare(MeanAndRest(dims), run_info())
    batch = batch_of([0, 1], dims=dims)
    losses = objective(network, batch)
    for name in ("self", "cycle", "velocity"):
        assert float(losses[name]) == pytest.approx(0, abs=1e-9)
    # Codes of the motions made are those they were made of, so a triplet is [0 - |m - m'| + 1]+.
    character = batch["keypoints"].flatten(3).mean(2)
    expected = triplet_loss(character[:, 0], character[:, 0], character[:, 0].flip(0))
    assert torch.allclose(losses["triplet_character"], expected, atol=1e-5)
    total = 0.5 * (losses["triplet_motion"] + losses["triplet_character"])
    assert torch.allclose(losses["loss"], total, atol=1e-5)
    assert float(losses["character_norm"]) == pytest.approx(float(character.norm(dim=-1).mean()), rel=1e-5)
    motion = (batch["keypoints"] - batch["keypoints"].mean(2, keepdim=True)).flatten(1)
    units = nn.functional.normalize(motion, dim=-1)
    assert float(losses["alignment"]) == pytest.approx(0, abs=1e-6)  # the same code on any character
    assert float(losses["uniformity"]) == pytest.approx(-2 * float((units[0] - units[1]).square().sum()), rel=1e-4)


def test_cycle_terms_of_the_real_model_by_hand() -> None:
    model, objective = small_via(people=1).eval(), ViaCycle(velocity_weight=0.0)
    network = objective.prepare(model, run_info())
    batch = batch_of([0, 1], frames=24)
    losses = objective(network, batch)
    keypoints = batch["keypoints"]
    codes = model.via(keypoints)
    changed = model.retarget({"keypoints": keypoints}, {"keypoints": keypoints.flip(0)}).keypoints
    received = changed.flip(0)  # motion of the other clip with the own character
    motion, character = model.via(changed).motion, model.via(received).character
    cycle = model.decode(motion, character, codes.num_frames)
    torch.testing.assert_close(losses["cycle"], reconstruction_loss(cycle, keypoints).detach())
    anchor = triplet_loss(motion[:, 0], codes.motion[:, 0], codes.motion[:, 0].flip(0)).detach()
    torch.testing.assert_close(losses["triplet_motion"], anchor)


@pytest.mark.parametrize(("frames", "dims"), [(16, 2), (16, 3), (21, 2), (1, 2), (1, 3)])
def test_every_parameter_learns_from_ragged_crowds_with_missing_joints(frames: int, dims: int) -> None:
    model, objective = small_via(dims=dims), ViaCycle()
    network = objective.prepare(model, run_info())
    batch = batch_of([0, 1, 2], people=2, frames=frames, dims=dims)
    batch["attention_mask"][0, 1] = False
    batch["attention_mask"][1, :, frames // 2 + 1 :] = False
    batch["joint_mask"][2, 0, :, 3] = False
    losses = objective(network, batch)
    losses["loss"].backward()
    assert all(bool(value.isfinite()) for value in losses.values())
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients.values())


def test_a_clip_without_anybody_changes_no_loss_of_the_others() -> None:
    model, objective = small_via().eval(), ViaCycle()
    network = objective.prepare(model, run_info())
    batch = batch_of([0, 1, 2], people=2)
    batch["attention_mask"][2] = False
    losses = objective(network, batch)
    alone = objective(network, {name: value[:2] for name, value in batch.items()})
    for name in ("self", "cycle", "velocity", "triplet_motion", "alignment", "uniformity"):
        torch.testing.assert_close(losses[name], alone[name], msg=name)


# Partners and clusters


def test_partners_come_from_another_cluster_whenever_there_is_one() -> None:
    rows, seeds, there = torch.arange(6), torch.arange(6), torch.ones(6, dtype=torch.bool)
    clusters = torch.tensor([0, 0, 0, 1, 1, -1])
    drawn = set()
    for shift in range(40):
        partners = contrastive_partners(clusters, rows, there, seeds + 100 * shift)
        assert bool((partners != rows).all())
        pairs = list(enumerate(partners.tolist()))
        assert all(clusters[i] != clusters[j] or -1 in (clusters[i], clusters[j]) for i, j in pairs)
        drawn |= set(pairs)
    assert {(0, 3), (0, 4), (0, 5), (3, 0), (3, 1), (3, 2), (3, 5), (5, 4)} <= drawn
    assert torch.equal(contrastive_partners(torch.zeros(2), rows[:2], there[:2], seeds[:2]), torch.tensor([1, 0]))
    absent = torch.tensor([True, False, True])
    partners = contrastive_partners(torch.tensor([0, 1, 0]), rows[:3], absent, seeds[:3])
    assert partners[0] == 2 and partners[2] == 0  # a person of the same cluster before an empty clip of another
    with pytest.raises(ValueError, match="two or more clips"):
        contrastive_partners(clusters[:2], torch.tensor([4, 4]), there[:2], seeds[:2])


def test_people_are_paired_slot_by_slot_or_with_the_first_who_is_there() -> None:
    present = torch.tensor([[True, True], [False, True], [True, False]])
    paired = paired_people(present, torch.tensor([1, 2, 0]))
    assert paired.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_clusters_are_made_on_schedule_of_the_clips_seen() -> None:
    objective = ViaCycle(num_clusters=2, cluster_epochs=2)
    network = objective.prepare(MeanAndRest(), run_info())
    batch = batch_of([0, 1, 2, 3])
    poses = torch.zeros(4, 1, 1, 15, 2)
    poses[:2, ..., 0], poses[2:, ..., 1] = 3.0, 3.0
    batch["keypoints"] = poses + 0.01 * batch["keypoints"]
    for update in range(4):  # two epochs of two updates
        assert objective.clusters.tolist() == [-1] * 6, update
        objective(network, batch)
        objective.after_update(network)
    found = objective.clusters.tolist()
    assert found[0] == found[1] != found[2] == found[3] and found[4:] == [-1, -1]
    again = ViaCycle(num_clusters=2, cluster_epochs=2)
    again.prepare(MeanAndRest(), run_info())
    again.load_state_dict(objective.state_dict())
    assert again.clusters.tolist() == found and int(again.updates) == 4


def test_more_clusters_than_different_clips_are_as_many_as_there_are() -> None:
    features = torch.tensor(np.repeat(np.eye(3), 2, axis=0))
    found = k_means(features, 50, 0)
    assert len(set(found.tolist())) == 3 and torch.equal(found[::2], found[1::2])


def test_models_and_options_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="give a ViaForMotionRetargeting"):
        ViaCycle().prepare(ViaModel(small_via().config), run_info())
    with pytest.raises(ValueError, match="give the layout"):
        ViaPairs(get_layout("ntu-25")).prepare(small_via(), run_info())
    with pytest.raises(ValueError, match="two or more clips"):
        ViaCycle().prepare(small_via(), run_info(num_clips=1))
    with pytest.raises(ValueError, match="1 or more"):
        ViaCycle(num_clusters=0)


def made_state(objective: Any) -> set[str]:
    return set(objective.state_dict())


def test_what_a_resume_needs_is_state_and_what_a_layout_says_is_not() -> None:
    cycle, pairs = ViaCycle(), ViaPairs(LAYOUT)
    cycle.prepare(small_via(), run_info())
    assert {"clusters", "updates", "bank.vectors", "bank.seen"} <= made_state(cycle)
    assert made_state(pairs) == set()
