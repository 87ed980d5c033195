"""The readers by name, and `read`, which recognises a file's format by its content.

It does not know labels beyond what a reader annotates, nor folders (`data/build/build.py`).
"""

import os
from pathlib import Path

from motionhub.data.datasets import (
    bandai_namco,
    charades,
    folder,
    kinetics,
    mixamo,
    ntu,
    nucla,
    penn,
    pku_mmd,
    posecap,
    posetics,
    precog,
    sbu,
    smarthome,
    tsu,
    uav_human,
    ui_prmd,
    utd_mhad,
)
from motionhub.data.datasets.dataset_names import data_set_name, nearest_names
from motionhub.data.formats.formats import FORMATS
from motionhub.data.formats.options import PoseFormat, ReadOptions
from motionhub.data.formats.reader import ClipFacts, Reader, read_head
from motionhub.data.formats.unknown import unknown_folder, unknown_format
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
    tsu.READER,
    tsu.READER_3D,
    bandai_namco.READER,
    mixamo.READER,
    charades.READER,
    posecap.READER,
    posecap.READER_3D,
    folder.READER,
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
    """The reader called `name`, also by an alias (`data_set_names.py`). Raises ValueError with the nearest names."""
    found = data_set_name(name, READERS)
    if found is None:
        near = nearest_names(name, READERS)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"No reader is called {name!r}.{hint} The readers are {sorted(READERS)}.")
    return READERS[found]


def find_reader(path: str | Path) -> Reader | PoseFormat:
    """The data set's reader, or the program's format, that the content of the file or folder shows.

    Raises:
        ValueError: no format fits; the message shows what the file holds and the formats with the same container.
    """
    path = Path(path)
    known: list[Reader | PoseFormat] = [*READERS.values(), *FORMATS.values()]
    folder = os.path.isdir(path)  # and not path.is_dir(), which raises for names that are too long
    head = b"" if folder else read_head(path)
    fitting = [form for form in known if (not folder or isinstance(form, PoseFormat)) and form.matches(path, head)]
    if not fitting and not folder:
        # Content too damaged to recognise: the name still tells whose error message is the helpful one.
        fitting = [form for form in known if form.claims_name(path)]
    if not fitting:
        raise unknown_folder(path) if folder else unknown_format(path, head, known)
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
