"""The published T-MOR configurations: they load, say nothing unknown, and their parts fit each other."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoProcessor, PreTrainedConfig

import motionhub
from motionhub.hub.card import read_card_facts, render_model_card
from motionhub.towers.text_towers import load_text_tower
from motionhub.training.arguments import TrainingRecipe


ROOT = Path(__file__).resolve().parent.parent / "hub_configs"
FOLDERS = sorted(path for path in ROOT.iterdir() if path.name.startswith(("t-mor-", "tmor-")))
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def content(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


@each_folder
def test_config_has_every_field_of_its_class_and_no_other(folder):
    config = AutoConfig.from_pretrained(folder)
    own = {field.name for field in dataclasses.fields(config)}
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    written = set(content(folder, "config.json")) - {"model_type", "transformers_version", "auto_map"}
    assert written - own == set() and own - inherited <= written


@each_folder
def test_processor_and_tower_make_what_the_model_takes(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    assert processor.layout == config.layout
    assert (processor.num_dims, processor.num_people) == (config.in_channels, config.num_people)
    assert load_text_tower(config.text_tower).dim == config.text_size


@each_folder
@torch.no_grad()
def test_a_clip_goes_through_processor_and_model(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    processor.test_num_frames = min(processor.test_num_frames or 16, 16)
    keypoints = torch.randn(1, 12, config.num_joints, 2, generator=torch.Generator().manual_seed(0))
    clip = motionhub.SkeletonSequence(
        keypoints.numpy(), layout=config.layout, fps=30, unit="pixel", image_size=(640, 480)
    )
    embeds = AutoModel.from_config(config).eval().get_skeleton_features(**processor(clip)).pooler_output
    assert embeds.shape == (1, config.projection_size) and float(embeds.norm()) == pytest.approx(1, rel=1e-5)


@each_folder
def test_recipe_is_valid_and_the_card_says_where_the_weights_are(folder):
    assert TrainingRecipe.from_file(folder).source
    facts = read_card_facts(folder)
    parts = [content(folder, name) for name in ("config.json", "preprocessor_config.json", "training.json")]
    card = render_model_card(*parts, None, facts, joints=motionhub.get_layout(parts[1]["layout"]).joints)
    assert facts["name"] == folder.name and facts["weights"]["provenance"] in card
    included = (folder / "model.safetensors").exists()
    assert facts["weights"]["status"] == ("included" if included else "not included")
    assert "candidate_labels" in card
