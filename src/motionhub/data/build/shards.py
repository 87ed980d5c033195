"""Rows of a dataset of any size on disk, in bounded memory: parts that survive interruption, then shards by cell.

`stage` writes one part for every few sources and keeps parts whose sources are unchanged. `merge` copies the rows of
all parts, in order, into shards. Only row groups are in memory, and per row its source's name and `Facts`, about a
hundred bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from motionhub.atomic import atomic_path, write_text
from motionhub.bounded import parse_json, read_json
from motionhub.data.build.engines import run_parts
from motionhub.data.formats.schema import features
from motionhub.skeletons.rows import classes_of


# A parquet reader holds one row group in memory.
ROWS_PER_GROUP = 1000
GROUP_BYTES = 2**22
SHARD_BYTES = 2**28
_MAX_FILES_PER_PART = 512
_MIN_PARTS = 16
_FACTS = ("label", "subject", "camera", "setup", "clip_id", "num_frames")
# Repeated texts; a dictionary of coordinates would only cost time.
_DICTIONARY = ["layout", "unit", "source", "licence"]
# Floats become a seventh smaller at no cost in time.
_SPLIT = ["keypoints.list.element", "confidence.list.element"]
# What a cell counts by class -> the column with the labels.
COUNTED = {"Clips": "label", "Frames": "frame_labels", "Actions": "segment_labels"}
_INPUTS = "inputs.parquet"
# How `pyarrow.parquet.write_table` encodes clips.
PARQUET: dict[str, Any] = {"use_dictionary": _DICTIONARY, "use_byte_stream_split": _SPLIT}

ReadRows = Callable[[str], list[dict[str, Any]] | str]


@dataclass(frozen=True)
class Staged:
    """The parts that `stage` leaves on disk.

    Args:
        paths: the parts, in the order of their sources.
        broken: one line per source without rows.
        num_sources: all sources.
        joints, missing: joints of all clips, and those that are NaN.
        classes: labels of clips, frames or segments that occur.
        changed: sources whose parts of an earlier call could not be used, each with the reason.
    """

    paths: tuple[Path, ...]
    broken: tuple[str, ...]
    num_sources: int
    joints: int
    missing: int
    classes: tuple[int, ...]
    changed: tuple[str, ...]


@dataclass
class Cell:
    """Clips with the same splits under all protocols, in the shards of one folder.

    Args:
        folder: below the dataset's folder, such as `data/train-test`.
        first_row: position of its first clip in the dataset, which represents all.
        counts: `"Clips"`, `"Frames"` with a label of their own, annotated `"Actions"` -> `(num_classes + 1,)` counts
            by class, the last of unknown classes.
        files: its shards, below the dataset's folder.
        num_bytes: size in memory (Arrow).
    """

    folder: str
    first_row: int
    counts: dict[str, np.ndarray]
    files: tuple[str, ...] = ()
    num_bytes: int = 0

    @property
    def num_clips(self) -> int:
        return int(self.counts["Clips"].sum())


class Facts(Sequence[Mapping[str, Any]]):
    """`label`, `subject`, `camera`, `setup`, `clip_id` and `num_frames` of every row, as dictionaries."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: int) -> Mapping[str, Any]:  # type: ignore[override]  # no slices
        return self.table.slice(range(len(self))[index], 1).to_pylist()[0]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for batch in self.table.to_batches(max_chunksize=10_000):
            yield from batch.to_pylist()

    def column(self, name: str) -> np.ndarray:
        """One fact of all rows."""
        return np.asarray(self.table.column(name).to_numpy())


def _write_part(
    read: ReadRows, class_names: tuple[str, ...] | None, folder: str, name: str, sources: Sequence[str]
) -> None:
    """Write `name.parquet`, then `name.json`, which marks the part as finished."""
    classes: set[int] = set()
    summary: dict[str, Any] = {"sources": len(sources), "broken": [], "joints": 0, "missing": 0}

    def rows() -> Iterator[dict[str, Any]]:
        for source in sources:
            found = read(source)
            if isinstance(found, str):
                summary["broken"].append(found)
                continue
            for row in found:
                summary["joints"] += len(row["keypoints"]) // row["num_dims"]
                summary["missing"] += int(np.isnan(row["keypoints"]).sum()) // row["num_dims"]
                classes.update(classes_of(row))
                yield row

    final, schema = Path(folder) / f"{name}.parquet", features(class_names).arrow_schema
    write_rows(final, rows(), schema, compression="lz4", use_dictionary=_DICTIONARY)
    write_text(final.with_suffix(".json"), json.dumps({**summary, "classes": sorted(classes)}))


def stage(
    sources: Sequence[str],
    marks: Sequence[str],
    read: ReadRows,
    class_names: Sequence[str] | None,
    folder: Path,
    *,
    options: Mapping[str, Any],
    num_proc: int | None = None,
    engine: str = "datasets",
    progress: bool | None = None,
) -> Staged:
    """Read all sources into parts in `folder`; existing parts of unchanged sources are kept.

    Args:
        sources: names, in the order of the rows.
        marks: one text per source that changes when the source does.
        read: a source -> its rows, or a line that says why it has none; picklable.
        class_names: of the `label` column.
        folder: of the parts; all processes and machines must see it.
        options: all else that determines the rows, as JSON values; a change makes all parts again.
        num_proc, engine, progress: see `engines.run_parts`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = _changes(folder / _INPUTS, sources, marks, options)
    parts = _parts(sources, marks, options)
    for path in folder.iterdir():  # parts of other inputs, and half-written ones
        if path.is_file() and path.name != _INPUTS and path.name.split(".")[0] not in parts:
            path.unlink()
    pending = {name: part for name, part in parts.items() if not (folder / f"{name}.json").is_file()}
    work = partial(_write_part, read, None if class_names is None else tuple(class_names), str(folder))
    done = sum(len(part) for name, part in parts.items() if name not in pending)
    run_parts(pending, work, num_proc=num_proc, engine=engine, progress=progress, done=done)
    summaries = [read_json(folder / f"{name}.json", most=2**30) for name in parts]
    return Staged(
        paths=tuple(folder / f"{name}.parquet" for name in parts),
        broken=tuple(line for summary in summaries for line in summary["broken"]),
        num_sources=len(sources),
        joints=sum(summary["joints"] for summary in summaries),
        missing=sum(summary["missing"] for summary in summaries),
        classes=tuple(sorted({label for summary in summaries for label in summary["classes"]})),
        changed=tuple(changed),
    )


def read_facts(staged: Staged) -> Facts:
    """The facts of all rows, in order."""
    tables = [pq.read_table(path, columns=list(_FACTS), memory_map=True) for path in staged.paths]
    return Facts(pa.concat_tables(tables).combine_chunks())


def merge(
    staged: Staged,
    cells: np.ndarray,
    names: Sequence[str],
    folder: Path,
    class_names: Sequence[str] | None,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> list[Cell]:
    """Copy all rows into `folder/data/CELL/clips-00000-of-000NN.parquet`; return the cells with rows, in order.

    Args:
        cells: `(rows,)` the position of each row's cell in `names`.
        names: of the cells.
        folder: new folder of the dataset.
        shard_bytes: size at which a shard is closed (Arrow, before compression).
    """
    schema = features(class_names).arrow_schema
    writers: dict[int, _CellWriter] = {}
    row = 0
    try:
        for table in _groups_of(staged.paths):
            here = cells[row : row + len(table)]
            for cell in np.unique(here).tolist():
                if cell not in writers:
                    counts = {kind: np.zeros(len(class_names or ()) + 1, np.int64) for kind in COUNTED}
                    new = Cell(f"data/{names[cell]}", row + int((here == cell).argmax()), counts)
                    writers[cell] = _CellWriter(folder, new, schema, shard_bytes)
                part = table if (here == cell).all() else table.filter(pa.array(here == cell))
                writers[cell].add(part)
            row += len(table)
        return [writers[cell].finish() for cell in sorted(writers)]
    finally:
        for writer in writers.values():
            writer.close()


class _CellWriter:
    """Rows of one cell -> row groups -> shards."""

    def __init__(self, root: Path, cell: Cell, schema: pa.Schema, shard_bytes: int) -> None:
        self.root, self.cell, self.schema, self.shard_bytes = root, cell, schema, shard_bytes
        self.pending: list[pa.Table] = []
        self.paths: list[Path] = []
        self.writer: pq.ParquetWriter | None = None
        self.in_shard = 0
        (root / cell.folder).mkdir(parents=True, exist_ok=True)

    def add(self, table: pa.Table) -> None:
        for kind, column in COUNTED.items():
            labels, counts = _flat(table.column(column)), self.cell.counts[kind]
            unknown = len(counts) - 1
            known = (labels >= 0) & (labels < unknown)
            counts += np.bincount(np.where(known, labels, unknown), minlength=len(counts))
        self.cell.num_bytes += table.nbytes
        self.pending.append(table)
        if sum(map(len, self.pending)) >= ROWS_PER_GROUP or sum(t.nbytes for t in self.pending) >= GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        if self.writer is None:
            self.paths.append(self.root / self.cell.folder / f"clips-{len(self.paths):05d}.parquet")
            self.writer = pq.ParquetWriter(self.paths[-1], self.schema, compression="zstd", **PARQUET)
            self.in_shard = 0
        group = pa.concat_tables(self.pending).combine_chunks()
        self.pending = []
        self.writer.write_table(group, row_group_size=ROWS_PER_GROUP)
        self.in_shard += group.nbytes
        if self.in_shard >= self.shard_bytes:
            self.close()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.writer = None

    def finish(self) -> Cell:
        """Write the rest, and rename the shards to names with their number."""
        if self.pending:
            self._write()
        self.close()
        names = [f"clips-{number:05d}-of-{len(self.paths):05d}.parquet" for number in range(len(self.paths))]
        for path, name in zip(self.paths, names, strict=True):
            path.rename(path.with_name(name))
        self.cell.files = tuple(f"{self.cell.folder}/{name}" for name in names)
        return self.cell


def rows_to_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows of `skeletons.rows.to_row` as an Arrow table; NaN stays NaN (a missing number is not a null)."""
    columns = [pa.array([row[field.name] for row in rows], field.type, from_pandas=False) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def write_rows(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema, **encoding: Any) -> None:
    """Write rows to one parquet file, complete or not at all; one row group is in memory."""
    with atomic_path(path) as writing, pq.ParquetWriter(writing, schema, **encoding) as writer:
        for group in _groups(rows):
            writer.write_table(rows_to_table(group, schema))


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows in lists of one row group each."""
    group: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += 4 * len(row["keypoints"])
        if len(group) >= ROWS_PER_GROUP or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _groups_of(paths: Sequence[Path]) -> Iterator[pa.Table]:
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group)


def _flat(column: pa.ChunkedArray) -> np.ndarray:
    """The numbers of a column, lists concatenated."""
    chunks = [chunk.flatten() if pa.types.is_list(chunk.type) else chunk for chunk in column.chunks]
    parts = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate([np.zeros(0, np.int32), *parts])


def _parts(sources: Sequence[str], marks: Sequence[str], options: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Name -> sources; the name holds the position and a hash of all inputs of the part's rows."""
    size = min(_MAX_FILES_PER_PART, max(1, -(-len(sources) // _MIN_PARTS)))
    parts: dict[str, Sequence[str]] = {}
    for number, begin in enumerate(range(0, len(sources), size)):
        chosen = slice(begin, begin + size)
        content = json.dumps([dict(options), list(sources[chosen]), list(marks[chosen])], sort_keys=True)
        parts[f"{number:06d}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"] = sources[chosen]
    return parts


def _changes(path: Path, sources: Sequence[str], marks: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    """What differs from the inputs of an earlier call, stored in `path`, which then stores these."""
    now = pa.table({"source": pa.array(sources, pa.string()), "mark": pa.array(marks, pa.string())})
    now = now.replace_schema_metadata({"options": json.dumps(dict(options), sort_keys=True)})
    found: list[str] = []
    if path.is_file():
        try:
            before = pq.read_table(path, columns=["source", "mark"])
            old, new = (parse_json(table.schema.metadata[b"options"], path) for table in (before, now))
        except (pa.ArrowException, KeyError, TypeError, ValueError):
            raise ValueError(f"{path}: the inputs of an earlier call are damaged; remove {path.parent}.") from None
        found = [f"{name} (option)" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
        if not now.equals(before):
            earlier = dict(zip(before["source"].to_pylist(), before["mark"].to_pylist(), strict=True))
            current = dict(zip(sources, marks, strict=True))
            found += [f"{name} (changed)" for name, mark in current.items() if earlier.get(name, mark) != mark]
            found += [f"{name} (new)" for name in current if name not in earlier]
            found += [f"{name} (gone)" for name in earlier if name not in current]
    with atomic_path(path) as writing:
        pq.write_table(now, writing)
    return found


def shortened(lines: Sequence[str], shown: int = 5) -> str:
    """The first few lines, and how many more there are."""
    more = f" and {len(lines) - shown} more" if len(lines) > shown else ""
    return f"{', '.join(lines[:shown])}{more}"
