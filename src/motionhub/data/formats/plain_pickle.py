"""Unpickles numbers, texts, lists, dicts and NumPy arrays only, without running any code of the file.

A pickle may call any function it names. The few names that NumPy arrays need resolve to inert stand-ins that record
their arguments. NumPy's own constructors are not called, because they allocate whatever size the file states.
"""

import codecs
import io
import math
import pickle
import pickletools
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.files import bad_file, read_bytes


_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC_MODULES = ("numpy.core.numeric", "numpy._core.numeric")
_MEMO_WRITES = {"PUT", "BINPUT", "LONG_BINPUT"}


class _Dtype:
    """Stand-in for a `numpy.dtype` of plain numbers, made by `dtype("f4", False, True)` and its state."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("a NumPy type has an invalid state")
        self.order = state[1]

    def real(self) -> np.dtype:
        if not isinstance(self.code, str) or self.code[:1] not in "biuf" or not self.code[1:].isdigit():
            raise pickle.UnpicklingError(f"arrays of numbers are read, not of {str(self.code)[:20]!r}")
        try:
            kind = np.dtype(self.order.replace("|", "=") + self.code)
        except TypeError as error:
            raise pickle.UnpicklingError(str(error)) from None
        if kind.itemsize == 0:
            raise pickle.UnpicklingError("arrays of numbers are read, not of empty values")
        return kind


class _Array:
    """Stand-in for an array that is made empty and then given its state."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def real(self) -> np.ndarray:
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise pickle.UnpicklingError("a NumPy array has an invalid state")
        _, shape, dtype, fortran, data = self.state
        return _filled(data, dtype, shape, "F" if fortran else "C")


def _filled(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("arrays of numbers are read, not of objects")
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise pickle.UnpicklingError("a NumPy array has an invalid shape")
    kind = dtype.real()
    if math.prod(shape) * kind.itemsize != len(data):
        raise pickle.UnpicklingError(f"{len(data)} bytes do not fill an array {shape[:6]} of {kind}")
    return np.frombuffer(data, kind).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: Any, codec: Any) -> bytes:
    """Bytes as protocol 2 writes them."""
    if not isinstance(text, str) or codec != "latin1":
        raise pickle.UnpicklingError("bytes have an invalid encoding")
    return codecs.encode(text, "latin-1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): object,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(module, "_reconstruct"): _Array for module in _ARRAY_MODULES},
    **{(module, "scalar"): lambda dtype, data: _filled(data, dtype, (), "C").item() for module in _ARRAY_MODULES},
    **{(module, "_frombuffer"): _filled for module in _NUMERIC_MODULES},
}


class _Unpickler(pickle.Unpickler):
    known: Mapping[tuple[str, str], Any] = _KNOWN

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.known:
            called = f"{module}.{name}"[:60]
            raise pickle.UnpicklingError(f"it calls {called!r}; only numbers, texts and NumPy arrays are read")
        return self.known[module, name]


def load_pickle(path: Path, also_known: Mapping[tuple[str, str], Any] | None = None) -> Any:
    """The content of a pickle; `array` converts the stand-ins of NumPy arrays.

    `also_known`: inert stand-ins of further (module, name) that the file may call. Raises ValueError when the file is
    broken, or has anything but numbers, texts, lists, dicts and arrays.
    """
    content = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about broken escapes in texts
            _check_memo(content)
            unpickler = _Unpickler(io.BytesIO(content))
            unpickler.known = {**_KNOWN, **(also_known or {})}
            return unpickler.load()
    except (
        *(pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
        *(OverflowError, MemoryError, RecursionError, ImportError, NotImplementedError),
    ) as error:
        raise bad_file(path, "pickle", f"refused: {error}.") from None


def _check_memo(content: bytes) -> None:
    """Refuses memo numbers above the count of operations: Python allocates that many places."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
        if operation.name in _MEMO_WRITES and int(argument or 0) > count + 1:
            raise pickle.UnpicklingError(f"memo number {argument} after {count} operations")


def array(path: Path, place: str, value: Any) -> np.ndarray:
    """A pickled array, or list of numbers, as float64. Raises ValueError otherwise."""
    try:
        real = value.real() if isinstance(value, _Array) else np.asarray(_lists(value))
    except (pickle.UnpicklingError, ValueError, TypeError, OverflowError) as error:
        raise bad_file(path, place, f"cannot be read ({error}).") from None
    if real.dtype.kind not in "iuf":
        raise bad_file(path, place, f"expected an array of numbers, got {real.dtype}.")
    with np.errstate(invalid="ignore", over="ignore"):  # odd bit patterns that mean no number
        return real.astype(np.float64)


def _lists(value: Any) -> Any:
    """Lists of arrays, as MMPose writes them, with the stand-ins converted."""
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value.real() if isinstance(value, _Array) else value
