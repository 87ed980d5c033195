"""UNIK's laws: padding is nothing, folding changes nothing, initial values are the paper's, frames keep scores."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from motionhub.models.unik import (
    UnikConfig,
    UnikForActionClassification,
    UnikForActionSegmentation,
    UnikModel,
)
from motionhub.nn.heads import to_frame_rate
from motionhub.nn.masked_norm import ChannelNorm, PersonNorm
from motionhub.runtime.answers import window_starts


SMALL = {"num_joints": 5, "in_channels": 3, "channels": [8, 8, 16], "strides": [1, 1, 2]}
NAMES = {index: str(index) for index in range(4)}


def lively(model_class=UnikForActionClassification, dtype=torch.float32, **overrides):
    """A small model in evaluation mode whose norms have non-trivial weights and statistics."""
    torch.manual_seed(0)
    model = model_class(UnikConfig(**{**SMALL, "id2label": NAMES, **overrides})).to(dtype)
    for module in model.modules():
        if isinstance(module, ChannelNorm | PersonNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def clips(batch=3, people=2, frames=21, dtype=torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, people, frames, 5, 3, generator=generator).to(dtype)


def ragged_mask() -> Tensor:
    """Clip 0 lacks its second person, clip 1 is shorter, clip 2 is short and lacks its first person."""
    mask = torch.ones(3, 2, 21, dtype=torch.bool)
    mask[0, 1] = False
    mask[1, :, 14:] = False
    mask[2, 0], mask[2, 1, 6:] = False, False
    return mask


ALONE = [(0, [0], 21), (1, [0, 1], 14), (2, [1], 6)]  # clip, its people, its frames


@torch.no_grad()
@pytest.mark.parametrize("tau", [1, 3])
def test_padded_people_and_frames_change_nothing(tau):
    model = lively(dtype=torch.float64, tau=tau)
    keypoints, mask = clips(dtype=torch.float64), ragged_mask()
    padded = keypoints.masked_fill(~mask[..., None, None], float("nan"))
    together = model(padded, attention_mask=mask, output_hidden_states=True, output_attentions=True)
    for clip, people, frames in ALONE:
        # the person keeps the slot: data batch norm has statistics per slot
        alone = keypoints[clip : clip + 1, :, :frames]
        alone_mask = mask[clip : clip + 1, :, :frames]
        expected = model(alone, attention_mask=alone_mask, output_hidden_states=True, output_attentions=True)
        torch.testing.assert_close(together.logits[clip], expected.logits[0], rtol=1e-12, atol=1e-12)
        for ours, other in zip(together.hidden_states, expected.hidden_states, strict=True):
            length = other.shape[2]
            torch.testing.assert_close(ours[clip, people, :length], other[0, people], rtol=1e-11, atol=1e-11)
            assert not ours[clip, people, length:].any()
        for name in ("attentions", "dependencies"):
            for ours, other in zip(together[name], expected[name], strict=True):
                torch.testing.assert_close(ours[clip, people], other[0, people], rtol=1e-11, atol=1e-12)


@torch.no_grad()
def test_an_absent_person_costs_nothing():
    model, computed = lively(), []
    model.encoder.blocks[0].register_forward_hook(lambda _module, inputs, _out: computed.append(inputs[0].shape[0]))
    model(clips(), attention_mask=ragged_mask())
    assert computed == [4]  # 1 + 2 + 1 people present of six slots


@torch.no_grad()
def test_a_slot_not_given_is_an_absent_person():
    model, keypoints = lively(dtype=torch.float64), clips(people=1, dtype=torch.float64)
    filled = torch.cat([keypoints, torch.full_like(keypoints, 9.0)], dim=1)
    mask = torch.ones(3, 2, 21, dtype=torch.bool)
    mask[:, 1] = False
    out = model.encoder(keypoints)
    assert out.last_hidden_state.shape == (3, 1, 11, 5, 16)
    torch.testing.assert_close(
        out.pooler_output, model.encoder(filled, attention_mask=mask).pooler_output, rtol=1e-12, atol=1e-12
    )


@torch.no_grad()
def test_official_pooling_averages_absent_people_as_zeros():
    model, keypoints = lively(pooling="official"), clips()
    keypoints[:, 1] = 0
    mask = torch.ones(3, 2, 21, dtype=torch.bool)
    mask[:, 1] = False
    expected = model(keypoints).logits
    torch.testing.assert_close(model(keypoints[:, :1]).logits, expected)
    torch.testing.assert_close(model(keypoints, attention_mask=mask).logits, expected)
    people = model.encoder(keypoints).last_hidden_state.mean((2, 3))
    assert people[:, 1].abs().sum() > 0
    torch.testing.assert_close(model.classifier(people.mean(1)), expected)


def test_a_clip_without_anyone_is_zeros_and_trains():
    model, mask = lively(), torch.zeros(3, 2, 21, dtype=torch.bool)
    out = model(clips(), attention_mask=mask)
    torch.testing.assert_close(out.logits, model.classifier.bias.expand(3, -1))
    mask[0] = True
    mixed = model(clips(), attention_mask=mask).logits
    torch.testing.assert_close(mixed[1:], model.classifier.bias.expand(2, -1))
    model.train()
    model(clips(), attention_mask=torch.zeros_like(mask), labels=torch.zeros(3, dtype=torch.long)).loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    assert all(buffer.isfinite().all() for buffer in model.buffers())


def test_training_statistics_are_those_of_the_valid_frames_alone():
    torch.manual_seed(0)
    features, valid = torch.randn(3, 5, 8, 6, dtype=torch.float64), torch.arange(8) < torch.tensor([[8], [5], [1]])
    ours, plain = ChannelNorm(6).double(), nn.BatchNorm1d(6).double()
    rows = features.transpose(1, 2)[valid].flatten(0, 1)  # every valid (frame, joint) is one sample
    torch.testing.assert_close(
        ours(features, valid).transpose(1, 2)[valid].flatten(0, 1), plain(rows), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(ours.running_mean, plain.running_mean, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(ours.running_var, plain.running_var, rtol=1e-6, atol=1e-7)


def test_a_slot_without_anyone_keeps_its_statistics():
    torch.manual_seed(0)
    norm, plain = PersonNorm(2, 5, 3, eps=1e-5, momentum=0.1), nn.BatchNorm1d(15)
    keypoints, mask = clips(), torch.ones(3, 2, 21, dtype=torch.bool)
    mask[:, 1] = False
    ours = norm(keypoints, mask)
    expected = plain(keypoints[:, 0].flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, (5, 3))
    torch.testing.assert_close(ours[:, 0], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(norm.running_mean[:15], plain.running_mean)
    torch.testing.assert_close(norm.running_var[:15], plain.running_var)
    assert not norm.running_mean[15:].any() and (norm.running_var[15:] == 1).all()


def test_training_on_single_person_clips_leaves_the_other_slot_alone():
    model, mask = lively().train(), torch.ones(3, 2, 21, dtype=torch.bool)
    mask[:, 1] = False
    norm = model.encoder.input_norm
    before = norm.running_mean.clone()
    model(clips(), attention_mask=mask)
    assert torch.equal(norm.running_mean[15:], before[15:]) and (norm.running_mean[:15] != before[:15]).all()


def test_training_with_full_mask_is_training_without_mask():
    plain, masked = lively().train(), lively().train()
    labels, mask = torch.tensor([0, 1, 3]), torch.ones(3, 2, 21, dtype=torch.bool)
    plain(clips(), labels=labels).loss.backward()
    masked(clips(), attention_mask=mask, labels=labels).loss.backward()
    for (name, ours), other in zip(plain.named_parameters(), masked.parameters(), strict=True):
        assert torch.equal(ours.grad, other.grad), name
    for (name, ours), other in zip(plain.named_buffers(), masked.buffers(), strict=True):
        assert torch.equal(ours, other), name


@pytest.mark.parametrize("tau", [1, 3])
def test_gradients_reach_every_parameter(tau):
    model = lively(tau=tau).train()
    model(clips(), attention_mask=ragged_mask(), labels=torch.tensor([0, 1, 2])).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        # a query's bias adds the same number to a whole softmax column, hence changes nothing
        if "query.bias" not in name:
            assert parameter.grad.abs().max() > 0, name


@torch.no_grad()
def test_attention_columns_sum_to_one_and_dependencies_add_the_learned_matrix():
    model = lively()
    out = model(clips(), output_attentions=True)
    for block, attention, dependency in zip(model.encoder.blocks, out.attentions, out.dependencies, strict=True):
        assert attention.shape == (3, 2, 3, 5, 5)
        torch.testing.assert_close(attention.sum(-2), torch.ones(3, 2, 3, 5))
        torch.testing.assert_close(dependency - attention, block.spatial.dependency.expand_as(attention))


@torch.no_grad()
def test_attention_scaling_divides_by_key_channels_and_frames():
    scaled, paper = lively(), lively(attention_scaling="none")
    paper.load_state_dict(scaled.state_dict())
    a = scaled(clips(), output_attentions=True).attentions[0]
    b = paper(clips(), output_attentions=True).attentions[0]
    # differences of log-probabilities within a column are differences of logits
    logit_a, logit_b = (torch.log(m) - torch.log(m[..., :1, :]) for m in (a, b))
    kept = b.amin(-2, keepdim=True).expand_as(b) > 1e-30
    torch.testing.assert_close(logit_a[kept] * 2 * 21, logit_b[kept], rtol=1e-3, atol=1e-2)


@torch.no_grad()
def test_frames_are_halved_rounding_up_and_every_state_is_returned():
    states = lively()(clips(frames=21), output_hidden_states=True).hidden_states
    assert [tuple(state.shape[1:]) for state in states] == [
        (2, 21, 5, 3),
        (2, 21, 5, 8),
        (2, 21, 5, 8),
        (2, 11, 5, 16),
    ]


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 10_000])
def test_one_frame_and_ten_thousand_frames(frames):
    model = lively(channels=[4, 4], strides=[1, 2], dilations=[1, 3])
    logits = model(clips(batch=1, people=1, frames=frames)).logits
    assert logits.shape == (1, 4) and logits.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("tau", [1, 3])
def test_folding_batch_norm_changes_no_output(tau):
    model = lively(tau=tau)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fused = model.fuse()
    torch.testing.assert_close(fused(clips()).logits, model(clips()).logits, rtol=1e-5, atol=1e-5)
    ragged = {"attention_mask": ragged_mask()}
    torch.testing.assert_close(fused(clips(), **ragged).logits, model(clips(), **ragged).logits, rtol=1e-5, atol=1e-5)
    assert not any(isinstance(module, ChannelNorm) for module in fused.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_fused_model_refuses_training_and_saving(tmp_path):
    fused = lively().fuse()
    with pytest.raises(ValueError, match="inference only"):
        fused.train()
    with pytest.raises(ValueError, match="save the model"):
        fused.save_pretrained(tmp_path)


@torch.no_grad()
@pytest.mark.parametrize("model_class", [UnikForActionClassification, UnikForActionSegmentation])
def test_compiles_in_one_graph_with_the_same_outputs(model_class):
    torch._dynamo.reset()
    model = lively(model_class, channels=[8, 16], strides=[1, 2])
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(clips()).logits, model(clips()).logits, rtol=1e-5, atol=1e-5)
    mask = ragged_mask()
    expected = model(clips(), attention_mask=mask).logits
    torch.testing.assert_close(compiled(clips(), attention_mask=mask).logits, expected, rtol=1e-5, atol=1e-5)


def test_compiled_training_on_ragged_clips_gives_the_same_gradients():
    torch._dynamo.reset()
    plain, other = (lively(channels=[8, 16], strides=[1, 2]).train() for _ in range(2))
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager")
    inputs = {"attention_mask": ragged_mask(), "labels": torch.tensor([0, 1, 2])}
    plain(clips(), **inputs).loss.backward()
    compiled(clips(), **inputs).loss.backward()
    for (name, ours), theirs in zip(plain.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5, msg=name)
    for (name, ours), theirs in zip(plain.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6, msg=name)


@torch.no_grad()
def test_bfloat16_logits_stay_within_one_percent():
    """Of the whole UNIK under autocast, ragged. With weights in bfloat16 too, random norms need a little more."""
    model = lively(channels=None, strides=None)
    expected = model(clips()).logits
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(clips(), attention_mask=ragged_mask()).logits
    half = lively(channels=None, strides=None).bfloat16()(clips().bfloat16()).logits
    assert (half - expected).abs().max() < 0.015 * expected.abs().max()
    exact = model(clips(), attention_mask=ragged_mask()).logits
    assert (mixed - exact).abs().max() < 0.01 * exact.abs().max()


def test_checkpointed_activations_give_the_same_gradients():
    plain, checkpointed = lively().train(), lively().train()
    checkpointed.activation_checkpointing_enable()
    labels = torch.tensor([0, 1, 2])
    for model in (plain, checkpointed):
        model(clips(), labels=labels).loss.backward()
    for (name, ours), other in zip(plain.named_parameters(), checkpointed.named_parameters(), strict=True):
        torch.testing.assert_close(ours.grad, other[1].grad, msg=name)


# initial values: SPECS 2.1, per head as the official code draws its separate convolutions


def assert_normal(weight: Tensor, std: float) -> None:
    error = 4 / math.sqrt(2 * weight.numel())  # four standard errors of an estimated deviation
    assert abs(weight.std().item() / std - 1) < error
    assert abs(weight.mean().item()) < 4 * std / math.sqrt(weight.numel())
    assert weight.abs().max() > 2.5 * std  # not uniform


def assert_uniform(weight: Tensor, bound: float) -> None:
    assert weight.abs().max() <= bound
    assert abs(weight.std().item() * math.sqrt(3) / bound - 1) < 4 / math.sqrt(weight.numel())


def test_initial_values_are_the_official_ones():
    torch.manual_seed(0)
    model = UnikForActionClassification(UnikConfig(id2label={index: str(index) for index in range(60)}))
    for index, size_in, size in ((1, 64, 64), (4, 64, 128), (9, 256, 256)):
        block = model.encoder.blocks[index]
        for head in range(3):
            rows = slice(head * size // 4, (head + 1) * size // 4)
            assert_normal(block.spatial.query.weight[rows], math.sqrt(2 / (size // 4)))
            assert_normal(block.spatial.key.weight[rows], math.sqrt(2 / (size // 4)))
        assert_normal(block.spatial.value.weight, math.sqrt(2 / (size * size_in * 3)))
        assert_normal(block.temporal.conv.weight, math.sqrt(2 / (9 * size)))
        assert_uniform(block.spatial.dependency, 1 / 17)
        assert (block.spatial.norm.weight == 1e-6).all() and (block.temporal.norm.weight == 1).all()
        for layer in (block.spatial.query, block.spatial.value, block.temporal.conv):
            assert not layer.bias.any()
    strided = model.encoder.blocks[4]
    assert_normal(strided.spatial.shortcut.weight, math.sqrt(2 / 128))
    assert_normal(strided.residual.conv.weight, math.sqrt(2 / 128))
    assert (strided.spatial.shortcut_norm.weight == 1).all() and (model.encoder.input_norm.weight == 1).all()
    assert_normal(model.classifier.weight, math.sqrt(2 / 60))
    assert_uniform(model.classifier.bias, 1 / 16)


def test_papers_dependency_bound_and_the_window_convolution():
    torch.manual_seed(0)
    model = UnikModel(UnikConfig(tau=3, dependency_init="paper", channels=[32, 32], strides=[1, 1]))
    spatial = model.blocks[1].spatial
    assert_uniform(spatial.dependency, 1 / math.sqrt(51))
    assert_uniform(spatial.window_merge.weight, 1 / math.sqrt(3 * 32))
    assert spatial.window_merge.bias.abs().max() > 0 and (spatial.window_norm.weight == 1).all()


def test_every_missing_entry_gets_its_initial_distribution(tmp_path):
    model = lively(tau=3)
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    for kept in (["encoder.blocks.0.spatial.dependency"], [name for name in weights if "spatial" in name]):
        save_file({name: weights[name] for name in kept}, tmp_path / "model.safetensors", metadata={"format": "pt"})
        loaded = UnikForActionClassification.from_pretrained(tmp_path)
        state = loaded.state_dict()
        assert all(torch.equal(state[name], weights[name]) for name in kept)
        assert all(tensor.isfinite().all() for tensor in state.values())
        conv = loaded.encoder.blocks[2].temporal.conv
        assert_normal(conv.weight, math.sqrt(2 / (9 * 16)))
        assert not conv.bias.any() and (loaded.encoder.blocks[2].temporal.norm.running_var == 1).all()
        assert loaded.classifier.bias.abs().max() <= 0.25 and loaded.classifier.weight.std() > 0.3


# heads


def test_unknown_labels_do_not_count():
    model = lively()
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 0.0, 0.0, math.log(3)]))
    # softmax is 1/6, 1/6, 1/6, 1/2
    assert model(clips(), labels=torch.tensor([3, -1, -1])).loss.item() == pytest.approx(math.log(2))
    assert model(clips(), labels=torch.tensor([3, 0, -1])).loss.item() == pytest.approx(math.log(12) / 2)
    assert model(clips(), labels=torch.tensor([-1, -1, -1])).loss.item() == 0


def test_frame_loss_counts_known_frames_of_the_clip():
    model = lively(UnikForActionSegmentation)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.fill_(math.log(3))  # probability 3/4 for everything
    labels = torch.ones(3, 21, 4)
    labels[1, 14:], labels[2, 6:] = 0.0, float("nan")  # padding: must not matter
    labels[0, 0, 0] = -1
    out = model(clips(), attention_mask=ragged_mask(), labels=labels)
    assert out.loss.item() == pytest.approx(math.log(4 / 3), rel=1e-6)
    labels[0, 1:, 0] = 0.0
    counted = (21 + 14 + 6) * 4 - 1
    expected = (20 * math.log(4) + (counted - 20) * math.log(4 / 3)) / counted
    loss = model(clips(), attention_mask=ragged_mask(), labels=labels).loss.item()
    assert loss == pytest.approx(expected, rel=1e-6)


def test_scores_return_to_the_frame_rate():
    ramp = torch.arange(6.0).view(1, 6, 1) * 4  # the score at frame 4k is 4k
    linear = to_frame_rate(ramp, 22, 4, "linear", None)
    torch.testing.assert_close(linear.flatten(), torch.arange(22.0).clamp(max=20))
    held = to_frame_rate(ramp, 22, 4, "repeat", None)
    torch.testing.assert_close(held.flatten(), torch.arange(22.0) // 4 * 4)
    short = to_frame_rate(ramp, 22, 4, "linear", torch.tensor([10]))
    torch.testing.assert_close(short.flatten()[:10], torch.arange(10.0).clamp(max=8))


@torch.no_grad()
@pytest.mark.parametrize("upsampling", ["linear", "repeat"])
def test_ragged_segmentation_equals_one_by_one(upsampling):
    model = lively(UnikForActionSegmentation, torch.float64, upsampling=upsampling)
    keypoints, mask = clips(dtype=torch.float64), ragged_mask()
    together = model(keypoints, attention_mask=mask).logits
    assert together.shape == (3, 21, 4)
    for clip, _, frames in ALONE:
        part = slice(clip, clip + 1)
        alone = model(keypoints[part, :, :frames], attention_mask=mask[part, :, :frames]).logits[0]
        torch.testing.assert_close(together[clip, :frames], alone, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_windows_give_each_frame_the_scores_of_its_windows():
    model = lively(UnikForActionSegmentation, torch.float64)
    keypoints, mask = clips(dtype=torch.float64), ragged_mask()
    scores = model.predict_windows(keypoints, window=8, hop=4)
    expected = torch.zeros(3, 21, 4, dtype=torch.float64)
    count = torch.zeros(21, 1)
    for start in (0, 4, 8, 12, 13):
        expected[:, start : start + 8] += model(keypoints[:, :, start : start + 8]).logits
        count[start : start + 8] += 1
    torch.testing.assert_close(scores, expected / count, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(model.predict_windows(keypoints, window=99), model(keypoints).logits)
    ragged = model.predict_windows(keypoints, mask, window=8)
    for clip, _, frames in ALONE:
        part = slice(clip, clip + 1)
        alone = model.predict_windows(keypoints[part, :, :frames], mask[part, :, :frames], window=8)
        torch.testing.assert_close(ragged[clip, :frames], alone[0], rtol=1e-11, atol=1e-11)
        assert not ragged[clip, frames:].any()


def test_windows_cover_the_clip_and_end_with_it():
    assert window_starts(21, 8, 8) == [0, 8, 13]
    assert window_starts(16, 8, 8) == [0, 8]
    assert window_starts(5, 8, 4) == [0]
    with pytest.raises(ValueError, match="hop"):
        window_starts(21, 8, 9)


# errors say what to do


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"tau": 2}, "odd tau"),
        ({"temporal_kernel": 4}, "odd temporal_kernel"),
        ({"strides": [1, 2]}, "one length"),
        ({"channels": [6, 8, 8]}, "divisible"),
    ],
)
def test_config_refuses_sizes_that_do_not_fit(wrong, match):
    with pytest.raises(Exception, match=match):
        UnikConfig(**{**SMALL, **wrong})


def test_labels_and_masks_of_the_wrong_kind_are_explained():
    model = lively()
    with pytest.raises(ValueError, match="integer labels"):
        model(clips(), labels=torch.tensor([0.0, 1.0, float("nan")]))
    with pytest.raises(ValueError, match="attention_mask"):
        model(clips(), attention_mask=torch.ones(3, 21, dtype=torch.bool))
    with pytest.raises(ValueError, match="labels"):
        lively(UnikForActionSegmentation)(clips(), labels=torch.zeros(3, 11, 4))
    with pytest.raises(ValueError, match="people <= 2"):
        model(clips(people=3))


@torch.no_grad()
def test_windows_over_a_clip_without_anybody_are_zeros_and_leave_the_others_alone():
    model = lively(UnikForActionSegmentation)
    mask = torch.ones(3, 2, 21, dtype=torch.bool)
    mask[1] = False
    scores = model.predict_windows(clips(), mask, window=8)
    assert not scores[1].any()
    torch.testing.assert_close(scores[2], model.predict_windows(clips()[2:], window=8)[0])


@pytest.mark.parametrize(
    "wrong",
    [{"num_people": 0}, {"num_heads": 0}, {"strides": [0, 1, 1]}, {"channels": [0, 4, 8]}, {"norm_momentum": 2}],
)
def test_sizes_that_make_no_model_are_refused(wrong):
    with pytest.raises(Exception, match=f"expects.*{next(iter(wrong))}"):
        UnikConfig(**{**SMALL, **wrong})


def test_a_misspelt_field_is_refused_and_a_foreign_one_kept():
    with pytest.raises(ValueError, match="did you mean 'num_heads'"):
        UnikConfig(num_hedas=4)
    assert UnikConfig(num_labels=7, somebody_elses="note").num_labels == 7
