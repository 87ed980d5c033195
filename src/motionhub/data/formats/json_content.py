"""JSON files and the lists of numbers in them; every way they can be broken is a one-line error.

It does not know any format.
"""

import json
import reprlib
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.reader import bad_file, read_bytes


# Python keeps about ten bytes for each one of JSON: a larger file is no clip that could be used afterwards.
MAX_JSON_BYTES = 2**28


def read_json(path: Path) -> bytes:
    """The whole file. Raises ValueError when it is larger than a clip, and as `read_bytes` does."""
    if path.is_file() and path.stat().st_size > MAX_JSON_BYTES:
        size = path.stat().st_size
        raise bad_file(path, "file", f"has {size} bytes, more than {MAX_JSON_BYTES} of JSON; split the recording.")
    return read_bytes(path)


def load_json(path: Path) -> Any:
    """What the file holds. Raises ValueError with the line and column where it is broken."""
    content = read_json(path)
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise bad_file(path, f"byte {error.start}", "not valid text; the JSON file is corrupt.") from None
    except json.JSONDecodeError as error:
        reason = f"not valid JSON ({error.msg}); the file is corrupt or cut off."
        raise bad_file(path, f"line {error.lineno}, column {error.colno}", reason) from None
    except (RecursionError, ValueError) as error:  # nested or with numbers beyond what Python parses
        raise bad_file(path, "JSON", f"cannot be parsed ({error}).") from None


def number_array(path: Path, place: str, value: Any) -> np.ndarray:
    """A (nested) list of numbers as float64; null is NaN. Raises ValueError when it is anything else."""
    try:
        array = np.asarray(value)
        # Text that looks like a number is not one, nor are true and false.
        if array.dtype.kind in "iuf" or (array.dtype.kind == "O" and _numbers_and_nulls(array)):
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise bad_file(path, place, f"expected a regular list of numbers, got {reprlib.repr(value)}.")


def _numbers_and_nulls(array: np.ndarray) -> bool:
    return all(item is None or type(item) in (int, float) for item in array.flat)


def list_of(path: Path, place: str, value: Any, kind: type) -> list[Any]:
    """A list whose elements are all of one type. Raises ValueError naming the first that is not."""
    if not isinstance(value, list):
        raise bad_file(path, place, f"expected a list, got {reprlib.repr(value)}.")
    for index, item in enumerate(value):
        if not isinstance(item, kind):
            words = "an object" if kind is dict else "a list"
            raise bad_file(path, f"{place}[{index}]", f"expected {words}, got {reprlib.repr(item)}.")
    return value
