"""The measured numbers of a table: `results.json`, a record for each cell and seed, and where each came from."""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from motionhub.atomic import write_text
from motionhub.bounded import read_json
from motionhub.data.datasets.datasets import DATASETS
from motionhub.version import __version__


FORMAT, VERSION = "motionhub-reproduction", 1
_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "numpy", "scikit-learn")


# Of the fields of a record in a file.
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("row", "column", "error", "date", "run"), str),
    **{"seed": int, "value": (float, int, type(None)), "seconds": (float, int)},
    **dict.fromkeys(("commands", "differs"), list),
}


@dataclass(frozen=True)
class Measured:
    """One cell, measured with one seed.

    Args:
        row, column, seed: the place in the table.
        value: in the unit of the table; None where the run failed.
        error: why it failed, in one line; "" where it did not.
        commands: the command lines, in order.
        differs: how data, model or settings differ from the paper's; empty where the value may stand beside it.
        split_hash: of the training clips and of the names and labels of the test clips; None where not recorded.
        processor_hash, config: hash of the processor's config; the model's config hash, and the recipe.
        num_train, num_test: clips; None where not recorded.
        commit: of the code, with `+` after it where files were changed; None outside of a repository.
        versions, machine: of the packages; processor, threads, accelerator.
        seconds: since the last start of its commands, without those of runs it needs.
        date: UTC, ISO 8601.
        run: folder, relative to that of the results.
    """

    row: str
    column: str
    seed: int
    value: float | None
    error: str
    commands: list[str]
    differs: list[str]
    seconds: float
    date: str
    run: str
    split_hash: str | None = None
    processor_hash: str | None = None
    num_train: int | None = None
    num_test: int | None = None
    config: dict[str, Any] | None = None
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, int]:
        return self.row, self.column, self.seed


def read_results(path: Path) -> list[Measured]:
    """The records of a results file; none where there is no file.

    Raises:
        ValueError: no JSON, something else, or a file of another version.
    """
    if not path.exists():
        return []
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise ValueError(f"{path}: expected what motionhub reproduce wrote; pass another --output_dir.")
    if content.get("version") != VERSION:
        raise ValueError(
            f"{path}: is of version {content.get('version')}, expected {VERSION}: read it with the motionhub that "
            f"wrote it ({content.get('motionhub')}), or measure anew with another --output_dir."
        )
    known = {each.name for each in fields(Measured)}
    try:
        cells = [Measured(**{name: value for name, value in one.items() if name in known}) for one in content["cells"]]
        for one, (name, kinds) in product(cells, _KINDS.items()):
            value = getattr(one, name)
            if not isinstance(value, kinds) or (kinds is list and not all(isinstance(each, str) for each in value)):
                raise TypeError(f"{name}: {str(value)[:60]!r}")
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: a cell is incomplete ({error}); pass another --output_dir.") from None
    return cells


def add_results(path: Path, measured: Iterable[Measured], about: Mapping[str, Any]) -> list[Measured]:
    """Adds records to a results file, in place of those of the same cells and seeds; returns all of them.

    Several processes may do so at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_suffix(".lock"), timeout=60):
            records = {one.place: one for one in read_results(path)} | {one.place: one for one in measured}
            head = {"format": FORMAT, "version": VERSION, "motionhub": __version__, **about}
            content = {**head, "cells": [asdict(one) for one in records.values()]}
            write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    except Timeout:
        raise ValueError(f"{path} has been locked for a minute by another process; wait for it to end.") from None
    return list(records.values())


def facts_of_folder(folder: Path, dataset: str | None, protocol: str | None) -> dict[str, Any]:
    """What a run's own files say: hashes of split and processor, numbers of clips, config; and how the data differ."""
    facts: dict[str, Any] = {}
    training = _first_json(folder, "**/last/state/progress.json")
    scores = next(iter(sorted(folder.glob("**/scores.npz"))), None)
    clips: list[Any] = [training.get("training clips and labels")]
    facts["num_train"] = training.get("num_clips")
    if scores is not None:
        with np.load(scores, allow_pickle=False) as content:
            clips += sorted(zip(content["clip_ids"].tolist(), content["labels"].tolist(), strict=True))
        facts["num_test"] = len(clips) - 1
    if clips != [None]:
        facts["split_hash"] = digest(clips)
    if processor := _first_json(folder, "**/last/preprocessor_config.json"):
        facts["processor_hash"] = digest(processor)
    if config := _first_json(folder, "**/last/config.json"):
        recipe = _first_json(folder, "**/last/training.json")
        facts["config"] = {"model": digest(config), "model_type": config.get("model_type"), "recipe": recipe}
    facts["differs"] = _fewer_clips(dataset, protocol, facts.get("num_train"), facts.get("num_test"), training)
    return facts


def digest(content: Any) -> str:
    """The first 16 digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _first_json(folder: Path, pattern: str) -> dict[str, Any]:
    path = next(iter(sorted(folder.glob(pattern))), None)
    return {} if path is None else dict(read_json(path))


def _fewer_clips(
    dataset: str | None, protocol: str | None, train: int | None, test: int | None, training: Mapping[str, Any]
) -> list[str]:
    """`penn-action: 252 of 1,068 test clips`, for parts with other numbers of clips than papers state."""
    if dataset not in DATASETS or protocol is None:
        return []
    stated = [one.splits[protocol] for one in DATASETS[dataset].counts if protocol in one.splits]
    found = []
    share = training.get("label_fraction", 1.0)
    for place, name, number in ((0, "training", train if share == 1.0 else None), (1, "test", test)):
        known = sorted({count for count in (split[place] for split in stated) if count is not None})
        if number is not None and known and number not in known:
            found.append(f"{dataset}: {number:,} of {known[-1]:,} {name} clips")
    return found


@cache
def commit() -> str | None:
    """The commit of the code, with `+` where files were changed; None outside of a repository."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout.strip()


def versions() -> dict[str, str]:
    """Of Python and the packages that numbers depend on."""
    installed = {}
    for name in _PACKAGES:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "motionhub": __version__, **installed}


def machine() -> dict[str, Any]:
    """Processor, cores, threads of PyTorch, and the accelerator."""
    import torch

    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    facts = {"system": platform.system(), "processor": _processor(), "cores": os.cpu_count()}
    return {**facts, "threads": torch.get_num_threads(), "accelerator": accelerator}


def _processor() -> str:
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
