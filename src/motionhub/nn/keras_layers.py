"""Layers with the conventions of Keras, for networks that were published in TensorFlow, and CV-MIM's blocks of them.

Running variances are updated with the biased variance (PyTorch: unbiased), a momentum of 0.99 there is 0.01 here,
epsilon is 1e-3, and "he normal" draws from a normal distribution cut at two standard deviations, also for biases
(whose fan-in is their own number).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init


EPSILON, MOMENTUM = 1e-3, 0.01
# Std of a standard normal distribution cut at two; Keras divides by it to keep the requested std.
CUT_DEVIATION = 0.87962566103423978


class HeNormalLinear(nn.Linear):
    """A Dense layer whose kernel and bias both start "he normal"."""


class GlorotLinear(nn.Linear):
    """A Dense layer with Keras's default initialisation: kernel uniform by fan-in and fan-out, bias 0."""


class HeNormalConv1d(nn.Conv1d):
    """A Conv1D whose kernel, and bias where `he_bias`, start "he normal"; otherwise the bias starts at 0."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, he_bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride)
        self.he_bias = he_bias


class KerasNorm(nn.BatchNorm1d):
    """Batch norm of rows `(num_rows, channels)`; a single row is kept as it is normalised in evaluation.

    In training the statistics are those of all rows passed: remove padding first.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON, momentum=MOMENTUM)

    def forward(self, rows: Tensor) -> Tensor:
        assert self.running_mean is not None and self.running_var is not None
        if not self.training or len(rows) < 2:
            return F.batch_norm(rows, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        # with a momentum of 1 these become the statistics of the batch: nothing is computed twice
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        normed = F.batch_norm(rows, mean, variance, self.weight, self.bias, True, momentum=1.0, eps=self.eps)
        with torch.no_grad():
            self.running_mean.lerp_(mean, MOMENTUM)
            self.running_var.lerp_(variance * ((len(rows) - 1) / len(rows)), MOMENTUM)
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
        return normed


@torch.no_grad()
def init_keras(module: nn.Module) -> bool:
    """Sets the initial values of a layer of this module; False for any other module."""
    if isinstance(module, HeNormalLinear | HeNormalConv1d):
        _he_normal(module.weight, module.weight[0].numel())
        if isinstance(module, HeNormalLinear) or module.he_bias:
            assert module.bias is not None
            _he_normal(module.bias, len(module.bias))
        elif module.bias is not None:
            init.zeros_(module.bias)
    elif isinstance(module, GlorotLinear):
        bound = math.sqrt(6 / (module.in_features + module.out_features))
        init.uniform_(module.weight, -bound, bound)
        init.zeros_(module.bias)
    elif isinstance(module, KerasNorm):
        init.ones_(module.weight)
        init.zeros_(module.bias)
        assert module.running_mean is not None and module.running_var is not None
        init.zeros_(module.running_mean)
        init.ones_(module.running_var)
        assert module.num_batches_tracked is not None
        init.zeros_(module.num_batches_tracked)
    else:
        return False
    return True


def _he_normal(values: Tensor, fan_in: int) -> None:
    deviation = math.sqrt(2 / fan_in) / CUT_DEVIATION
    init.trunc_normal_(values, std=deviation, a=-2 * deviation, b=2 * deviation)


class LinearBlock(nn.Module):
    """`dropout(relu(norm(linear(rows) + added)))` over `(num_rows, channels)`."""

    def __init__(self, in_features: int, out_features: int, dropout: float) -> None:
        super().__init__()
        self.linear = HeNormalLinear(in_features, out_features)
        self.norm = KerasNorm(out_features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor, added: Tensor | None = None) -> Tensor:
        hidden = self.linear(rows)
        return self.dropout(self.norm(hidden if added is None else hidden + added).relu())


class ResidualBlock(nn.Module):
    """Two `LinearBlock`s and the input added; no ReLU after the sum."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList([LinearBlock(width, width, dropout), LinearBlock(width, width, dropout)])

    def forward(self, rows: Tensor) -> Tensor:
        hidden = rows
        for layer in self.layers:
            hidden = layer(hidden)
        return rows + hidden


class ResidualTrunk(nn.Module):
    """Residual blocks, then a linear layer: `(num_rows, width)` -> `(num_rows, out_features)`.

    With `in_features` a `LinearBlock` comes first: the whole network, as a decoder has it.
    """

    def __init__(
        self, width: int, num_blocks: int, out_features: int, dropout: float, in_features: int | None = None
    ) -> None:
        super().__init__()
        self.first = None if in_features is None else LinearBlock(in_features, width, dropout)
        self.blocks = nn.ModuleList(ResidualBlock(width, dropout) for _ in range(num_blocks))
        self.last = HeNormalLinear(width, out_features)

    def forward(self, rows: Tensor) -> Tensor:
        if self.first is not None:
            rows = self.first(rows)
        for block in self.blocks:
            rows = block(rows)
        return self.last(rows)
