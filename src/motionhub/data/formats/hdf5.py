"""Reads HDF5 files: poses of DeepLabCut (as pandas writes tables) and SLEAP's analysis files; others are named.

A separate process (`hdf5_process.py`) decodes a file with h5py (extra `h5py`), as the HDF5 library crashes on some
damaged ones. The pickled column names of DeepLabCut are decoded without running anything in them.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats import hdf5_process
from motionhub.data.formats.decoding import decoded
from motionhub.data.formats.deeplabcut import LEVELS, clips_of_table
from motionhub.data.formats.files import bad_file, note, read_head
from motionhub.data.formats.format import Format, ReadOptions, checked_size, layout_of_names, most_values
from motionhub.data.formats.plain_pickle import load_pickled, plain
from motionhub.skeletons.sequence import SkeletonSequence


MAGIC = b"\x89HDF\r\n\x1a\n"
_MATLAB = b"MATLAB 7.3"
_MATLAB_WAY_OUT = 'in MATLAB: save("FILE.mat", "NAME", "-v7"), or save the positions as CSV by writematrix'
_SLEAP = ("/tracks", "/node_names", "/track_names", "/track_occupancy", "/point_scores")
# Other programs by an object of their files, and the way out.
_OTHERS = {
    "/pred_points": "a SLEAP project (.slp); export it: sleap-convert FILE --format analysis -o FILE.h5",
    "/position": 'written by movement; motionhub.from_movement(xarray.load_dataset(FILE, engine="h5netcdf"))',
    "/model_weights": "weights of a Keras model, no poses",
}
_BASE_MEMORY, _MEMORY_PER_VALUE = 2**30, 24
_BASE_SECONDS, _BYTES_PER_SECOND = 15, 2**21
_AXES = ("track", "space", "node", "frame")
_STARTS = {
    "track": ("track", "n_tracks"),
    "space": ("xy", "space", "coord"),
    "node": ("node", "n_nodes"),
    "frame": ("frame", "n_frames"),
}


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """`(people, frames, joints, 2)` pixels; a clip for each video that a DeepLabCut file of labels has.

    The frame rate is not in such files.

    Raises:
        ValueError: also for files of MATLAB 7.3, of other programs, links to other files, and without h5py.
    """
    if _MATLAB in read_head(path, 128):
        raise bad_file(path, "file", f"a MATLAB 7.3 file (HDF5), which is not read; {_MATLAB_WAY_OUT}.")
    if importlib.util.find_spec("h5py") is None:
        raise bad_file(path, "file", 'an HDF5 file needs h5py: pip install "motionhub[h5py]"; or export CSV.')
    objects = _objects(path)
    if {"/tracks", "/node_names"} <= objects.keys():
        return [_sleap(path, objects, options)]
    for name, facts in objects.items():
        kind = facts["attributes"].get("pandas_type")
        if kind in ("frame_table", "frame"):
            columns, values, index = (_table if kind == "frame_table" else _fixed)(path, name, objects)
            return clips_of_table(path, columns, values, index, options)
    other = next((words for name, words in _OTHERS.items() if name in objects), None)
    shown = [name for name in objects if name != "/"][:10]
    fix = "save its positions as .npz with keypoints (people, frames, joints, dims)"
    raise bad_file(path, "content", other or f"an HDF5 file with {shown}, of no known program; {fix}.")


def _objects(path: Path) -> dict[str, Any]:
    """Path in the file -> attributes, texts, and columns as arrays by name."""
    size, values = path.stat().st_size, most_values(path)
    request = {
        "memory": _BASE_MEMORY + 2 * size + _MEMORY_PER_VALUE * values,
        "seconds": _BASE_SECONDS + size // _BYTES_PER_SECOND,
        "most_values": values,
        "wanted": _SLEAP,
        "endings": ["/table", "_values", "/axis1", *(f"{kind}{n}" for n in range(4) for kind in _FIXED)],
    }
    objects, numbers = decoded(path, hdf5_process.__file__, request, kind="HDF5", library="h5py")
    start = 0
    for facts in objects.values():
        for field, column in facts.get("columns", {}).items():
            dtype, count = np.dtype(column["dtype"]), int(np.prod(column["shape"]))
            array = np.frombuffer(numbers, dtype, count, start)
            start += array.nbytes
            facts["columns"][field] = array.reshape(column["shape"])
    return objects


_FIXED = ("axis1_level", "axis1_label", "block0_items_level", "block0_items_label")


def _numbers(path: Path, objects: dict[str, Any], name: str, field: str = "") -> np.ndarray:
    columns = objects.get(name, {}).get("columns", {})
    if field not in columns:
        raise bad_file(path, name, f"expected numbers{f' in {field}' * bool(field)}; the file is damaged.")
    return columns[field].astype(np.float64)


def _texts(path: Path, objects: dict[str, Any], name: str) -> list[str]:
    texts = objects.get(name, {}).get("texts")
    if texts is None:
        raise bad_file(path, name, "expected texts; the file is damaged.")
    return texts


# DeepLabCut

_Table = tuple[list[dict[str, str]], np.ndarray, list[list[str]]]


def _table(path: Path, name: str, objects: dict[str, Any]) -> _Table:
    """Columns (level -> name), numbers and the index of a pandas table in `table` format."""
    attributes, place = objects[name]["attributes"], f"{name}/table"
    stated = _unpickled(path, name, attributes, "non_index_axes")
    try:
        ((_, names),) = stated
        levels = _unpickled(path, name, attributes, "info")[1]["names"]
        columns = [dict(zip(map(str, levels), map(str, each), strict=True)) for each in names]
    except (TypeError, ValueError, KeyError, AttributeError, IndexError):
        raise bad_file(path, name, "expected columns of a table of poses, with the levels of DeepLabCut.") from None
    index = _numbers(path, objects, place, "index")
    return columns, _numbers(path, objects, place, "values_block_0"), [[str(frame)] for frame in index.tolist()]


def _unpickled(path: Path, place: str, attributes: dict[str, Any], key: str) -> Any:
    text = attributes.get(key)
    if not isinstance(text, str):
        raise bad_file(path, place, f"expected the attribute {key!r}; the file is damaged.")
    return plain(path, load_pickled(path, text.encode("latin-1", "replace")))


def _fixed(path: Path, name: str, objects: dict[str, Any]) -> _Table:
    """As `_table`, of the `fixed` format: levels and the number of each column's name in them."""
    levels = int(objects[name]["attributes"].get("block0_items_nlevels", 0))
    parts, keys = [], []
    for level in range(min(levels, len(LEVELS))):
        place = f"{name}/block0_items_level{level}"
        parts.append(_coded(path, objects, place, f"{name}/block0_items_label{level}"))
        keys.append(str(objects[place]["attributes"].get("name", "")))
    columns = [dict(zip(keys, each, strict=True)) for each in zip(*parts, strict=True)] if parts else []
    values = _numbers(path, objects, f"{name}/block0_values")
    depth = int(objects[name]["attributes"].get("axis1_nlevels", 0))
    if not depth:
        return columns, values, [[str(frame)] for frame in _numbers(path, objects, f"{name}/axis1").tolist()]
    index = [
        _coded(path, objects, f"{name}/axis1_level{level}", f"{name}/axis1_label{level}")
        for level in range(min(depth, len(LEVELS)))
    ]
    return columns, values, [list(each) for each in zip(*index, strict=True)]


def _coded(path: Path, objects: dict[str, Any], names: str, codes: str) -> list[str]:
    texts, numbers = _texts(path, objects, names), _numbers(path, objects, codes).ravel()
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < len(texts)):
        raise bad_file(path, codes, f"expected numbers of {len(texts)} names; the file is damaged.")
    return [texts[int(number)] for number in numbers]


# SLEAP


def _sleap(path: Path, objects: dict[str, Any], options: ReadOptions) -> SkeletonSequence:
    """`tracks` (tracks, 2, nodes, frames) and `point_scores` (tracks, nodes, frames), or in the order they state."""
    names = _texts(path, objects, "/node_names")
    points = _ordered(path, objects, "/tracks", _AXES, len(names))
    people, frames = len(points), points.shape[3]
    checked_size(path, people, frames, len(names), 3)
    scores = None
    if "columns" in objects.get("/point_scores", {}):
        scores = _ordered(path, objects, "/point_scores", ("track", "node", "frame"), len(names))
        if scores.shape != (people, len(names), frames):
            expected = (people, len(names), frames)
            raise bad_file(path, "/point_scores", f"expected the shape {expected}, got {scores.shape}.")
    labels = objects.get("/track_names", {}).get("texts") or []
    if any(labels) and not all(label.startswith("track_") for label in labels):
        shown = ", ".join(f"{label} is {number}" for number, label in enumerate(labels[:4]))
        note(path, "people", f"tracks are numbered in their order: {shown}.")
    layout, order = layout_of_names(path, names, options)
    keypoints = points.transpose(0, 3, 2, 1)[:, :, order]
    confidence = None
    if scores is not None:
        seen = np.isfinite(keypoints).all(axis=-1)
        confidence = np.where(seen, np.nan_to_num(scores.transpose(0, 2, 1)[:, :, order]), 0)
    unit = options.unit_of(path, assumed="pixel")
    up = "-y" if unit == "pixel" else None
    return options.sequence(path, keypoints, layout, unit=unit, confidence=confidence, up=up)


def _ordered(path: Path, objects: dict[str, Any], name: str, axes: tuple[str, ...], nodes: int) -> np.ndarray:
    """An array with its axes in this order; sleap-io states another order in the attribute `dims`."""
    array = _numbers(path, objects, name)
    try:
        stated = json.loads(objects[name]["attributes"].get("dims", "null"))
    except ValueError:
        stated = None
    if isinstance(stated, list) and len(stated) == array.ndim:
        kinds = [next((axis for axis in axes if str(each).startswith(_STARTS[axis])), None) for each in stated]
        if None not in kinds and len({*kinds}) == len(axes):
            array = array.transpose([kinds.index(axis) for axis in axes])
    if array.ndim != len(axes) or array.shape[axes.index("node")] != nodes or (len(axes) == 4 and array.shape[1] != 2):
        expected = " x ".join("2" if axis == "space" else f"{axis}s" for axis in axes)
        raise bad_file(path, name, f"expected {expected} of {nodes} nodes, got the shape {array.shape}.")
    return array


FORMAT = Format(
    name="hdf5",
    title="HDF5 of DeepLabCut and SLEAP (analysis)",
    matches=lambda path, head: head.startswith((MAGIC, b"MATLAB 7.3")),
    read=read,
    pattern="*.h5",
    container="binary",
    signature="HDF5 with tracks and node_names (SLEAP analysis), or a pandas table (DeepLabCut)",
    needs=("fps",),
)
