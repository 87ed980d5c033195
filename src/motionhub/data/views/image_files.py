"""Reads depth maps and masks (UTD-MHAD, NTU RGB+D, any PNG with one channel) and DensePose maps of people."""

import collections
import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionhub.data.formats.files import bad_file
from motionhub.data.formats.matlab import as_numbers, load_variables
from motionhub.data.formats.plain_pickle import load_pickle


DENSEPOSE_CANVAS = 512
_MASKED_DEPTH = re.compile(r"MDepth-(\d{8})\.png")


def read_utd_mhad_depth(path: str | Path) -> np.ndarray:
    """`d_depth` of a UTD-MHAD `*_depth.mat`: `(frames, height, width)` uint16 millimetres, 0 where no person is.

    Raises:
        ValueError: a broken file, another shape, or values that are no whole millimetres of 16 bits.
    """
    path = Path(path)
    values = as_numbers(path, "d_depth", load_variables(path, ("d_depth",))["d_depth"])
    if values.ndim == 2:  # MATLAB drops the last axis of a one-frame clip
        values = values[..., None]
    if values.ndim != 3 or not values.size:
        raise bad_file(path, "d_depth", f"expected shape (height, width, frames), got {values.shape}.")
    whole = np.rint(values)
    if not np.array_equal(whole, values) or values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise bad_file(path, "d_depth", "expected whole millimetres of 0..65535.")
    return np.ascontiguousarray(whole.astype(np.uint16).transpose(2, 0, 1))


def read_ntu_masked_depth(folder: str | Path, frames: list[int] | None = None) -> np.ndarray:
    """The `MDepth-%08d.png` of one NTU RGB+D clip: `(frames, height, width)` uint16 millimetres.

    Args:
        folder: of one clip, for example `S001C001P001R001A001`.
        frames: numbers of the frames wanted, as the files count them (from 1); all by default. Where one is missing
            the frame before or after it is taken, as the official code does.

    Raises:
        ValueError: no such files, a frame without neighbours, files of different size, or an image of 8 bits.
        ImportError: Pillow is not installed.
    """
    folder = Path(folder)
    matches = [match for file in folder.glob("*") if (match := _MASKED_DEPTH.fullmatch(file.name))]
    files = {int(match[1]): folder / match[0] for match in matches}
    if not files:
        raise bad_file(folder, "files", "expected MDepth-00000001.png and so on (NTU RGB+D masked depth).")
    maps = []
    for frame in sorted(files) if frames is None else frames:
        near = next((number for number in (frame, frame - 1, frame + 1) if number in files), None)
        if near is None:
            raise bad_file(folder, f"frame {frame}", f"is not there, nor its neighbours; it has {len(files)} frames.")
        maps.append(read_image(files[near]))
        if maps[-1].dtype.itemsize < 2:
            raise bad_file(files[near], "image", f"expected 16 bits per pixel, got {maps[-1].dtype}.")
    shapes = {each.shape for each in maps}
    if len(shapes) > 1:
        raise bad_file(folder, "images", f"expected one size, got {sorted(shapes)}.")
    return np.stack(maps).astype(np.uint16)


def read_image(path: str | Path) -> np.ndarray:
    """`(height, width)` of a PNG with one channel, or `(512, 512, 3)` of a DensePose `.pkl`.

    Raises:
        ValueError: a broken file, or a PNG in colours.
        ImportError: Pillow is not installed.
    """
    path = Path(path)
    if path.suffix.lower() == ".pkl":
        return read_densepose(path)
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Reading PNG files needs Pillow: pip install 'motionhub[viz]'.") from error
    try:
        with Image.open(path) as image:
            values = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise bad_file(path, "image", f"cannot be read: {error}.") from None
    if values.ndim != 2:
        raise bad_file(path, "image", f"expected one number a pixel (depth or mask), got shape {values.shape}.")
    return values


def read_densepose(path: str | Path) -> np.ndarray:
    """The people of one image as DensePose found them: `(512, 512, 3)` uint8: part 0..24, u and v in 0..255.

    The file is the pickle that U-VI's official loader reads: for each person `[box, maps]` with the box's x and y
    first, maps `(3, height, width)` uint8, and one entry that is not a person at the end. Later people lie over
    earlier ones; what reaches beyond the canvas is cut off.

    Raises:
        ValueError: a broken file, or one of another kind.
    """
    path = Path(path)
    content = load_pickle(path, _TORCH)
    if not isinstance(content, list) or not content:
        raise bad_file(path, "content", f"expected a list of people, got {type(content).__name__}.")
    canvas = np.zeros((DENSEPOSE_CANVAS, DENSEPOSE_CANVAS, 3), np.uint8)
    for index, person in enumerate(content[:-1]):
        if not isinstance(person, list | tuple) or len(person) < 2:
            raise bad_file(path, f"person {index}", "expected [box, maps].")
        box, maps = np.asarray(person[0]), np.asarray(person[1])
        if box.ndim != 1 or len(box) < 2 or maps.ndim != 3 or maps.shape[0] != 3 or maps.dtype != np.uint8:
            found = f"{box.shape} and {maps.dtype} {maps.shape}"
            raise bad_file(
                path, f"person {index}", f"expected a box (x, y, ...) and uint8 maps (3, h, w), got {found}."
            )
        if not np.isfinite(box[:2]).all():
            raise bad_file(path, f"person {index}", f"the box begins with {box[:2]}.")
        _paste(canvas, maps.transpose(1, 2, 0), int(box[0]), int(box[1]))
    return canvas


def _paste(canvas: np.ndarray, maps: np.ndarray, left: int, top: int) -> None:
    height, width = canvas.shape[:2]
    rows = slice(max(top, 0), min(top + maps.shape[0], height))
    columns = slice(max(left, 0), min(left + maps.shape[1], width))
    if rows.start < rows.stop and columns.start < columns.stop:
        canvas[rows, columns] = maps[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _storage(content: Any) -> torch.Tensor:
    """The numbers of a pickled tensor, from the bytes that PyTorch wrote for them; no code in them is run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # storages of this kind are old, and so are the files
        storage = torch.load(io.BytesIO(content), weights_only=True)
        return torch.empty(0, dtype=storage.dtype).set_(storage)


def _tensor(numbers: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    whole = [*size, *stride, offset] if isinstance(numbers, torch.Tensor) else [None]
    if not all(type(number) is int and number >= 0 for number in whole) or len(size) != len(stride):
        raise pickle.UnpicklingError("a tensor has a strange shape")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if 0 not in size and last >= numbers.numel():
        raise pickle.UnpicklingError(f"{numbers.numel()} numbers do not fill a tensor {tuple(size)[:6]}")
    return numbers.as_strided(size, stride, offset).numpy().copy()


# What pickled tensors of the processor call, answered without what else PyTorch would do.
_TORCH: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("collections", "OrderedDict"): collections.OrderedDict,
}
