"""Samples of a processor as one `BatchFeature`: padded with zeros, as torch tensors or NumPy arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.feature_extraction_utils import BatchFeature


def check_return_tensors(return_tensors: Any) -> None:
    """Raises a ValueError unless it is `"pt"`, `"np"` or None, which means `"pt"`."""
    if return_tensors not in ("pt", "np", None):
        raise ValueError(f'return_tensors must be "pt" or "np", got {return_tensors!r}.')


def as_feature(tensors: Mapping[str, Tensor], return_tensors: str | None) -> BatchFeature:
    """The tensors as what a processor returns."""
    return BatchFeature({name: value.numpy() if return_tensors == "np" else value for name, value in tensors.items()})


def padded_batch(samples: Sequence[Mapping[str, Tensor]], names: Sequence[str]) -> dict[str, Tensor]:
    """Samples of `(people, frames, ...)` stacked: zeros (False) for absent people and frames."""
    people, frames = (max(sample["attention_mask"].shape[axis] for sample in samples) for axis in (0, 1))
    return {name: torch.stack([padded(sample[name], people, frames) for sample in samples]) for name in names}


def padded(values: Tensor, people: int, frames: int) -> Tensor:
    """Zeros (False) after the last person and the last frame, up to `people` and `frames`."""
    if values.shape[:2] == (people, frames):
        return values
    padded = values.new_zeros(people, frames, *values.shape[2:])
    padded[: values.shape[0], : values.shape[1]] = values
    return padded
