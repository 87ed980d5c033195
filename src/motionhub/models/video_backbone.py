"""Video encoders of torchvision, and image encoders of timm frame by frame, as models of this library.

torchvision and timm are imported when a model is built (extra `towers`). Weights are random unless they are loaded:
from a checkpoint that this library saved, or with `pretrained=True` from the backbone's own library (by download).
"""

import importlib
from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import can_return_tuple

from motionhub.models.motion_model import MotionConfig


@strict
class VideoBackboneConfig(MotionConfig):
    """Which network.

    Args:
        library: `"torchvision"`: one of its video models ("r3d_18", "mc3_18", "r2plus1d_18", "s3d", "mvit_v2_s",
            "swin3d_t", ...). `"timm"`: any of its image models; features of the frames are averaged.
        name: of the model in its library.
        hidden_size: channels of the features; None: taken from the network when it is built, and stored here.

    Examples:
        >>> motionhub.VideoBackboneConfig(library="timm", name="resnet18").name
        'resnet18'
    """

    model_type = "motionhub_video_backbone"

    library: Literal["torchvision", "timm"] = "torchvision"
    name: str = "r3d_18"
    hidden_size: int | None = None


class VideoBackboneModel(PreTrainedModel):
    """Images of a clip in, one vector per clip out.

    Args:
        config: see there.
        pretrained: whether the library's own weights are loaded; with `from_pretrained` leave it out.

    Raises:
        ImportError: the library is not installed.
        ValueError: it has no such model, or one whose features are not a vector.

    Examples:
        >>> import torch
        >>> model = motionhub.VideoBackboneModel(motionhub.VideoBackboneConfig(name="r3d_18"))
        >>> model(torch.randn(1, 4, 3, 32, 32)).pooler_output.shape
        torch.Size([1, 512])
    """

    config: VideoBackboneConfig
    base_model_prefix = "encoder"
    main_input_name = "pixel_values"
    input_modalities = ["video"]

    def __init__(self, config: VideoBackboneConfig, pretrained: bool = False) -> None:
        super().__init__(config)
        build = _torchvision if config.library == "torchvision" else _timm
        self.network, size = build(config.name, pretrained)
        if config.hidden_size not in (None, size):
            raise ValueError(
                f"{config.library}'s {config.name} has features of {size} channels, but hidden_size is "
                f"{config.hidden_size}; leave it out."
            )
        config.hidden_size = size
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Does nothing: the library initialises the network."""

    @can_return_tuple
    def forward(self, pixel_values: Tensor) -> BaseModelOutputWithPooling:
        """`(batch, frames, 3, height, width)` -> pooler_output `(batch, hidden_size)`.

        With timm `last_hidden_state` holds the features of the frames `(batch, frames, hidden_size)`.

        Raises:
            ValueError: another shape.
        """
        if pixel_values.dim() != 5 or pixel_values.shape[2] != 3 or not pixel_values.numel():
            raise ValueError(
                f"VideoBackboneModel expects pixel_values (batch, frames >= 1, 3, height, width), got "
                f"{tuple(pixel_values.shape)}; a VideoClipProcessor makes them of frames (frames, height, width, 3)."
            )
        if self.config.library == "torchvision":
            return BaseModelOutputWithPooling(pooler_output=self.network(pixel_values.transpose(1, 2)))
        frames = self.network(pixel_values.flatten(0, 1)).unflatten(0, pixel_values.shape[:2])
        return BaseModelOutputWithPooling(last_hidden_state=frames, pooler_output=frames.mean(1))


def _torchvision(name: str, pretrained: bool) -> tuple[nn.Module, int]:
    """The network without its last linear layer, and the channels that went into it."""
    try:
        from torchvision import models
    except ImportError:
        raise ImportError('Video models of torchvision need it: pip install "motionhub[towers]"') from None
    known = models.list_models(module=models.video)
    if name not in known:
        raise ValueError(f"torchvision has no video model {name!r}; it has {known}.")
    network = models.get_model(name, weights="DEFAULT" if pretrained else None)
    last = [path for path, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv3d)][-1]
    head = network.get_submodule(last)
    parent, _, leaf = last.rpartition(".")
    if not isinstance(head, nn.Linear):
        raise ValueError(
            f"The last layer of {name} is not linear, so the features are not a vector; use another model."
        )
    setattr(network.get_submodule(parent), leaf, nn.Identity())
    return network, head.in_features


def _timm(name: str, pretrained: bool) -> tuple[nn.Module, int]:
    network = timm_model(name, pretrained=pretrained, num_classes=0)
    return network, int(network.num_features)


def timm_model(name: str, **options: Any) -> Any:
    """An image model of timm.

    Raises:
        ImportError: timm is not installed.
        ValueError: it has no such model.
    """
    try:
        timm = importlib.import_module("timm")
    except ImportError:
        raise ImportError(f'The image model {name!r} is timm\'s: pip install "motionhub[towers]"') from None
    if not timm.is_model(name):
        raise ValueError(f"timm has no model {name!r}; timm.list_models('*resnet*') lists some.")
    return timm.create_model(name, **options)
