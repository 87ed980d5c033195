"""Clips whose every frame has classes, as windows for training and whole for evaluation.

It does not know models, losses nor metrics. A frame's classes are a row of 0 and 1: several may be on at once.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import ClassLabel, Dataset

from motionhub.processing.collate import collate_skeletons
from motionhub.skeletons.rows import frame_labels_of, from_row
from motionhub.training.dataset import INPUTS, ClipDataset, EpochOrder, item_seed
from motionhub.training.start import class_names_of_dataset


# The class that stands for no action, where a dataset or a model has one of this name.
BACKGROUND = "background"


class FrameLabelDataset(ClipDataset):
    """Rows with frame labels or segments as model inputs, with the classes of every frame.

    A training item is a window of the processor's `num_frames` at a place of its own in each epoch; an epoch has so
    many of a clip that they are about as long as the clip, or `windows_per_clip`. An evaluation item is the whole
    clip, at the processor's frame rate. `labels` of an item are `(frames, classes)` of 0 and 1; -1 is unknown.

    Frames without an action are 0 everywhere, or of the class "background" where the dataset has one (see
    `with_background`).

    Args:
        dataset: rows of `motionhub.skeletons.rows` whose `label` is a ClassLabel.
        processor: has `process(sequence, training=, generator=, frame_labels=)`, e.g. a SkeletonProcessor.
        training: True takes windows and augments at random; False is deterministic.
        seed: of windows and augmentation.
        windows_per_clip: windows of every clip in an epoch, however long it is.
        per_person: every person of a clip is an item alone, with the clip's labels where the person is seen (elsewhere
            unknown); otherwise all people of a clip have its labels together.
        cache: as of `ClipDataset`.

    Raises:
        ValueError: no clips, no class names, a row without labels per frame, or a processor that leaves frames out of
            the evaluation.
    """

    def __init__(
        self,
        dataset: Dataset,
        processor: Any,
        *,
        training: bool,
        seed: int = 0,
        windows_per_clip: int | None = None,
        per_person: bool = False,
        cache: bool | None = None,
    ) -> None:
        if not isinstance(dataset, Dataset):
            raise ValueError(f"Labels per frame need a datasets.Dataset, got {type(dataset).__name__}.")
        if windows_per_clip is not None and windows_per_clip < 1:
            raise ValueError(f"windows_per_clip must be at least 1, or None, got {windows_per_clip}.")
        self.class_names = class_names_of_dataset(dataset)
        _check_sampling(processor)
        super().__init__(dataset, processor, training=training, seed=seed, cache=cache)
        facts = [(self._classes(row), str(row.get("clip_id", ""))) for row in _label_rows(dataset)]
        self.frame_labels = [classes for classes, _ in facts]
        self._names = [name or f"row {row}" for row, (_, name) in enumerate(facts)]
        people = [int(number) if per_person else 1 for number in dataset["num_people"]]
        owners = [(row, person if per_person else None) for row, count in enumerate(people) for person in range(count)]
        if not owners:
            raise ValueError("The dataset holds no clips, or nobody is in them.")
        self._rates = [float(rate) for rate in dataset["fps"]]
        counts = [self._windows(row, windows_per_clip) if training else 1 for row, _ in owners]
        self.entries = [owner for owner, count in zip(owners, counts, strict=True) for _ in range(count)]

    @property
    def background(self) -> int | None:
        """The class that stands for no action, if there is one."""
        return self.class_names.index(BACKGROUND) if BACKGROUND in self.class_names else None

    @property
    def overlapping(self) -> bool:
        """Whether a frame has two classes."""
        return any(classes.sum(axis=1).max(initial=0) > 1 for classes in self.frame_labels)

    def __len__(self) -> int:
        return len(self.entries)

    def name_of(self, index: int) -> str:
        """The clip of an item and, where there are several, which of its people."""
        row, person = self.entries[index]
        return self._names[row] if person is None else f"{self._names[row]}, person {person}"

    def fps_of(self, index: int) -> float:
        """Frames per second of an item."""
        return float(self.processor.fps or self._rates[self.entries[index][0]])

    def fingerprint(self) -> str:
        """SHA-256 of the clips' names, in order, and the classes of their frames."""
        digest = hashlib.sha256("\n".join([*self._names, *self.class_names, str(self.entries)]).encode())
        for classes in self.frame_labels:
            digest.update(np.packbits(classes > 0).tobytes())
        return digest.hexdigest()

    def epoch_order(self, batch_size: int, seed: int, drop_last: bool) -> EpochOrder:
        """Windows of all clips in random order."""
        return EpochOrder(len(self), batch_size, seed, drop_last)

    def by_length(self) -> list[int]:
        """The items from the longest clip to the shortest."""
        lengths = np.array([len(self.frame_labels[row]) for row, _ in self.entries])
        return np.argsort(-lengths, kind="stable").tolist()

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        index = int(index)
        if index in self._processed:
            return self._processed[index]
        row, person = self.entries[index]
        sequence = self._sequences[row] if self.cache else from_row(self._row(row))
        classes = self.frame_labels[row].astype(np.float32)
        if person is not None:
            sequence = sequence.person(person)
            classes[~sequence.joint_mask[0].any(axis=-1)] = -1
        generator = torch.Generator().manual_seed(item_seed(self.seed, self.epoch, index)) if self.training else None
        arrays = self.processor.process(sequence, self.training, generator, frame_labels=classes)
        item = {name: torch.as_tensor(arrays[name]) for name in (*INPUTS, "labels")}
        item["index"] = torch.tensor(index)
        if not self.training:
            item["num_frames"] = torch.tensor(len(item["labels"]))
        if self.cache and not self.training:
            self._processed[index] = item
        return item

    def _classes(self, row: dict[str, Any]) -> np.ndarray:
        """`(frames, classes)` uint8 of 0 and 1."""
        classes = frame_labels_of(row, len(self.class_names))
        if classes is None:
            raise ValueError(
                f"Clip {str(row['clip_id'])!r} has no labels per frame: write rows with to_row(..., frame_labels=...) "
                "or segments=..., or leave the clip out with dataset.filter."
            )
        if self.background is not None:
            classes[~classes.any(axis=1), self.background] = 1
        return classes.astype(np.uint8)

    def _windows(self, row: int, windows_per_clip: int | None) -> int:
        window, rate = self.processor.num_frames, self._rates[row]
        if windows_per_clip is not None or window is None:
            return windows_per_clip or 1
        frames = len(self.frame_labels[row]) * (self.processor.fps or rate) / rate
        return max(1, -int(-frames // window))


def collate_frames(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """As `collate_skeletons`; whole clips also tell how many frames they have (`num_frames`)."""
    batch: dict[str, Any] = dict(collate_skeletons(items))
    if "num_frames" in items[0]:
        batch["num_frames"] = torch.stack([torch.as_tensor(item["num_frames"]) for item in items])
    return batch


def with_background(dataset: Dataset, name: str = BACKGROUND) -> Dataset:
    """The dataset with one class more, at the end, for frames without an action; itself if it has one of that name."""
    names = class_names_of_dataset(dataset)
    if name in names:
        return dataset
    return dataset.cast_column("label", ClassLabel(names=[*names, name]))


def _label_rows(dataset: Dataset) -> Any:
    """The rows without their motion."""
    names = ("num_frames", "frame_labels", "segment_labels", "segment_starts", "segment_ends", "clip_id")
    return dataset.select_columns([name for name in names if name in dataset.column_names]).with_format("numpy")


def _check_sampling(processor: Any) -> None:
    if processor.test_sampling != "all":
        raise ValueError(
            f"Labels per frame need every frame at test time, but the processor has test_sampling="
            f"{processor.test_sampling!r}; use SkeletonProcessor(test_sampling='all', train_sampling="
            "'random-window', ...), e.g. with processor.from_dict({**processor.to_dict(), 'test_sampling': 'all'})."
        )
