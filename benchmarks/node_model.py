"""A small classifier without batch norm: one process and several compute the same, up to rounding."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from motionhub.processing.skeleton import SkeletonProcessor


class MeanPoseConfig(PreTrainedConfig):
    """Of `MeanPoseForClassification`."""

    model_type = "motionhub_mean_pose"
    hidden_size = 32


class MeanPoseForClassification(PreTrainedModel):
    """The mean pose of a clip -> hidden layer -> class scores."""

    config_class = MeanPoseConfig
    base_model_prefix = "layer"

    def __init__(self, config: MeanPoseConfig) -> None:
        super().__init__(config)
        self.layer = nn.Linear(17 * 2, config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @classmethod
    def with_classes(cls, names: list[str]) -> "MeanPoseForClassification":
        """Random weights, the same in every process."""
        torch.manual_seed(0)
        model = cls(MeanPoseConfig(id2label=dict(enumerate(names))))
        for weight in model.parameters():
            nn.init.normal_(weight, std=0.3)
        return model

    def forward(
        self, keypoints: torch.Tensor, joint_mask: Any = None, attention_mask: Any = None, labels: Any = None
    ) -> ModelOutput:
        logits = self.classifier(torch.tanh(self.layer(keypoints.mean(dim=(1, 2)).flatten(1))))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ModelOutput(loss=loss, logits=logits)


def processor() -> SkeletonProcessor:
    """Random windows of eight frames, turned at random."""
    return SkeletonProcessor(
        layout="posetics-17", num_dims=2, num_people=1, num_frames=8, rotation_degrees=(0.0, 0.0, 20.0)
    )
