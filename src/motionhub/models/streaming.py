"""A skeleton segmenter frame by frame: each new frame is computed once, whatever the context.

Every temporal convolution keeps the frames that its kernel still needs, and answers for a frame once the frames after
it are there. What UNIK and 2s-AGCN compute over the whole clip, the attention between joints, is here that of the last
`context` frames, as sums of which the oldest frame is subtracted. So a stream equals:

- the model itself, for encoders without attention (ST-GCN);
- the model whose attention at each frame is that of the `context` frames before it, for the others. Frames early in a
  window then have another map than in a forward pass of the whole window, where all frames share one;
  `benchmarks/streaming_speed.py --recordings FILE` prints how often the labels agree.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from motionhub.models.skeleton_encoder import JointBlock, fill_slots
from motionhub.nn.graph_conv import DependencyAttention


class StreamingSegmenter:
    """Logits of a stream, one frame after the other, at a cost per frame that does not depend on the context.

    Args:
        model: a segmentation model (`UnikForActionSegmentation`, ...), in evaluation mode.
        context: frames whose products make the attention; ST-GCN has none.
        present: `(people,)` bool, the people present throughout the stream; None: all.

    Attributes:
        delay: frames after a frame that must be there before its logits are.
        receptive_field: frames that its logits depend on, the attention apart.

    Raises:
        ValueError: the model is in training mode, has tau above 1, or context is below 1.

    Examples:
        >>> import torch
        >>> config = motionhub.UnikConfig(num_people=1, num_labels=2, channels=[8, 8], strides=[1, 2])
        >>> model = motionhub.UnikForActionSegmentation(config).eval()
        >>> stream = motionhub.StreamingSegmenter(model, context=64)
        >>> stream.delay, stream.receptive_field
        (9, 17)
        >>> camera = torch.randn(1, 30, config.num_joints, 2).split(10, dim=1)  # as the processor makes them
        >>> [len(stream.add(frames)) for frames in camera], len(stream.finish())
        ([1, 10, 10], 9)
    """

    def __init__(self, model: Any, *, context: int, present: Tensor | None = None) -> None:
        if model.training:
            raise ValueError("The model is in training mode, so a forward pass would change it; call model.eval().")
        if context < 1:
            raise ValueError(f"context must be at least 1 frame, got {context}.")
        if getattr(model.config, "tau", 1) > 1:
            raise ValueError("Streaming is for models of tau=1; use OnlineSegmenter(model, window=...) for this one.")
        self.model = model if model.is_fused else model.fuse()
        self.context, self.present = context, present
        rates = [1]
        for block in model.encoder.blocks:
            rates.append(rates[-1] * block.stride)
        ahead = sum(rate * temporal_padding(block) for rate, block in zip(rates, model.encoder.blocks, strict=False))
        self.stride = rates[-1]
        self.delay = ahead + self.stride - 1
        self.receptive_field = 2 * ahead + 1
        self._begin()

    def _begin(self) -> None:
        self._blocks: list[_StreamingBlock] | None = None
        self._received = self._given = self._scored = 0
        self._last: Tensor | None = None  # coarse scores (1, labels), the latest that may be interpolated from

    @torch.no_grad()
    def add(self, keypoints: Tensor) -> Tensor:
        """The logits `(frames, num_labels)` that became final with `keypoints (people, frames, joints, dims)`.

        Raises:
            ValueError: the shape does not fit the model, or the number of people changed.
        """
        config = self.model.config
        if keypoints.dim() != 4 or keypoints.shape[2:] != (config.num_joints, config.in_channels):
            raise ValueError(
                f"A stream expects (people, frames, {config.num_joints}, {config.in_channels}), got "
                f"{tuple(keypoints.shape)}. Pass absent people as zeros."
            )
        features = self.entered(keypoints)
        if self._blocks is None:
            starts = [_StreamingBlock(block, len(features), self.context) for block in self.model.encoder.blocks]
            self._blocks = starts
        if len(features) != self._blocks[0].people:
            raise ValueError(f"The stream began with {self._blocks[0].people} people, got {len(features)}.")
        self._received += keypoints.shape[1]
        graph = self.model.encoder.graph
        for block in self._blocks:
            features = block.step(features, None if graph is None else graph.subsets)
        return self._upsampled(features, last=False)

    @torch.no_grad()
    def finish(self) -> Tensor:
        """The logits of the remaining frames, at the end of the stream; a new stream can follow."""
        if self._blocks is None:
            return torch.zeros(0, self.model.config.num_classes)
        features: Tensor | None = None
        graph = self.model.encoder.graph
        for block in self._blocks:
            features = block.finish(features, None if graph is None else graph.subsets)
        assert features is not None
        rest = self._upsampled(features, last=True)
        self._begin()
        return rest

    def entered(self, keypoints: Tensor) -> Tensor:
        """Normalised keypoints `(people present, joints, frames, dims)`."""
        encoder, config = self.model.encoder, self.model.config
        slots, _ = fill_slots(keypoints[None].to(encoder.input_norm.weight.dtype), None, config)
        normed = encoder.normalize(slots, None)[0].transpose(1, 2)
        if config.pooling == "official":
            return normed.contiguous()
        normed = normed[: len(keypoints)]
        return normed.contiguous() if self.present is None else normed[self.present].contiguous()

    def _upsampled(self, features: Tensor, last: bool) -> Tensor:
        """Logits at the input rate, as `to_frame_rate` makes them: linear between scores, flat after the last."""
        scores = self.model.classifier(features.mean(1).mean(0))  # joints, then people: (frames, labels)
        scores = scores if self._last is None else torch.cat([self._last, scores])
        first = self._scored - (self._last is not None)  # index of the first of these scores
        self._scored = first + len(scores)
        end = self._received if last else max((self._scored - 1) * self.stride + 1, self._given)
        if not len(scores):
            return scores
        frames = torch.arange(self._given, end)
        left = (frames // self.stride).clamp(max=self._scored - 1)
        right = (left + 1).clamp(max=self._scored - 1)
        share = ((frames % self.stride) / self.stride)[:, None].to(scores.dtype)
        held, following = scores[left - first], scores[right - first]
        self._given, self._last = max(end, self._given), scores[-1:]
        return held if self.model.config.upsampling == "repeat" else torch.lerp(held, following, share)


class _StreamingBlock:
    """One block of the encoder with the frames and sums that it needs of the past."""

    def __init__(self, block: JointBlock, people: int, context: int) -> None:
        self.block, self.people, self.padding = block, people, temporal_padding(block)
        self.attention = running_attention(block, people, context)
        self._mixed: Tensor | None = None  # inputs of the temporal convolution, from that of its next output on
        self._inputs: Tensor | None = None  # of the block, from the frame of its next output on, for the residual

    def step(self, features: Tensor, graph: Tensor | None) -> Tensor:
        """New frames `(people, joints, frames, channels)` in, those that became final out, at its own rate."""
        if not features.shape[2]:
            return features.new_zeros(self.people, features.shape[1], 0, self.block.temporal.conv.out_channels)
        if self.attention is not None:
            mixed = self.attention.mix(features, graph)
        else:
            mixed = self.block.spatial(features, None, graph)[0]
        if self._mixed is None:
            self._mixed = mixed.new_zeros(*mixed.shape[:2], self.padding, mixed.shape[3])
            self._inputs = features[:, :, :0]
        assert self._inputs is not None
        self._mixed = torch.cat([self._mixed, mixed], dim=2)
        self._inputs = torch.cat([self._inputs, features], dim=2)
        return self._outputs()

    def finish(self, features: Tensor | None, graph: Tensor | None) -> Tensor:
        """The last frames: what the block before still gave, then zeros after the clip, as its padding."""
        made = [self.step(features, graph)] if features is not None and features.shape[2] else []
        assert self._mixed is not None
        end = self._mixed.new_zeros(*self._mixed.shape[:2], self.padding, self._mixed.shape[3])
        self._mixed = torch.cat([self._mixed, end], dim=2)
        made.append(self._outputs())
        return torch.cat(made, dim=2)

    def _outputs(self) -> Tensor:
        assert self._mixed is not None and self._inputs is not None
        block, stride = self.block, self.block.stride
        span = 2 * self.padding + 1
        count = max((self._mixed.shape[2] - span) // stride + 1, 0)
        count = min(count, -(-self._inputs.shape[2] // stride))
        if not count:
            return self._mixed.new_zeros(self.people, self._mixed.shape[1], 0, block.temporal.conv.out_channels)
        out = answered(block, self._mixed, self._inputs, count)
        # Contiguous copies, so that the past is freed.
        self._mixed = self._mixed[:, :, count * stride :].clone()
        self._inputs = self._inputs[:, :, count * stride :].clone()
        return out


def answered(block: JointBlock, mixed: Tensor, inputs: Tensor, count: int) -> Tensor:
    """The first `count` outputs of a fused block: its convolution over `mixed`, and the residual of `inputs`."""
    conv, stride, span = block.temporal.conv, block.stride, 2 * temporal_padding(block) + 1
    # Few frames: a matrix product takes less time than a convolution. (people, joints, frames, channels, kernel)
    used = mixed[:, :, : (count - 1) * stride + span].unfold(2, span, stride)[..., :: conv.dilation[1]]
    out = F.linear(used.flatten(3), conv.weight.flatten(1), conv.bias)
    own = inputs[:, :, : (count - 1) * stride + 1 : stride]
    if block.residual is not None:
        own = F.linear(own, block.residual.conv.weight.flatten(1), block.residual.conv.bias)
    return (out + own if block.has_residual else out).relu_()


def running_attention(block: JointBlock, people: int, context: int) -> "RunningAttention | None":
    """Of a block with attention between joints."""
    unit = block.spatial
    return RunningAttention(unit, people, context) if isinstance(unit, DependencyAttention) else None


class RunningAttention:
    """`DependencyAttention` whose map at each frame is made of the products of the last `context` frames."""

    def __init__(self, unit: DependencyAttention, people: int, context: int) -> None:
        self.unit, self.context = unit, context
        heads, joints = unit.num_heads, unit.dependency.shape[1]
        shape = (heads, joints, joints)
        self._products = unit.dependency.new_zeros(people, context, *shape)  # of the last frames, in a ring
        self._sums = torch.zeros(people, *shape, dtype=torch.float64)  # hours of adding and subtracting leave no trace
        self._seen = 0
        self._projection = torch.cat([unit.query.weight, unit.key.weight])
        self._projection_bias = torch.cat([unit.query.bias, unit.key.bias])
        values = unit.value.weight.view(heads, unit.out_channels, unit.in_channels)
        self._values = values.transpose(0, 1).flatten(1)  # of all heads, whose results are added up
        self._values_bias = unit.value.bias.view(heads, -1).sum(0)

    def mix(self, features: Tensor, graph: Tensor | None) -> Tensor:
        """`(people, joints, frames, channels)`: every frame mixed by the map of its own context."""
        return torch.cat([self._mixed(part, graph) for part in features.split(self.context, dim=2)], dim=2)

    def _mixed(self, features: Tensor, graph: Tensor | None) -> Tensor:
        frames = features.transpose(1, 2)
        return self.mix_by(frames, *self._sums_of(frames), graph).transpose(1, 2)

    def mix_by(self, frames: Tensor, sums: Tensor, counts: Tensor, graph: Tensor | None) -> Tensor:
        """Frames `(people, frames, joints, channels)`, each mixed by the map of its context.

        Args:
            sums: `(people, frames, heads, joints, joints)` the products of each frame's context.
            counts: `(frames,)` how many frames those are.
        """
        unit = self.unit
        if unit.scaled:
            sums = sums / (unit.key_channels * counts)[None, :, None, None, None]
        maps = sums.softmax(dim=-2).to(frames.dtype)
        dependencies = (unit.dependency if graph is None else unit.dependency + graph) + maps
        # (people, frames, heads, joints, channels) -> (people, frames, joints, heads * channels)
        mixed = torch.matmul(dependencies.transpose(3, 4), frames.unsqueeze(2)).transpose(2, 3).flatten(3)
        out = F.linear(mixed, self._values, self._values_bias)
        shortcut = frames if unit.shortcut is None else F.linear(frames, unit.shortcut.weight, unit.shortcut.bias)
        return out.add_(shortcut).relu_()

    def products(self, frames: Tensor) -> Tensor:
        """Queries times keys of each frame: `(people, frames, heads, joints, joints)`."""
        projected = F.linear(frames, self._projection, self._projection_bias)
        # (people, frames, joints, 2 * heads * key) -> (people, frames, heads, joints, key) each
        query, key = projected.unflatten(3, (2, self.unit.num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
        return torch.matmul(query, key.transpose(3, 4))

    def _sums_of(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Of at most `context` new frames: the products of each one's context summed up, and how many they are."""
        count, products = frames.shape[1], self.products(frames)
        places = torch.arange(self._seen, self._seen + count) % self.context
        sums = self._sums[:, None] + (products.double() - self._products[:, places].double()).cumsum(1)
        self._sums, self._products[:, places] = sums[:, -1].clone(), products
        counts = torch.arange(self._seen + 1, self._seen + count + 1).clamp(max=self.context)
        self._seen += count
        return sums, counts


def temporal_padding(block: JointBlock) -> int:
    """Frames that the convolution of a block sees before and after each."""
    return int(block.temporal.conv.padding[1])
