"""Raw files -> `DatasetDict` by protocol, and a saved dataset whose card lets `datasets` load it without this library.

It does not know formats (`readers/`), which clips train (`splits.py`), nor what the card says (`dataset_card.py`).
"""

import errno
import os
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from motionhub.data.clip_list import read_clip_list
from motionhub.data.dataset_card import Cell, render_dataset_card
from motionhub.data.readers import Reader, get_reader
from motionhub.data.schema import features
from motionhub.data.splits import PROTOCOLS, Protocol, Split, get_protocol
from motionhub.skeletons.rows import to_row


SPLITS = ("train", "test")
# Not "all": `datasets.load_dataset` reserves that name for the union of splits and refuses it.
FULL = "full"
ROWS_PER_CHUNK = 1000
_SHOWN = 10


def build_dataset(
    reader: str,
    root: str | Path,
    protocol: str | None = None,
    *,
    strict: bool = False,
    num_proc: int | None = None,
    exclude: str | Path | None = None,
) -> DatasetDict:
    """All clips of a data set below `root`, in memory, with the columns of `skeletons.rows.COLUMNS`.

    Args:
        reader: a name in `READERS`.
        root: a folder, searched with its sub-folders, or a zip file of one.
        protocol: a name in `PROTOCOLS[reader]` -> splits "train" and "test"; None -> everything in split "full".
        strict: a broken file is an error; otherwise it is left out and listed in one warning at the end.
        num_proc: processes that read files, None for this one alone.
        exclude: a text file with the names of clips to leave out, such as the NTU authors' list of clips with missing
            skeletons (`data/clip_list.py`).

    Raises:
        ValueError: no such reader, protocol or root; no files; nothing readable; a split without a single clip.
    """
    facts, chosen = get_reader(reader), None if protocol is None else get_protocol(reader, protocol)
    rows, _ = collect_rows(reader, root, strict=strict, num_proc=num_proc, exclude=exclude)
    if chosen is None:
        return DatasetDict({FULL: rows_to_dataset(rows, facts.class_names)})
    splits = chosen.assign(rows)
    _check_filled(facts, chosen, splits, rows)
    _warn_of_absent_classes(facts, chosen, splits, rows)
    parts = {name: [row for row, split in zip(rows, splits, strict=True) if split == name] for name in SPLITS}
    return DatasetDict({name: rows_to_dataset(part, facts.class_names) for name, part in parts.items()})


def save_dataset(
    reader: str,
    root: str | Path,
    out_dir: str | Path,
    *,
    strict: bool = False,
    num_proc: int | None = None,
    exclude: str | Path | None = None,
) -> Path:
    """Writes parquet files and a card, so that `datasets.load_dataset(out_dir, protocol)` works without this library.

    Every clip is stored once: clips that all protocols treat alike share a file, and each protocol is a config that
    selects files. The config "full" has every clip. Protocols that the data cannot fill are left out and named on the
    card. The folder appears complete or not at all.

    Returns:
        `out_dir`.

    Raises:
        ValueError: as `build_dataset`; or `out_dir` exists and is not empty.
        OSError: the disk is full or not writable; what was written is removed again.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise ValueError(f"{out_dir} exists and is not an empty folder; remove it or give another out_dir.")
    facts = get_reader(reader)
    rows, broken = collect_rows(reader, root, strict=strict, num_proc=num_proc, exclude=exclude)
    assigned = {protocol: protocol.assign(rows) for protocol in PROTOCOLS[reader].values()}
    filled = {protocol: splits for protocol, splits in assigned.items() if set(SPLITS) <= set(splits)}
    for protocol, splits in filled.items():
        _warn_of_absent_classes(facts, protocol, splits, rows)
    with _folder_or_nothing(out_dir) as folder:
        cells = []
        for path, indices in _cell_paths(filled, len(rows)).items():
            dataset = rows_to_dataset([rows[index] for index in indices], facts.class_names)
            _write_parquet(dataset, folder / path)
            cells.append(Cell(path, tuple(indices), dataset.data.nbytes))
        skipped = [protocol for protocol in assigned if protocol not in filled]
        card = render_dataset_card(facts, rows, cells, filled, skipped, broken, _name_of(exclude))
        (folder / "README.md").write_text(card, encoding="utf-8")
    return out_dir


def collect_rows(
    reader: str,
    root: str | Path,
    *,
    strict: bool = False,
    num_proc: int | None = None,
    exclude: str | Path | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of all readable files below `root` in the order of their paths, and one line for every broken file.

    Raises:
        ValueError: no file matches the reader's pattern, all are broken or left out, or (strict) one is broken.
    """
    facts = get_reader(reader)
    left_out = frozenset() if exclude is None else read_clip_list(exclude)
    with _opened(Path(root), facts.pattern, facts.sidecars) as (folder, found):
        paths = [path for path in found if facts.is_clip is None or facts.is_clip(path)]
        if not paths:
            raise ValueError(_nothing_found(facts, Path(root), folder))
        paths = [path for path in paths if path.stem not in left_out]
        if not paths:
            raise ValueError(f"{root}: {exclude} leaves out every file; give the list of another data set, or none.")
        read = partial(_read_file, reader, str(folder), strict)
        if num_proc is not None and num_proc > 1:
            with ProcessPoolExecutor(num_proc) as pool:
                results = list(pool.map(read, paths, chunksize=64))
        else:
            results = [read(path) for path in paths]
    rows = [row for result in results if not isinstance(result, str) for row in result]
    broken = [result for result in results if isinstance(result, str)]
    if broken and not rows:
        raise ValueError(f"{root}: all {len(broken)} files of {reader!r} are broken, the first: {broken[0]}")
    if broken:
        warnings.warn(_broken_message(broken, len(paths)), stacklevel=3)
    return rows, broken


def _name_of(path: str | Path | None) -> str | None:
    return None if path is None else Path(path).name


def _read_file(reader: str, folder: str, strict: bool, path: Path) -> list[dict[str, Any]] | str:
    """The rows of one file, or the line that says why there are none, with the path as seen from the root."""
    facts = get_reader(reader)
    try:
        return _rows_of(facts, path)
    except ValueError as error:
        message = str(error).replace(folder + os.sep, "")
        if strict:
            raise ValueError(message) from None
        return message


def _rows_of(facts: Reader, path: Path) -> list[dict[str, Any]]:
    clips, sequences = facts.facts_of(path), facts.read(path)
    if len(clips) == 1 and len(sequences) != 1:
        names = [f"{clips[0].clip_id}_{index}" for index in range(len(sequences))]
        clips = [replace(clips[0], clip_id=name) for name in names]
    return [
        to_row(sequence, **asdict(clip), source=facts.name, licence=facts.licence)
        for sequence, clip in zip(sequences, clips, strict=True)
    ]


def _broken_message(broken: Sequence[str], num_files: int) -> str:
    more = f"\n  ... and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    listed = "\n  ".join(broken[:_SHOWN])
    summary = f"{len(broken)} of {num_files} files are broken and were left out (strict=True stops at the first)"
    return f"{summary}:\n  {listed}{more}"


def _nothing_found(facts: Reader, root: Path, folder: Path) -> str:
    names = sorted(path.name for path in folder.rglob("*") if path.is_file())[:5]
    expected = f"expected files called {facts.pattern!r} ({facts.title}), found none"
    return f"{root}: {expected}; the folder holds {names or 'no files'}."


def rows_to_dataset(rows: Sequence[dict[str, Any]], class_names: Sequence[str] | None) -> Dataset:
    """Rows of `skeletons.rows.to_row` as a `Dataset` in memory; NaN stays NaN (a missing number is not a null)."""
    types = features(class_names)
    arrow_schema = types.arrow_schema
    chunks = [rows[start : start + ROWS_PER_CHUNK] for start in range(0, len(rows), ROWS_PER_CHUNK)]
    batches = [
        pa.record_batch([_column(chunk, field) for field in arrow_schema], schema=arrow_schema) for chunk in chunks
    ]
    return Dataset(pa.Table.from_batches(batches, schema=arrow_schema))


def _column(rows: Sequence[dict[str, Any]], field: pa.Field) -> pa.Array:
    values = [row[field.name] for row in rows]
    if not pa.types.is_list(field.type):
        return pa.array(values, type=field.type)
    lengths = [len(value) for value in values]
    flat = np.concatenate([np.asarray(value, dtype=field.type.value_type.to_pandas_dtype()) for value in values])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, from_pandas=False), type=field.type)


def _check_filled(facts: Reader, protocol: Protocol, splits: Sequence[Split], rows: Sequence[dict[str, Any]]) -> None:
    empty = [name for name in SPLITS if name not in splits]
    if not empty:
        return
    others = [other.name for other in PROTOCOLS[facts.name].values() if set(SPLITS) <= set(other.assign(rows))]
    raise ValueError(
        f"Protocol {protocol.name!r} of {facts.name!r} leaves {' and '.join(map(repr, empty))} without clips: "
        f"{protocol.source} None of the {len(rows)} clips found belongs there. "
        f"Protocols that work with these files: {others}."
    )


def _warn_of_absent_classes(
    facts: Reader, protocol: Protocol, splits: Sequence[Split], rows: Sequence[dict[str, Any]]
) -> None:
    expected = protocol.class_names or facts.class_names[: protocol.num_classes]
    for name in SPLITS:
        chosen = [row for row, split in zip(rows, splits, strict=True) if split == name]
        present = {row["label"] for row in chosen}.union(*(row["frame_labels"].tolist() for row in chosen))
        absent = [title for title in expected if facts.class_names.index(title) not in present]
        if absent:
            more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
            what = f"{facts.name} {protocol.name}: {name!r} has no clip of {len(absent)} of {len(expected)} classes"
            warnings.warn(f"{what}: {', '.join(absent[:_SHOWN])}{more}", stacklevel=3)


def _cell_paths(assigned: dict[Protocol, list[Split]], num_rows: int) -> dict[str, list[int]]:
    """Parquet path -> rows: one cell per distinct tuple of splits under the protocols."""
    cells: dict[str, list[int]] = {}
    for index in range(num_rows):
        split_of = [splits[index] or "none" for splits in assigned.values()]
        cells.setdefault(f"data/{'-'.join(split_of) or 'all'}/clips.parquet", []).append(index)
    return dict(sorted(cells.items()))


def _write_parquet(dataset: Dataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(dataset.data.table, path, compression="zstd", row_group_size=ROWS_PER_CHUNK)


@contextmanager
def _folder_or_nothing(out_dir: Path) -> Iterator[Path]:
    """A temporary sibling that becomes `out_dir` when the block succeeds and vanishes when it does not."""
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    partial_dir = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    try:
        yield partial_dir
        partial_dir.chmod(0o755)  # mkdtemp makes it private
        os.replace(partial_dir, out_dir)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        free = shutil.disk_usage(out_dir.parent).free
        message = (
            f"the disk is full ({free / 2**20:.0f} MiB left); make room or save elsewhere. Nothing was left behind"
        )
        raise OSError(errno.ENOSPC, message, str(out_dir)) from error
    finally:
        shutil.rmtree(partial_dir, ignore_errors=True)


@contextmanager
def _opened(root: Path, pattern: str, sidecars: tuple[str, ...] = ()) -> Iterator[tuple[Path, list[Path]]]:
    """The folder (a temporary one for a zip file) and the files called `pattern` in it, or the one file `root` is."""
    if root.is_dir():
        yield root, _files_called(pattern, root)
    elif root.is_file() and fnmatch(root.name, pattern):
        yield root.parent, [root]
    elif zipfile.is_zipfile(root):
        with tempfile.TemporaryDirectory(prefix="motionhub-") as name:
            folder = Path(name)
            _extract(root, (pattern, *sidecars), folder)
            yield folder, _files_called(pattern, folder)
    else:
        kind = "is neither a folder nor a zip file" if root.exists() else "does not exist"
        raise ValueError(f"{root}: {kind}; give the folder (or the zip) that holds the data set's files.")


def _files_called(pattern: str, folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def _extract(archive: Path, patterns: Sequence[str], folder: Path) -> None:
    """The files called like a pattern; refuses paths that leave the folder and contents larger than the disk."""
    try:
        with zipfile.ZipFile(archive) as content:
            names = {member: PurePosixPath(member.filename).name for member in content.infolist()}
            members = [member for member, name in names.items() if any(fnmatch(name, each) for each in patterns)]
            for member in members:
                inside = PurePosixPath(member.filename.replace("\\", "/"))
                if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
                    raise ValueError(f"{archive}: the entry {member.filename!r} leads out of the folder; refused.")
            size, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
            if size > free:
                raise ValueError(
                    f"{archive}: extracts to {size} bytes, but {folder} has {free} free; extract it elsewhere."
                )
            content.extractall(folder, members)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{archive}: cannot be extracted, the zip file is corrupt or encrypted ({error}).") from None
