"""Decodes the columns of a parquet file, as a process of its own: pyarrow ends its process on some damaged files.

Nothing of motionhub is imported, which would take seconds; what the columns mean, the caller's request says. The file
comes as standard input; out go a line of JSON and the numbers of the list columns, one after the other.
"""

import json
import math
import sys
from contextlib import suppress
from typing import Any


class Refused(Exception):
    """A place in the file and what is wrong there."""


def main() -> None:
    request = json.loads(sys.argv[1])
    _limit(request["memory"], request["seconds"])
    sys.path.extend(folder for folder in request["import_path"] if folder not in sys.path)
    arrays: list[Any] = []
    try:
        told: dict[str, Any] = {"columns": _columns(request, arrays)}
    except Refused as error:
        told, arrays = {"refused": error.args}, []
    except Exception as error:  # pyarrow has many for what is damaged, and all end here
        told, arrays = {"refused": ("parquet", f"cannot be read ({error}).")}, []
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    for array in arrays:
        sys.stdout.buffer.write(array.view("u1"))


def _limit(memory: int, seconds: int) -> None:
    """Of bytes, of seconds of computing, and no core dump. Windows has no such limits; the caller stops it in time."""
    with suppress(ImportError, ValueError, OSError):  # macOS knows the limit of memory, but refuses it
        import resource

        for which, limit in (("RLIMIT_CORE", 0), ("RLIMIT_CPU", seconds), ("RLIMIT_AS", memory)):
            hard = resource.getrlimit(getattr(resource, which))[1]
            most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(getattr(resource, which), (most, hard))


def _columns(request: dict[str, Any], arrays: list[Any]) -> dict[str, Any]:
    """Texts and numbers as they are; of lists the lengths and the type, while their numbers go to `arrays`."""
    import numpy as np
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    with pq.ParquetFile(sys.stdin.buffer, pre_buffer=False, **request["limits"]) as file:
        _check_columns(file.schema_arrow, request)
        names = [name for name in request["wanted"] if name in file.schema_arrow.names]
        # What the rows say of their own size comes first, and then a row at a time: a run of one number takes no
        # space in a parquet file. The footer's counts are of no use, they are what may be broken.
        _check_size(file.metadata.num_rows, file.read(request["shape"], use_threads=False), request)
        values: dict[str, list[Any]] = {name: [] for name in names}
        for batch in file.iter_batches(1, columns=names, use_threads=False):
            batch.validate(full=True)
            for name in names:
                values[name] += _values(name, batch.column(name), request)
            _check_lengths(values, request)
    told: dict[str, Any] = {}
    for name in names:
        if name in request["lists"]:
            arrays.append(np.concatenate(values[name]) if values[name] else np.zeros(0))
            told[name] = {"lengths": [len(array) for array in values[name]], "dtype": arrays[-1].dtype.str}
        else:
            told[name] = values[name]
    return told


def _check_columns(schema: Any, request: dict[str, Any]) -> None:
    import pyarrow.types as kinds  # type: ignore[import-untyped]

    absent = [name for name in request["needed"] if name not in schema.names]
    if absent:
        fix = "motionhub.write or motionhub.save_dataset make such files"
        raise Refused("columns", f"expected {absent}, but it has only {schema.names[:20]}; {fix}.")
    for name in (name for name in request["wanted"] if name in schema.names):
        if schema.names.count(name) > 1:
            raise Refused("columns", f"{name!r} occurs twice.")
        kind = schema.field(name).type
        if name in request["lists"]:
            fits, words = kinds.is_list(kind) or kinds.is_large_list(kind), "a list of numbers"
            kind = kind.value_type if fits else kind
        else:
            fits, words = True, "a text" if name in request["texts"] else "a number"
        number = kinds.is_integer(kind) or kinds.is_floating(kind)
        if not fits or not (kinds.is_string(kind) if name in request["texts"] else number):
            raise Refused(f"column {name!r}", f"expected {words} ({request['wanted'][name]}), got {kind}.")


def _check_size(num_rows: int, shapes: Any, request: dict[str, Any]) -> None:
    shapes.validate(full=True)
    columns = [shapes.column(name).to_pylist() for name in request["shape"]]
    values = sum(math.prod(abs(size or 0) for size in shape) for shape in zip(*columns, strict=True))
    if num_rows > request["most_rows"] or values > request["most_values"]:
        most = f"{request['most_rows']} or, for a file of this size, {request['most_values']}"
        call = 'datasets.load_dataset("parquet", data_files=..., streaming=True)'
        told = f"{num_rows} rows of {values:g} numbers are more than {most}"
        raise Refused("content", f"{told}; read such a dataset by {call}.")


def _check_lengths(values: dict[str, list[Any]], request: dict[str, Any]) -> None:
    shape = [abs(int(values[name][-1])) for name in request["shape"]]
    if len(values["keypoints"][-1]) != math.prod(shape):
        expected = f"must hold {' x '.join(map(str, shape))} numbers"
        place = f"row {len(values['keypoints']) - 1}"
        raise Refused(place, f"Column 'keypoints' {expected}, got {len(values['keypoints'][-1])}.")


def _values(name: str, column: Any, request: dict[str, Any]) -> list[Any]:
    """A value a row: arrays for lists. A null is no number, and no clip has one where a number is needed."""
    if column.null_count:
        raise Refused(f"column {name!r}", f"expected a value in every row, {column.null_count} are null.")
    if name not in request["lists"]:
        return column.to_pylist()
    numbers, ends = column.values.to_numpy(zero_copy_only=False), column.offsets.to_numpy()
    return [numbers[start:end] for start, end in zip(ends[:-1], ends[1:], strict=True)]


if __name__ == "__main__":
    main()
