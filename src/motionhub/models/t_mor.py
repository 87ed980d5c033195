"""T-MOR: a motion encoder whose features lie in one space with sentences and videos, so that words name actions.

Paper: thesis of Di Yang, chapter 6, "Transferable Motion Representation" (PoseCap-1M); no official code, and none of
its sizes are stated. Every modality has a projection; similarity is the cosine of two projections.

Where the thesis is silent:
- The projections are Linear-ReLU-Linear onto `projection_size`. With few classes a learned map of the text bends the
  space of sentences to the classes it saw; `text_projection_layers=0` keeps the vectors of the text tower, and the
  motion is projected into that space.
- Actions are ranked by the similarities of `SimilarityNormalizer`; `score_temperature` and `rejection_threshold` are
  fitted on motions that the model was not trained with, see `metrics/open_set.py`.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import EncoderInsideConfig
from motionhub.nn.heads import clip_loss


# Of the directions in which motions differ so many are kept; below this deviation a text's counts as this.
RANK, FLOOR = 64, 0.05


@strict
class TMorConfig(EncoderInsideConfig):
    """Sizes and options of T-MOR; the defaults are the thesis's UNIK and ViCLIP L/14, the rest our choice.

    Args:
        encoder_config: of any skeleton encoder of this library; None: the Posetics UNIK.
        projection_size: channels of the common space.
        projection_hidden_size: channels between the two layers of a projection; None: `projection_size`.
        motion_projection_layers, video_projection_layers, text_projection_layers: 2, 1 (linear) or, of text and video,
            0 (the tower's own vectors; their size must then be `projection_size`).
        text_size, video_size: channels of the towers' vectors; `video_size=None`: no video.
        text_tower, video_tower: which towers they are, `{"kind": ..., "name": ..., "dim": ...}`; None: not stated.
        temperature: of the similarities in training, at its start.
        learn_temperature: whether it learns.
        score_temperature: by which similarities are divided before the softmax over labels.
        rejection_threshold: the similarity that "none of these" has; None: not fitted, the answer is never given.
        window_rejection_threshold: the same for windows of an untrimmed recording; None: as for clips.
        calibrated_stacking: added to the similarity of labels that its text bank does not mark as trained:
            without it the labels of the training win nearly always. See `metrics/open_set.py`.
        window_seconds: length of motion that the model is meant for.

    Examples:
        >>> encoder = motionhub.UnikConfig(channels=[8], strides=[1])
        >>> motionhub.TMorConfig(encoder_config=encoder, projection_size=64, text_size=384).hidden_size
        8
    """

    model_type = "motionhub_t_mor"
    # Names of earlier versions, as in saved configs.
    attribute_map = {
        "none_similarity": "rejection_threshold",
        "window_none_similarity": "window_rejection_threshold",
        "unseen_bonus": "calibrated_stacking",
    }
    may_be_zero = ("text_projection_layers", "video_projection_layers")

    projection_size: int = 512
    projection_hidden_size: int | None = None
    motion_projection_layers: int = 2
    text_projection_layers: int = 2
    video_projection_layers: int = 2
    text_size: int = 768
    video_size: int | None = 768
    text_tower: dict | None = None
    video_tower: dict | None = None
    temperature: float | int = 0.1
    learn_temperature: bool = False
    score_temperature: float | int = 0.1
    rejection_threshold: float | int | None = None
    window_rejection_threshold: float | int | None = None
    calibrated_stacking: float | int = 0.0
    window_seconds: float | int = 2.5

    def __post_init__(self, **kwargs: Any) -> None:
        if self.projection_hidden_size is None:
            self.projection_hidden_size = self.projection_size
        super().__post_init__(**kwargs)

    def validate_projections(self) -> None:
        for kind, least in (("motion", 1), ("text", 0), ("video", 0)):
            layers = getattr(self, f"{kind}_projection_layers")
            if not least <= layers <= 2:
                raise ValueError(f"TMorConfig expects {kind}_projection_layers in {least}..2, got {layers}.")
            if kind == "motion" or layers or (kind == "video" and self.video_size is None):
                continue
            if getattr(self, f"{kind}_size") != self.projection_size:
                raise ValueError(
                    f"Without a {kind} projection the common space is the tower's: projection_size must be "
                    f"{kind}_size={getattr(self, f'{kind}_size')}, got {self.projection_size}."
                )

    def validate_numbers(self) -> None:
        positive = {name: getattr(self, name) for name in ("temperature", "score_temperature", "window_seconds")}
        if wrong := {name: value for name, value in positive.items() if not value > 0}:
            raise ValueError(f"TMorConfig expects numbers above 0, got {wrong}.")

    def validate_towers(self) -> None:
        for kind in ("text", "video"):
            tower = getattr(self, f"{kind}_tower")
            stated = None if tower is None else tower.get("dim")
            if stated is not None and stated != getattr(self, f"{kind}_size"):
                raise ValueError(
                    f"{kind}_tower {tower.get('name')!r} makes vectors of {stated} channels, but {kind}_size is "
                    f"{getattr(self, f'{kind}_size')}; they must agree."
                )


@dataclass
class TMorOutput(ModelOutput):
    """The model's output for a batch.

    Attributes:
        pooler_output: `(B, C)` features of the encoder, before any projection.
        last_hidden_state: the encoder's, per person, frame and joint.
        motion_embeds, text_embeds, video_embeds: `(n, projection_size)` unit vectors, of what was given.
        temperature: scalar, of the similarities in training.
    """

    pooler_output: Tensor | None = None
    last_hidden_state: Tensor | None = None
    motion_embeds: Tensor | None = None
    text_embeds: Tensor | None = None
    video_embeds: Tensor | None = None
    temperature: Tensor | None = None


@dataclass
class ZeroShotOutput(ModelOutput):
    """`logits (B, num_texts)`: similarities over `score_temperature`; `loss` with labels; the unit embeddings."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    motion_embeds: Tensor | None = None
    text_embeds: Tensor | None = None


class Temperature(nn.Module):
    """A positive number stored as its logarithm, so that no update can make it negative."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.start = start
        self.logarithm = nn.Parameter(torch.tensor(math.log(start)))

    def forward(self) -> Tensor:
        """The temperature; CLIP's bound of 0.01 keeps the logits below 100."""
        return self.logarithm.exp().clamp(min=0.01)


class SimilarityNormalizer(nn.Module):
    """Similarities less their mean over many motions, in units of their standard deviation.

    The cosine overrates a text that fits every motion a little. Until the statistics are
    measured, similarities are cosines.
    """

    mean: Tensor
    factor: Tensor
    floor: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("factor", torch.zeros(min(RANK, channels), channels))
        self.register_buffer("floor", torch.ones(()))

    def forward(self, motions: Tensor, texts: Tensor) -> Tensor:
        """`(n, m)` similarities of unit vectors `(n, channels)` and `(m, channels)`."""
        deviation = ((texts @ self.factor.mT).square().sum(-1) + self.floor**2).sqrt()
        return (motions - self.mean) @ texts.mT / deviation

    @torch.no_grad()
    def measure(self, motions: Tensor) -> None:
        """From the unit embeddings `(n, channels)` of many different motions; labels are not used."""
        self.mean.copy_(motions.mean(0))
        moved = (motions - motions.mean(0)).double()
        _, values, directions = torch.linalg.svd(moved, full_matrices=False)
        kept = min(len(self.factor), len(values))
        self.factor.zero_()
        self.factor[:kept] = (values[:kept, None] * directions[:kept] / len(motions) ** 0.5).to(self.factor)
        self.floor.fill_(FLOOR)

    @torch.no_grad()
    def measure_scale(self, motions: Tensor, texts: Tensor) -> None:
        """The unit only: the deviation of the cosines of `(n, channels)` and `(m, channels)`, one for all texts.

        Means and deviations of single texts are those of the sensors that were measured; on others they mislead.
        """
        self.mean.zero_()
        self.factor.zero_()
        self.floor.fill_((motions @ texts.mT).std(0).mean())


class Projection(nn.Module):
    """Onto the unit sphere of the common space: Linear-ReLU-Linear, Linear, or as it is."""

    def __init__(self, layers: int, channels: int, hidden: int, size: int) -> None:
        super().__init__()
        if layers == 2:
            self.layers = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, size))
        else:
            self.layers = nn.Sequential(nn.Linear(channels, size) if layers else nn.Identity())

    def forward(self, features: Tensor) -> Tensor:
        """`(n, channels)` -> `(n, size)` of length 1."""
        return nn.functional.normalize(self.layers(features), dim=-1)


class TMorPreTrainedModel(PreTrainedModel):
    """Loading, saving and initialisation; the encoder inside initialises itself."""

    config: TMorConfig
    base_model_prefix = "t_mor"
    main_input_name = "keypoints"
    input_modalities = ["time", "text"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["JointBlock"]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, Temperature):
            init.constant_(module.logarithm, math.log(module.start))
        elif isinstance(module, SimilarityNormalizer):
            init.zeros_(module.mean)
            init.zeros_(module.factor)
            init.ones_(module.floor)
        elif isinstance(module, nn.Linear):  # as CLIP's projections
            init.normal_(module.weight, std=module.in_features**-0.5)
            init.zeros_(module.bias)


class TMorModel(TMorPreTrainedModel):
    """The motion encoder and the projections of motion, text and video; the towers stay outside.

    Examples:
        >>> import torch
        >>> encoder = motionhub.UnikConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17")
        >>> config = motionhub.TMorConfig(encoder_config=encoder, projection_size=6, text_size=4)
        >>> model = motionhub.TMorModel(config)
        >>> model(torch.randn(1, 1, 30, 17, encoder.in_channels)).motion_embeds.shape
        torch.Size([1, 6])
    """

    def __init__(self, config: TMorConfig) -> None:
        super().__init__(config)
        self.encoder = AutoModel.from_config(config.encoder)
        hidden, size = config.projection_hidden_size or config.projection_size, config.projection_size
        self.motion_projection = Projection(config.motion_projection_layers, config.hidden_size, hidden, size)
        self.text_projection = Projection(config.text_projection_layers, config.text_size, hidden, size)
        self.video_projection: Projection | None = None
        if config.video_size is not None:
            self.video_projection = Projection(config.video_projection_layers, config.video_size, hidden, size)
        self.temperature = Temperature(float(config.temperature))
        self.temperature.requires_grad_(config.learn_temperature)
        self.typical_motion = SimilarityNormalizer(size)  # the name in saved weights
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        text_features: Tensor | None = None,
        video_features: Tensor | None = None,
    ) -> TMorOutput:
        """Embeddings of motions, and of the texts and videos given with them.

        Args:
            keypoints, joint_mask, attention_mask: as the processor makes them, see the encoder.
            text_features, video_features: `(n, channels)` vectors of the towers.

        Raises:
            ValueError: a shape does not fit the config.
        """
        outputs = self.encoder(keypoints, joint_mask=joint_mask, attention_mask=attention_mask, return_dict=True)
        return TMorOutput(
            pooler_output=outputs.pooler_output,
            last_hidden_state=outputs.last_hidden_state,
            motion_embeds=self.motion_projection(outputs.pooler_output),
            text_embeds=None if text_features is None else self._projected("text", text_features),
            video_embeds=None if video_features is None else self._projected("video", video_features),
            temperature=self.temperature(),
        )

    def get_skeleton_features(
        self, keypoints: Tensor, joint_mask: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> BaseModelOutputWithPooling:
        """`pooler_output (B, projection_size)`: unit embeddings of motions in the common space."""
        outputs = self.encoder(keypoints, joint_mask=joint_mask, attention_mask=attention_mask, return_dict=True)
        embeds = self.motion_projection(outputs.pooler_output)
        return BaseModelOutputWithPooling(last_hidden_state=outputs.last_hidden_state, pooler_output=embeds)

    def get_text_features(self, text_features: Tensor) -> BaseModelOutputWithPooling:
        """`pooler_output (n, projection_size)`: unit embeddings of the text tower's vectors `(n, text_size)`."""
        return BaseModelOutputWithPooling(pooler_output=self._projected("text", text_features))

    def get_video_features(self, video_features: Tensor) -> BaseModelOutputWithPooling:
        """`pooler_output (n, projection_size)`: unit embeddings of the video tower's vectors `(n, video_size)`."""
        return BaseModelOutputWithPooling(pooler_output=self._projected("video", video_features))

    def similarities(self, motion_embeds: Tensor, text_embeds: Tensor) -> Tensor:
        """`(n, m)`: how well each text describes each motion; cosines until `typical_motion` is measured."""
        return self.typical_motion(motion_embeds, text_embeds)

    def _projected(self, kind: str, features: Tensor) -> Tensor:
        size = getattr(self.config, f"{kind}_size")
        if size is None:
            raise ValueError("This model has no video projection (video_size=None); train one with video_size=....")
        if features.ndim != 2 or features.shape[1] != size:
            tower = getattr(self.config, f"{kind}_tower") or {}
            raise ValueError(
                f"This model takes {kind} features (n, {size}) of {tower.get('name', 'its own tower')!r}, got "
                f"{tuple(features.shape)}; encode with that tower, or train a model of yours ({kind}_size=...)."
            )
        projection = self.text_projection if kind == "text" else self.video_projection
        assert projection is not None
        return projection(features.to(self.typical_motion.mean))


class TMorForZeroShotActionClassification(TMorPreTrainedModel):
    """The text that describes a motion best: logits are similarities over `config.score_temperature`.

    Examples:
        >>> import torch
        >>> encoder = motionhub.UnikConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17")
        >>> config = motionhub.TMorConfig(encoder_config=encoder, projection_size=6, text_size=4)
        >>> model = motionhub.TMorForZeroShotActionClassification(config)
        >>> model.config.projection_size
        6
    """

    def __init__(self, config: TMorConfig) -> None:
        super().__init__(config)
        self.t_mor = TMorModel(config)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        text_features: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> ZeroShotOutput:
        """As the model; `text_features (num_texts, text_size)` are the candidates, the same for all motions.

        `labels (B,)` integers give the mean cross entropy, negative ones (unknown) do not count.
        """
        if text_features is None:
            raise ValueError(
                "Zero-shot classification needs text_features (num_texts, text_size); encode labels with "
                'motionhub.towers.text_towers.load_text_tower, or use pipeline("zero-shot-action-classification").'
            )
        outputs = self.t_mor(keypoints, joint_mask, attention_mask, text_features, return_dict=True)
        similarity = self.t_mor.similarities(outputs.motion_embeds, outputs.text_embeds)
        logits = similarity / self.config.score_temperature
        return ZeroShotOutput(
            loss=None if labels is None else clip_loss(logits, labels),
            logits=logits,
            motion_embeds=outputs.motion_embeds,
            text_embeds=outputs.text_embeds,
        )


def fuse_scores(motion: Tensor, video: Tensor, video_weight: float = 0.5) -> Tensor:
    """Probabilities `(n, labels)` of motion and of a video-text model such as ViCLIP, fused.

    The rule (the thesis reports "T-MOR + ViCLIP" without one) is the weighted mean of their logarithms, brought back
    to sum 1: a product of experts, in which a label that either model excludes is excluded.

    Raises:
        ValueError: shapes differ, or the weight is not in 0..1.
    """
    if motion.shape != video.shape or not 0 <= video_weight <= 1:
        raise ValueError(
            f"Expected two score tables of one shape and a weight in 0..1, got {tuple(motion.shape)}, "
            f"{tuple(video.shape)} and {video_weight!r}."
        )
    tiny = torch.finfo(torch.float32).tiny
    logs = (1 - video_weight) * motion.float().clamp(min=tiny).log()
    return (logs + video_weight * video.float().clamp(min=tiny).log()).softmax(dim=-1)
