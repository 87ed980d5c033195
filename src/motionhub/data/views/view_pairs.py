"""One moment seen by two cameras: what view-invariant posture is learned from, drawn or recorded.

An item holds the two views, the same two moved sideways or up and down by some pixels, and the two views of another
moment of the take. It does not know models, files nor losses.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from motionhub.data.views.body_pictures import draw_body
from motionhub.data.views.pairs import PairRanges
from motionhub.skeletons.sequence import SkeletonSequence


SENSOR_DISTANCE = 3.0  # metres from a drawn body's middle to the plane that its depth is measured from
Prepare = Callable[[np.ndarray], Tensor]


class Take(Protocol):
    """A recording of one motion by several cameras at once."""

    name: str
    num_frames: int

    def pictures(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        """`(len(frames), 2, channels, size, size)`: two views, of cameras that are drawn."""


@dataclass(frozen=True)
class DrawnTake:
    """A skeleton in 3-D before two cameras that are drawn anew each time; the depth of a capsule body.

    Args:
        name: of the take.
        sequence: in 3-D.
        prepare: `PostureImageProcessor.prepare` of kind `"depth"` with `depth_unit` 1, or what does the same.
        ranges: what the cameras are drawn from; its body is not used.
        up: axis of the recording that points up.
        size: pixels of a side in which the body is drawn.
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

    def pictures(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        cameras = [self.ranges.draw_camera(generator) for _ in range(2)]
        drawn = draw_body(self.sequence, frames, cameras, up=self.up, size=self.size)
        views = [[self.prepare(SENSOR_DISTANCE - view.depth[None])[0] for view in moment] for moment in drawn]
        return torch.stack([torch.stack(moment) for moment in views])


@dataclass(frozen=True)
class RecordedTake:
    """Synchronous recordings of cameras that stood somewhere.

    Args:
        name: of the take.
        views: of each camera `(frames, height, width[, 3])`, all of one length.
        prepare: `PostureImageProcessor.prepare`.

    Raises:
        ValueError: one camera only, or recordings of different length.
    """

    name: str
    views: tuple[np.ndarray, ...]
    prepare: Prepare

    def __post_init__(self) -> None:
        lengths = [len(view) for view in self.views]
        if len(lengths) < 2:
            raise ValueError(
                f"Take {self.name!r} has {len(lengths)} view: a pair needs a second camera that saw the same moment. "
                "Leave it out, or add the recording of another camera."
            )
        if len(set(lengths)) > 1 or not lengths[0]:
            raise ValueError(
                f"Take {self.name!r}: the views have {lengths} frames; synchronous recordings have equally many. Cut "
                "them to the time all cameras saw."
            )

    @property
    def num_frames(self) -> int:
        return len(self.views[0])

    def pictures(self, frames: Sequence[int], generator: np.random.Generator) -> Tensor:
        pair = generator.choice(len(self.views), size=2, replace=False)
        moments = [torch.stack([self.prepare(self.views[view][frame][None])[0] for view in pair]) for frame in frames]
        return torch.stack(moments)


class ViewPairDataset(TorchDataset):
    """Moments of takes for `objectives.u_vi`; item `i` of an epoch is always the same.

    An item is a dictionary: `views`, `shifted`, `other` `(2, channels, size, size)` each: the moment, the same moved
    by `shift (2, 2)` pixels (x right, y down; one of them 0), and another moment of the take by the same cameras.

    Args:
        takes: drawn or recorded.
        moments: items an epoch has of each take.
        largest_shift: pixels; a tenth of the picture's side when None.
        flip: mirror all pictures of an item with probability 0.5.
        seed: of everything random.

    Raises:
        ValueError: no takes.
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
        moment, other_moment = take.pictures([frame, other], generator)
        if self.flip and generator.random() < 0.5:
            moment, other_moment = moment.flip(-1), other_moment.flip(-1)
        largest = moment.shape[-1] // 10 if self.largest_shift is None else self.largest_shift
        shift = np.zeros((2, 2), dtype=np.int64)
        for view in range(2):
            shift[view, generator.integers(2)] = generator.integers(1, max(largest, 1) + 1) * generator.choice([-1, 1])
        shifted = torch.stack([shift_picture(each, *by.tolist()) for each, by in zip(moment, shift, strict=True)])
        return {
            "views": moment,
            "shifted": shifted,
            "other": other_moment,
            "shift": torch.from_numpy(shift).float(),
            "index": torch.tensor(int(index)),
        }


def shift_picture(picture: Tensor, right: int, down: int) -> Tensor:
    """`(..., height, width)` moved by whole pixels; what comes in is 0."""
    height, width = picture.shape[-2:]
    moved = torch.zeros_like(picture)
    if abs(right) >= width or abs(down) >= height:
        return moved
    rows_to, rows_from = slice(max(down, 0), height + min(down, 0)), slice(max(-down, 0), height - max(down, 0))
    columns_to, columns_from = (
        slice(max(right, 0), width + min(right, 0)),
        slice(max(-right, 0), width - max(right, 0)),
    )
    moved[..., rows_to, columns_to] = picture[..., rows_from, columns_from]
    return moved


def collate_view_pairs(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Items of `ViewPairDataset` as one batch; every entry gets the batch in front."""
    return {name: torch.stack([item[name] for item in items]) for name in items[0]}
