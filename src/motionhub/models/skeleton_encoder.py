"""What UNIK, 2s-AGCN and ST-GCN share: sizes, blocks over joints and frames, people and padding, loading, folding."""

import copy
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import MotionConfig
from motionhub.nn.graph_conv import DependencyAttention, GraphConv, JointGraph
from motionhub.nn.masked_norm import ChannelNorm, PersonNorm
from motionhub.nn.people import Presence, frames_of_clip, mean_over_frames, zero_padding
from motionhub.nn.temporal import FrameConv2d, PointwiseLinear, TemporalConv
from motionhub.skeletons.layouts import stated_layout


OFFICIAL_CHANNELS = [64, 64, 64, 64, 128, 128, 128, 256, 256, 256]
OFFICIAL_STRIDES = [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]


@strict
class SkeletonEncoderConfig(MotionConfig):
    """Sizes and options that all families have; a family's config adds its own.

    Args:
        layout: name of the skeleton layout the weights expect (read by processors and pipelines).
        num_joints, in_channels, num_people: shape of the input; `num_people` is the number of person slots.
        channels, strides, dilations: output channels, temporal stride and dilation of each block (one length for all
            three; `channels=None` is the published ten blocks, `dilations=None` is 1 everywhere).
        temporal_kernel: frames a temporal convolution sees (odd).
        pooling: `"masked"` ignores absent people and padded frames exactly, `"official"` averages them as zeros.
        classifier_dropout: dropout before the classification or segmentation head.
        upsampling: how segmentation scores return to the input frame rate, `"linear"` or `"repeat"`.
    """

    layout: str = "posetics-17"
    num_joints: int = 17
    in_channels: int = 2
    num_people: int = 2
    channels: list[int] | None = None
    strides: list[int] | None = None
    dilations: list[int] | None = None
    temporal_kernel: int = 9
    norm_eps: float | int = 1e-5
    norm_momentum: float | int = 0.1
    pooling: Literal["masked", "official"] = "masked"
    classifier_dropout: float | int = 0.0
    upsampling: Literal["linear", "repeat"] = "linear"

    # No fields: sizes that must be odd; std of all initial weights (None: by fan-out).
    odd_sizes: ClassVar[tuple[str, ...]] = ("temporal_kernel",)
    initial_std: ClassVar[float | None] = None

    def __post_init__(self, **kwargs: Any) -> None:
        if self.channels is None:
            self.channels = list(OFFICIAL_CHANNELS)
            if self.strides is None:
                self.strides = list(OFFICIAL_STRIDES)
        if self.strides is None:
            self.strides = [1] * len(self.channels)
        if self.dilations is None:
            self.dilations = [1] * len(self.channels)
        super().__post_init__(**kwargs)

    def validate_blocks(self) -> None:
        lengths = {name: len(getattr(self, name) or []) for name in ("channels", "strides", "dilations")}
        if len(set(lengths.values())) != 1 or not lengths["channels"]:
            raise ValueError(
                f"{type(self).__name__} expects channels, strides and dilations of one length (one entry per block), "
                f"got {lengths}; pass all three, or channels alone for stride 1 everywhere."
            )

    def validate_odd_sizes(self) -> None:
        for name in self.odd_sizes:
            if getattr(self, name) < 1 or getattr(self, name) % 2 == 0:
                raise ValueError(
                    f"{type(self).__name__} expects an odd {name} (an even one would change the number of frames), "
                    f"got {getattr(self, name)}; use {getattr(self, name) + 1}."
                )

    def validate_key_channels(self) -> None:
        ratio = getattr(self, "key_ratio", 1)
        if any(count % ratio for count in self.channels or []):
            raise ValueError(
                f"{type(self).__name__} expects channels divisible by key_ratio={ratio}, got {self.channels}."
            )

    @property
    def hidden_size(self) -> int:
        """Channels of the features that leave the encoder."""
        return (self.channels or OFFICIAL_CHANNELS)[-1]

    @property
    def frame_stride(self) -> int:
        """Input frames per output frame."""
        return math.prod(self.strides or OFFICIAL_STRIDES)

    def block_channels(self, index: int) -> tuple[int, int]:
        """Channels that go into block `index`, and that come out."""
        assert self.channels is not None
        return self.channels[index - 1] if index else self.in_channels, self.channels[index]


@strict
class GraphEncoderConfig(SkeletonEncoderConfig):
    """A config whose encoder mixes joints by the bones of `layout`, which fixes `num_joints`.

    Args:
        layout: the skeleton layout's name, or all of it as JSON (`skeletons.layouts.layout_text`).
    """

    layout: str = "ntu-25"
    num_joints: int = 25
    in_channels: int = 3

    def validate_layout(self) -> None:
        joints = stated_layout(self.layout).num_joints
        if joints != self.num_joints:
            raise ValueError(
                f"{type(self).__name__} builds its graph from layout {self.layout[:80]!r}, which has {joints} joints, "
                f"but num_joints is {self.num_joints}; set both."
            )


@dataclass
class SkeletonEncoderOutput(ModelOutput):
    """What an encoder returns; absent people are zeros everywhere (`T'` is the frame count of that block).

    `M` is that of the input; with `pooling="official"` it is `num_people`, whose missing ones were added as zeros.

    Attributes:
        last_hidden_state: `(B, M, T', V, C)` features per person, frame and joint.
        pooler_output: `(B, C)` mean over frames and joints, then over people.
        hidden_states: normalised input and every block's output, `(B, M, T', V, C)` each.
        attentions: per block `(B, M, H, W, W)`, `W = tau * V`; entry `[v, w]` is what joint w takes from joint v,
            columns (`dim=-2`) sum to 1. Empty for a family without attention.
        dependencies: per block, shaped alike: all that joint w takes from joint v (graph, learned matrix, attention).
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    dependencies: tuple[Tensor, ...] | None = None


class JointBlock(GradientCheckpointingLayer):
    """`relu(dropout(temporal(spatial(x))) + residual(x))` over `(people, joints, frames, channels)`."""

    def __init__(self, config: SkeletonEncoderConfig, index: int, spatial: nn.Module) -> None:
        super().__init__()
        assert config.strides and config.dilations
        in_channels, out_channels = config.block_channels(index)
        self.stride = config.strides[index]
        norm = config.norm_options
        self.spatial = spatial
        self.temporal = TemporalConv(
            out_channels, out_channels, config.temporal_kernel, self.stride, config.dilations[index], **norm
        )
        self.residual: TemporalConv | None = None
        if index and (in_channels != out_channels or self.stride != 1):
            self.residual = TemporalConv(in_channels, out_channels, 1, self.stride, 1, **norm)
        self.has_residual = index > 0  # the official first blocks add nothing
        self.dropout = 0.0

    def forward(
        self, features: Tensor, valid: Tensor | None = None, graph: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """`features` zero where `valid (people, frames)` is False; so are the returned ones. Also the two maps."""
        valid_out = None if valid is None else valid[:, :: self.stride]
        mixed, attention, dependencies = self.spatial(features, valid, graph)
        out = self.temporal(zero_padding(mixed, valid), valid_out)
        if self.dropout and self.training:
            out = F.dropout(out, self.dropout)
        if self.residual is not None:
            out = out.add_(self.residual(features, valid_out))
        elif self.has_residual:
            out = out.add_(features)
        return zero_padding(out.relu_(), valid_out), attention, dependencies


class SkeletonPreTrainedModel(PreTrainedModel):
    """Loading, saving, folding, and the initialisation that every leaf module names for itself."""

    config: SkeletonEncoderConfig
    base_model_prefix = "encoder"
    main_input_name = "keypoints"
    input_modalities = ["time"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["JointBlock"]
    is_fused = False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """By leaf module, because containers without own parameters are not always visited."""
        std = self.config.initial_std
        if isinstance(module, ChannelNorm | PersonNorm):
            super()._init_weights(module)
            if std is not None:
                init.normal_(module.weight, mean=1.0, std=std)
            elif isinstance(module, ChannelNorm):
                init.constant_(module.weight, module.initial_scale)
        elif isinstance(module, DependencyAttention):
            init.uniform_(module.dependency, *module.initial_range)
        elif isinstance(module, GraphConv) and module.importance is not None:
            init.ones_(module.importance)
        elif isinstance(module, JointGraph):
            init.copy_(module.subsets, torch.tensor(module.initial))
        elif isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None and std is not None:
            init.normal_(module.weight, std=std)
            init.zeros_(module.bias)
        elif isinstance(module, FrameConv2d | PointwiseLinear) and module.bias is not None and module.fan_out:
            init.normal_(module.weight, std=math.sqrt(2 / module.fan_out))
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):  # a classifier, or the official Conv3d with PyTorch's default
            bound = 1 / math.sqrt(module.in_features)
            init.uniform_(module.bias, -bound, bound)
            if isinstance(module, PointwiseLinear):
                init.uniform_(module.weight, -bound, bound)
            else:
                init.normal_(module.weight, std=math.sqrt(2 / module.out_features))

    def fuse(self) -> Self:
        """A copy for inference with every batch norm folded into the convolution before it: same outputs, less time.

        The copy can neither be trained nor saved: both raise an error (save the original model).
        """
        fused = copy.deepcopy(self).eval()
        for module in fused.modules():
            if isinstance(module, DependencyAttention | GraphConv | TemporalConv):
                module.fold_norms()
        fused.requires_grad_(False)
        fused.is_fused = True
        return fused

    def train(self, mode: bool = True) -> Self:
        if mode and self.is_fused:
            raise ValueError(
                "A fused model is for inference only; call train() on the model that fuse() was called on."
            )
        return super().train(mode)

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        if self.is_fused:
            raise ValueError("A fused model has no batch norms to save; save the model that fuse() was called on.")
        super().save_pretrained(*args, **kwargs)


class SkeletonEncoder(SkeletonPreTrainedModel):
    """Keypoints of a clip in, features per person, frame and joint and one vector per clip out.

    A family states which spatial unit each block has. With a `graph` its matrices go to every block. With
    `slot_norm=False` all person slots share the statistics of the raw keypoints.
    """

    # Loading the encoder of a classifier or segmenter leaves its head behind, on purpose.
    _keys_to_ignore_on_load_unexpected = [r"^classifier\."]
    slot_norm: ClassVar[bool] = True

    def __init__(self, config: SkeletonEncoderConfig, graph: JointGraph | None = None) -> None:
        super().__init__(config)
        slots = config.num_people if self.slot_norm else 1
        self.input_norm = PersonNorm(slots, config.num_joints, config.in_channels, **config.norm_options)
        self.graph = graph
        self.blocks = nn.ModuleList(self.block(index) for index in range(len(config.channels or [])))
        self.post_init()

    def spatial_unit(self, index: int, in_channels: int, out_channels: int) -> nn.Module:
        """The module of block `index` that mixes the joints of a frame, called like `DependencyAttention`."""
        raise NotImplementedError

    def block(self, index: int) -> JointBlock:
        """The spatial unit, then the temporal convolution."""
        return JointBlock(self.config, index, self.spatial_unit(index, *self.config.block_channels(index)))

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
            keypoints: `(B, M, T, V, C)` finite numbers as the processor makes them; M may be below `num_people`.
            joint_mask: `(B, M, T, V)`, accepted and not used: missing joints enter with their filled-in values.
            attention_mask: `(B, M, T)` True where a person has a frame. Everything up to a person's last True frame
                counts as the clip, what follows is padding; a person without any True frame is absent.
            output_hidden_states, output_attentions: return them (see `SkeletonEncoderOutput`).

        Raises:
            ValueError: the shape does not fit the config.
        """
        keep_states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        keep_maps = self.config.output_attentions if output_attentions is None else output_attentions
        check_keypoints(keypoints, attention_mask, self.config)
        clip_mask = frames_of_clip(attention_mask)
        slots = keypoints.shape[1] if self.config.pooling == "masked" else self.config.num_people
        keypoints, clip_mask = fill_slots(keypoints.to(self.input_norm.weight.dtype), clip_mask, self.config)
        people = Presence.of((keypoints.shape[0], keypoints.shape[1]), clip_mask)
        normed = self.normalize(keypoints, None if people.present is None else clip_mask)
        valid, graph = people.valid, None if self.graph is None else self.graph.subsets
        features = zero_padding(people.gather(normed).transpose(1, 2).contiguous(), valid)

        states, attentions, dependencies = [features] if keep_states else [], [], []
        for block in self.blocks:
            features, attention, dependency = block(features, valid, graph)
            valid = None if valid is None else valid[:, :: block.stride]
            if keep_states:
                states.append(features)
            if keep_maps:
                dependencies.append(people.scatter(dependency)[:, :slots])
            if keep_maps and attention is not None:
                attentions.append(people.scatter(attention)[:, :slots])
        if keep_states:
            states = [people.scatter(state.transpose(1, 2))[:, :slots] for state in states]
        return SkeletonEncoderOutput(
            last_hidden_state=people.scatter(features.transpose(1, 2))[:, :slots],
            pooler_output=people.mean(mean_over_frames(features, valid)),
            hidden_states=tuple(states) if keep_states else None,
            attentions=tuple(attentions) if keep_maps else None,
            dependencies=tuple(dependencies) if keep_maps else None,
        )

    def normalize(self, keypoints: Tensor, clip_mask: Tensor | None) -> Tensor:
        """Batch norm of the raw keypoints `(B, M, T, V, C)`, with statistics per person slot or for all of them."""
        if self.slot_norm:
            return self.input_norm(keypoints, clip_mask)
        mask = None if clip_mask is None else clip_mask.flatten(0, 1).unsqueeze(1)
        return self.input_norm(keypoints.flatten(0, 1).unsqueeze(1), mask).view_as(keypoints)


def check_keypoints(keypoints: Tensor, attention_mask: Tensor | None, config: Any) -> None:
    """ValueError unless the shapes are those of the config."""
    shape, rows = tuple(keypoints.shape), (config.num_joints, config.in_channels)
    most = getattr(config, "num_people", None)
    people = "people" if most is None else f"people <= {most}"
    fits = keypoints.dim() == 5 and shape[3:] == rows and shape[2] > 0 and (most is None or shape[1] <= most)
    if not fits:
        raise ValueError(
            f"This model expects keypoints (batch, {people}, frames >= 1, {rows[0]} joints, {rows[1]} dims) in layout "
            f"{config.layout[:80]!r}, got {shape}; its processor makes them of any layout, or convert "
            f"with motionhub.convert_layout(sequence, {config.layout[:80]!r})."
        )
    if attention_mask is not None and attention_mask.shape != keypoints.shape[:3]:
        raise ValueError(
            f"The model expects attention_mask (batch, people, frames) = {tuple(keypoints.shape[:3])}, got "
            f"{tuple(attention_mask.shape)}; collate_skeletons makes both."
        )


def fill_slots(
    keypoints: Tensor, clip_mask: Tensor | None, config: SkeletonEncoderConfig
) -> tuple[Tensor, Tensor | None]:
    """Zeros for padding and for the people missing to `num_people`, and the mask of the valid frames.

    The official average knows no mask, so with `pooling="official"` the mask ends here.
    """
    missing = config.num_people - keypoints.shape[1]
    if missing and clip_mask is None and config.pooling == "masked":
        clip_mask = keypoints.new_ones(keypoints.shape[:3], dtype=torch.bool)
    if clip_mask is not None:
        keypoints = keypoints.masked_fill(~clip_mask[..., None, None], 0)
    if missing:
        keypoints = F.pad(keypoints, (0, 0, 0, 0, 0, 0, 0, missing))
        clip_mask = None if clip_mask is None else F.pad(clip_mask, (0, 0, 0, missing))
    return keypoints, clip_mask if config.pooling == "masked" else None
