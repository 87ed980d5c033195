"""Optimizers, learning-rate schedules and frozen backbones."""

import math
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from motionhub.training.arguments import TrainingRecipe
from motionhub.training.objective import OwnOptimizers


def build_optimizers(objective: Any, network: nn.Module, recipe: TrainingRecipe) -> list[torch.optim.Optimizer]:
    """The objective's own optimizers, which must hold every trainable weight once, or that of the recipe."""
    if not isinstance(objective, OwnOptimizers):
        return [build_optimizer(network, recipe)]
    optimizers = objective.optimizers(network, recipe.learning_rate)
    owned = [id(weight) for optimizer in optimizers for group in optimizer.param_groups for weight in group["params"]]
    learning = {id(weight) for weight in network.parameters() if weight.requires_grad}
    if len(owned) != len(set(owned)) or set(owned) != learning:
        raise ValueError(
            f"The optimizers of {type(objective).__name__} must hold each of the {len(learning)} trainable weights "
            f"once; they hold {len(owned)} weights, {len(set(owned) & learning)} of these."
        )
    return optimizers


def build_optimizer(model: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum (decay on all weights, as in UNIK's code) or AdamW (no decay on biases and norms)."""
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    if not trainable:
        raise ValueError("The model has no trainable weight (requires_grad is False for all of them).")
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            trainable,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
        )
    groups = [
        {"params": [weight for weight in trainable if weight.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in trainable if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.learning_rate)


def learning_rate_factor(recipe: TrainingRecipe, update: int, updates_per_epoch: int) -> float:
    """The factor of the learning rate in update `update` (0-based).

    Not `transformers.get_scheduler`: its warm-up starts at 0, one update later, and it has no milestones.
    """
    warmup, total = recipe.warmup_epochs * updates_per_epoch, recipe.epochs * updates_per_epoch
    rise = min(1.0, (update + 1) / warmup) if warmup > 0 else 1.0
    if recipe.schedule == "step":
        return rise * recipe.gamma ** sum(update // updates_per_epoch >= milestone for milestone in recipe.milestones)
    if update < warmup:
        return rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (update - warmup) / max(1.0, total - warmup))))


def build_schedule(optimizer: torch.optim.Optimizer, recipe: TrainingRecipe, updates_per_epoch: int) -> LambdaLR:
    """The schedule of the recipe, to be stepped once per update."""
    return LambdaLR(optimizer, lambda update: learning_rate_factor(recipe, update, updates_per_epoch))


def freeze_backbone(model: PreTrainedModel) -> None:
    """Leaves only the head trainable; a ValueError for a model without backbone and head."""
    backbone = model.base_model
    head = set(model.parameters()) - set(backbone.parameters())
    if backbone is model or not head:
        raise ValueError(
            f"mode='linear' needs a model with a backbone and a head, but {type(model).__name__} has "
            f"base_model_prefix {model.base_model_prefix!r} and {len(head)} head weights; use mode='finetune'."
        )
    backbone.requires_grad_(False)


def set_mode(network: nn.Module, mode: str) -> None:
    """Training mode; with `"linear"` the backbone stays in evaluation mode, which freezes batch-norm statistics."""
    network.train()
    if mode == "linear":
        assert isinstance(network, PreTrainedModel)
        network.base_model.eval()
