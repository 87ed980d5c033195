"""The readers by name, and `read`, which recognises a file's format by its content.

It does not know labels beyond what a reader annotates, nor folders (`data/build.py`).
"""

import json
from pathlib import Path

from motionhub.data.readers import (
    kinetics,
    ntu,
    nucla,
    penn,
    pku_mmd,
    posetics,
    precog,
    sbu,
    smarthome,
    uav_human,
    ui_prmd,
    utd_mhad,
)
from motionhub.data.readers.formats import FORMATS
from motionhub.data.readers.matlab import MAGIC, load_variables, variable_names
from motionhub.data.readers.options import PoseFormat, ReadOptions
from motionhub.data.readers.reader import ClipFacts, Reader, bad_file, read_bytes, read_head
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# Where contents look alike, the first that fits is taken.
_DATA_SETS = (
    nucla.READER,
    ntu.READER,
    penn.READER,
    utd_mhad.READER,
    sbu.READER,
    ui_prmd.READER,
    precog.READER,
    kinetics.READER,
    uav_human.READER,
    smarthome.READER,
    smarthome.READER_3D,
    posetics.READER,
    posetics.READER_3D,
    pku_mmd.READER,
)
READERS: dict[str, Reader] = {reader.name: reader for reader in _DATA_SETS}

__all__ = [
    "FORMATS",
    "READERS",
    "ClipFacts",
    "PoseFormat",
    "ReadOptions",
    "Reader",
    "find_reader",
    "get_reader",
    "read",
    "read_with",
]


def get_reader(name: str) -> Reader:
    """The reader called `name`. Raises ValueError listing the names there are."""
    if name not in READERS:
        raise ValueError(f"No reader is called {name!r}; the readers are {sorted(READERS)}.")
    return READERS[name]


def find_reader(path: str | Path) -> Reader | PoseFormat:
    """The data set's reader, or the program's format, that the content of the file or folder shows.

    Raises:
        ValueError: no format fits; the message shows what the file holds and the formats with the same container.
    """
    path = Path(path)
    known: list[Reader | PoseFormat] = [*READERS.values(), *FORMATS.values()]
    folder = path.is_dir()
    head = b"" if folder else read_head(path)
    fitting = [form for form in known if (not folder or isinstance(form, PoseFormat)) and form.matches(path, head)]
    if not fitting and not folder:
        # Content too damaged to recognise: the name still tells whose error message is the helpful one.
        fitting = [form for form in known if form.claims_name(path)]
    if not fitting:
        raise _unknown_folder(path) if folder else _unknown_format(path, head)
    return fitting[0]


def read(
    path: str | Path,
    *,
    layout: str | SkeletonLayout | None = None,
    fps: float | None = None,
    unit: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> list[SkeletonSequence]:
    """The clips in a skeleton file, or folder, of any known format.

    The keywords are for what a file does not say itself: most pose estimators write no frame rate, a table of numbers
    has neither a layout nor a unit. Nothing is guessed.

    Args:
        path: a file, or a folder where that is the format (OpenPose writes one file a frame).
        layout: a layout, or the name of one.
        fps: frames per second.
        unit: what the file's numbers are measured in: "pixel", "normalised", "metre", "centimetre" or "millimetre"
            (the last two become metres).
        image_size: (width, height) in pixels.

    Raises:
        ValueError: the file is absent, empty, broken, of no known format, lacks what no keyword gives, or says
            otherwise than a keyword does; one line with file, place and reason.
    """
    return read_with(find_reader(path), path, ReadOptions(layout, fps, unit, image_size))


def read_with(form: Reader | PoseFormat, path: str | Path, options: ReadOptions) -> list[SkeletonSequence]:
    """The clips of a file whose format is known already. Raises ValueError as `read` does."""
    path = Path(path)
    if isinstance(form, PoseFormat):
        return form.read(path, options)
    return [options.agree(path, sequence) for sequence in form.read(path)]


def _unknown_folder(path: Path) -> ValueError:
    names = sorted(entry.name for entry in path.iterdir())[:5]
    reason = f"is a directory of no known format (it has {names}); give a file, or a folder of OpenPose JSON files."
    return bad_file(path, "folder", reason)


def _unknown_format(path: Path, head: bytes) -> ValueError:
    container, shown = _describe(path, head)
    known: list[Reader | PoseFormat] = [*READERS.values(), *FORMATS.values()]
    near = [form for form in known if form.container == container] or known
    formats = "; ".join(f"{form.name}: {form.signature}" for form in near)
    return bad_file(path, "content", f"no known skeleton format ({shown}). Nearest formats: {formats}.")


def _describe(path: Path, head: bytes) -> tuple[str, str]:
    """The kind of container and what is in it, in words."""
    if head.startswith(MAGIC):
        names = variable_names(path)
        if not names:
            load_variables(path, ())  # raises, saying how the file is broken
        return "mat", f"a MATLAB file with the variables {names[:10]}"
    if head.lstrip()[:1] in (b"{", b"["):
        return "json", _describe_json(path)
    unprintable = sum(not (char.isprintable() or char.isspace()) for char in head.decode("utf-8", errors="ignore"))
    if b"\0" in head or unprintable > len(head) // 50:
        return "binary", f"a binary file that starts with {head[:12]!r}"
    lines = [line[:40] for line in head.decode("utf-8", errors="replace").splitlines()[:3]]
    return "text", f"a text file that starts with the lines {lines}"


def _describe_json(path: Path) -> str:
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        return f"JSON that cannot be parsed: {error}"
    if isinstance(content, dict):
        return f"a JSON object with the keys {list(content)[:10]}"
    return f"a JSON list of {len(content)} elements"
