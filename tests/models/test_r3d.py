"""R3D: the official numbers, exact sizes, and what a clip's length and size leave alone."""

import numpy as np
import pytest
import torch
from helpers import load_script
from huggingface_hub.errors import StrictDataclassClassValidationError
from official_slow_r50 import official_shapes
from official_unik import probe
from transformers import AutoModelForPreTraining

from motionhub.models.r3d import R3dConfig, R3dForActionClassification, R3dForPreTraining, R3dModel


pyslowfast = load_script("conversion/pyslowfast.py")


SMALL = {"stem_channels": 4, "depths": [1, 2], "widths": [8, 16], "temporal_kernels": [1, 3]}


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_sizes_are_the_official_ones():
    with torch.device("meta"):
        trunk = R3dModel(R3dConfig())
        pretraining = R3dForPreTraining(R3dConfig())
        kinetics = R3dForActionClassification(R3dConfig(num_labels=400))
    assert trunk.num_parameters() == 31_634_496
    assert pretraining.projection.state_dict().__len__() == 6
    assert pretraining.num_parameters() - trunk.num_parameters() == 8_654_976
    assert pretraining.num_parameters() == 40_289_472 and kinetics.num_parameters() == 32_454_096


@torch.no_grad()
def test_official_features_and_projection(shared):
    golden = np.load(shared("golden/slow_r50.npz"))
    official = probe(official_shapes())
    model = pyslowfast.build_model(official, pyslowfast.build_config(official))
    place = torch.arange(3 * 8 * 64 * 64, dtype=torch.float64)
    clip = (place.mul(0.13).cos() + 0.3 * place.mul(0.017).sin()).float().view(1, 3, 8, 64, 64).transpose(1, 2)
    features = model.encoder(clip)
    for got, name in (
        (features.last_hidden_state.transpose(1, 2), "s5"),
        (features.pooler_output, "pooled2048"),
        (model(clip).projection, "proj"),
    ):
        np.testing.assert_allclose(got.numpy(), golden[name], rtol=0, atol=1e-4)


@torch.no_grad()
def test_every_frame_is_kept_and_kernels_of_one_never_look_aside():
    model = R3dModel(R3dConfig(**{**SMALL, "temporal_kernels": [1, 1]})).eval()
    clip = noise(1, 5, 3, 16, 16)
    whole = model(clip).last_hidden_state
    assert whole.shape == (1, 5, 16, 2, 2)
    alone = torch.cat([model(clip[:, frame : frame + 1]).last_hidden_state for frame in range(5)], dim=1)
    torch.testing.assert_close(whole, alone)
    torch.testing.assert_close(model(clip).pooler_output, whole.mean((1, 3, 4)))


@torch.no_grad()
def test_a_clip_played_backwards_is_seen_only_by_kernels_in_time():
    clip = noise(1, 6, 3, 16, 16)
    for kernels, sees in (([1, 1], False), ([1, 3], True)):
        torch.manual_seed(0)
        model = R3dModel(R3dConfig(**{**SMALL, "temporal_kernels": kernels})).eval()
        same = torch.allclose(model(clip).pooler_output, model(clip.flip(1)).pooler_output, atol=1e-5)
        assert same != sees


def test_initial_weights_are_those_of_the_official_library():
    torch.manual_seed(0)
    model = R3dForPreTraining(R3dConfig())
    conv = model.encoder.blocks[12].spatial.conv.weight  # 256 channels out of 3 x 3 pixels: variance 2 / (256 * 9)
    assert float(conv.detach().var()) == pytest.approx(2 / conv[:, 0].numel(), rel=0.02)
    linear = model.projection[0]
    assert float(linear.weight.detach().abs().max()) == pytest.approx(
        (3 / 2048) ** 0.5, rel=1e-3
    )  # uniform, variance 1 / in
    assert not linear.bias.any()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm3d)]
    assert all((norm.weight == 1).all() and not norm.bias.any() for norm in norms)


def test_pre_training_weights_serve_the_trunk_and_the_auto_class(tmp_path):
    model = R3dForPreTraining(R3dConfig(**SMALL, projection_sizes=[16, 4])).eval()
    model.save_pretrained(tmp_path)
    assert type(AutoModelForPreTraining.from_pretrained(tmp_path)) is R3dForPreTraining
    clip = noise(2, 3, 3, 16, 16)
    with torch.no_grad():
        trunk = R3dModel.from_pretrained(tmp_path)
        # Loaded weights lie at other memory alignments, so a kernel may add up in another order.
        torch.testing.assert_close(trunk(clip).pooler_output, model(clip).pooler_output, rtol=1e-5, atol=1e-6)


def test_activation_checkpointing_keeps_the_gradients():
    gradients = []
    for checkpointed in (False, True):
        torch.manual_seed(0)
        model = R3dModel(R3dConfig(**SMALL)).train()
        if checkpointed:
            model.activation_checkpointing_enable()
        model(noise(2, 3, 3, 16, 16)).pooler_output.square().sum().backward()
        gradients.append([weight.grad for weight in model.parameters()])
    assert all(torch.allclose(first, second, atol=1e-6) for first, second in zip(*gradients, strict=True))


@pytest.mark.parametrize("shape", [(0, 3, 3, 8, 8), (2, 0, 3, 8, 8), (2, 3, 4, 8, 8), (3, 3, 8, 8), (2, 3, 3, 0, 8)])
def test_wrong_inputs_name_the_processor(shape):
    with pytest.raises(ValueError, match=r"expects pixel_values.*VideoClipProcessor"):
        R3dModel(R3dConfig(**SMALL))(torch.zeros(*shape))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"depths": [1, 1]}, "of one length"),
        ({"temporal_kernels": [1, 1, 3, 2]}, "odd"),
        ({"widths": [256, 512, 1024, 2046]}, "divisible by 4"),
        ({"classifier_dropout": 1.0}, "below 1"),
    ],
)
def test_configs_that_cannot_work_are_reported(fields, says):
    with pytest.raises(StrictDataclassClassValidationError, match=says):
        R3dConfig(**fields)
