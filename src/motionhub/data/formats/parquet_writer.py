"""Writes parquet in the published columns of `skeletons/rows.py`: one row a sequence, for `datasets` and every tool.

It does not know labels nor splits: `data/build/build.py` writes data sets.
"""

import io
from collections.abc import Sequence

from motionhub.data.formats.writer import Writer
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence


def encode(sequence: SkeletonSequence) -> bytes:
    """A file of one row."""
    return encode_all([sequence])


def encode_all(sequences: Sequence[SkeletonSequence]) -> bytes:
    """A file of a row a sequence, in their order."""
    if not sequences:
        raise ValueError("a parquet file needs a sequence, got none.")
    # Both take a second to import, which who writes other formats need not wait for.
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    from motionhub.data.formats.schema import features

    table = pa.Table.from_pylist([to_row(clip) for clip in sequences], schema=features(None).arrow_schema)
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


WRITER = Writer(
    name="parquet",
    title="parquet, a row a sequence, as in our data sets",
    suffix=".parquet",
    encode=encode,
    encode_all=encode_all,
)
