"""A checkpoint meets a dataset: head, classes and joints fit, or the error says what to call."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from huggingface_hub.errors import StrictDataclassClassValidationError
from toy_training import CLASS_NAMES, toy_dataset, weights

from motionhub.auto import AutoModelForActionClassification
from motionhub.data.formats.schema import features
from motionhub.models.agcn import AgcnConfig
from motionhub.models.st_gcn import StGcnConfig
from motionhub.models.t_mor import TMorConfig, TMorForZeroShotActionClassification
from motionhub.models.unik import UnikConfig, UnikForActionClassification
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import RunArguments, TrainingRecipe
from motionhub.training.dataset import as_clips
from motionhub.training.start import prepare_model, prepare_start


def checkpoint(folder: Path, class_names: list[str], layout: str = "penn-13", joints: int = 13) -> Path:
    config = UnikConfig(
        layout=layout,
        num_joints=joints,
        num_people=1,
        channels=[8, 8],
        strides=[1, 1],
        num_heads=1,
        id2label=dict(enumerate(class_names)),
    )
    torch.manual_seed(1)
    UnikForActionClassification(config).save_pretrained(folder)
    SkeletonProcessor(layout=layout, num_people=1, normalization="none").save_pretrained(folder)
    return folder


def test_new_classes_get_a_new_head_on_the_same_backbone(tmp_path: Path) -> None:
    old = checkpoint(tmp_path, ["a", "b", "c", "d", "e"])
    before = weights(UnikForActionClassification.from_pretrained(old))
    model, processor = prepare_model(old, toy_dataset(4), AutoModelForActionClassification)
    assert model.config.num_labels == 3
    assert model.config.id2label == dict(enumerate(CLASS_NAMES))
    assert model.config.label2id == {name: index for index, name in enumerate(CLASS_NAMES)}
    assert model.classifier.weight.shape[0] == 3
    for name, value in weights(model).items():
        assert name.startswith("classifier") or np.array_equal(value, before[name])
    assert processor.layout == "penn-13"


def test_same_classes_keep_the_head_and_as_many_others_do_not(tmp_path: Path) -> None:
    same, others = checkpoint(tmp_path / "same", CLASS_NAMES), checkpoint(tmp_path / "others", ["x", "y", "z"])
    kept, _ = prepare_model(same, toy_dataset(4), AutoModelForActionClassification)
    assert np.array_equal(
        weights(kept)["classifier.weight"],
        weights(UnikForActionClassification.from_pretrained(same))["classifier.weight"],
    )
    renewed, _ = prepare_model(others, toy_dataset(4), AutoModelForActionClassification)
    old = weights(UnikForActionClassification.from_pretrained(others))
    assert not np.array_equal(weights(renewed)["classifier.weight"], old["classifier.weight"])
    assert np.isfinite(weights(renewed)["classifier.weight"]).all()
    assert all(
        np.array_equal(old[name], value) for name, value in weights(renewed).items() if "classifier" not in name
    )


def test_other_layout_is_converted_to_the_checkpoints(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, CLASS_NAMES, layout="coco-17", joints=17)
    model, processor = prepare_model(folder, toy_dataset(4), AutoModelForActionClassification)
    assert (model.config.num_joints, processor.layout) == (17, "coco-17")


def test_layout_of_the_dataset_needs_random_weights(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, CLASS_NAMES, layout="coco-17", joints=17)
    with pytest.raises(ValueError, match="mode='scratch'"):
        prepare_model(folder, toy_dataset(4), AutoModelForActionClassification, layout="dataset")
    model, processor = prepare_model(
        folder, toy_dataset(4), AutoModelForActionClassification, mode="scratch", layout="dataset"
    )
    assert (model.config.num_joints, model.config.layout, processor.layout) == (13, "penn-13", "penn-13")


@pytest.mark.parametrize("kind", [AgcnConfig, StGcnConfig])
def test_a_graph_of_the_datasets_own_layout_goes_with_the_model(kind: Any, tmp_path: Path) -> None:
    arms = SkeletonLayout("arms-3", ("neck", "left_hand", "right_hand"), (("left_hand", "neck"),), root="neck")
    rows = [
        to_row(SkeletonSequence(np.ones((1, 4, 3, 2)), arms, 30, "normalised"), label=label, clip_id=str(label))
        for label in (0, 1)
    ]
    dataset = Dataset.from_list(rows, features=features(["a", "b"]))
    kind(layout="penn-13", num_joints=13, in_channels=2, channels=[8, 8], strides=[1, 1]).save_pretrained(tmp_path)
    SkeletonProcessor(layout="penn-13", num_people=2, normalization="none").save_pretrained(tmp_path)
    model, processor = prepare_model(
        tmp_path, dataset, AutoModelForActionClassification, mode="scratch", layout="dataset"
    )
    model.save_pretrained(tmp_path / "saved")
    loaded = AutoModelForActionClassification.from_pretrained(tmp_path / "saved")
    assert get_layout(loaded.config.layout) == get_layout(processor.layout) == arms
    edges = loaded.encoder.graph.subsets.sum(0)
    assert edges[0, 1] > 0 and edges[1, 2] == edges[0, 2] == 0  # the right hand hangs on nothing
    with pytest.raises(
        StrictDataclassClassValidationError, match="Unknown layout 'mine.yaml'"
    ):  # a config from elsewhere opens no files
        kind(layout="mine.yaml")


def test_scratch_is_seeded_and_needs_no_weights(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, CLASS_NAMES)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="holds no weights"):
        prepare_model(folder, toy_dataset(4), AutoModelForActionClassification)
    models = [
        weights(prepare_model(folder, toy_dataset(4), AutoModelForActionClassification, mode="scratch", seed=seed)[0])
        for seed in (5, 5, 6)
    ]
    assert all(np.array_equal(value, models[1][name]) for name, value in models[0].items())
    assert not np.array_equal(models[0]["classifier.weight"], models[2]["classifier.weight"])


def test_weights_that_do_not_fit_below_the_head_are_an_error(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, CLASS_NAMES)
    config = UnikConfig.from_pretrained(folder)
    config.channels = [16, 16]
    config.save_pretrained(folder)
    with pytest.raises(ValueError, match="tensors below the head"):
        prepare_model(folder, toy_dataset(4), AutoModelForActionClassification)


def test_processor_that_cannot_read_the_data_says_what_to_do(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, CLASS_NAMES)
    SkeletonProcessor(layout="penn-13", num_people=1, normalization="screen").save_pretrained(folder)
    with pytest.raises(ValueError, match=r"cannot read this dataset \(layout 'penn-13'.*normalised.*layout='dataset'"):
        prepare_model(folder, toy_dataset(4), AutoModelForActionClassification)
    SkeletonProcessor(layout="coco-17", num_people=1, normalization="none").save_pretrained(folder)
    with pytest.raises(ValueError, match="num_joints=13, but its processor gives 17"):
        prepare_model(folder, toy_dataset(4), AutoModelForActionClassification)


def test_dataset_without_class_names_is_an_error(tmp_path: Path) -> None:
    from datasets import Value

    dataset = toy_dataset(4).cast_column("label", Value("int64"))
    with pytest.raises(ValueError, match="cast_column"):
        prepare_model(checkpoint(tmp_path, CLASS_NAMES), dataset, AutoModelForActionClassification)


def test_scratch_beside_weights_says_that_they_are_not_used(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, CLASS_NAMES)
    with pytest.warns(UserWarning, match="are not used; mode 'finetune' starts from them"):
        prepare_model(folder, toy_dataset(4), AutoModelForActionClassification, mode="scratch")


def test_recipe_of_another_layout_prepares_the_clips_in_the_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_folder = checkpoint(tmp_path / "model", ["a", "b"], layout="coco-17", joints=17)
    recipe_folder = tmp_path / "recipe"
    SkeletonProcessor(layout="penn-13", num_people=2, num_frames=5, normalization="none").save_pretrained(
        recipe_folder
    )
    arguments = RunArguments("data", str(model_folder), recipe=str(recipe_folder))
    recipe = TrainingRecipe(epochs=1)
    model, processor = prepare_start(arguments, recipe, toy_dataset(4), AutoModelForActionClassification)
    assert (processor.layout, processor.num_people, processor.num_frames) == ("coco-17", 1, 5)
    assert model.config.num_labels == 3
    before = weights(UnikForActionClassification.from_pretrained(model_folder))
    assert all(np.array_equal(before[name], value) for name, value in weights(model).items() if "encoder" in name)
    line = f"motionhub: mode finetune, from the weights of {model_folder}, recipe of {recipe_folder}.\n"
    assert line in capsys.readouterr().err


def test_the_recipe_says_what_training_changes_in_clips(tmp_path: Path) -> None:
    arguments = RunArguments("data", str(checkpoint(tmp_path, CLASS_NAMES)))
    recipe = TrainingRecipe(augmentation='{"scale_jitter": 0.5}')
    start = (arguments, recipe, toy_dataset(4), AutoModelForActionClassification)
    _, processor = prepare_start(*start)
    assert processor.augmentation.to_dict() == {"scale_jitter": 0.5}
    plain = type(processor).from_dict({**processor.to_dict(), "augmentation": {}})
    clips = {training: as_clips(toy_dataset(4), plain, recipe, None, training=training) for training in (True, False)}
    assert clips[True].processor.augmentation == processor.augmentation
    assert clips[False].processor is plain
    with pytest.raises(ValueError, match="did you mean scale_jitter"):
        prepare_start(arguments, recipe.replace(augmentation={"scale_jiter": 0.5}), *start[2:])


@pytest.mark.parametrize("with_weights", [True, False])
def test_of_a_model_around_an_encoder_the_encoder_is_trained(tmp_path: Path, with_weights: bool) -> None:
    from motionhub.auto import AutoModelForActionSegmentation

    inside = UnikConfig(layout="penn-13", num_joints=13, num_people=1, channels=[8, 8], strides=[1, 2], num_heads=1)
    config = TMorConfig(encoder_config=inside, projection_size=4, text_size=6, video_size=None)
    torch.manual_seed(2)
    whole = TMorForZeroShotActionClassification(config)
    (whole if with_weights else config).save_pretrained(tmp_path)
    SkeletonProcessor(layout="penn-13", num_people=1, normalization="none").save_pretrained(tmp_path)
    expected = weights(whole.t_mor.encoder)
    for model_class in (AutoModelForActionClassification, AutoModelForActionSegmentation):
        mode = "finetune" if with_weights else "scratch"
        model, processor = prepare_model(tmp_path, toy_dataset(4), model_class, mode=mode)
        assert processor.layout == "penn-13" and model.config.id2label == dict(enumerate(CLASS_NAMES))
        own = weights(model.base_model)
        assert own.keys() == expected.keys()
        assert all(np.array_equal(own[name], expected[name]) for name in own) == with_weights
