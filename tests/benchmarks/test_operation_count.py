"""The benchmarks' operation count and reference are right: published counts, and the reference equals the model."""

import pytest
import torch
from helpers import load_script

from motionhub.models.unik import UnikConfig, UnikForActionClassification


@pytest.mark.parametrize(
    ("frames", "joints", "dims", "labels", "gmac"),
    [(150, 17, 2, 320, 3.271732804), (300, 25, 3, 60, 9.703702860)],
)
def test_operations_are_those_counted_on_the_official_code(frames, joints, dims, labels, gmac):
    unik_gmac = load_script("benchmarks/measuring.py").unik_gmac
    assert unik_gmac(frames, joints, dims, labels) == pytest.approx(gmac, abs=1e-9)


@torch.no_grad()
def test_the_per_head_reference_is_the_same_function():
    reference = load_script("benchmarks/unik_reference.py")
    torch.manual_seed(0)
    plain = reference.PlainUnik(joints=6, dims=2, people=2, labels=5, heads=4).eval()
    names = {index: str(index) for index in range(5)}
    config = UnikConfig(num_joints=6, num_heads=4, id2label=names)
    model = UnikForActionClassification(config).eval()
    model.load_state_dict(load_script("conversion/unik.py").convert_state_dict(reference.official_state(plain)))
    clips = torch.randn(2, 2, 9, 6, 2)
    torch.testing.assert_close(model(clips).logits, plain(clips.permute(0, 4, 2, 3, 1)), rtol=1e-5, atol=1e-5)
