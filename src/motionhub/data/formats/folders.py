"""Folders with one file per frame: recordings by the name before the frame number."""

import re
from collections import defaultdict
from itertools import islice
from pathlib import Path
from typing import Any

from motionhub.data.formats.files import bad_file


_LAST_NUMBER = re.compile(r"(\d{1,15})(?!.*\d)")
# A recording of a day at 30 frames per second has fewer.
MAX_FILES = 3_000_000


def number_in(name: Any, default: int) -> int:
    """The last number in a file name: 12 in "cam1_000012.jpg"."""
    found = _LAST_NUMBER.search(Path(name).stem) if isinstance(name, str) else None
    return default if found is None else int(found[1])


def recordings(folder: Path, suffix: str = ".json") -> dict[str, dict[int, Path]]:
    """Name of the recording -> frame number -> file, for files called NAME_000012.json or NAME_000012_keypoints.json.

    Raises ValueError for two files with the same frame number.
    """
    pattern = re.compile(rf"(.*?)[_-]?(\d{{1,15}})(?:_keypoints)?{re.escape(suffix)}", re.IGNORECASE)
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in islice(sorted(folder.iterdir()), MAX_FILES):
        named = pattern.fullmatch(file.name)
        if named is None or not file.is_file():
            continue
        files = found[named[1]]
        if int(named[2]) in files:
            raise bad_file(folder, file.name, f"has the same frame number as {files[int(named[2])].name}.")
        files[int(named[2])] = file
    return dict(found)
