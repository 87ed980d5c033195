"""Raw files -> `DatasetDict` by protocol in memory, or a saved dataset of any size that `datasets` loads by itself."""

import errno
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict
from filelock import FileLock, Timeout

from motionhub.atomic import WriteError, write_text
from motionhub.bounded import read_json
from motionhub.data.build.dataset_card import SPLITS, CardFacts, is_open, render_dataset_card, under
from motionhub.data.build.shards import (
    ROWS_PER_GROUP,
    SHARD_BYTES,
    Facts,
    Staged,
    merge,
    read_facts,
    rows_to_table,
    shortened,
    stage,
)
from motionhub.data.datasets.counts import Expect, check_counts
from motionhub.data.datasets.dataset import Dataset as Source
from motionhub.data.datasets.datasets import get_dataset, get_protocol
from motionhub.data.datasets.licences import UNSTATED, OwnTerms
from motionhub.data.datasets.protocols import Protocol, Split
from motionhub.data.datasets.raw_files import (
    clips_among,
    data_root,
    exclusion_lists,
    fingerprint,
    opened,
    other_dataset,
    sidecar_marks,
)
from motionhub.data.formats.schema import features
from motionhub.skeletons.rows import SCHEMA_VERSION, classes_of, to_row


# Not "all": `datasets.load_dataset` reserves that name for the union of splits and refuses it.
FULL = "full"
IMAGE = "layout.png"
_FINISHED = "finished.json"  # what was made, from the last rename on
_SHOWN = 10


@dataclass(frozen=True)
class SavedDataset:
    """A dataset on disk: clips in it, raw files found, and one line per file that could not be read."""

    folder: Path
    num_clips: int
    num_files: int
    broken: tuple[str, ...]


def build_dataset(
    reader: str,
    root: str | Path,
    protocol: str | None = None,
    *,
    strict: bool = False,
    num_proc: int | None = None,
    exclude: str | Path | None = None,
) -> DatasetDict:
    """All clips of a dataset below `root`, in memory, with the columns of `skeletons.rows.COLUMNS`.

    Args:
        reader: name of a dataset.
        root: a folder, searched with its sub-folders, or a zip file of one.
        protocol: one of the dataset's protocols -> splits "train" and "test"; None -> everything in split "full".
        strict: a broken file is an error; otherwise it is left out and listed in one warning at the end.
        num_proc: processes that read files; None: this one alone.
        exclude: a text file with the names of clips to leave out, such as the NTU authors' list of clips with missing
            skeletons (`raw_files.read_clip_list`); None: a list that lies with the files is applied.

    Raises:
        ValueError: unknown reader, protocol or root; no files; no readable file; a split without clips.

    Examples:
        >>> for seed in range(4):
        ...     path = motionhub.write(motionhub.generate("wave", seed=seed), f"clips/wave/{seed}.npz")
        >>> dataset = motionhub.build_dataset("folder", "clips", "random-80-20")
        >>> sorted(dataset)
        ['test', 'train']
    """
    chosen = None if protocol is None else get_protocol(reader, protocol)
    rows, _, facts = collect_rows(reader, root, strict=strict, num_proc=num_proc, exclude=exclude)
    if chosen is None:
        return DatasetDict({FULL: rows_to_dataset(rows, facts.class_names)})
    splits = chosen.assign(rows)
    _check_filled(facts, chosen, splits, rows)
    parts = {name: [row for row, split in zip(rows, splits, strict=True) if split == name] for name in SPLITS}
    for name, part in parts.items():
        _warn_of_absent_classes(facts, chosen, name, set().union(*map(classes_of, part)))
    return DatasetDict({name: rows_to_dataset(part, facts.class_names) for name, part in parts.items()})


def save_dataset(reader: str, root: str | Path, out_dir: str | Path, **options: Any) -> Path:
    """Write parquet files and a card to `out_dir`, and return it; arguments as `save_dataset_report`.

    Examples:
        >>> for seed in range(4):
        ...     path = motionhub.write(motionhub.generate("wave", seed=seed), f"waves/wave/{seed}.npz")
        >>> folder = motionhub.save_dataset("folder", "waves", "data/waves")
    """
    return save_dataset_report(reader, root, out_dir, **options).folder


def save_dataset_report(
    reader: str,
    root: str | Path,
    out_dir: str | Path,
    *,
    strict: bool = False,
    num_proc: int | None = None,
    exclude: str | Path | None = None,
    engine: str = "datasets",
    progress: bool | None = False,
    draw_layout: Callable[[str, Path], None] | None = None,
    shard_bytes: int = SHARD_BYTES,
    expect: Expect = "subset",
    terms: OwnTerms | None = None,
    named: tuple[str, str] | None = None,
) -> SavedDataset:
    """Write parquet files and a card, so that `datasets.load_dataset(out_dir, protocol)` works without this library.

    Every clip is stored once: clips with the same splits under all protocols share a folder of shards, and each
    protocol is a config that selects folders. The config "full" has every clip. Protocols with an empty split are left
    out and named on the card. The folder appears complete or not at all. Memory is bounded (`shards.py`); the disk
    temporarily holds the clips twice.

    Finished parts are kept in `.NAME.building` beside `out_dir` until the end. After an interruption the same call
    resumes from there and reads only files that have changed since; one warning names them.

    Args:
        reader, root, strict, num_proc, exclude: as `build_dataset`.
        out_dir: new or empty folder.
        engine: `"datasets"` (`num_proc` local processes) or `"ray"`, see `engines.run_parts`.
        progress: a progress bar on stderr; None: on terminals only.
        draw_layout: `draw_layout(name of a layout, path)` saves an image of it, for the card.
        shard_bytes: size of a shard in memory (Arrow).
        expect: "paper": counts that differ from the papers' are an error; "subset": only higher ones are, lower ones
            go on the card (`data/datasets/counts.py`).
        terms: licence, home page and citation of the user's own dataset (reader "folder"); rows carry the licence.
        named: title and provenance for the card instead of the reader's.

    Raises:
        ValueError: as `build_dataset`; `out_dir` exists and is not empty; unexpected counts; or `terms` for a dataset
            of other authors.
        OSError: the disk is full or not writable; finished parts are kept.
    """
    out_dir, root, facts = Path(out_dir), Path(root), under(get_dataset(reader), terms)
    facts = facts if named is None else replace(facts, title=named[0], provenance=named[1])
    asked: dict[str, Any] = {"dataset": facts.name, "root": str(root.resolve()), "strict": strict, "expect": expect}
    asked |= {"exclude": str(exclude), "terms": str(terms), "named": str(named)}
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        if made := _finished(out_dir, asked):
            return made
        raise ValueError(f"{out_dir} exists and is not an empty folder; remove it or give another out_dir.")
    with _state_folder(out_dir) as state:
        how = {"num_proc": num_proc, "engine": engine, "progress": progress}
        facts, staged, rows, lists = _stage_files(reader, facts, root, state, exclude, strict, how)
        complete = state / "complete"
        shutil.rmtree(complete, ignore_errors=True)
        _write_complete(facts, rows, staged, complete, lists, draw_layout, shard_bytes, expect)
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        counts = {"clips": len(rows), "files": staged.num_sources, "broken": staged.broken}
        write_text(state / _FINISHED, json.dumps({"asked": asked, "card": _card_hash(complete), **counts}))
        os.replace(complete, out_dir)
    if staged.broken:
        warnings.warn(_broken_message(staged.broken, staged.num_sources), stacklevel=2)
    return SavedDataset(out_dir, len(rows), staged.num_sources, staged.broken)


def _stage_files(
    reader: str,
    facts: Source,
    root: Path,
    state: Path,
    exclude: str | Path | None,
    strict: bool,
    how: dict[str, Any],
) -> tuple[Source, Staged, Facts, list[str]]:
    """Stages the rows of all files below `state`; the dataset of this folder, its parts, facts and lists applied."""
    with opened(root, facts, into=state) as (folder, found):
        lists = exclusion_lists(facts, folder, exclude)
        paths = clips_among(facts, root, folder, found, lists)
        facts = facts.at(data_root(facts, root, folder))
        staged = stage(
            [path.relative_to(folder).as_posix() for path in paths],
            [fingerprint(path) for path in paths],
            partial(read_file, reader, str(folder), strict, licence=facts.licence),
            facts.class_names,
            state / "parts",
            options=_options(facts, folder, strict),
            **how,
        )
        if staged.changed:
            what = f"changed since the build was interrupted, and read again: {shortened(staged.changed)}"
            warnings.warn(what, stacklevel=3)
        rows = read_facts(staged)
        if not len(rows):
            raise _all_broken(facts, root, staged.broken, paths)
    return facts, staged, rows, [path.name for path in lists]


def _finished(out_dir: Path, asked: dict[str, Any]) -> SavedDataset | None:
    """What the same call made that was killed after its last rename; None where it was another, or nothing was."""
    state = _state_of(out_dir)
    try:
        found = read_json(state / _FINISHED)
        if (found["asked"], found["card"]) != (asked, _card_hash(out_dir)):
            return None
        made = SavedDataset(out_dir, int(found["clips"]), int(found["files"]), tuple(found["broken"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    shutil.rmtree(state, ignore_errors=True)
    return made


def _card_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "README.md").read_bytes()).hexdigest()


def _state_of(out_dir: Path) -> Path:
    return out_dir.parent / f".{out_dir.name}.building"


def _write_complete(
    facts: Source,
    rows: Facts,
    staged: Staged,
    folder: Path,
    exclude: Sequence[str],
    draw_layout: Callable[[str, Path], None] | None,
    shard_bytes: int,
    expect: Expect,
) -> None:
    """Write shards, card and the image of the layout."""
    assigned = {protocol: protocol.assign(rows) for protocol in facts.protocols}
    by_name = {protocol.name: splits for protocol, splits in assigned.items()}
    differences = check_counts(facts.name, rows, by_name, expect=expect, classes=staged.classes)
    filled = {protocol: splits for protocol, splits in assigned.items() if set(SPLITS) <= set(splits)}
    names, index = _cells(filled, len(rows))
    cells = merge(staged, index, names, folder, facts.class_names, shard_bytes=shard_bytes)
    split_of = {protocol: [splits[cell.first_row] for cell in cells] for protocol, splits in filled.items()}
    for protocol, splits in split_of.items():
        for name in SPLITS:
            inside = [cell for cell, split in zip(cells, splits, strict=True) if split == name]
            counts = sum(sum(cell.counts.values()) for cell in inside)
            _warn_of_absent_classes(facts, protocol, name, set(np.flatnonzero(counts).tolist()))
    if draw_layout is not None:
        draw_layout(facts.layout, folder / IMAGE)
    card = CardFacts(
        reader=facts,
        cells=cells,
        splits=split_of,
        skipped=[protocol for protocol in assigned if protocol not in filled],
        frames=rows.column("num_frames"),
        staged=staged,
        exclude=exclude,
        image=IMAGE if (folder / IMAGE).is_file() else None,
        differences=differences if facts.counts else None,
    )
    (folder / "README.md").write_text(render_dataset_card(card), encoding="utf-8")
    if not is_open(facts) and facts.licence != UNSTATED:  # a recipe needs a source of the clips
        (folder / "recipe").mkdir()
        (folder / "recipe" / "README.md").write_text(render_dataset_card(card, recipe=True), encoding="utf-8")
        if card.image:
            shutil.copyfile(folder / IMAGE, folder / "recipe" / IMAGE)


def collect_rows(
    reader: str,
    root: str | Path,
    *,
    strict: bool = False,
    num_proc: int | None = None,
    exclude: str | Path | None = None,
) -> tuple[list[dict[str, Any]], list[str], Source]:
    """The rows of all readable files in path order, a line per broken file, and the dataset; see `build_dataset`."""
    root, facts = Path(root), get_dataset(reader)
    with opened(root, facts) as (folder, found):
        paths = clips_among(facts, root, folder, found, exclusion_lists(facts, folder, exclude))
        facts = facts.at(data_root(facts, root, folder))
        sources = [path.relative_to(folder).as_posix() for path in paths]
        read = partial(read_file, reader, str(folder), strict)
        if num_proc is not None and num_proc > 1:
            with ProcessPoolExecutor(num_proc) as pool:
                results = list(pool.map(read, sources, chunksize=64))
        else:
            results = [read(source) for source in sources]
        rows = [row for result in results if not isinstance(result, str) for row in result]
        broken = [result for result in results if isinstance(result, str)]
        if broken and not rows:
            raise _all_broken(facts, root, broken, paths)
    if broken:
        warnings.warn(_broken_message(broken, len(paths)), stacklevel=3)
    return rows, broken, facts


def read_file(
    reader: str, folder: str, strict: bool, source: str, *, licence: str | None = None
) -> list[dict[str, Any]] | str:
    """The rows of `folder/source`, or the reason why it has none, which `strict` raises; `licence` overrides."""
    facts = get_dataset(reader)
    facts = facts if licence is None else replace(facts, licence=licence)
    try:
        path = Path(folder) / source
        clips, sequences = facts.facts_of(path), facts.read(path)
        if len(clips) == 1 and len(sequences) != 1:
            names = [f"{clips[0].clip_id}_{index}" for index in range(len(sequences))]
            clips = [replace(clips[0], clip_id=name) for name in names]
        return [
            to_row(sequence, **{**asdict(clip), "licence": clip.licence or facts.licence}, source=facts.name)
            for sequence, clip in zip(sequences, clips, strict=True)
        ]
    except ValueError as error:
        message = str(error).replace(folder + os.sep, "")
        if strict:
            raise ValueError(message) from None
        return message


def rows_to_dataset(rows: Sequence[dict[str, Any]], class_names: Sequence[str] | None) -> Dataset:
    """Rows of `skeletons.rows.to_row` as a `Dataset` in memory; NaN stays NaN (a missing number is not a null)."""
    schema = features(class_names).arrow_schema
    chunks = [rows[start : start + ROWS_PER_GROUP] for start in range(0, len(rows), ROWS_PER_GROUP)]
    return Dataset(pa.concat_tables([schema.empty_table(), *(rows_to_table(chunk, schema) for chunk in chunks)]))


def _options(facts: Source, folder: Path, strict: bool) -> dict[str, Any]:
    """Inputs of the rows besides the files; under another `strict` broken files must be read again."""
    return {
        "dataset": facts.name,
        "schema version": SCHEMA_VERSION,
        "strict": strict,
        "label files": sidecar_marks(folder, facts),
        "classes": list(facts.class_names),  # in a user's folder a new class moves the numbers of the others
        "licence": facts.licence,
    }


class _NothingReadable(ValueError):
    """No clip could be read, so there is nothing to resume from."""


def _all_broken(facts: Source, root: Path, broken: Sequence[str], paths: Sequence[Path]) -> ValueError:
    what = f"all {len(broken)} files of {facts.name!r} are broken, the first: {broken[0]}" if broken else "no clips"
    return _NothingReadable(f"{root}: {what}{other_dataset(facts, paths)}")


def _broken_message(broken: Sequence[str], num_files: int) -> str:
    more = f"\n  ... and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    listed = "\n  ".join(broken[:_SHOWN])
    summary = f"{len(broken)} of {num_files} files are broken and were left out (strict=True stops at the first)"
    return f"{summary}:\n  {listed}{more}"


def _check_filled(facts: Source, protocol: Protocol, splits: Sequence[Split], rows: Sequence[dict[str, Any]]) -> None:
    empty = [name for name in SPLITS if name not in splits]
    if not empty:
        return
    others = [other.name for other in facts.protocols if set(SPLITS) <= set(other.assign(rows))]
    raise ValueError(
        f"Protocol {protocol.name!r} of {facts.name!r} leaves {' and '.join(map(repr, empty))} without clips: "
        f"{protocol.source} None of the {len(rows)} clips found belongs there. "
        f"Protocols that work with these files: {others}."
    )


def _warn_of_absent_classes(facts: Source, protocol: Protocol, split: str, present: set[int]) -> None:
    expected = protocol.class_names or facts.class_names[: protocol.num_classes]
    absent = [title for title in expected if facts.class_names.index(title) not in present]
    if absent:
        what = f"{facts.name} {protocol.name}: {split!r} has no clip of {len(absent)} of {len(expected)} classes"
        warnings.warn(f"{what}: {shortened(absent, _SHOWN)}", stacklevel=4)


def _cells(assigned: Mapping[Protocol, Sequence[Split]], num_rows: int) -> tuple[list[str], np.ndarray]:
    """Names of the cells, sorted, and each row's cell: one per distinct tuple of splits under the protocols."""
    kinds = ("none", "test", "train")
    codes = np.zeros((num_rows, len(assigned)), np.int8)
    for column, splits in enumerate(assigned.values()):
        codes[:, column] = [kinds.index(split or "none") for split in splits]
    # In the order of the names, since `kinds` is sorted.
    cells, cell_of_row = np.unique(codes, axis=0, return_inverse=True)
    return ["-".join(kinds[code] for code in cell) or "all" for cell in cells.tolist()], cell_of_row.reshape(-1)


@contextmanager
def _state_folder(out_dir: Path) -> Iterator[Path]:
    """`.NAME.building` beside `out_dir`; kept only when the block fails after a part was finished."""
    state = _state_of(out_dir)
    state.mkdir(parents=True, exist_ok=True)
    try:
        # The workers of a killed build hold the lock until they end, within a second.
        with FileLock(state / "lock", timeout=3):
            yield state
    except Timeout:
        raise ValueError(f"{out_dir}: another process is building it; wait for it, or give another folder.") from None
    except BaseException as error:
        kept = len(list((state / "parts").glob("*.json")))  # finished parts
        if not kept or isinstance(error, _NothingReadable):
            shutil.rmtree(state, ignore_errors=True)
            kept = 0
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            free = shutil.disk_usage(out_dir.parent).free / 2**20
            left = f"the same call then continues from {state} ({kept} parts)" if kept else "nothing was left behind"
            what = f"{out_dir}: the disk is full ({free:.0f} MiB left); make room or save elsewhere: {left}."
            raise WriteError(errno.ENOSPC, what, str(out_dir)) from error
        if kept:
            warnings.warn(f"{kept} finished parts are in {state}; the same call continues from there", stacklevel=4)
        raise
    shutil.rmtree(state, ignore_errors=True)
