"""Reads `.npy` arrays and `.npz` archives with `keypoints` (or `kpts`); writes `.npz` without loss.

Pickled objects are refused. `numpy.load` is not used, because it allocates whatever size a header states.
"""

import io
import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.files import bad_file, nan_at_origin, note, read_bytes
from motionhub.data.formats.format import (
    FILE_UNITS,
    HOLISTIC,
    MAX_VALUES,
    Format,
    ReadOptions,
    checked_joints,
    checked_size,
    layout_in_file,
    layout_of_names,
)
from motionhub.data.formats.frames import NUMBERS, STAMPS
from motionhub.data.formats.plain_pickle import load_pickled, plain
from motionhub.data.formats.writing import Writer
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import layout_reference
from motionhub.skeletons.sequence import SkeletonSequence


NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"
KEYPOINT_KEYS = ("keypoints", "kpts")
_UNNAMED = "arr_0"
CONFIDENCE_KEYS = ("confidence", "scores", "keypoint_score")
_NAME_KEYS = ("joint_names", "keypoint_names", "landmark_names", "bodyparts", "marker_names")
RATE_KEYS = ("fps", "FPS", "frame_rate", "framerate", "mocap_framerate", "mocap_frame_rate", "sampling_rate")
FACT_KEYS = ("layout", *RATE_KEYS, "unit", "image_size", "track_ids", "up", "num_dims", "joints", "bones", "root")
_MAX_BYTES = 8 * MAX_VALUES
# Bytes of names of joints, person numbers and the like.
_MOST_OF_A_FACT = 2**22
# Keypoints compress to a tenth, even with most of them missing; a much higher ratio is a zip bomb, unless small.
_MOST_PACKED, _SMALL_BYTES = 100, 2**24
_HEADER_ERRORS = (
    *(ValueError, KeyError, SyntaxError, TypeError, EOFError, MemoryError, RecursionError, OverflowError),
    tokenize.TokenError,
)
_ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    *(ValueError, KeyError, IndexError, OverflowError),
)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of `(people, frames, joints, dims)` or `(frames, joints, dims)`; NaN is missing.

    A `.npz` may state `layout`, `fps`, `unit`, `image_size`, `track_ids` and `up`, a custom layout by `joints`,
    `bones` and `root`, and by `num_dims` that all columns are coordinates. One with `kpts` comes from the SSTA-PRS
    tools: `(frames, 17, 2)` pixels in COCO order where (0, 0) is missing, unless options say otherwise.
    """
    content = read_bytes(path)
    if content.startswith(NPY_MAGIC):
        arrays: dict[str, np.ndarray] = {"keypoints": array_of(path, "array", content)}
    else:
        arrays = archive_of(path, content, {*KEYPOINT_KEYS, *CONFIDENCE_KEYS, *FACT_KEYS, *_NAME_KEYS})
    if [*arrays] == [_UNNAMED]:  # numpy.savez(path, array)
        arrays = {"keypoints": archive_of(path, content, {_UNNAMED})[_UNNAMED]}
    return [clip_of_arrays(path, arrays, options)]


def clip_of_arrays(path: Path, arrays: dict[str, np.ndarray], options: ReadOptions) -> SkeletonSequence:
    """The clip of the arrays of an archive, as `read` has it."""
    key = next((key for key in KEYPOINT_KEYS if key in arrays), None)
    if key is None:
        raise bad_file(path, "arrays", f"expected one called {' or '.join(KEYPOINT_KEYS)}, got {sorted(arrays)[:10]}.")
    points = _keypoints(path, key, arrays[key])
    if moments := sorted({*arrays} & {*NUMBERS, *STAMPS, "frame_ids", "frame_inds", "frame_numbers", "frame_times"}):
        note(path, "arrays", f"{moments} are not read: rows are frames, one after the other at the rate fps.")
    ssta = key == "kpts"
    stated = _text(path, arrays, "unit")
    if stated not in (None, *FILE_UNITS):
        raise bad_file(path, "unit", f"unit must be one of {list(FILE_UNITS)}, got {stated!r}.")
    unit = options.unit_of(path, stated, assumed="pixel" if ssta else None, dims=points.shape[-1])
    if _has_score(points, unit) and _number(path, arrays, "num_dims") != 3:
        fix = "if it is a confidence, save keypoints=array[..., :2] and confidence=array[..., 2] as .npz"
        depth = "if it is a depth, save num_dims=3 too"
        where = "pixels" if unit == "pixel" else "fractions of the image"
        raise bad_file(path, key, f"three columns in {where}, and the third is ambiguous; {fix}; {depth}.")
    if "track_ids" not in arrays:
        _check_axes(path, key, points, unit)
    points = nan_at_origin(points) if ssta else points
    points = _body_of_holistic(path, points, options)
    confidence = next((arrays[name] for name in CONFIDENCE_KEYS if name in arrays), None)
    tracks = _fact(path, arrays, "track_ids", "a list of whole numbers", "iu", None)
    assumed = "coco-17" if ssta else None
    names = _joint_names(arrays, points.shape[-2])
    if names is not None:
        layout, order = layout_of_names(path, names, options)
        if confidence is not None and confidence.shape == points.shape[:-1]:  # else the sequence says so
            confidence = confidence[..., order]
        points = points[..., order, :]
    else:
        layout = options.layout_of(path, _stated_layout(path, arrays), assumed, joints=points.shape[-2])
    up = _text(path, arrays, "up")
    if up is None and layout.name == "humanml3d-22":  # as the dataset has them
        up = "y"
    return options.sequence(
        path,
        points,
        layout,
        fps=next((rate for key in RATE_KEYS if (rate := _number(path, arrays, key)) is not None), None),
        unit=unit,
        image_size=_image_size(path, arrays),
        confidence=None if confidence is None else _numeric(path, "confidence", confidence),
        track_ids=None if tracks is None else tuple(tracks),
        up=up,
    )


def array_of(path: Path, place: str, content: bytes) -> np.ndarray:
    """The array in the bytes of a `.npy` file: numbers, booleans, text or bytes."""
    shape, fortran, dtype, start = header_of(path, place, content)
    if dtype.kind not in "biufUS" or dtype.itemsize == 0:
        reason = f"expected numbers, got {dtype}; pickled objects are refused, as reading them runs code in the file."
        raise bad_file(path, place, reason)
    data = content[start:]
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != len(data):
        reason = f"{len(data)} bytes do not fill {shape} of {dtype}; the file is cut off or corrupt."
        raise bad_file(path, place, reason)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def object_of(path: Path, place: str, content: bytes) -> Any:
    """The pickled object in the bytes of a `.npy` file, decoded without running code; numbers are an array."""
    _, _, dtype, start = header_of(path, place, content)
    return plain(path, load_pickled(path, content[start:])) if dtype.hasobject else array_of(path, place, content)


def header_of(path: Path, place: str, content: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, Fortran order, type and first byte of the numbers of a `.npy` file."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers of Python 2 and broken headers
            shape, fortran, dtype = read_header(stream)
    except _HEADER_ERRORS as error:
        raise bad_file(path, place, f"not a valid .npy header ({error}).") from None
    return shape, fortran, dtype, stream.tell()


def shape_of(path: Path, head: bytes) -> tuple[int, ...]:
    """The shape of a `.npy` file by its first bytes; () for another or a broken file."""
    try:
        return header_of(path, "array", head)[0] if head.startswith(NPY_MAGIC) else ()
    except ValueError:
        return ()


def names_in(path: Path, head: bytes) -> frozenset[str]:
    """The names of the arrays of a `.npz`; none for another or a broken file."""
    if not matches(path, head) or head.startswith(NPY_MAGIC):
        return frozenset()
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except _ARCHIVE_ERRORS:
        return frozenset()


def archive_of(path: Path, content: bytes, wanted: Collection[str], objects: Collection[str] = ()) -> dict[str, Any]:
    """The wanted arrays of a `.npz`, and empty ones for others. Raises ValueError for broken files and zip bombs.

    `objects`: the names of those that may be pickled objects.
    """
    arrays: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            left = max(4 * _SMALL_BYTES, _MOST_PACKED * len(content))  # of all arrays together
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name in arrays:
                    raise bad_file(path, "archive", f"has several entries called {name[:40]!r}; refused.")
                arrays[name] = np.zeros(0)
                if name in wanted:
                    unpacked = _unpacked(path, archive, entry, left)
                    left -= len(unpacked)
                    arrays[name] = (object_of if name in objects else array_of)(path, name, unpacked)
    except _ARCHIVE_ERRORS as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise bad_file(path, "archive", f"not a readable .npz file ({error}).") from None
    return arrays


def _unpacked(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int) -> bytes:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise bad_file(path, entry.filename[:40], "is packed in a way that NumPy does not write; refused.")
    limit = min(_MAX_BYTES, left, max(_SMALL_BYTES, _MOST_PACKED * min(entry.compress_size, path.stat().st_size)))
    with archive.open(entry) as stream:
        unpacked = stream.read(limit + 1)  # the stated size may be wrong
    if len(unpacked) > limit:
        reason = f"unpacks from {entry.compress_size} to more than {limit} bytes; refused."
        raise bad_file(path, entry.filename[:40], reason)
    return unpacked


def _keypoints(path: Path, key: str, array: np.ndarray) -> np.ndarray:
    if array.ndim not in (3, 4) or array.shape[-1] not in (2, 3):
        expected = "(people, frames, joints, 2 or 3) or (frames, joints, 2 or 3)"
        raise bad_file(path, key, f"expected shape {expected}, got {array.shape}{_reshape(array.shape)}.")
    return _numeric(path, key, array)


def _body_of_holistic(path: Path, points: np.ndarray, options: ReadOptions) -> np.ndarray:
    """The body of MediaPipe Holistic (FreeMoCap saves 553 points) where the caller says that it is MediaPipe's."""
    if options.layout is None or points.shape[-2] not in HOLISTIC or options.layout_of(path).name != "mediapipe-33":
        return points
    note(path, "joints", f"the first 33 of {points.shape[-2]} are the body of MediaPipe; face and hands are left out.")
    return points[..., :33, :]


def _has_score(points: np.ndarray, unit: str) -> bool:
    """Whether the third of three columns may be a score: in an image, and in fractions of it where it is in 0..1."""
    if points.shape[-1] != 3 or unit not in ("pixel", "normalised"):
        return False
    third = points[..., 2][np.isfinite(points[..., 2])]
    return unit == "pixel" or bool(len(third) and third.min() >= 0 and third.max() <= 1)


def _check_axes(path: Path, key: str, points: np.ndarray, unit: str) -> None:
    """Raises ValueError for four axes in another order that has a valid shape too."""
    if points.ndim != 4:
        return
    people, frames = points.shape[:2]
    if people > max(10, 4 * frames) and frames <= 10:
        fix = "of (frames, people, joints, dims), save array.transpose(1, 0, 2, 3)"
        raise bad_file(path, key, f"{people} people in {frames} frames (shape {points.shape}); {fix}.")
    if people == 3 and points.shape[3] == 2:
        with np.errstate(invalid="ignore"):
            third, others = np.nan_to_num(np.abs(points[2])).max(initial=0), np.nan_to_num(np.abs(points[:2]))
        scored = unit == "pixel" and third <= 1 < others.max(initial=0)
        if scored or unit == "normalised" or FILE_UNITS[unit][0] == "metre":
            reason = f"shape {points.shape} is 3 people in 2-D, or x, y and a score (or z) of 2 people"
            fix = "for people save it as .npz with track_ids=[0, 1, 2], else save array.transpose(3, 1, 2, 0)"
            raise bad_file(path, key, f"{reason}; {fix}.")


def _reshape(shape: tuple[int, ...]) -> str:
    """The line that brings an array of another usual shape into the expected one."""
    if shape[1:] == (1, 1, 17, 3):
        fix = "raw = array.reshape(-1, 17, 3), keypoints=raw[..., 1::-1] and confidence=raw[..., 2]"
        return f"; of MoveNet (y, x, score in fractions of the image), save {fix} as .npz"
    if len(shape) == 2 and shape[1] >= 6:
        forms = " or ".join(
            f"array.reshape(len(array), {shape[1] // dims}, {dims})" for dims in (2, 3) if shape[1] % dims == 0
        )
        return f"; with the coordinates of each joint side by side, save {forms}" if forms else ""
    if len(shape) == 4 and shape[1] in (2, 3):
        return "; of (clips or people, dims, frames, joints), save array.transpose(0, 2, 3, 1)"
    if len(shape) == 4 and shape[0] in (2, 3):
        return "; of (dims, frames, joints, people), save array.transpose(3, 1, 2, 0)"
    if len(shape) == 3 and shape[1] in (2, 3):
        return "; of (frames, dims, joints), save array.transpose(0, 2, 1)"
    if len(shape) == 3 and shape[0] in (2, 3):
        return "; of (dims, frames, joints), save array.transpose(1, 2, 0)"
    if len(shape) == 5:
        return "; several clips in one array are saved one by one: array[0], ..."
    return ""


def _numeric(path: Path, key: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        raise bad_file(path, key, f"expected numbers, got {array.dtype}.")
    checked_size(path, *array.shape)
    # Sequences are float32; what is so already, or fits exactly, is not doubled on the way there.
    exact = array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2)
    return array.astype(np.float32 if exact else np.float64)


def _joint_names(arrays: dict[str, np.ndarray], joints: int) -> list[str] | None:
    """The names of the joints, of an archive without a layout."""
    names = next((arrays[key] for key in _NAME_KEYS if key in arrays), None)
    if names is None or "layout" in arrays or names.dtype.kind != "U" or names.shape != (joints,):
        return None
    return [str(name) for name in names]


def _stated_layout(path: Path, arrays: dict[str, np.ndarray]) -> SkeletonLayout | None:
    """A layout by name, or by joints, bones and root."""
    if "joints" not in arrays or "layout" not in arrays:
        text = _text(path, arrays, "layout")
        return None if text is None else layout_in_file(path, "layout", text)
    parts = [arrays.get(key, np.zeros(0)) for key in ("layout", "joints", "bones", "root")]
    checked_joints(path, parts[1].size)
    shaped = [part.dtype.kind == "U" and part.nbytes <= _MOST_OF_A_FACT for part in parts] + [
        parts[1].ndim == 1,
        parts[2].ndim == 2,
    ]
    if not all(shaped) or parts[2].shape[1] != 2 or parts[0].size != 1 or parts[3].size != 1:
        reason = "expected the texts layout, joints (joints), bones (bones, 2) of child and parent, and root"
        raise bad_file(path, "joints", f"{reason}, got shapes {[part.shape for part in parts]}.")
    bones = tuple((str(child), str(parent)) for child, parent in parts[2])
    try:
        return SkeletonLayout(str(parts[0].item()), tuple(map(str, parts[1])), bones, str(parts[3].item()))
    except ValueError as error:
        raise bad_file(path, "joints", str(error)) from None


def _fact(
    path: Path, arrays: dict[str, np.ndarray], key: str, expected: str, kinds: str = "iuf", size: int | None = 1
) -> list[Any] | None:
    """The values of an array of `size` numbers (or texts); None where it is absent."""
    if key not in arrays:
        return None
    values = arrays[key]
    if values.dtype.kind not in kinds or size not in (None, values.size) or values.nbytes > _MOST_OF_A_FACT:
        raise bad_file(path, key, f"expected {expected}, got {values.dtype} of shape {values.shape}.")
    return values.ravel().tolist()


def _text(path: Path, arrays: dict[str, np.ndarray], key: str) -> str | None:
    texts = _fact(path, arrays, key, "one text", "U")
    return None if texts is None else str(texts[0])


def _number(path: Path, arrays: dict[str, np.ndarray], key: str) -> float | None:
    values = _fact(path, arrays, key, "one positive number")
    if values is not None and not 0 < values[0] < math.inf:
        raise bad_file(path, key, f"expected one positive number, got {values}.")
    return None if values is None else float(values[0])


def _image_size(path: Path, arrays: dict[str, np.ndarray]) -> tuple[int, int] | None:
    size = _fact(path, arrays, "image_size", "(width, height)", size=2)
    if size is not None and not all(1 <= side <= 1e9 for side in size):
        raise bad_file(path, "image_size", f"expected (width, height), got {size}.")
    return None if size is None else (int(size[0]), int(size[1]))


def encode(sequence: SkeletonSequence) -> bytes:
    """Arrays `keypoints`, `layout`, `fps`, `unit`, `track_ids`, `num_dims`, and the known ones of the others."""
    layout = sequence.layout
    arrays: dict[str, Any] = {
        "keypoints": sequence.keypoints,
        "layout": np.array(layout.name),
        "fps": np.array(sequence.fps),
        "unit": np.array(sequence.unit),
        "track_ids": np.array(sequence.track_ids, dtype=np.int64),
        "num_dims": np.array(sequence.num_dims),  # marks a third column of pixels as a coordinate
    }
    if sequence.confidence is not None:
        arrays["confidence"] = sequence.confidence
    if sequence.up is not None:
        arrays["up"] = np.array(sequence.up)
    if sequence.image_size is not None:
        arrays["image_size"] = np.array(sequence.image_size, dtype=np.int64)
    if layout_reference(layout) != layout.name:
        arrays["joints"] = np.array(layout.joints)
        arrays["bones"] = np.array(layout.bones, dtype=arrays["joints"].dtype).reshape(-1, 2)
        arrays["root"] = np.array(layout.root)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def matches(path: Path, head: bytes) -> bool:
    """A `.npy` file; or a zip archive that starts with an array, or is called `.npz`."""
    zipped = head.startswith(ZIP_MAGIC) and (NPY_MAGIC in head or path.suffix.lower() == ".npz")
    return head.startswith(NPY_MAGIC) or zipped


FORMAT = Format(
    name="numpy",
    title="NumPy arrays (.npz, .npy)",
    matches=matches,
    read=read,
    pattern="*.np[yz]",
    container="binary",
    signature=".npy array, or .npz with keypoints or kpts (people, frames, joints, dims) and confidence",
    needs=("layout", "fps", "unit"),
    writer=Writer("npz", "NumPy archive, without loss", ".npz", encode),
)
