"""The Hugging Face cache on disk: finds what was downloaded, and adds repositories as if they had been.

`hub/` holds per repository `blobs/` (contents), `snapshots/COMMIT/` (links to blobs) and `refs/` (branch -> commit);
`datasets/` holds the Arrow files that `datasets` reads when it must not ask the Hub. It does not know archives.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from motionhub.hub.manifest import BundledFile, BundledRepository


# What the Hub stores as large files, whatever their size; for those a blob is called by its SHA-256.
LARGE_SUFFIXES = (".safetensors", ".parquet", ".bin", ".pt", ".npz", ".npy", ".png", ".zip", ".gz", ".zst")
LARGE_BYTES = 10 * 2**20


@dataclass(frozen=True)
class CacheFolders:
    """Where the two caches are."""

    hub: Path
    datasets: Path


def cache_folders(home: str | Path | None = None) -> CacheFolders:
    """Those below `home` (what HF_HOME names), or those that the libraries use now; absolute, for links lead there."""
    if home is not None:
        home = Path(home).absolute()
        return CacheFolders(home / "hub", home / "datasets")
    import datasets.config

    return CacheFolders(Path(constants.HF_HUB_CACHE).absolute(), Path(datasets.config.HF_DATASETS_CACHE).absolute())


def find_snapshot(cache: CacheFolders, repo_id: str, kind: str, revision: str) -> tuple[str, Path]:
    """Commit and folder of a repository in the cache. Raises ValueError saying how to get it there."""
    folder = cache.hub / repo_folder_name(repo_id=repo_id, repo_type=kind)
    ref = folder / "refs" / revision
    commit = ref.read_text().strip() if ref.is_file() else revision
    snapshot = folder / "snapshots" / commit
    if len(commit) != 40 or not snapshot.is_dir():
        option = "" if kind == "model" else f"--repo-type {kind} "
        raise ValueError(
            f"{repo_id}@{revision} is not in {cache.hub}; `hf download {option}{repo_id}` puts it there, or give the "
            f"folder that holds it: {repo_id}=FOLDER."
        )
    return commit, snapshot


def describe_file(path: Path, name: str) -> BundledFile:
    """Size and hashes of one file; a file of the cache keeps the name of its blob."""
    size, sha256, git = path.stat().st_size, hashlib.sha256(), hashlib.sha1()
    git.update(b"blob %d\0" % size)
    with path.open("rb") as content:
        while part := content.read(2**20):
            sha256.update(part)
            git.update(part)
    large = size >= LARGE_BYTES or name.endswith(LARGE_SUFFIXES)
    known = path.resolve().name if path.is_symlink() else ""
    if known in (sha256.hexdigest(), git.hexdigest()):
        large = known == sha256.hexdigest()
    return BundledFile(name, size, sha256.hexdigest(), sha256.hexdigest() if large else git.hexdigest())


def stage_repository(staged: Path, contents: Path, repository: BundledRepository) -> Path:
    """A repository as `huggingface_hub` lays it out, below `staged`; `contents` has the files by their SHA-256."""
    folder = staged / repo_folder_name(repo_id=repository.id, repo_type=repository.kind)
    snapshot = folder / "snapshots" / repository.revision
    (folder / "blobs").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / repository.ref).write_text(repository.revision)
    for file in repository.files:
        blob, path = folder / "blobs" / file.blob, snapshot / file.path
        if not blob.exists():
            _link_or_copy(contents / file.sha256, blob)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.symlink_to(os.path.relpath(blob, path.parent))
        except OSError:  # a system without links: the cache holds the file itself there
            shutil.copyfile(blob, path)
    return folder


def place_repository(staged: Path, hub: Path, repository: BundledRepository, added: list[Path]) -> None:
    """Moves a staged repository into the cache; a folder that was absent before is appended to `added` first.

    A new repository appears by one rename. In one that is there, blobs come first, then the snapshot, and last the
    ref: wherever that is interrupted, what the ref names is whole.
    """
    final = hub / staged.name
    if not final.exists():
        added.append(final)
        os.replace(staged, final)
        return
    for name in ("blobs", "snapshots", "refs"):
        (final / name).mkdir(exist_ok=True)
    for blob in (staged / "blobs").iterdir():
        os.replace(blob, final / "blobs" / blob.name)
    snapshot = final / "snapshots" / repository.revision
    if snapshot.is_dir() and not _holds(snapshot, repository):  # one that was downloaded in part
        os.replace(snapshot, staged / "partial")
    if not snapshot.exists():
        os.replace(staged / "snapshots" / repository.revision, snapshot)
    os.replace(staged / "refs" / repository.ref, final / "refs" / repository.ref)


def _holds(snapshot: Path, repository: BundledRepository) -> bool:
    return all((snapshot / file.path).is_file() for file in repository.files)


def prepare_rows(staged: Path, snapshot: Path, repository: BundledRepository) -> dict[str, Path]:
    """Arrow files of every config of a dataset, as `datasets` keeps them: place below its cache -> staged folder.

    Without the Hub `datasets` reads its own cache and nothing else, so parquet files are not enough.

    Raises:
        ValueError: the files are not a dataset.
    """
    from datasets import get_dataset_config_names, get_dataset_default_config_name, load_dataset_builder
    from datasets.naming import camelcase_to_snakecase

    owner, _, name = repository.id.partition("/")
    source = staged / name  # the Arrow files are called like this folder
    source.symlink_to(snapshot, target_is_directory=True)
    found = {}
    default = get_dataset_default_config_name(str(source))
    configs = sorted(get_dataset_config_names(str(source)), key=lambda config: config == default)
    for config in configs:
        # A hash of its own lets `load_dataset(id)` without a config find the default one: it takes the latest hash.
        mark = hashlib.sha256(f"{repository.revision} {config}".encode()).hexdigest()[:16]
        target = staged / "arrow" / config / "0.0.0" / mark
        builder = load_dataset_builder(str(source), config, cache_dir=str(staged / "builder"))
        builder.download_and_prepare(str(target))
        _forget_places(target / "dataset_info.json")
        found[f"{owner}___{camelcase_to_snakecase(name)}/{config}/0.0.0/{mark}"] = target
    now = time.time()
    for number, target in enumerate(found.values()):
        os.utime(target, (now, now - len(found) + number))
    return found


def _forget_places(path: Path) -> None:
    """Without the temporary paths that the conversion read from."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    facts.pop("download_checksums", None)
    path.write_text(json.dumps(facts), encoding="utf-8")


def place_rows(rows: Mapping[str, Path], datasets: Path, added: list[Path]) -> None:
    """Moves staged Arrow folders into the cache; each that was absent before is appended to `added` first."""
    for place, staged in rows.items():
        final = datasets / place
        if not final.exists():
            added.append(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, final)


def take_back(added: list[Path], cache: CacheFolders) -> None:
    """Removes folders that were just placed, and the empty ones above them."""
    for each in added:
        shutil.rmtree(each, ignore_errors=True)
        for parent in each.parents:
            if parent in (cache.hub, cache.datasets) or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
