"""The temporal convolutions of motion retargeting (Aberman et al., LAC): motion encoder, static encoder, decoder.

They take network tensors `(batch, channels, frames)` and know neither joints nor normalisation, nor which code means
what. Also the output that every model `ForMotionRetargeting` returns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init
from transformers.utils import ModelOutput


SLOPE = 0.2
_BORDER = 3  # frames reflected on either side, before kernels of 7 and 8


@dataclass
class MotionRetargetingOutput(ModelOutput):
    """What `forward` and `retarget` of every motion retargeting model return.

    Attributes:
        keypoints: `(B, M, T, V, C)` the motion made, as the checkpoint's processor would have made it of a clip;
            `processor.inverse(keypoints, sequence)` gives coordinates. People, frames and padding of the source.
        last_hidden_state: `(B, M, T', 1, C')` all codes side by side, zero for absent people and padded frames.
        pooler_output: `(B, C')` their mean over frames, then over people.
    """

    keypoints: Tensor | None = None
    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None


class MotionEncoder(nn.Module):
    """Three (or more) strided convolutions: `(batch, in, frames)` -> `(batch, channels[-1], frames / 2 ** layers)`."""

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=8, stride=2)
            for before, after in zip(widths[:-1], widths[1:], strict=True)
        )

    def forward(self, features: Tensor) -> Tensor:
        for conv in self.convs:
            features = F.leaky_relu(conv(reflected(features)), SLOPE)
        return features


class StaticEncoder(nn.Module):
    """What does not change over a clip: convolutions, each followed by pooling, then a pool over all frames left.

    `(batch, in, frames)` -> `(batch, code_size, 1)`. `code_size` set: a linear layer after the last pool.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], pooling: Literal["max", "mean"], code_size: int | None = None
    ) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.pooling = pooling
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=7) for before, after in zip(widths[:-1], widths[1:], strict=True)
        )
        self.compress = None if code_size is None else nn.Conv1d(widths[-1], code_size, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        for conv in self.convs:
            features = F.leaky_relu(conv(reflected(features)), SLOPE)
            features = F.max_pool1d(features, 2) if self.pooling == "max" else F.avg_pool1d(features, 2)
        pooled = features.amax(-1, keepdim=True) if self.pooling == "max" else features.mean(-1, keepdim=True)
        return pooled if self.compress is None else self.compress(pooled)


class MotionDecoder(nn.Module):
    """Codes per coarse frame -> motion: repeat every frame twice, convolve, once per layer; dropout as official."""

    def __init__(self, in_channels: int, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=7) for before, after in zip(widths[:-1], widths[1:], strict=True)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, codes: Tensor) -> Tensor:
        features = codes
        for index, conv in enumerate(self.convs):
            features = conv(reflected(features.repeat_interleave(2, dim=-1)))
            if index < len(self.convs) - 1:
                features = F.leaky_relu(self.dropout(features), SLOPE)
        return features


def reflected(features: Tensor) -> Tensor:
    """The border frames mirrored outwards, as PyTorch's `ReflectionPad1d(3)`; needs four frames."""
    return F.pad(features, (_BORDER, _BORDER), mode="reflect")


def fewest_frames(num_halvings: int) -> int:
    """The shortest clip whose frames can be reflected before the last of so many halving layers."""
    return (_BORDER + 1) * 2 ** (num_halvings - 1)


def check_network_tensor(motion: Tensor, config: Any, model: str, other_calls: str) -> None:
    """ValueError unless `motion` is `(batch, channels, frames)` as the config's convolutions take it.

    Args:
        config: has `num_joints`, `in_channels`, `frame_stride` and `min_frames`.
        model: its name, for the message.
        other_calls: what takes clips as the processor makes them, for the message.
    """
    channels, stride = config.num_joints * config.in_channels, config.frame_stride
    fits = motion.dim() == 3 and motion.shape[1] == channels
    if not fits or motion.shape[2] % stride or motion.shape[2] < config.min_frames:
        raise ValueError(
            f"{model} expects network tensors (batch, {channels}, frames), frames a multiple of {stride} and at least "
            f"{config.min_frames}, got {tuple(motion.shape)}; {other_calls} of any length as processed."
        )


@torch.no_grad()
def init_convolution(module: nn.Conv1d) -> None:
    """PyTorch's own initialisation, which transformers replaces by another; official."""
    init.kaiming_uniform_(module.weight, a=math.sqrt(5))
    if module.bias is not None:
        bound = 1 / math.sqrt(module.weight[0].numel())
        init.uniform_(module.bias, -bound, bound)
