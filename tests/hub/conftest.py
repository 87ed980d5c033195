"""A Hub of our own to push to and load from, and the things that are pushed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers import write_json
from loopback_hub import TOKEN, LoopbackHub


@contextmanager
def connect(hub: LoopbackHub, cache: Path) -> Iterator[pytest.MonkeyPatch]:
    """Within the block huggingface_hub, transformers and datasets use this hub and this empty cache; then as before.

    They read environment variables when they are imported, so their constants are replaced (and HF_HUB_OFFLINE, which
    the test suite sets, is switched off). The `MonkeyPatch` takes further changes, which end with the block too.
    """
    import datasets.config
    import huggingface_hub
    import transformers.utils.hub
    from huggingface_hub import constants

    for_all = {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
    }
    for_all |= {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True, "HF_HUB_DISABLE_TELEMETRY": True}
    for_all |= {"HF_HUB_CACHE": str(cache / "hub")}
    for_rows = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": False, "HF_DATASETS_CACHE": cache / "datasets"}
    for_rows |= {"DOWNLOADED_DATASETS_PATH": cache / "downloads", "EXTRACTED_DATASETS_PATH": cache / "extracted"}
    for_rows |= {"USE_PARQUET_EXPORT": False, "HF_UPDATE_DOWNLOAD_COUNTS": False}  # both ask other servers
    with pytest.MonkeyPatch.context() as patch:
        for module, values in ((constants, for_all), (datasets.config, for_rows)):
            for name, value in values.items():
                patch.setattr(module, name, value)
        patch.setattr(transformers.utils.hub, "_hf_api", None)  # it keeps the address of its first use
        patch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)  # behind huggingface_hub.create_repo and others
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setenv("NO_PROXY", "127.0.0.1")
        huggingface_hub.close_session()  # the next session reads NO_PROXY
        try:
            yield patch
        finally:
            huggingface_hub.close_session()
            huggingface_hub.HfFileSystem.clear_instance_cache()


@pytest.fixture
def connected() -> Callable[[LoopbackHub, Path], AbstractContextManager[pytest.MonkeyPatch]]:
    return connect


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    """An empty hub that every Hub library uses during the test, with empty caches."""
    with LoopbackHub() as server, connect(server, tmp_path / "cache"):
        yield server


@pytest.fixture(scope="module")
def nucla_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips as the authors of N-UCLA write them: ten classes, subjects 1 and 2, views 1 to 3, a missing joint each."""
    folder = tmp_path_factory.mktemp("nucla")
    for subject in (1, 2):
        for view in (1, 2, 3):
            for label in range(1, 11):
                points = np.random.default_rng(100 * subject + 10 * view + label).normal(size=(4, 20, 3))
                points[label % 4, 2 * label - 1] = 0  # exactly at the origin: missing
                name = f"a{label:02d}_s{subject:02d}_e00_v{view:02d}"
                clip = {"file_name": name, "skeletons": points.tolist(), "label": label}
                write_json(folder / f"{name}.json", clip)
    return folder
