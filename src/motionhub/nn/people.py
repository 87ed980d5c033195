"""Which people of a batch are present, which frames are padding, and means over the rest."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(eq=False)
class Presence:
    """Which person slots are computed, and where their results belong.

    `valid (people, frames)` marks the frames of the clip, None when nothing is padded. Outside a compiled graph the
    absent people are not computed at all; in one (shapes must not depend on data) they are computed as zeros.
    `present (batch, slots)` is None when all are, `rows (people,)` when every slot is computed.
    """

    shape: tuple[int, int]
    valid: Tensor | None = None
    present: Tensor | None = None
    rows: Tensor | None = None

    @classmethod
    def of(cls, shape: tuple[int, int], clip_mask: Tensor | None) -> "Presence":
        """From `clip_mask (batch, slots, frames)`; None means all people in every frame."""
        if clip_mask is None:
            return cls(shape)
        present, valid = clip_mask.any(-1), clip_mask.flatten(0, 1)
        if torch.compiler.is_compiling():
            return cls(shape, valid, present)
        if bool(clip_mask.all()):
            return cls(shape)
        if not bool(present.any()):
            return cls(shape, valid, present)
        rows = present.flatten().nonzero().squeeze(1)
        valid = valid[rows]
        return cls(shape, None if bool(valid.all()) else valid, present, rows)

    def gather(self, slots: Tensor) -> Tensor:
        """`(B, M, ...)` -> `(people, ...)`."""
        flat = slots.flatten(0, 1)
        return flat if self.rows is None else flat[self.rows]

    def scatter(self, people: Tensor) -> Tensor:
        """`(people, ...)` -> `(B, M, ...)`, zeros where a person is absent."""
        if self.rows is not None:
            flat = people.new_zeros(self.shape[0] * self.shape[1], *people.shape[1:])
            return flat.index_copy(0, self.rows, people).unflatten(0, self.shape)
        slots = people.unflatten(0, self.shape)
        if self.present is None:
            return slots
        return slots * self.present.view(*self.shape, *[1] * (slots.dim() - 2)).to(slots.dtype)

    def mean(self, people: Tensor) -> Tensor:
        """`(people, C)` -> `(B, C)`, the mean over the people present; zeros for a clip without a person."""
        slots = self.scatter(people)
        if self.present is None:
            return slots.mean(1)
        return slots.sum(1) / self.present.sum(1, keepdim=True).clamp(min=1).to(slots.dtype)


def zero_padding(features: Tensor, valid: Tensor | None) -> Tensor:
    """`features (people, joints, frames, channels)` with zeros where `valid (people, frames)` is False."""
    return features if valid is None else features * valid[:, None, :, None].to(features.dtype)


def mean_over_frames(features: Tensor, valid: Tensor | None) -> Tensor:
    """Mean over joints and the valid frames (the others are zeros): `(people, channels)`."""
    if valid is None:
        return features.mean((1, 2))
    count = valid.sum(1, keepdim=True).clamp(min=1) * features.shape[1]
    return features.sum((1, 2)) / count.to(features.dtype)


def frames_within(lengths: Tensor, frames: int) -> Tensor:
    """`lengths (...)` -> `(..., frames)` bool: the first so many of the frames."""
    return torch.arange(frames, device=lengths.device) < lengths[..., None]


def frames_of_clip(attention_mask: Tensor | None) -> Tensor | None:
    """`(B, M, T)` bool: a person's frames up to its last True one; a hole inside a clip is a frame, not padding."""
    return None if attention_mask is None else attention_mask.bool().flip(-1).cumsum(-1).flip(-1) > 0


def frames_of_people(keypoints: Tensor, attention_mask: Tensor | None) -> Tensor:
    """`(B, M)`: frames of each person's clip, up to the last True one; 0 for an absent person."""
    clip_mask = frames_of_clip(attention_mask)
    if clip_mask is None:
        return torch.full(keypoints.shape[:2], keypoints.shape[2], device=keypoints.device)
    return clip_mask.sum(-1)


def continue_clips(keypoints: Tensor, num_frames: Tensor, frames: int) -> Tensor:
    """`(B, M, T, V, C)` -> `(B, M, frames, V, C)`: after the last frame of each person that frame is repeated."""
    last = (num_frames - 1).clamp(min=0)
    index = torch.minimum(torch.arange(frames, device=keypoints.device), last[..., None])
    return keypoints.gather(2, index[..., None, None].expand(-1, -1, -1, *keypoints.shape[3:]))
