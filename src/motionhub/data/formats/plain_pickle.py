"""Unpickles numbers, texts, lists, dicts and NumPy arrays only, without running any code of the file.

A pickle may call any function it names. The few names that NumPy arrays need resolve to inert stand-ins that record
their arguments. NumPy's own constructors are not called, because they allocate whatever size the file states.

joblib writes the bytes of an array after the pickled description of it; such files, also packed with zlib, are read by
Python's own unpickler written in Python, which stops at the right byte.
"""

import codecs
import io
import math
import pickle
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.files import bad_file, read_bytes
from motionhub.data.formats.format import checked_size
from motionhub.data.formats.pickle_size import check_content, check_keys, check_operations


_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC_MODULES = ("numpy.core.numeric", "numpy._core.numeric")
_JOBLIB = ("joblib.numpy_pickle", "NumpyArrayWrapper")
# The second byte of a zlib stream, by its level.
_ZLIB_LEVELS = b"\x01\x5e\x9c\xda"
_MOST_PACKED, _SMALL_BYTES, _MOST_BYTES = 50, 2**24, 2**29


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
        _, shape, dtype, fortran, data = self._parts()
        return _filled(data, dtype, shape, "F" if fortran else "C")

    def objects(self) -> list[Any] | None:
        """The values of an array of objects, in one list; None for numbers."""
        _, shape, dtype, _, data = self._parts()
        return data if isinstance(dtype, _Dtype) and dtype.code in ("O", "O8") and isinstance(data, list) else None

    @property
    def single(self) -> bool:
        """Whether an array of objects is one object: numpy.save makes it of a dict."""
        return self._parts()[1] == ()

    def _parts(self) -> tuple[Any, ...]:
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise pickle.UnpicklingError("a NumPy array has an invalid state")
        return self.state


class _JoblibArray(_Array):
    """Stand-in for joblib's description of an array, whose bytes follow in the file."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an array of joblib has an invalid state")
        self.described = state

    def take(self, stream: io.BytesIO) -> None:
        shape, dtype = self.described.get("shape"), self.described.get("dtype")
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
            raise pickle.UnpicklingError("an array of joblib has an invalid shape or type")
        if self.described.get("numpy_array_alignment_bytes") is not None:
            stream.read(int.from_bytes(stream.read(1), "little"))
        data = stream.read(max(math.prod(shape) * dtype.real().itemsize, 0))
        self.state = (1, shape, dtype, self.described.get("order") == "F", data)


def _filled(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    data = data.encode("latin-1") if isinstance(data, str) else data  # the bytes of Python 2
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


def _dict(*parts: Any) -> dict[Any, Any]:
    """An ordered dict of pairs, or an empty dict with a default."""
    check_keys([pair[0] for pair in parts[0] if isinstance(pair, list | tuple) and pair] if parts else [])
    return dict(parts[0]) if parts and isinstance(parts[0], list) else {}


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): object,
    ("collections", "OrderedDict"): _dict,
    ("collections", "defaultdict"): _dict,
    **{(module, name): object for module in ("builtins", "__builtin__") for name in ("dict", "list")},
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


_PythonUnpickler: Any = pickle._Unpickler  # its methods are not in the types of the standard library


class _JoblibUnpickler(_PythonUnpickler):
    """Takes the bytes of an array after each description of one."""

    dispatch = dict(_PythonUnpickler.dispatch)
    known = _KNOWN

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.stream = stream

    def find_class(self, module: str, name: str) -> Any:
        return _JoblibArray if (module, name) == _JOBLIB else _Unpickler.find_class(self, module, name)

    def load_build(self) -> None:
        super().load_build()
        if isinstance(self.stack[-1], _JoblibArray):
            self.stack[-1].take(self.stream)

    # The operations of such a file cannot be checked before, as arrays lie between them. Keys are, one by one.
    def load_setitem(self) -> None:
        check_keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        check_keys(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        check_keys(self.stack[::2])
        super().load_dict()

    def load_additems(self) -> None:
        check_keys(self.stack)
        super().load_additems()

    def load_frozenset(self) -> None:
        check_keys(self.stack)
        super().load_frozenset()

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset


def load_pickle(path: Path, also_known: Mapping[tuple[str, str], Any] | None = None) -> Any:
    """The content of a pickle; `array` converts the stand-ins of NumPy arrays, `plain` those of the whole content.

    `also_known`: inert stand-ins of further (module, name) that the file may call. Raises ValueError when the file is
    broken, or has anything but numbers, texts, lists, dicts and arrays.
    """
    content = read_bytes(path)
    return load_pickled(path, _inflated(path, content) if is_packed(content) else content, also_known)


def is_packed(content: bytes) -> bool:
    """Whether bytes begin as a pickle that joblib packed with zlib."""
    if content[:1] != b"\x78" or content[1:2] not in [bytes([level]) for level in _ZLIB_LEVELS]:
        return False
    try:
        return zlib.decompressobj().decompress(content[:4096], 1) == b"\x80"
    except zlib.error:
        return False


def _inflated(path: Path, content: bytes) -> bytes:
    stream, limit = zlib.decompressobj(), min(_MOST_BYTES, max(_SMALL_BYTES, _MOST_PACKED * len(content)))
    try:
        unpacked = stream.decompress(content, limit)
    except zlib.error as error:
        raise bad_file(path, "pickle", f"its compressed data are corrupt ({error}).") from None
    if stream.unconsumed_tail:
        raise bad_file(path, "pickle", f"unpacks from {len(content)} to more than {limit} bytes; refused.")
    return unpacked


def load_pickled(path: Path, content: bytes, also_known: Mapping[tuple[str, str], Any] | None = None) -> Any:
    """As `load_pickle`, of the bytes of a pickle inside a file."""
    try:
        if b"joblib.numpy_pickle" in content[: 2**16]:
            found = _JoblibUnpickler(io.BytesIO(content)).load()
            check_content(found, len(content), _parts_of)
            return found
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about broken escapes in texts
            check_operations(content)
            unpickler = _Unpickler(io.BytesIO(content), encoding="latin-1")
            unpickler.known = {**_KNOWN, **(also_known or {})}
            found = unpickler.load()
        check_content(found, len(content), _parts_of)
        return found
    except (
        *(pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
        *(OverflowError, MemoryError, RecursionError, ImportError, NotImplementedError, struct.error, AssertionError),
    ) as error:
        raise bad_file(path, "pickle", f"refused: {error}.") from None


def plain(path: Path, value: Any) -> Any:
    """Pickled content with NumPy arrays for their stand-ins; an array of objects is a list, of one object that object.

    Raises ValueError for arrays that do not fit their description, and for content that holds itself.
    """
    try:
        return _plain(value, {})
    except (pickle.UnpicklingError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise bad_file(path, "pickle", f"cannot be read ({error}).") from None


def _plain(value: Any, done: dict[int, Any]) -> Any:
    if not isinstance(value, list | tuple | dict | _Array):
        return value
    if id(value) not in done:  # shared parts are converted once
        if isinstance(value, _Array):
            objects = value.objects()
            made: Any = value.real() if objects is None else _plain(objects, done)
            done[id(value)] = made[0] if objects is not None and value.single and len(made) == 1 else made
        elif isinstance(value, dict):
            done[id(value)] = {key: _plain(item, done) for key, item in value.items()}
        else:
            done[id(value)] = [_plain(item, done) for item in value]
    return done[id(value)]


def _parts_of(value: Any) -> tuple[int, Sequence[Any]] | None:
    """Numbers and parts of an array: of numbers at most its bytes, of objects these; None for other values."""
    if isinstance(value, np.ndarray):
        return value.size, ()
    if not isinstance(value, _Array):
        return None
    state = value.state if isinstance(value.state, tuple) else ()
    return sum(len(part) for part in state if isinstance(part, bytes | bytearray | str)), state


def array(path: Path, place: str, value: Any) -> np.ndarray:
    """A pickled array, or list of numbers, as float64. Raises ValueError otherwise."""
    try:
        real = value.real() if isinstance(value, _Array) else np.asarray(_lists(value))
    except (pickle.UnpicklingError, ValueError, TypeError, OverflowError) as error:
        raise bad_file(path, place, f"cannot be read ({error}).") from None
    if real.dtype.kind not in "iuf":
        raise bad_file(path, place, f"expected an array of numbers, got {real.dtype}.")
    checked_size(path, *real.shape)
    with np.errstate(invalid="ignore", over="ignore"):  # odd bit patterns that mean no number
        return real.astype(np.float64)


def _lists(value: Any) -> Any:
    """Lists of arrays, as MMPose writes them, with the stand-ins converted."""
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value.real() if isinstance(value, _Array) else value
