"""The published configurations of U-VI: they load, say nothing unknown, take what their processors make."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, PreTrainedConfig

import motionhub
from motionhub.hub.card import read_card_facts
from motionhub.models.u_vi import UViConfig
from motionhub.processing.posture_images import PostureImageProcessor
from motionhub.training.arguments import TrainingRecipe


ROOT = Path(__file__).resolve().parent.parent / "hub_configs"
FOLDERS = sorted(ROOT.glob("u-vi-*"))
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def content(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


@each_folder
def test_config_and_processor_have_every_field_and_no_other(folder):
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    fields = {field.name for field in dataclasses.fields(UViConfig)} - inherited
    assert set(content(folder, "config.json")) - {"dtype", "transformers_version"} == fields | {
        "model_type",
        "architectures",
    }
    assert set(content(folder, "preprocessor_config.json")) == set(PostureImageProcessor().to_dict()) - {"auto_map"}


@each_folder
@torch.no_grad()
def test_the_model_takes_what_the_processor_makes(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    picture = np.zeros((80, 60, 3) if processor.kind == "iuv" else (80, 60), np.uint16)
    picture[10:70, 20:40] = 12 if processor.kind == "iuv" else 2000
    inputs = processor(picture)
    if folder.name == "u-vi-small":
        assert AutoModel.from_config(config).eval()(**inputs).pose.shape == (1, 32, 3)
    assert inputs.pixel_values.shape == (1, config.in_channels, config.image_size, config.image_size)


def test_sizes_and_recipes_are_the_papers():
    for name, kind in (("u-vi-ntu60-densepose", "iuv"), ("u-vi-ntu60-depth", "depth")):
        config, recipe = AutoConfig.from_pretrained(ROOT / name), TrainingRecipe.from_file(ROOT / name)
        assert (config.num_points, config.image_size, config.in_channels) == (70, 128, 3)
        assert (config.view_channels, config.view_hidden_size) == ([128, 256], 512)
        assert (recipe.learning_rate, recipe.epochs, recipe.batch_size, recipe.weight_decay) == (2e-4, 20, 5, 0.0)
        assert AutoFeatureExtractor.from_pretrained(ROOT / name).kind == kind


@each_folder
def test_the_card_names_its_folder_and_its_code_is_python(folder):
    facts, card = read_card_facts(folder), (folder / "README.md").read_text(encoding="utf-8")
    compile(facts["code"], folder.name, "exec")
    included = (folder / "model.safetensors").exists()
    assert facts["name"] == folder.name
    assert facts["weights"]["status"] == ("included" if included else "not included")
    assert included or folder.name in facts["weights"]["command"]
    assert "pictures of one person" in card and "Joints" not in card
    assert motionhub.TrainingRecipe.from_file(folder).source
