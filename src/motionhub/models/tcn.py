"""A temporal convolution net over whole poses: small, fast, and told which joints it sees.

Ours; residual dilated convolutions over time as in Bai, Kolter and Koltun (2018), "An Empirical Evaluation of Generic
Convolutional and Recurrent Networks for Sequence Modeling". Where UNIK learns how joints depend on each other, here
all joints of a frame are one vector.

A pose is seen from its own middle and in its own size, so that neither the place nor the distance of a person counts:
    middle `c_t`: the root joint, or the mean of the joints where it was never detected
    size `s`: four times the root mean square distance of joints and middle, over the clip
    a frame: `(x - c) / s` and its difference to the frame before, the path `(c - mean c) / s` and its difference, and
    which joints were ever detected
A joint that was never detected is 0 in all of them.
"""

from typing import ClassVar

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers.utils import can_return_tuple

from motionhub.models.skeleton_encoder import (
    SkeletonEncoderConfig,
    SkeletonEncoderOutput,
    SkeletonPreTrainedModel,
    check_keypoints,
)
from motionhub.models.skeleton_heads import SkeletonForActionClassification, SkeletonForActionSegmentation
from motionhub.nn.people import Presence, frames_of_clip
from motionhub.skeletons.layouts import stated_layout


# Coordinates and differences in units of about one.
PLACE, CHANGE, SIZE = 2.0, 5.0, 4.0
SMALLEST = 1e-4


@strict
class TcnConfig(SkeletonEncoderConfig):
    """Sizes of the temporal convolution net; see `SkeletonEncoderConfig` for what all families have.

    Args:
        channels: of each block, all alike; None: four blocks of 128.
        dilations: of each block; None: 1, 2, 4, 1.
        dropout: of each block's change.

    Examples:
        >>> motionhub.TcnConfig(layout="coco-17", num_joints=17, channels=[64, 64]).hidden_size
        128
    """

    model_type = "motionhub_tcn"

    layout: str = "smarthome-15"
    num_joints: int = 15
    num_people: int = 1
    temporal_kernel: int = 5
    dropout: float | int = 0.1

    initial_std: ClassVar[float | None] = None

    def __post_init__(self, **kwargs: object) -> None:
        if self.channels is None:
            self.channels = [128] * 4
        if self.dilations is None:
            self.dilations = [(1, 2, 4)[index % 3] for index in range(len(self.channels))]
        super().__post_init__(**kwargs)

    def validate_one_width(self) -> None:
        if len(set(self.channels or [])) != 1 or set(self.strides or []) != {1}:
            raise ValueError(
                f"TcnConfig expects blocks of one width and stride 1, got channels {self.channels} and strides "
                f"{self.strides}."
            )

    def validate_root(self) -> None:
        joints = stated_layout(self.layout).num_joints
        if joints != self.num_joints:
            raise ValueError(
                f"TcnConfig takes the middle of a pose from layout {self.layout[:80]!r}, which has {joints} joints; "
                f"num_joints is {self.num_joints}, set both."
            )

    @property
    def hidden_size(self) -> int:
        """Channels of the pooled features: the mean and the maximum over the frames."""
        return 2 * (self.channels or [])[-1]

    @property
    def frame_features(self) -> int:
        """Numbers that describe one frame."""
        return 2 * (self.num_joints + 1) * self.in_channels + self.num_joints


class TcnBlock(nn.Module):
    """`x + dropout(mix(gelu(conv(norm(x)))))` over `(people, frames, channels)`."""

    def __init__(self, config: TcnConfig, index: int) -> None:
        super().__init__()
        assert config.channels and config.dilations
        width, kernel, dilation = config.channels[index], config.temporal_kernel, config.dilations[index]
        self.norm = nn.LayerNorm(width, eps=float(config.norm_eps))
        self.conv = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout(float(config.dropout))

    def forward(self, features: Tensor, valid: Tensor | None = None) -> Tensor:
        """Padded frames, where `valid (people, frames)` is False, are zeros for the convolution."""
        normed = self.norm(features)
        if valid is not None:
            normed = normed * valid[..., None].to(normed.dtype)
        mixed = self.mix(nn.functional.gelu(self.conv(normed.transpose(1, 2)).transpose(1, 2)))
        return features + self.dropout(mixed)


class TcnModel(SkeletonPreTrainedModel):
    """Features of every frame, `(B, M, T, 1, C)`, and of the clip, their mean and maximum, `(B, 2 C)`.

    Examples:
        >>> import torch
        >>> config = motionhub.TcnConfig(layout="coco-17", num_joints=17, channels=[8, 8])
        >>> model = motionhub.TcnModel(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).pooler_output.shape
        torch.Size([1, 16])
    """

    config: TcnConfig
    _keys_to_ignore_on_load_unexpected = [r"^classifier\."]
    _no_split_modules = ["TcnBlock"]
    supports_gradient_checkpointing = False

    def __init__(self, config: TcnConfig) -> None:
        super().__init__(config)
        layout = stated_layout(config.layout)
        self.root = layout.index(layout.root)
        assert config.channels
        self.embed = nn.Linear(config.frame_features, config.channels[0])
        self.blocks = nn.ModuleList(TcnBlock(config, index) for index in range(len(config.channels)))
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> SkeletonEncoderOutput:
        """Encode a batch of clips.

        Args:
            keypoints: `(B, M, T, V, C)` finite numbers as the processor makes them.
            joint_mask: `(B, M, T, V)` True where a joint was detected; joints that a person never has are left out.
                None: all are there.
            attention_mask: `(B, M, T)`, see `SkeletonEncoder`.
            output_hidden_states: whether to return the features before and after every block.
            output_attentions: accepted; there are none.

        Raises:
            ValueError: the shape does not fit the config.
        """
        keep_states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        check_keypoints(keypoints, attention_mask, self.config)
        clip_mask = frames_of_clip(attention_mask)
        people = Presence.of((keypoints.shape[0], keypoints.shape[1]), clip_mask)
        points, valid = people.gather(keypoints.to(self.embed.weight.dtype)), people.valid
        seen = torch.ones_like(points[..., 0]) if joint_mask is None else people.gather(joint_mask).to(points.dtype)
        features = self.embed(described(points, seen, valid, self.root))
        states = [features] if keep_states else []
        for block in self.blocks:
            features = block(features, valid)
            if keep_states:
                states.append(features)
        if valid is not None:
            features = features * valid[..., None].to(features.dtype)
        return SkeletonEncoderOutput(
            last_hidden_state=people.scatter(features)[:, :, :, None],
            pooler_output=people.mean(mean_and_maximum(features, valid)),
            hidden_states=tuple(people.scatter(state)[:, :, :, None] for state in states) if keep_states else None,
            attentions=() if output_attentions else None,
        )


def described(points: Tensor, seen: Tensor, valid: Tensor | None, root: int) -> Tensor:
    """`(people, frames, frame_features)` of poses `(people, frames, joints, dims)`, see the head of this file.

    Args:
        points: finite numbers, of padding anything.
        seen: `(people, frames, joints)` 1 where a joint was detected.
        valid: `(people, frames)`, False for padding; None: there is none.
        root: the joint in the middle.
    """
    if valid is not None:
        points = points.masked_fill(~valid[..., None, None], 0)
    frames = torch.ones_like(points[..., 0, 0]) if valid is None else valid.to(points.dtype)
    joints = (seen * frames[..., None]).amax(1, keepdim=True)  # ever detected, (people, 1, joints)
    count = joints.sum(-1, keepdim=True).clamp(min=1)[..., None]
    mean = (points * joints[..., None]).sum(2, keepdim=True) / count
    has_root = joints[..., root, None, None]
    middle = has_root * points[:, :, root : root + 1] + (1 - has_root) * mean
    inside = joints[..., None] * frames[..., None, None]
    apart = (points - middle) * inside
    total = frames.sum(1)[:, None, None, None].clamp(min=1)
    size = SIZE * (apart.square().sum((1, 2, 3), keepdim=True) / (total * count)).sqrt().clamp(min=SMALLEST)
    pose = apart / size
    mean_place = (middle * frames[..., None, None]).sum(1, keepdim=True) / total
    path = (middle - mean_place) / size * frames[..., None, None]
    moving = torch.cat([pose, path], dim=2)
    change = torch.zeros_like(moving)
    change[:, 1:] = (moving[:, 1:] - moving[:, :-1]) * frames[:, 1:, None, None]
    parts = [PLACE * moving.flatten(2), CHANGE * change.flatten(2), inside[..., 0]]
    return torch.cat(parts, dim=-1)


def mean_and_maximum(features: Tensor, valid: Tensor | None) -> Tensor:
    """`(people, 2 C)` over the frames of `(people, frames, C)` that are none of padding."""
    if valid is None:
        return torch.cat([features.mean(1), features.amax(1)], dim=-1)
    count = valid.sum(1, keepdim=True).clamp(min=1).to(features.dtype)
    lowest = torch.finfo(features.dtype).min
    highest = features.masked_fill(~valid[..., None], lowest).amax(1)
    return torch.cat([features.sum(1) / count, torch.where(valid.any(1, keepdim=True), highest, 0)], dim=-1)


class TcnForActionClassification(SkeletonForActionClassification):
    """One label per clip; logits without softmax.

    Examples:
        >>> import torch
        >>> config = motionhub.TcnConfig(layout="coco-17", num_joints=17, channels=[8], num_labels=5)
        >>> model = motionhub.TcnForActionClassification(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 5])
    """

    config: TcnConfig
    encoder_class = TcnModel
    supports_gradient_checkpointing = False


class TcnForActionSegmentation(SkeletonForActionSegmentation):
    """Scores per input frame, of the features of that frame.

    Examples:
        >>> import torch
        >>> config = motionhub.TcnConfig(layout="coco-17", num_joints=17, channels=[8], num_labels=5)
        >>> model = motionhub.TcnForActionSegmentation(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 30, 5])
    """

    config: TcnConfig
    encoder_class = TcnModel
    supports_gradient_checkpointing = False

    @staticmethod
    def head_size(config: TcnConfig) -> int:
        """Channels of a frame."""
        return (config.channels or [])[-1]
