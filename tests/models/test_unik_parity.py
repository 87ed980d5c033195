"""The official UNIK's numbers: golden outputs, state dict size, parameter counts."""

import math

import numpy as np
import pytest
import torch
from helpers import load_script
from official_unik import official_shapes, probe, probe_input, to_keypoints

from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikForActionSegmentation


conversion = load_script("conversion/unik.py")


def config_of(num_labels, joints, people, tau, heads, dims):
    return UnikConfig(
        num_joints=joints, num_people=people, tau=tau, num_heads=heads, in_channels=dims, pooling="official",
        id2label={index: str(index) for index in range(num_labels)},
    )  # fmt: skip


def filled(model_class, *sizes, unused_bias=True):
    model = model_class(config_of(*sizes)).eval()
    model.load_state_dict(conversion.convert_state_dict(probe(official_shapes(*sizes, unused_bias=unused_bias))))
    return model


@torch.no_grad()
def test_posetics_logits_and_every_recorded_layer_equal_the_official_ones(shared):
    golden = np.load(shared("golden/unik.npz"))
    model = filled(UnikForActionClassification, 320, 17, 2, 1, 3, 2)
    out = model(to_keypoints(probe_input(2, 2, 32, 17, 2)), output_hidden_states=True)
    np.testing.assert_allclose(out.logits, golden["unik320_out"], atol=1e-5)
    for layer in (1, 4, 5, 8, 10):
        ours = out.hidden_states[layer].flatten(0, 1).permute(0, 3, 1, 2)
        np.testing.assert_allclose(ours, golden[f"unik320_l{layer}"], atol=1e-5, err_msg=f"block {layer}")


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "sizes"), [("unik60_tau3_out", (60, 25, 2, 3, 3, 3)), ("unik60_h12_out", (60, 25, 2, 1, 12, 3))]
)
def test_windows_and_more_heads_equal_the_official_logits(shared, name, sizes):
    model = filled(UnikForActionClassification, *sizes)
    logits = model(to_keypoints(probe_input(1, 3, 16, 25, 2))).logits
    np.testing.assert_allclose(logits, np.load(shared("golden/unik.npz"))[name], atol=1e-5)


@torch.no_grad()
def test_lac_frame_scores_equal_the_official_ones(shared):
    model = filled(UnikForActionSegmentation, 51, 17, 2, 1, 3, 2, unused_bias=False)
    features = model.encoder(to_keypoints(probe_input(2, 2, 32, 17, 2))).last_hidden_state
    golden = np.load(shared("golden/unik.npz"))["lac_unik51_out"]
    np.testing.assert_allclose(model.coarse_logits(features).transpose(1, 2), golden, atol=1e-5)


@torch.no_grad()
def test_printed_probe_values_hold_without_the_golden_file():
    model = filled(UnikForActionClassification, 320, 17, 2, 1, 3, 2)
    logits = model(to_keypoints(probe_input(2, 2, 32, 17, 2))).logits
    expected = torch.tensor([0.019079, 1.251606, 2.202008, 2.663440])
    torch.testing.assert_close(logits[0, :4], expected, atol=2e-6, rtol=0)
    assert abs(logits.sum().item() - 0.210706) < 1e-4
    assert abs(logits[-1, -1].item() + 0.320238) < 2e-6


COUNTS = [
    ((320, 17, 2, 1, 3, 2), 3_525_904),
    ((31, 17, 2, 1, 3, 2), 3_451_631),
    ((19, 17, 2, 1, 3, 2), 3_448_547),
    ((15, 17, 2, 1, 3, 2), 3_447_519),
    ((320, 17, 2, 1, 3, 3), 3_526_324),
    ((60, 25, 2, 1, 3, 3), 3_469_760),
    ((60, 25, 2, 1, 4, 3), 3_803_033),
    ((60, 25, 2, 1, 12, 3), 6_469_217),
    ((120, 25, 2, 1, 12, 3), 6_484_637),
    ((60, 25, 2, 3, 3, 3), 4_410_916),
    ((60, 25, 2, 5, 3, 3), 5_235_704),
]


@pytest.mark.parametrize(("sizes", "official"), COUNTS)
def test_parameters_are_the_official_ones_less_the_unused_bias(sizes, official):
    with torch.device("meta"):
        model = UnikForActionClassification(config_of(*sizes))
    unused = 10 * sizes[1] * sizes[3]  # one W-vector per block, W = tau * joints
    assert sum(p.numel() for p in model.parameters()) == official - unused


def test_lac_parameters_are_the_official_ones():
    with torch.device("meta"):
        model = UnikForActionSegmentation(config_of(51, 17, 2, 1, 3, 2))
    assert sum(p.numel() for p in model.parameters()) == 3_456_601
    assert len(official_shapes(51, 17, 2, 1, 3, 2, unused_bias=False)) == 352


def test_every_official_entry_is_used_once():
    official = official_shapes(320, 17, 2, 1, 3, 2)
    assert len(official) == 362
    converted = conversion.convert_state_dict(probe(official))
    entries = sum(math.prod(shape) for shape in official.values())
    assert sum(t.numel() for t in converted.values()) == entries - 10 * 17
