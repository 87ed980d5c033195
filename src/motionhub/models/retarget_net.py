"""RetargetNet: the motion of one person on the body, or in the view, of another, in 2-D and without pairs.

Paper: Aberman et al., "Learning Character-Agnostic Motion for Motion Retargeting in 2D", SIGGRAPH 2019,
https://arxiv.org/abs/1905.01680. Official code: https://github.com/ChrisWu1997/2D-Motion-Retargeting (MIT).

One network encodes what moves (a code per eight frames), another what does not (one code per clip); the decoder puts
motion and static codes of different clips together. The three official variants:
- `view`: the static code holds body and viewing direction together;
- `skeleton`: the static code holds the body only, and the view stays in the motion;
- `full`: a code for the body and one for the view, so each can come from a clip of its own.

Deliberate deviations from the official code, without effect on its numbers where both are defined: the last frame of a
clip is repeated up to a multiple of eight frames (at least 32 or 16, for the reflected borders) and the result is cut
again, where the official code drops frames; clips of different lengths go through the network separately.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn

from motionhub.models.motion_model import MotionConfig
from motionhub.models.motion_retargeting import (
    SLOPE,
    Inputs,
    MotionDecoder,
    MotionEncoder,
    MotionRetargetingModel,
    MotionRetargetingOutput,
    UnpaddedPeople,
    fewest_frames,
    map_by_length,
    mean_within,
    reflected,
)
from motionhub.nn.people import frames_within


# Channels after each layer of the static encoders.
STATIC_CHANNELS = {"view": [64, 96, 128, 32], "skeleton": [32, 48, 64], "full": [32, 48, 64]}
VELOCITY_ROWS = 1  # the last row is the velocity of the root: static encoders do not see it


@strict
class RetargetNetConfig(MotionConfig):
    """Sizes of RetargetNet; the defaults are the official ones of each variant.

    Args:
        variant: `"view"`, `"skeleton"` or `"full"`, see the module.
        layout: name of the skeleton layout the weights expect (read by processors and pipelines).
        num_joints: rows of the input: the layout's joints but the root, and the root's velocity.
        in_channels: coordinates of a row.
        motion_channels: output channels of each layer of the motion encoder, which halves the frames.
        static_channels: output channels of each layer of the static encoders; None: the variant's official ones.
        decoder_channels: output channels of the decoder's layers but the last.
        body_code_size, view_code_size: sizes of the two static codes of `"full"`.
        dropout: in the decoder, after every layer but the last.

    Examples:
        >>> motionhub.RetargetNetConfig(variant="full").motion_channels
        [64, 96, 128]
    """

    model_type = "motionhub_retarget_net"
    default_lists = {"motion_channels": [64, 96, 128], "decoder_channels": [128, 64]}

    variant: Literal["view", "skeleton", "full"] = "view"
    layout: str = "lac-15"
    num_joints: int = 15
    in_channels: int = 2
    motion_channels: list[int] | None = None
    static_channels: list[int] | None = None
    decoder_channels: list[int] | None = None
    body_code_size: int = 16
    view_code_size: int = 8
    dropout: float | int = 0.2

    def __post_init__(self, **kwargs: Any) -> None:
        self.static_channels = self.static_channels or list(STATIC_CHANNELS.get(self.variant, [64]))
        super().__post_init__(**kwargs)

    def validate_channels(self) -> None:
        if self.num_joints < 2:
            raise ValueError(
                f"RetargetNetConfig expects num_joints of at least 2 (a joint and the root's velocity), got "
                f"{self.num_joints}."
            )
        if len(self.decoder_channels or []) + 1 != len(self.motion_channels or []):
            raise ValueError(
                f"RetargetNetConfig expects one decoder layer per motion layer (decoder_channels one shorter than "
                f"motion_channels), got {self.decoder_channels} and {self.motion_channels}."
            )

    @property
    def static_size(self) -> int:
        """Channels of all static codes together."""
        if self.variant == "full":
            return self.body_code_size + self.view_code_size
        return (self.static_channels or STATIC_CHANNELS[self.variant])[-1]

    @property
    def hidden_size(self) -> int:
        """Channels of motion and static codes together."""
        return (self.motion_channels or [128])[-1] + self.static_size

    @property
    def frame_stride(self) -> int:
        """Input frames per frame of the motion code; a network tensor has a multiple of it."""
        return int(2 ** len(self.motion_channels or []))

    @property
    def min_frames(self) -> int:
        """Frames that a network tensor has at least."""
        return max(fewest_frames(len(self.motion_channels or [])), fewest_frames(len(self.static_channels or [])))


class StaticEncoder(nn.Module):
    """What does not change over a clip: convolutions, each followed by pooling, then a pool over all frames left.

    `(batch, in, frames)` -> `(batch, code_size, 1)`. `code_size` set: a linear layer after the last pool.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], pooling: Literal["max", "mean"], code_size: int | None = None
    ) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.pooling = pooling
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=7) for before, after in itertools.pairwise(widths)
        )
        self.compress = None if code_size is None else nn.Conv1d(widths[-1], code_size, kernel_size=1)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths (batch,)` of clips that are padded: the same code as without the padding."""
        for conv in self.convs:
            features = F.leaky_relu(conv(reflected(features, lengths)), SLOPE)
            features = F.max_pool1d(features, 2) if self.pooling == "max" else F.avg_pool1d(features, 2)
            lengths = None if lengths is None else lengths // 2
        if self.pooling == "mean":
            pooled = mean_within(features, lengths).unsqueeze(-1)
        else:
            if lengths is not None:
                features = features.masked_fill(~frames_within(lengths, features.shape[-1])[:, None], float("-inf"))
            pooled = features.amax(-1, keepdim=True)
        return pooled if self.compress is None else self.compress(pooled)


class RetargetNetModel(MotionRetargetingModel):
    """Encoders and decoder. `transfer` works on network tensors, `retarget` and `forward` on the processor's output.

    A network tensor has 30 channels: x and y of the 14 joints relative to the root and of the root's velocity.
    `config.min_frames` is 32 for the variant "view", 16 for the others.

    Examples:
        >>> model = motionhub.RetargetNetModel(motionhub.RetargetNetConfig())
        >>> model.config.variant
        'view'
    """

    config: RetargetNetConfig
    base_model_prefix = "retarget_net"

    def __init__(self, config: RetargetNetConfig) -> None:
        super().__init__(config)
        assert config.motion_channels and config.static_channels and config.decoder_channels
        channels = config.num_joints * config.in_channels
        still = (config.num_joints - VELOCITY_ROWS) * config.in_channels
        self.motion_encoder = MotionEncoder(channels, config.motion_channels)
        if config.variant == "full":
            self.body_encoder = StaticEncoder(still, config.static_channels, "max", config.body_code_size)
            self.view_encoder = StaticEncoder(still, config.static_channels, "mean", config.view_code_size)
        else:
            self.static_encoder = StaticEncoder(still, config.static_channels, "max")
        self.decoder = MotionDecoder(config.hidden_size, [*config.decoder_channels, channels], float(config.dropout))
        self.post_init()

    # On network tensors

    def encode_motion(self, motion: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`(batch, 30, frames)`, padded after `lengths (batch,)` frames -> `(batch, 128, frames / 8)`."""
        self._check_network_tensor(motion)
        return self.motion_encoder(motion, lengths)

    def encode_static(self, motion: Tensor, view: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Body and view as one code `(batch, static_size, 1)`.

        Args:
            motion: `(batch, 30, frames)`, whose body (and, where `view` is None, whose view) it is.
            view: for `"full"`, another motion whose view it is.
            lengths: `(batch,)` frames of motion and view, the rest is padding; None: all.
        """
        still = slice(-VELOCITY_ROWS * self.config.in_channels)
        self._check_network_tensor(motion)
        if self.config.variant != "full":
            if view is not None:
                raise ValueError(_no_view_code(self.config.variant))
            return self.static_encoder(motion[:, still], lengths)
        view = motion if view is None else view
        self._check_network_tensor(view)
        body, looks = self.body_encoder(motion[:, still], lengths), self.view_encoder(view[:, still], lengths)
        return torch.cat([body, looks], dim=1)

    def encode_padded(self, motions: Tensor, lengths: Tensor) -> Tensor:
        """All codes of clips that are padded."""
        return _side_by_side(self.encode_motion(motions, lengths), self.encode_static(motions, lengths=lengths))

    def decode(self, motion_code: Tensor, static_code: Tensor) -> Tensor:
        """`(batch, 128, frames / 8)` and `(batch, static_size, 1)` -> `(batch, 30, frames)`."""
        return self.decoder(_side_by_side(motion_code, static_code))

    def transfer(self, source: Tensor, target: Tensor, view: Tensor | None = None) -> Tensor:
        """The motion of `source` with the static code of `target`, `(batch, 30, frames of source)`.

        Args:
            source, target: network tensors; they may differ in frames.
            view: `"full"` only: the view's network tensor (official `transfer_three`); None keeps that of the source.
        """
        if view is None and self.config.variant == "full":
            view = source
        return self.decode(self.encode_motion(source), self.encode_static(target, view))

    # On the processor's output

    def retarget(self, source: Inputs, target: Inputs, view: Inputs | None = None) -> MotionRetargetingOutput:
        """The motion of `source` on the body of `target` (for `"view"`: in the view of `target` too).

        Args:
            source, target, view: `keypoints (B, M, T, 15, 2)` and `attention_mask (B, M, T)` (or None) as the
                processor makes them; lengths are free. `target` and `view` have one person for all of the source's,
                or as many.
            view: `"full"` only: the clip that gives the view; None keeps the source's.

        Raises:
            ValueError: a shape does not fit the config, `target` has no person, or `view` is given to another variant.
        """
        moving = UnpaddedPeople.of(source, self.config)
        bodies = UnpaddedPeople.of(target, self.config).matching(moving, "target")
        if view is not None and self.config.variant != "full":
            raise ValueError(_no_view_code(self.config.variant))
        views = None
        if self.config.variant == "full":
            views = moving if view is None else UnpaddedPeople.of(view, self.config).matching(moving, "view")
        motion_codes = map_by_length(self.encode_motion, self._padded(moving))
        if views is None:
            static_codes = map_by_length(self.encode_static, self._padded(bodies))
        else:
            body, looks = (map_by_length(self.encode_static, self._padded(people)) for people in (bodies, views))
            size = self.config.body_code_size
            static_codes = [torch.cat([own[:size], other[size:]]) for own, other in zip(body, looks, strict=True)]
        pairs = zip(motion_codes, static_codes, strict=True)
        codes = [_side_by_side(motion[None], static[None])[0] for motion, static in pairs]
        frames = [motion.shape[1] for motion in moving.motions]
        made = map_by_length(self.decoder, codes)
        return self._output(moving, [code.T for code in codes], made, frames, moving.num_frames)


class RetargetNetForMotionRetargeting(RetargetNetModel):
    """The same network under the name of its task.

    Examples:
        >>> import torch
        >>> model = motionhub.RetargetNetForMotionRetargeting(motionhub.RetargetNetConfig()).eval()
        >>> source, target = torch.randn(2, 1, 1, 40, 15, 2)
        >>> made = model.retarget({"keypoints": source}, {"keypoints": target})
        >>> made.keypoints.shape
        torch.Size([1, 1, 40, 15, 2])
    """


def _side_by_side(motion_code: Tensor, static_code: Tensor) -> Tensor:
    """Motion first, then the static codes in every frame: the order of the official decoder."""
    return torch.cat([motion_code, static_code.expand(-1, -1, motion_code.shape[-1])], dim=1)


def _no_view_code(variant: str) -> str:
    return (
        f"variant {variant!r} has no view code of its own, so it takes no view; use a checkpoint of variant 'full', "
        "or call it with source and target only."
    )
