"""The published configurations of models of videos: they load, say nothing unknown, and their parts fit each other."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForPreTraining, AutoProcessor, PreTrainedConfig

import motionhub
from motionhub.hub.card import read_card_facts
from motionhub.processing.video_clip import VideoClipProcessor
from motionhub.training.arguments import TrainingRecipe


ROOT = Path(__file__).resolve().parent.parent / "hub_configs"
LTN = ("ltn-k400", "ltn-ucf101", "ltn-hmdb51", "ltn-smarthome")
# Official counts (SPECS 10 and 11).
PARAMETERS = {
    "viclip-b-16": (motionhub.ViClipModel, 149_603_841),
    "viclip-l-14": (motionhub.ViClipModel, 427_590_145),
    "slow-r50-k400": (motionhub.R3dForActionClassification, 32_454_096),
    "slow-r50-moco-k400": (motionhub.R3dForPreTraining, 40_289_472),
}
FOLDERS = [ROOT / name for name in (*PARAMETERS, *LTN)]
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def content(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def own_fields(config: PreTrainedConfig) -> set[str]:
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    return {field.name for field in dataclasses.fields(config)} - inherited


@each_folder
def test_config_and_processor_have_every_field_and_no_other(folder):
    config, written = AutoConfig.from_pretrained(folder), content(folder, "config.json")
    assert set(written) - {"id2label"} == own_fields(config) | {"model_type", "architectures"}
    for name in ("vision_config", "text_config", "encoder_config"):
        if name in written:
            assert set(written[name]) == own_fields(getattr(config, name)) | {"model_type"}
    assert set(content(folder, "preprocessor_config.json")) == {*VideoClipProcessor.FIELDS, "feature_extractor_type"}
    assert type(AutoProcessor.from_pretrained(folder)) is VideoClipProcessor


@pytest.mark.parametrize(("name", "expected"), PARAMETERS.items())
def test_parameters_are_the_official_ones(name, expected):
    config = AutoConfig.from_pretrained(ROOT / name)
    with torch.device("meta"):
        model = expected[0](config)
    assert model.num_parameters() == expected[1]
    assert content(ROOT / name, "config.json")["architectures"] == [expected[0].__name__]


def test_processors_are_the_official_ones():
    tower = VideoClipProcessor.from_pretrained(ROOT / "viclip-l-14")
    assert (tower.sampling, tower.num_frames, tower.image_size, tower.resize) == ("segments", 8, 224, "stretch")
    assert tower.image_mean == [0.485, 0.456, 0.406]
    tested = VideoClipProcessor.from_pretrained(ROOT / "slow-r50-k400")
    assert (tested.temporal_views, tested.spatial_crops, tested.image_size, tested.shorter_side) == (10, 3, 256, 256)
    for name in LTN:
        trained = VideoClipProcessor.from_pretrained(ROOT / name)
        assert (trained.num_frames, trained.frame_stride, trained.fps, trained.crop_area) == (8, 8, 30.0, [0.2, 0.766])
        assert trained.color_jitter == [0.6, 0.6, 0.6, 0.15] and trained.image_mean == [0.45] * 3


@pytest.mark.parametrize("name", LTN)
def test_recipes_of_ltn(name):
    config, recipe = AutoConfig.from_pretrained(ROOT / name), TrainingRecipe.from_file(ROOT / name)
    assert (config.variant, config.num_directions, config.time_hidden_sizes) == ("v3", 64, [2048])
    assert type(config.encoder_config) is motionhub.R3dConfig
    written = (recipe.learning_rate, recipe.schedule, recipe.epochs, recipe.warmup_epochs, recipe.weight_decay)
    assert written == (0.1, "cosine", 200, 35.0, 1e-4) and recipe.batch_size == (128 if name == "ltn-k400" else 64)
    linear, finetune = (TrainingRecipe.from_file(ROOT / name / kind) for kind in ("linear", "finetune"))
    assert (linear.mode, linear.learning_rate, linear.weight_decay, linear.epochs) == ("linear", 0.5, 0.0, 60)
    assert (finetune.mode, finetune.learning_rate, finetune.epochs) == ("finetune", 0.005, 200)
    queue = "65536" if name == "ltn-k400" else "8192"
    assert f"--queue_size {queue}" in read_card_facts(ROOT / name)["weights"]["command"]


@each_folder
def test_the_card_names_its_folder_and_its_code_is_python(folder):
    facts = read_card_facts(folder)
    assert facts["name"] == folder.name and folder.name in facts["weights"]["command"]
    compile(facts["code"], folder.name, "exec")


def test_pre_training_is_found_by_its_auto_class():
    config = AutoConfig.from_pretrained(ROOT / "slow-r50-moco-k400")
    with torch.device("meta"):
        assert type(AutoModelForPreTraining.from_config(config)) is motionhub.R3dForPreTraining
