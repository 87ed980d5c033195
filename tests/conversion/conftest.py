"""The conversion scripts as modules, and the hand-made official weights of the model tests."""

import importlib.util
import sys
from pathlib import Path

import pytest


TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS.parent / "conversion"))  # official_weights, which the scripts share
sys.path.insert(0, str(TESTS / "models"))  # official_unik: names, shapes and fill of the official state dict


@pytest.fixture(scope="session")
def script():
    """conversion/unik.py, imported."""
    spec = importlib.util.spec_from_file_location("conversion_unik", TESTS.parent / "conversion" / "unik.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
