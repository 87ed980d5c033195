"""`read`: the clips in a skeleton file of any format, of a program or dataset."""

from pathlib import Path

from motionhub.data.datasets import (
    bandai_namco,
    kinetics,
    mixamo,
    msr_daily,
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
from motionhub.data.datasets.dataset import Dataset
from motionhub.data.formats import formats
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# Datasets with a format of their own, in 2-D and 3-D. Where several fit, the first wins.
_MODULES = (
    *(nucla, ntu, penn, utd_mhad, sbu, ui_prmd, precog, kinetics, uav_human, smarthome, posetics, pku_mmd, tsu),
    *(msr_daily, bandai_namco, mixamo),
)
OWN_FORMATS = tuple(each for module in _MODULES for each in vars(module).values() if isinstance(each, Dataset))
_OWN = [dataset.format for dataset in OWN_FORMATS if dataset.format is not None]


def find_format(path: str | Path) -> Format:
    """The format of a file or folder, by its content: a dataset's own, else a program's, else ValueError."""
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

    The keywords supply metadata that the file lacks: most pose estimators write no frame rate, tables of numbers no
    layout and unit. Nothing is inferred.

    Args:
        path: a file, or a folder where that is the format (OpenPose writes one file per frame).
        layout: a layout or its name.
        fps: frames per second.
        unit: of the numbers in the file: "pixel", "normalised", "metre", "centimetre" or "millimetre" (the last two
            become metres).
        image_size: (width, height) in pixels.

    Raises:
        ValueError: the file is absent, empty, broken, of no known format, lacks metadata that no keyword supplies, or
            contradicts a keyword; one line with file, place and reason.
        ModuleNotFoundError: SciPy, which BVH, ASF/AMC and SMPL need, is not installed.

    Examples:
        >>> path = motionhub.write(motionhub.generate("wave", seed=0), "wave.csv")
        >>> clips = motionhub.read("wave.csv", unit="metre")
        >>> len(clips), clips[0].num_frames, clips[0].layout.name
        (1, 90, 'kinect-20')
    """
    try:
        return find_format(path).read(Path(path), ReadOptions(layout, fps, unit, image_size))
    except ModuleNotFoundError as error:  # motionhub was installed with --no-deps
        package = str(error.name).partition(".")[0]
        needs = f"{path}: this format needs {package}, which is not installed; run: pip install {package}"
        raise ModuleNotFoundError(needs, name=error.name) from error
