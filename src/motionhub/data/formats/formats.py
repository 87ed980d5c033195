"""The formats of programs (pose estimators, motion capture, tables) by name; which one a file has; and `write`."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from motionhub.data.formats import (
    alphapose,
    arrays,
    bvh,
    coco,
    lcrnet,
    mediapipe,
    openpose,
    parquet,
    pyskl,
    table,
    trc,
)
from motionhub.data.formats.files import read_head
from motionhub.data.formats.format import Format
from motionhub.data.formats.unknown import unknown_folder, unknown_format
from motionhub.data.formats.writing import WriteOption, Writer
from motionhub.skeletons.sequence import SkeletonSequence


# Where contents look alike, the first that fits is taken.
_FORMATS = (
    openpose.FORMAT,
    alphapose.FORMAT,
    coco.FORMAT,
    lcrnet.FORMAT,
    mediapipe.FORMAT,
    arrays.FORMAT,
    pyskl.FORMAT,
    parquet.FORMAT,
    trc.FORMAT,
    bvh.FORMAT,
    table.FORMAT,
)
FORMATS: dict[str, Format] = {form.name: form for form in _FORMATS}
_WRITTEN = (arrays.FORMAT, table.FORMAT, coco.FORMAT, bvh.FORMAT, trc.FORMAT, parquet.FORMAT, openpose.FORMAT)
WRITERS: dict[str, Writer] = {form.writer.name: form.writer for form in _WRITTEN if form.writer is not None}


def find_format(path: str | Path, own: Sequence[Format] = ()) -> Format:
    """The format that the content of a file or folder shows.

    Args:
        own: formats of datasets, which are looked at before those of programs.

    Raises:
        ValueError: no format fits; the message shows what the file holds and the formats with the same container.
    """
    path, known = Path(path), [*own, *FORMATS.values()]
    if os.path.isdir(path):  # and not path.is_dir(), which raises for names that are too long
        found = next((form for form in FORMATS.values() if form.matches(path, b"")), None)
        if found is None:
            raise unknown_folder(path)
        return found
    head = read_head(path)
    # Content too damaged to recognise: the name still tells whose error message is the helpful one.
    tests = (lambda form: form.matches(path, head), lambda form: form.claims_name(path))
    found = next((form for fits in tests for form in known if fits(form)), None)
    if found is None:
        raise unknown_format(path, head, [*FORMATS.values(), *own])
    return found


def find_writer(path: str | Path, format: str | None = None) -> Writer:
    """The writer of that name, or the one whose files end as `path` does; a path without a suffix is a folder.

    Raises:
        ValueError: there is none; the message lists the formats.
    """
    suffix = Path(path).suffix.lower()
    for writer in WRITERS.values():
        if writer.name == format or (format is None and writer.suffix == suffix):
            return writer
    known = ", ".join(f"{writer.name} ({writer.suffix or 'a folder'})" for writer in WRITERS.values())
    what = f"format {format!r}" if format is not None else f"suffix {suffix!r} of {Path(path).name!r}"
    raise WriteOption(f"no writer for {what}; the formats are {known}: format= chooses one.", "format")


def write(
    sequence: SkeletonSequence | Sequence[SkeletonSequence], path: str | Path, format: str | None = None
) -> Path:
    """Writes one clip to a new file (or folder), whose parent folders are made. Nothing is ever overwritten.

    Args:
        sequence: one clip; `motionhub.read` gives a list of them, which only parquet takes, a row a clip.
        path: a file that ends in .npz (without any loss), .csv, .json (COCO results), .bvh, .trc or .parquet, or a
            folder without suffix (OpenPose).
        format: key of `WRITERS`; None tells it by the suffix.

    Returns:
        the path.

    Raises:
        ValueError: no such format, the path exists, or the format cannot hold the sequence; one line with the fix.
    """
    path = Path(path)
    writer = find_writer(path, format)
    if path.exists():
        raise ValueError(f"{path} exists and is not overwritten; choose another name, or remove it.")
    try:
        content = _encoded(sequence, writer)
    except WriteOption as error:
        raise WriteOption(f"{path}: {error}", error.option) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    _store(path, content)
    return path


def _encoded(sequence: SkeletonSequence | Sequence[SkeletonSequence], writer: Writer) -> bytes | dict[str, bytes]:
    if isinstance(sequence, SkeletonSequence):
        return writer.encode(sequence)
    several = isinstance(sequence, list | tuple) and all(isinstance(clip, SkeletonSequence) for clip in sequence)
    if several and writer.encode_all is not None:
        return writer.encode_all(sequence)
    got = type(sequence).__name__
    fix = "motionhub.read gives a list: write each, or all to one .parquet file"
    raise ValueError(f"{writer.name} expects one SkeletonSequence, got {got}; {fix}.")


def _store(path: Path, content: bytes | dict[str, bytes]) -> None:
    """All of it or nothing: what a full disk leaves is removed again."""
    try:
        if isinstance(content, bytes):
            with path.open("xb") as file:
                file.write(content)
        else:
            path.mkdir()
            for name, part in content.items():
                (path / name).write_bytes(part)
    except FileExistsError:  # made by somebody else meanwhile
        raise ValueError(f"{path} exists and is not overwritten; choose another name, or remove it.") from None
    except BaseException:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise
