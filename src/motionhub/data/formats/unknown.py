"""What a file or folder of no known format holds, in words, and which of the known formats come nearest."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from motionhub.data.formats.files import bad_file, load_json
from motionhub.data.formats.format import Format
from motionhub.data.formats.matlab import MAGIC, load_variables, variable_names


_NUM_NEAREST = 3
_SHOWN = 10
_VIDEO = "a video; make keypoints of it first: motionhub poses VIDEO -o OUT.npz, or motionhub.poses.extract(VIDEO)"
# Contents that are often handed over, and what to do with them.
_FOREIGN = {
    b"\x89HDF": "an HDF5 file; save its arrays as .npz with keypoints (people, frames, joints, dims)",
    b"PK\x03\x04": "a zip file; extract it and give a file or folder of it, or make a dataset of the authors' zip: "
    "motionhub dataset build NAME --raw ZIP --out FOLDER",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"\x02P": "a C3D file; export it as TRC or BVH",
    b"\x89PNG": "a PNG image; a pose estimator makes keypoints of it",
    b"\xff\xd8\xff": "a JPEG image; a pose estimator makes keypoints of it",
    b"ftyp": _VIDEO,
    b"RIFF": _VIDEO,
    b"\x1aE\xdf\xa3": _VIDEO,
}


def unknown_folder(path: Path) -> ValueError:
    """The error for a folder that is no recording."""
    try:
        names = sorted(entry.name for entry in islice(path.iterdir(), 1000))[:5]
    except OSError as error:
        return bad_file(path, "folder", f"cannot be read ({error.strerror}).")
    reason = f"is a directory of no known format (it has {names}); give a file, or a folder of OpenPose JSON files."
    return bad_file(path, "folder", reason)


def unknown_format(path: Path, head: bytes, known: Sequence[Format]) -> ValueError:
    """The error for a file: what it shows, the nearest formats by the words they share, the others by name.

    Of formats that are equally near, those that come first in `known` are shown first.
    """
    container, shown, words = _describe(path, head)
    same = [form for form in known if form.container == container] or list(known)
    nearest = sorted(same, key=lambda form: -_likeness(words, form))
    named = "; ".join(f"{form.name}: {form.signature}" for form in nearest[:_NUM_NEAREST])
    others = ", ".join(form.name for form in nearest[_NUM_NEAREST:])
    more = f". Others: {others}" if others else ""
    return bad_file(path, "content", f"no known skeleton format ({shown}). Nearest formats: {named}{more}.")


def _likeness(words: set[str], form: Format) -> int:
    return len(words & _words(f"{form.name} {form.title} {form.signature}"))


def _words(text: str) -> set[str]:
    """In lower case, without the plural: `Keypoints`, `pose_keypoints` and `keypoint` share a word."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z0-9]{2,}", text.lower())}


def _describe(path: Path, head: bytes) -> tuple[str, str, set[str]]:
    """The kind of container, what is in it in a sentence, and the words by which it may resemble a format."""
    if head.startswith(MAGIC):
        names = variable_names(path)
        if not names:
            load_variables(path, ())  # raises, saying how the file is broken
        return "mat", f"a MATLAB file with the variables {names[:_SHOWN]}", _words(" ".join(names))
    if head.lstrip()[:1] in (b"{", b"["):
        return "json", *_describe_json(path)
    text = head.decode("utf-8", errors="ignore")
    unprintable = sum(not (char.isprintable() or char.isspace()) for char in text)
    if b"\0" in head or unprintable > len(head) // 50 or any(head.startswith(mark) for mark in _FOREIGN):
        foreign = next((words for mark, words in _FOREIGN.items() if mark in head[:8]), None)
        return "binary", foreign or f"a binary file that starts with {head[:12]!r}", set()
    lines = [line[:40] for line in head.decode("utf-8", errors="replace").splitlines()[:3]]
    return "text", f"a text file that starts with the lines {lines}", _words(" ".join(lines))


def _describe_json(path: Path) -> tuple[str, set[str]]:
    try:
        content = load_json(path)
    except ValueError as error:
        return f"JSON: {str(error).removeprefix(f'{path}: ').rstrip('.')}", set()
    words = _words(" ".join(islice(_keys(content), 100)))
    if isinstance(content, dict):
        return f"a JSON object with the keys {_short(content)}", words
    if not isinstance(content, list) or not content:
        return "an empty JSON list", words
    first = content[0]
    inside = f"an object with the keys {_short(first)}" if isinstance(first, dict) else f"a {type(first).__name__}"
    return f"a JSON list of {len(content)} elements, the first {inside}", words


def _short(keys: Any) -> list[str]:
    return [key[:40] for key in islice(keys, _SHOWN)]


def _keys(content: Any, depth: int = 4) -> Iterator[str]:
    """The keys of objects, and of the first elements of what they hold."""
    if isinstance(content, dict):
        yield from content
        content = list(islice(content.values(), 20))
    if isinstance(content, list) and depth:
        for value in content[:20]:
            yield from _keys(value, depth - 1)
