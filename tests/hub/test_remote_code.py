"""A saved folder loads where motionhub was never imported, however often and by whatever class it was saved again."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from helpers import read_json, write_json
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

import motionhub
import motionhub.auto
from motionhub.auto import FAMILIES
from motionhub.hub.remote_code import MODULE, SHIM


MODEL_MAP = {
    "AutoConfig": "motionhub_remote.UnikConfig",
    "AutoModel": "motionhub_remote.UnikModel",
    "AutoModelForActionClassification": "motionhub_remote.UnikForActionClassification",
    "AutoModelForActionSegmentation": "motionhub_remote.UnikForActionSegmentation",
}
PROCESSOR_MAP = {"AutoFeatureExtractor": "motionhub_remote.SkeletonProcessor"}


def config(**fields):
    sizes = {"channels": [4], "strides": [1], "num_heads": 1, "first_block_heads": 1, "num_labels": 12}
    return motionhub.UnikConfig(**(sizes | fields))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    motionhub.UnikForActionClassification(config()).save_pretrained(tmp_path / "model")
    motionhub.SkeletonProcessor(num_frames=7).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def auto_map(folder, name="config.json"):
    return read_json(folder / name)["auto_map"]


def run_python(code, tmp_path, **environment):
    """In a process of its own, offline, with a cache of its own."""
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=120)


def test_every_auto_class_of_the_table_is_named_whatever_class_was_saved(folder):
    assert auto_map(folder) == MODEL_MAP
    assert auto_map(folder, "preprocessor_config.json") == PROCESSOR_MAP
    assert (folder / f"{MODULE}.py").read_text() == SHIM.read_text()


def test_the_shim_finds_every_class_that_any_auto_map_names(tmp_path):
    for family in FAMILIES:
        config_class, processor_class = family.config, family.processor
        maps = [config_class.to_json_file.auto_map, processor_class.to_json_file.auto_map]
        assert {auto.__name__ for auto in family.models} <= set(maps[0])
        for reference in [*maps[0].values(), *maps[1].values()]:
            module, _, name = reference.partition(".")
            assert module == MODULE and isinstance(getattr(motionhub.auto, name), type)


def test_labels_keep_their_order_and_the_config_reads_back(folder):
    saved = list(read_json(folder / "config.json")["id2label"])
    assert saved == [str(number) for number in range(12)]
    loaded = AutoConfig.from_pretrained(folder).to_dict()
    assert {key: loaded[key] for key in config().to_dict()} == {
        **config().to_dict(), "architectures": loaded["architectures"], "dtype": loaded["dtype"],
        "_name_or_path": loaded["_name_or_path"],
    }  # fmt: skip


def test_foreign_stale_and_nested_entries_do_not_survive_saving_again(folder, tmp_path):
    path = folder / "config.json"
    content = read_json(path)
    content["auto_map"] = {"AutoModel": "someone/else--modeling.Old", "AutoModelForGone": "modeling.Gone"}
    content["teacher"] = {"auto_map": {"AutoConfig": "someone/else--configuration.Old"}, "width": 3}
    write_json(path, content)
    AutoModel.from_pretrained(folder, trust_remote_code=False).save_pretrained(tmp_path / "again")
    AutoFeatureExtractor.from_pretrained(folder).save_pretrained(tmp_path / "again")
    again = read_json(tmp_path / "again" / "config.json")
    assert again["auto_map"] == MODEL_MAP
    assert again["teacher"] == {"width": 3}
    assert auto_map(tmp_path / "again", "preprocessor_config.json") == PROCESSOR_MAP


TRAIN_AND_SAVE = """
import sys
from transformers import AutoFeatureExtractor, AutoModel
import transformers.models.auto

folder, again = sys.argv[1:]
assert "motionhub" not in sys.modules
encoder = AutoModel.from_pretrained(folder, trust_remote_code=True)
processor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=True)
print(type(encoder).__module__, type(encoder).__name__, type(processor).__name__, processor.num_frames)

import torch
from motionhub import AutoModelForActionSegmentation
optimizer = torch.optim.SGD(encoder.parameters(), 0.1)
clip = torch.randn(2, 2, 5, 17, 2)
encoder.train()(clip).last_hidden_state.square().mean().backward()
optimizer.step()
encoder.save_pretrained(again)
AutoModelForActionSegmentation.from_pretrained(again, trust_remote_code=True).save_pretrained(again)
processor.save_pretrained(again)
"""


def test_loads_without_import_and_stays_right_after_training_and_a_change_of_class(folder, tmp_path):
    script, again = tmp_path / "train.py", tmp_path / "again"
    script.write_text(TRAIN_AND_SAVE)
    code = f"import sys; sys.argv = ['train', {str(folder)!r}, {str(again)!r}]; exec(open({str(script)!r}).read())"
    run = run_python(code, tmp_path)
    assert run.stdout.split() == ["motionhub.models.unik", "UnikModel", "SkeletonProcessor", "7"], run.stderr
    assert auto_map(again) == MODEL_MAP
    assert auto_map(again, "preprocessor_config.json") == PROCESSOR_MAP
    names = {"config.json", "model.safetensors", "preprocessor_config.json", f"{MODULE}.py"}
    assert {path.name for path in again.iterdir()} == names
    assert type(AutoModel.from_pretrained(again)) is motionhub.UnikModel


def test_without_the_library_the_error_is_the_line_that_installs_it(folder, tmp_path):
    code = (
        "import sys; sys.modules['motionhub'] = None\n"
        "from transformers import AutoModel\n"
        f"AutoModel.from_pretrained({str(folder)!r}, trust_remote_code=True)"
    )
    run = run_python(code, tmp_path)
    assert run.returncode != 0
    assert "pip install motionhub" in run.stderr.splitlines()[-1]


def test_a_class_that_this_version_lacks_says_to_upgrade():
    shim = types.ModuleType(MODULE)
    exec(SHIM.read_text(), vars(shim))
    assert shim.UnikModel is motionhub.UnikModel
    with pytest.raises(AttributeError, match="has no FutureModel.*pip install --upgrade motionhub"):
        shim.FutureModel  # noqa: B018


def test_the_shim_imports_nothing_of_the_repository_it_lies_in():
    assert "from ." not in SHIM.read_text() and str(Path(__file__).resolve().parents[2]) not in SHIM.read_text()
