"""Rows become clips, clips become batches: through the processor, with an augmentation that a seed decides.

Every random number of clip `i` in epoch `e` comes from (seed, e, i), so the result does not depend on how many
processes or workers share the clips, nor on where an interrupted epoch is resumed.
"""

import copy
import hashlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import ClassLabel, Dataset
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from transformers import PreTrainedConfig

from motionhub.data.datasets.repetition import repeat_classes
from motionhub.data.datasets.splits import few_label_subset
from motionhub.processing.skeleton import with_augmentation
from motionhub.skeletons.rows import from_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.order import EpochOrder, ShardOrder
from motionhub.training.streaming import RowGroup, ShardedRows


# Sets up to this size are decoded once and kept (the N-UCLA clips take 30 MB, NTU-60 20 GB).
CACHE_BYTES = 2**30
INPUTS = ("keypoints", "joint_mask", "attention_mask")
# Where Linux keeps the memory that processes share; a container may have next to nothing of it.
SHARED_MEMORY = Path("/dev/shm")
LEAST_SHARED_BYTES = 16 * 2**20


def as_clips(dataset: Any, processor: Any, recipe: TrainingRecipe, config: Any, *, training: bool) -> Any:
    """Rows as model inputs; labels must be the classes of a classifier's config, with None there may be none."""
    chosen = recipe.label_fraction < 1 or recipe.repeat_classes != "none"
    if training and chosen and not isinstance(dataset, Dataset):
        raise ValueError(
            "label_fraction and repeat_classes choose among the rows of a datasets.Dataset with labels, got "
            f"{type(dataset).__name__}; load it without streaming, or choose and repeat the clips yourself."
        )
    if not isinstance(dataset, Dataset | ShardedRows):
        return dataset
    if processor is None:
        raise ValueError("A datasets.Dataset needs a processor, got None; give a SkeletonProcessor.")
    name = "train_dataset" if training else "eval_dataset"
    if config is not None:
        check_labels(dataset, config, name)
    elif not len(dataset):
        raise ValueError(f"{name} holds no clips.")
    if training and recipe.label_fraction < 1:
        dataset = few_label_subset(dataset, recipe.label_fraction, recipe.seed)
    if training and recipe.repeat_classes != "none":
        dataset = repeat_classes(dataset, recipe.repeat_classes)
    if training:
        processor = with_augmentation(processor, recipe.augmentation)
    return ClipDataset(dataset, processor, training=training, seed=recipe.seed)


class ClipDataset(TorchDataset):
    """Rows of `skeletons.rows` as model inputs.

    An item is a dictionary: `keypoints` (people, frames, joints, dims), `joint_mask` (people, frames, joints),
    `attention_mask` (people, frames), `labels` (scalar int64) and `index` (scalar int64, the row).

    Args:
        dataset: rows with the columns of `motionhub.skeletons.rows`; `ShardedRows` where they fit neither in memory
            nor in the cache of `datasets`.
        processor: has `process(sequence, training=, generator=)`, e.g. a SkeletonProcessor.
        training: True samples and augments at random; False is deterministic.
        seed: of the augmentation.
        cache: keep decoded clips (and, when not training, processed ones) in memory; by default when the set is small.
    """

    def __init__(
        self,
        dataset: Dataset | ShardedRows,
        processor: Any,
        *,
        training: bool,
        seed: int = 0,
        cache: bool | None = None,
    ) -> None:
        self.rows = dataset.with_format("numpy")
        # The NumPy format of `datasets` takes several times as long for a single row.
        self._arrow = None if isinstance(dataset, ShardedRows) else dataset.with_format("arrow")
        self.processor = processor
        self.training = training
        self.seed = seed
        self.epoch = 0
        small = isinstance(dataset, Dataset) and dataset.data.nbytes <= CACHE_BYTES
        self.cache = small if cache is None else cache
        # Decoded at once, before worker processes are forked, so that they share it.
        self._sequences = [from_row(row) for row in self.rows] if self.cache else []
        self._processed: dict[int, dict[str, Any]] = {}
        self.labels = labels_of(dataset)

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of epoch `epoch` (0-based)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def _sequence(self, row: int) -> SkeletonSequence:
        if self.cache:
            return self._sequences[row]
        return from_row(self.rows[row] if self._arrow is None else RowGroup(self._arrow[row])[0])

    def _generator(self, index: int) -> torch.Generator | None:
        """Where the random numbers of an item come from."""
        return torch.Generator().manual_seed(item_seed(self.seed, self.epoch, index)) if self.training else None

    def fingerprint(self) -> str:
        """SHA-256 of the clips' names, in order, and labels: equal for the same split of the same data."""
        names = self.rows["clip_id"] if "clip_id" in self.rows.column_names else [""] * len(self)
        lines = [f"{name}\t{label}" for name, label in zip(names, self.labels, strict=True)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def epoch_order(self, batch_size: int, seed: int, drop_last: bool) -> EpochOrder:
        """The order of training: any clip after any other, or one that reads every row group of `ShardedRows` once."""
        if isinstance(self.rows, ShardedRows):
            return ShardOrder(self.rows.group_sizes, batch_size, seed, drop_last)
        return EpochOrder(len(self), batch_size, seed, drop_last)

    def longest_first(self) -> list[int]:
        """The rows from the longest clip to the shortest: batches in this order hold little padding.

        Rows of shards stay in their order, in which every row group is read once.
        """
        if isinstance(self.rows, ShardedRows):
            return list(range(len(self)))
        return np.argsort(-np.asarray(self.rows["num_frames"]), kind="stable").tolist()

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = int(index)
        if index in self._processed:
            return self._processed[index]
        item = self._item(index) | {"index": torch.tensor(index)}
        if self.cache and not self.training:
            self._processed[index] = item
        return item

    def _item(self, index: int) -> dict[str, Any]:
        arrays = self.processor.process(
            self._sequence(index), training=self.training, generator=self._generator(index)
        )
        inputs = {name: torch.as_tensor(arrays[name]) for name in INPUTS}
        return inputs | {"labels": torch.tensor(int(self.labels[index]))}


def labels_of(dataset: Dataset) -> np.ndarray:
    """The labels `(num_clips,)`; -1 where a row, or the whole dataset, has none (pre-training needs none)."""
    if "label" not in dataset.column_names:
        return np.full(len(dataset), -1)
    return np.asarray([-1 if label is None else label for label in dataset["label"]])


def item_seed(*numbers: int) -> int:
    """A 63-bit seed for one clip in one epoch; different for every (seed, epoch, index)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Views(TorchDataset):
    """Every clip several times, each time with random numbers of its own: an item is the list of its views.

    Args:
        clips: a training ClipDataset, decoded once for all views.
        num_views: views of a clip.
    """

    def __init__(self, clips: ClipDataset, num_views: int) -> None:
        self.clips = [clips, *(copy.copy(clips) for _ in range(num_views - 1))]
        for view, other in enumerate(self.clips[1:], start=1):
            other.seed = item_seed(clips.seed, 0, view)

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of epoch `epoch` (0-based)."""
        for clips in self.clips:
            clips.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.clips[0])

    def __getitem__(self, index: int) -> list[dict[str, torch.Tensor]]:
        return [clips[index] for clips in self.clips]


def epoch_order(clips: Any, batch_size: int, recipe: TrainingRecipe) -> EpochOrder:
    """The order of training clips; that of `ShardedRows` reads every row group once."""
    if isinstance(clips, ClipDataset):
        return clips.epoch_order(batch_size, recipe.seed, recipe.drop_last)
    return EpochOrder(len(clips), batch_size, recipe.seed, recipe.drop_last)


def build_loader(
    clips: Any, batch_size: int, recipe: TrainingRecipe, collate: Any, sampler: Any = None, lengths: bool = False
) -> DataLoader:
    """A loader of `batch_size` clips (of `Views`: that many clips with all their views).

    Raises:
        ValueError: `num_workers` without shared memory, see `check_workers`.
    """
    check_workers(recipe.num_workers)
    collate_fn = with_index(collate, lengths=lengths)
    # Its own generator: otherwise every pass draws from the global one and shifts dropout after a resume.
    return DataLoader(
        clips,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=recipe.num_workers,
        collate_fn=partial(_view_after_view, collate_fn) if isinstance(clips, Views) else collate_fn,
        generator=torch.Generator().manual_seed(recipe.seed),
        pin_memory=torch.cuda.is_available() and not recipe.cpu,
    )


def _view_after_view(collate: Any, items: Sequence[Any]) -> dict[str, Any]:
    return dict(collate([item[view] for view in range(len(items[0])) for item in items]))


def seeds_of_entries(seed: int, epoch: int, index: torch.Tensor, num_views: int) -> torch.Tensor:
    """`(batch,)` int64 seeds, different for every (seed, epoch, row, view) and unlike those of the processor."""
    per_view = max(1, len(index) // num_views)
    # The processor draws from [seed, epoch, row], which a fourth number 0 would not change.
    seeds = [item_seed(seed, epoch, row, 1 + place // per_view) for place, row in enumerate(index.tolist())]
    return torch.tensor(seeds, dtype=torch.int64)


def check_workers(num_workers: int) -> None:
    """Raises ValueError where the processes of a loader cannot hand over batches: they would wait for ever."""
    if not num_workers or not SHARED_MEMORY.is_dir():  # macOS and Windows share memory otherwise
        return
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free < LEAST_SHARED_BYTES:
        raise ValueError(
            f"num_workers={num_workers} hands batches over in shared memory, but {SHARED_MEMORY} has "
            f"{free / 2**20:.1f} MiB free; use --num_workers 0, or start the container with more: "
            "docker run --shm-size=1g."
        )


def with_index(
    collate: Callable[[Sequence[dict[str, Any]]], dict[str, Any]], *, lengths: bool = False
) -> Callable[[Any], dict[str, Any]]:
    """A collate function that carries `index` along and hands the rest, labels too, to `collate`.

    Args:
        lengths: also return the number of frames of each clip before padding, `num_frames` (batch,).
    """
    return partial(_collated_with_index, collate, lengths)  # worker processes started by spawn can unpickle it


def _collated_with_index(collate: Any, lengths: bool, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    batch = dict(collate([{name: item[name] for name in item if name != "index"} for item in items]))
    if "index" in items[0]:
        batch["index"] = torch.stack([torch.as_tensor(item["index"]) for item in items])
    if lengths:
        batch["num_frames"] = torch.tensor([item["keypoints"].shape[1] for item in items])
    return batch


def class_names_of(config: PreTrainedConfig) -> list[str]:
    """The names of a model's classes in order."""
    return [str(config.id2label[index]) for index in range(config.num_labels)]


def check_labels(dataset: Dataset | ShardedRows, config: PreTrainedConfig, name: str = "dataset") -> None:
    """Raise a ValueError when the labels are not the model's classes.

    That is: labels that are missing, -1, NaN or not in 0..num_labels-1 (the clips are named), or class names of the
    dataset that are not the model's in the same order (unless the model has no names but LABEL_0, LABEL_1, ...).
    """
    num_labels, own_names = config.num_labels, class_names_of(config)
    if "label" not in dataset.column_names:
        raise ValueError(f"{name} needs a column 'label', got {dataset.column_names}.")
    if len(dataset) == 0:
        raise ValueError(f"{name} holds no clips.")
    feature = dataset.features["label"]
    unnamed = own_names == [f"LABEL_{index}" for index in range(num_labels)]
    if isinstance(feature, ClassLabel) and not unnamed and list(feature.names) != own_names:
        raise ValueError(
            f"{name} has the classes {_shown(feature.names)}, but the model {_shown(own_names)}. Give the model the "
            "classes of this data with motionhub.prepare_model and train it, or bring the dataset to "
            "the model's with dataset.align_labels_with_mapping(model.config.label2id, 'label')."
        )
    values = list(dataset["label"])
    wrong = [row for row, value in enumerate(values) if value is None or value not in range(num_labels)]
    if not wrong:
        return
    ids = dataset["clip_id"] if "clip_id" in dataset.column_names else [f"row {i}" for i in range(len(dataset))]
    shown = ", ".join(f"{ids[row]}: {values[row]}" for row in wrong[:5]) + (", ..." if len(wrong) > 5 else "")
    raise ValueError(
        f"{name}: labels must be 0..{num_labels - 1} (the model has {num_labels} classes), but {len(wrong)} of "
        f"{len(values)} clips have another ({shown}). Leave out clips without a label with "
        "dataset.filter(lambda row: row['label'] is not None and row['label'] >= 0), and give the model the classes "
        "of this data with motionhub.prepare_model."
    )


def _shown(names: Sequence[str]) -> str:
    return f"{list(names[:4])}{' ...' if len(names) > 4 else ''} ({len(names)})"
