"""A checkpoint that cannot be loaded says why in one line; one that can is loaded whole, never filled with noise."""

import pickle
import shutil
import time
from pathlib import Path

import pytest
import torch
from helpers import read_json, write_json
from toy_training import CLASS_NAMES

from motionhub.auto import AutoModelForActionClassification
from motionhub.hub import reachable
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikModel
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.training.sources import check_source, load_checkpoint


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


def test_no_folder_a_file_and_an_empty_folder_have_different_errors(folder: Path, tmp_path: Path, monkeypatch) -> None:
    refused(tmp_path / "absent", "no such folder")
    refused(folder / "config.json", "is a file")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "config.json: cannot be read")
    monkeypatch.setattr(reachable, "why_unreachable", lambda endpoint: "")
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


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("preprocessor_config.json", "num_frames", 10**9),
        ("preprocessor_config.json", "test_num_frames", 10**9),
        ("preprocessor_config.json", "num_people", 10**9),
        ("preprocessor_config.json", "fps", 1e300),
        ("preprocessor_config.json", "fps", 1e12),
        ("preprocessor_config.json", "fps", "30"),
        ("preprocessor_config.json", "num_frames", True),
        ("config.json", "num_labels", 10**9),
        ("config.json", "num_joints", 2**63),
        ("config.json", "channels", [8, 10**9]),
        ("config.json", "id2label", "x"),
        ("config.json", "id2label", {"x": "wave"}),
        ("config.json", "id2label", {"0": 5}),
        ("config.json", "dtype", "evil"),
        ("config.json", "layout", {"joints": []}),
    ],
)
def test_a_number_or_name_that_no_checkpoint_has_is_one_line_with_file_and_field(folder, file, field, value) -> None:
    write_json(folder / file, {**read_json(folder / file), field: value})
    refused(folder, rf"{file}: {field}: expected ")


def test_people_and_frames_are_limited_together(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    write_json(path, {**read_json(path), "num_frames": 100_000, "num_people": 200})
    refused(folder, "num_frames: 200 people in 100000 frames")


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_deep_json_in_a_checkpoint_is_one_line(folder: Path, file: str) -> None:
    (folder / file).write_text("[" * 5000)
    refused(folder, rf"{file}: not valid JSON")


def test_weights_with_code_are_one_line_and_it_is_not_run(folder: Path, tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Runs()}))
    refused(folder, "hold code, which is not run")
    assert not (tmp_path / "ran").exists()


def test_a_mistyped_folder_is_said_at_once_and_what_it_may_mean(folder: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub_configs").mkdir()
    folder.rename(tmp_path / "hub_configs" / "unik-mine")
    monkeypatch.setattr(reachable, "why_unreachable", lambda endpoint: pytest.fail("the Hub was asked"))
    for typed in ("hub_config/unik-mine", "hub_configs/unik-mien", "hub_config/unikmine"):
        refused(Path(typed), f"{typed}: no such folder.*did you mean hub_configs/unik-mine")


def test_an_unreachable_hub_is_one_line_in_seconds(monkeypatch) -> None:
    monkeypatch.setattr(reachable.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(reachable.constants, "ENDPOINT", "http://127.0.0.1:9")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    started = time.monotonic()
    refused(Path("somebody/nothing"), "no such folder, not in the cache .*unreachable .*refused")
    assert time.monotonic() - started < 10
    monkeypatch.setattr(reachable.socket, "create_connection", lambda *_, **__: time.sleep(60))
    assert reachable.why_unreachable("https://example.org", timeout=0.2) == "no answer in 0.2 s"
