"""A tiny world for the training tests: clips whose class shows in their position, and a model without batch norm.

As a script it runs one training in its own process, so that a test can kill it.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from motionhub.data.formats.schema import features
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.objective import Supervised
from motionhub.training.trainer import TrainingResult, train


CLASS_NAMES = ["low", "middle", "high"]


class ToyConfig(PreTrainedConfig):
    model_type = "motionhub_toy"
    dropout = 0.0


class ToyEncoder(PreTrainedModel):
    config_class = ToyConfig
    base_model_prefix = "encoder"

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.layer = nn.Linear(13 * 2, 8)
        self.post_init()

    def forward(self, keypoints: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(keypoints.mean(dim=(1, 2)).flatten(1)))


class ToyForClassification(PreTrainedModel):
    config_class = ToyConfig
    base_model_prefix = "encoder"

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.encoder = ToyEncoder(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(8, config.num_labels)
        self.post_init()

    def forward(
        self, keypoints: torch.Tensor, joint_mask: Any = None, attention_mask: Any = None, labels: Any = None
    ) -> ModelOutput:
        logits = self.classifier(self.dropout(self.encoder(keypoints)))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ModelOutput(loss=loss, logits=logits)


def toy_model(dropout: float = 0.0, seed: int = 0) -> ToyForClassification:
    torch.manual_seed(seed)
    config = ToyConfig(id2label=dict(enumerate(CLASS_NAMES)))
    config.dropout = dropout
    model = ToyForClassification(config)
    for weight in model.parameters():  # transformers' default init is close to zero for so small a model
        nn.init.normal_(weight, std=0.3)
    return model


def toy_processor() -> SkeletonProcessor:
    """Random 4-frame windows and a random turn in training; everything in the test."""
    return SkeletonProcessor(
        layout="penn-13",
        num_dims=2,
        num_people=1,
        num_frames=4,
        normalization="none",
        rotation_degrees=(0.0, 0.0, 20.0),
        scale_jitter=0.2,
    )


def toy_dataset(num_clips: int, seed: int = 0, noise: float = 0.1) -> Dataset:
    """Clip i has class i % 3 and stands at height class - 1, with noise: separable."""
    random = np.random.default_rng(seed)
    rows = []
    for index in range(num_clips):
        keypoints = random.normal(scale=noise, size=(1, 6, 13, 2)).astype(np.float32)
        keypoints[..., 1] += index % 3 - 1
        sequence = SkeletonSequence(keypoints=keypoints, layout="penn-13", fps=30.0, unit="normalised")
        rows.append(to_row(sequence, label=index % 3, clip_id=f"clip{index:03d}", source="toy", licence="none"))
    return Dataset.from_list(rows, features=features(CLASS_NAMES))


def toy_recipe(output_dir: Path, **changes: Any) -> TrainingRecipe:
    numbers: dict[str, Any] = {
        "output_dir": str(output_dir),
        "epochs": 3,
        "batch_size": 8,
        "eval_batch_size": 4,
        "learning_rate": 0.1,
        "milestones": [2],
        "log_updates": 2,
        "cpu": True,
        "progress_bar": False,
        "mixed_precision": "no",  # the same numbers on every processor
    }
    return TrainingRecipe(**{**numbers, **changes})


class SignalAt(Supervised):
    """The supervised objective, which sends `number` to this very process in update `update` (1-based)."""

    def __init__(self, update: int, number: int) -> None:
        super().__init__()
        self.update, self.number, self.calls = update, number, 0

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        self.calls += 1
        if self.calls == self.update:
            os.kill(os.getpid(), self.number)
        return super().__call__(model, batch)


def toy_run(
    recipe: TrainingRecipe, *, dropout: float = 0.0, **extra: Any
) -> tuple[ToyForClassification, TrainingResult]:
    """Train the toy on 40 clips, evaluate on 13."""
    model = toy_model(dropout)
    result = train(model, toy_processor(), toy_dataset(40), toy_dataset(13, seed=9), recipe, **extra)
    return model, result


def weights(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def main(order: dict[str, Any], write: Callable[..., None] = print) -> None:
    recipe = TrainingRecipe(**order["recipe"])
    kill_at = order.get("kill_at")
    extra = {"objective": SignalAt(kill_at, signal.SIGKILL)} if kill_at else {}
    model, result = toy_run(recipe, dropout=order.get("dropout", 0.0), **extra)
    from accelerate import PartialState

    state = PartialState()
    report = {"rank": state.process_index, "num_processes": state.num_processes, "num_clips": []}
    report["num_clips"] = [entry["num_clips"] for entry in result.history]
    report["top1"] = [entry["top1"] for entry in result.history]
    np.savez(Path(order["report"]) / f"rank{state.process_index}.npz", **weights(model))
    (Path(order["report"]) / f"rank{state.process_index}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
