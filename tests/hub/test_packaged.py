"""Packaged checkpoints load by id without network, cache or repository; what is broken is reported in one line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import transformers.utils.hub
from helpers import printed_first, read_json, write_json
from huggingface_hub import HfApi
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor, pipeline

import motionhub
from motionhub.cli.main import main
from motionhub.data.synthetic.generate import generate
from motionhub.hub import packaged
from motionhub.hub.packaged import folder_of, model_id, packaged_folder, packaged_names, similar_ids
from motionhub.hub.push import push
from motionhub.training.start import parse_training


CONFIGS = Path(__file__).resolve().parents[2] / "hub_configs"
NAMES = sorted(path.parent.name for path in CONFIGS.glob("*/config.json"))
WITH_WEIGHTS = ["cv-mim-small", "tmor-open", "tmor-small", "u-vi-small"]
WITH_WEIGHTS += ["unik-daily-small", "unik-nucla-small", "unik-nucla-tiny", "unik-precog-small"]
RECIPES = [name for name in NAMES if name not in WITH_WEIGHTS]
SMALL = "motionhub/unik-nucla-small"

# A file stands where the cache would be, and whoever opens a connection or asks for an address is written down.
ELSEWHERE = """
import socket, sys
asked = []
def refused(*arguments, **options):
    asked.append(arguments)
    raise OSError("no network here")
socket.getaddrinfo = socket.socket.connect = refused

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor, pipeline
import motionhub, motionhub.cli.main
from motionhub.data.synthetic.generate import generate

AutoConfig.from_pretrained("motionhub/unik-posetics")
for kind in (AutoFeatureExtractor, AutoProcessor, motionhub.SkeletonProcessor):
    kind.from_pretrained("motionhub/unik-posetics")
AutoModel.from_pretrained("motionhub/tmor-small")
motionhub.UnikModel.from_pretrained("motionhub/unik-nucla-small")
motionhub.AutoModelForActionSegmentation.from_pretrained("motionhub/unik-precog-small")
clip = generate("sit down", seed=3)
name = pipeline("zero-shot-action-classification", model="motionhub/tmor-small")
print(name(clip, candidate_labels=["wave", "sit down"])[0]["scores"][0]["label"])
print(pipeline(model="motionhub/unik-nucla-small")(clip)[0]["scores"][0]["label"])
motionhub.write(clip, "clip.npz")
for words in (["--labels", "wave, sit down"], ["--model", "tmor-small", "--labels", "wave, sit down"]):
    assert motionhub.cli.main.main(["predict", "clip.npz", *words]) == 0
assert motionhub.cli.main.main(["predict", "clip.npz", "--model", "unik-nucla-small"]) == 0
print(asked)
"""


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """The folder of the packaged unik-nucla-small, of which a test may break a file."""
    root = tmp_path / "hub_configs"
    for name in ("tmor-small", "unik-nucla-small"):
        shutil.copytree(CONFIGS / name, root / name)
    monkeypatch.setattr(packaged, "_PLACES", (root,))
    return root / "unik-nucla-small"


def one_line(call, *arguments, error=OSError):
    with pytest.raises(error) as caught:
        call(*arguments)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# It works.


@pytest.mark.slow
def test_packaged_ids_load_in_an_empty_folder_without_a_network_or_a_cache(tmp_path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "empty"
    folder.mkdir()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    variables |= {"HF_HOME": str(tmp_path / "file" / "home"), "PYTHONPATH": str(Path(motionhub.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, env=variables, cwd=folder)
    assert run.returncode == 0, run.stderr[-3000:]
    said = run.stdout.splitlines()
    assert (said[:2], said[-1]) == (["sit down", "sit down"], "[]")
    assert [path.name for path in folder.iterdir()] == ["clip.npz"]


def test_every_folder_of_hub_configs_is_packaged():
    assert packaged_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_config_and_processor_load_by_id_as_by_folder(name):
    for auto_class in (AutoConfig, AutoFeatureExtractor, AutoProcessor):
        by_id, by_folder = (auto_class.from_pretrained(place) for place in (f"motionhub/{name}", CONFIGS / name))
        assert type(by_id) is type(by_folder)
        assert {**by_id.to_dict(), "_name_or_path": ""} == {**by_folder.to_dict(), "_name_or_path": ""}


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_weights_load_by_id_as_by_folder(name):
    by_id = AutoModel.from_pretrained(f"motionhub/{name}").state_dict()
    by_folder = AutoModel.from_pretrained(CONFIGS / name).state_dict()
    assert by_id and all(by_id[key].equal(value) for key, value in by_folder.items())


def test_a_local_folder_of_the_same_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    motionhub.UnikConfig(num_labels=3).save_pretrained("motionhub/tmor-small")
    assert packaged_folder("motionhub/tmor-small") is None
    assert AutoConfig.from_pretrained("motionhub/tmor-small").num_labels == 3
    (tmp_path / "unik-penn").mkdir()
    assert model_id("unik-penn") == "unik-penn"


@pytest.mark.parametrize(
    "source", ["motionhub/no-such-model", "other/tmor-small", "motionhub/../tmor-small", "motionhub/", ""]
)
def test_other_ids_are_not_packaged(source):
    assert packaged_folder(source) is None and model_id(source) == source and folder_of(source) == Path(source)


def test_recipes_are_found_by_name_as_by_folder():
    words = ["--dataset", "n-ucla", "--output_dir", "runs/x", "--model"]
    named = parse_training([*words, "unik-nucla-small", "--recipe", "unik-penn"], "")
    placed = parse_training([*words, str(CONFIGS / "unik-nucla-small"), "--recipe", str(CONFIGS / "unik-penn")], "")
    assert named[1] == placed[1]
    assert named[0].model == SMALL
    assert folder_of("unik-penn") == folder_of("motionhub/unik-penn") == CONFIGS / "unik-penn"


# The Hub is asked when the caller wants it.


@pytest.fixture
def newer(hub, tmp_path):
    """The id of a packaged checkpoint that the Hub has, too, with another first class; and its commit there."""
    folder = shutil.copytree(CONFIGS / "unik-nucla-small", tmp_path / "newer")
    config = read_json(folder / "config.json")
    config["id2label"]["0"] = "newer"
    config["label2id"] = {name: int(number) for number, name in config["id2label"].items()}
    write_json(folder / "config.json", config)
    push(folder, SMALL)
    return HfApi().model_info(SMALL).sha


def first_label(**options):
    return AutoConfig.from_pretrained(SMALL, **options).id2label[0]


def test_the_hub_is_asked_for_a_revision_or_a_download_and_else_not(newer):
    assert first_label() == first_label(revision="main") == "pick up with one hand"
    assert first_label(revision=newer) == first_label(force_download=True) == "newer"
    assert first_label() == "pick up with one hand"  # also now that the cache has the newer one
    model = pipeline("action-classification", model=SMALL, revision=newer, device="cpu").model
    assert model.config.id2label[0] == "newer"


def test_a_revision_that_the_hub_lacks_is_its_error(newer):
    with pytest.raises(OSError, match="no-such-revision is not a valid git identifier"):
        AutoModel.from_pretrained(SMALL, revision="no-such-revision")


def test_transformers_finds_files_through_the_two_names_that_are_replaced():
    hub = transformers.utils.hub
    changed = "transformers.utils.hub has changed: motionhub.hub.packaged.answer_packaged_ids must follow it"
    assert hub.cached_files.__module__ == packaged.__name__, changed
    for function, name in ((hub.cached_file, "cached_files"), (hub.resolve_revision, "hf_api"), (hub.hf_api, "HfApi")):
        assert function.__globals__ is vars(hub) and name in function.__code__.co_names, changed
    assert type(hub.hf_api()).__name__ == "PackagedApi", changed


# Bad input.


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_without_weights_says_why_and_how_to_make_them(name):
    said = one_line(AutoModel.from_pretrained, f"motionhub/{name}")
    assert said.startswith(f"motionhub/{name} has no weights: ")
    assert "python conversion/" in said or "python examples/" in said
    assert "hub_configs" not in said.partition("python ")[2]


def test_a_pipeline_and_the_command_line_say_the_same_of_a_recipe(tmp_path, capsys):
    said = one_line(pipeline, "action-classification", "motionhub/unik-posetics")
    assert "linked from https://github.com/YangDi666/UNIK" in said
    assert "python conversion/unik.py WEIGHTS.pt unik-posetics --like motionhub/unik-posetics" in said
    motionhub.write(generate("wave", seed=1), tmp_path / "clip.npz")
    assert main(["predict", str(tmp_path / "clip.npz"), "--model", "unik-posetics"]) == 2
    assert capsys.readouterr().err == f"motionhub: {said}\n"
    words = ["--labels", "wave, walk", "--video_tower", "viclip-b-16"]
    assert main(["predict", str(tmp_path / "clip.npz"), *words]) == 2
    error = capsys.readouterr().err
    assert "motionhub/viclip-b-16 has no weights" in error and error.count("\n") == 1


def test_weights_that_are_cut_off_are_one_line_with_the_fix(damaged, tmp_path, capsys):
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    for call in (AutoModel.from_pretrained, lambda source: pipeline("action-classification", model=source)):
        said = one_line(call, SMALL)
        assert str(weights) in said and "pip install --force-reinstall" in said
    motionhub.write(generate("wave", seed=1), tmp_path / "clip.npz")
    assert main(["predict", str(tmp_path / "clip.npz"), "--model", "unik-nucla-small"]) == 2
    error = capsys.readouterr().err
    assert str(weights) in error and error.count("\n") == 1


@pytest.mark.parametrize("text", ['{"model_type": ', "", "\x00\x01"])
def test_a_damaged_config_is_one_line_with_the_fix(damaged, text):
    (damaged / "config.json").write_text(text)
    for call in (AutoConfig.from_pretrained, AutoModel.from_pretrained):
        said = one_line(call, SMALL)
        assert str(damaged / "config.json") in said and "pip install --force-reinstall" in said


@pytest.mark.parametrize("options", [{"variant": "fp16"}, {"use_safetensors": False}])
def test_weights_of_another_kind_are_not_packaged(options):
    assert "packaged as model.safetensors" in one_line(lambda: AutoModel.from_pretrained(SMALL, **options))


def test_an_unknown_id_names_similar_ones(hub):
    said = one_line(AutoModel.from_pretrained, "motionhub/tmor-smal")
    assert "the Hub does not know it; did you mean motionhub/tmor-small" in said
    said = one_line(AutoModel.from_pretrained, "motionhub/xyz")
    assert f"packaged are {', '.join(NAMES)}." in said


def test_an_unknown_id_of_others_is_the_hub_s_error(hub):
    with pytest.raises(OSError, match="owner/tmor-smal is not a local folder"):
        AutoModel.from_pretrained("owner/tmor-smal")


def test_a_misspelt_name_is_reported_on_the_command_line_without_asking_the_hub(tmp_path, capsys):
    motionhub.write(generate("wave", seed=1), tmp_path / "clip.npz")
    assert main(["predict", str(tmp_path / "clip.npz"), "--model", "tmor-smal"]) == 2
    error = capsys.readouterr().err
    assert "did you mean motionhub/tmor-small" in error and error.count("\n") == 1
    assert similar_ids("tmor-smal")[0] == "motionhub/tmor-small"
    with pytest.raises(ValueError, match="Did you mean motionhub/unik-penn "):
        motionhub.TrainingRecipe.from_file("unik-pen")


FIRST_LOOKUPS = [
    "AutoConfig.from_pretrained('motionhub/tmor-small')",
    "AutoModel.from_pretrained('motionhub/unik-nucla-small')",
    "AutoFeatureExtractor.from_pretrained('motionhub/unik-nucla-small')",
    "AutoProcessor.from_pretrained('motionhub/unik-nucla-small')",
    "pipeline('action-classification', model='motionhub/unik-nucla-small')",
    "motionhub.UnikModel.from_pretrained('motionhub/unik-nucla-small')",
]


@pytest.mark.parametrize("imports", ["import motionhub, transformers", "import transformers.pipelines, motionhub"])
def test_a_packaged_id_is_found_by_whatever_looks_for_it_first_in_a_new_process(tmp_path, imports):
    looks = []
    for lookup in FIRST_LOOKUPS:
        name = re.split(r"[.(]", lookup)[0]
        named = "" if name == "motionhub" else f"from transformers import {name}; "
        looks.append(f"{named}{lookup}; print('found')")
    no_network = "import socket; socket.socket.connect = None  # whoever calls it fails"
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    printed = printed_first(f"{imports}\n{no_network}", looks, env=environment, cwd=tmp_path)
    assert [lines[-1] for lines in printed] == ["found"] * len(looks), printed
