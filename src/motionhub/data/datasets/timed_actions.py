"""Lists of timed actions, `{video: {subset, duration, actions: [[class, start, end], ...]}}`, of TSU and Charades.

Times are in frames or seconds: a list says only "duration".
"""

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.files import bad_file, kept_until_changed, load_object
from motionhub.data.formats.format import is_number


SUBSETS = ("training", "testing")
# Beyond any video, in seconds or frames: JSON has whole numbers that no float can hold.
_MAX_TIME = 1e12


@dataclass(frozen=True)
class TimedActions:
    """A video's entry in a list.

    Args:
        trains: whether the list has it under "training".
        duration: of the video, in the unit of the actions' times.
        actions: `(class, start, end)`.
    """

    trains: bool
    duration: float
    actions: tuple[tuple[int, float, float], ...]


def entry_of(found: Path, video: str, num_classes: int) -> TimedActions | None:
    """A video's entry, or None where the list does not have it.

    Raises:
        ValueError: the list is no such JSON, or the entry lacks a subset, a positive duration or whole actions.
    """
    entries = _entries(found)
    if video not in entries:
        return None
    entry = entries[video]
    if not isinstance(entry, dict):
        raise bad_file(found, video, f"expected an object, got {reprlib.repr(entry)}.")
    if entry.get("subset") not in SUBSETS:
        raise bad_file(found, video, f"expected a subset of {SUBSETS}, got {reprlib.repr(entry.get('subset'))}.")
    duration: Any = entry.get("duration")
    if not is_number(duration) or not 0 < duration < _MAX_TIME:
        raise bad_file(found, video, f"expected a duration above 0, got {reprlib.repr(duration)}.")
    listed = entry.get("actions")
    if not isinstance(listed, list):
        raise bad_file(found, video, f"expected a list of actions, got {reprlib.repr(listed)}.")
    actions = tuple(_action(found, f"{video}, action {row}", action, num_classes) for row, action in enumerate(listed))
    return TimedActions(entry["subset"] == "training", float(duration), actions)


def _action(found: Path, place: str, action: Any, num_classes: int) -> tuple[int, float, float]:
    whole = isinstance(action, list) and len(action) == 3 and all(map(is_number, action))
    if not whole or not all(abs(number) < _MAX_TIME for number in action) or int(action[0]) != action[0]:
        raise bad_file(found, place, f"expected [class, start, end], got {reprlib.repr(action)}.")
    if not 0 <= action[0] < num_classes:
        raise bad_file(found, place, f"expected a class in 0..{num_classes - 1}, got {action[0]}.")
    return int(action[0]), float(action[1]), float(action[2])


@kept_until_changed
def _entries(found: Path) -> dict[str, Any]:
    """A list, read once until the file changes."""
    return load_object(found)


def segments_of_actions(timed: TimedActions, num_frames: int) -> tuple[tuple[int, int, int], ...]:
    """`(class, first frame, frame after the last)` of the actions that have a frame strictly inside.

    The published code takes frame f of `num_frames` for the time f / (num_frames / duration), and an action for true
    where start < time < end: neither end belongs to it. Whatever lies outside the video is cut off.
    """
    times = np.arange(num_frames) / (num_frames / timed.duration)
    found = []
    for label, start, end in timed.actions:
        first, after = np.searchsorted(times, start, side="right"), np.searchsorted(times, end, side="left")
        if first < after:
            found.append((label, int(first), int(after)))
    return tuple(found)
