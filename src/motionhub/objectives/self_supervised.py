"""The base of objectives without labels: options that are fields, and a count of updates."""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from motionhub.skeletons.layout import SkeletonLayout


class Model(Protocol):
    """What an objective trains: a model of transformers, or one that is called and configured like it."""

    config: Any

    def __call__(self, *inputs: Any, **named_inputs: Any) -> Any: ...


class Run(Protocol):
    """What an objective reads of its run (`training.objective.RunInfo`)."""

    @property
    def num_clips(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def updates_per_epoch(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def seed(self) -> int: ...


@dataclass(kw_only=True, eq=False, repr=False)
class SelfSupervised(nn.Module):
    """A `training.objective.PretrainingObjective` whose options are its fields; a method defines `network`.

    A field with `init=False` is state, not an option.
    """

    num_views: int = field(default=1, init=False)
    updates: Tensor = field(init=False)
    # Whether the count of updates is saved with the state.
    saves_updates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__init__()
        self.register_buffer("updates", torch.zeros((), dtype=torch.long), persistent=self.saves_updates)

    def check_choices(self, **choices: tuple[str, ...]) -> None:
        """ValueError unless each option is one of its choices."""
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}.")

    def check_at_least(self, least: float, *names: str) -> None:
        """ValueError unless each option is `least` or more."""
        if wrong := {name: getattr(self, name) for name in names if not getattr(self, name) >= least}:
            raise ValueError(f"{' and '.join(names)} must be {least} or more, got {wrong}.")

    def check_above_zero(self, *names: str) -> None:
        """ValueError unless each option is above 0."""
        if wrong := {name: getattr(self, name) for name in names if not getattr(self, name) > 0}:
            raise ValueError(f"{' and '.join(names)} must be above 0, got {wrong}.")

    def settings(self) -> dict[str, Any]:
        """What must not change when a run is resumed, as JSON values: the options."""
        return {option.name: as_json(getattr(self, option.name)) for option in fields(self) if option.init}

    def prepare(self, model: Model, run: Run) -> nn.Module:
        """The network that is optimised; `model` is part of it (see `network` for errors)."""
        self.updates.zero_()
        return self.network(model, run)

    def network(self, model: Model, run: Run) -> nn.Module:
        """The network around `model`, and the method's state for `run`."""
        raise NotImplementedError

    def ready(self) -> bool:
        """True, unless a method collects keys first."""
        return True

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        """Counts the update."""
        self.updates += 1


def check_clips(run: Run) -> None:
    """ValueError unless there are at least two clips."""
    if run.num_clips < 2:
        raise ValueError(f"Contrastive learning needs two or more clips, got {run.num_clips}.")


def as_json(value: Any) -> Any:
    """A layout as its name, a dataclass as a dictionary, a tuple as a list."""
    if isinstance(value, SkeletonLayout):
        return value.name
    if is_dataclass(value):
        return {name: as_json(part) for name, part in vars(value).items()}
    return [as_json(part) for part in value] if isinstance(value, list | tuple) else value
