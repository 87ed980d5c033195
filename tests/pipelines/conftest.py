"""Checkpoints shared by the pipeline tests."""

from pathlib import Path

import pytest
from helpers import write_json
from small_checkpoints import PROBABILITIES, motion, save, save_constant


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> str:
    return save(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def constant_checkpoint(tmp_path_factory) -> str:
    return save_constant(tmp_path_factory.mktemp("constant"), PROBABILITIES)


@pytest.fixture
def nucla_file(tmp_path) -> Path:
    """A clip as the authors of N-UCLA write it."""
    clip = motion(12, seed=3)
    path = tmp_path / "a01_s01_e00_v01.json"
    write_json(path, {"file_name": path.stem, "skeletons": clip.keypoints[0].tolist(), "label": 1})
    return path
