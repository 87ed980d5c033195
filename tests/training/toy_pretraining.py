"""A pre-training objective with every kind of state (slow encoder, queue, bank, keys of the batch) on the toy's clips.

As a script it runs one pre-training in its own process, so that a test can kill it.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from toy_training import toy_dataset, toy_processor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from motionhub.losses.contrastive import info_nce
from motionhub.objectives.momentum import FeatureQueue, Gathered, MemoryBank, MomentumEncoder, gathered
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.trainer import TrainingResult, train


QUEUE = 19  # no multiple of the batch of 8


class PoseConfig(PreTrainedConfig):
    model_type = "motionhub_toy_pose"
    hidden_size = 6


class PoseEncoder(PreTrainedModel):
    """Mean pose -> dropout -> six features: an encoder without batch norm."""

    config_class = PoseConfig

    def __init__(self, config: PoseConfig) -> None:
        super().__init__(config)
        self.layer, self.dropout = nn.Linear(26, 6), nn.Dropout(config.to_dict().get("dropout", 0.0))
        self.post_init()

    def forward(self, keypoints: torch.Tensor, joint_mask: Any = None, attention_mask: Any = None) -> ModelOutput:
        return ModelOutput(pooler_output=torch.tanh(self.layer(self.dropout(keypoints.mean((1, 2)).flatten(1)))))


def pose_encoder(dropout: float = 0.0) -> PoseEncoder:
    torch.manual_seed(0)
    config = PoseConfig()
    config.num_joints, config.hidden_size, config.dropout = 13, 6, dropout
    model = PoseEncoder(config)
    nn.init.normal_(model.layer.weight, std=0.3)
    return model


class WithHead(nn.Module):
    def __init__(self, encoder: PoseEncoder) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(6, 4)

    def forward(self, keypoints: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(keypoints).pooler_output)


class EveryMemory(nn.Module):
    """Two views; queries against the queue's keys, the bank's vectors and the batch's own keys of all processes.

    Args:
        hold: keep the optimizer still until the queue is full.
        kill: (update, rank): send SIGKILL to that process in that update (1-based, in this run).
    """

    num_views = 2
    fast: WithHead

    def __init__(self, hold: bool = False, kill: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.hold, self.kill, self.calls, self.new = hold, kill, 0, Gathered()
        self.queue = FeatureQueue(QUEUE, 4)
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def prepare(self, model: Any, run: Any) -> nn.Module:
        network = WithHead(model)
        self.total = run.epochs * run.updates_per_epoch
        self.slow = MomentumEncoder(network, 0.9, anneal=True)
        self.bank = MemoryBank(run.num_clips, 4, fingerprint=run.fingerprint)
        return network

    def ready(self) -> bool:
        return not self.hold or self.queue.is_full

    def settings(self) -> dict[str, Any]:
        return {"queue": QUEUE, "hold": self.hold}

    def forward(self, model: nn.Module, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        self.calls += 1
        if self.kill and (self.calls, int(os.environ.get("RANK", "0"))) == tuple(self.kill):
            os.kill(os.getpid(), signal.SIGKILL)
        count = len(batch["index"]) // 2
        index = batch["index"][:count]
        features = model(batch["keypoints"])
        queries, others = features[:count], features[count:]
        keys = self.slow(batch["keypoints"][count:])
        all_rows, everybody = gathered(index), gathered(others)
        same = index[:, None] == all_rows
        rows = torch.arange(len(self.bank.vectors))
        losses = {
            "queue": info_nce(queries, keys, self.queue.negatives(), temperature=0.2),
            "bank": info_nce(
                queries, self.bank(index), self.bank.vectors, temperature=0.2, negative_mask=rows != index[:, None]
            ),
            "batch": info_nce(queries, others, everybody, temperature=0.2, negative_mask=~same),
        }
        self.new.add(index, torch.cat([keys, queries], dim=1))
        return {"loss": sum(losses.values()), **{name: loss.detach() for name, loss in losses.items()}}

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        rows, vectors = self.new.take()
        self.queue.enqueue(vectors[:, :4], rows)
        self.bank.update(rows, vectors[:, 4:])
        self.updates += 1
        self.slow.update(model, int(self.updates) / self.total)


def unlabelled(num_clips: int) -> Dataset:
    return toy_dataset(num_clips).remove_columns("label")


def pretrain(
    recipe: TrainingRecipe, *, dropout: float = 0.0, data: Dataset | None = None, **options: Any
) -> tuple[PoseEncoder, EveryMemory, TrainingResult]:
    model, objective = pose_encoder(dropout), EveryMemory(**options)
    clips = unlabelled(40) if data is None else data
    return model, objective, train(model, toy_processor(), clips, None, recipe, objective=objective)


def memory(model: nn.Module, objective: nn.Module) -> dict[str, np.ndarray]:
    state = {**model.state_dict(prefix="model."), **objective.state_dict()}
    return {name: value.numpy().copy() for name, value in state.items() if isinstance(value, torch.Tensor)}


def main(order: dict[str, Any]) -> None:
    model, objective, _ = pretrain(
        TrainingRecipe(**order["recipe"]), dropout=order.get("dropout", 0.0), kill=order.get("kill")
    )
    np.savez(Path(order["report"]) / f"rank{os.environ.get('RANK', '0')}.npz", **memory(model, objective))


if __name__ == "__main__":
    from motionhub.cli.main import handle_cli_errors

    sys.exit(handle_cli_errors(lambda: main(json.loads(sys.argv[1]))))
