"""A training state that is cut, absent or of strangers is refused in one line that names the file."""

import json
import os
import pickle
import shutil

import pytest
from toy_training import toy_recipe, toy_run

from motionhub.training.checkpoints import CheckpointError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    toy_run(toy_recipe(folder, epochs=1))
    return folder


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


class Runs:
    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def refused(run, name):
    with pytest.raises(ValueError) as caught:
        toy_run(toy_recipe(run, epochs=2))
    line = str(caught.value)
    assert f"{run / 'last' / 'state' / name}: the training state is damaged" in line and "\n" not in line, line
    assert "resume" in line and len(line) < 900


@pytest.mark.parametrize("how", ["absent", "cut", "code", "other"])
def test_random_states_are_never_left_out_silently(run, tmp_path, how):
    (path,) = (run / "last" / "state").glob("random_states_*.pkl")
    if how == "absent":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    else:
        path.write_bytes(pickle.dumps(Runs(tmp_path / "ran") if how == "code" else {"step": 1}))
    refused(run, path.name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["optimizer.bin", "scheduler.bin", "model.safetensors"])
def test_a_file_of_a_state_that_is_cut_is_named(run, name):
    path = run / "last" / "state" / name
    path.write_bytes(path.read_bytes()[:-30])
    refused(run, name)


@pytest.mark.parametrize("content", ['{"progress": {"ep', "[]", '{"progress": {"evil": 1}}', "[" * 5000])
def test_a_damaged_progress_file_is_named(run, content):
    (run / "last" / "state" / "progress.json").write_text(content)
    refused(run, "progress.json")


def test_a_whole_state_is_resumed(run):
    _, result = toy_run(toy_recipe(run, epochs=2))
    progress = json.loads((run / "last" / "state" / "progress.json").read_text())["progress"]
    assert progress["epoch"] == 2 and result is not None


def test_the_error_of_a_checkpoint_has_no_number_before_it():
    assert str(CheckpointError(28, "Could not save")) == "Could not save"
