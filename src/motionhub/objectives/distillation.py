"""Distillation of a classifier: a small model learns the probabilities that a larger one gives to the same clips."""

import hashlib
from dataclasses import InitVar, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from motionhub.losses.distillation import soft_target_loss
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
