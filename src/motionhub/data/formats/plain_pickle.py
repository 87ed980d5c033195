"""Unpickles numbers, texts, lists, dicts and NumPy arrays, and refuses everything else: no code in a file is ever run.

A pickle is a program: it may call any function it names. Here the few names that NumPy arrays need are answered by
inert stand-ins, which only note what they were given; the arrays are then built from their bytes. NumPy's own
constructors are not called, as they allocate what a few bytes announce.
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
    """Stands for a `numpy.dtype` of plain numbers, made by `dtype("f4", False, True)` and its state."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("a NumPy type has a strange state")
        self.order = state[1]

    def real(self) -> np.dtype:
        if not isinstance(self.code, str) or self.code[:1] not in "biuf" or not self.code[1:].isdigit():
            raise pickle.UnpicklingError(f"arrays of numbers are read, not of {str(self.code)[:20]!r}")
        try:
            kind = np.dtype(self.order.replace("|", "=") + self.code)
        except TypeError as error:
            raise pickle.UnpicklingError(str(error)) from None
        if kind.itemsize == 0:
            raise pickle.UnpicklingError("arrays of numbers are read, not of nothing")
        return kind


class _Array:
    """Stands for an array that is made empty and then given its state."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def real(self) -> np.ndarray:
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise pickle.UnpicklingError("a NumPy array has a strange state")
        _, shape, dtype, fortran, data = self.state
        return _filled(data, dtype, shape, "F" if fortran else "C")


def _filled(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("arrays of numbers are read, not of objects")
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise pickle.UnpicklingError("a NumPy array has a strange shape")
    kind = dtype.real()
    if math.prod(shape) * kind.itemsize != len(data):
        raise pickle.UnpicklingError(f"{len(data)} bytes do not fill an array {shape[:6]} of {kind}")
    return np.frombuffer(data, kind).reshape(shape, order="F" if order == "F" else "C")


def _scalar(dtype: Any, data: Any) -> Any:
    return _filled(data, dtype, (), "C").item()


def _encode(text: Any, codec: Any) -> bytes:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or codec != "latin1":
        raise pickle.UnpicklingError("bytes are written in a strange way")
    return codecs.encode(text, "latin-1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): object,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(module, "_reconstruct"): _Array for module in _ARRAY_MODULES},
    **{(module, "scalar"): _scalar for module in _ARRAY_MODULES},
    **{(module, "_frombuffer"): _filled for module in _NUMERIC_MODULES},
}


class _Unpickler(pickle.Unpickler):
    known: Mapping[tuple[str, str], Any] = _KNOWN

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.known:
            called = f"{module}.{name}"[:60]
            raise pickle.UnpicklingError(f"it wants to call {called!r}; only numbers, texts and NumPy arrays are read")
        return self.known[module, name]


def load_pickle(path: Path, also_known: Mapping[tuple[str, str], Any] | None = None) -> Any:
    """What the pickle holds; `array` turns what it has in place of a NumPy array into one.

    Args:
        also_known: what answers further (module, name) that the file may call; it must be as inert.

    Raises:
        ValueError: the file is broken, or wants anything but numbers, texts, lists, dicts and arrays.
    """
    content = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in texts that are broken
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
    """Refuses a memo number that none of the file's operations can need: Python allocates that many places."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
        if operation.name in _MEMO_WRITES and int(argument or 0) > count + 1:
            raise pickle.UnpicklingError(f"memo number {argument} after {count} operations")


def array(path: Path, place: str, value: Any) -> np.ndarray:
    """A pickled array, or list of numbers, as float64."""
    try:
        real = value.real() if isinstance(value, _Array) else np.asarray(_lists(value))
    except (pickle.UnpicklingError, ValueError, TypeError, OverflowError) as error:
        raise bad_file(path, place, f"cannot be read ({error}).") from None
    if real.dtype.kind not in "iuf":
        raise bad_file(path, place, f"expected an array of numbers, got {real.dtype}.")
    return real.astype(np.float64)


def _lists(value: Any) -> Any:
    """Lists of arrays with the arrays made real, as MMPose writes them."""
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value.real() if isinstance(value, _Array) else value
