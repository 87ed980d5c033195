"""Clips of video files: only the frames that a processor asks for are kept.

A processor has `frame_numbers(num_frames, fps, training, generator)` and `process(frames, training, generator)`.
"""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset as TorchDataset

from motionhub.data.video.reader import Video, open_video


Choice = Callable[[int, float], Sequence[np.ndarray]]
# Gap between two wanted frames beyond which seeking to a key frame is faster than decoding.
SEEK_BEYOND = 250


@dataclass(frozen=True)
class VideoClip:
    """Frames `(frames, height, width, 3)` uint8 RGB, their numbers in the video, and the time of the first."""

    frames: np.ndarray
    numbers: np.ndarray
    start_seconds: float


def read_clips(source: str | Path, choose: Choice) -> list[VideoClip]:
    """The clips of a video whose frame numbers `choose(num_frames, fps)` returns; each frame is decoded once.

    A frame that cannot be decoded is replaced by the one before it, or the next.

    Raises:
        ValueError: no such file, or none of its frames, or of the requested ones, can be decoded.
        ImportError: PyAV is not installed.
    """
    video = open_video(source)
    if video.num_frames is None:
        raise ValueError(f"{source}: the number of frames is unknown; record it to a file first.")
    wanted = [np.asarray(numbers, dtype=np.int64) for numbers in choose(video.num_frames, video.fps)]
    images, times = _decoded(video, np.unique(np.concatenate(wanted)))
    found = np.array(sorted(images))
    clips = []
    for numbers in wanted:
        before = np.searchsorted(found, numbers, side="right") - 1
        taken = found[before.clip(min=0)]
        frames = np.stack([images[int(number)] for number in taken])
        clips.append(VideoClip(frames, numbers, times[int(taken[0])]))
    return clips


def _decoded(video: Video, numbers: np.ndarray) -> tuple[dict[int, np.ndarray], dict[int, float]]:
    """Images and times of the frames, by number."""
    images: dict[int, np.ndarray] = {}
    times: dict[int, float] = {}
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > SEEK_BEYOND) + 1):
        # Frames of a variable rate are found by counting from the start.
        start = 0.0 if video.variable_rate else max(0.0, (float(run[0]) - 0.5) / video.fps)
        left = set(run.tolist())
        for frame in video.frames(start):
            if frame.index in left:
                images[frame.index], times[frame.index] = frame.image, frame.time
                left.discard(frame.index)
            if frame.index >= run[-1]:
                break
    if not images:
        raise ValueError(f"{video.name}: none of the {len(numbers)} requested frames can be decoded.")
    return images, times


def read_video_list(path: str | Path, root: str | Path = ".") -> tuple[list[Path], list[int]]:
    """Files and labels of a PySlowFast list: on every line a file and a whole number, separated by space or comma.

    Args:
        path: the list.
        root: folder that its names are relative to.

    Raises:
        ValueError: no such list, an empty one, or a line without a number at its end.

    Examples:
        >>> from pathlib import Path
        >>> _ = Path("train.csv").write_text("walk.mp4 3")
        >>> sources, labels = motionhub.read_video_list("train.csv", root="videos")
        >>> labels
        [3]
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: the list of videos cannot be read ({error.strerror}).") from None
    sources, labels = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, _, label = line.strip().replace(",", " ").rpartition(" ")
        if not name.strip() or not re.fullmatch(r"[0-9]{1,18}", label):
            raise ValueError(
                f"{path}, line {number}: expected 'FILE LABEL' with a number from 0 on, got {line[:200]!r}."
            )
        sources.append(Path(root) / name.strip())
        labels.append(int(label))
    if not sources:
        raise ValueError(f"{path} names no videos; expected a line 'FILE LABEL' for each.")
    return sources, labels


def readable_videos(sources: Sequence[str | Path], num_threads: int = 4) -> tuple[list[int], dict[str, str]]:
    """Positions of the videos with a decodable frame, and the errors of the others; ValueError if none is readable."""

    def error_of(source: str | Path) -> str:
        try:
            open_video(source)
        except ValueError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(num_threads) as pool:  # decoding releases the interpreter lock
        errors = list(pool.map(error_of, sources))
    bad = {str(source): error for source, error in zip(sources, errors, strict=True) if error}
    good = [place for place, error in enumerate(errors) if not error]
    if not good:
        first = next(iter(bad.values()), "the list is empty")
        raise ValueError(f"None of {len(errors)} videos can be read; the first: {first}.")
    return good, bad


class VideoDataset(TorchDataset):
    """Videos as model inputs, for `train(..., collate=collate_videos)`; unreadable files are left out.

    An item has `pixel_values`, in training `(frames, 3, height, width)` of a random clip, otherwise `(views, frames,
    3, height, width)` of all test views; `labels` and `index`. Every random number of clip i in epoch e comes from
    (seed, e, i).

    Args:
        sources: files.
        labels: one whole number per file; None: -1.
        processor: see the module.
        training: random clips with augmentation, or all test views.
        seed: of random clips and augmentation.
        num_threads: that check the files first.

    Attributes:
        bad: file left out -> error.

    Raises:
        ValueError: no file can be read, or labels and files differ in number.

    Examples:
        >>> path = motionhub.animate(motionhub.generate("wave", seed=0, num_frames=6), "wave.gif")
        >>> processor = motionhub.VideoClipProcessor(num_frames=4, image_size=32)
        >>> videos = motionhub.VideoDataset([path], [0], processor, training=True)
        >>> videos[0]["pixel_values"].shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        labels: Sequence[int] | None,
        processor: Any,
        *,
        training: bool,
        seed: int = 0,
        num_threads: int = 4,
    ) -> None:
        if labels is not None and len(labels) != len(sources):
            raise ValueError(f"Expected a label for each of {len(sources)} videos, got {len(labels)}.")
        good, self.bad = readable_videos(sources, num_threads)
        self.sources = [Path(sources[place]) for place in good]
        self.labels = np.array([-1 if labels is None else int(labels[place]) for place in good])
        self.processor, self.training, self.seed, self.epoch = processor, training, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of epoch `epoch` (0-based)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.sources)

    def fingerprint(self) -> str:
        """File names and labels, in order."""
        return "\n".join(f"{source.name}\t{label}" for source, label in zip(self.sources, self.labels, strict=True))

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = int(index)
        generator = self._generator(index)
        pixels = torch.cat([clip for clip, _ in self._clips(index, 1, generator)])
        labels = torch.tensor(int(self.labels[index]))
        return {"pixel_values": pixels[0] if self.training else pixels, "labels": labels, "index": torch.tensor(index)}

    def _generator(self, index: int) -> Generator:
        mixed = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1, np.uint64)[0] >> np.uint64(1)
        return Generator().manual_seed(int(mixed))

    def _clips(self, index: int, count: int, generator: Generator) -> list[tuple[Tensor, float]]:
        """Pixels `(crops, frames, 3, height, width)` and start of each clip, `count` random ones in training."""
        process = self.processor

        def choose(num_frames: int, fps: float) -> list[np.ndarray]:
            drawn = [process.frame_numbers(num_frames, fps, self.training, generator) for _ in range(count)]
            return [numbers for clips in drawn for numbers in clips]

        clips = read_clips(self.sources[index], choose)
        return [(process.process(clip.frames, self.training, generator), clip.start_seconds) for clip in clips]


class VideoSegments(VideoDataset):
    """P random clips of every video with their start times, the training items of LTN.

    An item is `{"segments": [{"pixel_values", "start_seconds"}, P times], "index": row}`, for
    `train(..., collate=motionhub.training.tasks.segments.collate_segments)`.

    Args:
        sources, processor, seed, num_threads: see `VideoDataset`.
        num_segments: P.

    Examples:
        >>> path = motionhub.animate(motionhub.generate("wave", seed=0, num_frames=6), "wave.gif")
        >>> processor = motionhub.VideoClipProcessor(num_frames=4, image_size=32)
        >>> videos = motionhub.VideoSegments([path], processor, num_segments=2)
        >>> len(videos[0]["segments"])
        2
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        processor: Any,
        *,
        num_segments: int = 4,
        seed: int = 0,
        num_threads: int = 4,
    ) -> None:
        if num_segments < 1:
            raise ValueError(f"num_segments must be at least 1, got {num_segments}.")
        super().__init__(sources, None, processor, training=True, seed=seed, num_threads=num_threads)
        self.num_segments = num_segments

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = int(index)
        clips = self._clips(index, self.num_segments, self._generator(index))
        segments = [{"pixel_values": pixels[0], "start_seconds": torch.tensor(start)} for pixels, start in clips]
        return {"segments": segments, "index": torch.tensor(index)}


def collate_videos(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Stacked `pixel_values` and `labels`.

    Raises:
        ValueError: no items, or clips of different sizes.

    Examples:
        >>> import torch
        >>> items = [{"pixel_values": torch.zeros(4, 3, 8, 8), "labels": torch.tensor(1)}] * 2
        >>> motionhub.collate_videos(items)["pixel_values"].shape
        torch.Size([2, 4, 3, 8, 8])
    """
    shapes = {tuple(item["pixel_values"].shape) for item in items}
    if len(shapes) != 1:
        raise ValueError(f"A batch needs clips of one size, at least one, got {sorted(shapes)}; use one processor.")
    names = [name for name in ("pixel_values", "labels") if name in items[0]]
    return {name: torch.stack([item[name] for item in items]) for name in names}
