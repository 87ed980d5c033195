"""LTN: an encoder trained by contrastive learning that is given the time of each segment.

What is used afterwards is the encoder alone: `model.encoder.save_pretrained(folder)`. Paper: Yang et al.,
"Self-Supervised Video Representation Learning via Latent Time Navigation", AAAI 2023, after chapter 5 of the thesis of
Di Yang; no official code. Segments of one video are positives of each other, so features f forget when something
happens. LTN compares f* instead, which is f moved along learned directions of time:

    "v1"   f* = f + e(t, f)                            e: the time encoder, t: when the segment starts, in seconds
    "v2"   f* = f times sum_i softmax(e(t, f))_i d_i   d_i: columns of an orthonormal basis D, elementwise product
    "v3"   f* = f + D e(t, f)                          the paper's final form
    "none" f* = f                                      the baseline

One variant is ours: `"complement"` compares only what lies outside the span of D, f* = f - D D^T f, and a head of the
objective predicts from the coordinates D^T f of two segments how many seconds lie between them. In a trial every form
above, like the baseline, lost the order of time; `benchmarks/claims/time_order.md` could not repeat that.

Where the thesis is silent: t becomes 128 numbers by two layers; batch norm stands before the first of the two layers
that see these and f; weights begin as the projections of the backbone's recipes do. e is predicted, so the signs of
D's columns matter: the default fixes them.
"""

import itertools
from dataclasses import dataclass
from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel
from transformers import initialization as init
from transformers.configuration_utils import SubConfigSpec
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import EncoderInsideConfig
from motionhub.nn.orthogonal_basis import OrthogonalBasis


@strict
class LtnConfig(EncoderInsideConfig):
    """Sizes and options of LTN; the defaults are the thesis's on Slow-R50.

    Args:
        encoder_config: of any encoder of this library; None: R3D-50.
        variant: how time enters what is compared, see the module.
        num_directions: M, columns of the basis.
        orthogonal: False takes the directions as they are learned (the thesis's ablation; not with "complement").
        basis_signs: `"positive"` or `"householder"`, see `OrthogonalBasis`.
        time_channels: size of the encoding of t before it is combined with f.
        time_hidden_sizes: of the layers between; [2048] is the thesis's "two layers".
        time_norm: batch norm of t's numbers and f together, before these layers.

    Examples:
        >>> encoder = motionhub.UnikConfig(channels=[8], strides=[1])
        >>> motionhub.LtnConfig(encoder_config=encoder, num_directions=4).hidden_size
        8
    """

    model_type = "motionhub_ltn"
    sub_configs_defaults = {"encoder_config": SubConfigSpec(config_class=AutoConfig, model_type="motionhub_r3d")}

    variant: Literal["none", "v1", "v2", "v3", "complement"] = "v3"
    num_directions: int = 64
    orthogonal: bool = True
    basis_signs: Literal["positive", "householder"] = "positive"
    time_channels: int = 128
    time_hidden_sizes: list[int] | None = None
    time_norm: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        self.time_hidden_sizes = [2048] if self.time_hidden_sizes is None else self.time_hidden_sizes
        super().__post_init__(**kwargs)

    def validate_directions(self) -> None:
        most = self.hidden_size - (self.variant == "complement")
        if not 1 <= self.num_directions <= most:
            raise ValueError(
                f"LtnConfig expects num_directions in 1..{most} for features of {self.hidden_size} channels, got "
                f"{self.num_directions}."
            )
        if self.variant == "complement" and not self.orthogonal:
            raise ValueError('variant="complement" leaves a subspace out, which needs orthogonal=True.')

    @property
    def takes_time(self) -> bool:
        """Whether f* depends on when a segment starts."""
        return self.variant in ("v1", "v2", "v3")


@dataclass
class LtnOutput(ModelOutput):
    """The model's output for a batch of segments.

    Attributes:
        pooler_output: `(B, C)` f, the encoder's features: what is used afterwards.
        last_hidden_state: the encoder's.
        compared: `(B, C)` f*, what contrastive learning compares; None where it needs times that were not given.
        time_coordinates: `(B, M)`: "v3" A, along the directions; "complement" the coordinates D^T f.
    """

    pooler_output: Tensor | None = None
    last_hidden_state: Tensor | None = None
    compared: Tensor | None = None
    time_coordinates: Tensor | None = None


class TimeEncoder(nn.Module):
    """From start time and features of a segment to the step along each direction."""

    def __init__(self, config: LtnConfig, out_channels: int) -> None:
        super().__init__()
        channels = config.time_channels
        self.time = nn.Sequential(nn.Linear(1, channels), nn.ReLU(), nn.Linear(channels, channels))
        joined = channels + config.hidden_size
        self.norm = nn.BatchNorm1d(joined) if config.time_norm else nn.Identity()
        sizes = [joined, *(config.time_hidden_sizes or []), out_channels]
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in itertools.pairwise(sizes))

    def forward(self, start_seconds: Tensor, features: Tensor) -> Tensor:
        """`(B,)` and `(B, C)` -> `(B, out_channels)`."""
        times = self.time(start_seconds.to(features.dtype).unsqueeze(-1))
        states = self.layers[0](self.norm(torch.cat([times, features], dim=-1)))
        for layer in self.layers[1:]:
            states = layer(states.relu())
        return states


class PlainDirections(nn.Module):
    """The directions without orthogonalisation."""

    def __init__(self, num_channels: int, num_directions: int) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.empty(num_channels, num_directions))

    def forward(self) -> Tensor:
        return self.directions


class LtnModel(PreTrainedModel):
    """The encoder, the basis of time and the time encoder.

    Examples:
        >>> import torch
        >>> encoder = motionhub.UnikConfig(channels=[8], strides=[1])
        >>> model = motionhub.LtnModel(motionhub.LtnConfig(encoder_config=encoder, num_directions=4))
        >>> joints, dims = encoder.num_joints, encoder.in_channels
        >>> model(torch.randn(1, 1, 30, joints, dims)).pooler_output.shape
        torch.Size([1, 8])
    """

    config: LtnConfig
    base_model_prefix = "ltn"
    main_input_name = "pixel_values"
    input_modalities = ["video", "time"]
    supports_gradient_checkpointing = True

    def __init__(self, config: LtnConfig) -> None:
        super().__init__(config)
        size, variant = config.hidden_size, config.variant
        self.encoder = AutoModel.from_config(config.encoder)
        self.basis: OrthogonalBasis | PlainDirections | None = None
        if variant in ("v2", "v3", "complement"):
            own = OrthogonalBasis(size, config.num_directions, signs=config.basis_signs)
            self.basis = own if config.orthogonal else PlainDirections(size, config.num_directions)
        self.time_encoder: TimeEncoder | None = None
        if config.takes_time:
            self.time_encoder = TimeEncoder(config, size if variant == "v1" else config.num_directions)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """All but the encoder, which initialises itself."""
        if isinstance(module, nn.Linear):
            init.kaiming_uniform_(module.weight, a=1)
            init.zeros_(module.bias)
        elif isinstance(module, OrthogonalBasis | PlainDirections):
            init.orthogonal_(module.directions)
        elif isinstance(module, nn.BatchNorm1d):
            super()._init_weights(module)

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor | None = None,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        start_seconds: Tensor | None = None,
    ) -> LtnOutput:
        """Encode a batch of segments.

        Args:
            keypoints, joint_mask, attention_mask: of an encoder of skeletons, as its processor makes them.
            pixel_values: of an encoder of images, as its processor makes them.
            start_seconds: `(B,)` when each segment starts in its recording. Without it there are features only.

        Raises:
            ValueError: neither or both kinds of input, or times of another shape or that are not finite.
        """
        if (keypoints is None) == (pixel_values is None):
            raise ValueError("LtnModel expects keypoints or pixel_values, whichever its encoder takes, and not both.")
        if pixel_values is not None:
            inputs: dict[str, Any] = {"pixel_values": pixel_values}
        else:
            inputs = {"keypoints": keypoints, "joint_mask": joint_mask, "attention_mask": attention_mask}
        encoded = self.encoder(**inputs)
        compared, along = self._navigate(encoded.pooler_output, start_seconds)
        return LtnOutput(encoded.pooler_output, encoded.last_hidden_state, compared, along)

    def _navigate(self, features: Tensor, start_seconds: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """f* and the coordinates in the space of time."""
        variant = self.config.variant
        if variant == "none":
            return features, None
        if variant == "complement":
            assert isinstance(self.basis, OrthogonalBasis)
            basis = self.basis()
            return features - features @ basis @ basis.mT, features @ basis
        if start_seconds is None:
            return None, None
        if start_seconds.shape != features.shape[:1]:
            raise ValueError(
                f"LtnModel expects start_seconds {tuple(features.shape[:1])}, one number a segment, got "
                f"{tuple(start_seconds.shape)}."
            )
        assert self.time_encoder is not None
        along = self.time_encoder(start_seconds, features)
        if variant == "v1":
            return features + along, None
        assert self.basis is not None
        basis = self.basis()
        if variant == "v2":
            return features * (along.softmax(-1) @ basis.mT), None
        return features + along @ basis.mT, along
