"""The published retargeting configurations: they load, say nothing unknown, and their parts fit each other."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoProcessor, PreTrainedConfig

import motionhub
from motionhub.hub.card import read_card_facts, render_model_card
from motionhub.processing.retargeting import RetargetProcessor


ROOT = Path(__file__).resolve().parent.parent / "hub_configs"
VARIANTS = ("view", "skeleton", "full")
each_variant = pytest.mark.parametrize("variant", VARIANTS)


def content(variant, name):
    return json.loads((ROOT / f"retarget-{variant}-aberman" / name).read_text(encoding="utf-8"))


@each_variant
def test_config_and_processor_have_every_field_and_no_other(variant):
    config = AutoConfig.from_pretrained(ROOT / f"retarget-{variant}-aberman")
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    own = {field.name for field in dataclasses.fields(config)} - inherited
    assert set(content(variant, "config.json")) == own | {"model_type", "architectures"}
    assert set(content(variant, "preprocessor_config.json")) == {*RetargetProcessor.FIELDS, "feature_extractor_type"}
    assert config.variant == variant


@each_variant
def test_processor_makes_what_the_model_takes(variant):
    folder = ROOT / f"retarget-{variant}-aberman"
    config, processor = AutoConfig.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    assert type(processor) is RetargetProcessor and processor.layout == config.layout
    keypoints = 100 + torch.randn(1, 9, 15, 2, generator=torch.Generator().manual_seed(0))
    clip = motionhub.SkeletonSequence(keypoints.numpy(), "lac-15", 30, "pixel", image_size=(640, 480))
    model = motionhub.AutoModelForMotionRetargeting.from_config(config).eval()
    assert model(**processor(clip)).keypoints.shape == (1, 1, 9, 15, 2)


@each_variant
def test_statistics_are_those_printed_of_the_official_files(variant):
    """First and last rows, SPECS 6.2: nose and velocity."""
    printed = {
        "skeleton": ([-3.25947, -78.24853], [-0.00462, 0.00724], [23.12258, 34.94685], [1.74101, 1.72454]),
        "view": ([-0.0966, -78.24853], [-0.00677, 0.00724], [28.80042, 34.94685], [1.8217, 1.72454]),
    }
    rows = content(variant, "preprocessor_config.json")
    found = [rows["mean"][0], rows["mean"][-1], rows["std"][0], rows["std"][-1]]
    expected = printed["skeleton" if variant == "skeleton" else "view"]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=5e-6)


@each_variant
def test_card_renders_and_says_how_to_make_the_weights(variant):
    facts = read_card_facts(ROOT / f"retarget-{variant}-aberman")
    arguments = [content(variant, name) for name in ("config.json", "preprocessor_config.json")]
    card = render_model_card(*arguments, None, None, facts, joints=motionhub.get_layout("lac-15").joints)
    assert facts["name"] == f"retarget-{variant}-aberman"
    assert f"python conversion/aberman2019.py pretrained_{variant}.pth" in card
    assert 'pipe("motion.npz", "body.npz")' in card and "LABEL_0" not in card
    assert not (ROOT / f"retarget-{variant}-aberman" / "model.safetensors").exists()
