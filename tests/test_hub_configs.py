"""Every folder of hub_configs: it loads, says nothing unknown, and its parts fit each other."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoProcessor, PreTrainedConfig

import motionhub
from motionhub.augment.policy import AugmentationPolicy
from motionhub.hub.card import read_card_facts, render_model_card
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.sources import load_processor


ROOT = Path(__file__).resolve().parent.parent / "hub_configs"
# They name no actions of their own, or take pictures: test_{retarget,lac,t_mor,video,u_vi}_hub_configs.py and, of
# quality, test_movement_quality_example.py.
OTHERS = (
    *("retarget-", "lac-generator", "t-mor-", "tmor-", "viclip-", "slow-r50-", "ltn-", "movement-quality-", "u-vi-"),
)
FOLDERS = sorted(
    path for path in ROOT.iterdir() if (path / "config.json").exists() and not path.name.startswith(OTHERS)
)
# Official counts (SPECS 2.1) less the official code's unused bias: joints numbers in each of ten blocks.
PARAMETERS = {
    "unik-posetics": 3_525_904 - 170,
    "unik-ntu60": 3_803_033 - 250,
    "unik-ntu120": 6_484_637 - 250,
    "unik-smarthome": 3_451_631 - 170,
    "unik-penn": 3_447_519 - 170,
}

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def content(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_the_five_official_checkpoints_are_described():
    assert set(PARAMETERS) <= {folder.name for folder in FOLDERS}


@each_folder
def test_config_has_every_field_of_its_class_and_no_other(folder):
    config = AutoConfig.from_pretrained(folder)
    own = {field.name for field in dataclasses.fields(config)}
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    written = set(content(folder, "config.json")) - {"model_type"}
    # `dtype` and `transformers_version` are what save_pretrained adds of itself
    assert written - own - {"transformers_version"} == set()
    assert own - inherited <= written


@each_folder
def test_processor_has_known_fields_and_makes_what_the_model_takes(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    written = set(content(folder, "preprocessor_config.json"))
    assert written - {*SkeletonProcessor.FIELDS} <= {"feature_extractor_type"}
    assert "augmentation" not in written  # it is the recipe's
    assert processor.layout == config.layout
    assert motionhub.get_layout(processor.layout).num_joints == config.num_joints
    assert (processor.num_dims, processor.num_people) == (config.in_channels, config.num_people)


@each_folder
def test_labels_are_a_numbering(folder):
    config = AutoConfig.from_pretrained(folder)
    assert sorted(config.id2label) == list(range(config.num_labels))
    assert config.label2id == {name: index for index, name in config.id2label.items()}


@each_folder
def test_recipe_is_valid(folder):
    recipe = TrainingRecipe.from_file(folder)
    assert recipe.source
    AugmentationPolicy.of(recipe.augmentation)
    if recipe.schedule == "step":
        assert all(milestone < recipe.epochs for milestone in recipe.milestones)


@each_folder
def test_card_renders_and_says_where_the_weights_are(folder):
    facts = read_card_facts(folder)
    arguments = [content(folder, name) for name in ("config.json", "preprocessor_config.json", "training.json")]
    card = render_model_card(
        *arguments, None, facts, joints=motionhub.get_layout(AutoConfig.from_pretrained(folder).layout).joints
    )
    assert facts["name"] == folder.name
    assert facts["weights"]["provenance"] in card
    included = (folder / "model.safetensors").exists()
    assert facts["weights"]["status"] == ("included" if included else "not included")
    if not included:  # the card says how to make them, and the command is about this folder
        assert facts["weights"]["command"] in card
        assert folder.name in facts["weights"]["command"]


@each_folder
@torch.no_grad()
def test_a_clip_goes_through_processor_and_model(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    keypoints = torch.randn(1, 12, config.num_joints, config.in_channels, generator=torch.Generator().manual_seed(0))
    unit = "pixel" if config.in_channels == 2 else "metre"
    processor.test_num_frames = min(processor.test_num_frames or 16, 16)  # 4000 frames would take seconds
    clip = motionhub.SkeletonSequence(
        keypoints.numpy(), layout=config.layout, fps=30, unit=unit, image_size=(640, 480)
    )
    model = motionhub.AutoModelForActionClassification.from_config(config).eval()
    logits = model(**processor(clip)).logits
    assert logits.shape == (1, config.num_labels)
    assert bool(logits.isfinite().all())


@pytest.mark.parametrize(("name", "expected"), PARAMETERS.items())
def test_parameters_are_the_official_ones_less_the_unused_bias(name, expected):
    with torch.device("meta"):
        model = motionhub.AutoModelForActionClassification.from_config(AutoConfig.from_pretrained(ROOT / name))
    assert model.num_parameters() == expected


def test_recipes_are_those_of_the_official_files():
    """SPECS 2.5: learning rate, weight decay, milestones, epochs, batch, training frames, moving view."""
    table = {
        "unik-ntu60": (0.1, 1e-4, [30, 40], 50, 32, 300, False),
        "unik-ntu120": (0.1, 1e-4, [30, 50], 60, 32, 300, False),
        "unik-posetics": (0.1, 1e-4, [45, 55], 65, 64, 150, True),
        "unik-smarthome": (0.1, 1e-4, [30, 40], 50, 16, 400, False),
        "unik-penn": (0.05, 5e-4, [10, 20], 30, 8, 150, True),
    }
    for name, row in table.items():
        recipe, processor = TrainingRecipe.from_file(ROOT / name), AutoProcessor.from_pretrained(ROOT / name)
        policy = AugmentationPolicy.of(recipe.augmentation)
        assert load_processor(ROOT / name).augmentation == policy
        written = (recipe.learning_rate, recipe.weight_decay, recipe.milestones, recipe.epochs, recipe.batch_size)
        assert (*written, processor.num_frames, policy.random_move) == row
        assert (recipe.optimizer, recipe.momentum, recipe.schedule, recipe.gamma) == ("sgd", 0.9, "step", 0.1)
