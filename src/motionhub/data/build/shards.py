"""Rows of a dataset of any size on disk, in bounded memory: parts that survive a kill, then shards by cell.

`stage` makes one part of every few sources; a part whose sources are unchanged is kept by a later call. `merge` copies
the rows of all parts, in order, into shards. A row is in memory only while its part, or its row group, is written.
What grows with the dataset are the names of the sources and the `Facts` of the rows, about a hundred bytes each.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from motionhub.atomic import atomic_path, write_text
from motionhub.data.build.engines import run_parts
from motionhub.data.formats.schema import features
from motionhub.skeletons.rows import classes_of


# A row group is what a reader of parquet holds in memory at once.
ROWS_PER_GROUP = 1000
GROUP_BYTES = 2**22
SHARD_BYTES = 2**28
_MAX_FILES_PER_PART = 512
_MIN_PARTS = 16
_FACTS = ("label", "subject", "camera", "setup", "clip_id", "num_frames")
# Texts that repeat; a dictionary of coordinates would only cost time.
_DICTIONARY = ["layout", "unit", "source", "licence"]
# First bytes, second bytes, ...: floats become a seventh smaller, and no slower to write or read.
_SPLIT = ["keypoints.list.element", "confidence.list.element"]
_SHOWN = 5
# What a cell counts by class -> the column with the labels.
COUNTED = {"Clips": "label", "Frames": "frame_labels", "Actions": "segment_labels"}
_INPUTS = "inputs.parquet"

ReadRows = Callable[[str], list[dict[str, Any]] | str]


@dataclass(frozen=True)
class Staged:
    """What `stage` leaves on disk.

    Args:
        paths: the parts, in the order of their sources.
        broken: one line per source without rows.
        num_sources: how many there were.
        joints, missing: joints of all clips, and those that are NaN.
        classes: that occur, as labels of clips, frames or segments.
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
    """Clips that every protocol treats alike, in the shards of one folder.

    Args:
        folder: below the dataset's folder, such as `data/train-test`.
        first_row: position of its first clip in the dataset: what holds for it holds for all.
        counts: `"Clips"`, `"Frames"` with a label of their own, annotated `"Actions"` -> how many of each class
            `(num_classes + 1,)`, the last of an unknown one.
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


@dataclass(frozen=True)
class WritePart:
    """Reads sources and writes their rows as one part: what every engine calls, on whatever machine it runs.

    Args:
        read: a source -> its rows, or the line that says why it has none. Can be pickled.
        class_names: of the `label` column.
        folder: for the parts; all processes (and machines) see it.
    """

    read: ReadRows
    class_names: tuple[str, ...] | None
    folder: str

    def __call__(self, name: str, sources: Sequence[str]) -> None:
        """Write `name.parquet`, then `name.json`: a part is finished when that is there."""
        schema = features(self.class_names).arrow_schema
        final = Path(self.folder) / f"{name}.parquet"
        summary: dict[str, Any] = {"sources": len(sources), "broken": [], "joints": 0, "missing": 0, "classes": []}
        write_rows(final, self._rows(sources, summary), schema, compression="lz4", use_dictionary=_DICTIONARY)
        write_text(final.with_suffix(".json"), json.dumps(summary))

    def _rows(self, sources: Sequence[str], summary: dict[str, Any]) -> Iterator[dict[str, Any]]:
        classes: set[int] = set()
        for source in sources:
            rows = self.read(source)
            if isinstance(rows, str):
                summary["broken"].append(rows)
                continue
            for row in rows:
                summary["joints"] += len(row["keypoints"]) // row["num_dims"]
                summary["missing"] += int(np.isnan(row["keypoints"]).sum()) // row["num_dims"]
                classes |= classes_of(row)
                yield row
        summary["classes"] = sorted(classes)


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
    """Read all sources into parts in `folder`; those that are there already, of unchanged sources, are kept.

    Args:
        sources: names, in the order that the rows shall have.
        marks: one text per source that changes when the source does.
        read: see `WritePart`.
        options: what else decides the rows, as JSON values; where one differs from an earlier call, all parts are
            made again.
        num_proc, engine: see `engines.run_parts`.
        progress: a progress bar on stderr; None: on terminals only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = _changes(folder / _INPUTS, sources, marks, options)
    parts = _parts(sources, marks, options)
    _remove_strangers(folder, set(parts))
    pending = {name: part for name, part in parts.items() if not (folder / f"{name}.json").is_file()}
    work = WritePart(read, None if class_names is None else tuple(class_names), str(folder))
    done = sum(len(part) for name, part in parts.items() if name not in pending)
    run_parts(pending, work, num_proc=num_proc, engine=engine, progress=progress, done=done)
    summaries = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in parts]
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
    """Copy all rows into `folder/data/CELL/clips-00000-of-000NN.parquet`; the cells that have rows, in their order.

    Args:
        cells: `(rows,)` the position of each row's cell in `names`.
        names: of the cells.
        folder: new folder of the dataset.
        shard_bytes: a shard is closed when it holds this much (Arrow, before compression).
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
            encoding = {"use_dictionary": _DICTIONARY, "use_byte_stream_split": _SPLIT}
            self.writer = pq.ParquetWriter(self.paths[-1], self.schema, compression="zstd", **encoding)
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
        """Write what is left and give the shards the names that say how many there are."""
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
    return pa.Table.from_arrays([_column(rows, field) for field in schema], schema=schema)


def write_rows(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema, **encoding: Any) -> None:
    """Rows as one parquet file, complete or not there; in memory are those of one row group."""
    with atomic_path(path) as writing, pq.ParquetWriter(writing, schema, **encoding) as writer:
        for group in _groups(rows):
            writer.write_table(rows_to_table(group, schema))


def _column(rows: Sequence[Mapping[str, Any]], field: pa.Field) -> pa.Array:
    values = [row[field.name] for row in rows]
    if not pa.types.is_list(field.type):
        return pa.array(values, type=field.type)
    lengths = [len(value) for value in values]
    flat = np.concatenate([np.asarray(value, dtype=field.type.value_type.to_pandas_dtype()) for value in values])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, from_pandas=False), type=field.type)


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
    """The numbers of a column, those of lists one after the other."""
    chunks = [chunk.flatten() if pa.types.is_list(chunk.type) else chunk for chunk in column.chunks]
    parts = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate([np.zeros(0, np.int32), *parts])


def _parts(sources: Sequence[str], marks: Sequence[str], options: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Name -> sources. The name holds the position and a hash of all that decides the part's rows."""
    size = min(_MAX_FILES_PER_PART, max(1, -(-len(sources) // _MIN_PARTS)))
    parts: dict[str, Sequence[str]] = {}
    for number, begin in enumerate(range(0, len(sources), size)):
        chosen = slice(begin, begin + size)
        content = json.dumps([dict(options), list(sources[chosen]), list(marks[chosen])], sort_keys=True)
        parts[f"{number:06d}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"] = sources[chosen]
    return parts


def _changes(path: Path, sources: Sequence[str], marks: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    """What differs from the inputs of an earlier call, which `path` remembers; then it remembers these."""
    now = pa.table({"source": pa.array(sources, pa.string()), "mark": pa.array(marks, pa.string())})
    now = now.replace_schema_metadata({"options": json.dumps(dict(options), sort_keys=True)})
    found: list[str] = []
    if path.is_file():
        before = pq.read_table(path)
        old, new = (json.loads(table.schema.metadata[b"options"]) for table in (before, now))
        found = [f"{name} (option)" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
        if not now.equals(before):
            earlier = dict(zip(before["source"].to_pylist(), before["mark"].to_pylist(), strict=True))
            found += _changed_marks(earlier, dict(zip(sources, marks, strict=True)))
    with atomic_path(path) as writing:
        pq.write_table(now, writing)
    return found


def _changed_marks(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [
        *(f"{name} (changed)" for name, mark in now.items() if before.get(name, mark) != mark),
        *(f"{name} (new)" for name in now if name not in before),
        *(f"{name} (gone)" for name in before if name not in now),
    ]


def _remove_strangers(folder: Path, names: set[str]) -> None:
    """Parts of other inputs, and half-written ones."""
    for path in folder.iterdir():
        if path.is_file() and path.name != _INPUTS and path.name.split(".")[0] not in names:
            path.unlink()


def shortened(lines: Sequence[str], shown: int = _SHOWN) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(lines) - shown} more" if len(lines) > shown else ""
    return f"{', '.join(lines[:shown])}{more}"
