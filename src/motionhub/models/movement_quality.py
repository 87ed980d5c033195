"""Movement quality from any skeleton encoder: its features frame by frame, a GRU, a score per clip.

Paper: the head of U-VI (Sardari et al., BMVC 2021, section 4): two bidirectional GRU
layers and one linear layer, averaged over a clip, with a class per whole score. Two further kinds of scores are ours:
`"ordinal"`, which knows that 3 is between 2 and 4, and `"value"`, for scores that are any number.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import EncoderInsideConfig
from motionhub.nn.heads import RecurrentHead, check_grades, clip_features, clip_loss, expected_grade
from motionhub.nn.people import frames_of_clip


@strict
class MovementQualityConfig(EncoderInsideConfig):
    """The encoder and its head.

    Args:
        encoder_config: of any skeleton encoder of this library; None: the Posetics UNIK.
        scores: `"grades"`: whole scores 0..max_score, a class each, as in the paper. `"ordinal"`: the same scores, by
            the probabilities of being above 0, above 1, ... `"value"`: any number, by its squared error.
        max_score: highest grade; 1 for incorrect and correct.
        recurrent: `"gru"` or `"lstm"`.
        recurrent_size, recurrent_layers: of each direction.
        movement: what the clips show that the model judges; "": not said.
        held_out: how scores agreed with true ones on people left out of the training (`metrics.agreement`), as JSON
            values; None: not measured.
        typical: of the training clips: `mean` and `std` of their features, `limit` of the distance from them, shortest
            and longest `seconds`; None: not measured. A clip outside is not the movement the model was trained on.

    Examples:
        >>> encoder = motionhub.UnikConfig(channels=[8], strides=[1])
        >>> motionhub.MovementQualityConfig(encoder_config=encoder, max_score=4).num_outputs
        5
    """

    model_type = "motionhub_movement_quality"

    scores: Literal["grades", "ordinal", "value"] = "grades"
    max_score: int = 1
    recurrent: Literal["gru", "lstm"] = "gru"
    recurrent_size: int = 512
    recurrent_layers: int = 2
    movement: str = ""
    held_out: dict | None = None
    typical: dict | None = None

    @property
    def num_outputs(self) -> int:
        """Outputs of the head."""
        return {"grades": self.max_score + 1, "ordinal": self.max_score, "value": 1}[self.scores]


@dataclass
class MovementQualityOutput(ModelOutput):
    """`scores (B,)`: expected scores, higher is better; `logits (B, outputs)` they come from; `loss` with labels."""

    loss: Tensor | None = None
    scores: Tensor | None = None
    logits: Tensor | None = None


class SkeletonForMovementQuality(PreTrainedModel):
    """A score per clip of keypoints.

    Examples:
        >>> import torch
        >>> encoder = motionhub.UnikConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17")
        >>> config = motionhub.MovementQualityConfig(encoder_config=encoder, recurrent_size=8)
        >>> model = motionhub.SkeletonForMovementQuality(config)
        >>> model(torch.randn(1, 1, 30, 17, encoder.in_channels)).scores.shape
        torch.Size([1])
    """

    config: MovementQualityConfig
    base_model_prefix = "encoder"
    main_input_name = "keypoints"
    input_modalities = ["time"]

    def __init__(self, config: MovementQualityConfig) -> None:
        super().__init__(config)
        self.encoder = AutoModel.from_config(config.encoder)
        self.head = RecurrentHead(
            config.hidden_size, config.recurrent_size, config.recurrent_layers, config.num_outputs, config.recurrent
        )
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's defaults; the encoder inside initialises itself."""
        if isinstance(module, nn.RNNBase | nn.Linear):
            module.reset_parameters()

    @classmethod
    def from_encoder(cls, source: str | Path, *, pretrained: bool = True, **head: Any) -> "SkeletonForMovementQuality":
        """A new head on the encoder of a checkpoint.

        Args:
            source: folder or Hub id of any skeleton encoder, alone or below a head of its own; or of a model of
                movement quality, whose encoder is taken.
            pretrained: False: random weights, of the encoder too (the control of every pre-trained one).
            head: scores, max_score, recurrent_size, ..., see `MovementQualityConfig`.
        """
        config = AutoConfig.from_pretrained(str(source))
        scored = isinstance(config, MovementQualityConfig)
        model = cls(MovementQualityConfig(encoder_config=config.encoder if scored else config, **head))
        if pretrained:
            found = AutoModel.from_pretrained(str(source))
            model.encoder = found.encoder if scored else found
        return model

    def frame_features(
        self, keypoints: Tensor, joint_mask: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the head reads: `(B, T', C)` the encoder's features by frame, and `(B,)` how many frames a clip has."""
        outputs = self.encoder(keypoints, joint_mask=joint_mask, attention_mask=attention_mask, return_dict=True)
        return _frames(outputs.last_hidden_state, keypoints.shape[2], attention_mask)

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor | None = None,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        frame_features: Tensor | None = None,
        feature_lengths: Tensor | None = None,
    ) -> MovementQualityOutput:
        """Inputs as the encoder's; people of a clip are averaged, padded frames left out.

        Args:
            labels: `(B,)` true scores: whole ones 0..max_score (negative: unknown, does not count), or with
                `scores="value"` any numbers (NaN: unknown).
            frame_features, feature_lengths: the result of `frame_features`, instead of keypoints: a frozen encoder
                then runs once per clip.

        Raises:
            ValueError: a label above `max_score`, neither keypoints nor features, or what the encoder refuses.
        """
        if frame_features is None:
            if keypoints is None:
                raise ValueError("Expected keypoints (B, M, T, V, C), or frame_features with feature_lengths.")
            frame_features, feature_lengths = self.frame_features(keypoints, joint_mask, attention_mask)
        elif feature_lengths is None:
            feature_lengths = torch.full((len(frame_features),), frame_features.shape[1])
        logits = self.head(frame_features, feature_lengths)
        return MovementQualityOutput(
            loss=None if labels is None else self.loss_of(logits, labels), scores=self.scores_of(logits), logits=logits
        )

    def distance_of(self, frame_features: Tensor, feature_lengths: Tensor) -> Tensor:
        """How far clips `(B,)` are from those of the training: the mean squared deviation of their mean features.

        In units of the training clips' variance, so about 1 for these. `config.typical` has the statistics.
        """
        assert self.config.typical is not None
        mean, std = (frame_features.new_tensor(self.config.typical[name]) for name in ("mean", "std"))
        return ((clip_features(frame_features, feature_lengths) - mean) / std).square().mean(1)

    def scores_of(self, logits: Tensor) -> Tensor:
        """Expected scores `(B,)` of the head's outputs."""
        if self.config.scores == "value":
            return logits.squeeze(1)
        if self.config.scores == "ordinal":
            return logits.sigmoid().sum(1)
        return expected_grade(logits)

    def loss_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of grades, the mean binary one of "above k", or the mean squared error; over known labels."""
        if self.config.scores == "value":
            known = labels.isfinite()
            errors = (logits.squeeze(1).float() - labels.float()).masked_fill(~known, 0)
            return errors.square().sum() / known.sum().clamp(min=1)
        check_grades(labels, self.config.max_score, "MovementQualityConfig")
        if self.config.scores == "grades":
            return clip_loss(logits, labels)
        known = labels >= 0
        above = (labels[:, None] > torch.arange(logits.shape[1], device=labels.device)).float()
        losses = nn.functional.binary_cross_entropy_with_logits(logits.float(), above, reduction="none").mean(1)
        return losses.mul(known).sum() / known.sum().clamp(min=1)


def _frames(hidden: Tensor, num_frames: int, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """`(B, T', C)` means over joints and the people present, and `(B,)` how many of the frames a clip has."""
    features = hidden.mean(3)
    mask = frames_of_clip(attention_mask)
    if mask is None:
        return features.mean(1), torch.full((len(features),), features.shape[2])
    if not torch.compiler.is_compiling() and not bool(mask.any((1, 2)).all()):
        empty = (~mask.any((1, 2))).nonzero().flatten().tolist()
        raise ValueError(
            f"Clips {empty[:8]} of the batch have no person in any frame, so there is no movement to score."
        )
    stride = -(-num_frames // features.shape[2])
    people = mask[:, : features.shape[1], ::stride].unsqueeze(-1).to(features.dtype)
    people = nn.functional.pad(people, (0, 0, 0, 0, 0, features.shape[1] - people.shape[1]))
    averaged = features.mul(people).sum(1) / people.sum(1).clamp(min=1)
    return averaged, mask.any(1)[:, ::stride].sum(1)
