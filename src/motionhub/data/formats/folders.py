"""Recordings of frames by the names of their files or images: folders, names before the number, stated videos."""

import os
import re
from collections import defaultdict
from heapq import nsmallest
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from motionhub.data.formats.files import bad_file, note


# Of names read backwards: that is one pass over a long name, where a search from its start is one for every digit.
_LAST_NUMBER = re.compile(r"\D*(\d{1,15})")
_LAST_DIGITS = re.compile(r"\A(\D*)\d+")
# Roboflow appends a hash to the name of an image: frame_0012_jpg.rf.3fa8c9d2e.jpg.
_HASH = r"(?:[_.](?:jpe?g|png|bmp|tiff?|webp))?\.rf\.[0-9a-zA-Z]+"
_HASHED = re.compile(rf"{_HASH}(?=\.\w+$|$)")
# Beside the labels of a dataset.
_NO_FRAMES = ("classes.txt", "labels.txt", "notes.json")
# Names that are made at random: hexadecimal, with a letter after a digit.
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=\D*\d+[a-f])[0-9a-f]{16,}", re.IGNORECASE)
# A recording of a day at 30 frames per second has fewer.
MAX_FILES = 3_000_000
# What an image or frame states about its recording: video datasets in COCO's form, PoseTrack.
VIDEOS = ("video_id", "vid_id", "video", "video_name")


def number_in(name: Any, default: int) -> int:
    """The last number in a file name: 12 in "cam1_000012.jpg" and "frame_12_jpg.rf.3fa8c9d2e.jpg"; a UUID has none."""
    stem = Path(without_hash(name)).stem if isinstance(name, str) else ""
    found = None if _UUID.fullmatch(stem) else _LAST_NUMBER.match(stem[::-1])
    return default if found is None else int(found[1][::-1])


def without_number(name: str) -> str:
    """The name of an image without its last number."""
    return _LAST_DIGITS.sub(r"\1", without_hash(name)[::-1])[::-1]


def without_hash(name: str) -> str:
    """The name of an image without the hash that Roboflow appends."""
    return _HASHED.sub("", name) if ".rf." in name else name


def recordings(folder: Path, suffix: str = ".json") -> dict[str, dict[int, Path]]:
    """Name of the recording -> frame number -> file, for files called NAME_000012.json or NAME_000012_keypoints.json.

    Files of that suffix without a number are left out, with a note. Raises ValueError for two files with one number.
    """
    found, others = _recordings(folder, suffix)
    if others and found:
        shown = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
        note(folder, "files", f"names without the number of a frame are left out: {shown}.")
    return found


def _recordings(folder: Path, suffix: str) -> tuple[dict[str, dict[int, Path]], list[str]]:
    """The files of `recordings`, and the names of the others."""
    pattern, others = _numbered(suffix), []
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in islice(sorted(folder.iterdir()), MAX_FILES):
        if not file.name.lower().endswith(suffix) or not file.is_file():
            continue
        named = pattern.fullmatch(file.name)
        if named is None:
            others += [file.name] * (file.name not in _NO_FRAMES)
            continue
        files = found[named[1]]
        if int(named[2]) in files:
            raise bad_file(folder, file.name, f"has the same frame number as {files[int(named[2])].name}.")
        files[int(named[2])] = file
    return dict(found), others


def _numbered(suffix: str) -> re.Pattern[str]:
    # OpenPose writes 0012_keypoints.json, OpenPifPaf 0012.jpg.predictions.json
    image = r"(?:\.(?:jpe?g|png|bmp|tiff?))?"
    named = rf"(?:{_HASH}|{image}_keypoints|_predictions|{image}\.predictions)?"
    return re.compile(rf"(.*?)[_-]?(\d{{1,15}}){named}{re.escape(suffix)}", re.IGNORECASE)


def first_files(folder: Path, suffix: str = ".json", most: int = 64) -> list[Path]:
    """The first numbered files of a folder by name that are not empty, without a look at the others."""
    pattern = _numbered(suffix)
    with os.scandir(folder) as entries:
        names = nsmallest(most, (entry.name for entry in entries if pattern.fullmatch(entry.name)))
    files = (folder / name for name in names)
    return [file for file in files if file.is_file() and file.stat().st_size]


def beside(file: Path, suffix: str = ".json") -> int:
    """How many other frames of the recording of a file lie in its folder."""
    try:
        for files in _recordings(file.parent, suffix)[0].values():
            if any(other.name == file.name for other in files.values()):
                return len(files) - 1
    except (OSError, ValueError):
        pass
    return 0


def video_of(entry: dict[str, Any], name: Any) -> tuple[str, str]:
    """The recording that an image states, or "", and its name, or ""."""
    stated = next((entry[key] for key in VIDEOS if isinstance(entry.get(key), str | int)), "")
    return str(stated), name if isinstance(name, str) else ""


def recording_keys(images: list[tuple[str, str]]) -> list[str]:
    """A key of the recording of each image, of what it states and its name.

    That is what it states, else the folder, else the part of the name before the number, if the same numbers occur
    with several of these (`a_1.jpg, a_2.jpg, b_1.jpg, b_2.jpg`).
    """
    stated = [video for video, _ in images]
    if any(stated):
        return stated
    names = [without_hash(name.replace("\\", "/")) for _, name in images]
    folders = [name.rpartition("/")[0] for name in names]
    if len({*folders}) > 1:
        return folders
    if not any(names):
        return [""] * len(names)
    before = [without_number(PurePath(name).stem) for name in names]
    of_number: dict[int, set[str]] = {}
    for prefix, name in zip(before, names, strict=True):
        of_number.setdefault(number_in(name, -1), set()).add(prefix)
    repeat = any(len(prefixes) > 1 for number, prefixes in of_number.items() if number >= 0)
    several = 2 * len({*before}) <= len({*images})
    return before if repeat and several else [""] * len(images)


def grouped(keys: list[str]) -> dict[str, list[int]]:
    """Key -> the rows that have it."""
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows
