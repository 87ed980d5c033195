"""The caches of huggingface_hub and datasets on disk: the one file that writes their private layouts.

`hub/` holds per repository `blobs/` (contents), `snapshots/COMMIT/` (links to blobs) and `refs/` (branch -> commit);
`datasets/` holds the Arrow files that `datasets` reads offline. `tests/hub/test_cache_layout.py` compares both with
what the two libraries write.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, constants
from huggingface_hub.file_download import repo_folder_name

from motionhub.bounded import load_yaml
from motionhub.hub.card import load_card


def cache_folders(home: str | Path | None = None) -> tuple[Path, Path]:
    """The caches of the Hub and of datasets: below `home` (what HF_HOME names), or those in use; absolute paths."""
    if home is not None:
        return Path(home).absolute() / "hub", Path(home).absolute() / "datasets"
    import datasets.config

    return Path(constants.HF_HUB_CACHE).absolute(), Path(datasets.config.HF_DATASETS_CACHE).absolute()


def stage_repository(staged: Path, contents: Path, repository: Any) -> Path:
    """Lays out a `BundledRepository`, whose files are `contents/SHA-256`, below `staged`; its snapshot's folder."""
    folder = staged / repo_folder_name(repo_id=repository.id, repo_type=repository.kind)
    snapshot = folder / "snapshots" / repository.revision
    (folder / "blobs").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / repository.ref).write_text(repository.revision)
    for file in repository.files:
        blob, path = folder / "blobs" / file.blob, snapshot / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not blob.exists():
            try:
                blob.hardlink_to(contents / file.sha256)
            except OSError:
                shutil.copyfile(contents / file.sha256, blob)
        try:
            path.symlink_to(os.path.relpath(blob, path.parent))
        except OSError:  # on a system without links the cache holds the file itself
            shutil.copyfile(blob, path)
    return snapshot


def stage_rows(staged: Path, snapshot: Path, repository: Any) -> None:
    """Arrow files of every config of a dataset, as `datasets` keeps them, below `staged/rows`.

    Offline, `datasets` reads only its own cache, so parquet files are not enough. Raises ValueError if the card names
    files outside of the repository, or the files are not a dataset.
    """
    from datasets import get_dataset_config_names, get_dataset_default_config_name, load_dataset_builder
    from datasets.naming import camelcase_to_snakecase

    check_data_files(snapshot)
    owner, _, name = repository.id.partition("/")
    source = staged / name  # the Arrow files get the name of this folder
    source.symlink_to(snapshot, target_is_directory=True)
    default = get_dataset_default_config_name(str(source))
    configs = sorted(get_dataset_config_names(str(source)), key=lambda config: config == default)
    for number, config in enumerate(configs):
        mark = hashlib.sha256(f"{repository.revision} {config}".encode()).hexdigest()[:16]
        target = staged / "rows" / f"{owner}___{camelcase_to_snakecase(name)}" / config / "0.0.0" / mark
        builder = load_dataset_builder(str(source), config, cache_dir=str(staged / "builder"))
        builder.download_and_prepare(str(target))
        facts = json.loads((target / "dataset_info.json").read_text(encoding="utf-8"))
        facts.pop("download_checksums", None)  # temporary paths
        (target / "dataset_info.json").write_text(json.dumps(facts), encoding="utf-8")
        # `load_dataset(id)` without a config takes the latest folder.
        os.utime(target, (time.time() - len(configs) + number,) * 2)


def check_data_files(snapshot: Path) -> None:
    """Refuses cards that name other files than the repository's: `datasets` opens any path or address."""
    card, extra = snapshot / "README.md", snapshot / ".huggingface.yaml"
    facts = [load_card(card, DatasetCard).data.to_dict() if card.is_file() else None]
    facts += [load_yaml(extra.read_text(encoding="utf-8")) if extra.is_file() else None]
    for name in _data_files(facts):
        if name.startswith(("/", "~")) or {":", "\\"} & {*name} or ".." in name.split("/"):
            raise ValueError(f"its card names {name!r}; data_files must be relative paths inside the repository")


def _data_files(value: Any, inside: bool = False) -> Iterator[str]:
    """All texts below the keys `data_files` and `data_dir`, at any depth."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _data_files(each, inside or key in ("data_files", "data_dir"))
    elif isinstance(value, list):
        for each in value:
            yield from _data_files(each, inside)
    elif inside and value is not None:
        yield str(value)


def place(folder: Path, target: Path) -> None:
    """Moves a staged folder into a cache; a new one appears by one rename.

    An existing repository gets the blobs first, then the snapshot, last the ref: if that is interrupted, what the ref
    names is complete. Existing rows stay.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder, target)
        return
    for kind in ("blobs", "snapshots", "refs"):
        for path in [each for each in (folder / kind).rglob("*") if each.is_symlink() or each.is_file()]:
            final = target / path.relative_to(folder)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, final)
