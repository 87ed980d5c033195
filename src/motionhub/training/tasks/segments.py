"""Several segments of every skeleton clip, each with its start in seconds, as LTN needs (videos: `VideoSegments`)."""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import Generator, Tensor

from motionhub.processing.collate import collate_skeletons
from motionhub.skeletons.repair import part
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.dataset import ClipDataset, ClipProcessor


class SegmentDataset(ClipDataset):
    """Rows of `motionhub.skeletons.rows` as segments at random positions, for `train(..., collate=collate_segments)`.

    An item is `{"segments": [model inputs and start_seconds, num_segments times], "index": row}`.

    Args:
        dataset: rows with the columns of `motionhub.skeletons.rows`.
        processor: turns a row's sequence into inputs.
        seconds: length of a segment; a shorter clip is taken whole.
        seed: of positions and augmentation.

    Raises:
        ValueError: no rows, or numbers that are not positive.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0)
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, normalization="centre")
        >>> clips = motionhub.SegmentDataset(dataset, processor, num_segments=2, seconds=0.5)
        >>> len(clips[0]["segments"])
        2
    """

    def __init__(
        self, dataset: Dataset, processor: ClipProcessor, *, num_segments: int = 4, seconds: float = 1.0, seed: int = 0
    ) -> None:
        if num_segments < 1 or not seconds > 0 or not len(dataset):
            raise ValueError(
                f"SegmentDataset expects rows, num_segments of at least 1 and seconds above 0, got {len(dataset)} "
                f"rows, {num_segments} and {seconds}."
            )
        super().__init__(dataset, processor, training=True, seed=seed)
        self.num_segments, self.seconds = num_segments, float(seconds)

    def _item(self, index: int) -> dict[str, Any]:
        sequence, generator = self._sequence(index), self._generator(index)
        return {"segments": [self._segment(sequence, generator) for _ in range(self.num_segments)]}

    def _segment(self, sequence: SkeletonSequence, generator: Generator | None) -> dict[str, Tensor]:
        frames = max(1, round(self.seconds * sequence.fps))
        start = int(torch.randint(max(sequence.num_frames - frames, 0) + 1, (), generator=generator))
        segment = sequence if sequence.num_frames <= frames else part(sequence, start, start + frames)
        sample = self.processor.process(segment, training=True, generator=generator)
        return {**sample, "start_seconds": torch.tensor(start / sequence.fps)}


def collate_segments(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Model inputs and `start_seconds` of all first segments, then of all second ones, and so on.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0)
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, normalization="centre")
        >>> clips = motionhub.SegmentDataset(dataset, processor, num_segments=2)
        >>> motionhub.collate_segments([clips[0], clips[1]])["start_seconds"].shape
        torch.Size([4])
    """
    if len({len(item["segments"]) for item in items}) != 1:
        raise ValueError("All clips of a batch must have as many segments: use one num_segments.")
    samples = [item["segments"][place] for place in range(len(items[0]["segments"])) for item in items]
    starts = torch.stack([torch.as_tensor(sample["start_seconds"]).float() for sample in samples])
    inputs = [{name: value for name, value in sample.items() if name != "start_seconds"} for sample in samples]
    if "pixel_values" in inputs[0]:
        return {"pixel_values": torch.stack([sample["pixel_values"] for sample in inputs]), "start_seconds": starts}
    return {**collate_skeletons(inputs), "start_seconds": starts}
