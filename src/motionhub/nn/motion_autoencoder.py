"""The temporal convolutions of motion retargeting (Aberman et al., LAC, ViA): motion encoder, decoder.

They take network tensors `(batch, channels, frames)`.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


SLOPE = 0.2
_BORDER = 3  # frames reflected on either side, before kernels of 7 and 8


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
