"""Motions of the tables `motions.yaml` and `phrases.yaml`: keys written out, as `channels.Motion`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from motionhub.data.synthetic.channels import HANG, Keys, Motion, Value


def read_table(name: str) -> dict[str, Any]:
    """A table of this folder."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table: dict[str, Any] = yaml.load(Path(__file__).with_name(name).read_text(encoding="utf-8"), loader)
    return table


def motion_of(entry: Mapping[str, Any]) -> Motion:
    """The motion of an entry: `duration` and channels; `hands` are both hands."""
    channels: dict[str, Keys] = {}
    for name, items in entry.items():
        if name not in ("duration", "phrases"):
            channels |= dict.fromkeys(("left_hand", "right_hand") if name == "hands" else (name,), keys_of(items))
    return Motion(entry["duration"], channels)


def keys_of(items: Sequence[Any]) -> Keys:
    """`[second, value]` pairs, and rules such as `{alternate: [...]}`, as keys."""
    keys: Keys = []
    for item in items:
        if isinstance(item, dict):
            ((rule, arguments),) = item.items()
            keys += _RULES[rule](*map(value_of, arguments))
        else:
            keys.append((item[0], value_of(item[1])))
    return keys


def value_of(written: Any) -> Any:
    """A place of a hand by its name, a triple, or a number."""
    return _POSES[written] if isinstance(written, str) else tuple(written) if isinstance(written, list) else written


def _to_and_fro(start: float, end: float, period: float, first: Value, second: Value) -> Keys:
    """Keys that alternate between two values, half a period apart."""
    times = np.arange(start, end, period / 2)
    return [(float(time), (first, second)[index % 2]) for index, time in enumerate(times)]


def _alternate(step: float, count: int, first: Value, second: Value) -> Keys:
    return [(index * step, (first, second)[index % 2]) for index in range(count)]


def _repeat(first: Value, second: Value, period: float) -> Keys:
    """There and back between two places, from hanging and back to it."""
    start, end = 0.5, 2.6
    count = max(2, round((end - start) / (period / 2)))
    keys: Keys = [(start + index * period / 2, (first, second)[index % 2]) for index in range(count)]
    return [(0.05, HANG), *keys, (end + 0.4, HANG)]


def _ring(centre: Sequence[float], first: Sequence[float], second: Sequence[float], turns: int, period: float) -> Keys:
    """Circles about `centre` in the plane of two half axes."""
    keys: Keys = [(0.0, HANG)]
    for step in range(8 * turns + 1):
        angle = 2 * math.pi * step / 8
        place = [c + math.cos(angle) * a + math.sin(angle) * b for c, a, b in zip(centre, first, second, strict=True)]
        keys.append((0.4 + period * step / 8, (place[0], place[1], place[2])))
    return keys


_RULES: dict[str, Any] = {
    "to_and_fro": _to_and_fro,
    "alternate": _alternate,
    "repeat": _repeat,
    "ring": _ring,
}
_TABLE = read_table("motions.yaml")
_POSES: dict[str, Value] = {"hang": HANG, **{name: tuple(place) for name, place in _TABLE["poses"].items()}}
MOTIONS: dict[str, Motion] = {name: motion_of(entry) for name, entry in _TABLE["motions"].items()}
