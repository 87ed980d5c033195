"""`FORMATS` of programs (pose estimators, motion capture, tables), format detection, and `write`."""

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


# Where several fit, the first wins.
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
    """The format of a file or folder, by its content.

    Args:
        own: formats of datasets, which go before those of programs.

    Raises:
        ValueError: no format fits; the message shows the content and the nearest formats.
    """
    path, known = Path(path), [*own, *FORMATS.values()]
    if os.path.isdir(path):  # path.is_dir() raises for names that are too long
        found = next((form for form in FORMATS.values() if form.matches(path, b"")), None)
        if found is None:
            raise unknown_folder(path)
        return found
    head = read_head(path)
    # For damaged content the name selects the format with the helpful error message.
    tests = (lambda form: form.matches(path, head), lambda form: form.claims_name(path))
    found = next((form for fits in tests for form in known if fits(form)), None)
    if found is None:
        raise unknown_format(path, head, [*FORMATS.values(), *own])
    return found


def find_writer(path: str | Path, format: str | None = None) -> Writer:
    """The writer called `format`, by default the one of the path's suffix; without suffix a folder.

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
    """Writes one clip to a new file (or folder) and makes its parent folders; never overwrites.

    Args:
        sequence: one clip; a list, as `motionhub.read` returns it, only for parquet (one row per clip).
        path: a file that ends in .npz (lossless), .csv, .json (COCO results), .bvh, .trc or .parquet, or a folder
            without suffix (OpenPose).
        format: key of `WRITERS`; None: by the suffix.

    Returns:
        the path.

    Raises:
        ValueError: unknown format, the path exists, or the format cannot hold the sequence; one line with the fix.
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
    got = f"got {type(sequence).__name__}; motionhub.read returns a list: write each, or all to one .parquet file"
    raise ValueError(f"{writer.name} expects one SkeletonSequence, {got}.")


def _store(path: Path, content: bytes | dict[str, bytes]) -> None:
    """Writes everything or nothing: a partial result (full disk) is removed."""
    try:
        if isinstance(content, bytes):
            with path.open("xb") as file:
                file.write(content)
        else:
            path.mkdir()
            for name, part in content.items():
                (path / name).write_bytes(part)
    except FileExistsError:  # created by another process meanwhile
        raise ValueError(f"{path} exists and is not overwritten; choose another name, or remove it.") from None
    except BaseException:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise
