"""Distillation: a small model learns what a larger one makes of the same clips, a classifier or a zero-shot model."""

import hashlib
from dataclasses import InitVar, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from motionhub.losses.distillation import soft_target_loss
from motionhub.nn.weights import weights_hash
from motionhub.objectives.self_supervised import Run, SelfSupervised


UNLABELLED = -1


@dataclass(kw_only=True, eq=False, repr=False)
class Distillation(SelfSupervised):
    """`(1 - label_weight) * soft targets + label_weight * cross entropy`; clips without a label have the first only.

    A clip's targets are those of the clip as it stands, whatever the augmentation of the epoch shows the student.

    Args:
        targets: `(num_clips, classes)` logits of the teacher, a row per training clip (`motionhub.soft_targets`).
        temperature: of both probabilities, see `losses.distillation`.
        label_weight: share of the labels, 0..1; labels of -1 are none.

    Raises:
        ValueError: an option is out of its range; `prepare`: not one row per clip.

    Examples:
        >>> import torch
        >>> objective = motionhub.Distillation(targets=torch.randn(8, 10), temperature=2.0)
        >>> objective.label_weight
        0.3
    """

    targets: InitVar[Tensor]
    temperature: float = 2.0
    label_weight: float = 0.3

    of_teacher: Tensor = field(init=False)

    def __post_init__(self, targets: Tensor) -> None:
        super().__post_init__()
        self.check_above_zero("temperature")
        if not 0 <= self.label_weight <= 1:
            raise ValueError(f"label_weight must be 0 (soft targets only) to 1, got {self.label_weight!r}.")
        if targets.ndim != 2 or not torch.isfinite(targets).all():
            raise ValueError(f"targets must be finite logits (num_clips, classes), got {tuple(targets.shape)}.")
        self.register_buffer("of_teacher", targets.detach().float(), persistent=False)

    def settings(self) -> dict[str, Any]:
        """What must not change when a run is resumed: the options and the teacher's answers."""
        given = self.of_teacher.cpu().numpy().round(3).tobytes()
        return {**super().settings(), "targets": hashlib.sha256(given).hexdigest()}

    def network(self, model: Any, run: Run) -> nn.Module:
        """The student itself."""
        expected = (run.num_clips, model.config.num_labels)
        if tuple(self.of_teacher.shape) != expected:
            raise ValueError(
                f"targets must be {expected}, a row per training clip and a column per class of the student, got "
                f"{tuple(self.of_teacher.shape)}; make them with motionhub.soft_targets of the same rows."
            )
        student: nn.Module = model
        return student

    def forward(self, model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """`loss` and its two parts, of the clips `index` of a batch."""
        inputs = {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask") if name in batch}
        logits = model(**inputs).logits.float()
        soft = soft_target_loss(logits, self.of_teacher[batch["index"]], self.temperature)
        labels = batch.get("labels", torch.full_like(batch["index"], UNLABELLED))
        hard = functional.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="none")
        share = self.label_weight * (labels != UNLABELLED)
        loss = ((1 - share) * soft + share * hard).mean()
        return {"loss": loss, "soft": soft.mean().detach(), "labels": hard.mean().detach()}


@dataclass(kw_only=True, eq=False, repr=False)
class ZeroShotDistillation(SelfSupervised):
    """`1 - cosine` of both motion embeddings, and `similarity_weight` times soft targets over phrases.

    Student and teacher see the same augmented clips, so the targets are of what the student sees; labels are not
    used. The soft targets are the teacher's cosines with the phrases over `temperature`.

    Args:
        teacher: a `TMorModel`; its weights stay as they are.
        text_features: `(phrases, text_size)` vectors of the text tower, the phrases that are compared.
        temperature: of both softmaxes over the phrases.
        similarity_weight: of the soft targets, 0 or more.

    Raises:
        ValueError: an option is out of its range, or the two models have no common space.

    Examples:
        >>> import torch
        >>> encoder = motionhub.TcnConfig(layout="coco-17", num_joints=17, channels=[8])
        >>> teacher = motionhub.TMorModel(motionhub.TMorConfig(encoder_config=encoder, text_size=4, projection_size=6))
        >>> objective = motionhub.ZeroShotDistillation(teacher=teacher, text_features=torch.randn(20, 4))
        >>> objective.temperature
        0.07
    """

    teacher: InitVar[Any]
    text_features: InitVar[Tensor]
    temperature: float = 0.07
    similarity_weight: float = 1.0

    texts: Tensor = field(init=False)

    def __post_init__(self, teacher: Any, text_features: Tensor) -> None:
        super().__post_init__()
        self.check_above_zero("temperature")
        self.check_at_least(0, "similarity_weight")
        size = teacher.config.text_size
        if text_features.ndim != 2 or text_features.shape[1] != size or len(text_features) < 2:
            raise ValueError(
                f"text_features must be two or more vectors of the teacher's tower, (phrases, {size}), got "
                f"{tuple(text_features.shape)}."
            )
        self.register_buffer("texts", text_features.detach().float(), persistent=False)
        self._teacher = (teacher.eval().requires_grad_(False),)  # in a tuple it is no part of the saved state

    def settings(self) -> dict[str, Any]:
        """What must not change when a run is resumed: the options, the phrases and the teacher."""
        phrases = hashlib.sha256(self.texts.cpu().numpy().round(3).tobytes()).hexdigest()
        return {**super().settings(), "phrases": phrases, "teacher": weights_hash(self._teacher[0])}

    def network(self, model: Any, run: Run) -> nn.Module:
        """The student itself."""
        teacher = self._teacher[0]
        for name in ("projection_size", "text_size"):
            if getattr(model.config, name) != (own := getattr(teacher.config, name)):
                raise ValueError(
                    f"Student and teacher share one space: {name} must be {own}, got {getattr(model.config, name)}."
                )
        student: nn.Module = model
        return student

    def forward(self, model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        """`loss` and its two parts, of the clips of a batch."""
        inputs = {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask") if name in batch}
        with torch.no_grad():
            teacher = self._teacher[0].to(self.texts.device)
            given = teacher(**inputs, text_features=self.texts)
        own = model(**inputs, text_features=self.texts)
        apart = 1 - functional.cosine_similarity(own.motion_embeds.float(), given.motion_embeds.float())
        cosines, targets = (each.motion_embeds.float() @ each.text_embeds.float().mT for each in (own, given))
        soft = soft_target_loss(cosines / self.temperature, targets / self.temperature)
        loss = (apart + self.similarity_weight * soft).mean()
        agreement = (cosines.argmax(-1) == targets.argmax(-1)).float().mean()
        parts = {"embedding": apart.mean(), "soft": soft.mean(), "same_phrase": agreement}
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}
