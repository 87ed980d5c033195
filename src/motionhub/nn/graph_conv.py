"""Spatial units: mix the joints of a frame with learned matrices or a given graph, then their channels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from motionhub.nn.masked_norm import ChannelNorm
from motionhub.nn.temporal import PointwiseLinear, adapted_weight, combine


class JointGraph(nn.Module):
    """The matrices of a skeleton graph, kept with the weights: entry `[s, v, w]` is what joint w takes from joint v.

    A checkpoint that has none (official files do not) gets them back from `initial`, which a model's initialisation
    copies.

    Args:
        initial: `(subsets, joints, joints)`.
    """

    def __init__(self, initial: np.ndarray) -> None:
        super().__init__()
        self.initial = initial
        self.register_buffer("subsets", torch.tensor(initial, dtype=torch.float32))
        self.subsets: Tensor


class DependencyAttention(nn.Module):
    """UNIK's spatial unit (S-LSU): per head a free joint-to-joint matrix plus self-attention over the whole clip.

    2s-AGCN's unit is the same with a graph of one matrix per head added to the free ones.

    All heads are computed together. Joints are mixed before the value projection, so that the sum over heads is
    part of one convolution. With `tau > 1` a frame sees the joints of `tau` consecutive frames: `W = tau * joints`
    positions, window index slower than joint index.

    Args:
        num_joints, in_channels, out_channels, num_heads, tau: sizes; `tau` must be odd.
        key_channels: channels of query and key per head.
        scaled: divide the attention logits by `key_channels * frames` (official code) or not at all (paper).
        initial_range: bounds of the uniform initial joint-to-joint matrices.
        initial_scale: initial weight of the batch norm.
        norm: eps and momentum of the batch norms.
    """

    def __init__(
        self,
        num_joints: int,
        in_channels: int,
        out_channels: int,
        num_heads: int,
        key_channels: int,
        tau: int = 1,
        scaled: bool = True,
        initial_range: tuple[float, float] = (0.0, 0.0),
        initial_scale: float = 1.0,
        **norm: Any,
    ) -> None:
        super().__init__()
        self.num_heads, self.key_channels, self.tau, self.scaled = num_heads, key_channels, tau, scaled
        self.in_channels, self.out_channels = in_channels, out_channels
        self.initial_range = initial_range
        positions = num_joints * tau
        self.dependency = nn.Parameter(torch.empty(num_heads, positions, positions))
        self.query = PointwiseLinear(in_channels, num_heads * key_channels, fan_out=key_channels)
        self.key = PointwiseLinear(in_channels, num_heads * key_channels, fan_out=key_channels)
        # the official code draws the values by N(0, sqrt(2 / (out * in * heads)))
        self.value = PointwiseLinear(
            in_channels, num_heads * out_channels, fan_out=out_channels * in_channels * num_heads
        )
        self.norm: ChannelNorm | None = ChannelNorm(out_channels, initial_scale=initial_scale, **norm)
        self.shortcut = self.shortcut_norm = self.window_merge = self.window_norm = None
        if in_channels != out_channels:
            self.shortcut = PointwiseLinear(in_channels, out_channels, fan_out=out_channels)
            self.shortcut_norm = ChannelNorm(out_channels, **norm)
        if tau > 1:  # the official Conv3d keeps PyTorch's default initialisation
            self.window_merge = PointwiseLinear(tau * out_channels, out_channels, fan_out=None)
            self.window_norm = ChannelNorm(out_channels, **norm)

    def forward(
        self, features: Tensor, valid: Tensor | None = None, graph: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`features (people, joints, frames, in_channels)`, zero at padded frames; `valid (people, frames)`.

        Returns the features `(people, joints, frames, out_channels)`, the attention and the sum of dependency matrix,
        `graph (heads, W, W)` and attention, both `(people, heads, W, W)`; entry `[v, w]` weighs what joint w takes
        from joint v, the attention's columns sum to 1. Values at padded frames are meaningless.
        """
        windows = features if self.tau == 1 else slide_windows(features, self.tau)
        attention = self.attend(windows, valid)
        dependencies = (self.dependency if graph is None else self.dependency + graph) + attention
        out = recomputed(self.mix_and_project, windows, dependencies)
        if self.norm is not None:
            out = self.norm(out, valid)
        shortcut = windows if self.shortcut is None else self.shortcut(windows)
        if self.shortcut_norm is not None:
            shortcut = self.shortcut_norm(shortcut, valid)
        out = out.add_(shortcut).relu_()
        if self.window_merge is not None:
            out = self.merge_windows(out)
        if self.window_norm is not None:
            out = self.window_norm(out, valid)
        return out, attention, dependencies

    def mix_and_project(self, windows: Tensor, dependencies: Tensor) -> Tensor:
        """Joints mixed by every head, then the value projection of every head and their sum, in one convolution."""
        mixed = mix_joints(windows, dependencies)
        weight = adapted_weight(self.value).view(self.num_heads, self.out_channels, self.in_channels)
        bias = self.value.bias.view(self.num_heads, self.out_channels).sum(0)
        return combine(mixed, weight, bias).unflatten(1, (-1, windows.shape[2]))

    def attend(self, windows: Tensor, valid: Tensor | None) -> Tensor:
        """Attention `(people, heads, W, W)`: one map for the clip, from products summed over its valid frames."""
        query, key = self.query(windows), self.key(windows)
        frames = windows.shape[2]
        if valid is not None:
            # the bias makes padded frames non-zero; zeroing one factor takes them out of the sum
            query = query * valid[:, None, :, None].to(query.dtype)
        # (people, W, frames, heads * key) -> (people, heads, W, frames * key)
        query, key = (t.unflatten(3, (self.num_heads, -1)).permute(0, 3, 1, 2, 4).flatten(3) for t in (query, key))
        logits = torch.matmul(query, key.transpose(2, 3))
        if self.scaled:
            if valid is None:
                logits = logits / (self.key_channels * frames)
            else:
                lengths = valid.sum(1).clamp(min=1).to(logits.dtype)
                logits = logits / (self.key_channels * lengths)[:, None, None, None]
        return logits.softmax(dim=-2)

    def merge_windows(self, features: Tensor) -> Tensor:
        assert self.window_merge is not None
        people, positions, frames, channels = features.shape
        joints = positions // self.tau
        parts = features.view(people, self.tau, joints * frames, channels)
        weight = self.window_merge.weight.view(channels, self.tau, channels).transpose(0, 1)
        return combine(parts, weight, self.window_merge.bias).unflatten(1, (joints, frames))

    def fold_norms(self) -> None:
        """Inference only: every batch norm becomes part of the layer before it."""
        if self.norm is not None:
            self.norm.fold_into(self.value, self.num_heads)
        for layer, norm in ((self.shortcut, self.shortcut_norm), (self.window_merge, self.window_norm)):
            if layer is not None and norm is not None:
                norm.fold_into(layer)
        self.norm = self.shortcut_norm = self.window_norm = None


class GraphConv(nn.Module):
    """ST-GCN's spatial unit: each subset of a graph mixes the joints and has its own projection; their sum is normed.

    Joints are mixed first, the published order's result: its bias, which is mixed too, becomes one per joint.

    Args:
        num_joints, in_channels, out_channels, num_subsets: sizes.
        learn_importance: every edge has a learned factor, 1 at first.
        norm: eps and momentum of the batch norm.
    """

    def __init__(
        self,
        num_joints: int,
        in_channels: int,
        out_channels: int,
        num_subsets: int,
        learn_importance: bool = True,
        **norm: Any,
    ) -> None:
        super().__init__()
        self.num_subsets, self.in_channels, self.out_channels = num_subsets, in_channels, out_channels
        self.importance: nn.Parameter | None = None
        if learn_importance:
            self.importance = nn.Parameter(torch.empty(num_subsets, num_joints, num_joints))
        self.value = PointwiseLinear(in_channels, num_subsets * out_channels, fan_out=out_channels)
        self.norm: ChannelNorm | None = ChannelNorm(out_channels, **norm)
        self.shift: Tensor | None = None

    def forward(
        self, features: Tensor, valid: Tensor | None = None, graph: Tensor | None = None
    ) -> tuple[Tensor, None, Tensor]:
        """As `DependencyAttention.forward`, without attention; `graph (subsets, joints, joints)` is needed."""
        assert graph is not None
        matrices = graph if self.importance is None else graph * self.importance
        weights = matrices.to(features.dtype).expand(features.shape[0], -1, -1, -1)
        out = recomputed(self.mix_and_project, features, weights)
        out = out + self.joint_bias(matrices).unsqueeze(1).to(out.dtype)
        if self.norm is not None:
            out = self.norm(out, valid)
        return out.relu_(), None, weights

    def mix_and_project(self, features: Tensor, weights: Tensor) -> Tensor:
        weight = adapted_weight(self.value).view(self.num_subsets, self.out_channels, self.in_channels)
        return combine(mix_joints(features, weights), weight, None).unflatten(1, (-1, features.shape[2]))

    def joint_bias(self, matrices: Tensor) -> Tensor:
        """`(joints, out_channels)`: the projections' biases as the graph mixes them."""
        bias = self.value.bias.view(self.num_subsets, self.out_channels)
        # s: subset, v: joint given, w: joint taking, o: channel
        mixed = torch.einsum("svw,so->wo", matrices.to(bias.dtype), bias)
        return mixed if self.shift is None else mixed + self.shift

    @torch.no_grad()
    def fold_norms(self) -> None:
        """Inference only: the batch norm becomes part of the projections and of the bias, whose shift is not mixed."""
        if self.norm is None:
            return
        scale, shift = self.norm.scale_and_shift()
        self.value.weight.mul_(scale.repeat(self.num_subsets).unsqueeze(1))
        self.value.bias.mul_(scale.repeat(self.num_subsets))
        del self.shift
        self.register_buffer("shift", shift, persistent=False)
        self.norm = None


def recomputed(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """`function(*inputs)`, computed again in the backward pass: mixing is cheap, its result the largest of a block."""
    if torch.is_grad_enabled():
        return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
    return function(*inputs)


def mix_joints(windows: Tensor, dependencies: Tensor) -> Tensor:
    """`(people, W, frames, channels)` and `(people, heads, W, W)` -> `(people, heads, W * frames, channels)`."""
    people, positions, frames, channels = windows.shape
    heads = dependencies.shape[1]
    rows = dependencies.transpose(2, 3).reshape(people, heads * positions, positions).to(windows.dtype)
    mixed = torch.matmul(rows, windows.reshape(people, positions, frames * channels))
    return mixed.view(people, heads, positions * frames, channels)


def slide_windows(features: Tensor, tau: int) -> Tensor:
    """`(people, joints, frames, channels)` -> `(people, tau * joints, frames, channels)`, zeros beyond the clip."""
    frames = features.shape[2]
    padded = F.pad(features, (0, 0, tau // 2, tau // 2))
    return torch.cat([padded[:, :, shift : shift + frames] for shift in range(tau)], dim=1)
