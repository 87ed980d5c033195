"""Reads `.pt` and `.pth` files with a tensor of keypoints, a dict as our `.npz` has, or parameters of SMPL (GVHMR).

`torch.load` reads them with `weights_only=True`, which runs no code of the file; one that needs code is refused. The
parts of such an archive are stored unpacked, so that packed ones are refused as bombs.
"""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.arrays import KEYPOINT_KEYS, ZIP_MAGIC, clip_of_arrays
from motionhub.data.formats.files import bad_file
from motionhub.data.formats.format import Format, ReadOptions, most_values
from motionhub.data.formats.smpl import clip_of_parameters
from motionhub.skeletons.sequence import SkeletonSequence


_WAY_OUT = 'load it with torch and save the joints: numpy.savez("CLIP.npz", keypoints=tensor.numpy(), fps=30)'


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """As `.npy` and `.npz`: `(people, frames, joints, dims)` or `(frames, joints, dims)`; metres of SMPL's joints."""
    content = _plain(path, _loaded(path))
    if isinstance(content, np.ndarray):
        content = {"keypoints": content}
    if not isinstance(content, dict):
        raise bad_file(path, "content", f"expected a tensor or a dict of tensors, got {type(content).__name__}.")
    if any(key in content for key in KEYPOINT_KEYS):
        arrays = {str(key): np.asarray(value) for key, value in content.items() if _is_array(value)}
        return [clip_of_arrays(path, arrays, options)]
    found = clip_of_parameters(path, content, options)
    if found is None:
        raise bad_file(path, "content", f"expected keypoints, got the keys {list(content)[:8]}; {_WAY_OUT}.")
    return [found]


def _loaded(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            packed = any(part.compress_type != zipfile.ZIP_STORED for part in parts)
            total = sum(part.file_size for part in parts)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise bad_file(path, "archive", f"not a readable PyTorch file ({error}).") from None
    if packed or total > path.stat().st_size or total > 8 * most_values(path):
        raise bad_file(path, "archive", "is packed, or claims more than it holds; torch.save writes no such file.")
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise bad_file(path, "content", f"needs code to be loaded, which is refused; {_WAY_OUT}.") from None
    except Exception as error:  # of many types, for damaged files
        raise bad_file(path, "content", f"cannot be loaded ({error}); {_WAY_OUT}.") from None


def _plain(path: Path, value: Any, depth: int = 3) -> Any:
    """Tensors as arrays, in dicts too."""
    import torch

    if isinstance(value, torch.Tensor):
        try:
            return value.detach().to_dense().float().numpy() if value.is_floating_point() else value.numpy()
        except (RuntimeError, TypeError) as error:
            raise bad_file(path, "content", f"a tensor that is no plain numbers ({error}).") from None
    if isinstance(value, dict) and depth:
        return {key: _plain(path, item, depth - 1) for key, item in value.items()}
    return value


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | int | float | str) or (
        isinstance(value, list | tuple) and all(isinstance(item, int | float) for item in value)
    )


FORMAT = Format(
    name="torch",
    title="PyTorch file of keypoints or SMPL parameters (.pt)",
    matches=lambda path, head: head.startswith(ZIP_MAGIC) and b"/data.pkl" in head[:200],
    read=read,
    container="binary",
    signature="torch.save of a tensor (people, frames, joints, dims), or of a dict with keypoints",
    needs=("layout", "fps", "unit"),
)
