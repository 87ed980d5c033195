"""`read`: the clips in a skeleton file of any format, of a program or of a dataset."""

from pathlib import Path

from motionhub.data.datasets import (
    bandai_namco,
    kinetics,
    mixamo,
    ntu,
    nucla,
    penn,
    pku_mmd,
    posetics,
    precog,
    sbu,
    smarthome,
    tsu,
    uav_human,
    ui_prmd,
    utd_mhad,
)
from motionhub.data.formats import formats
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# Datasets whose files have a format of their own. Where contents look alike, the first that fits is taken.
OWN_FORMATS = (
    nucla.DATASET,
    ntu.DATASET,
    penn.DATASET,
    utd_mhad.DATASET,
    sbu.DATASET,
    ui_prmd.DATASET,
    precog.DATASET,
    kinetics.DATASET,
    uav_human.DATASET,
    smarthome.DATASET,
    smarthome.DATASET_3D,
    posetics.DATASET,
    posetics.DATASET_3D,
    pku_mmd.DATASET,
    tsu.DATASET,
    tsu.DATASET_3D,
    bandai_namco.DATASET,
    mixamo.DATASET,
)
_OWN = [dataset.format for dataset in OWN_FORMATS if dataset.format is not None]


def find_format(path: str | Path) -> Format:
    """The format that the content of the file or folder shows: a dataset's own, else a program's.

    Raises:
        ValueError: no format fits; the message shows what the file holds and the formats with the same container.
    """
    return formats.find_format(path, _OWN)


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
    has neither a layout nor a unit. Nothing is inferred.

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
    return find_format(path).read(Path(path), ReadOptions(layout, fps, unit, image_size))
