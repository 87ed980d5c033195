"""Reads and writes parquet files of the published columns (`skeletons/rows.py`), one clip per row, any schema version.

A separate process (`parquet_process.py`) decodes a file, as pyarrow crashes on some damaged ones.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats import parquet_process
from motionhub.data.formats.decoding import decoded
from motionhub.data.formats.files import bad_file, read_bytes
from motionhub.data.formats.format import Format, ReadOptions, most_values
from motionhub.data.formats.writing import Writer
from motionhub.skeletons.rows import COLUMNS, from_row, to_row
from motionhub.skeletons.sequence import SkeletonSequence


MAGIC = b"PAR1"
# Required by `from_row`; others may be absent, as in older versions.
_SHAPE = ("num_people", "num_frames", "num_joints", "num_dims")
_NEEDED = ("schema_version", "keypoints", *_SHAPE, "layout", "fps", "unit", "image_width", "image_height")
_WANTED = (*_NEEDED, "confidence", "track_ids", "up")
_TEXTS = ("layout", "unit", "up")
_LISTS = ("keypoints", "confidence", "track_ids")
# Empty rows take memory too.
_MAX_ROWS = 2**18
# Of the footer.
_LIMITS = {"thrift_string_size_limit": 2**24, "thrift_container_size_limit": 2**20}
# Limits of the process, in bytes and seconds of CPU time.
_BASE_MEMORY, _MEMORY_PER_BYTE, _MEMORY_PER_VALUE = 2**30, 2, 24
_BASE_SECONDS, _BYTES_PER_SECOND = 15, 2**21


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip per row, in their order."""
    content = read_bytes(path)
    if not content.startswith(MAGIC) or not content.endswith(MAGIC) or len(content) < 12:
        raise bad_file(path, "file", f"a parquet file begins and ends with {MAGIC!r}; this one is cut off or corrupt.")
    size = len(content)
    del content
    clips = []
    for number, row in enumerate(_rows(path, size)):
        try:
            clip = from_row(row)
        except (ValueError, TypeError, OverflowError) as error:
            raise bad_file(path, f"row {number}", str(error)) from None
        clips.append(options.agree(path, clip))
    return clips


def _rows(path: Path, size: int) -> list[dict[str, Any]]:
    columns, numbers = _decoded(path, size)
    start = 0
    for name in (name for name in _LISTS if name in columns):
        dtype, ends = np.dtype(columns[name]["dtype"]), np.cumsum(columns[name]["lengths"], dtype=np.int64)
        values = np.frombuffer(numbers, dtype, int(ends[-1]) if len(ends) else 0, start).copy()  # aligned, writeable
        start += values.nbytes
        columns[name] = np.split(values, ends[:-1]) if len(ends) else []
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _decoded(path: Path, size: int) -> tuple[dict[str, Any], memoryview]:
    """Values by column, of lists their lengths and dtype, and the numbers of the lists."""
    seconds, values = _BASE_SECONDS + size // _BYTES_PER_SECOND, most_values(path)
    request = {
        "memory": _BASE_MEMORY + _MEMORY_PER_BYTE * size + _MEMORY_PER_VALUE * values,
        "seconds": seconds,
        "limits": _LIMITS,
        "wanted": {name: COLUMNS[name] for name in _WANTED},
        **{"needed": _NEEDED, "texts": _TEXTS, "lists": _LISTS, "shape": _SHAPE},
        **{"most_rows": _MAX_ROWS, "most_values": values},
    }
    return decoded(path, parquet_process.__file__, request, kind="parquet", library="pyarrow")


def encode_all(sequences: Sequence[SkeletonSequence]) -> bytes:
    """A file with one row per sequence, in their order."""
    if not sequences:
        raise ValueError("a parquet file needs a sequence, got none.")
    # Slow imports.
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    from motionhub.data.formats.schema import features

    table = pa.Table.from_pylist([to_row(clip) for clip in sequences], schema=features(None).arrow_schema)
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


FORMAT = Format(
    name="parquet",
    title="parquet with motionhub's columns",
    matches=lambda path, head: head.startswith(MAGIC),
    read=read,
    pattern="*.parquet",
    container="binary",
    signature="parquet with the columns keypoints, num_people, num_frames, num_joints, num_dims, layout, fps, unit",
    writer=Writer(
        "parquet",
        "parquet, one row per sequence, as in our datasets",
        ".parquet",
        lambda clip: encode_all([clip]),
        encode_all,
    ),
)
