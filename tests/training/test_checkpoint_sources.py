"""A checkpoint that cannot be loaded says why in one line; one that can is loaded whole, never filled with noise."""

import shutil
from pathlib import Path

import pytest
import torch
from helpers import read_json, write_json
from toy_training import CLASS_NAMES

from motionhub.auto import AutoModelForActionClassification
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikModel
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.training.start import check_source, load_checkpoint


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(1)
    UnikForActionClassification(small_config()).save_pretrained(folder)
    SkeletonProcessor(layout="penn-13", num_people=1, normalization="none").save_pretrained(folder)
    return folder


def small_config() -> UnikConfig:
    sizes = {"num_joints": 13, "num_people": 1, "channels": [8, 8], "strides": [1, 1], "num_heads": 1}
    return UnikConfig(layout="penn-13", id2label=dict(enumerate(CLASS_NAMES)), **sizes)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "folder with space é")


def refused(folder: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        load_checkpoint(folder, AutoModelForActionClassification)
    assert "\n" not in str(caught.value)


def test_a_whole_checkpoint_loads_as_it_was_saved(folder: Path) -> None:
    model, processor = load_checkpoint(folder, AutoModelForActionClassification)
    same = UnikForActionClassification.from_pretrained(folder).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in model.state_dict().items())
    assert not model.training and processor.layout == "penn-13"


def test_no_folder_a_file_and_an_empty_folder_have_different_errors(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path / "absent", "no such folder")
    refused(folder / "config.json", "is a file")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "config.json: cannot be read")
    check_source("motionhub/unik-of-the-hub")  # only the Hub knows


def test_folder_without_weights_names_the_conversion_and_is_enough_for_scratch(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refused(folder, "holds no weights.*conversion/unik.py")
    check_source(folder, weights=False)


@pytest.mark.parametrize("size", [0, 4, 500])
def test_weights_cut_off_are_corrupt(folder: Path, size: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    refused(folder, "model.safetensors: is corrupt or truncated")


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", ["{", "[1, 2]", "\x00"])
def test_broken_json_names_the_file(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    refused(folder, f"{name}: (not valid JSON|expected a JSON object)")


def test_a_wrong_field_of_the_processor_is_named(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    write_json(path, {**read_json(path), "layout": "pen-13"})
    refused(folder, "Did you mean 'penn-13'")


def test_weights_of_another_shape_and_a_head_that_is_absent_are_refused(folder: Path) -> None:
    path = folder / "config.json"
    content = read_json(path)
    write_json(path, {**content, "channels": [8, 16]})
    refused(folder, "do not fill a UnikForActionClassification")
    write_json(path, content)
    UnikModel(small_config()).save_pretrained(folder)
    refused(folder, r"2 tensors are missing or have another shape \(classifier.bias, classifier.weight\)")
