"""Training sets larger than memory: rows read from parquet shards, one row group at a time."""

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets.config
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import Features, load_dataset_builder
from fsspec.core import url_to_fs  # type: ignore[import-untyped]

from motionhub.training.order import LANES, WINDOW


# Decoded row groups per process, 4 to 8 MB each: the window of every lane, and one more for the next window.
CACHED_GROUPS = LANES * (WINDOW + 1)


def require_cache() -> None:
    """Raises ValueError where `datasets` cannot write its cache; its own error would be "no such file"."""
    folder = datasets.config.HF_DATASETS_CACHE
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise ValueError(
            f"The cache of datasets, {folder}, cannot be written; set another folder: export HF_HOME=/tmp/huggingface"
        )


class ShardedRows:
    """The rows of parquet files with the columns of `motionhub.skeletons.rows`, a few in memory at a time.

    `rows[3]` is a dictionary of numbers and NumPy arrays, `rows["label"]` a column.

    Args:
        files: paths or fsspec URLs (`hf://...`), in the order of the rows.
        features: types of the columns; by default those of the first file.

    Raises:
        ValueError: no files, or a file that is not parquet.
    """

    def __init__(self, files: Sequence[str | Path], features: Features | None = None) -> None:
        if not files:
            raise ValueError("ShardedRows needs at least one parquet file, got none.")
        self.files = [str(file) for file in files]
        sizes = [self._group_sizes(file) for file in self.files]
        self.groups = [(file, number) for file, size in enumerate(sizes) for number in range(len(size))]
        self.group_sizes = np.concatenate([np.asarray(size, np.int64) for size in sizes])
        self.ends = np.cumsum(self.group_sizes)
        self.features = features or Features.from_arrow_schema(
            self._open(self.files[0], lambda file: file.schema_arrow)
        )
        self._forget()

    @classmethod
    def from_saved(cls, source: str, config: str | None = None, split: str = "train") -> "ShardedRows":
        """One split of a saved dataset (`motionhub dataset build`) or a Hub dataset, else a ValueError."""
        require_cache()
        try:
            builder = load_dataset_builder(source, config)
        except FileNotFoundError as error:
            raise ValueError(f"{source}: no dataset there; expected a folder of a saved one or a Hub id.") from error
        files = builder.config.data_files or {}
        if split not in files:
            raise ValueError(f"{source} has the splits {list(files)}, not {split!r}; config {builder.config.name!r}.")
        return cls([str(file) for file in files[split]], builder.info.features)

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def column_names(self) -> list[str]:
        return list(self.features)

    def with_format(self, name: str) -> "ShardedRows":
        """Itself, as rows are always NumPy; for code that takes a `datasets.Dataset`."""
        if name != "numpy":
            raise ValueError(f"ShardedRows has the format 'numpy' only, got {name!r}.")
        return self

    def unique(self, name: str) -> list[Any]:
        """The distinct values of a column, in order of appearance."""
        return list(dict.fromkeys(self[name].tolist()))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            columns = [self._open(file, lambda opened: opened.read(columns=[index])) for file in self.files]
            return np.asarray(pa.concat_tables(columns).column(index).to_numpy())
        index = range(len(self))[int(index)]
        group = int(np.searchsorted(self.ends, index, side="right"))
        return self._group(group)[index - int(self.ends[group] - self.group_sizes[group])]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def _group(self, number: int) -> "RowGroup":
        if self._process != os.getpid():
            self._forget()  # a forked worker has its own cache
        if number in self._cached:
            self._cached.move_to_end(number)
            return self._cached[number]
        file, position = self.groups[number]
        group = RowGroup(self._open(self.files[file], lambda opened: opened.read_row_group(position)))
        self._cached[number] = group
        if len(self._cached) > CACHED_GROUPS:
            self._cached.popitem(last=False)
        return group

    def _forget(self) -> None:
        self._cached: OrderedDict[int, RowGroup] = OrderedDict()
        self._process = os.getpid()

    def _group_sizes(self, file: str) -> list[int]:
        metadata = self._open(file, lambda opened: opened.metadata)
        return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]

    @staticmethod
    def _open(file: str, use: Any) -> Any:
        """`use(ParquetFile)`; opened each time, so that forked processes share nothing."""
        system, path = url_to_fs(file)
        try:
            if "://" not in file:
                with pq.ParquetFile(path, memory_map=True) as opened:
                    return use(opened)
            with system.open(path, "rb") as content, pq.ParquetFile(content) as opened:
                return use(opened)
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{file}: cannot be read as parquet ({' '.join(str(error).split())}).") from None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cached": OrderedDict()}


class RowGroup:
    """A row group whose rows are decoded one by one."""

    def __init__(self, table: pa.Table) -> None:
        self.columns: list[tuple[str, Any, np.ndarray | None]] = []
        for name, column in zip(table.column_names, table.combine_chunks().columns, strict=True):
            array = column.chunk(0) if column.num_chunks else column.combine_chunks()
            if pa.types.is_list(array.type):
                values, offsets = array.values.to_numpy(zero_copy_only=False), array.offsets.to_numpy()
                self.columns.append((name, values, offsets))
            else:
                self.columns.append((name, array.to_pylist(), None))

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {
            name: values[row] if offsets is None else values[offsets[row] : offsets[row + 1]]
            for name, values, offsets in self.columns
        }
