"""ViCLIP: a video tower and a text tower in one embedding space, so that a sentence finds its video.

Paper: Wang et al., "InternVid: A Large-scale Video-Text Dataset for Multimodal Understanding and Generation", ICLR
2024, https://arxiv.org/abs/2307.06942. Official code: https://github.com/OpenGVLab/InternVideo (Data/InternVid).

The video tower is CLIP's vision transformer with joint space-time attention: all patches of all frames, and one class
token, attend to each other. The text tower is CLIP's with 32 positions.

Deliberate deviations from the official code, all without effect on its numbers:
- No patch is masked by default: `mask_ratio` is an argument of `forward`, 0 by default. The official
  `encode_vision` drops 90 % of the patches, even in evaluation mode, unless it is called with `test=True`.
- Any number of frames: the temporal embedding is interpolated along time (the official code takes 8 frames or 1). One
  frame gets its mean over time, as in the official code.
- Patches stand frame by frame instead of place by place; pre-training's stochastic depth (0.1) is not built in.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from huggingface_hub.dataclasses import strict
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import MotionConfig


LOWEST_TEMPERATURE = 0.01


class ViClipTowerConfig(MotionConfig):
    """Checks of both towers' configs."""

    def validate_heads(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"{type(self).__name__} expects hidden_size divisible by num_attention_heads, got {self.hidden_size} "
                f"and {self.num_attention_heads}."
            )


@strict
class ViClipVisionConfig(ViClipTowerConfig):
    """Sizes of the video tower; the defaults are those of B/16.

    Args:
        hidden_size, num_hidden_layers, num_attention_heads: of the transformer; its MLPs are 4 times as wide.
        num_channels, image_size, patch_size: of the frames, in pixels.
        num_frames: length of the temporal embedding; clips of other lengths interpolate it.
        projection_dim: of the embedding; equal to the text tower's.
    """

    model_type = "motionhub_viclip_vision"
    base_config_key = "vision_config"

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_channels: int = 3
    image_size: int = 224
    patch_size: int = 16
    num_frames: int = 8
    projection_dim: int = 512

    def validate_image_size(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"ViClipVisionConfig expects image_size divisible by patch_size, got {self.image_size} and "
                f"{self.patch_size}."
            )

    @property
    def patches_per_frame(self) -> int:
        return (self.image_size // self.patch_size) ** 2


@strict
class ViClipTextConfig(ViClipTowerConfig):
    """Sizes of the text tower; the defaults are those of B/16.

    Args:
        vocab_size: of CLIP's byte pairs; the last one ends a text.
        hidden_size, num_hidden_layers, num_attention_heads: of the transformer; its MLPs are 4 times as wide.
        max_position_embeddings: longest text in tokens, with the two around it.
        projection_dim: of the embedding; equal to the video tower's.
    """

    model_type = "motionhub_viclip_text"
    base_config_key = "text_config"

    vocab_size: int = 49408
    hidden_size: int = 512
    num_hidden_layers: int = 12
    num_attention_heads: int = 8
    max_position_embeddings: int = 32
    projection_dim: int = 512


@strict
class ViClipConfig(MotionConfig):
    """Both towers; the defaults are B/16.

    Args:
        vision_config, text_config: see there.
        initial_temperature: what similarities are divided by before training; never below 0.01 when used.

    Examples:
        >>> small = {"projection_dim": 64}
        >>> config = motionhub.ViClipConfig(text_config=small, vision_config=small)
        >>> config.vision.projection_dim
        64
    """

    model_type = "motionhub_viclip"
    sub_configs_defaults: ClassVar[dict[str, Any]] = {
        "vision_config": ViClipVisionConfig,
        "text_config": ViClipTextConfig,
    }

    vision_config: dict | ViClipVisionConfig | None = None
    text_config: dict | ViClipTextConfig | None = None
    initial_temperature: float | int = 0.01

    def validate_towers(self) -> None:
        vision, text = self.vision, self.text
        if vision.projection_dim != text.projection_dim:
            raise ValueError(
                f"ViClipConfig expects both towers to give embeddings of one size, got projection_dim "
                f"{vision.projection_dim} (vision_config) and {text.projection_dim} (text_config)."
            )
        if not self.initial_temperature > 0:
            raise ValueError(f"initial_temperature must be above 0, got {self.initial_temperature!r}.")

    @property
    def vision(self) -> ViClipVisionConfig:
        """`vision_config`, as the config that it always is after construction."""
        assert isinstance(self.vision_config, ViClipVisionConfig)
        return self.vision_config

    @property
    def text(self) -> ViClipTextConfig:
        """`text_config`, as the config that it always is after construction."""
        assert isinstance(self.text_config, ViClipTextConfig)
        return self.text_config

    @property
    def projection_dim(self) -> int:
        """Size of the embeddings of videos and texts."""
        return self.vision.projection_dim


@dataclass
class ViClipOutput(ModelOutput):
    """The towers' embeddings and their similarities.

    Attributes:
        loss: of matching each video with its text and the other way round, with `return_loss`.
        logits_per_video: `(videos, texts)` cosines divided by the temperature; softmax of them are probabilities.
        logits_per_text: `(texts, videos)` the same.
        video_embeds: `(videos, projection_dim)` as the tower gives them, of any length.
        text_embeds: `(texts, projection_dim)`.
    """

    loss: Tensor | None = None
    logits_per_video: Tensor | None = None
    logits_per_text: Tensor | None = None
    video_embeds: Tensor | None = None
    text_embeds: Tensor | None = None


class InitialLinear(nn.Linear):
    """A linear layer that carries the spread of its initial weights."""

    def __init__(self, in_features: int, out_features: int, initial_std: float) -> None:
        super().__init__(in_features, out_features)
        self.initial_std = initial_std


class ViClipAttention(nn.Module):
    """Self attention of all tokens, or with `causal` of each with those before it."""

    def __init__(self, hidden_size: int, num_heads: int, depth: int, causal: bool) -> None:
        super().__init__()
        self.num_heads, self.causal = num_heads, causal
        self.query_key_value = InitialLinear(hidden_size, 3 * hidden_size, hidden_size**-0.5)
        self.output = InitialLinear(hidden_size, hidden_size, (2 * depth * hidden_size) ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        # (batch, length, 3, heads, channels of a head) -> three times (batch, heads, length, channels of a head)
        query, key, value = self.query_key_value(tokens).unflatten(-1, (3, self.num_heads, -1)).unbind(2)
        mixed = F.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), is_causal=self.causal
        )
        return self.output(mixed.transpose(1, 2).flatten(2))


class ViClipLayer(GradientCheckpointingLayer):
    """Attention, then an MLP, each of the normalised tokens and added to them.

    Weights begin as CLIP's: what is added to the tokens is the smaller the more layers (`depth`) add to them.
    """

    def __init__(self, hidden_size: int, num_heads: int, depth: int, causal: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.attention = ViClipAttention(hidden_size, num_heads, depth, causal)
        self.mlp_norm = nn.LayerNorm(hidden_size)
        self.mlp_in = InitialLinear(hidden_size, 4 * hidden_size, (2 * hidden_size) ** -0.5)
        self.mlp_out = InitialLinear(4 * hidden_size, hidden_size, (2 * depth * hidden_size) ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.attention_norm(tokens))
        hidden = self.mlp_in(self.mlp_norm(tokens))
        return tokens + self.mlp_out(hidden * torch.sigmoid(1.702 * hidden))


def layers_of(config: ViClipTowerConfig, causal: bool) -> nn.ModuleList:
    """The layers of a tower."""
    depth = config.num_hidden_layers
    return nn.ModuleList(
        ViClipLayer(config.hidden_size, config.num_attention_heads, depth, causal) for _ in range(depth)
    )


class ViClipVisionTower(nn.Module):
    """Frames in, one embedding per clip out."""

    def __init__(self, config: ViClipVisionConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden_size
        self.patch_embedding = nn.Conv2d(config.num_channels, width, config.patch_size, config.patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.position_embedding = nn.Parameter(torch.empty(1 + config.patches_per_frame, width))
        self.temporal_embedding = nn.Parameter(torch.empty(config.num_frames, width))
        self.input_norm = nn.LayerNorm(width)
        self.layers = layers_of(config, causal=False)
        self.output_norm = nn.LayerNorm(width)
        self.projection = nn.Parameter(torch.empty(width, config.projection_dim))

    def forward(self, pixel_values: Tensor, mask_ratio: float = 0.0, generator: Generator | None = None) -> Tensor:
        """`(batch, frames, channels, height, width)` -> `(batch, projection_dim)`."""
        patches = self._patches(pixel_values)
        if mask_ratio:
            patches = _random_subset(patches, patches.shape[1] - int(mask_ratio * patches.shape[1]), generator)
        first = (self.class_embedding + self.position_embedding[0]).expand(len(patches), 1, -1)
        tokens = self.input_norm(torch.cat([first, patches], dim=1))
        for layer in self.layers:
            tokens = layer(tokens)
        return self.output_norm(tokens[:, 0]) @ self.projection

    def _patches(self, pixel_values: Tensor) -> Tensor:
        """`(batch, frames * patches, width)` with the embeddings of place and time."""
        config, channels_height_width = self.config, tuple(pixel_values.shape[2:])
        expected = (config.num_channels, config.image_size, config.image_size)
        if pixel_values.dim() != 5 or channels_height_width != expected or not pixel_values.shape[1]:
            raise ValueError(
                f"ViClipModel expects pixel_values (batch, frames >= 1, {expected[0]}, {expected[1]}, {expected[2]}), "
                f"got {tuple(pixel_values.shape)}; the checkpoint's VideoClipProcessor makes them of frames (frames, "
                "height, width, 3)."
            )
        batch, frames = pixel_values.shape[:2]
        pixel_values = pixel_values.to(self.patch_embedding.weight.dtype)
        patches = self.patch_embedding(pixel_values.flatten(0, 1)).flatten(2).mT.unflatten(0, (batch, frames))
        patches = patches + self.position_embedding[1:] + self.times(frames)[:, None]
        return patches.flatten(1, 2)

    def times(self, frames: int) -> Tensor:
        """The temporal embedding for a clip of `frames`, `(frames, width)`."""
        own = self.temporal_embedding
        if frames == len(own):
            return own
        if frames == 1:
            return own.mean(0, keepdim=True)
        return F.interpolate(own.T[None].float(), size=frames, mode="linear")[0].T.to(own.dtype)


class ViClipTextTower(nn.Module):
    """Tokens in, one embedding per text out."""

    def __init__(self, config: ViClipTextConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden_size
        self.token_embedding = nn.Embedding(config.vocab_size, width)
        self.position_embedding = nn.Parameter(torch.empty(config.max_position_embeddings, width))
        self.layers = layers_of(config, causal=True)
        self.output_norm = nn.LayerNorm(width)
        self.projection = nn.Parameter(torch.empty(width, config.projection_dim))

    def forward(self, input_ids: Tensor) -> Tensor:
        """`(batch, length)` token numbers -> `(batch, projection_dim)`: of the token with the highest number, the end.

        Later tokens are padding and have no influence, since every token sees only those before it.
        """
        config = self.config
        fits = input_ids.dim() == 2 and 1 <= input_ids.shape[1] <= config.max_position_embeddings
        if not fits or input_ids.is_floating_point():
            raise ValueError(
                f"ViClipModel expects input_ids (batch, 1 to {config.max_position_embeddings} tokens) of whole "
                f"numbers, got {input_ids.dtype} {tuple(input_ids.shape)}; tokenize with truncation=True, "
                f"max_length={config.max_position_embeddings}."
            )
        tokens = self.token_embedding(input_ids) + self.position_embedding[: input_ids.shape[1]]
        for layer in self.layers:
            tokens = layer(tokens)
        ends = tokens[torch.arange(len(tokens), device=tokens.device), input_ids.argmax(-1)]
        return self.output_norm(ends) @ self.projection


class ViClipModel(PreTrainedModel):
    """The two towers and the learned temperature of their similarities.

    Examples:
        >>> small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        >>> model = motionhub.ViClipModel(motionhub.ViClipConfig(vision_config=small, text_config=small))
        >>> round(model.temperature.item(), 2)
        0.01
    """

    config: ViClipConfig
    base_model_prefix = "viclip"
    main_input_name = "pixel_values"
    input_modalities = ["video", "text"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["ViClipLayer"]
    _supports_sdpa = True

    def __init__(self, config: ViClipConfig) -> None:
        super().__init__(config)
        self.vision_tower = ViClipVisionTower(config.vision)
        self.text_tower = ViClipTextTower(config.text)
        self.temperature = nn.Parameter(torch.empty(()))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """CLIP's: every matrix by the widths around it, the embedding of time 0."""
        if isinstance(module, InitialLinear):
            init.normal_(module.weight, std=module.initial_std)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            init.normal_(module.weight, std=math.prod(module.weight.shape[1:]) ** -0.5)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, ViClipVisionTower):
            scale = module.config.hidden_size**-0.5
            for parameter in (module.class_embedding, module.position_embedding, module.projection):
                init.normal_(parameter, std=scale)
            init.zeros_(module.temporal_embedding)
        elif isinstance(module, ViClipTextTower):
            init.normal_(module.position_embedding, std=0.01)
            init.normal_(module.projection, std=module.config.hidden_size**-0.5)
        elif isinstance(module, ViClipModel):
            init.constant_(module.temperature, float(self.config.initial_temperature))

    def get_video_features(
        self, pixel_values: Tensor, mask_ratio: float = 0.0, generator: Generator | None = None
    ) -> Tensor:
        """Embeddings `(batch, projection_dim)` of clips `(batch, frames, channels, height, width)`; see `forward`."""
        if not 0 <= mask_ratio < 1:
            raise ValueError(f"mask_ratio must be in 0..1, below 1, got {mask_ratio!r}; 0 keeps every patch.")
        return self.vision_tower(pixel_values, mask_ratio, generator)

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Embeddings `(batch, projection_dim)` of texts as token numbers `(batch, length)`; see `forward`."""
        return self.text_tower(input_ids)

    @can_return_tuple
    def forward(
        self,
        pixel_values: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        mask_ratio: float = 0.0,
        generator: Generator | None = None,
        return_loss: bool = False,
    ) -> ViClipOutput:
        """Embeddings of videos, of texts, or of both with their similarities.

        Args:
            pixel_values: `(videos, frames, channels, image_size, image_size)` as the processor makes them.
            input_ids: `(texts, length)` token numbers, up to 32 with start and end; pad with 0.
            attention_mask: accepted as tokenizers give it and not used: tokens after a text's end have no influence.
            mask_ratio: share of the patches that a clip loses at random, 0.9 in the official pre-training; 0: none.
            generator: of that draw.
            return_loss: videos and texts are pairs: the loss of matching them, in both directions.

        Raises:
            ValueError: nothing was given, or a shape does not fit the config.
        """
        if pixel_values is None and input_ids is None:
            raise ValueError("ViClipModel expects pixel_values, input_ids or both, got neither.")
        video = None if pixel_values is None else self.get_video_features(pixel_values, mask_ratio, generator)
        text = None if input_ids is None else self.get_text_features(input_ids)
        if video is None or text is None:
            if return_loss:
                raise ValueError("return_loss needs pixel_values and input_ids, pairs of a video and its text.")
            return ViClipOutput(video_embeds=video, text_embeds=text)
        logits = F.normalize(video, dim=-1) @ F.normalize(text, dim=-1).mT
        logits = logits / self.temperature.clamp(min=LOWEST_TEMPERATURE)
        loss = _matching_loss(logits) if return_loss else None
        return ViClipOutput(loss, logits, logits.mT, video, text)


def _matching_loss(logits: Tensor) -> Tensor:
    """Mean cross entropy of the diagonal, by rows and by columns."""
    if logits.shape[0] != logits.shape[1]:
        raise ValueError(f"return_loss needs as many videos as texts, got {tuple(logits.shape)}.")
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits.float(), own) + F.cross_entropy(logits.mT.float(), own)) / 2


def _random_subset(patches: Tensor, kept: int, generator: Generator | None) -> Tensor:
    """`kept` of the patches `(batch, patches, width)` of each clip."""
    device = patches.device if generator is None else generator.device
    noise = torch.rand(patches.shape[:2], generator=generator, device=device).to(patches.device)
    chosen = noise.argsort(dim=1)[:, :kept, None].expand(-1, -1, patches.shape[-1])
    return patches.gather(1, chosen)
