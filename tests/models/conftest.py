"""Fixtures of the model tests."""

import importlib.util
import sys
from pathlib import Path

import pytest


CONVERSION = Path(__file__).resolve().parents[2] / "conversion"
sys.path.insert(0, str(CONVERSION))  # official_weights, which the scripts share


def conversion_script(name: str):
    """conversion/NAME.py, imported."""
    spec = importlib.util.spec_from_file_location(f"conversion_{name}", CONVERSION / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def viclip():
    """conversion/viclip.py."""
    return conversion_script("viclip")


@pytest.fixture(scope="session")
def pyslowfast():
    """conversion/pyslowfast.py."""
    return conversion_script("pyslowfast")
