"""Adds columns of feature vectors to a saved dataset, computed once by frozen encoders.

Rows are read, encoded and written in chunks, so memory does not grow with the dataset. Finished chunks stay on disk,
so a run resumes after interruption. The new dataset keeps the files, splits and card of the old one.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import Features, List, Value
from tqdm.auto import tqdm

from motionhub.atomic import atomic_path, write_text
from motionhub.bounded import read_json


CHUNK_ROWS = 512
FACTS = "features.json"
_STAGING = ".features"

Encode = Callable[[Sequence[Mapping[str, Any]]], Sequence[np.ndarray]]


@dataclass(frozen=True)
class FeatureColumn:
    """One new column of flat float32 lists.

    Args:
        name: a name that the dataset does not have yet.
        needs: columns of a row that `encode` reads.
        encode: rows -> one array each, of any shape, stored flat; empty where a clip has nothing to encode.
        facts: everything that determines the vectors, as JSON values: written to features.json, and compared before an
            earlier run is resumed.
        missing: allows NaN for missing values, as in keypoints.
    """

    name: str
    needs: tuple[str, ...]
    encode: Encode
    facts: dict[str, Any] = field(default_factory=dict)
    missing: bool = False


@dataclass(frozen=True)
class Extraction:
    """Result of `add_feature_columns`: chunks `kept` of an earlier run, and clips without a vector by column."""

    folder: Path
    num_rows: int
    kept: int
    empty: dict[str, int]


def add_feature_columns(
    source: str | Path,
    out: str | Path,
    columns: Sequence[FeatureColumn],
    *,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool | None = None,
) -> Extraction:
    """Copies a saved dataset with further columns; called again with the same arguments it resumes after interruption.

    Args:
        source: folder of a dataset in parquet files, as `motionhub dataset build` and `generate` write.
        out: a new folder, or the folder of the run to resume.
        columns: with different names.
        chunk_rows: rows encoded and kept at once.
        progress: a bar on stderr; None shows it on terminals only.

    Raises:
        ValueError: the source has no parquet files or lacks a column, a new column already exists, `out` holds another
            dataset, or an encoder does not return one finite array for each row.
    """
    root, target = Path(source), Path(out)
    files = _files(root)
    _check_columns(files[0], columns)
    fingerprint = _fingerprint(root, files, columns, chunk_rows)
    staging = _staging(target, fingerprint)
    num_rows = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    kept = 0
    disable = None if progress is None else not progress
    with tqdm(total=num_rows, desc="encoding", unit=" clips", disable=disable) as bar:
        for table, chunk in _chunks(files, staging, chunk_rows):
            if chunk.is_file():
                kept += 1
            else:
                _encode_chunk(chunk, table, columns)
            bar.update(len(table))
    empty = Counter(dict.fromkeys((column.name for column in columns), 0))
    for file in files:
        chunks = _chunks([file], staging, chunk_rows)
        empty.update(_write_shard(file, target / file.relative_to(root), chunks, columns))
    others = shutil.ignore_patterns(".*", "*.parquet")  # the card and its images
    shutil.copytree(root, target, ignore=others, copy_function=shutil.copyfile, dirs_exist_ok=True)
    _extend_card(target / "README.md", columns)
    earlier = read_json(root / FACTS) if (root / FACTS).is_file() else {}
    write_text(target / FACTS, json.dumps(earlier | {c.name: c.facts for c in columns}, indent=2) + "\n")
    write_text(target / _STAGING / "done", fingerprint)
    shutil.rmtree(staging)
    return Extraction(target, num_rows, kept, dict(empty))


def _files(root: Path) -> list[Path]:
    found = sorted(path for path in root.rglob("*.parquet") if not any(part.startswith(".") for part in path.parts))
    if not found:
        raise ValueError(
            f"{root}: expected the folder of a saved dataset with parquet files, found none. Build one: "
            "motionhub dataset build NAME --raw FILES --out FOLDER; or download: hf download ID --repo-type dataset"
        )
    return found


def _check_columns(file: Path, columns: Sequence[FeatureColumn]) -> None:
    names = [column.name for column in columns]
    present = set(pq.read_schema(file).names)
    if not columns or len(set(names)) < len(names) or set(names) & present:
        raise ValueError(f"Expected new columns of different names, got {names}; {file} has {sorted(present)}.")
    lacking = {need for column in columns for need in column.needs} - present
    if lacking:
        raise ValueError(f"{file} lacks the columns {sorted(lacking)}; it has {sorted(present)}.")


def _fingerprint(root: Path, files: Sequence[Path], columns: Sequence[FeatureColumn], chunk_rows: int) -> str:
    """A hash of everything that determines the vectors."""
    states = [(str(file.relative_to(root)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    content = [states, [(column.name, column.facts) for column in columns], chunk_rows]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _staging(target: Path, fingerprint: str) -> Path:
    """The folder of the chunks, without those of other arguments; a ValueError for a folder with other content."""
    foreign = target.is_dir() and any(target.iterdir()) and not (target / _STAGING).is_dir()
    if foreign or (target.exists() and not target.is_dir()):
        raise ValueError(f"{target} exists and was not made by this; give a new folder.")
    staging = target / _STAGING / fingerprint
    for other in sorted(staging.parent.glob("*")):
        if other.is_dir() and other != staging:
            shutil.rmtree(other)
    staging.mkdir(parents=True, exist_ok=True)
    return staging


def _chunks(files: Sequence[Path], staging: Path, chunk_rows: int) -> Iterator[tuple[pa.Table, Path]]:
    """Every `chunk_rows` rows, and the file of their vectors."""
    for file in files:
        name = hashlib.sha256(str(file).encode()).hexdigest()[:16]
        with pq.ParquetFile(file) as opened:
            for place, batch in enumerate(opened.iter_batches(batch_size=chunk_rows)):
                yield pa.Table.from_batches([batch]), staging / f"{name}-{place:06d}.parquet"


def _encode_chunk(chunk: Path, table: pa.Table, columns: Sequence[FeatureColumn]) -> None:
    """Writes the vectors of all columns to one file."""
    arrays = {}
    for column in columns:
        rows = _rows(table, column.needs)
        made = [np.asarray(values, dtype=np.float32).reshape(-1) for values in column.encode(rows)]
        flat = np.concatenate([np.zeros(0, np.float32), *made])
        wrong = np.isinf(flat).any() if column.missing else not np.isfinite(flat).all()
        if len(made) != len(rows) or wrong:
            got = f"{len(made)} arrays for {len(rows)} rows, {int((~np.isfinite(flat)).sum())} values not finite"
            raise ValueError(f"Column {column.name!r}: expected one finite array for each row, got {got}.")
        arrays[column.name] = pa.array(made, type=pa.list_(pa.float32()), from_pandas=False)
    with atomic_path(chunk) as writing:
        pq.write_table(pa.table(arrays), writing)


def _rows(table: pa.Table, needs: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as dictionaries, with lists of numbers as NumPy arrays."""
    columns: dict[str, Sequence[Any]] = {}
    for name in needs:
        column = table.column(name).combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_list(column.type) and not pa.types.is_nested(column.type.value_type):
            values, ends = column.flatten().to_numpy(zero_copy_only=False), np.cumsum(column.value_lengths())
            columns[name] = np.split(values, ends[:-1])
        else:
            columns[name] = column.to_pylist()
    return [{name: columns[name][row] for name in needs} for row in range(len(table))]


def _write_shard(
    file: Path, final: Path, chunks: Iterator[tuple[pa.Table, Path]], columns: Sequence[FeatureColumn]
) -> dict[str, int]:
    """Writes the rows of a file with their vectors; returns the number of empty vectors by column."""
    types = Features.from_arrow_schema(pq.read_schema(file))
    new = Features({**types, **{column.name: List(Value("float32")) for column in columns}}).arrow_schema
    empty = dict.fromkeys((column.name for column in columns), 0)
    with atomic_path(final) as writing, pq.ParquetWriter(writing, new, compression="zstd") as writer:
        for table, chunk in chunks:
            for name, vectors in zip(empty, pq.read_table(chunk).columns, strict=True):
                table = table.append_column(name, vectors)
                empty[name] += int((pc.list_value_length(vectors).to_numpy() == 0).sum())
            writer.write_table(table.cast(new))
    return empty


def _extend_card(path: Path, columns: Sequence[FeatureColumn]) -> None:
    """Lists the new columns in the text of the card and in its metadata."""
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCard

    if not path.is_file():
        return
    card = DatasetCard.load(path)
    infos = DatasetInfosDict.from_dataset_card_data(card.data)
    for info in infos.values():
        if info.features is not None:
            info.features.update({column.name: List(Value("float32")) for column in columns})
    infos.to_dataset_card_data(card.data)
    lines = [f"- `{column.name}`: flat float32 vectors by {json.dumps(column.facts)}" for column in columns]
    card.text = f"{card.text.rstrip()}\n\n## Features\n\n" + "\n".join(lines) + "\n"
    card.save(path)
