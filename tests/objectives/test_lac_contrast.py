"""LAC's contrastive stage: what is composed, the losses by hand, who is a negative, who learns."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import normalize

import motionhub
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikForActionSegmentation, UnikModel
from motionhub.objectives.lac import LacPairs
from motionhub.objectives.lac_contrast import CODE, ComposedLabels, LacContrast, compositions, whole_clips
from motionhub.training.objective import PretrainingObjective


RUN = SimpleNamespace(num_clips=6, fingerprint="toy", updates_per_epoch=2, epochs=5, seed=1)
FRAMES = 20


def generator():
    torch.manual_seed(1)
    sizes = {"encoder_channels": [8, 8, 12], "decoder_channels": [8, 8], "num_motion_directions": 7}
    return LacModel(LacConfig(**sizes, num_static_directions=5))


def unik(model_class=UnikModel, **options):
    torch.manual_seed(0)
    config = UnikConfig(layout="lac-15", num_joints=15, num_people=2, channels=[8, 16], strides=[1, 2], **options)
    return model_class(config)


def batch_of(clips=4, frames=FRAMES, people=2):
    noise = torch.Generator().manual_seed(3)
    return {
        "keypoints": torch.randn(clips, people, frames, 15, 2, generator=noise),
        "joint_mask": torch.ones(clips, people, frames, 15, dtype=torch.bool),
        "attention_mask": torch.ones(clips, people, frames, dtype=torch.bool),
        "labels": torch.full((clips,), -1),
        "index": torch.arange(clips) + 1,
        "seeds": torch.arange(clips),
    }


def made(**options):
    objective = LacContrast(
        generator(), FRAMES, **{"queue_size": 9, "projection_size": 6, "num_positives": 2, **options}
    )
    return objective, objective.prepare(unik(), RUN)


def test_people_of_a_batch_are_composed_as_one_by_one():
    batch, model = batch_of(), generator()
    batch["attention_mask"][0, 1] = False  # this slot is empty
    batch["attention_mask"][2] = False  # no person at all
    keypoints, present = whole_clips(batch["keypoints"], batch["attention_mask"], FRAMES)
    results = compositions(model.eval(), keypoints, present, 1, [0, 1, 3])

    def person(clip, slot):
        return {"keypoints": keypoints[clip : clip + 1, slot : slot + 1]}

    # clip 0 has person 0 only, clip 2 none: then a person is alone, or keeps the own body
    partners = {(0, 0): (1, 0), (1, 0): (1, 0), (1, 1): (1, 1), (3, 0): (0, 0), (3, 1): (0, 0)}
    third = {(0, 0): (3, 0), (1, 0): (0, 0), (1, 1): (0, 0), (3, 0): (3, 0), (3, 1): (3, 1)}
    for statics, (composed, mask) in zip(({}, partners, third), results, strict=True):
        assert {tuple(place) for place in mask.any(-1).nonzero().tolist()} == set(partners)
        for place, other in partners.items():
            own, body = person(*place), person(*statics.get(place, place))
            alone = model.compose([own, person(*other)], static_of=body).keypoints[0, 0]
            torch.testing.assert_close(composed[place], alone, atol=1e-5, rtol=1e-4)
        assert bool((composed[2] == 0).all()) and bool((composed[0, 1] == 0).all())


def test_a_shorter_clip_goes_on_with_its_last_frame():
    batch = batch_of(frames=12)
    batch["attention_mask"][1, 0, 7:] = False
    batch["attention_mask"][2, 1] = False
    filled, present = whole_clips(batch["keypoints"], batch["attention_mask"], 16)
    assert torch.equal(filled[0, 0, :12], batch["keypoints"][0, 0])
    assert torch.equal(filled[1, 0, 7:], batch["keypoints"][1, 0, 6].expand(9, -1, -1))
    assert present.tolist() == [[True, True], [True, True], [True, False], [True, True]]
    with pytest.raises(ValueError, match="num_frames"):
        whole_clips(batch["keypoints"], batch["attention_mask"], 8)


@torch.no_grad()
@pytest.mark.parametrize("over_frames", ["sum", "mean"])
def test_both_losses_by_hand(over_frames):
    objective, network = made(temperature=0.5, over_frames=over_frames, frame_sampling=4)
    batch = batch_of()
    losses = objective(network, batch)
    inputs = whole_clips(batch["keypoints"], batch["attention_mask"], FRAMES)
    query, *keys = compositions(objective.generator, *inputs, 1, [0, 1, 2])
    sequence, frames = (normalize(part, dim=-1) for part in network(*query))
    slow = [[normalize(part, dim=-1) for part in objective.slow(*key)] for key in keys]
    assert frames.shape == (4, 5, 6)  # every fourth of 20 frames
    old, old_frames = (normalize(queue.features, dim=-1) for queue in (objective.queue, objective.frame_queue))
    scale = 1.0 if over_frames == "sum" else 1 / 5
    by_hand = {"sequence": 0.0, "frame": 0.0}
    for clip in range(4):
        for name, negatives, positives in (
            ("sequence", old @ sequence[clip], [key[0][clip] @ sequence[clip] for key in slow]),
            (
                "frame",
                scale * (old_frames * frames[clip]).sum((1, 2)),
                [scale * (key[1][clip] * frames[clip]).sum() for key in slow],
            ),
        ):
            attraction = sum((value / 0.5).exp() for value in positives)
            by_hand[name] += float(-(attraction / (attraction + (negatives / 0.5).exp().sum())).log()) / 4
    for name, value in by_hand.items():
        assert float(losses[name]) == pytest.approx(value, rel=1e-4, abs=1e-6)
    assert float(losses["loss"]) == pytest.approx(sum(by_hand.values()), rel=1e-4)


def test_keys_of_an_update_enter_the_queue_in_row_order_and_a_clip_is_not_its_own_negative():
    objective, network = made()
    batch = batch_of()
    batch["index"] = torch.tensor([4, 2, 3, 1])
    objective(network, batch)
    before = objective.queue.features.clone()
    objective.after_update(network)
    assert objective.queue.rows[:4].tolist() == objective.frame_queue.rows[:4].tolist() == [1, 2, 3, 4]
    assert torch.equal(objective.queue.features[4:], before[4:])
    assert objective.queue.others(torch.tensor([2]))[0].tolist() == [True, False, *[True] * 7]
    norms = objective.frame_queue.features[:4].norm(dim=-1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_the_generator_never_learns_and_is_not_in_the_state():
    objective, network = made()
    assert isinstance(objective, PretrainingObjective)
    objective(network, batch_of())["loss"].backward()
    assert all(weight.grad is None for weight in objective.generator.parameters())
    assert not objective.generator.training
    assert all(weight.grad is not None for weight in network.parameters())
    assert not [name for name in objective.state_dict() if "generator" in name or "basis" in name]


@pytest.mark.parametrize("made_of", [LacContrast, ComposedLabels])
def test_the_generator_of_the_caller_can_be_trained_on(made_of):
    model = generator().train()
    made_of(model, FRAMES)
    assert model.training
    layout = motionhub.get_layout("lac-15")
    objective = LacPairs(layout)
    batch = batch_of(3, people=1)
    batch["keypoints"] = torch.randn(3, 1, FRAMES, 15, 3, generator=torch.Generator().manual_seed(0))
    objective(objective.prepare(model, RUN), batch)["loss"].backward()
    assert all(float(weight.grad.abs().sum()) > 0 for weight in model.parameters())


@pytest.mark.parametrize("options", [{"sequence_weight": 0.0}, {"frame_weight": 0.0}, {**CODE, "queue_size": 5}])
def test_either_term_can_be_left_out(options):
    objective, network = made(**options)
    losses = objective(network, batch_of())
    assert ("sequence" in losses) == (options.get("sequence_weight", 1.0) > 0)
    assert ("frame" in losses) == (options.get("frame_weight", 1.0) > 0)
    losses["loss"].backward()
    objective.after_update(network)
    assert bool(losses["loss"].isfinite())


def test_clips_of_one_frame_stay_finite():
    objective = LacContrast(generator(), 1, queue_size=9, projection_size=6, num_positives=2)
    network = objective.prepare(unik(), RUN)
    losses = objective(network, batch_of(frames=1))
    losses["loss"].backward()
    assert all(bool(value.isfinite()) for value in losses.values())
    assert all(bool(weight.grad.isfinite().all()) for weight in network.parameters())
    made_so_far, whole = made()  # ... and so does one frame that stands still as long as the other clips are
    assert bool(made_so_far(whole, batch_of(frames=1))["loss"].isfinite())


def test_holding_waits_for_the_queue():
    objective, network = made(hold=True)
    ready = []
    for _ in range(3):
        ready.append(objective.ready())
        objective(network, batch_of())
        objective.after_update(network)
    assert ready == [False, False, False] and objective.ready()


def test_the_loss_teaches_to_tell_compositions_apart_by_any_body():
    objective, network = made()
    batch, history = batch_of(), []
    for _ in range(3):  # the queue holds keys of all four clips
        objective(network, batch)
        objective.after_update(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(25):
        optimizer.zero_grad()
        losses = objective(network, batch)
        losses["loss"].backward()
        optimizer.step()
        objective._new.take()
        history.append(float(losses["loss"].detach()))
    assert history[-1] < 0.8 * history[0]


def test_combined_labels_are_those_of_both_motions():
    model = unik(UnikForActionClassification, id2label={0: "a", 1: "b", 2: "c"}).eval()
    batch = batch_of(3)
    batch["labels"] = torch.tensor([0, 2, 2])
    objective = ComposedLabels(generator(), FRAMES)
    inputs = whole_clips(batch["keypoints"], batch["attention_mask"], FRAMES)
    ((keypoints, mask),) = compositions(objective.generator, *inputs, 1, [2])
    logits = model(keypoints=keypoints, attention_mask=mask).logits
    targets = torch.tensor([[1.0, 0, 1], [0, 0, 1], [1, 0, 1]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(objective(model, batch), expected)
    batch["labels"] = torch.tensor([0, -1, 2])  # unknown: only the pair of the third and the first is left
    only = torch.nn.functional.binary_cross_entropy_with_logits(logits[2], targets[2])
    torch.testing.assert_close(objective(model, batch), only)


def test_frame_labels_combine_frame_by_frame():
    model = unik(UnikForActionSegmentation, id2label={0: "a", 1: "b", 2: "c"}).train()
    batch = batch_of(3)
    batch["labels"] = torch.zeros(3, FRAMES, 3)
    batch["labels"][0, :5, 0] = 1
    loss = ComposedLabels(generator(), FRAMES)(model, batch)
    loss.backward()
    assert bool(loss.isfinite())


def test_options_encoders_and_batches_that_do_not_fit():
    for options in (
        {"num_positives": 0},
        {"frame_weight": -1},
        {"several": "all"},
        {"sequence_weight": 0, "frame_weight": 0},
    ):
        with pytest.raises(ValueError, match="or more|above 0|one of"):
            LacContrast(generator(), FRAMES, **options)
    with pytest.raises(ValueError, match="the generator makes"):
        LacContrast(generator(), FRAMES).prepare(UnikModel(UnikConfig(channels=[8], num_joints=17)), RUN)
    objective, network = made()
    with pytest.raises(ValueError, match="raise batch_size"):
        objective(network, batch_of(2))
