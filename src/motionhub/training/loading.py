"""Rows become clips, clips become batches of one or several views, with seeds for what an objective draws itself."""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from motionhub.data.datasets.repetition import repeat_classes
from motionhub.data.datasets.splits import few_label_subset
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.dataset import ClipDataset, check_labels, check_workers, item_seed, with_index
from motionhub.training.order import EpochOrder
from motionhub.training.streaming import ShardedRows


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
    return ClipDataset(dataset, processor, training=training, seed=recipe.seed)


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

    def fingerprint(self) -> str:
        """That of the clips."""
        return self.clips[0].fingerprint()

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
