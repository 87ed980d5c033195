from pathlib import Path

import pytest

import motionhub
from motionhub.app.models import Models


@pytest.fixture(scope="session")
def models() -> Models:
    return Models()


@pytest.fixture(scope="session")
def wave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(
        motionhub.write(motionhub.generate("wave", seed=0), tmp_path_factory.mktemp("given") / "my wave ü.npz")
    )
