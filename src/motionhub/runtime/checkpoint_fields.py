"""The files of a checkpoint are data of strangers: numbers and names in them are checked before anything is made."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from motionhub.skeletons.layout import MAX_JOINTS


# A layer of so many channels, or a text bank's vocabulary.
_MOST = 2**17
_MOST_OF = {"num_people": 256, "num_joints": MAX_JOINTS, "fps": 10_000, "num_frames": 2**17, "test_num_frames": 2**17}
# Person slots times frames of a sample.
_MOST_SLOTS = 2**21
_LARGEST_FLOAT = 1e12
_MAX_BYTES = 2**24
_DEEPEST = 50
_DTYPES = (None, "auto", "float32", "float16", "bfloat16", "float64")


def read_fields(path: Path) -> dict[str, Any]:
    """The object in `config.json` or `preprocessor_config.json`, with every number and name as a checkpoint has them.

    Raises:
        ValueError: names the file, and the field that is wrong; one line.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"has more than {_MAX_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); a checkpoint needs this file.") from None
    except (ValueError, RecursionError) as error:  # not JSON, or not even text
        raise ValueError(f"{path}: not valid JSON ({error}); restore the checkpoint's file.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, got a {type(content).__name__}.")
    for place, key, value in _fields(content):
        if reason := _wrong(key, value):
            shown = repr(value)[:60]
            raise ValueError(f"{path}: {place}: expected {reason}, got {shown}; restore the checkpoint's file.")
    frames, people = (content.get(name) or 1 for name in ("num_frames", "num_people"))
    if max(frames, content.get("test_num_frames") or 1) * people > _MOST_SLOTS:
        raise ValueError(f"{path}: num_frames: {people} people in {frames} frames are more than {_MOST_SLOTS} poses.")
    return content


def _fields(content: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Place, key and value of every field, at any depth."""
    pending: list[tuple[str, str, Any, int]] = [(str(key), str(key), value, 0) for key, value in content.items()]
    while pending:
        place, key, value, depth = pending.pop()
        yield place, key, value
        if depth < _DEEPEST and isinstance(value, dict):
            pending += [(f"{place}.{name}", str(name), each, depth + 1) for name, each in value.items()]
        elif depth < _DEEPEST and isinstance(value, list):
            pending += [(place, key, each, depth + 1) for each in value]


def _wrong(key: str, value: Any) -> str:
    """What a field should hold instead; empty where it is fine."""
    most = _MOST_OF.get(key, _MOST)
    if key == "id2label" and not (value is None or _names_labels(value)):
        return f"an object of at most {_MOST} numbers and names"
    if key in ("dtype", "torch_dtype") and value not in _DTYPES:
        return f"one of {_DTYPES[1:]}"
    if key == "layout" and not (value is None or isinstance(value, str)):
        return "a layout by name or in full as text"
    if key in _MOST_OF and value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        return "a number"
    if key == "fps" and value is not None and not 0 < value <= most:
        return f"frames per second, at most {most}"
    if type(value) is int and abs(value) > most:
        return f"at most {most}"
    if isinstance(value, float) and not (math.isnan(value) or abs(value) <= _LARGEST_FLOAT):
        return f"a number of at most {_LARGEST_FLOAT:g}"
    return ""


def _names_labels(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > _MOST:
        return False
    return all(re.fullmatch("[0-9]{1,9}", str(label)) and isinstance(name, str) for label, name in value.items())
