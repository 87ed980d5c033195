"""Channel and temporal convolutions over `(people, joints, frames, channels)`, channels last."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionhub.nn.masked_norm import ChannelNorm


class PointwiseLinear(nn.Linear):
    """`nn.Linear` over the last axis of `(people, joints, frames, channels)`.

    On a CPU it is computed as a 1x1 convolution: PyTorch sends a float32 linear layer to the BLAS library, which on
    non-Intel CPUs reaches less than half the speed of the oneDNN convolution (and one thread with a batch below 16
    would not reach oneDNN either, hence the joints fold into the batch axis).

    `fan_out` is what a model's initialisation divides by (weights drawn from N(0, sqrt(2 / fan_out)), bias 0): a
    stack of heads is not one wide layer. None asks for PyTorch's default.
    """

    def __init__(self, in_features: int, out_features: int, fan_out: int | None) -> None:
        super().__init__(in_features, out_features)
        self.fan_out = fan_out

    def forward(self, features: Tensor) -> Tensor:
        if features.device.type != "cpu":
            return super().forward(features)
        people, joints, frames, channels = features.shape
        image = features.reshape(people * joints, 1, frames, channels).permute(0, 3, 1, 2)
        out = F.conv2d(image, self.weight[:, :, None, None], self.bias)
        return out.permute(0, 2, 3, 1).reshape(people, joints, frames, self.out_features)


def adapted_weight(layer: Any) -> Tensor:
    """The weight of a linear layer, with what LoRA (PEFT) adds to it, for layers that are computed by their weight.

    The dropout of LoRA, which acts on a layer's input, is not applied.
    """
    weight: Tensor = layer.weight
    if hasattr(layer, "lora_A") and not layer.merged and not layer.disable_adapters:
        for name in layer.active_adapters:
            if name in layer.lora_A:
                weight = weight + layer.get_delta_weight(name)
    return weight


def combine(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Sum over `parts` of `features (people, parts, positions, channels) @ weight (parts, out, channels).T`.

    One convolution whose kernel spans the parts: `(people, positions, out)`.
    """
    kernel = weight.permute(1, 2, 0).unsqueeze(-1)  # (out, channels, parts, 1)
    return F.conv2d(features.permute(0, 3, 1, 2), kernel, bias).squeeze(2).transpose(1, 2)


class FrameConv2d(nn.Conv2d):
    """A `nn.Conv2d` along the frames of `(people, channels, joints, frames)`; `fan_out` as in `PointwiseLinear`."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, dilation: int) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size=(1, kernel_size),
            stride=(1, stride),
            dilation=(1, dilation),
            padding=(0, (kernel_size - 1) * dilation // 2),
        )
        self.fan_out = out_channels * kernel_size

    def forward(self, features: Tensor) -> Tensor:
        """`(people, in_channels, joints, frames)` -> `(people, out_channels, joints, ceil(frames / stride))`.

        With few channels and one frame wide, frames are left out before the convolution instead of by its stride: on
        processors with AVX-512 and several threads, that form corrupts memory below 16 channels and may crash the
        process (PyTorch 2.13, oneDNN's `jit_1x1` of the weights' gradient). An exported graph has no gradient.
        """
        narrow = self.in_channels < 16 and not torch.compiler.is_exporting()
        if narrow and self.kernel_size == (1, 1) and self.stride[1] > 1:
            return F.conv2d(features[..., :: self.stride[1]], self.weight, self.bias)
        return super().forward(features)


class TemporalConv(nn.Module):
    """Convolution over the frames of every joint, then batch norm; no activation.

    Zero padding keeps the frame rate: `ceil(frames / stride)` frames come out. Padded frames must come in as zeros,
    so that a clip's end looks the same whether padding follows or not.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, dilation: int = 1, **norm: Any
    ) -> None:
        super().__init__()
        self.conv = FrameConv2d(in_channels, out_channels, kernel_size, stride, dilation)
        self.norm: ChannelNorm | None = ChannelNorm(out_channels, **norm)

    def forward(self, features: Tensor, valid_out: Tensor | None = None) -> Tensor:
        """`valid_out (people, frames_out)` marks the frames that count for the batch statistics."""
        out = self.conv(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return out if self.norm is None else self.norm(out, valid_out)

    def fold_norms(self) -> None:
        """Inference only: the batch norm becomes part of the convolution."""
        if self.norm is not None:
            self.norm.fold_into(self.conv)
            self.norm = None
