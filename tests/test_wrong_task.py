"""A checkpoint loaded for a task it has no head for, or for a tokenizer: one line says which tasks it has."""

import gzip

import pytest
import torch
from transformers import (
    AutoFeatureExtractor,
    AutoModelForSequenceClassification,
    AutoModelForVideoClassification,
    AutoProcessor,
    AutoTokenizer,
    pipeline,
)
from transformers.models.auto.video_processing_auto import AutoVideoProcessor  # without torchvision, too
from transformers.pipelines import PIPELINE_REGISTRY

import motionhub
from motionhub.auto import FAMILIES, PIPELINES, tasks_of
from motionhub.models.agcn import AgcnConfig
from motionhub.processing.clip_tokenizer import clip_tokenizer


# Loads the encoder, which every checkpoint has, and then fails in AutoImageProcessor, before a config is asked.
UNREACHED = {"image-feature-extraction"}
GENERIC = sorted({*PIPELINE_REGISTRY.supported_tasks} - {*PIPELINES} - UNREACHED)
UNIK_TASKS = ["action-classification", "action-segmentation", "skeleton-feature-extraction"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("unik")
    torch.manual_seed(0)
    config = motionhub.UnikConfig(channels=[8], strides=[1], num_heads=1, first_block_heads=1, num_labels=5)
    motionhub.UnikForActionClassification(config).save_pretrained(path)
    motionhub.SkeletonProcessor(default_image_size=(640, 480)).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("u_vi")
    config = motionhub.UViConfig(image_size=64, channels=[4, 4, 4], num_points=8, recurrent_size=8, max_score=1)
    motionhub.UViForActionClassification(config).save_pretrained(path)
    motionhub.PostureImageProcessor("mask", image_size=64).save_pretrained(path)
    return str(path)


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(LookupError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("task", GENERIC)
def test_a_task_of_transformers_names_the_tasks_of_the_checkpoint(folder, task):
    message = refusal(pipeline, task, model=folder, device="cpu")
    assert message.startswith(f"{folder} is a motionhub checkpoint (motionhub_unik)")
    assert f"call pipeline('skeleton-feature-extraction', model='{folder}')" in message
    assert "['action-classification', 'action-segmentation']" in message


def test_the_tasks_users_try_are_among_them():
    assert {"feature-extraction", "video-classification", "image-classification"} <= {*GENERIC}
    assert {"text-classification", "zero-shot-classification", "image-segmentation"} <= {*GENERIC}


@pytest.mark.parametrize("task", UNIK_TASKS)
def test_the_named_tasks_load(folder, task):
    assert pipeline(task, model=folder, device="cpu").task == task


@pytest.mark.parametrize("task", sorted({*PIPELINES} - {*UNIK_TASKS}))
def test_a_task_of_the_library_without_a_head_names_those_with_one(folder, task):
    assert "pipeline('skeleton-feature-extraction'" in refusal(pipeline, task, model=folder, device="cpu")


@pytest.mark.parametrize(
    "auto",
    [
        AutoModelForVideoClassification,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        motionhub.AutoModelForMovementQuality,
        motionhub.AutoModelForMotionRetargeting,
    ],
)
def test_auto_classes_without_such_a_model_say_what_there_is(folder, auto):
    assert "pipeline('skeleton-feature-extraction'" in refusal(auto.from_pretrained, folder)


def test_a_config_alone_is_refused_alike():
    message = refusal(AutoModelForVideoClassification.from_config, motionhub.UnikConfig())
    assert "pipeline('skeleton-feature-extraction', model='CHECKPOINT')" in message


def test_a_checkpoint_of_images_names_its_classes(images):
    message = refusal(pipeline, "image-classification", model=images, device="cpu")
    assert f"AutoModel.from_pretrained('{images}')" in message and "pipeline(" not in message
    assert f"AutoFeatureExtractor.from_pretrained('{images}')" in message


@pytest.mark.parametrize("task", ["action-classification", "movement-quality", "skeleton-feature-extraction"])
def test_a_skeleton_pipeline_refuses_models_of_images(images, task):
    with pytest.raises(ValueError, match="^This pipeline takes skeletons, but UVi[A-Za-z]+ takes images: [^\n]*$"):
        pipeline(task, model=images, device="cpu")


def test_a_score_is_no_vector():
    tasks = {family.config: tasks_of(family) for family in FAMILIES}
    assert tasks[motionhub.MovementQualityConfig] == ["movement-quality"]
    assert tasks[motionhub.UnikConfig] == tasks[AgcnConfig] == UNIK_TASKS
    assert tasks[motionhub.UViConfig] == tasks[motionhub.ViClipConfig] == []


def test_a_tokenizer_beside_a_model_is_found_and_is_not_taken_for_the_processor(tmp_path):
    vocabulary = tmp_path / "vocabulary.txt.gz"
    vocabulary.write_bytes(gzip.compress(b"#version\nw a\nwa l\nwal k</w>\n"))
    motionhub.ViClipConfig().save_pretrained(tmp_path / "viclip")
    motionhub.VideoClipProcessor(num_frames=4).save_pretrained(tmp_path / "viclip")
    clip_tokenizer(vocabulary).save_pretrained(tmp_path / "viclip")
    for auto in (AutoProcessor, AutoFeatureExtractor, AutoVideoProcessor):
        assert auto.from_pretrained(tmp_path / "viclip").num_frames == 4
    assert AutoTokenizer.from_pretrained(tmp_path / "viclip")("walk")["input_ids"] == [515, 514, 516]
