"""Every folder of hub_configs: it loads, says nothing unknown, its parts fit each other, numbers are the papers'."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import read_json
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForPreTraining,
    AutoProcessor,
    PreTrainedConfig,
)

import motionhub
from motionhub.augment.policy import AugmentationPolicy
from motionhub.hub.card import read_card_facts
from motionhub.objectives.lac_contrast import LacContrast
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.towers.text_towers import load_text_tower
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.sources import load_processor


ROOT = Path(__file__).resolve().parent.parent / "hub_configs"
FOLDERS = sorted(path.parent for path in ROOT.glob("*/config.json"))
# Official counts (SPECS 2.1, 10, 11); of UNIK less the unused bias, joints numbers in each of ten blocks.
PARAMETERS = {
    "unik-posetics": (motionhub.UnikForActionClassification, 3_525_904 - 170),
    "unik-ntu60": (motionhub.UnikForActionClassification, 3_803_033 - 250),
    "unik-ntu120": (motionhub.UnikForActionClassification, 6_484_637 - 250),
    "unik-smarthome": (motionhub.UnikForActionClassification, 3_451_631 - 170),
    "unik-penn": (motionhub.UnikForActionClassification, 3_447_519 - 170),
    "viclip-b-16": (motionhub.ViClipModel, 149_603_841),
    "viclip-l-14": (motionhub.ViClipModel, 427_590_145),
    "slow-r50-k400": (motionhub.R3dForActionClassification, 32_454_096),
    "slow-r50-moco-k400": (motionhub.R3dForPreTraining, 40_289_472),
}
LTN = ("ltn-k400", "ltn-ucf101", "ltn-hmdb51", "ltn-smarthome")
GENERATOR = "lac-generator-posetics"
# Of classifiers, and what `save_pretrained` adds of itself.
LABELS = {"id2label", "label2id", "problem_type"}
SAVED = {"dtype", "transformers_version", "auto_map", "decoding"}
CLASSIFIERS = {"unik", "agcn", "st_gcn", "cv_mim", "via"}


def content(name: str | Path, file: str) -> dict:
    return read_json(ROOT / name / file)


def kind(folder: Path) -> str:
    return content(folder, "config.json")["model_type"].removeprefix("motionhub_")


def each(*kinds: str, file: str = "config.json"):
    """The folders of some model types, or all, that hold a file."""
    chosen = [path for path in FOLDERS if (not kinds or kind(path) in kinds) and (path / file).is_file()]
    assert chosen
    return pytest.mark.parametrize("folder", chosen, ids=lambda path: path.name)


def own_fields(config: PreTrainedConfig) -> set[str]:
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    return {field.name for field in dataclasses.fields(config)} - inherited


def clip_of(config, frames=12):
    keypoints = torch.randn(1, frames, config.num_joints, 3, generator=torch.Generator().manual_seed(0)).numpy()
    if getattr(config, "in_channels", 2) == 3:
        return motionhub.SkeletonSequence(keypoints, config.layout, 30, "metre")
    points = 100 + 30 * keypoints[..., :2]
    return motionhub.SkeletonSequence(points, config.layout, 30, "pixel", image_size=(640, 480))


# Of every folder.


@each()
def test_config_has_every_field_of_its_class_and_no_other(folder):
    config, written = AutoConfig.from_pretrained(folder), content(folder, "config.json")
    known = own_fields(config) | {"model_type", "architectures"}
    labels = LABELS if kind(folder) in {*CLASSIFIERS, "r3d"} else set()
    assert known <= set(written) and set(written) - known <= labels | SAVED
    if kind(folder) in ("viclip", "ltn"):
        for name in {"vision_config", "text_config", "encoder_config"} & set(written):
            assert set(written[name]) == own_fields(getattr(config, name)) | {"model_type"}


@each()
def test_processor_has_known_fields(folder):
    processor, written = AutoProcessor.from_pretrained(folder), content(folder, "preprocessor_config.json")
    known = set(processor.to_dict()) - {"auto_map"}
    assert type(processor).__name__ == written["feature_extractor_type"]
    assert "augmentation" not in written  # it is the recipe's
    assert set(written) <= known if type(processor) is SkeletonProcessor else set(written) == known


@each()
def test_card_says_where_the_weights_are_and_its_code_is_python(folder):
    """That the card is rendered anew is a law of test_hub_cards.py."""
    facts, card = read_card_facts(folder), (folder / "README.md").read_text(encoding="utf-8")
    included = (folder / "model.safetensors").exists()
    assert facts["name"] == folder.name
    assert facts["weights"]["provenance"] in card and "LABEL_0" not in card
    assert facts["weights"]["status"] == ("included" if included else "not included")
    if not included:  # the card says how to make them, and the command is about this folder
        assert facts["weights"]["command"] in card
        assert folder.name in facts["weights"]["command"]
    compile(facts.get("code", ""), folder.name, "exec")


@each(file="training.json")
def test_recipe_is_valid(folder):
    recipe = TrainingRecipe.from_file(folder)
    assert recipe.source
    AugmentationPolicy.of(recipe.augmentation)
    if recipe.schedule == "step":
        assert all(milestone < recipe.epochs for milestone in recipe.milestones)


@pytest.mark.parametrize(("name", "expected"), PARAMETERS.items())
def test_parameters_are_the_official_ones(name, expected):
    with torch.device("meta"):
        model = expected[0](AutoConfig.from_pretrained(ROOT / name))
    assert model.num_parameters() == expected[1]
    assert content(name, "config.json")["architectures"] == [expected[0].__name__]


# Of a family: its model takes what its processor makes.


@each(*CLASSIFIERS, "t_mor", "lac", "retarget_net")
def test_processor_has_the_layout_and_sizes_of_its_model(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    assert processor.layout == config.layout
    assert motionhub.get_layout(processor.layout).num_joints == config.num_joints
    if type(processor) is SkeletonProcessor and kind(folder) != "lac":
        assert (processor.num_dims, processor.num_people) == (config.in_channels, config.num_people)


@each(*CLASSIFIERS)
def test_labels_are_a_numbering(folder):
    config = AutoConfig.from_pretrained(folder)
    assert sorted(config.id2label) == list(range(config.num_labels))
    assert config.label2id == {name: index for index, name in config.id2label.items()}


@each(*CLASSIFIERS)
@torch.no_grad()
def test_a_clip_goes_through_processor_and_classifier(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    processor.test_num_frames = min(processor.test_num_frames or 16, 16)  # 4000 frames would take seconds
    model = motionhub.AutoModelForActionClassification.from_config(config).eval()
    logits = model(**processor(clip_of(config))).logits
    assert logits.shape == (1, config.num_labels)
    assert bool(logits.isfinite().all())


@each("t_mor")
@torch.no_grad()
def test_a_clip_becomes_a_vector_of_the_text_towers_size(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    processor.test_num_frames = min(processor.test_num_frames or 16, 16)
    embeds = AutoModel.from_config(config).eval().get_skeleton_features(**processor(clip_of(config))).pooler_output
    assert embeds.shape == (1, config.projection_size) and float(embeds.norm()) == pytest.approx(1, rel=1e-5)
    assert load_text_tower(config.text_tower).dim == config.text_size
    assert "candidate_labels" in (folder / "README.md").read_text(encoding="utf-8")


@each("lac")
def test_a_generator_brings_back_what_its_processor_makes(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    batch = processor(clip_of(config, frames=20))
    made = motionhub.AutoModelForMotionRetargeting.from_config(config).eval().compose([batch, batch])
    assert made.keypoints.shape[2:] == (20, config.num_joints, 2)
    assert bool(made.keypoints.isfinite().all())


@each("retarget_net")
def test_a_motion_goes_through_processor_and_retargeting(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    assert type(processor) is RetargetProcessor and folder.name == f"retarget-{config.variant}-aberman"
    model = motionhub.AutoModelForMotionRetargeting.from_config(config).eval()
    assert model(**processor(clip_of(config, frames=9))).keypoints.shape == (1, 1, 9, 15, 2)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"python conversion/aberman2019.py pretrained_{config.variant}.pth" in card
    assert 'pipe("motion.npz", "body.npz")' in card


@each("u_vi")
@torch.no_grad()
def test_an_image_goes_through_processor_and_posture_model(folder):
    config, processor = AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    image = np.zeros((80, 60, 3) if processor.kind == "iuv" else (80, 60), np.uint16)
    image[10:70, 20:40] = 12 if processor.kind == "iuv" else 2000
    inputs = processor(image)
    if folder.name == "u-vi-small":
        assert AutoModel.from_config(config).eval()(**inputs).pose.shape == (1, 32, 3)
    assert inputs.pixel_values.shape == (1, config.in_channels, config.image_size, config.image_size)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "of one person" in card and "Joints" not in card


# Numbers of papers and of official files.


def test_recipes_of_unik_are_those_of_the_official_files():
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


@each("lac")
def test_recipe_of_a_generator_is_that_of_the_official_script(folder):
    recipe = TrainingRecipe.from_file(folder)
    assert (recipe.learning_rate, recipe.epochs, recipe.batch_size, recipe.gamma) == (1e-3, 300, 64, 0.99)
    assert len(recipe.milestones) == 299


@pytest.mark.parametrize("name", ["lac-posetics", "lac-posetics-supervised", "via-thesis-posetics"])
def test_the_encoder_takes_what_its_generator_makes(name):
    generator = AutoModel.from_config(AutoConfig.from_pretrained(ROOT / GENERATOR))
    ours, theirs = (content(folder, "preprocessor_config.json") for folder in (name, GENERATOR))
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
    wanted = {**content("lac-posetics", "preprocessor_config.json"), "num_frames": 300}
    assert content("lac-tsu", "preprocessor_config.json") == wanted


@pytest.mark.parametrize("variant", ["view", "skeleton", "full"])
def test_statistics_of_retargeting_are_those_printed_of_the_official_files(variant):
    """First and last rows, SPECS 6.2: nose and velocity."""
    printed = {
        "skeleton": ([-3.25947, -78.24853], [-0.00462, 0.00724], [23.12258, 34.94685], [1.74101, 1.72454]),
        "view": ([-0.0966, -78.24853], [-0.00677, 0.00724], [28.80042, 34.94685], [1.8217, 1.72454]),
    }
    rows = content(f"retarget-{variant}-aberman", "preprocessor_config.json")
    found = [rows["mean"][0], rows["mean"][-1], rows["std"][0], rows["std"][-1]]
    expected = printed["skeleton" if variant == "skeleton" else "view"]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=5e-6)


@pytest.mark.parametrize(("name", "image"), [("u-vi-ntu60-densepose", "iuv"), ("u-vi-ntu60-depth", "depth")])
def test_sizes_and_recipes_of_u_vi_are_the_papers(name, image):
    config, recipe = AutoConfig.from_pretrained(ROOT / name), TrainingRecipe.from_file(ROOT / name)
    assert (config.num_points, config.image_size, config.in_channels) == (70, 128, 3)
    assert (config.view_channels, config.view_hidden_size) == ([128, 256], 512)
    assert (recipe.learning_rate, recipe.epochs, recipe.batch_size, recipe.weight_decay) == (2e-4, 20, 5, 0.0)
    assert AutoFeatureExtractor.from_pretrained(ROOT / name).kind == image


def test_processors_of_videos_are_the_official_ones():
    tower = AutoFeatureExtractor.from_pretrained(ROOT / "viclip-l-14")
    assert (tower.sampling, tower.num_frames, tower.image_size, tower.resize) == ("segments", 8, 224, "stretch")
    assert tower.image_mean == [0.485, 0.456, 0.406]
    tested = AutoFeatureExtractor.from_pretrained(ROOT / "slow-r50-k400")
    assert (tested.temporal_views, tested.spatial_crops, tested.image_size, tested.shorter_side) == (10, 3, 256, 256)
    for name in LTN:
        trained = AutoFeatureExtractor.from_pretrained(ROOT / name)
        assert (trained.num_frames, trained.frame_stride, trained.fps, trained.crop_area) == (8, 8, 30.0, [0.2, 0.766])
        assert trained.color_jitter == [0.6, 0.6, 0.6, 0.15] and trained.image_mean == [0.45] * 3


@pytest.mark.parametrize("name", LTN)
def test_recipes_of_ltn(name):
    config, recipe = AutoConfig.from_pretrained(ROOT / name), TrainingRecipe.from_file(ROOT / name)
    assert (config.variant, config.num_directions, config.time_hidden_sizes) == ("v3", 64, [2048])
    assert type(config.encoder_config) is motionhub.R3dConfig
    written = (recipe.learning_rate, recipe.schedule, recipe.epochs, recipe.warmup_epochs, recipe.weight_decay)
    assert written == (0.1, "cosine", 200, 35.0, 1e-4) and recipe.batch_size == (128 if name == "ltn-k400" else 64)
    linear, finetune = (TrainingRecipe.from_file(ROOT / name / mode) for mode in ("linear", "finetune"))
    assert (linear.mode, linear.learning_rate, linear.weight_decay, linear.epochs) == ("linear", 0.5, 0.0, 60)
    assert (finetune.mode, finetune.learning_rate, finetune.epochs) == ("finetune", 0.005, 200)
    queue = "65536" if name == "ltn-k400" else "8192"
    assert f"--queue_size {queue}" in read_card_facts(ROOT / name)["weights"]["command"]


def test_pre_training_is_found_by_its_auto_class():
    config = AutoConfig.from_pretrained(ROOT / "slow-r50-moco-k400")
    with torch.device("meta"):
        assert type(AutoModelForPreTraining.from_config(config)) is motionhub.R3dForPreTraining
