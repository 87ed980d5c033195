"""LTN with MoCo and BYOL: the losses by hand, the sequential rule, and what the slow encoder sees."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from motionhub.models.ltn import LtnConfig, LtnModel
from motionhub.models.unik import UnikConfig
from motionhub.objectives.byol import Lars, LtnByol
from motionhub.objectives.ltn import LtnMoco
from motionhub.training.objective import OwnOptimizers, PretrainingObjective, RunInfo


CLIPS, SEGMENTS = 3, 2
ENCODER = {"num_joints": 5, "in_channels": 2, "channels": [8], "strides": [1], "layout": "lac-15", "num_people": 1}
RUN = RunInfo(num_clips=10, fingerprint="x", updates_per_epoch=4, epochs=5, seed=0)


def model(variant: str, **options) -> LtnModel:
    torch.manual_seed(0)
    options = {"num_directions": 3, "time_hidden_sizes": [6], "time_channels": 4, **options}
    return LtnModel(LtnConfig(encoder_config=UnikConfig(**ENCODER), variant=variant, **options))


def batch(segments: int = SEGMENTS) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    entries = CLIPS * segments
    return {
        "keypoints": torch.randn(entries, 1, 6, 5, 2, generator=generator),
        "joint_mask": torch.ones(entries, 1, 6, 5, dtype=torch.bool),
        "attention_mask": torch.ones(entries, 1, 6, dtype=torch.bool),
        "start_seconds": torch.rand(entries, generator=generator),
        "index": torch.arange(CLIPS),
        "seeds": torch.arange(CLIPS),
    }


def moco(variant: str = "v3", **options):
    options = {"num_segments": SEGMENTS, "projection_sizes": (8, 4), "queue_size": 6, "hold": False, **options}
    objective = LtnMoco(**options)
    network = objective.prepare(model(variant), RUN)
    return objective, network


def units(vectors) -> np.ndarray:
    vectors = vectors.detach().double().numpy()
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("segments", [2, 3])
def test_every_segment_is_the_query_of_the_others_and_losses_add_up(segments):
    objective, network = moco(num_segments=segments)
    given = batch(segments)
    queue = units(objective.queue.negatives())
    # The slow encoder is a copy, so keys are the queries; batch norms see one segment of each clip at a time.
    parts = [{name: value[place * CLIPS : (place + 1) * CLIPS] for name, value in given.items()
              if name not in ("index", "seeds")} for place in range(segments)]  # fmt: skip
    vectors = [units(network([part])[0][0]) for part in parts]
    total = 0.0
    for place, query in enumerate(vectors):
        rows = []
        for other in [vectors[k] for k in range(segments) if k != place]:
            logits = np.concatenate([(query * other).sum(1)[:, None], query @ queue.T], 1) / 0.1
            rows += list(np.log(np.exp(logits).sum(1)) - logits[:, 0])
        total += np.mean(rows)
    losses = objective(network, given)
    assert float(losses["loss"].detach()) == pytest.approx(total, rel=1e-5)
    assert float(losses["contrast"]) == pytest.approx(total / (2 * segments), rel=1e-5)


def test_all_keys_enter_the_queue_and_a_clips_own_are_no_negatives():
    objective, network = moco()
    objective(network, batch())
    objective.after_update(network)
    assert objective.queue.is_full and objective.queue.rows.tolist() == [0, 0, 1, 1, 2, 2]
    given = batch()
    others = objective.queue.others(given["index"])
    assert others.sum(1).tolist() == [4, 4, 4]
    before = objective(network, given)["loss"]
    objective.queue.features[:2] = 7.0  # row 0's own keys change: only clips 1 and 2 may notice
    changed = objective(network, given)["loss"]
    assert not torch.isclose(before, changed)
    objective.queue.rows[:] = -1
    assert not torch.isclose(objective(network, given)["loss"], changed)


def test_weights_are_held_until_the_queue_is_full():
    objective, network = moco(queue_size=7, hold=True)
    assert not objective.ready()
    for expected in (False, True):
        objective(network, batch())
        objective.after_update(network)
        assert objective.ready() is expected
    assert moco(queue_size=7, hold=False)[0].ready()


def test_the_slow_encoder_follows_with_the_momentum_of_the_update_before():
    objective, network = moco(momentum=0.5)
    slow = [weight.clone() for weight in objective.slow.parameters()]
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1.0)
    objective(network, batch())
    objective.after_update(network)
    # Of 20 updates none was done when this one began, so m is still 0.5.
    moved = [float((new - old).mean()) for new, old in zip(objective.slow.parameters(), slow, strict=True)]
    assert moved == pytest.approx([0.5] * len(moved), abs=1e-6)
    assert int(objective.updates) == 1


def test_time_of_other_segments_changes_what_is_compared_and_of_the_baseline_nothing():
    for variant, sees in (("none", False), ("complement", False), ("v1", True), ("v2", True), ("v3", True)):
        objective, network = moco(variant, time_weight=0.0)
        network.eval()
        objective.slow.eval()
        given = batch()
        first = objective(network, given)["loss"]
        second = objective(network, {**given, "start_seconds": given["start_seconds"] + 5})["loss"]
        assert bool(torch.isclose(first, second)) != sees, variant


def test_the_complement_learns_time_by_differences():
    objective, network = moco("complement", time_weight=2.0, time_unit=0.5)
    given = batch()
    losses = objective(network, given)
    segments = objective.segments_of(given)
    _, predicted = network(segments)
    apart = (given["start_seconds"][CLIPS:] - given["start_seconds"][:CLIPS]) / 0.5
    error = nn.functional.smooth_l1_loss(predicted[0], apart)
    assert float(losses["time"]) == pytest.approx(float(error.detach()), rel=1e-4)
    assert float(losses["loss"].detach()) == pytest.approx(
        float(losses["contrast"]) * 4 + 2 * float(error.detach()), rel=1e-4
    )
    optimizer = torch.optim.AdamW(network.parameters(), 0.02)
    for _ in range(25):
        losses = objective.with_time(torch.zeros(()), network(segments)[1], segments, {})
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    assert float(losses["time"]) < 0.5 * float(error.detach())


@torch.no_grad()
@pytest.mark.parametrize("variant", ["v1", "v2", "v3", "complement"])
def test_what_is_compared_by_hand(variant):
    features, starts, each = torch.randn(4, 8), torch.rand(4), model(variant).eval()
    each.encoder.forward = lambda **inputs: SimpleNamespace(pooler_output=features, last_hidden_state=None)
    output = each(keypoints=torch.zeros(4, 1, 6, 5, 2), start_seconds=starts)
    basis = torch.zeros(8, 3) if each.basis is None else each.basis()
    along = torch.zeros(4, 3) if each.time_encoder is None else each.time_encoder(starts, features)
    expected = {
        "v1": lambda: features + along,
        "v2": lambda: features * (along.softmax(-1) @ basis.T),
        "v3": lambda: features + along @ basis.T,
        "complement": lambda: features - features @ basis @ basis.T,
    }[variant]()
    torch.testing.assert_close(output.compared, expected)
    assert output.pooler_output is features
    if variant == "complement":
        torch.testing.assert_close(output.compared @ basis, torch.zeros(4, 3), atol=1e-6, rtol=0)


def test_byol_by_hand():
    objective = LtnByol(num_segments=SEGMENTS, hidden_size=8, projection_size=4, temperature=0.5)
    network = objective.prepare(model("v3"), RUN)
    given = batch()
    segments = objective.segments_of(given)
    keys = np.stack([units(objective.slow([segment])[0][0]) for segment in segments])
    total = 0.0
    for segment in segments:
        query = units(network([segment])[0][0])
        total += np.mean([-(query * key).sum(1).mean() / 0.5 for key in keys])  # over all keys, its own clip's too
    assert float(objective(network, given)["loss"].detach()) == pytest.approx(total, rel=1e-5)
    assert objective.ready() and isinstance(objective, PretrainingObjective) and isinstance(objective, OwnOptimizers)
    (optimizer,) = objective.optimizers(network, 0.6)
    assert isinstance(optimizer, Lars) and optimizer.param_groups[0]["lr"] == 0.6


def test_lars_takes_steps_in_proportion_to_the_weights():
    matrix, bias = nn.Parameter(torch.tensor([[3.0, 4.0]])), nn.Parameter(torch.tensor([1.0]))
    optimizer = Lars([matrix, bias], lr=2.0, momentum=0.5, weight_decay=0.1, trust=0.01)
    for step in (1.0, 1.5):  # the second one remembers half of the first
        before, before_bias = matrix.detach().clone(), bias.detach().clone()
        matrix.grad, bias.grad = torch.tensor([[0.0, 200.0]]), torch.tensor([0.3])
        optimizer.step()
        assert float(before_bias - bias.detach()) == pytest.approx(2.0 * 0.3 * step)
        if step == 1.0:
            push = torch.tensor([[0.3, 200.4]])
            expected = before - 2.0 * 0.01 * 5.0 * push / push.norm()
            torch.testing.assert_close(matrix.detach(), expected)
    still = nn.Parameter(torch.zeros(2, 2))
    still.grad = torch.ones(2, 2)
    Lars([still], lr=0.1).step()
    torch.testing.assert_close(still.detach(), torch.full((2, 2), -0.1))  # no length to be in proportion to


@pytest.mark.parametrize("make", [lambda: moco("v3"), lambda: moco("complement"), lambda: moco("none")])
def test_gradients_reach_every_weight_and_nothing_of_the_slow_copy(make):
    objective, network = make()
    objective(network, batch())["loss"].backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None]
    assert all(not weight.requires_grad for weight in objective.slow.parameters())


def test_a_state_brings_queue_slow_encoder_and_count_back():
    objective, network = moco()
    objective(network, batch())
    objective.after_update(network)
    again = LtnMoco(num_segments=SEGMENTS, projection_sizes=(8, 4), queue_size=6, hold=False)
    again.prepare(model("v3"), RUN)
    again.load_state_dict(objective.state_dict())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in objective.state_dict().items())


def test_what_cannot_work_is_told():
    objective, network = moco()
    with pytest.raises(ValueError, match="2 segments of each of 2 clips, got 6"):
        objective(network, {**batch(), "index": torch.arange(2)})
    with pytest.raises(ValueError, match="SegmentDataset"):
        objective(network, {name: value for name, value in batch().items() if name != "start_seconds"})
    with pytest.raises(ValueError, match="wrap the encoder"):
        LtnMoco().prepare(model("none").encoder, RUN)
    with pytest.raises(ValueError, match="num_segments must be 2 or more"):
        LtnMoco(num_segments=1)
    with pytest.raises(ValueError, match="denominator"):
        LtnMoco(denominator="half")
    with pytest.raises(ValueError, match="temperature"):
        LtnByol(temperature=0)
    with pytest.raises(ValueError, match="keypoints or pixel_values"):
        model("v3")()
    with pytest.raises(ValueError, match="one number a segment"):
        model("v3")(keypoints=torch.zeros(2, 1, 6, 5, 2), start_seconds=torch.zeros(3))
    with pytest.raises(ValueError, match="lr and trust"):
        Lars([nn.Parameter(torch.zeros(1))], lr=0.0)
