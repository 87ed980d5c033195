"""Readers of depth maps and masks (UTD-MHAD, NTU RGB+D, any PNG with one channel) and DensePose maps of people."""

import collections
import io
import math
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


_MASKED_DEPTH = re.compile(r"MDepth-(\d{8})\.png")
DENSEPOSE_CANVAS = 512
# Four times a frame of 8K; a few kilobytes can state any size.
_MOST_PIXELS = 2**27


def read_utd_mhad_depth(path: str | Path) -> np.ndarray:
    """`d_depth` of a UTD-MHAD `*_depth.mat`: `(frames, height, width)` uint16 millimetres, 0 without a person.

    Raises:
        ValueError: a broken file, another shape, or values other than whole millimetres of 16 bits.
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
        ValueError: a broken file, or a colour PNG.
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
            if image.width * image.height > _MOST_PIXELS:
                raise bad_file(path, "image", f"{image.size} is more than {_MOST_PIXELS} pixels; scale it down.")
            values = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise bad_file(path, "image", f"cannot be read: {error}.") from None
    if values.ndim != 2:
        raise bad_file(path, "image", f"expected one number per pixel (depth or mask), got shape {values.shape}.")
    return values


def read_densepose(path: str | Path) -> np.ndarray:
    """DensePose people of one image: `(512, 512, 3)` uint8: part 0..24, u and v in 0..255.

    The file is the pickle of U-VI's official loader: for each person `[box, maps]` with the box's x and y first and
    maps `(3, height, width)` uint8, then one entry that is not a person. Later people cover earlier ones; maps are cut
    at the canvas's border.

    Raises:
        ValueError: a broken file, or other content.
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
            what = f"a box (x, y, ...) and uint8 maps (3, h, w), got {box.shape} and {maps.dtype} {maps.shape}"
            raise bad_file(path, f"person {index}", f"expected {what}.")
        if not np.isfinite(box[:2]).all():
            raise bad_file(path, f"person {index}", f"the box begins with {box[:2]}.")
        left, top = int(box[0]), int(box[1])
        visible = canvas[max(top, 0) : max(top + maps.shape[1], 0), max(left, 0) : max(left + maps.shape[2], 0)]
        rows = slice(max(-top, 0), max(-top, 0) + visible.shape[0])
        columns = slice(max(-left, 0), max(-left, 0) + visible.shape[1])
        visible[:] = maps[:, rows, columns].transpose(1, 2, 0)
    return canvas


def _storage(content: Any) -> torch.Tensor:
    """The numbers of a pickled tensor, from the bytes that PyTorch wrote; no code in them is run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this kind of storage is deprecated
        try:
            storage = torch.load(io.BytesIO(content), weights_only=True)
            return torch.empty(0, dtype=storage.dtype).set_(storage)
        except (RuntimeError, OSError) as error:
            raise pickle.UnpicklingError(f"the numbers of a tensor are damaged ({str(error)[:200]})") from None


def _tensor(numbers: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    whole = [*size, *stride, offset] if isinstance(numbers, torch.Tensor) else [None]
    if not all(type(number) is int and number >= 0 for number in whole) or len(size) != len(stride):
        raise pickle.UnpicklingError("a tensor has a strange shape")
    if math.prod(size) > numbers.numel():
        raise pickle.UnpicklingError(f"{numbers.numel()} numbers are repeated in a tensor {tuple(size)[:6]}")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if 0 not in size and last >= numbers.numel():
        raise pickle.UnpicklingError(f"{numbers.numel()} numbers do not fill a tensor {tuple(size)[:6]}")
    return numbers.as_strided(size, stride, offset).numpy()


# The callables of pickled CPU tensors, with safe replacements.
_TORCH: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("collections", "OrderedDict"): collections.OrderedDict,
}
