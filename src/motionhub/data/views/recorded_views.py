"""Folders of pictures that several cameras took at once become takes for `data.view_pairs`; read when they are needed.

A folder that holds picture files is one camera's recording of one take. Which take and which camera its path says:

- NTU RGB+D, `S001C002P001R001A001/MDepth-00000001.png`: the camera is `C002`, the take the rest of the name;
- U-VI's official DensePose, `1/2/3/1/device_2/COLOR/NAME.pkl`: the camera is `device_2`, the take the rest;
- any other, `TAKE/CAMERA/PICTURE`: the camera is the folder, the take the folder around it.

Files of the same name are of the same moment. `.png` are depth maps of 16 bits or masks, `.pkl` are DensePose people.
It does not know how pictures are cut out and scaled (`prepare`), nor models.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motionhub.data.formats.files import bad_file
from motionhub.data.views.picture_files import read_densepose


SUFFIXES = (".png", ".pkl")
NEAR = 5  # moments before and after one without a person that are tried instead
_NTU = re.compile(r"(S\d{3})(C\d{3})(P\d{3}R\d{3}A\d{3})")
_DEVICE = re.compile(r"device_\d+")


@dataclass(frozen=True)
class FolderTake:
    """Synchronous recordings of at least two cameras, a folder each.

    Args:
        name: of the take.
        folders: of the cameras.
        moments: file names that are in all folders, in order.
        prepare: `PosturePictureProcessor.prepare`.
    """

    name: str
    folders: tuple[Path, ...]
    moments: tuple[str, ...]
    prepare: Callable[[np.ndarray], Tensor]

    @property
    def num_frames(self) -> int:
        return len(self.moments)

    def pictures(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        """`(len(frames), 2, channels, size, size)` of two cameras; where one sees nobody, a moment near by.

        Raises:
            ValueError: a broken file, or nobody in any moment near by.
        """
        pair = generator.choice(len(self.folders), size=2, replace=False)
        return torch.stack([self._moment(frame, [self.folders[camera] for camera in pair]) for frame in frames])

    def _moment(self, frame: int, folders: Sequence[Path]) -> Tensor:
        for away in sorted(range(-NEAR, NEAR + 1), key=abs):
            if 0 <= frame + away < self.num_frames:
                files = [folder / self.moments[frame + away] for folder in folders]
                pictures = [read_picture(file) for file in files]
                if all(_somebody(picture) for picture in pictures):
                    return torch.stack([self._prepared(*pair) for pair in zip(files, pictures, strict=True)])
        raise bad_file(folders[0] / self.moments[frame], f"take {self.name}", "nobody is seen here by both cameras.")

    def _prepared(self, file: Path, picture: np.ndarray) -> Tensor:
        try:
            return self.prepare(picture[None])[0]
        except ValueError as error:
            raise bad_file(file, "picture", str(error)) from None


def _somebody(picture: np.ndarray) -> bool:
    return bool(np.nan_to_num(picture[..., 0] if picture.ndim == 3 else picture).any())


def find_takes(root: str | Path, prepare: Callable[[np.ndarray], Tensor]) -> list[FolderTake]:
    """The takes below `root` that two cameras or more recorded; the others are listed in a warning.

    Raises:
        ValueError: no pictures, or no take with two cameras.
    """
    root = Path(root)
    cameras: dict[str, dict[str, Path]] = {}
    for folder in sorted({path.parent for path in root.rglob("*") if path.suffix.lower() in SUFFIXES}):
        take, camera = _take_and_camera(folder.relative_to(root))
        cameras.setdefault(take, {})[camera] = folder
    if not cameras:
        raise ValueError(f"{root}: no pictures; expected TAKE/CAMERA/PICTURE with files {' or '.join(SUFFIXES)}.")
    takes, alone = [], []
    for name, folders in cameras.items():
        files = [
            {path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES} for folder in folders.values()
        ]
        common = set.intersection(*files)
        if len(folders) < 2 or not common:
            alone.append(name)
            continue
        takes.append(FolderTake(name, tuple(folders.values()), tuple(sorted(common)), prepare))
    said = f"{len(alone)} of {len(cameras)} takes have no second camera with files of the same names: {alone[:5]}"
    if not takes:
        raise ValueError(f"{root}: {said}. A pair needs two cameras that saw the same moment.")
    if alone:
        warnings.warn(f"{root}: {said}; they are left out.", stacklevel=2)
    return takes


def read_picture(path: Path) -> np.ndarray:
    """`(height, width)` of a PNG with one channel, or `(512, 512, 3)` of DensePose.

    Raises:
        ValueError: a broken file, or a PNG in colours.
        ImportError: Pillow is not installed.
    """
    if path.suffix.lower() == ".pkl":
        return read_densepose(path)
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Reading PNG files needs Pillow: pip install 'motionhub[viz]'.") from error
    try:
        with Image.open(path) as picture:
            values = np.asarray(picture)
    except (OSError, ValueError, SyntaxError) as error:
        raise bad_file(path, "picture", f"cannot be read: {error}.") from None
    if values.ndim != 2:
        raise bad_file(path, "picture", f"expected one number a pixel (depth or mask), got shape {values.shape}.")
    return values


def _take_and_camera(folder: Path) -> tuple[str, str]:
    parts = list(folder.parts)
    for place, part in enumerate(parts):
        named = _NTU.fullmatch(part)
        if named is not None:
            return "/".join([*parts[:place], named[1] + named[3], *parts[place + 1 :]]), named[2]
        if _DEVICE.fullmatch(part):
            return "/".join([*parts[:place], *parts[place + 1 :]]), part
    return "/".join(parts[:-1]) or ".", parts[-1] if parts else "."
