"""How tests of the claims get their scripts."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


CLAIMS = Path(__file__).resolve().parents[2] / "benchmarks" / "claims"


@pytest.fixture(scope="session")
def load_claim() -> Callable[[str], ModuleType]:
    """Runs a script of benchmarks/claims as a module of another name; conversion/ has scripts called alike."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"claim_{name}", CLAIMS / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(CLAIMS)  # the scripts import each other
            spec.loader.exec_module(module)
        return module

    return load
