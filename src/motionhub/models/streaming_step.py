"""The step of a stream as a function without state, for graphs of other runtimes: new frames and the past in and out.

Every block answers a constant number of frames late, so that all shapes are constant: `models/streaming.py` computes
the same, each frame as early as it can. Products that leave the context are the caller's to subtract, who keeps them
in rings: a graph would copy all of them at every step.
"""

from typing import Any

import torch
from torch import Tensor, nn

from motionhub.models.streaming import StreamingSegmenter, answered, running_attention, temporal_padding


class StreamingStep(nn.Module):
    """`frame_stride` new frames of a segmenter: one coarse score, and what the next step needs.

    Args:
        model: a segmentation model in evaluation mode; see `StreamingSegmenter` for errors.
        context: frames whose products make the attention.

    Attributes:
        frames: new frames of a step.
        late: coarse scores by which a step's score is behind its frames.
        shapes: of the state, by name: `mixed_0`, `inputs_0`, `base_0`, ...; of a block without attention no `base`.

    Examples:
        >>> import torch
        >>> config = motionhub.UnikConfig(num_people=1, num_labels=2, channels=[8, 8], strides=[1, 2])
        >>> model = motionhub.UnikForActionSegmentation(config).eval()
        >>> step = motionhub.StreamingStep(model, context=64)
        >>> step.frames, step.late
        (2, 4)
        >>> state = [torch.zeros(shape) for shape in step.shapes.values()]
        >>> frames = torch.randn(1, 2, config.num_joints, 2)
        >>> score, *state = step(frames, torch.tensor([0]), torch.tensor([1000]), *state)
        >>> score.shape
        torch.Size([1, 2])
    """

    def __init__(self, model: Any, *, context: int) -> None:
        super().__init__()
        self.stream = StreamingSegmenter(model, context=context)
        self.model, self.context, self.frames = self.stream.model, context, self.stream.stride
        encoder, config = self.model.encoder, self.model.config
        if context < self.frames:
            raise ValueError(f"context must be at least {self.frames} frames, a step of this model, got {context}.")
        self.people = int(config.num_people)
        self.blocks = list(encoder.blocks)
        self.attentions = [running_attention(block, self.people, context) for block in self.blocks]
        self.lags, self.behind, self.rates = [], [0], [1]
        for block in self.blocks:
            lag = max(temporal_padding(block) - block.stride + 1, 0)
            lag += -(self.behind[-1] + lag) % block.stride  # outputs stand at multiples of the stride
            self.lags.append(lag)
            self.behind.append((self.behind[-1] + lag) // block.stride)
            self.rates.append(self.rates[-1] * block.stride)
        self.late = self.behind[-1]
        self.shapes = dict(self._shapes())

    def _shapes(self) -> Any:
        joints, channels = self.model.config.num_joints, self.model.config.in_channels
        for index, (block, lag, attention) in enumerate(zip(self.blocks, self.lags, self.attentions, strict=True)):
            made = block.temporal.conv.out_channels
            yield f"mixed_{index}", (self.people, joints, lag + temporal_padding(block), made)
            yield f"inputs_{index}", (self.people, joints, lag, channels)
            if attention is not None:
                heads = attention.unit.num_heads
                yield f"base_{index}", (self.people, self.frames // self.rates[index], heads, joints, joints)
            channels = made

    def forward(self, keypoints: Tensor, position: Tensor, length: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """The score `(1, labels)`, then the next state in the order of `shapes`, the products in place of `base`.

        Args:
            keypoints: `(people, frames, joints, dims)` as the processor makes them.
            position: `(1,)` frames before these ones.
            length: `(1,)` frames of the whole stream; any large number before its end.
            state: in the order of `shapes`, zeros at first. `base`: the products of the context before each new frame,
                without those that left it by then.
        """
        given = dict(zip(self.shapes, state, strict=True))
        made: dict[str, Tensor] = {}
        features = self.stream.entered(keypoints)
        graph = None if self.model.encoder.graph is None else self.model.encoder.graph.subsets
        for index, block in enumerate(self.blocks):
            features = self._block(index, block, features, graph, position, length, given, made)
        scores = self.model.classifier(features.mean(1).mean(0))
        return scores, *[made[name] for name in self.shapes]

    def facts(self) -> dict[str, Any]:
        """What `runtime.stream.ExportedStream` needs to know."""
        config, stride = self.model.config, self.stream.stride
        pairs = zip(self.rates, self.behind, strict=True)
        return {
            "context": self.context,
            "frames": self.frames,
            "stride": stride,
            "late": self.late,
            "delay": self.late * stride + stride - 1 + self.frames - 1,
            "receptive_field": self.stream.receptive_field,
            "labels": config.num_labels,
            "upsampling": config.upsampling,
            "state": {name: list(shape) for name, shape in self.shapes.items()},
            "blocks": [{"rate": rate, "behind": behind} for rate, behind in pairs][: len(self.blocks)],
        }

    def _block(
        self,
        index: int,
        block: Any,
        features: Tensor,
        graph: Tensor | None,
        position: Tensor,
        length: Tensor,
        given: dict[str, Tensor],
        made: dict[str, Tensor],
    ) -> Tensor:
        """`(people, joints, frames, channels)` of one block; its new state goes to `made`."""
        rate, count, attention = self.rates[index], features.shape[2], self.attentions[index]
        times = position // rate - self.behind[index] + torch.arange(count)
        valid = ((times >= 0) & (times < (length + rate - 1) // rate)).to(features.dtype)
        if attention is None:
            mixed = block.spatial(features, None, graph)[0]
        else:
            frames = features.transpose(1, 2)
            products = attention.products(frames) * valid[None, :, None, None, None]
            counts = (times + 1).clamp(min=1, max=self.context)
            sums = given[f"base_{index}"] + products.cumsum(1)
            mixed = attention.mix_by(frames, sums, counts, graph).transpose(1, 2)
            made[f"base_{index}"] = products
        mixed = torch.cat([given[f"mixed_{index}"], mixed * valid[None, None, :, None]], dim=2)
        inputs = torch.cat([given[f"inputs_{index}"], features], dim=2)
        made[f"mixed_{index}"], made[f"inputs_{index}"] = mixed[:, :, count:], inputs[:, :, count:]
        return answered(block, mixed, inputs, count // block.stride)
