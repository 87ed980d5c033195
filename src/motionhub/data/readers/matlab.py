"""Loads variables of a MATLAB 5 file and turns every way it can be broken into a one-line error.

It does not know any data set.
"""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from motionhub.data.readers.reader import bad_file, read_bytes


MAGIC = b"MATLAB"


def variable_names(path: Path) -> list[str]:
    """Names of the variables in the file, `[]` when their headers cannot be read."""
    content = io.BytesIO(read_bytes(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [name for name, _, _ in scipy.io.whosmat(content)]  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - see load_variables
        return []


def load_variables(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """The named variables of a `.mat` file. Raises ValueError when the file is broken or lacks one of them."""
    content = read_bytes(path)
    if not content.startswith(MAGIC):
        raise bad_file(path, "header", f"expected a MATLAB 5 file, got one that starts with {content[:16]!r}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # From memory: a corrupt length then cannot make the file object allocate what is not there.
            found = scipy.io.loadmat(io.BytesIO(content), variable_names=list(names))  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - scipy raises a dozen unrelated types on corrupt bytes
        reason = f"MATLAB file cannot be read, it is corrupt or cut off ({type(error).__name__}: {error})"
        raise bad_file(path, "content", reason[:300]) from None
    lacking = [name for name in names if name not in found]
    if lacking:
        present = [name for name in found if not name.startswith("__")] or variable_names(path)
        raise bad_file(path, "variables", f"expected {list(names)}, but {lacking} are absent; it has {present}.")
    return found


def as_numbers(path: Path, name: str, values: Any) -> np.ndarray:
    """A real numeric variable as float64. Raises ValueError for text, cells, structs and complex numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise bad_file(path, name, f"expected real numbers, got an array of type {array.dtype}.")
    return array.astype(np.float64)
