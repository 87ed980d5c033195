"""CV-MIM's encoder: official sizes, coordinate order, Keras's conventions, missing joints; and its temporal heads."""

import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError, StrictDataclassFieldValidationError

from motionhub.models.cv_mim import (
    HEADS,
    CvMimConfig,
    CvMimForActionClassification,
    CvMimModel,
    SequenceConv,
    same_padding,
)
from motionhub.nn.keras_layers import CUT_DEVIATION, HeNormalLinear, KerasNorm


def small(**options) -> CvMimModel:
    torch.manual_seed(0)
    return CvMimModel(CvMimConfig(**{"width": 16, "pose_size": 4, "view_size": 3, **options})).eval()


def poses(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 13, 2, generator=torch.Generator().manual_seed(3))


def test_parameters_are_those_of_the_official_layers():
    """SPECS 9.1 and 9.4: counted from the official layer list."""
    with torch.device("meta"):
        assert CvMimModel(CvMimConfig(missing_joints="official")).num_parameters() == 4_301_888
        assert CvMimModel(CvMimConfig()).num_parameters() == 4_301_888 + 13 * 1024
        head = CvMimForActionClassification(CvMimConfig(num_labels=14, width=8)).classifier
    assert sum(weight.numel() for weight in head.parameters()) == 305_998
    statistics = sum(norm.num_features * 2 for norm in head.modules() if isinstance(norm, KerasNorm))
    assert statistics == 896


@torch.no_grad()
def test_the_encoder_is_its_formula():
    model, given = small(missing_joints="official"), poses()
    state = model.state_dict()

    def block(name, rows):
        rows = rows @ state[f"{name}.linear.weight"].T + state[f"{name}.linear.bias"]
        return (rows / math.sqrt(1 + 1e-3)).clamp(min=0)  # running mean 0 and variance 1, epsilon 1e-3

    rows = block("first", given.flip(-1).flatten(1))  # (y, x)
    for index in (0, 1):
        rows = rows + block(f"blocks.{index}.layers.1", block(f"blocks.{index}.layers.0", rows))
    codes = rows @ state["embedder.weight"].T + state["embedder.bias"]
    got = model.encode(given)
    torch.testing.assert_close(torch.cat([got.pose, got.view], 1), codes)
    other = small(missing_joints="official", coordinate_order="xy")
    other.load_state_dict(state)
    torch.testing.assert_close(other.encode(given.flip(-1)).pose, got.pose)


def test_batch_norm_updates_as_keras_with_the_biased_variance():
    norm = KerasNorm(1).train()
    norm(torch.tensor([[1.0], [3.0]]))
    assert norm.running_mean.item() == pytest.approx(0.01 * 2)
    assert norm.running_var.item() == pytest.approx(0.99 + 0.01 * 1.0)  # unbiased would be 2


def test_he_normal_has_its_deviation_and_its_cut_also_for_the_bias():
    torch.manual_seed(0)
    layer = next(
        m for m in CvMimModel(CvMimConfig(width=512, num_blocks=1)).blocks.modules() if isinstance(m, HeNormalLinear)
    )
    expected = math.sqrt(2 / 512)
    for values in (layer.weight, layer.bias):
        assert values.std().item() == pytest.approx(expected, rel=0.1)
        assert values.abs().max().item() <= 2 * expected / CUT_DEVIATION * (1 + 1e-6)


@torch.no_grad()
@pytest.mark.parametrize("missing_joints", ["learned", "official"])
def test_a_missing_joint_is_not_a_joint_on_the_hips_nor_read(missing_joints):
    model, given = small(missing_joints=missing_joints), poses(1)
    if missing_joints == "learned":
        model.missing.vectors.normal_()
    seen = torch.ones(1, 13, dtype=torch.bool)
    seen[0, 5] = False
    moved = given.clone()
    moved[0, 5] = float("nan")
    hidden = model.encode(moved, seen)
    torch.testing.assert_close(hidden.pose, model.encode(given, seen).pose)
    zero = given.clone()
    zero[0, 5] = 0
    on_hips = model.encode(zero, torch.ones_like(seen))
    assert torch.equal(on_hips.pose, hidden.pose) == (missing_joints == "official")


@torch.no_grad()
def test_clips_are_encoded_frame_by_frame_and_unseen_frames_are_left_out_of_the_mean():
    model = small()
    clip = poses(5)[None, None]
    seen = torch.ones(1, 1, 5, 13, dtype=torch.bool)
    seen[0, 0, 2] = False
    output = model(clip, joint_mask=seen)
    alone = model.encode(clip[0, 0, [0, 1, 3, 4]])
    torch.testing.assert_close(output.pose[0, 0, [0, 1, 3, 4]], alone.pose)
    assert not output.pose[0, 0, 2].any()
    torch.testing.assert_close(output.pooler_output[0], alone.pose.mean(0))
    assert output.last_hidden_state.shape == (1, 1, 5, 1, 4) and output.view.shape == (1, 1, 5, 3)
    absent = model(clip, joint_mask=torch.zeros_like(seen))
    assert not absent.pooler_output.any()


@torch.no_grad()
def test_features_choose_pose_view_or_both():
    outputs = {name: small(features=name)(poses(4)[None, None]) for name in ("pose", "view", "both")}
    both = torch.cat([outputs["pose"].pooler_output, outputs["view"].pooler_output], dim=1)
    torch.testing.assert_close(outputs["both"].pooler_output, both)
    with pytest.raises(StrictDataclassClassValidationError, match="view_size is 0"):
        CvMimConfig(features="view", view_size=0)


@torch.no_grad()
def test_gaussian_embedders_give_the_deviation_of_their_formula():
    for embedder, expected in (("gaussian", math.exp(5 * math.tanh(0.3))), ("gaussian-elu", 1.3)):
        model = small(embedder=embedder)
        torch.nn.init.zeros_(model.spread.weight)
        torch.nn.init.constant_(model.spread.bias, 0.3)
        torch.testing.assert_close(model.encode(poses()).deviation, torch.full((6, 7), expected))


@pytest.mark.parametrize(("frames", "left", "made"), [(8, 2, 4), (9, 3, 5), (5, 3, 3), (2, 2, 1), (1, 3, 1)])
def test_same_padding_is_tensorflows(frames, left, made):
    """Kernel 7, stride 2: total = max((ceil(T/2) - 1) 2 + 7 - T, 0), the smaller half in front."""
    ramp = torch.arange(1.0, frames + 1).view(1, frames, 1)
    padded, lengths = same_padding(ramp, torch.tensor([frames]), 7, 2)
    assert lengths.tolist() == [made]
    assert padded[0, :left].abs().sum() == 0 and padded[0, left].item() == 1
    total = max((made - 1) * 2 + 7 - frames, 0)
    assert padded.shape[1] == frames + total


@torch.no_grad()
def test_a_strided_convolution_of_a_short_and_a_long_sequence_gives_what_each_gives_alone():
    torch.manual_seed(0)
    conv = SequenceConv(3, 4, 7, 2)
    both = torch.randn(2, 9, 3)
    together, lengths = conv(both, torch.tensor([9, 6]))
    alone, _ = conv(both[1:, :6], torch.tensor([6]))
    assert lengths.tolist() == [5, 3]
    torch.testing.assert_close(together[1, :3], alone[0])


@torch.no_grad()
@pytest.mark.parametrize("name", HEADS)
def test_padding_changes_no_head(name):
    torch.manual_seed(0)
    head = HEADS[name](6, 3).eval()
    features = torch.randn(2, 20, 6)
    lengths = torch.tensor([20, 11])
    padded = features.clone()
    padded[1, 11:] = 7.0
    torch.testing.assert_close(head(padded, lengths)[1:], head(features[1:, :11], lengths[1:]), atol=1e-5, rtol=1e-5)


def test_a_head_of_another_name_is_an_error():
    with pytest.raises(StrictDataclassFieldValidationError, match="temporal_head"):
        CvMimConfig(temporal_head="lstm")
