"""LTN with BYOL: each segment predicts a slow encoder's vectors of all segments of its recording; no negatives.

Papers: thesis of Di Yang, chapter 5 (table 5.2); Feichtenhofer et al., "A Large-Scale Study on Unsupervised
Spatiotemporal Representation Learning" (rho BYOL), whose code is PySlowFast; Grill et al., "Bootstrap Your Own
Latent", NeurIPS 2020. See `objectives/ltn.py`.

The rule of the code's sequential mode, kept here: the loss of a segment is the mean over the keys of all P segments,
its own among them, of -cosine / temperature; the P losses are added up. The optimizer is LARS, which the objective
creates: of a recipe only learning rate, schedule and clipping apply.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from motionhub.losses.contrastive import alignment, uniformity
from motionhub.objectives.ltn import SegmentObjective
from motionhub.objectives.self_supervised import Model, Run


@dataclass(kw_only=True, eq=False, repr=False)
class LtnByol(SegmentObjective):
    """The objective, for `motionhub.training.trainer.train` with an `LtnModel`; the defaults are the code's.

    Args:
        num_segments, momentum, anneal, batch_norm, time_weight, time_unit: see `SegmentObjective`.
        hidden_size: of the layer inside projection and predictor, before its batch norm.
        projection_size: of what is compared.
        temperature: by which cosines are divided.
        optimizer_momentum, weight_decay: of LARS.

    Examples:
        >>> motionhub.LtnByol(num_segments=2, projection_size=64).temperature
        0.5
    """

    hidden_size: int = 4096
    projection_size: int = 256
    momentum: float = 0.996
    temperature: float = 0.5
    optimizer_momentum: float = 0.9
    weight_decay: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least(1, "hidden_size", "projection_size")
        self.check_above_zero("temperature")

    def network(self, model: Model, run: Run) -> nn.Module:
        """The model with projection and predictor, and its slow copy, which predicts nothing."""
        projection = two_layers(model.config.hidden_size, self.hidden_size, self.projection_size)
        predictor = two_layers(self.projection_size, self.hidden_size, self.projection_size)
        return self.around(model, projection, predictor, run)

    def optimizers(self, network: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
        """LARS (see `training.objective.OwnOptimizers`)."""
        learning = [weight for weight in network.parameters() if weight.requires_grad]
        return [Lars(learning, learning_rate, self.optimizer_momentum, self.weight_decay)]

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.PretrainingObjective`), its parts, alignment and uniformity."""
        segments = self.segments_of(batch)
        predictions, predicted = model(segments)
        keys = self.keys_of(segments)
        mean_key = torch.stack(keys).mean(0)
        losses = [-(functional.normalize(each, dim=-1) * mean_key).sum(-1).mean() for each in predictions]
        distance = torch.stack(losses).sum() / self.temperature
        first = predictions[0].detach()
        parts = {"distance": distance.detach() / self.num_segments, "uniformity": uniformity(first)}
        parts["alignment"] = alignment(first, keys[1])
        return self.with_time(distance, predicted, segments, parts)


def two_layers(channels: int, hidden: int, size: int) -> nn.Sequential:
    """Linear, batch norm, ReLU, Linear."""
    return nn.Sequential(nn.Linear(channels, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, size))


class Lars(torch.optim.Optimizer):
    """SGD with momentum whose step is, tensor by tensor, in proportion to the length of the weights.

    You et al., "Large Batch Training of Convolutional Networks", 2017, https://arxiv.org/abs/1708.03888; batches of
    thousands need it. Of two and more dimensions: `v <- momentum v + trust |w| / |d| d` of `d = g + decay w`, then
    `w <- w - lr v`. Biases and norms (one dimension) are neither scaled nor decayed: `v <- momentum v + g`. A tensor
    or gradient of length 0 is not scaled either.

    Args:
        parameters: to optimise.
        lr: learning rate; it multiplies the momentum term too, as in PyTorch's SGD.
        momentum, weight_decay, trust: see above.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust: float = 0.001,
    ) -> None:
        if not lr > 0 or not 0 <= momentum < 1 or weight_decay < 0 or not trust > 0:
            raise ValueError(
                "Lars expects lr and trust above 0, momentum in [0, 1) and weight_decay of at least 0, got "
                f"{lr}, {trust}, {momentum} and {weight_decay}."
            )
        defaults: dict[str, Any] = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; weights without gradient stay."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)
        return loss

    def _move(self, weight: torch.Tensor, group: dict[str, Any]) -> None:
        gradient = weight.grad
        assert gradient is not None
        if weight.ndim > 1:
            gradient = gradient.add(weight, alpha=group["weight_decay"])
            length, push = weight.norm(), gradient.norm()
            scale = torch.where((length > 0) & (push > 0), group["trust"] * length / push, torch.ones_like(push))
            gradient = gradient * scale
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        weight.add_(state["momentum_buffer"].mul_(group["momentum"]).add_(gradient), alpha=-group["lr"])
