"""LTN with BYOL: each segment predicts what a slow encoder makes of all segments of its recording; no negatives.

Papers: thesis of Di Yang, chapter 5 (table 5.2); Feichtenhofer et al., "A Large-Scale Study on Unsupervised
Spatiotemporal Representation Learning" (rho BYOL), whose code is PySlowFast; Grill et al., "Bootstrap Your Own
Latent", NeurIPS 2020. See `objectives/ltn.py`.

The rule of the code's sequential mode, kept here: the loss of a segment is the mean over the keys of all P segments,
its own among them, of -cosine / temperature; the P losses are added up. The optimizer is LARS, which the objective
brings along: of a recipe only learning rate, schedule and clipping apply.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from motionhub.losses.contrastive import alignment, uniformity
from motionhub.objectives.lars import Lars
from motionhub.objectives.ltn import SegmentObjective


@dataclass(kw_only=True, eq=False, repr=False)
class LtnByol(SegmentObjective):
    """The objective, for `motionhub.training.trainer.train` with an `LtnModel`; the defaults are the code's.

    Args:
        num_segments, momentum, anneal, batch_norm, time_weight, time_unit: see `SegmentObjective`.
        hidden_size: of the layer inside projection and predictor, before its batch norm.
        projection_size: of what is compared.
        temperature: by which cosines are divided.
        optimizer_momentum, weight_decay: of LARS.
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

    def network(self, model: Any, run: Any) -> nn.Module:
        """The model with projection and predictor, and its slow copy, which predicts nothing."""
        projection = two_layers(model.config.hidden_size, self.hidden_size, self.projection_size)
        predictor = two_layers(self.projection_size, self.hidden_size, self.projection_size)
        return self.around(model, projection, predictor, run)

    def optimizers(self, network: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
        """LARS (see `training.objective.OwnOptimizers`)."""
        learning = [weight for weight in network.parameters() if weight.requires_grad]
        return [Lars(learning, learning_rate, self.optimizer_momentum, self.weight_decay)]

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.Pretext`), its parts, alignment and uniformity."""
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
