"""Windows, segments and resizing in time: every rule gives positions on the frame axis, `take_frames` looks them up.

Keypoints are `(people, frames, joints, dims)`. Between two frames they are interpolated linearly, and missing (NaN)
where either is.
"""

from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from torch import Generator


def take_frames(keypoints: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Keypoints `(people, frames, joints, dims)` at `positions` `(new_frames,)`, each between 0 and frames - 1."""
    if positions.dtype.kind != "f":
        return keypoints[:, positions]
    lower = np.floor(positions)
    share = (positions - lower).astype(keypoints.dtype)[:, None, None]
    first = lower.astype(np.int64)
    before = keypoints[:, first]
    after = keypoints[:, (first + 1).clip(max=keypoints.shape[1] - 1)]
    # Exact at both ends.
    between = np.where(share < 0.5, before + share * (after - before), after - (1 - share) * (after - before))
    # At a whole frame the next one must not count, not even as 0 times NaN.
    return np.where(share > 0, between, before)


def random_window_positions(num_frames: int, size: int, generator: "Generator | None" = None) -> np.ndarray:
    """A window of `size` frames that begins anywhere (UNIK's `random_choose`); a shorter clip is taken whole, int64.

    The official feeder puts a shorter clip at a random place among zeros; here padding is always at the end.
    """
    import torch

    begin = int(torch.randint(max(num_frames - size, 0) + 1, (), generator=generator))
    return np.arange(begin, min(begin + size, num_frames))


def centre_window_positions(num_frames: int, size: int) -> np.ndarray:
    """The middle `size` frames, or all of a shorter clip."""
    begin = max(num_frames - size, 0) // 2
    return np.arange(begin, min(begin + size, num_frames))


def segment_positions(
    num_frames: int, size: int, generator: "Generator | None" = None, random: bool = True
) -> np.ndarray:
    """One frame of each of `size` equal segments, random or the middle one; int64. Shorter clips repeat frames."""
    offset = _uniform(size, generator) if random else np.float32(0.5)
    positions = (np.arange(size, dtype=np.float32) + offset) * np.float32(num_frames / size)
    return positions.astype(np.int64).clip(max=max(num_frames - 1, 0))


def _uniform(size: int, generator: "Generator | None") -> np.ndarray:
    import torch

    return torch.rand(size, generator=generator).numpy()


def resize_positions(num_frames: int, size: int) -> np.ndarray:
    """`size` positions spread evenly from the first frame to the last, both included (size 1: the middle); float64."""
    if size == 1:
        return np.array([(num_frames - 1) / 2])
    # Multiplying first keeps whole frames exactly whole.
    return np.arange(size, dtype=np.float64) * (num_frames - 1) / (size - 1)


def resample_positions(num_frames: int, fps: float, new_fps: float) -> np.ndarray:
    """Positions in a clip of `fps` that make it `new_fps`; the first frame stays the first; float64."""
    count = int((num_frames - 1) * new_fps / fps + 1e-9) + 1
    return (np.arange(count, dtype=np.float64) * fps / new_fps).clip(max=num_frames - 1)
