"""What a training run minimises, as the loop sees it: (model, batch) -> numbers, and the state that goes with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional


@runtime_checkable
class Objective(Protocol):
    """A loss with a memory (a queue of keys, a momentum encoder). A plain function without memory does as well.

    Weights that learn belong to the model: an objective's own tensors are saved and restored, never optimised.
    """

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> Mapping[str, Tensor] | Tensor:
        """`{"loss": scalar, ...parts to log}` or the loss alone. Calls `model(...)` exactly once (DDP needs that)."""

    def after_update(self, model: nn.Module) -> None:
        """Runs after every parameter update with the bare model: momentum averages, queues."""

    def state_dict(self) -> dict[str, Any]:
        """Saved with every checkpoint."""

    def load_state_dict(self, state_dict: Any) -> Any:
        """Restored on resume."""


@runtime_checkable
class PretrainingObjective(Objective, Protocol):
    """An objective that needs no labels: it may add modules that learn, and it knows clips by their row.

    Its batches hold, besides the model's inputs, `index` (rows of the dataset) and `seeds` (one per entry: where the
    random numbers of this clip, epoch and view come from), both int64 `(batch,)`. With `num_views` above 1 every clip
    is in the batch that many times, differently augmented, all first views before all second ones.

    Only the model that `train` was given is exported; what `prepare` adds is saved with the state, for a resume.
    """

    num_views: int

    def prepare(self, model: Any, run: "RunInfo") -> nn.Module:
        """Called once before the first update: the network whose parameters are optimised and that `__call__` gets.

        It holds `model`, and in its `forward` uses every parameter it has (DDP needs that).
        """

    def ready(self) -> bool:
        """False while the optimizer is held (a queue fills): the update is counted but no weight moves."""

    def settings(self) -> dict[str, Any]:
        """What must not change when the run is resumed, as JSON values."""


@runtime_checkable
class OwnOptimizers(Protocol):
    """A `PretrainingObjective` that updates parts of its network by optimizers of its own, one step of each per update."""

    def optimizers(self, network: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
        """They share out all weights of the network that learn. `learning_rate` is the recipe's; its schedule and
        `max_grad_norm` apply to all of them, its `optimizer`, `momentum` and `weight_decay` to none."""


@dataclass(frozen=True)
class RunInfo:
    """What a pretext may need to know of the run.

    Args:
        num_clips: rows of the training set.
        fingerprint: names the training set; equal for the same clips in the same order only.
        updates_per_epoch, epochs: how long it is.
        seed: of the run.
    """

    num_clips: int
    fingerprint: str
    updates_per_epoch: int
    epochs: int
    seed: int


class Supervised:
    """Cross entropy of `model(**batch)`: the model's own loss, or with label smoothing computed here from `logits`."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
        output = model(**batch)
        if not self.label_smoothing:
            return {"loss": output.loss}
        logits = output.logits.float()
        return {"loss": functional.cross_entropy(logits, batch["labels"], label_smoothing=self.label_smoothing)}

    def after_update(self, model: nn.Module) -> None:
        """Nothing to keep."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: Any) -> None:
        """Nothing was kept."""


class _WithoutMemory(Supervised):
    def __init__(self, function: Callable[[nn.Module, dict[str, Any]], Any]) -> None:
        super().__init__()
        self.function = function

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> Any:
        return self.function(model, batch)


def as_objective(objective: Any, label_smoothing: float) -> Objective:
    """None -> `Supervised`; a function -> an objective without memory; an objective -> itself."""
    if objective is None:
        return Supervised(label_smoothing)
    if label_smoothing:
        raise ValueError(
            f"label_smoothing={label_smoothing} belongs to the default objective; set it to 0 with your own."
        )
    if isinstance(objective, Objective):
        return objective
    if hasattr(objective, "state_dict"):
        raise ValueError(
            f"{type(objective).__name__} has a state_dict, so it must have all methods of an Objective "
            "(after_update, state_dict, load_state_dict); otherwise its memory would be lost on resume."
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
            "An objective must return a scalar tensor, or a dictionary with one under 'loss'; got "
            f"{ {name: getattr(value, 'shape', value) for name, value in losses.items()} }."
        )
    return losses
