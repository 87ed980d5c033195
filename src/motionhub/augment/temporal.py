"""Which frames a clip keeps: windows, segments, resizing. Every rule is a list of positions in time, then one look-up.

Keypoints are `(people, frames, joints, dims)` and only the frame axis changes. A position is a float; between two
frames the keypoints are interpolated linearly, and are missing (NaN) if either is.
"""

import torch
from torch import Generator, Tensor


def take_frames(keypoints: Tensor, positions: Tensor) -> Tensor:
    """Keypoints `(people, frames, joints, dims)` at `positions` `(new_frames,)`, each between 0 and frames - 1."""
    if not positions.is_floating_point():
        return keypoints.index_select(1, positions)
    lower = positions.floor()
    share = (positions - lower).to(keypoints.dtype)[:, None, None]
    first = lower.long()
    before = keypoints.index_select(1, first)
    after = keypoints.index_select(1, (first + 1).clamp_(max=keypoints.shape[1] - 1))
    # Where the position is a whole frame the next one must not count, not even as 0 times NaN.
    return torch.where(share > 0, torch.lerp(before, after, share.expand_as(before)), before)


def window_positions(num_frames: int, begin: int, size: int) -> Tensor:
    """`size` frames from `begin` on, fewer when the clip ends before; int64."""
    return torch.arange(begin, min(begin + size, num_frames))


def random_window_positions(num_frames: int, size: int, generator: Generator | None = None) -> Tensor:
    """A window of `size` frames, its begin uniform over 0..num_frames - size inclusive (UNIK's `random_choose`).

    A shorter clip is taken whole. The official feeder then puts it at a random place among zeros; here padding is
    always at the end, so that masks say what is real.
    """
    begin = int(torch.randint(max(num_frames - size, 0) + 1, (), generator=generator))
    return window_positions(num_frames, begin, size)


def centre_window_positions(num_frames: int, size: int) -> Tensor:
    """The middle `size` frames, or all of a shorter clip."""
    return window_positions(num_frames, max(num_frames - size, 0) // 2, size)


def segment_positions(num_frames: int, size: int, generator: Generator | None = None, random: bool = True) -> Tensor:
    """One frame out of each of `size` equal segments of the clip, int64 and never decreasing.

    A random frame of the segment when `random`, its middle one otherwise. A clip shorter than `size` repeats frames.
    """
    offset = torch.rand(size, generator=generator) if random else torch.full((size,), 0.5)
    return ((torch.arange(size) + offset) * (num_frames / size)).long().clamp_(max=max(num_frames - 1, 0))


def resize_positions(num_frames: int, size: int) -> Tensor:
    """`size` positions spread evenly from the first frame to the last, both included (size 1: the middle); float64."""
    if size == 1:
        return torch.tensor([(num_frames - 1) / 2], dtype=torch.float64)
    # Multiplying before dividing keeps positions that are whole frames exactly whole.
    return torch.arange(size, dtype=torch.float64) * (num_frames - 1) / (size - 1)


def resample_positions(num_frames: int, fps: float, new_fps: float) -> Tensor:
    """Positions in a clip of `fps` frames per second that make it `new_fps`; the first stays the first; float64."""
    count = int((num_frames - 1) * new_fps / fps + 1e-9) + 1
    return (torch.arange(count, dtype=torch.float64) * fps / new_fps).clamp_(max=num_frames - 1)
