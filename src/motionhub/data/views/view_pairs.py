"""Pairs of views of one moment, from which view-invariant posture is learned: rendered, recorded, or in folders."""

import hashlib
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from motionhub.data.formats.files import bad_file
from motionhub.data.views.body_images import draw_body
from motionhub.data.views.image_files import read_image
from motionhub.data.views.pairs import PairRanges
from motionhub.skeletons.sequence import SkeletonSequence


SENSOR_DISTANCE = 3.0  # metres from a rendered body's middle to the plane that its depth is measured from
SUFFIXES = (".png", ".pkl")
NEAR = 5  # distance of the moments that are tried instead of one without a person
_NTU = re.compile(r"(S\d{3})(C\d{3})(P\d{3}R\d{3}A\d{3})")
_DEVICE = re.compile(r"device_\d+")
Prepare = Callable[[np.ndarray], Tensor]


class Take(Protocol):
    """A synchronous recording of one motion by several cameras."""

    name: str
    num_frames: int

    def images(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        """`(len(frames), 2, channels, size, size)`: the views of two random cameras."""


@dataclass(frozen=True)
class DrawnTake:
    """Depth images of a capsule body around a 3-D skeleton, seen by two new random cameras each time.

    Args:
        name: of the take.
        sequence: in 3-D.
        prepare: `PostureImageProcessor.prepare` of kind `"depth"` with `depth_unit` 1, or an equivalent.
        ranges: of the cameras; its body is not used.
        up: axis of the recording that points up.
        size: pixels of a side of the rendered image.

    Examples:
        >>> import numpy as np
        >>> processor = motionhub.PostureImageProcessor(depth_unit=1.0, image_size=32)
        >>> take = motionhub.DrawnTake("wave", motionhub.generate("wave", seed=0), processor.prepare)
        >>> take.images([0, 10], np.random.default_rng(0)).shape
        torch.Size([2, 2, 3, 32, 32])
    """

    name: str
    sequence: SkeletonSequence
    prepare: Prepare
    ranges: PairRanges = PairRanges()
    up: str = "y"
    size: int = 64

    @property
    def num_frames(self) -> int:
        return self.sequence.num_frames

    def images(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        cameras = [self.ranges.draw_camera(generator) for _ in range(2)]
        drawn = draw_body(self.sequence, frames, cameras, up=self.up, size=self.size)
        views = [[self.prepare(SENSOR_DISTANCE - view.depth[None])[0] for view in moment] for moment in drawn]
        return torch.stack([torch.stack(moment) for moment in views])


@dataclass(frozen=True)
class RecordedTake:
    """Synchronous recordings in memory.

    Args:
        name: of the take.
        views: of each camera `(frames, height, width[, 3])`, all of one length.
        prepare: `PostureImageProcessor.prepare`.

    Raises:
        ValueError: a single camera, or recordings of different length.
    """

    name: str
    views: tuple[np.ndarray, ...]
    prepare: Prepare

    def __post_init__(self) -> None:
        lengths = [len(view) for view in self.views]
        if len(lengths) < 2:
            raise ValueError(
                f"Take {self.name!r} has {len(lengths)} view: a pair needs a second camera of the same moment. "
                "Leave it out, or add the recording of another camera."
            )
        if len(set(lengths)) > 1 or not lengths[0]:
            raise ValueError(
                f"Take {self.name!r}: the views have {lengths} frames; synchronous recordings have equal lengths. Cut "
                "them to the time that all cameras recorded."
            )

    @property
    def num_frames(self) -> int:
        return len(self.views[0])

    def images(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        pair = generator.choice(len(self.views), size=2, replace=False)
        moments = [torch.stack([self.prepare(self.views[view][frame][None])[0] for view in pair]) for frame in frames]
        return torch.stack(moments)


@dataclass(frozen=True)
class FolderTake:
    """Synchronous recordings of at least two cameras, a folder each.

    Args:
        name: of the take.
        folders: of the cameras.
        moments: file names that are in all folders, in order.
        prepare: `PostureImageProcessor.prepare`.
    """

    name: str
    folders: tuple[Path, ...]
    moments: tuple[str, ...]
    prepare: Prepare

    @property
    def num_frames(self) -> int:
        return len(self.moments)

    def images(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        """As `Take.images`; a moment without a person in one of the views is replaced by a near one.

        Raises:
            ValueError: a broken file, or no person in any near moment.
        """
        pair = generator.choice(len(self.folders), size=2, replace=False)
        return torch.stack([self._moment(frame, [self.folders[camera] for camera in pair]) for frame in frames])

    def _moment(self, frame: int, folders: Sequence[Path]) -> Tensor:
        for away in sorted(range(-NEAR, NEAR + 1), key=abs):
            if 0 <= frame + away < self.num_frames:
                files = [folder / self.moments[frame + away] for folder in folders]
                images = [read_image(file) for file in files]
                if all(np.nan_to_num(image[..., 0] if image.ndim == 3 else image).any() for image in images):
                    return torch.stack([self._prepared(*pair) for pair in zip(files, images, strict=True)])
        raise bad_file(folders[0] / self.moments[frame], f"take {self.name}", "no person is visible in both views.")

    def _prepared(self, file: Path, image: np.ndarray) -> Tensor:
        try:
            return self.prepare(image[None])[0]
        except ValueError as error:
            raise bad_file(file, "image", str(error)) from None


def find_takes(root: str | Path, prepare: Prepare) -> list[FolderTake]:
    """The takes below `root` with two cameras or more; the others are listed in a warning.

    A folder with images is one camera's recording of one take; its path names both:

    - NTU RGB+D, `S001C002P001R001A001/MDepth-00000001.png`: the camera is `C002`, the take the rest of the name;
    - U-VI's official DensePose, `1/2/3/1/device_2/COLOR/NAME.pkl`: the camera is `device_2`, the take the rest;
    - any other, `TAKE/CAMERA/IMAGE`: the camera is the folder, the take its parent.

    Files of the same name are of the same moment. `.png` are depth maps of 16 bits or masks, `.pkl` DensePose people.

    Raises:
        ValueError: no images, or no take with two cameras.

    Examples:
        >>> processor = motionhub.PostureImageProcessor(kind="depth")
        >>> takes = motionhub.find_takes("recordings", processor.prepare)  # doctest: +SKIP
    """
    root = Path(root)
    cameras: dict[str, dict[str, Path]] = {}
    for folder in sorted({path.parent for path in root.rglob("*") if path.suffix.lower() in SUFFIXES}):
        take, camera = _take_and_camera(folder.relative_to(root))
        cameras.setdefault(take, {})[camera] = folder
    if not cameras:
        raise ValueError(f"{root}: no images; expected TAKE/CAMERA/IMAGE with files {' or '.join(SUFFIXES)}.")
    takes, alone = [], []
    for name, folders in cameras.items():
        files = [{path.name for path in each.iterdir()} for each in folders.values()]
        common = {name for name in set.intersection(*files) if Path(name).suffix.lower() in SUFFIXES}
        if len(folders) < 2 or not common:
            alone.append(name)
        else:
            takes.append(FolderTake(name, tuple(folders.values()), tuple(sorted(common)), prepare))
    said = f"{len(alone)} of {len(cameras)} takes have no second camera with files of the same names: {alone[:5]}"
    if not takes:
        raise ValueError(f"{root}: {said}. A pair needs two cameras that recorded the same moment.")
    if alone:
        warnings.warn(f"{root}: {said}; they are left out.", stacklevel=2)
    return takes


def _take_and_camera(folder: Path) -> tuple[str, str]:
    parts = list(folder.parts)
    for place, part in enumerate(parts):
        if named := _NTU.fullmatch(part):
            return "/".join([*parts[:place], named[1] + named[3], *parts[place + 1 :]]), named[2]
        if _DEVICE.fullmatch(part):
            return "/".join([*parts[:place], *parts[place + 1 :]]), part
    return "/".join(parts[:-1]) or ".", parts[-1] if parts else "."


class ViewPairDataset(TorchDataset):
    """Moments of takes for `objectives.u_vi`; item `i` of an epoch is always the same.

    An item is a dictionary: `views`, `shifted`, `other` `(2, channels, size, size)` each: the moment, the same moved
    by `shift (2, 2)` pixels (x right, y down; one of them 0), and another moment of the take by the same cameras.

    Args:
        takes: rendered or recorded.
        moments: items per take and epoch.
        largest_shift: pixels; a tenth of the image's side when None.
        flip: mirror all images of an item with probability 0.5.
        seed: of everything random.

    Raises:
        ValueError: no takes.

    Examples:
        >>> processor = motionhub.PostureImageProcessor(depth_unit=1.0, image_size=32)
        >>> take = motionhub.DrawnTake("wave", motionhub.generate("wave", seed=0), processor.prepare)
        >>> motionhub.ViewPairDataset([take])[0]["views"].shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        takes: Sequence[Take],
        *,
        moments: int = 1,
        largest_shift: int | None = None,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        if not takes or moments < 1:
            raise ValueError(f"Expected takes and moments of at least 1, got {len(takes)} takes and {moments}.")
        self.takes, self.moments, self.largest_shift = list(takes), moments, largest_shift
        self.flip, self.seed, self.epoch = flip, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of epoch `epoch` (0-based)."""
        self.epoch = epoch

    def fingerprint(self) -> str:
        """SHA-256 of the takes' names and lengths, in order."""
        lines = [f"{take.name}\t{take.num_frames}" for take in self.takes]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.takes) * self.moments

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = np.random.default_rng([self.seed, self.epoch, int(index)])
        take = self.takes[int(index) // self.moments]
        frame, other = (int(generator.integers(take.num_frames)) for _ in range(2))
        moment, other_moment = take.images([frame, other], generator)
        if self.flip and generator.random() < 0.5:
            moment, other_moment = moment.flip(-1), other_moment.flip(-1)
        largest = moment.shape[-1] // 10 if self.largest_shift is None else self.largest_shift
        shift = np.zeros((2, 2), dtype=np.int64)
        for view in range(2):
            shift[view, generator.integers(2)] = generator.integers(1, max(largest, 1) + 1) * generator.choice([-1, 1])
        shifted = torch.stack([shift_image(each, *by.tolist()) for each, by in zip(moment, shift, strict=True)])
        return {
            "views": moment,
            "shifted": shifted,
            "other": other_moment,
            "shift": torch.from_numpy(shift).float(),
            "index": torch.tensor(int(index)),
        }


def shift_image(image: Tensor, right: int, down: int) -> Tensor:
    """`(..., height, width)` moved by whole pixels, filled with 0."""
    height, width = image.shape[-2:]
    if abs(right) >= width or abs(down) >= height:
        return torch.zeros_like(image)
    return torch.nn.functional.pad(image, (right, -right, down, -down))


def collate_view_pairs(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Items of `ViewPairDataset`, stacked.

    Examples:
        >>> processor = motionhub.PostureImageProcessor(depth_unit=1.0, image_size=32)
        >>> take = motionhub.DrawnTake("wave", motionhub.generate("wave", seed=0), processor.prepare)
        >>> pairs = motionhub.ViewPairDataset([take], moments=2)
        >>> motionhub.collate_view_pairs([pairs[0], pairs[1]])["views"].shape
        torch.Size([2, 2, 3, 32, 32])
    """
    return {name: torch.stack([item[name] for item in items]) for name in items[0]}
