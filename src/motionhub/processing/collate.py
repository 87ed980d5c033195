"""Samples of different lengths and numbers of people become one batch; masks say what is padding.

It does not know processors, datasets or models. A ragged batch holds for each clip exactly what the clip alone would
hold, followed by zeros with masks that are False.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def collate_skeletons(samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Pad and stack; for `DataLoader(collate_fn=...)`.

    Args:
        samples: each with `keypoints` `(people, frames, joints, dims)`, `joint_mask` `(people, frames, joints)`,
            `attention_mask` `(people, frames)`, tensors or arrays; and either all or none with `labels`: an integer,
            or `(frames, num_labels)` numbers per frame, which are padded with zeros.

    Returns:
        The same names with a batch axis in front; integer labels as `(batch,)` int64, per-frame ones as float32.

    Raises:
        ValueError: no samples, a sample without one of the names, or samples with different joints or dims.
    """
    _check(samples)
    names = ("keypoints", "joint_mask", "attention_mask")
    tensors = {name: [torch.as_tensor(sample[name]) for sample in samples] for name in names}
    people, frames = (max(mask.shape[axis] for mask in tensors["attention_mask"]) for axis in (0, 1))
    batch = {name: torch.stack([_padded(value, (people, frames)) for value in tensors[name]]) for name in names}
    if "labels" in samples[0]:
        batch["labels"] = _stacked_labels([torch.as_tensor(sample["labels"]) for sample in samples], frames)
    return batch


def _stacked_labels(labels: list[Tensor], frames: int) -> Tensor:
    if labels[0].ndim == 0:
        return torch.stack(labels).long()
    return torch.stack([_padded(label.float(), (frames,)) for label in labels])


def _padded(values: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Zeros (False) at the end of the first axes, up to `sizes`."""
    if values.shape[: len(sizes)] == sizes:
        return values
    padded = values.new_zeros(*sizes, *values.shape[len(sizes) :])
    padded[tuple(slice(size) for size in values.shape[: len(sizes)])] = values
    return padded


def averages_padding(config: Any) -> bool:
    """Whether a model of this config lets padded frames change its result, as the official UNIK does: then only clips
    of one length may share a batch.
    """
    return bool(config.to_dict().get("pooling") == "official")


def _check(samples: Sequence[Mapping[str, Any]]) -> None:
    if not samples:
        raise ValueError("A batch needs at least one sample, got none.")
    for index, sample in enumerate(samples):
        absent = [name for name in ("keypoints", "joint_mask", "attention_mask") if name not in sample]
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
