"""Classifiers of sequences of frame features: the temporal networks that CV-MIM puts on a frozen pose encoder.

They do not know what the features are; raw coordinates do as well, which makes the supervised baselines. Every
sequence of a batch has a length of its own and gives what it gives alone: convolutions pad each sequence as
TensorFlow's "same" does (with stride 2 that depends on whether its length is even), batch norm counts valid frames.
"""

import torch
from torch import Tensor, nn

from motionhub.nn.keras_layers import HeNormalConv1d, HeNormalLinear, KerasNorm


DEPTHS = (64, 128, 256)
HEADS = ("convnet", "resnet", "res-tcn")


class SequenceConv(nn.Module):
    """Conv1D with "same" padding of every sequence by itself: `(rows, frames, channels)` and lengths in and out."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int = 1, he_bias: bool = True) -> None:
        super().__init__()
        self.conv = HeNormalConv1d(in_channels, channels, kernel, stride, he_bias)
        self.kernel, self.stride = kernel, stride

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        padded, made = same_padding(features, lengths, self.kernel, self.stride)
        return self.conv(padded.transpose(1, 2)).transpose(1, 2), made


class SequenceNorm(nn.Module):
    """Batch norm over the valid frames; zeros elsewhere."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = KerasNorm(channels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        valid = valid_frames(features, lengths)
        if bool(valid.all()):  # no copies where nothing is left out
            whole: Tensor = self.norm(features.flatten(0, 1)).unflatten(0, valid.shape)
            return whole
        normed = self.norm(features[valid])
        return torch.zeros_like(features, dtype=normed.dtype).masked_scatter(valid.unsqueeze(-1), normed)


class TemporalConvNet(nn.Module):
    """The paper's head: three times [Conv1D of 7 frames, stride 2, batch norm, ReLU, dropout], mean, Dense."""

    def __init__(self, in_features: int, num_labels: int, dropout: float = 0.5) -> None:
        super().__init__()
        sizes = (in_features, *DEPTHS)
        pairs = list(zip(sizes, DEPTHS, strict=False))
        self.convs = nn.ModuleList(SequenceConv(given, made, 7, 2) for given, made in pairs)
        self.norms = nn.ModuleList(SequenceNorm(made) for made in DEPTHS)
        self.dropout, self.last = nn.Dropout(dropout), HeNormalLinear(DEPTHS[-1], num_labels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """`(rows, frames, in_features)`, `lengths (rows,)` of at least 1 -> logits `(rows, num_labels)`."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features, lengths = conv(features, lengths)
            features = self.dropout(norm(features, lengths).relu())
        logits: Tensor = self.last(mean_frames(features, lengths))
        return logits


class TemporalResNet(nn.Module):
    """The official RESNET head: Conv1D of 7 frames, then three residual blocks (strides 2, 2, 1), mean, Dense."""

    def __init__(self, in_features: int, num_labels: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv, self.norm = SequenceConv(in_features, DEPTHS[0], 7), SequenceNorm(DEPTHS[0])
        sizes = zip((DEPTHS[0], *DEPTHS), DEPTHS, (2, 2, 1), strict=False)
        self.blocks = nn.ModuleList(_ResNetBlock(*size, dropout) for size in sizes)
        self.last = HeNormalLinear(DEPTHS[-1], num_labels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """As `TemporalConvNet`."""
        features, lengths = self.conv(features, lengths)
        features = self.norm(features, lengths).relu()
        for block in self.blocks:
            features, lengths = block(features, lengths)
        logits: Tensor = self.last(mean_frames(features, lengths))
        return logits


class _ResNetBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        sizes = ((in_channels, 7, stride), (channels, 5, 1), (channels, 3, 1))
        self.convs = nn.ModuleList(SequenceConv(given, channels, kernel, step) for given, kernel, step in sizes)
        self.norms = nn.ModuleList(SequenceNorm(channels) for _ in sizes)
        self.shortcut, self.shortcut_norm = SequenceConv(in_channels, channels, 1, stride), SequenceNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        short, made = self.shortcut(features, lengths)
        short = self.shortcut_norm(short, made)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            features, lengths = conv(features, lengths)
            features = norm(features, lengths)
            features = features if index == 2 else self.dropout(features.relu())
        return (features + short).relu(), made


class ResTcn(nn.Module):
    """Res-TCN (Kim and Reiter 2017) as the official code has it: nine pre-activated residual convolutions of 8 frames.

    It gives logits, where the official network ends in a softmax; its L1 penalty on kernels is the caller's.
    """

    def __init__(self, in_features: int, num_labels: int, dropout: float = 0.5) -> None:
        super().__init__()
        sizes = [(64, 1)] * 3 + [(128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1)]
        self.conv = SequenceConv(in_features, 64, 8, he_bias=False)
        self.norms, self.convs, self.shortcuts = nn.ModuleList(), nn.ModuleList(), nn.ModuleDict()
        channels = 64
        for index, (made, stride) in enumerate(sizes):
            self.norms.append(SequenceNorm(channels))
            self.convs.append(SequenceConv(channels, made, 8, stride, he_bias=False))
            if made != channels:
                self.shortcuts[str(index)] = SequenceConv(channels, made, 1, stride, he_bias=False)
            channels = made
        self.last_norm, self.dropout = SequenceNorm(channels), nn.Dropout(dropout)
        self.last = HeNormalLinear(channels, num_labels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """As `TemporalConvNet`."""
        features, lengths = self.conv(features, lengths)
        for index, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            changed, made = conv(self.dropout(norm(features, lengths).relu()), lengths)
            kept = self.shortcuts[str(index)](features, lengths)[0] if str(index) in self.shortcuts else features
            features, lengths = kept + changed, made
        logits: Tensor = self.last(mean_frames(self.last_norm(features, lengths).relu(), lengths))
        return logits


def temporal_head(name: str, in_features: int, num_labels: int, dropout: float = 0.5) -> nn.Module:
    """One of `HEADS`."""
    classes = dict(zip(HEADS, (TemporalConvNet, TemporalResNet, ResTcn), strict=True))
    if name not in classes:
        raise ValueError(f"A temporal head is one of {HEADS}, got {name!r}.")
    return classes[name](in_features, num_labels, dropout)


def same_padding(features: Tensor, lengths: Tensor, kernel: int, stride: int) -> tuple[Tensor, Tensor]:
    """Sequences `(rows, frames, channels)` with the zeros that TensorFlow's "same" puts around each, and new lengths.

    What lies beyond a sequence's length is taken as zeros too.
    """
    made = -(-lengths // stride)
    left = ((made - 1) * stride + kernel - lengths).clamp(min=0) // 2
    frames = features.shape[1]
    size = (-(-frames // stride) - 1) * stride + kernel
    places = torch.arange(size, device=features.device) - left[:, None]
    inside = (places >= 0) & (places < lengths[:, None])
    index = places.clamp(0, frames - 1).unsqueeze(-1).expand(-1, -1, features.shape[-1])
    return features.gather(1, index) * inside.unsqueeze(-1).to(features.dtype), made


def mean_frames(features: Tensor, lengths: Tensor) -> Tensor:
    """Mean over the valid frames: `(rows, channels)`."""
    valid = valid_frames(features, lengths).unsqueeze(-1).to(features.dtype)
    return (features * valid).sum(1) / lengths.clamp(min=1).unsqueeze(-1).to(features.dtype)


def valid_frames(features: Tensor, lengths: Tensor) -> Tensor:
    """`(rows, frames)` bool."""
    return torch.arange(features.shape[1], device=features.device) < lengths[:, None]
