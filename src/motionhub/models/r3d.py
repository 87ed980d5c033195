"""R3D: a residual network of space-time convolutions, 50 layers deep, that keeps every frame (the "Slow" pathway).

Papers: Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019; Feichtenhofer et al., "A
Large-Scale Study on Unsupervised Spatiotemporal Representation Learning", CVPR 2021,
https://arxiv.org/abs/2104.14558, whose self-supervised recipes LTN (`models/ltn.py`) starts from. Official code:
https://github.com/facebookresearch/SlowFast.

The deliberate deviations from the official code are without effect on its numbers: any number of frames and any size
of images are pooled as a whole, and clips are `(batch, frames, channels, height, width)` as everywhere here.
"""

from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import HeadOutput, MotionConfig
from motionhub.nn.heads import clip_loss


@strict
class R3dConfig(MotionConfig):
    """Sizes of the network; the defaults are Slow-R50.

    Args:
        num_channels: of an image.
        stem_channels: after the first convolution (7 x 7 in space) and pooling.
        depths: blocks of each stage.
        widths: output channels of each stage; inside a block there are a quarter of them.
        temporal_kernels: frames that each stage's blocks look at, odd; 1 sees single images.
        projection_sizes: output sizes of the projection's linear layers, ReLU between (`R3dForPreTraining`).
        classifier_dropout: dropout before the classification head.
        norm_eps, norm_momentum: of the batch norms.

    Examples:
        >>> motionhub.R3dConfig(depths=[1, 1], widths=[32, 64], temporal_kernels=[1, 3]).hidden_size
        64
    """

    model_type = "motionhub_r3d"
    default_lists = {
        "depths": [3, 4, 6, 3],
        "widths": [256, 512, 1024, 2048],
        "temporal_kernels": [1, 1, 3, 3],
        "projection_sizes": [2048, 2048, 128],
    }

    num_channels: int = 3
    stem_channels: int = 64
    depths: list[int] | None = None
    widths: list[int] | None = None
    temporal_kernels: list[int] | None = None
    projection_sizes: list[int] | None = None
    classifier_dropout: float | int = 0.0
    norm_eps: float | int = 1e-5
    norm_momentum: float | int = 0.1

    def validate_stages(self) -> None:
        stages = {name: getattr(self, name) or [] for name in ("depths", "widths", "temporal_kernels")}
        if len({len(values) for values in stages.values()}) != 1:
            raise ValueError(f"R3dConfig expects depths, widths and temporal_kernels of one length, got {stages}.")
        if any(width % 4 for width in stages["widths"]) or any(size % 2 == 0 for size in stages["temporal_kernels"]):
            raise ValueError(
                f"R3dConfig expects widths divisible by 4 and odd temporal_kernels, got {self.widths} and "
                f"{self.temporal_kernels}."
            )

    @property
    def hidden_size(self) -> int:
        """Channels of the features."""
        return (self.widths or [0])[-1]


@dataclass
class R3dProjectionOutput(ModelOutput):
    """`projection (B, projection_sizes[-1])` of any length; `pooler_output (B, hidden_size)`."""

    projection: Tensor | None = None
    pooler_output: Tensor | None = None


class ConvNorm(nn.Module):
    """A convolution without bias and its batch norm."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int, int],
        stride: int,
        **norm: Any,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, (1, stride, stride), padding, bias=False)
        self.norm = nn.BatchNorm3d(out_channels, **norm)

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(self.conv(features))


class R3dBlock(GradientCheckpointingLayer):
    """Across time, across space, back to all channels; added to what came in."""

    def __init__(self, config: R3dConfig, in_channels: int, stage: int, stride: int) -> None:
        super().__init__()
        assert config.widths and config.temporal_kernels
        width, kernel = config.widths[stage], config.temporal_kernels[stage]
        inner, norm = width // 4, config.norm_options
        self.temporal = ConvNorm(in_channels, inner, (kernel, 1, 1), 1, **norm)
        self.spatial = ConvNorm(inner, inner, (1, 3, 3), stride, **norm)
        self.expansion = ConvNorm(inner, width, (1, 1, 1), 1, **norm)
        self.shortcut: ConvNorm | None = None
        if in_channels != width or stride != 1:
            self.shortcut = ConvNorm(in_channels, width, (1, 1, 1), stride, **norm)

    def forward(self, features: Tensor) -> Tensor:
        kept = features if self.shortcut is None else self.shortcut(features)
        inside = self.spatial(self.temporal(features).relu()).relu()
        return (kept + self.expansion(inside)).relu()


class R3dPreTrainedModel(PreTrainedModel):
    """Loading, saving and the official initialisation."""

    config: R3dConfig
    base_model_prefix = "encoder"
    main_input_name = "pixel_values"
    input_modalities = ["video"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["R3dBlock"]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv3d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):  # "Xavier" of the official library
            init.kaiming_uniform_(module.weight, a=1)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)


class R3dModel(R3dPreTrainedModel):
    """The trunk: images of a clip in, features per frame and place and one vector per clip out.

    Examples:
        >>> import torch
        >>> config = motionhub.R3dConfig(stem_channels=8, depths=[1], widths=[16], temporal_kernels=[1])
        >>> model = motionhub.R3dModel(config)
        >>> model(torch.randn(1, 4, 3, 32, 32)).pooler_output.shape
        torch.Size([1, 16])
    """

    # Loading the trunk of a classifier leaves its head behind, on purpose.
    _keys_to_ignore_on_load_unexpected = [r"^classifier\.", r"^projection\."]

    def __init__(self, config: R3dConfig) -> None:
        super().__init__(config)
        assert config.widths and config.depths
        self.stem = ConvNorm(config.num_channels, config.stem_channels, (1, 7, 7), 2, **config.norm_options)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        channels, blocks = config.stem_channels, []
        for stage, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            for place in range(depth):
                blocks.append(R3dBlock(config, channels, stage, stride=2 if stage and not place else 1))
                channels = width
        self.blocks = nn.ModuleList(blocks)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: Tensor) -> BaseModelOutputWithPooling:
        """Encode a batch of clips.

        Args:
            pixel_values: `(batch, frames, channels, height, width)` as the processor makes them.

        Returns:
            last_hidden_state `(batch, frames, hidden_size, height / 32, width / 32)`, pooler_output `(batch,
            hidden_size)`, its mean.

        Raises:
            ValueError: the shape does not fit the config.
        """
        fits = pixel_values.dim() == 5 and pixel_values.shape[2] == self.config.num_channels
        if not fits or not pixel_values.numel():
            raise ValueError(
                f"R3dModel expects pixel_values (batch, frames >= 1, {self.config.num_channels}, height, width), got "
                f"{tuple(pixel_values.shape)}; the checkpoint's VideoClipProcessor makes them of frames (frames, "
                "height, width, 3)."
            )
        features = pixel_values.to(self.stem.conv.weight.dtype).transpose(1, 2)
        features = self.pool(self.stem(features).relu())
        for block in self.blocks:
            features = block(features)
        return BaseModelOutputWithPooling(
            last_hidden_state=features.transpose(1, 2), pooler_output=features.mean((2, 3, 4))
        )


class R3dForActionClassification(R3dPreTrainedModel):
    """One label per clip; logits without softmax.

    Examples:
        >>> import torch
        >>> config = motionhub.R3dConfig(stem_channels=8, depths=[1], widths=[16], temporal_kernels=[1], num_labels=5)
        >>> model = motionhub.R3dForActionClassification(config)
        >>> model(torch.randn(1, 4, 3, 32, 32)).logits.shape
        torch.Size([1, 5])
    """

    def __init__(self, config: R3dConfig) -> None:
        super().__init__(config)
        self.encoder = R3dModel(config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))
        self.classifier = nn.Linear(config.hidden_size, config.num_classes)
        self.loss_type = "ForSequenceClassification"
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> HeadOutput:
        """Args as `R3dModel`; `labels (batch,)` whole numbers, negative where unknown: then there is a loss."""
        pooled = self.encoder(pixel_values).pooler_output
        logits = self.classifier(self.dropout(pooled))
        return HeadOutput(None if labels is None else clip_loss(logits, labels), logits, pooler_output=pooled)


class R3dForPreTraining(R3dPreTrainedModel):
    """The trunk with the projection that contrastive learning compares clips by; a published file's is kept here.

    Examples:
        >>> import torch
        >>> config = motionhub.R3dConfig(stem_channels=8, depths=[1], widths=[16], temporal_kernels=[1])
        >>> model = motionhub.R3dForPreTraining(config).eval()
        >>> list(model(torch.randn(1, 4, 3, 32, 32)))
        ['projection', 'pooler_output']
    """

    def __init__(self, config: R3dConfig) -> None:
        super().__init__(config)
        assert config.projection_sizes
        self.encoder = R3dModel(config)
        self.projection = nn.ModuleList(
            nn.Linear(before, after)
            for before, after in zip(
                [config.hidden_size, *config.projection_sizes], config.projection_sizes, strict=False
            )
        )
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: Tensor) -> R3dProjectionOutput:
        """Args as `R3dModel`."""
        pooled = self.encoder(pixel_values).pooler_output
        projected = self.projection[0](pooled)
        for layer in self.projection[1:]:
            projected = layer(projected.relu())
        return R3dProjectionOutput(projected, pooled)
