"""Training sets larger than memory: rows read from parquet shards, one row group at a time.

Shards are paths or fsspec addresses (`https://`, `hf://`, `s3://`). Of an address, a row group is one request.
"""

import io
import os
import time
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


# Requests for one row group of an address, and seconds before the second; twice as long before each further one.
TRIES, WAIT = 4, 0.5
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
        files: paths or fsspec addresses (`https://...`, `hf://...`), in the order of the rows.
        features: types of the columns; by default those of the first file.

    Raises:
        ValueError: no files, a file that is not parquet (half-written), or one with other columns than the first.
        ImportError: an address that needs a package that is not installed.
    """

    def __init__(self, files: Sequence[str | Path], features: Features | None = None) -> None:
        if not files:
            raise ValueError("ShardedRows needs at least one parquet file, got none.")
        self.files = [str(file) for file in files]
        self._footers = [self._open(file, lambda opened: opened.metadata) for file in self.files]
        sizes = [self._group_sizes(footer) for footer in self._footers]
        self.groups = [(file, number) for file, size in enumerate(sizes) for number in range(len(size))]
        self.group_sizes = np.concatenate([np.asarray(size, np.int64) for size in sizes])
        self.ends = np.cumsum(self.group_sizes)
        self.features = features or Features.from_arrow_schema(
            self._open(self.files[0], lambda file: file.schema_arrow)
        )
        self._check_columns()
        self._forget()

    @classmethod
    def from_saved(cls, source: str, config: str | None = None, split: str = "train") -> "ShardedRows":
        """One split of a saved dataset (`motionhub dataset build`), a Hub dataset, or the address of either.

        Raises:
            ValueError: no dataset there, or no such split.
        """
        if "://" in source:
            return cls(files_at(source, config, split))
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
            files = zip(self.files, self._footers, strict=True)
            columns = [self._open(file, lambda opened: opened.read(columns=[index]), footer) for file, footer in files]
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
        group = RowGroup(self._read(file, position))
        self._cached[number] = group
        if len(self._cached) > CACHED_GROUPS:
            self._cached.popitem(last=False)
        return group

    def _forget(self) -> None:
        self._cached: OrderedDict[int, RowGroup] = OrderedDict()
        self._process = os.getpid()

    @staticmethod
    def _group_sizes(footer: Any) -> list[int]:
        return [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]

    def _check_columns(self) -> None:
        first = self._footers[0].schema.names
        for file, footer in zip(self.files, self._footers, strict=True):
            if footer.schema.names != first:
                other = sorted({*footer.schema.names} ^ {*first}) or "an order of their own"
                raise ValueError(
                    f"{file} has other columns than {self.files[0]} ({other}); the shards of a dataset have the same: "
                    "build it anew with motionhub dataset build."
                )

    def _read(self, file: int, position: int) -> pa.Table:
        """One row group."""
        name, footer = self.files[file], self._footers[file]
        if "://" not in name:
            return self._open(name, lambda opened: opened.read_row_group(position), footer)
        begin, end = byte_range(footer.row_group(position))
        for attempt in range(1, TRIES + 1):
            try:
                system, path = url_to_fs(name)
                content = system.cat_file(path, start=begin, end=end)
                if len(content) != end - begin:
                    raise OSError(f"got {len(content)} of {end - begin} bytes")
                with pq.ParquetFile(_Part(content, begin), metadata=footer) as opened:
                    return opened.read_row_group(position)
            except pa.ArrowInvalid as error:
                raise _unreadable(name, error) from None
            except Exception as error:  # clients of stores have errors of their own
                if attempt == TRIES:
                    raise _unreadable(name, error, f" after {TRIES} tries") from None
                time.sleep(WAIT * 2 ** (attempt - 1))
        raise AssertionError("every attempt returns or raises")

    @staticmethod
    def _open(file: str, use: Any, footer: Any = None) -> Any:
        """`use(ParquetFile)`; opened each time, so that forked processes share nothing."""
        if "://" not in file:
            try:
                with pq.ParquetFile(url_to_fs(file)[1], memory_map=True, metadata=footer) as opened:
                    return use(opened)
            except (pa.ArrowInvalid, OSError) as error:
                raise _unreadable(file, error) from None
        try:
            system, path = url_to_fs(file)
            # Columns are small parts of a file: without read-ahead, and neighbours in one request.
            with (
                system.open(path, "rb", cache_type="none") as content,
                pq.ParquetFile(content, metadata=footer, pre_buffer=True) as opened,
            ):
                return use(opened)
        except ImportError as error:
            raise ImportError(_needs(file, error)) from None
        except Exception as error:  # clients of stores have errors of their own
            raise _unreadable(file, error) from None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cached": OrderedDict()}


def files_at(address: str, config: str | None = None, split: str = "train") -> list[str]:
    """The shards of one split of the dataset at an fsspec address, in the order of their names.

    Args:
        address: of the dataset's folder, whose README.md lists the files of its splits, as `motionhub dataset build`
            writes it; or of parquet files, with `*` for any text.
        config: of the README; by default the one that it calls default, else its first.

    Raises:
        ValueError: nothing there, or no such config or split.
        ImportError: the address needs a package that is not installed.
    """
    try:
        system, path = url_to_fs(address)
        if address.endswith(".parquet"):
            patterns = [path]
        else:
            patterns = _patterns(address, system.cat_file(f"{path.rstrip('/')}/README.md"), config, split)
            patterns = [f"{path.rstrip('/')}/{pattern}" for pattern in patterns]
        found = [name for pattern in patterns for name in sorted(system.glob(pattern))]
    except ImportError as error:
        raise ImportError(_needs(address, error)) from None
    except ValueError:
        raise
    except Exception as error:  # clients of stores have errors of their own
        raise ValueError(
            f"{address}: no dataset there ({_line(error)}); expected the address of a folder with README.md, as "
            "motionhub dataset build writes it, or of parquet files (https://HOST/data/*.parquet)."
        ) from None
    if not found:
        raise ValueError(f"{address}: no parquet files for the split {split!r} there (looked for {patterns}).")
    return [system.unstrip_protocol(name) for name in found]


def _patterns(address: str, card: bytes, config: str | None, split: str) -> list[str]:
    """The paths of a split in a dataset card."""
    from huggingface_hub import DatasetCard

    configs = DatasetCard(card.decode(), ignore_metadata_errors=True).data.to_dict().get("configs") or []
    named = {entry.get("config_name", "default"): entry for entry in configs}
    default = next((name for name, entry in named.items() if entry.get("default")), next(iter(named), None))
    chosen = named.get(config or default)
    if chosen is None:
        raise ValueError(f"{address}/README.md has the configs {list(named)}, not {config!r}.")
    files = chosen.get("data_files") or []
    splits = {entry["split"]: entry["path"] for entry in files if isinstance(entry, dict)}
    if split not in splits:
        raise ValueError(f"{address} has the splits {list(splits)}, not {split!r}; config {config or default!r}.")
    return [splits[split]] if isinstance(splits[split], str) else list(splits[split])


def byte_range(group: Any) -> tuple[int, int]:
    """The first byte of a row group in its file, and the one after its last."""
    columns = [group.column(number) for number in range(group.num_columns)]
    begins = [
        min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset) for column in columns
    ]
    ends = [begin + column.total_compressed_size for begin, column in zip(begins, columns, strict=True)]
    return min(begins), max(ends)


class _Part(io.RawIOBase):
    """Some bytes of a file, read at their places in the whole file."""

    def __init__(self, content: bytes, begin: int) -> None:
        self.content, self.begin, self.place = memoryview(content), begin, begin

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.begin + len(self.content)}[whence]
        self.place = start + offset
        return self.place

    def read(self, size: int = -1) -> bytes:
        start = self.place - self.begin
        if start < 0:
            raise OSError("a read before the row group")
        found = self.content[start : None if size < 0 else start + size]
        self.place += len(found)
        return bytes(found)


def _unreadable(file: str, error: BaseException, when: str = "") -> ValueError:
    return ValueError(f"{file}: cannot be read as parquet{when} ({_line(error)}).")


def _needs(address: str, error: ImportError) -> str:
    http = address.startswith(("http://", "https://"))
    return f'{address}: {_line(error)}; pip install "motionhub[http]".' if http else f"{address}: {_line(error)}."


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
