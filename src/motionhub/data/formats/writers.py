"""The writers by name, and `write`, which chooses one by the file's suffix.

It does not know how to make a sequence fit a format: layouts and frame rates are converted before
(`skeletons/convert.py`), and what a format cannot hold is refused.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from motionhub.data.formats import bvh_writer as bvh
from motionhub.data.formats import coco_writer as coco
from motionhub.data.formats import npz_writer as npz
from motionhub.data.formats import openpose_writer as openpose
from motionhub.data.formats import parquet_writer as parquet
from motionhub.data.formats import table_writer as table
from motionhub.data.formats import trc_writer as trc
from motionhub.data.formats.writer import WriteOption, Writer
from motionhub.skeletons.sequence import SkeletonSequence


# Of formats with the same suffix the first is meant.
WRITERS: dict[str, Writer] = {
    "npz": npz.WRITER,
    "csv": table.WRITER,
    "coco": coco.WRITER,
    "bvh": bvh.WRITER,
    "trc": trc.WRITER,
    "parquet": parquet.WRITER,
    "openpose": openpose.WRITER,
}

__all__ = ["WRITERS", "WriteOption", "Writer", "find_writer", "write"]


def find_writer(path: str | Path, format: str | None = None) -> Writer:
    """The writer of that name, or the one whose files end as `path` does; a path without a suffix is a folder.

    Raises:
        ValueError: there is none; the message lists the formats.
    """
    suffix = Path(path).suffix.lower()
    if format is not None and format in WRITERS:
        return WRITERS[format]
    if format is None:
        for writer in WRITERS.values():
            if writer.suffix == suffix:
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
