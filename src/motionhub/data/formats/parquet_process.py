"""Decodes the columns of a parquet file in the process of `decoding_process.py`: pyarrow crashes on some damaged ones.

Nothing of motionhub is imported: the request describes the columns.
"""

import itertools
import math
import sys
from typing import Any


class Refused(Exception):
    """A place in the file and a reason."""


def decode(request: dict[str, Any], arrays: list[Any]) -> dict[str, Any]:
    """Texts and numbers; of lists the lengths and the dtype, while `arrays` gets their numbers."""
    import numpy as np
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    with pq.ParquetFile(sys.stdin.buffer, pre_buffer=False, **request["limits"]) as file:
        _check_columns(file.schema_arrow, request)
        names = [name for name in request["wanted"] if name in file.schema_arrow.names]
        # The stated shapes first, then row by row: repeated numbers take no space in a parquet file, and the counts of
        # the footer may be wrong.
        _check_size(file.metadata.num_rows, file.read(request["shape"], use_threads=False), request)
        values: dict[str, list[Any]] = {name: [] for name in names}
        for batch in file.iter_batches(1, columns=names, use_threads=False):
            batch.validate(full=True)
            for name in names:
                values[name] += _values(name, batch.column(name), request)
            _check_lengths(values, request)
    columns: dict[str, Any] = dict(values)
    for name in (name for name in names if name in request["lists"]):
        arrays.append(np.concatenate(values[name]) if values[name] else np.zeros(0))
        columns[name] = {"lengths": [len(array) for array in values[name]], "dtype": arrays[-1].dtype.str}
    return columns


def _check_columns(schema: Any, request: dict[str, Any]) -> None:
    import pyarrow.types as kinds  # type: ignore[import-untyped]

    absent = [name for name in request["needed"] if name not in schema.names]
    if absent:
        fix = "motionhub.write or motionhub.save_dataset make such files"
        raise Refused("columns", f"expected {absent}, but got only {schema.names[:20]}; {fix}.")
    for name in (name for name in request["wanted"] if name in schema.names):
        if schema.names.count(name) > 1:
            raise Refused("columns", f"{name!r} occurs twice.")
        kind = schema.field(name).type
        if name in request["lists"]:
            fits, expected = kinds.is_list(kind) or kinds.is_large_list(kind), "a list of numbers"
            kind = kind.value_type if fits else kind
        else:
            fits, expected = True, "a text" if name in request["texts"] else "a number"
        number = kinds.is_integer(kind) or kinds.is_floating(kind)
        if not fits or not (kinds.is_string(kind) if name in request["texts"] else number):
            raise Refused(f"column {name!r}", f"expected {expected} ({request['wanted'][name]}), got {kind}.")


def _check_size(num_rows: int, shapes: Any, request: dict[str, Any]) -> None:
    shapes.validate(full=True)
    columns = [shapes.column(name).to_pylist() for name in request["shape"]]
    values = sum(math.prod(abs(size or 0) for size in shape) for shape in zip(*columns, strict=True))
    if num_rows > request["most_rows"] or values > request["most_values"]:
        most = f"{request['most_rows']} or, for a file of this size, {request['most_values']}"
        fix = 'read such a dataset by datasets.load_dataset("parquet", data_files=..., streaming=True)'
        raise Refused("content", f"{num_rows} rows of {values:g} numbers are more than {most}; {fix}.")


def _check_lengths(values: dict[str, list[Any]], request: dict[str, Any]) -> None:
    shape = [abs(int(values[name][-1])) for name in request["shape"]]
    if len(values["keypoints"][-1]) != math.prod(shape):
        reason = f"must hold {' x '.join(map(str, shape))} numbers, got {len(values['keypoints'][-1])}"
        raise Refused(f"row {len(values['keypoints']) - 1}", f"Column 'keypoints' {reason}.")


def _values(name: str, column: Any, request: dict[str, Any]) -> list[Any]:
    """One value per row: arrays for lists. Raises Refused for nulls."""
    if column.null_count:
        raise Refused(f"column {name!r}", f"expected a value in every row, {column.null_count} are null.")
    if name not in request["lists"]:
        return column.to_pylist()
    numbers, ends = column.values.to_numpy(zero_copy_only=False), column.offsets.to_numpy()
    return [numbers[start:end] for start, end in itertools.pairwise(ends)]
