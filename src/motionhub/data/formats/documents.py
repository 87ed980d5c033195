"""A JSON document of pose programs as its recordings: by key, in a list, or the one that it is."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from motionhub.data.formats.facts import FACTS, NAME_LISTS
from motionhub.data.formats.files import note
from motionhub.data.formats.frames import (
    FRAME_LISTS,
    POINTS,
    POINTS_3D,
    frames_key,
    has_arrays,
    is_person,
    keyed_by_frame,
    moment_of,
    people_key,
    without_facts,
)
from motionhub.data.formats.persons import SCORES, track_of


# Keys of frames, and of videos.
_FRAME_NAME = re.compile(r"(?:frame|image|img|f)?[ _-]?\d+(?:\.\w{1,4})?", re.IGNORECASE)
_VIDEO_NAME = re.compile(
    r"(?:video|vid|clip|cam|camera|rec|recording|take|trial|scene|seq|sequence|session)[ _-]?\w{0,12}"
    r"|.*\.(?:mp4|avi|mov|mkv|webm|m4v)",
    re.IGNORECASE,
)


# Lists of people who have frames of their own, and keys of their frames or of the number of the first one.
_TRACK_LISTS = ("tracks", "tracklets", "trajectories", "people", "persons", "subjects", "individuals")
_FRAMES_OF_TRACK = ("frames", "frame_ids", "frame_numbers", "start_frame", "first_frame", "frame_start")


def documents_in(path: Path, content: Any, fits: Callable[[Any], bool] | None = None) -> list[Any]:
    """The document, or those of several recordings by key (`{"walk.mp4": {...}, "run.mp4": {...}}`), with a note.

    A list of recordings is theirs too (`[{"video": "walk.mp4", "frames": [...]}, ...]`).

    Args:
        fits: whether a value is a document; None: it has frames of people.
    """
    if (joined := _tracks(content)) is not None:
        return [joined]
    if (listed := _listed_documents(content)) is not None:
        note(path, "recordings", f"{len(listed)} in a list are clips in its order.")
        return listed
    if not isinstance(content, dict) or is_person(content) or frames_key(content) or people_key(content):
        return [content]
    keys = [key for key, value in content.items() if isinstance(value, list | dict) and key not in FACTS]
    numbered, named = (all(map(each.fullmatch, keys)) for each in (_FRAME_NAME, _VIDEO_NAME))
    is_one = fits or (lambda value: _is_document(value, numbered=numbered, named=named))
    parts = {key: value for key, value in content.items() if is_one(value)}
    facts = {key: value for key, value in content.items() if key not in parts}
    if not parts or any(isinstance(value, list | dict) and key not in FACTS for key, value in facts.items()):
        return [content]
    if len(parts) > 1:
        shown = ", ".join(islice(parts, 4)) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")
        note(path, "recordings", f"{len(parts)} by key are clips in this order: {shown}.")
    return [{**facts, **(part if isinstance(part, dict) else {FRAME_LISTS[0]: part})} for part in parts.values()]


def _tracks(content: Any) -> dict[str, Any] | None:
    """One document of the frames of people who have their own: `{"tracks": [{"id": 7, "frames": [...]}, ...]}`.

    The frames are people with a number or time each, or numbers (or the first one) of an array of keypoints.
    """
    if not isinstance(content, dict):
        return None
    key = next((key for key in _TRACK_LISTS if isinstance(content.get(key), list) and content[key]), None)
    if key is None:
        return None
    rows: list[dict[str, Any]] = []
    for number, entry in enumerate(content[key]):
        found = _frames_of_track(entry) if isinstance(entry, dict) else None
        if not found:
            return None
        stated = track_of(entry)
        rows += [{"track_id": number if stated is None else stated, **frame} for frame in found]
    facts = {name: value for name, value in content.items() if name != key}
    return {**facts, FRAME_LISTS[0]: rows}


def _frames_of_track(entry: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The frames of one person, each with its number or time; None for anything else."""
    frames = next((entry[key] for key in _FRAMES_OF_TRACK if isinstance(entry.get(key), list | int)), None)
    if isinstance(frames, list) and all(map(is_person, frames)):
        return frames if (None, None) not in map(moment_of, frames) else None
    points = next((key for key in (*POINTS, *POINTS_3D) if has_arrays({POINTS[0]: entry.get(key)})), None)
    if points is None or frames is None:
        return None
    numbers = frames if isinstance(frames, list) else [*range(frames, frames + len(entry[points]))]
    if len(numbers) != len(entry[points]) or not all(type(number) is int for number in numbers):
        return None
    lists = {key: entry[key] for key in (points, *SCORES) if _is_list_of(entry.get(key), len(numbers), list)}
    about = {name: value for name, value in entry.items() if name in NAME_LISTS}
    parts = ({key: value[row] for key, value in lists.items()} for row in range(len(numbers)))
    return [{"frame": number, **about, **part} for number, part in zip(numbers, parts, strict=True)]


def _is_list_of(value: Any, length: int, kind: type) -> bool:
    return isinstance(value, list) and len(value) == length and all(isinstance(each, kind) for each in value)


def _listed_documents(content: Any) -> list[Any] | None:
    """The recordings of a list, or of an object with one list and facts about all of them."""
    around = content if isinstance(content, dict) else {"": content}
    lists = [value for value in around.values() if isinstance(value, list)]
    if len(lists) != 1 or not lists[0]:
        return None
    if not all(isinstance(each, dict) and isinstance(each.get(FRAME_LISTS[0]), list) for each in lists[0]):
        return None
    facts = {key: value for key, value in around.items() if value is not lists[0]}
    return [{**facts, **each} for each in lists[0]]


def _is_document(value: Any, *, numbered: bool, named: bool) -> bool:
    """Whether a value is a recording; its key may be that of a frame (`numbered`) or of a video (`named`)."""
    if isinstance(value, dict):
        key = frames_key(value)
        if key is not None:
            return key in FRAME_LISTS[:2] or _is_recording(value[key], named)
        keyed = without_facts(value)
        return keyed_by_frame(keyed) and _is_recording([*keyed.values()], named)
    return isinstance(value, list) and not numbered and _is_recording(value, named)


def _is_recording(value: list[Any], named: bool) -> bool:
    """Whether a list is of frames, or of people in several frames: of one `named` as a video, or several at a time."""
    kinds = [each for each in value if each]
    if all(isinstance(each, list) for each in kinds):
        return bool(kinds) and all(isinstance(one, dict) for each in kinds for one in each[:1])
    if not all(isinstance(each, dict) for each in kinds):
        return False
    if all(people_key(each) is not None for each in kinds):
        return True
    moments = [moment_of(each) for each in kinds if is_person(each)]
    several = named or len({*moments}) < len(moments)
    return several and len(moments) == len(kinds) and (None, None) not in moments
