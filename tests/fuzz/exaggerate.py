"""Files of a format with one part made far too much of: nested, repeated, shared, long or large.

Random damage finds broken files. Programs hang on files that are whole, and whose one list is a million long; these
are made by the grammar of each container (JSON, pickle, NumPy archive, MATLAB, text), so that readers come so far.
"""

import io
import json
import pickle
import random
import warnings
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import numpy as np
import scipy.io
from hostile_files import itself, shared_lists


NUMBERS = ("9" * 400, "9" * 5000, "1" * 100_000 + "a1", "1e308", "-1e308", "nan", "1e-300", "0", "99999999999", "-1")
WORDS = (*NUMBERS, "x" * 100_000, "\x1b[2J", "a,b", '"')


def exaggerated(name: str, content: bytes, chance: random.Random) -> bytes:
    """The content with one part exaggerated; where it cannot be parsed, with a stretch of bytes repeated."""
    makers: dict[str, Callable[[bytes, random.Random], bytes]] = {
        ".json": _json,
        ".pkl": _pickle,
        ".npz": _npz,
        ".npy": _npy,
        ".mat": _mat,
    }
    suffix = PurePath(name).suffix.lower()
    make = makers.get(suffix, _text if b"\0" not in content[:2000] else _repeated)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(content, chance)
    except (ValueError, KeyError, TypeError, OverflowError, pickle.PicklingError, RecursionError, AttributeError):
        return _repeated(content, chance)


def _count(chance: random.Random) -> int:
    """Mostly small, as a file of a thousand costs what a hundred of ten cost, and tells less."""
    return int(10 ** chance.uniform(1, 4.7 if chance.random() < 0.1 else 2.7))


def _nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = [inner]
    return inner


def _large(value: Any, chance: random.Random) -> Any:
    """A value in the place of another, of its kind or not."""
    count = _count(chance)
    match chance.randrange(8):
        case 0:
            return _nested(chance.choice((3, 40, 400)), value)
        case 1:
            return [value] * min(count, 200_000 // (1 + len(str(value)[:2000])) + 1)
        case 2:
            return {f"k{number}": 1 for number in range(count)}
        case 3:
            return chance.choice(WORDS)
        case 4:
            return chance.choice((10**30, -1, 2**63, 2**31, 1e300, -(10**18), count))
        case 5:
            return [[1.0] * 3] * count
        case 6:
            return [value, None, "", [], {}]
        case _:
            return [] if chance.random() < 0.5 else {}


def _in_tree(value: Any, chance: random.Random, large: Callable[[Any, random.Random], Any]) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice([*value])
        return {**value, key: _in_tree(value[key], chance, large)}
    if isinstance(value, list | tuple) and value and chance.random() < 0.75:
        place, items = chance.randrange(len(value)), list(value)
        items[place] = _in_tree(items[place], chance, large)
        return items
    return large(value, chance)


@lru_cache(maxsize=256)
def _tree(content: bytes, of_pickle: bool) -> Any:
    return pickle.loads(content) if of_pickle else json.loads(content)  # our own sample


@lru_cache(maxsize=64)
def _arrays(content: bytes, of_matlab: bool) -> dict[str, np.ndarray]:
    if of_matlab:
        variables = scipy.io.loadmat(io.BytesIO(content)).items()
        return {name: np.asarray(value) for name, value in variables if name[:2] != "__"}
    with np.load(io.BytesIO(content), allow_pickle=True) as found:  # our own sample
        return {name: found[name] for name in found.files}


def _json(content: bytes, chance: random.Random) -> bytes:
    return json.dumps(_in_tree(_tree(content, False), chance, _large)).encode()


def _pickle(content: bytes, chance: random.Random) -> bytes:
    def large(value: Any, chance: random.Random) -> Any:
        match chance.randrange(5):
            case 0:
                return shared_lists(chance.choice((3, 10, 18, 40)))
            case 1:
                return itself()
            case 2:
                return np.zeros((1, _count(chance), 17, 2), np.int8)
            case _:
                return _large(value, chance)

    tree = _in_tree(_tree(content, True), chance, large)
    return pickle.dumps(tree, protocol=chance.randrange(2, 6))


def _array(array: np.ndarray, chance: random.Random) -> np.ndarray:
    match chance.randrange(7):
        case 0:
            return np.zeros((*array.shape[:-1], _count(chance)), np.int8) if array.ndim < 3 else array[:, :0]
        case 1:
            return np.zeros(_count(chance) * 40, np.int8)
        case 2:
            axis = chance.randrange(max(array.ndim, 1))
            return np.repeat(np.atleast_1d(array), min(_count(chance), 3000), axis=axis)
        case 3:
            return np.array(chance.choice(WORDS))
        case 4:
            return np.array([f"j{number}" for number in range(_count(chance))])
        case 5:
            return array.astype(chance.choice(("f2", "i1", "c8", "?", "S3", "U3", "u8")))
        case _:
            return np.full(array.shape, chance.choice((np.nan, np.inf, 1e308, -1e308, 0.0)))


def _npz(content: bytes, chance: random.Random) -> bytes:
    stream, arrays = io.BytesIO(), dict(_arrays(content, False))
    name = chance.choice([*arrays])
    arrays[name] = _array(arrays[name], chance)
    (np.savez_compressed if arrays[name].nbytes > 2**16 else np.savez)(stream, **arrays)
    if chance.random() < 0.2:
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
            part = io.BytesIO()
            np.save(part, arrays[name])
            archive.writestr(f"{name}.npy", part.getvalue())
    return stream.getvalue()


def _npy(content: bytes, chance: random.Random) -> bytes:
    stream = io.BytesIO()
    np.save(stream, _array(np.load(io.BytesIO(content)), chance))
    return stream.getvalue()


def _mat(content: bytes, chance: random.Random) -> bytes:
    variables = dict(_arrays(content, True))
    name = chance.choice([*variables])
    variables[name] = _array(variables[name], chance)
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=chance.random() < 0.8)
    return stream.getvalue()


def _text(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    place = chance.randrange(min(len(lines), 12) if chance.random() < 0.6 else len(lines))
    separator = max((b",", b"\t", b" ", b";"), key=lines[place].count)
    cells = lines[place].split(separator)
    cell = chance.randrange(len(cells))
    match chance.randrange(5):
        case 0:
            lines[place : place + 1] = [lines[place]] * _count(chance)
        case 1:
            cells[cell : cell + 1] = [cells[cell]] * _count(chance)
        case 2:
            cells[cell : cell + 1] = [cells[cell] + str(number).encode() for number in range(_count(chance))]
        case 3:
            cells[cell] = chance.choice(WORDS).encode()
        case _:
            cells[cell] = cells[cell] * _count(chance)
    if len(lines) > place and chance.random() < 1:
        lines[place] = separator.join(cells) if cells != lines[place].split(separator) else lines[place]
    return b"\n".join(lines)


def _repeated(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(max(len(content), 1))
    part = content[start : start + (1 << chance.randrange(10))]
    return content[:start] + part * min(_count(chance), 2_000_000 // max(len(part), 1)) + content[start:]
