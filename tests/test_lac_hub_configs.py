"""The published configurations of LAC: its two generators, and encoders that take what a generator makes."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoProcessor, PreTrainedConfig

import motionhub
from motionhub.hub.card import read_card_facts, render_model_card
from motionhub.objectives.lac_contrast import LacContrast
from motionhub.training.arguments import TrainingRecipe


ROOT = Path(__file__).resolve().parent.parent / "hub_configs"
GENERATORS = ("lac-generator", "lac-generator-posetics")
each_generator = pytest.mark.parametrize("name", GENERATORS)


def content(name, file):
    return json.loads((ROOT / name / file).read_text(encoding="utf-8"))


@each_generator
def test_config_has_every_field_and_no_other(name):
    config = AutoConfig.from_pretrained(ROOT / name)
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    own = {field.name for field in dataclasses.fields(config)} - inherited
    assert set(content(name, "config.json")) == own | {"model_type", "architectures"}


@each_generator
def test_processor_makes_what_the_generator_takes_and_brings_it_back(name):
    config, processor = AutoConfig.from_pretrained(ROOT / name), AutoProcessor.from_pretrained(ROOT / name)
    joints = motionhub.get_layout(config.layout).num_joints
    keypoints = 100 + 30 * torch.randn(1, 20, joints, 2, generator=torch.Generator().manual_seed(0))
    clip = motionhub.SkeletonSequence(keypoints.numpy(), config.layout, 30, "pixel", image_size=(640, 480))
    model = motionhub.AutoModelForMotionRetargeting.from_config(config).eval()
    batch = processor(clip)
    made = model.compose([batch, batch])
    assert made.keypoints.shape[2:] == (20, config.num_joints, 2)
    assert bool(made.keypoints.isfinite().all())


@each_generator
def test_recipe_is_that_of_the_official_script(name):
    recipe = TrainingRecipe.from_file(ROOT / name)
    assert (recipe.learning_rate, recipe.epochs, recipe.batch_size, recipe.gamma) == (1e-3, 300, 64, 0.99)
    assert len(recipe.milestones) == 299


@each_generator
def test_card_renders_and_says_how_to_make_the_weights(name):
    facts = read_card_facts(ROOT / name)
    arguments = [content(name, file) for file in ("config.json", "preprocessor_config.json", "training.json")]
    joints = motionhub.get_layout(arguments[0]["layout"]).joints
    card = render_model_card(*arguments, None, facts, joints=joints)
    assert facts["name"] == name and facts["weights"]["command"] in card and "LABEL_0" not in card


def test_the_encoder_takes_what_its_generator_makes():
    generator = AutoModel.from_config(AutoConfig.from_pretrained(ROOT / "lac-generator-posetics"))
    for name in ("lac-posetics", "lac-posetics-supervised", "via-thesis-posetics"):
        ours, theirs = (content(folder, "preprocessor_config.json") for folder in (name, GENERATORS[1]))
        assert ours == theirs
        config = AutoConfig.from_pretrained(ROOT / name, channels=[8], strides=[1], dilations=[1])
        run = type("Run", (), {"epochs": 1, "updates_per_epoch": 1})
        LacContrast(generator, ours["num_frames"], queue_size=2).prepare(motionhub.UnikModel(config), run)


def test_fine_tuning_on_tsu_is_that_of_the_paper():
    recipe, config = TrainingRecipe.from_file(ROOT / "lac-tsu"), AutoConfig.from_pretrained(ROOT / "lac-tsu")
    wanted = (0.1, 50, [30, 40], 0.1, 1e-4)
    assert (recipe.learning_rate, recipe.epochs, recipe.milestones, recipe.gamma, recipe.weight_decay) == wanted
    assert tuple(config.id2label.values()) == motionhub.READERS["tsu"].class_names
    assert config.problem_type == "multi_label_classification"
    assert content("lac-tsu", "preprocessor_config.json") == {
        **content("lac-posetics", "preprocessor_config.json"),
        "num_frames": 300,
    }
