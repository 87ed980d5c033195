"""Pads samples of different lengths and numbers of people to one batch; masks mark the padding.

A batch holds for each clip exactly what the clip alone would give, followed by zeros with masks that are False.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


NAMES = ("keypoints", "joint_mask", "attention_mask")


def collate_skeletons(samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Pad and stack; for `DataLoader(collate_fn=...)`.

    Args:
        samples: each with `keypoints` `(people, frames, joints, dims)`, `joint_mask` `(people, frames, joints)`,
            `attention_mask` `(people, frames)`, tensors or arrays; and either all or none with `labels`: an integer,
            or `(frames, num_labels)` numbers, which are padded with zeros.

    Returns:
        The same names with a batch axis in front; integer labels as `(batch,)` int64, per-frame ones as float32.

    Raises:
        ValueError: no samples, a sample without one of the names, or samples with different joints or dims.

    Examples:
        >>> rows = motionhub.generate_dataset(num_clips=2, seed=0, layout="coco-17")
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", normalization="centre", num_people=1)
        >>> clips = motionhub.ClipDataset(rows, processor, training=False)
        >>> sorted(motionhub.collate_skeletons([clips[0], clips[1]]))
        ['attention_mask', 'joint_mask', 'keypoints', 'labels']
    """
    _check(samples)
    batch = padded_batch([{name: torch.as_tensor(sample[name]) for name in NAMES} for sample in samples], NAMES)
    if "labels" in samples[0]:
        labels = [torch.as_tensor(sample["labels"]) for sample in samples]
        frames = batch["attention_mask"].shape[2:]
        per_frame = labels[0].ndim > 0
        batch["labels"] = torch.stack([padded(each.float(), *frames) for each in labels] if per_frame else labels)
        batch["labels"] = batch["labels"] if per_frame else batch["labels"].long()
    return batch


def padded_batch(samples: Sequence[Mapping[str, Tensor]], names: Sequence[str]) -> dict[str, Tensor]:
    """Samples `(people, frames, ...)` stacked; zeros (False) for absent people and frames."""
    people, frames = (max(sample["attention_mask"].shape[axis] for sample in samples) for axis in (0, 1))
    return {name: torch.stack([padded(sample[name], people, frames) for sample in samples]) for name in names}


def padded(values: Tensor, *sizes: int) -> Tensor:
    """Zeros (False) at the end of the first axes, up to `sizes`."""
    if values.shape[: len(sizes)] == sizes:
        return values
    padded = values.new_zeros(*sizes, *values.shape[len(sizes) :])
    padded[tuple(slice(size) for size in values.shape[: len(sizes)])] = values
    return padded


def averages_padding(config: Any) -> bool:
    """Whether padded frames change a model's result (official UNIK): then a batch needs clips of one length."""
    return bool(config.to_dict().get("pooling") == "official")


def _check(samples: Sequence[Mapping[str, Any]]) -> None:
    if not samples:
        raise ValueError("A batch needs at least one sample, got none.")
    for index, sample in enumerate(samples):
        absent = [name for name in NAMES if name not in sample]
        if absent:
            raise ValueError(
                f"Sample {index} has no {absent}, got {list(sample)}; make samples with processor.process."
            )
        if ("labels" in sample) != ("labels" in samples[0]):
            raise ValueError("Either all samples of a batch have labels or none, got both; add label to every row.")
    shapes = {tuple(sample["keypoints"].shape[2:]) for sample in samples}
    if len(shapes) > 1:
        raise ValueError(
            f"Samples of a batch must have the same joints and dims, got {sorted(shapes)}; "
            "process them with one processor."
        )
