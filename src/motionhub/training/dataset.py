"""Turns rows into clips and clips into batches.

The random numbers of clip `i` in epoch `e` come from (seed, e, i), so the result depends neither on the number of
processes and workers nor on where an interrupted epoch resumes.
"""

import copy
import hashlib
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from datasets import ClassLabel, Dataset
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from transformers import PreTrainedConfig

from motionhub.data.datasets.splits import few_label_subset, repeat_classes
from motionhub.processing.skeleton import with_augmentation
from motionhub.skeletons.rows import from_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.order import EpochOrder, ShardOrder
from motionhub.training.streaming import RowGroup, ShardedRows


# Datasets up to this size stay decoded in memory (N-UCLA takes 30 MB, NTU-60 20 GB).
CACHE_BYTES = 2**30
INPUTS = ("keypoints", "joint_mask", "attention_mask")
# Shared memory of processes on Linux; containers may have little of it.
SHARED_MEMORY = Path("/dev/shm")
LEAST_SHARED_BYTES = 16 * 2**20


class ClipProcessor(Protocol):
    """What makes a model's inputs of a clip, as a `SkeletonProcessor` does."""

    def process(
        self, sequence: SkeletonSequence, training: bool = False, generator: torch.Generator | None = None
    ) -> Mapping[str, Any]: ...


def as_clips(
    dataset: Any, processor: ClipProcessor | None, recipe: TrainingRecipe, config: Any, *, training: bool
) -> Any:
    """Rows as model inputs; with a config, their labels must be its classes."""
    chosen = recipe.label_fraction < 1 or recipe.repeat_classes != "none"
    if training and chosen and not isinstance(dataset, Dataset):
        raise ValueError(
            "label_fraction and repeat_classes need a datasets.Dataset with labels, got "
            f"{type(dataset).__name__}; load it without streaming, or select and repeat the clips first."
        )
    if not isinstance(dataset, Dataset | ShardedRows):
        return dataset
    if processor is None:
        raise ValueError("A datasets.Dataset needs a processor, got None; pass a SkeletonProcessor.")
    name = "train_dataset" if training else "eval_dataset"
    if config is not None:
        dataset = with_labels(dataset, name)
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
    """Rows of `motionhub.skeletons.rows` as model inputs.

    An item is a dictionary: `keypoints` (people, frames, joints, dims), `joint_mask` (people, frames, joints),
    `attention_mask` (people, frames), `labels` (scalar int64) and `index` (scalar int64, the row).

    Args:
        dataset: rows with the columns of `motionhub.skeletons.rows`; `ShardedRows` for datasets larger than memory.
        processor: turns a row's sequence into inputs.
        training: True samples and augments at random; False is deterministic.
        seed: of the augmentation.
        cache: keeps decoded clips (and, when not training, processed ones) in memory; default: small datasets only.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0)
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, normalization="centre")
        >>> clips = motionhub.ClipDataset(dataset, processor, training=False)
        >>> clips[0]["keypoints"].shape
        torch.Size([2, 100, 17, 3])
    """

    def __init__(
        self,
        dataset: Dataset | ShardedRows,
        processor: ClipProcessor,
        *,
        training: bool,
        seed: int = 0,
        cache: bool | None = None,
    ) -> None:
        self.rows = dataset.with_format("numpy")
        # A single row of the NumPy format of `datasets` takes several times as long.
        self._arrow = None if isinstance(dataset, ShardedRows) else dataset.with_format("arrow")
        self.processor = processor
        self.training = training
        self.seed = seed
        self.epoch = 0
        small = isinstance(dataset, Dataset) and dataset.data.nbytes <= CACHE_BYTES
        self.cache = small if cache is None else cache
        # Decoded before worker processes fork, so that they share it.
        self._sequences = [from_row(row) for row in self.rows] if self.cache else []
        self._processed: dict[int, dict[str, Any]] = {}
        self.labels = labels_of(dataset)

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch (0-based) that the random numbers depend on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def _sequence(self, row: int) -> SkeletonSequence:
        if self.cache:
            return self._sequences[row]
        return from_row(self.rows[row] if self._arrow is None else RowGroup(self._arrow[row])[0])

    def _generator(self, index: int) -> torch.Generator | None:
        """The random generator of a training item."""
        return torch.Generator().manual_seed(item_seed(self.seed, self.epoch, index)) if self.training else None

    def fingerprint(self) -> str:
        """SHA-256 of the clips' names and labels, in order."""
        names = self.rows["clip_id"] if "clip_id" in self.rows.column_names else [""] * len(self)
        lines = [f"{name}\t{label}" for name, label in zip(names, self.labels, strict=True)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def longest_first(self) -> list[int]:
        """The rows from the longest clip to the shortest, to save padding; `ShardedRows` in their own order."""
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
    """The labels `(num_clips,)`, -1 where there is none."""
    if "label" not in dataset.column_names:
        return np.full(len(dataset), -1)
    return np.asarray([-1 if label is None else label for label in dataset["label"]])


def with_labels(dataset: Any, name: str = "dataset") -> Any:
    """Without the clips that have no label (None or -1), such as recordings of several actions; a warning counts them.

    A dataset in which no clip has a label, and one that is streamed, stays as it is.
    """
    if not isinstance(dataset, Dataset) or "label" not in dataset.column_names:
        return dataset
    known = np.flatnonzero(labels_of(dataset) != -1)
    if len(known) in (0, len(dataset)):
        return dataset
    left_out = len(dataset) - len(known)
    warnings.warn(f"{name}: {left_out} of {len(dataset)} clips have no label and are left out.", stacklevel=3)
    return dataset.select(known)


def item_seed(*numbers: int) -> int:
    """A 63-bit seed, different for every (seed, epoch, index)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Views(TorchDataset):
    """A training ClipDataset whose items are lists of `num_views` views, each with its own random numbers."""

    def __init__(self, clips: ClipDataset, num_views: int) -> None:
        self.clips = [clips, *(copy.copy(clips) for _ in range(num_views - 1))]
        for view, other in enumerate(self.clips[1:], start=1):
            other.seed = item_seed(clips.seed, 0, view)

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch (0-based) of all views."""
        for clips in self.clips:
            clips.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.clips[0])

    def __getitem__(self, index: int) -> list[dict[str, torch.Tensor]]:
        return [clips[index] for clips in self.clips]


def epoch_order(clips: Any, batch_size: int, recipe: TrainingRecipe) -> EpochOrder:
    """The order of training clips; for `ShardedRows` it reads every row group once."""
    if isinstance(clips, ClipDataset) and isinstance(clips.rows, ShardedRows):
        return ShardOrder(clips.rows.group_sizes, batch_size, recipe.seed, recipe.drop_last)
    return EpochOrder(len(clips), batch_size, recipe.seed, recipe.drop_last)


def build_loader(
    clips: Any, batch_size: int, recipe: TrainingRecipe, collate: Any, sampler: Any = None, lengths: bool = False
) -> DataLoader:
    """A loader of `batch_size` clips, each with all its views if there are several."""
    check_workers(recipe.num_workers)
    collate_fn = with_index(collate, lengths=lengths)
    # Without its own generator, every pass would draw from the global one and shift dropout after a resume.
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
    """`(batch,)` int64 seeds, different for every (seed, epoch, row, view) and from those of the processor."""
    per_view = max(1, len(index) // num_views)
    # The processor uses [seed, epoch, row]; a fourth number 0 would give the same seed.
    seeds = [item_seed(seed, epoch, row, 1 + place // per_view) for place, row in enumerate(index.tolist())]
    return torch.tensor(seeds, dtype=torch.int64)


def check_workers(num_workers: int) -> None:
    """Raises ValueError where shared memory is too small for the workers of a loader: they would wait forever."""
    if not num_workers or not SHARED_MEMORY.is_dir():  # macOS and Windows share memory in other ways
        return
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free < LEAST_SHARED_BYTES:
        raise ValueError(
            f"num_workers={num_workers} needs shared memory, but {SHARED_MEMORY} has {free / 2**20:.1f} MiB free; use "
            "--num_workers 0, or start the container with more: docker run --shm-size=1g."
        )


def with_index(
    collate: Callable[[Sequence[dict[str, Any]]], dict[str, Any]], *, lengths: bool = False
) -> Callable[[Any], dict[str, Any]]:
    """`collate` for items with `index`; `lengths` adds `num_frames` (batch,), the frames before padding."""
    return partial(_collated_with_index, collate, lengths)  # picklable, for workers started by spawn


def _collated_with_index(collate: Any, lengths: bool, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    batch = dict(collate([{name: item[name] for name in item if name != "index"} for item in items]))
    if "index" in items[0]:
        batch["index"] = torch.stack([torch.as_tensor(item["index"]) for item in items])
    if lengths:
        batch["num_frames"] = torch.tensor([item["keypoints"].shape[1] for item in items])
    return batch


def class_names_of(config: PreTrainedConfig) -> list[str]:
    """The class names of a model, in order.

    Examples:
        >>> motionhub.class_names_of(motionhub.UnikConfig(id2label={0: "sit", 1: "stand"}))
        ['sit', 'stand']
    """
    return [str(name) for _, name in sorted((config.id2label or {}).items())]


def check_labels(dataset: Dataset | ShardedRows, config: PreTrainedConfig, name: str = "dataset") -> None:
    """Raises ValueError unless every label is a class of the model, under the same name if the model has names."""
    own_names = class_names_of(config)
    num_labels = len(own_names)
    if "label" not in dataset.column_names:
        raise ValueError(f"{name} needs a column 'label', got {dataset.column_names}.")
    if len(dataset) == 0:
        raise ValueError(f"{name} holds no clips.")
    feature = dataset.features["label"]
    unnamed = own_names == [f"LABEL_{index}" for index in range(num_labels)]
    if isinstance(feature, ClassLabel) and not unnamed and list(feature.names) != own_names:
        raise ValueError(
            f"{name} has the classes {_shown(feature.names)}, but the model {_shown(own_names)}. Train a model with "
            "the classes of this dataset (motionhub.prepare_model), or use those of the model: "
            "dataset.align_labels_with_mapping(model.config.label2id, 'label')."
        )
    values = list(dataset["label"])
    wrong = [row for row, value in enumerate(values) if value is None or value not in range(num_labels)]
    if not wrong:
        return
    ids = dataset["clip_id"] if "clip_id" in dataset.column_names else [f"row {i}" for i in range(len(dataset))]
    shown = ", ".join(f"{ids[row]}: {values[row]}" for row in wrong[:5]) + (", ..." if len(wrong) > 5 else "")
    raise ValueError(
        f"{name}: labels must be 0..{num_labels - 1} (the model has {num_labels} classes), but {len(wrong)} of "
        f"{len(values)} clips have another ({shown}). Leave them out with "
        f"dataset.filter(lambda row: row['label'] in range({num_labels})), or train a model with the classes of this "
        "dataset (motionhub.prepare_model)."
    )


def _shown(names: Sequence[str]) -> str:
    return f"{list(names[:4])}{' ...' if len(names) > 4 else ''} ({len(names)})"
