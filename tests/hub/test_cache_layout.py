"""`hub/cache.py` writes private layouts: here they are compared with what huggingface_hub and datasets write.

When this fails after an upgrade of one of the two, bundles no longer install for that version: change `hub/cache.py`.
"""

import os
import shutil
from pathlib import Path

import pytest
from datasets import load_dataset
from huggingface_hub import HfApi, scan_cache_dir, snapshot_download

from motionhub.data.build.build import save_dataset
from motionhub.hub.bundle import create_bundle, install_bundle
from motionhub.hub.push import push


pytestmark = [
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*must not leave your institution:UserWarning"),
]

SMALL = Path(__file__).resolve().parents[2] / "hub_configs" / "unik-nucla-small"
MODEL, ROWS = "somebody/unik-small", "motionhub/n-UCLA"
# What huggingface_hub keeps beside the files: locks, lists of a repository's files, a mark for backup programs.
ITS_OWN = {".locks", "trees", "CACHEDIR.TAG", ".no_exist"}


def tree(folder):
    """Path -> where a link leads, what a ref says, or the file's bytes."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if ITS_OWN & {*name.parts} or (path.is_dir() and not path.is_symlink()):
            continue
        found[name.as_posix()] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found


@pytest.fixture
def caches(hub, nucla_folder, tmp_path):
    """The caches that the libraries filled, and those that a bundle of the same repositories fills."""
    rows = save_dataset("n-ucla", nucla_folder, tmp_path / "rows")
    push(SMALL, MODEL)
    HfApi().create_repo(ROWS, repo_type="dataset")
    HfApi().upload_folder(repo_id=ROWS, repo_type="dataset", folder_path=rows)
    snapshot_download(MODEL)
    snapshot_download(ROWS, repo_type="dataset")
    create_bundle(tmp_path / "x.tar", [MODEL], [ROWS], include_closed=True)
    for config in ("cross-subject", "cross-view"):
        load_dataset(ROWS, config)
    hub.stop()
    install_bundle(tmp_path / "x.tar", cache_dir=tmp_path / "home")
    return tmp_path / "cache", tmp_path / "home"


def test_both_caches_are_laid_out_as_the_libraries_do(caches):
    theirs, ours = caches
    downloaded = tree(theirs / "hub")
    assert any(name.endswith("/refs/main") for name in downloaded) and any("/blobs/" in name for name in downloaded)
    assert tree(ours / "hub") == downloaded
    assert not scan_cache_dir(ours / "hub").warnings

    def arrow(home):  # config/version/hash/file; the hash is another one
        paths = [path.relative_to(home / "datasets") for path in (home / "datasets").rglob("*") if path.is_file()]
        return {(*path.parts[:-2], path.name) for path in paths if path.suffix in (".arrow", ".json")}

    configs = {"cross-subject", "cross-view"}
    assert {each for each in arrow(ours) if each[1] in configs} == arrow(theirs) != set()


def test_a_repository_that_is_there_is_added_to_not_replaced(caches, tmp_path):
    _, home = caches
    complete = tree(home / "hub")
    (repository,) = [path for path in (home / "hub").iterdir() if path.name.startswith("models--")]
    (snapshot,) = (repository / "snapshots").iterdir()
    (snapshot / "config.json").unlink()
    (snapshot / "mine.txt").write_text("mine")
    shutil.rmtree(home / "datasets")
    install_bundle(tmp_path / "x.tar", cache_dir=home)
    assert (snapshot / "mine.txt").read_text() == "mine"
    (snapshot / "mine.txt").unlink()
    assert tree(home / "hub") == complete
