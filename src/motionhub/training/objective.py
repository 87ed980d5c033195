"""The interface of training objectives: (model, batch) -> losses, and their state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional


@runtime_checkable
class Objective(Protocol):
    """A loss with state (a queue of keys, a momentum encoder); a loss without state may be a plain function.

    The state is saved and restored, never optimised: trainable weights belong to the model.
    """

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> Mapping[str, Tensor] | Tensor:
        """`{"loss": scalar, ...parts to log}` or the loss alone. Must call `model(...)` exactly once (for DDP)."""

    def after_update(self, model: nn.Module) -> None:
        """Called after every parameter update, with the bare model."""

    def state_dict(self) -> dict[str, Any]:
        """Saved with every checkpoint."""

    def load_state_dict(self, state_dict: Any) -> Any:
        """Restored on resume."""


@runtime_checkable
class PretrainingObjective(Objective, Protocol):
    """An objective without labels, which may add trainable modules.

    Besides the model's inputs its batches hold `index` (rows of the dataset) and `seeds` (for the random numbers of
    this clip, epoch and view), both int64 `(batch,)`. With `num_views` above 1 a batch has that many views of every
    clip, all first views before all second ones. Only the model passed to `train` is exported; modules that `prepare`
    adds are saved with the state.
    """

    num_views: int

    def prepare(self, model: Any, run: "RunInfo") -> nn.Module:
        """Called once: the network to optimise and to pass to `__call__`.

        It holds `model`, and its `forward` must use all its parameters (for DDP).
        """

    def ready(self) -> bool:
        """False to count updates without changing weights, e.g. while a queue fills."""

    def settings(self) -> dict[str, Any]:
        """The settings that a resumed run must not change, as JSON values."""


@runtime_checkable
class OwnOptimizers(Protocol):
    """A `PretrainingObjective` with its own optimizers; each makes one step per update."""

    def optimizers(self, network: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
        """Every trainable weight belongs to exactly one of them. `learning_rate` is the recipe's; its schedule and
        `max_grad_norm` apply to all of them, its `optimizer`, `momentum` and `weight_decay` to none.
        """


@dataclass(frozen=True)
class RunInfo:
    """Facts of the run for `PretrainingObjective.prepare`; `fingerprint` identifies the clips and their order."""

    num_clips: int
    fingerprint: str
    updates_per_epoch: int
    epochs: int
    seed: int


class Supervised:
    """The model's own loss, or with label smoothing the cross entropy of its `logits`."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        output = model(**batch)
        if not self.label_smoothing:
            return {"loss": output.loss}
        logits = output.logits.float()
        return {"loss": functional.cross_entropy(logits, batch["labels"], label_smoothing=self.label_smoothing)}

    def after_update(self, model: nn.Module) -> None:
        """No state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: Any) -> None:
        """No state."""


class _WithoutMemory(Supervised):
    def __init__(self, function: Callable[[nn.Module, dict[str, Any]], Any]) -> None:
        super().__init__()
        self.function = function

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> Any:
        return self.function(model, batch)


def as_objective(objective: Any, label_smoothing: float) -> Objective:
    """`Supervised` for None; a function as an objective without state; an objective itself."""
    if objective is None:
        return Supervised(label_smoothing)
    if label_smoothing:
        raise ValueError(f"label_smoothing={label_smoothing} applies to the default objective only; set it to 0.")
    if isinstance(objective, Objective):
        return objective
    if hasattr(objective, "state_dict"):
        raise ValueError(
            f"{type(objective).__name__} has a state_dict, so it must have all methods of an Objective "
            "(after_update, state_dict, load_state_dict); otherwise a resume would lose its state."
        )
    if not callable(objective):
        raise ValueError(f"objective must be callable as objective(model, batch), got {type(objective).__name__}.")
    return _WithoutMemory(objective)


def losses_of(result: Any) -> dict[str, Tensor]:
    """The result of an objective as a dictionary with a scalar `loss`."""
    losses = dict(result) if isinstance(result, Mapping) else {"loss": result}
    loss = losses.get("loss")
    if not isinstance(loss, torch.Tensor) or loss.ndim != 0:
        raise ValueError(
            "An objective must return a scalar tensor, or a dictionary with a scalar 'loss'; got "
            f"{ {name: getattr(value, 'shape', value) for name, value in losses.items()} }."
        )
    return losses
