"""Rows of a motionhub dataset on their way into a processor: `dataset.with_transform(processor.row_transform(...))`.

It does not know how rows are written (`motionhub.skeletons.rows`), nor what a processor does to a clip.
"""

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor


if TYPE_CHECKING:
    from motionhub.processing.skeleton import SkeletonProcessor

IGNORED_LABEL = -100  # what torch.nn.functional.cross_entropy leaves out


class RowTransform:
    """Turns a batch of rows (a dict of columns) into lists of tensors, ready for `collate_skeletons`.

    Randomness: after `set_epoch`, each clip's draws depend on `(seed, epoch, clip_id)` alone, so they are the same for
    any number of processes and workers, in any order, and after a resume. Before `set_epoch` one stream of draws runs
    on from clip to clip; in a worker process of a data loader it also depends on the worker's seed.

    Args:
        processor: the `SkeletonProcessor`.
        training: sample and augment as in training.
        seed: of all draws.
    """

    def __init__(self, processor: "SkeletonProcessor", training: bool = False, seed: int = 0) -> None:
        self.processor = processor
        self.training = training
        self.seed = seed
        self.epoch: int | None = None
        self._stream: torch.Generator | None = None

    def set_epoch(self, epoch: int) -> None:
        """From now on, the draws of this epoch."""
        self.epoch = epoch

    def __getstate__(self) -> dict[str, Any]:
        # A generator cannot be copied to another process; the stream starts anew there.
        return {**self.__dict__, "_stream": None}

    def __call__(self, rows: Mapping[str, list[Any]]) -> dict[str, list[Tensor]]:
        """`{"keypoints", "joint_mask", "attention_mask"}`, and `"labels"` when the rows have `label`.

        An unknown label (-1, or None) becomes -100, which cross-entropy ignores.
        """
        columns = list(rows)
        samples = []
        for values in zip(*(rows[name] for name in columns), strict=True):
            row = dict(zip(columns, values, strict=True))
            sample = self.processor.process(row, training=self.training, generator=self._generator(row))
            if "label" in row:
                sample["labels"] = torch.tensor(_label(row["label"]))
            samples.append(sample)
        return {name: [sample[name] for sample in samples] for name in (samples[0] if samples else {})}

    def _generator(self, row: Mapping[str, Any]) -> torch.Generator | None:
        if not self.training:
            return None
        if self.epoch is not None:
            clip = str(row.get("clip_id") or "").encode() or np.asarray(row["keypoints"], np.float32).tobytes()
            return torch.Generator().manual_seed(_mixed(self.seed, self.epoch, zlib.crc32(clip)))
        if self._stream is None:
            worker = torch.utils.data.get_worker_info()
            self._stream = torch.Generator().manual_seed(_mixed(self.seed, worker.seed if worker else 0, 0))
        return self._stream


def _label(label: Any) -> int:
    if label is None or label != label or label < 0:  # label != label: NaN, what some tools write for "unknown"
        return IGNORED_LABEL
    return int(label)


def _mixed(*numbers: int) -> int:
    """One 63-bit seed from several numbers (SplitMix64's finalizer): neighbouring seeds give unrelated draws."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return state >> 1
