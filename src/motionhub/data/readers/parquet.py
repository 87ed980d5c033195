"""Reads parquet files of the published columns (`skeletons/rows.py`): a clip a row, of every schema version so far.

It does not know labels, splits nor data sets too large for memory: `datasets.load_dataset` reads those.
Known limit: pyarrow ends the process on a few files with flipped bits (found by long fuzzing).
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.readers.options import MAX_VALUES, PoseFormat, ReadOptions, checked_size, layout_in_file
from motionhub.data.readers.reader import bad_file, read_bytes
from motionhub.skeletons.rows import COLUMNS, from_row
from motionhub.skeletons.sequence import SkeletonSequence


MAGIC = b"PAR1"
# What `from_row` needs; the others may be absent, as in rows of older versions.
_SHAPE = ("num_people", "num_frames", "num_joints", "num_dims")
_NEEDED = ("schema_version", "keypoints", *_SHAPE, "layout", "fps", "unit", "image_width", "image_height")
_WANTED = (*_NEEDED, "confidence", "track_ids")
_TEXTS = ("layout", "unit")
_LISTS = ("keypoints", "confidence", "track_ids")
# Rows beside their numbers cost memory too: many empty ones must not fill it.
_MAX_ROWS = 2**18
# A footer that names more or longer things than a row of ours could.
_MAX_TEXT_BYTES, _MAX_FOOTER_ITEMS = 2**24, 2**20


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """A clip a row, in their order."""
    content = read_bytes(path)
    if not content.startswith(MAGIC) or not content.endswith(MAGIC) or len(content) < 12:
        raise bad_file(path, "file", f"a parquet file begins and ends with {MAGIC!r}; this one is cut off or corrupt.")
    clips = []
    for number, row in enumerate(_rows(path, content)):
        layout_in_file(path, f"row {number}", row["layout"])
        try:
            clip = from_row(row)
        except (ValueError, TypeError, OverflowError) as error:
            raise bad_file(path, f"row {number}", str(error)) from None
        clips.append(options.agree(path, clip))
    return clips


def _rows(path: Path, content: bytes) -> list[dict[str, Any]]:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    limits = {"thrift_string_size_limit": _MAX_TEXT_BYTES, "thrift_container_size_limit": _MAX_FOOTER_ITEMS}
    try:
        with pq.ParquetFile(io.BytesIO(content), **limits) as file:
            _check_columns(path, file.schema_arrow)
            names = [name for name in _WANTED if name in file.schema_arrow.names]
            # What the rows say of their own size comes first, and then a row at a time: a run of one number takes no
            # space in a parquet file. The footer's counts are of no use, pyarrow 22 ends the process on broken ones.
            _check_size(path, file.metadata.num_rows, file.read(list(_SHAPE), use_threads=False))
            rows = []
            for batch in file.iter_batches(1, columns=names, use_threads=False):
                columns = {name: _values(path, name, batch.column(name)) for name in names}
                rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
                _check_lengths(path, rows)
    except (pa.ArrowException, OSError, MemoryError, OverflowError, UnicodeDecodeError) as error:
        raise bad_file(path, "parquet", f"cannot be read ({error}).") from None
    return rows


def _check_columns(path: Path, schema: Any) -> None:
    import pyarrow.types as kinds  # type: ignore[import-untyped]

    absent = [name for name in _NEEDED if name not in schema.names]
    if absent:
        fix = "motionhub.write or motionhub.save_dataset make such files"
        raise bad_file(path, "columns", f"expected {absent}, but it has only {schema.names[:20]}; {fix}.")
    for name in (name for name in _WANTED if name in schema.names):
        if schema.names.count(name) > 1:
            raise bad_file(path, "columns", f"{name!r} occurs twice.")
        kind = schema.field(name).type
        if name in _LISTS:
            fits, words = kinds.is_list(kind) or kinds.is_large_list(kind), "a list of numbers"
            kind = kind.value_type if fits else kind
        else:
            fits, words = True, "a text" if name in _TEXTS else "a number"
        plain = kinds.is_string(kind) if name in _TEXTS else kinds.is_integer(kind) or kinds.is_floating(kind)
        if not fits or not plain:
            raise bad_file(path, f"column {name!r}", f"expected {words} ({COLUMNS[name]}), got {kind}.")


def _check_size(path: Path, num_rows: int, shapes: Any) -> None:
    columns = [shapes.column(name).to_pylist() for name in _SHAPE]
    sizes = [math.prod(abs(size or 0) for size in shape) for shape in zip(*columns, strict=True)]
    if num_rows > _MAX_ROWS or sum(sizes) > MAX_VALUES:
        told = f"{num_rows} rows of {sum(sizes):g} numbers are more than {_MAX_ROWS} or {MAX_VALUES}"
        call = f'datasets.load_dataset("parquet", data_files="{path}", streaming=True)'
        raise bad_file(path, "content", f"{told}; read such a data set by {call}.")
    checked_size(path, *(int(size) for size in [sum(sizes)]))


def _check_lengths(path: Path, rows: list[dict[str, Any]]) -> None:
    shape = [abs(int(rows[-1][name])) for name in _SHAPE]
    if len(rows[-1]["keypoints"]) != math.prod(shape):
        reason = (
            f"Column 'keypoints' must hold {' x '.join(map(str, shape))} numbers, got {len(rows[-1]['keypoints'])}."
        )
        raise bad_file(path, f"row {len(rows) - 1}", reason)


def _values(path: Path, name: str, column: Any) -> list[Any]:
    """A value a row: arrays for lists. A null is no number, and no clip has one where a number is needed."""
    if column.null_count:
        raise bad_file(path, f"column {name!r}", f"expected a value in every row, {column.null_count} are null.")
    if name not in _LISTS:
        return column.to_pylist()
    numbers, ends = column.values.to_numpy(zero_copy_only=False), column.offsets.to_numpy()
    return [np.asarray(numbers[start:end]) for start, end in zip(ends[:-1], ends[1:], strict=True)]


def matches(path: Path, head: bytes) -> bool:
    return head.startswith(MAGIC)


FORMAT = PoseFormat(
    name="parquet",
    title="parquet in motionhub's columns",
    matches=matches,
    read=read,
    pattern="*.parquet",
    container="binary",
    signature="parquet with the columns keypoints, num_people, num_frames, num_joints, num_dims, layout, fps, unit",
)
