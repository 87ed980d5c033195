"""OR-VPE's loss, negatives and bank, on an encoder that can be followed by hand."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from toy_poses import noise_batch, run_info
from transformers import PreTrainedConfig

from motionhub.objectives.or_vpe import OrVpe
from motionhub.skeletons.layouts import get_layout


LAYOUT = get_layout("penn-13")


class MeanPose(nn.Module):
    """The pooled feature is the mean pose itself."""

    def __init__(self) -> None:
        super().__init__()
        self.config = PreTrainedConfig(hidden_size=26, num_joints=13)
        self.seen: dict[str, Any] = {}

    def forward(self, keypoints: torch.Tensor, **masks: torch.Tensor) -> SimpleNamespace:
        self.seen = {"keypoints": keypoints, **masks}
        return SimpleNamespace(pooler_output=keypoints.mean((1, 2)).flatten(1))


def batch_of(rows: list[int], views: int = 1) -> dict[str, torch.Tensor]:
    return noise_batch(rows * views, people=1, frames=4, joints=13, dims=2)


def made(**options: Any) -> tuple[OrVpe, nn.Module]:
    torch.manual_seed(0)
    objective = OrVpe(LAYOUT, embedding_size=8, **options)
    return objective, objective.prepare(MeanPose(), run_info())


def test_first_loss_by_hand():
    objective, network = made(mapping="none", spatial_masks=False, temperature=0.5)
    batch = batch_of([2, 4])
    losses = objective(network, batch)
    pooled = batch["keypoints"].mean((1, 2)).flatten(1)
    units = nn.functional.normalize(network.embed(pooled), dim=1)
    expected = []
    for unit, row in zip(units, (2, 4), strict=True):
        cosines = objective.bank.vectors @ unit / 0.5
        expected.append(torch.log(cosines.exp().sum()) - cosines[row])  # its own vector once, as the positive
    assert torch.allclose(losses["loss"], torch.stack(expected).mean(), atol=1e-6)
    others = torch.stack([objective.bank.vectors[[i for i in range(6) if i != row]] for row in (2, 4)])
    printed, same = made(mapping="none", spatial_masks=False, temperature=0.5, denominator="printed")
    by_hand = torch.log((torch.einsum("bc,bnc->bn", units, others) / 0.5).exp().sum(1))
    by_hand -= (units * objective.bank.vectors[[2, 4]]).sum(1) / 0.5
    assert torch.allclose(printed(same, batch)["loss"], by_hand.mean(), atol=1e-6)


def test_the_bank_moves_half_way_after_the_update():
    objective, network = made(mapping="none", bank_start="random")
    before = objective.bank.vectors.clone()
    batch = batch_of([0, 3])
    objective(network, batch)
    assert torch.equal(objective.bank.vectors, before)  # only after the update
    embedding = network(
        {name: network.encoder.seen[name] for name in ("keypoints", "joint_mask", "attention_mask")}, before[:1]
    )[0]
    objective.after_update(network)
    expected = nn.functional.normalize(0.5 * before[[0, 3]] + 0.5 * embedding, dim=1)
    assert torch.allclose(objective.bank.vectors[[0, 3]], expected, atol=1e-6)
    assert torch.equal(objective.bank.vectors[[1, 2, 4, 5]], before[[1, 2, 4, 5]])


def test_what_the_encoder_sees_is_decided_by_the_seeds_alone():
    objective, network = made()
    batch = batch_of([0, 1, 2, 3, 4, 5])
    objective(network, batch)
    first = network.encoder.seen
    hidden = ~first["joint_mask"][:, 0, 0]
    assert len({int(count) for count in hidden.sum(1)}) > 1
    assert torch.equal(first["keypoints"][:, 0, 0].abs().sum(-1) == 0, hidden)
    objective(network, {name: value[[3]] for name, value in batch.items()})
    assert torch.equal(network.encoder.seen["keypoints"], first["keypoints"][[3]])


def test_fewer_negatives_than_rows_are_drawn_anew_each_update_the_same_in_every_process():
    objective, network = made(num_negatives=3)
    twin, _ = made(num_negatives=3)
    drawn = []
    for _ in range(20):
        rows = objective._drawn_rows()
        assert len(set(rows.tolist())) == 3
        assert torch.equal(rows, twin._drawn_rows())
        drawn.append(tuple(sorted(rows.tolist())))
        for each in (objective, twin):
            each(network, batch_of([0, 1]))
            each.after_update(network)
    assert len(set(drawn)) > 5


def test_the_optimizer_is_held_for_the_epoch_in_which_the_bank_fills():
    objective, network = made()
    ready = []
    for _ in range(3):  # epochs of two updates
        ready.append(objective.ready())
        objective(network, batch_of([0, 1]))
        objective.after_update(network)
    assert ready == [False, False, True]
    assert made(bank_start="random")[0].ready()


def test_two_views_are_positives_of_each_other():
    objective, network = made(mapping="none", spatial_masks=False, num_views=2, temperature=1.0)
    batch = batch_of([2, 4], views=2)
    loss = objective(network, batch)["loss"]
    units = nn.functional.normalize(network.embed(batch["keypoints"].mean((1, 2)).flatten(1)), dim=1)
    terms = []
    for place, (row, partner) in enumerate([(2, 2), (4, 3), (2, 0), (4, 1)]):
        rest = torch.cat([objective.bank.vectors[:row], objective.bank.vectors[row + 1 :]]) @ units[place]
        for positive in (objective.bank.vectors[row] @ units[place], units[partner] @ units[place]):
            terms.append(torch.log(positive.exp() + rest.exp().sum()) - positive)
    assert torch.allclose(loss, torch.stack(terms).mean(), atol=1e-6)
    objective.after_update(network)
    assert objective.bank.seen.tolist() == [False, False, True, False, True, False]


def test_uniform_embeddings_cost_the_logarithm_of_the_number_of_clips():
    objective, network = made(mapping="none")
    objective.bank.vectors.copy_(torch.ones(6, 8) / math.sqrt(8))
    assert float(objective(network, batch_of([1, 2]))["loss"].detach()) == pytest.approx(math.log(6), abs=1e-5)


def test_every_parameter_learns():
    objective, network = made()
    objective(network, batch_of([1, 2, 3]))["loss"].backward()
    assert all(weight.grad is not None and bool(weight.grad.abs().sum() > 0) for weight in network.parameters())


def test_clips_of_one_frame_and_without_anyone_stay_finite():
    objective, network = made()
    batch = {name: value[:, :, :1] if value.ndim > 2 else value for name, value in batch_of([0, 1]).items()}
    batch["keypoints"][1] = 0
    batch["joint_mask"][1] = False
    loss = objective(network, batch)["loss"]
    loss.backward()
    assert bool(loss.isfinite())
    assert all(bool(weight.grad.isfinite().all()) for weight in network.parameters())


def test_bad_options_and_encoders_are_errors():
    with pytest.raises(ValueError, match="mapping must be"):
        OrVpe(LAYOUT, mapping="linear")
    with pytest.raises(ValueError, match="bank_start must be"):
        OrVpe(LAYOUT, bank_start="empty")
    with pytest.raises(ValueError, match="1 or more"):
        OrVpe(LAYOUT, num_negatives=0)
    with pytest.raises(ValueError, match="'ntu-25' has 25"):
        OrVpe(get_layout("ntu-25")).prepare(MeanPose(), run_info())
    with pytest.raises(ValueError, match="two or more"):
        OrVpe(LAYOUT).prepare(MeanPose(), run_info(num_clips=1))
