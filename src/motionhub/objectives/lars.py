"""LARS: SGD with momentum whose step is, tensor by tensor, in proportion to the length of the weights.

You et al., "Large Batch Training of Convolutional Networks", 2017, https://arxiv.org/abs/1708.03888. Batches of
thousands need it (BYOL).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


class Lars(torch.optim.Optimizer):
    """Of two and more dimensions: `v <- momentum v + trust |w| / |d| d` of `d = g + decay w`; `w <- w - lr v`.

    Biases and norms (one dimension) are neither scaled nor decayed: `v <- momentum v + g`. A tensor or gradient of
    length 0 is not scaled either.

    Args:
        parameters: to optimise.
        lr: learning rate; it multiplies what was remembered too, as in PyTorch's SGD.
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
