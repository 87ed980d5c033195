"""UNIK: an action encoder that learns which joints depend on which, for any skeleton layout.

It does not know file formats, layouts' joint names or normalisation (the processor's), nor how it is trained.

Paper: Yang et al., "UNIK: A Unified Framework for Real-world Skeleton-based Action Recognition", BMVC 2021,
https://arxiv.org/abs/2107.08580. Official code: https://github.com/YangDi666/UNIK.

Deliberate deviations from the official code, all without effect on its numbers:
- heads are stored stacked and computed together; joints are mixed before the value projection;
- the official `bias` of the spatial unit, registered but never used, is not kept;
- `pooling="masked"` (default) leaves absent people and padded frames out exactly: only people present are computed,
  padded frames are zero before every temporal convolution (what the border's zero padding would be) and do not enter
  the attention (whose scale uses the clip's own length), the batch statistics of training, or the means. Missing
  joints enter with the value the processor filled in. `pooling="official"` averages absent people and padded
  frames as zeros that went through the whole network, like the official code.

Where code and paper differ (dependency bound, dilations, attention scaling), the code is the default and the paper an
option.
"""

import copy
import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.nn.graph_conv import DependencyAttention
from motionhub.nn.heads import clip_loss, frame_loss, to_frame_rate, window_starts
from motionhub.nn.masked_norm import ChannelNorm, PersonNorm
from motionhub.nn.people import Presence, frames_of_clip, mean_over_frames, zero_padding
from motionhub.nn.temporal import FrameConv2d, PointwiseLinear, TemporalConv


OFFICIAL_CHANNELS = [64, 64, 64, 64, 128, 128, 128, 256, 256, 256]
OFFICIAL_STRIDES = [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]


@strict
class UnikConfig(PreTrainedConfig):
    """Sizes and options of UNIK; the defaults are the official Posetics encoder.

    Args:
        layout: name of the skeleton layout the weights expect (read by processors and pipelines).
        num_joints, in_channels, num_people: shape of the input; `num_people` is the number of person slots.
        channels, strides, dilations: output channels, temporal stride and dilation of each block (one length for all
            three; `dilations=None` is 1 everywhere as in the official code, the thesis draws 1, 3, 3, 3, 3, 1, ...).
        num_heads, first_block_heads: attention heads; the official first block has 3 whatever the others have.
        key_ratio: query and key have `channels // key_ratio` channels per head.
        tau: frames in a spatial window (odd); 1 is single frames.
        temporal_kernel: frames a temporal convolution sees (odd).
        attention_scaling: `"official"` divides the logits by key channels * frames, `"none"` is the paper's formula.
        dependency_init: bound of the uniform initial dependency matrix, `"official"` 1/W or `"paper"` 1/sqrt(W).
        spatial_norm_init: initial scale of the spatial batch norms (tiny: blocks begin as temporal convolutions).
        pooling: `"masked"` ignores absent people and padded frames exactly, `"official"` averages them as zeros.
        classifier_dropout: dropout before the classification or segmentation head.
        upsampling: how segmentation scores return to the input frame rate, `"linear"` or `"repeat"`.
    """

    model_type = "motionhub_unik"

    layout: str = "posetics-17"
    num_joints: int = 17
    in_channels: int = 2
    num_people: int = 2
    channels: list[int] | None = None
    strides: list[int] | None = None
    dilations: list[int] | None = None
    num_heads: int = 3
    first_block_heads: int = 3
    key_ratio: int = 4
    tau: int = 1
    temporal_kernel: int = 9
    attention_scaling: Literal["official", "none"] = "official"
    dependency_init: Literal["official", "paper"] = "official"
    spatial_norm_init: float | int = 1e-6
    norm_eps: float | int = 1e-5
    norm_momentum: float | int = 0.1
    pooling: Literal["masked", "official"] = "masked"
    classifier_dropout: float | int = 0.0
    upsampling: Literal["linear", "repeat"] = "linear"

    def __post_init__(self, **kwargs: Any) -> None:
        for name in kwargs:  # transformers keeps unknown keys, so a misspelt one would silently do nothing
            near = get_close_matches(name, self.__dataclass_fields__, n=1, cutoff=0.85)
            if near and name not in self.__dataclass_fields__:
                raise ValueError(f"UnikConfig has no field {name!r}; did you mean {near[0]!r}?")
        if self.channels is None:
            self.channels = list(OFFICIAL_CHANNELS)
            if self.strides is None:
                self.strides = list(OFFICIAL_STRIDES)
        if self.strides is None:
            self.strides = [1] * len(self.channels)
        if self.dilations is None:
            self.dilations = [1] * len(self.channels)
        super().__post_init__(**kwargs)

    def validate_sizes(self) -> None:
        single = ("num_joints", "in_channels", "num_people", "num_heads", "first_block_heads", "key_ratio")
        sizes = {name: [getattr(self, name)] for name in single}
        sizes |= {name: getattr(self, name) or [] for name in ("channels", "strides", "dilations")}
        wrong = {name: values for name, values in sizes.items() if any(value < 1 for value in values)}
        if wrong:
            raise ValueError(f"UnikConfig expects sizes of at least 1, got {wrong}.")
        if not 0 <= self.norm_momentum <= 1 or not self.norm_eps > 0:
            raise ValueError(
                f"UnikConfig expects norm_momentum in 0..1 and norm_eps above 0, got {self.norm_momentum} and "
                f"{self.norm_eps}."
            )

    def validate_blocks(self) -> None:
        lengths = {name: len(getattr(self, name) or []) for name in ("channels", "strides", "dilations")}
        if len(set(lengths.values())) != 1 or not lengths["channels"]:
            raise ValueError(
                f"UnikConfig expects channels, strides and dilations of one length (one entry per block), got "
                f"{lengths}; pass all three, or channels alone for stride 1 everywhere."
            )
        if any(count % self.key_ratio for count in self.channels or []):
            raise ValueError(
                f"UnikConfig expects channels divisible by key_ratio={self.key_ratio}, got {self.channels}."
            )

    def validate_odd_sizes(self) -> None:
        for name in ("tau", "temporal_kernel"):
            if getattr(self, name) < 1 or getattr(self, name) % 2 == 0:
                raise ValueError(
                    f"UnikConfig expects an odd {name} (an even one would change the number of frames), "
                    f"got {getattr(self, name)}; use {getattr(self, name) + 1}."
                )

    @property
    def hidden_size(self) -> int:
        """Channels of the features that leave the encoder."""
        return (self.channels or OFFICIAL_CHANNELS)[-1]

    @property
    def frame_stride(self) -> int:
        """Input frames per output frame."""
        return math.prod(self.strides or OFFICIAL_STRIDES)


@dataclass
class UnikOutput(ModelOutput):
    """What the encoder returns; absent people are zeros everywhere (`T'` is the frame count of that block).

    `M` is that of the input; with `pooling="official"` it is `num_people`, whose missing ones were added as zeros.

    Attributes:
        last_hidden_state: `(B, M, T', V, C)` features per person, frame and joint.
        pooler_output: `(B, C)` mean over frames and joints, then over people.
        hidden_states: normalised input and every block's output, `(B, M, T', V, C)` each.
        attentions: per block `(B, M, H, W, W)`, `W = tau * V`; entry `[v, w]` is what joint w takes from joint v,
            columns (`dim=-2`) sum to 1.
        dependencies: per block, learned dependency matrix plus attention, shaped alike.
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    dependencies: tuple[Tensor, ...] | None = None


@dataclass
class UnikHeadOutput(ModelOutput):
    """What a head returns: `logits (B, num_labels)` per clip or `(B, T, num_labels)` per frame; `loss` with labels."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    dependencies: tuple[Tensor, ...] | None = None


class UnikBlock(GradientCheckpointingLayer):
    """`relu(temporal(spatial(x)) + residual(x))` over `(people, joints, frames, channels)`."""

    def __init__(self, config: UnikConfig, index: int) -> None:
        super().__init__()
        assert config.channels and config.strides and config.dilations
        out_channels, self.stride = config.channels[index], config.strides[index]
        in_channels = config.channels[index - 1] if index else config.in_channels
        eps, momentum = float(config.norm_eps), float(config.norm_momentum)
        self.spatial = DependencyAttention(
            num_joints=config.num_joints,
            in_channels=in_channels,
            out_channels=out_channels,
            num_heads=config.num_heads if index else config.first_block_heads,
            key_channels=out_channels // config.key_ratio,
            tau=config.tau,
            scaled=config.attention_scaling == "official",
            initial_scale=float(config.spatial_norm_init),
            eps=eps,
            momentum=momentum,
        )
        self.temporal = TemporalConv(
            out_channels, out_channels, config.temporal_kernel, self.stride, config.dilations[index], eps, momentum
        )
        self.residual: TemporalConv | None = None
        if index and (in_channels != out_channels or self.stride != 1):
            self.residual = TemporalConv(in_channels, out_channels, 1, self.stride, 1, eps, momentum)
        self.has_residual = index > 0  # the official first block adds nothing

    def forward(self, features: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """`features` zero where `valid (people, frames)` is False; so are the returned ones. Also the two maps."""
        valid_out = None if valid is None else valid[:, :: self.stride]
        mixed, attention, dependencies = self.spatial(features, valid)
        out = self.temporal(zero_padding(mixed, valid), valid_out)
        if self.residual is not None:
            out = out.add_(self.residual(features, valid_out))
        elif self.has_residual:
            out = out.add_(features)
        return zero_padding(out.relu_(), valid_out), attention, dependencies


class UnikPreTrainedModel(PreTrainedModel):
    """Loading, saving and the paper's initialisation."""

    config: UnikConfig
    base_model_prefix = "encoder"
    main_input_name = "keypoints"
    input_modalities = ("time",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["UnikBlock"]
    is_fused = False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """SPECS 2.1. By leaf module, because containers without own parameters are not always visited."""
        if isinstance(module, ChannelNorm | PersonNorm):
            super()._init_weights(module)
            if isinstance(module, ChannelNorm):
                init.constant_(module.weight, module.initial_scale)
        elif isinstance(module, DependencyAttention):
            positions = module.dependency.shape[-1]
            bound = 1 / positions if self.config.dependency_init == "official" else 1 / math.sqrt(positions)
            init.uniform_(module.dependency, -bound, bound)
        elif isinstance(module, FrameConv2d | PointwiseLinear) and module.fan_out:
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

        The copy can neither be trained nor saved (save the model it came from), which it says when asked to.
        """
        fused = copy.deepcopy(self).eval()
        for module in fused.modules():
            if isinstance(module, DependencyAttention | TemporalConv):
                module.fold_norms()
        fused.requires_grad_(False)
        fused.is_fused = True
        return fused

    def train(self, mode: bool = True) -> Self:
        if mode and self.is_fused:
            raise ValueError(
                "A fused UNIK is for inference only; call train() on the model that fuse() was called on."
            )
        return super().train(mode)

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        if self.is_fused:
            raise ValueError("A fused UNIK has no batch norms to save; save the model that fuse() was called on.")
        super().save_pretrained(*args, **kwargs)

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoModel") -> None:
        """Nothing: published repositories load this class from the installed library, never from copied code."""


class UnikModel(UnikPreTrainedModel):
    """The encoder: keypoints of a clip in, features per person, frame and joint and one vector per clip out."""

    # Loading the encoder of a classifier or segmenter leaves its head behind, on purpose.
    _keys_to_ignore_on_load_unexpected = [r"^classifier\."]

    def __init__(self, config: UnikConfig) -> None:
        super().__init__(config)
        self.input_norm = PersonNorm(
            config.num_people,
            config.num_joints,
            config.in_channels,
            eps=float(config.norm_eps),
            momentum=float(config.norm_momentum),
        )
        self.blocks = nn.ModuleList(UnikBlock(config, index) for index in range(len(config.channels or [])))
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> UnikOutput:
        """Encode a batch of clips.

        Args:
            keypoints: `(B, M, T, V, C)` finite numbers as the processor makes them; M may be below `num_people`.
            joint_mask: `(B, M, T, V)`, accepted and not used: missing joints enter with their filled-in values.
            attention_mask: `(B, M, T)` True where a person has a frame. Everything up to a person's last True frame
                counts as the clip, what follows is padding; a person without any True frame is absent.
            output_hidden_states, output_attentions: return them (see `UnikOutput`).

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
        normed = self.input_norm(keypoints, None if people.present is None else clip_mask)
        valid = people.valid
        features = zero_padding(people.gather(normed).transpose(1, 2).contiguous(), valid)

        states, attentions, dependencies = [features] if keep_states else [], [], []
        for block in self.blocks:
            features, attention, dependency = block(features, valid)
            valid = None if valid is None else valid[:, :: block.stride]
            if keep_states:
                states.append(features)
            if keep_maps:
                attentions.append(people.scatter(attention)[:, :slots])
                dependencies.append(people.scatter(dependency)[:, :slots])
        if keep_states:
            states = [people.scatter(state.transpose(1, 2))[:, :slots] for state in states]
        return UnikOutput(
            last_hidden_state=people.scatter(features.transpose(1, 2))[:, :slots],
            pooler_output=people.mean(mean_over_frames(features, valid)),
            hidden_states=tuple(states) if keep_states else None,
            attentions=tuple(attentions) if keep_maps else None,
            dependencies=tuple(dependencies) if keep_maps else None,
        )


class UnikForActionClassification(UnikPreTrainedModel):
    """One label per clip: the encoder, dropout, one linear layer; logits without softmax."""

    def __init__(self, config: UnikConfig) -> None:
        super().__init__(config)
        self.encoder = UnikModel(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> UnikHeadOutput:
        """As `UnikModel`; `labels (B,)` integers give the mean cross entropy, negative ones (unknown) do not count."""
        outputs = self.encoder(
            keypoints,
            attention_mask=attention_mask,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            return_dict=True,
        )
        logits = self.classifier(self.dropout(outputs.pooler_output))
        return UnikHeadOutput(
            loss=None if labels is None else clip_loss(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            dependencies=outputs.dependencies,
        )


class UnikForActionSegmentation(UnikPreTrainedModel):
    """Scores per input frame, several actions may be on at once (sigmoid); the head of LAC's visual encoder.

    The official head scores every `frame_stride`-th frame; here these scores return to the input rate, score k
    standing at input frame `k * frame_stride`: in between `"linear"` interpolates, `"repeat"` holds.
    """

    def __init__(self, config: UnikConfig) -> None:
        super().__init__(config)
        self.encoder = UnikModel(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> UnikHeadOutput:
        """As `UnikModel`; logits `(B, T, num_labels)`.

        `labels (B, T, num_labels)` of 0 and 1 give the mean binary cross entropy over the frames of each clip;
        negative entries (unknown) do not count.
        """
        outputs = self.encoder(
            keypoints,
            attention_mask=attention_mask,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            return_dict=True,
        )
        clip_mask = frames_of_clip(attention_mask)
        coarse = self.coarse_logits(outputs.last_hidden_state, clip_mask)
        lengths = None if clip_mask is None else clip_mask.any(1).sum(1)
        logits = to_frame_rate(coarse, keypoints.shape[2], self.config.frame_stride, self.config.upsampling, lengths)
        return UnikHeadOutput(
            loss=None if labels is None else frame_loss(logits, labels, lengths),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            dependencies=outputs.dependencies,
        )

    def coarse_logits(self, last_hidden_state: Tensor, clip_mask: Tensor | None = None) -> Tensor:
        """Scores at the encoder's frame rate, `(B, T', num_labels)`; features are averaged over joints and people."""
        features = last_hidden_state.mean(3)
        if clip_mask is None or self.config.pooling == "official":
            features = features.mean(1)
        else:
            people = clip_mask[:, :, :: self.config.frame_stride].unsqueeze(-1).to(features.dtype)
            features = features.mul(people).sum(1) / people.sum(1).clamp(min=1)
        return self.classifier(self.dropout(features))

    @torch.no_grad()
    def predict_windows(
        self,
        keypoints: Tensor,
        attention_mask: Tensor | None = None,
        *,
        window: int,
        hop: int | None = None,
        batch_size: int = 16,
    ) -> Tensor:
        """Logits `(B, T, num_labels)` of clips of any length, from windows of `window` frames every `hop` frames.

        Windows see nothing outside themselves; where they overlap (`hop < window`, default no overlap) logits are
        averaged. Each clip's last window ends with the clip; padded frames and clips
        without anybody get zeros. A clip no longer than the window gives what one forward call gives.
        """
        clip_mask = frames_of_clip(attention_mask)
        logits = keypoints.new_zeros(keypoints.shape[0], keypoints.shape[2], self.config.num_labels)
        for index, clip in enumerate(keypoints):
            mask = None if clip_mask is None else clip_mask[index]
            frames = keypoints.shape[2] if mask is None else int(mask.any(0).sum())
            if not frames:  # nobody is there: zeros
                continue
            starts = window_starts(frames, window, hop or window)
            counts = logits.new_zeros(frames, 1)
            for group in (starts[first : first + batch_size] for first in range(0, len(starts), batch_size)):
                parts = [slice(start, min(start + window, frames)) for start in group]
                masks = None if mask is None else torch.stack([mask[:, part] for part in parts])
                scores = self(torch.stack([clip[:, part] for part in parts]), attention_mask=masks).logits
                for part, score in zip(parts, scores, strict=True):
                    logits[index, part] += score
                    counts[part] += 1
            logits[index, :frames] /= counts
        return logits


def check_keypoints(keypoints: Tensor, attention_mask: Tensor | None, config: UnikConfig) -> None:
    """ValueError unless the shapes are those of the config."""
    if keypoints.dim() != 5:
        raise ValueError(
            f"UNIK expects keypoints (batch, people, frames, joints, dims), got shape {tuple(keypoints.shape)}; "
            f"a SkeletonProcessor makes it."
        )
    _, people, frames, joints, dims = keypoints.shape
    if (joints, dims) != (config.num_joints, config.in_channels) or people > config.num_people or not frames:
        raise ValueError(
            f"This UNIK expects keypoints (batch, people <= {config.num_people}, frames >= 1, "
            f"{config.num_joints} joints, {config.in_channels} dims) in layout {config.layout!r}, got "
            f"{tuple(keypoints.shape)}; convert with motionhub.convert_layout(sequence, {config.layout!r}) "
            f"or the checkpoint's own processor."
        )
    if attention_mask is not None and attention_mask.shape != keypoints.shape[:3]:
        raise ValueError(
            f"UNIK expects attention_mask (batch, people, frames) = {tuple(keypoints.shape[:3])}, got "
            f"{tuple(attention_mask.shape)}; collate_skeletons makes both."
        )


def fill_slots(keypoints: Tensor, clip_mask: Tensor | None, config: UnikConfig) -> tuple[Tensor, Tensor | None]:
    """Zeros for padding and for the people missing to `num_people`, and the mask that says so.

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
