"""Decodes an HDF5 file in the process of `decoding_process.py`, because its library crashes on some damaged ones.

Links to other places, virtual and external datasets and filters that are plugins are refused before anything is read.
"""

import math
import sys
from typing import Any


# Of groups, and of objects in the file.
_DEEPEST, _MOST_OBJECTS = 3, 500
_FILTERS = (None, "gzip", "lzf")
_MOST_ATTRIBUTE, _MOST_TEXTS = 2**22, 2**14


class Refused(Exception):
    """A place in the file and a reason."""


def decode(request: dict[str, Any], arrays: list[Any]) -> dict[str, Any]:
    """Path in the file -> shape, attributes, and texts or a place among `arrays`."""
    import h5py

    found: dict[str, Any] = {}
    with h5py.File(sys.stdin.buffer, "r") as file:
        _walk(file, "", 0, found)
        for name, facts in found.items():
            if facts["kind"] == "dataset" and _is_wanted(name, request):
                _read(file, name, facts, request, arrays)
    return found


def _walk(group: Any, above: str, depth: int, found: dict[str, Any]) -> None:
    import h5py

    found[above or "/"] = {"kind": "group", "attributes": _attributes(group)}
    for key in group:
        name = f"{above}/{key}"
        if len(found) > _MOST_OBJECTS:
            raise Refused("objects", f"more than {_MOST_OBJECTS} groups and datasets; these are no poses.")
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise Refused(name, f"is a link to another place ({type(link).__name__}); such links are refused.")
        item = group[key]
        if isinstance(item, h5py.Group):
            if depth < _DEEPEST:
                _walk(item, name, depth + 1, found)
        elif isinstance(item, h5py.Dataset):
            found[name] = {"kind": "dataset", "shape": item.shape, "attributes": _attributes(item)}


def _attributes(item: Any) -> dict[str, Any]:
    """Numbers and texts; the others (references, arrays) are left out. Bytes as text of one byte a character."""
    found: dict[str, Any] = {}
    for key in item.attrs:
        stored = item.attrs.get_id(key)
        size = stored.dtype.itemsize * math.prod(stored.shape or ())
        if size > _MOST_ATTRIBUTE:
            raise Refused(f"attribute {key!r}", f"has {size} bytes; such attributes are refused.")
        value = item.attrs[key]
        if isinstance(value, bytes):
            found[key] = value.decode("latin-1")
        elif isinstance(value, str):
            found[key] = value
        elif getattr(value, "shape", None) == () and value.dtype.kind in "iuf":
            found[key] = value.item()
    return found


def _is_wanted(name: str, request: dict[str, Any]) -> bool:
    return name in request["wanted"] or any(name.endswith(each) for each in request["endings"])


def _read(file: Any, name: str, facts: dict[str, Any], request: dict[str, Any], arrays: list[Any]) -> None:
    """Adds the numbers or texts of a dataset, after a look at its size and storage."""
    import h5py
    import numpy as np

    item = file[name]
    if item.is_virtual or item.external:
        raise Refused(name, "has its numbers in another file; such datasets are refused.")
    if item.compression not in _FILTERS or item.scaleoffset is not None:
        raise Refused(name, f"is packed by {item.compression!r}; repack it by: h5repack -f GZIP=4 FILE NEW_FILE.")
    if item.shape is None or item.dtype.itemsize == 0:
        raise Refused(name, "is empty.")
    count = math.prod(item.shape)
    if h5py.check_string_dtype(item.dtype) is not None:
        if count > _MOST_TEXTS or item.dtype.itemsize * count > _MOST_ATTRIBUTE:
            raise Refused(name, f"{count} texts are more than {_MOST_TEXTS}.")
        values = np.ravel(item[()]).tolist()
        texts = (each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in values)
        facts["texts"] = [text[:200] for text in texts]
        return
    if item.dtype.hasobject or count * item.dtype.itemsize > 8 * request["most_values"]:
        most = request["most_values"]
        raise Refused(name, f"{count} values of {item.dtype} are more than {most} numbers, or no numbers.")
    fields = item.dtype.names
    if fields is None and item.dtype.kind not in "biuf":
        return
    values = item[()]
    facts["columns"] = {}
    for field in fields or ("",):
        column = values[field] if field else values
        if column.dtype.kind in "biuf":
            column = np.ascontiguousarray(column)
            facts["columns"][field] = {"dtype": column.dtype.str, "shape": column.shape}
            arrays.append(column)
