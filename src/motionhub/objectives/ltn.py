"""LTN with MoCo: segments of one recording are alike, each at its own time; segments of other recordings are not.

Paper: thesis of Di Yang, chapter 5 (see `models/ltn.py`), on the recipe of Feichtenhofer et al., "A Large-Scale Study
on Unsupervised Spatiotemporal Representation Learning" (rho MoCo), whose code is PySlowFast. With an `LtnModel` of
variant "none" this is rho MoCo itself.

The model has `compared` in its output; batches hold P segments of every clip (`training/tasks/segments.py`,
`data/video/clips.py`), all first segments before all second ones.

The rule of the code, kept here: keys of all P segments are made once by the slow encoder; each segment in turn is the
query against the keys of the other P - 1, and the P losses are added up, not averaged (what is logged is their sum
over 2 P). Batch norms see one segment of each clip at a time. The slow encoder's momentum is the one of the update
before.

Deviations: the weights are held still until the queue is full (the code counts updates as if each brought one key of
a clip, and fills it P times); keys of a clip itself are not its negatives (a small dataset has many in the queue);
one backward pass goes through all P segments, so memory is that of P, which `gradient_accumulation_steps` lowers.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from motionhub.losses.contrastive import DENOMINATORS, alignment, info_nce, uniformity
from motionhub.objectives.momentum import FeatureQueue, Gathered, MomentumEncoder
from motionhub.objectives.self_supervised import Model, Run, SelfSupervised, check_clips


INPUTS = ("keypoints", "joint_mask", "attention_mask", "pixel_values", "start_seconds")
Segment = dict[str, Tensor]


class SegmentNetwork(nn.Module):
    """The model, the projection of what is compared, and with `predict_time` a head that predicts time differences."""

    def __init__(self, model: Model, projection: nn.Module, predictor: nn.Module, predict_time: bool) -> None:
        super().__init__()
        self.model, self.projection, self.predictor = model, projection, predictor
        self.time_head: nn.Module | None = None
        if predict_time:
            size = model.config.num_directions
            self.time_head = nn.Sequential(nn.Linear(2 * size, size), nn.ReLU(), nn.Linear(size, 1))

    def forward(self, segments: list[Segment]) -> tuple[list[Tensor], Tensor | None]:
        """Vectors to compare `(B, size)` per segment; time from each segment to the next, `(P - 1, B)`."""
        outputs = [self.model(**segment) for segment in segments]
        vectors = [self.predictor(self.projection(output.compared).float()) for output in outputs]
        if self.time_head is None:
            return vectors, None
        times = [output.time_coordinates for output in outputs]
        pairs = [torch.cat(pair, dim=-1) for pair in itertools.pairwise(times)]
        return vectors, torch.stack([self.time_head(pair).squeeze(-1) for pair in pairs])


@dataclass(kw_only=True, eq=False, repr=False)
class SegmentObjective(SelfSupervised):
    """What LTN's objectives share: P segments of a clip, a slow copy, and the term of time of variant "complement".

    Args:
        num_segments: P, segments of a clip in a batch.
        momentum, anneal, batch_norm: of the slow encoder, see `MomentumEncoder`.
        time_weight: of the error of predicted time differences, in units of `time_unit` seconds (variant
            "complement" only).
        time_unit: see above; about the length of a recording.

    Raises:
        ValueError: an option has no such value.
    """

    num_segments: int = 4
    momentum: float = 0.994
    anneal: bool = True
    batch_norm: str = "copy"
    time_weight: float = 1.0
    time_unit: float = 1.0

    total_updates: int = field(init=False)
    slow: MomentumEncoder = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least(2, "num_segments")  # a segment needs another of its clip as positive
        self.check_at_least(0, "time_weight")
        self.check_above_zero("time_unit")

    def around(self, model: Model, projection: nn.Module, predictor: nn.Module, run: Run) -> SegmentNetwork:
        """The network, and its slow copy, which predicts nothing."""
        config = model.config
        if not hasattr(config, "variant") or not hasattr(config, "takes_time"):
            raise ValueError(
                f"LTN trains an LtnModel, got {type(model).__name__}; wrap the encoder: "
                'LtnModel(LtnConfig(encoder_config=encoder.config, variant="none")).'
            )
        check_clips(run)
        self.total_updates = run.epochs * run.updates_per_epoch
        network = SegmentNetwork(model, projection, predictor, config.variant == "complement" and self.time_weight > 0)
        bare = SegmentNetwork(model, projection, nn.Identity(), False)
        self.slow = MomentumEncoder(bare, self.momentum, anneal=self.anneal, batch_norm=self.batch_norm)
        return network

    def segments_of(self, batch: dict[str, Tensor]) -> list[Segment]:
        """The P segments of every clip, as inputs of the model.

        Raises:
            ValueError: the batch does not hold P segments of each clip, or no times.
        """
        clips, inputs = len(batch["index"]), {name: batch[name] for name in INPUTS if name in batch}
        if "start_seconds" not in inputs:
            raise ValueError("LTN needs start_seconds in its batches; make them with SegmentDataset or VideoSegments.")
        entries = len(inputs["start_seconds"])
        if entries != clips * self.num_segments:
            raise ValueError(
                f"Expected {self.num_segments} segments of each of {clips} clips, got {entries}; give the dataset "
                f"num_segments={self.num_segments}."
            )
        parts = {name: value.split(clips) for name, value in inputs.items()}
        return [{name: values[place] for name, values in parts.items()} for place in range(self.num_segments)]

    def keys_of(self, segments: list[Segment]) -> list[Tensor]:
        """What the slow encoder makes of each segment: unit vectors `(B, size)`."""
        return [functional.normalize(self.slow([segment])[0][0], dim=-1) for segment in segments]

    def with_time(
        self, loss: Tensor, predicted: Tensor | None, segments: list[Segment], parts: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """The loss, with the error of predicted times where there are any, and the parts.

        The error is the smooth absolute one (Huber) of seconds between neighbouring segments, in `time_unit`s.
        """
        if predicted is None:
            return {"loss": loss, **parts}
        starts = torch.stack([segment["start_seconds"] for segment in segments]).to(predicted.dtype)
        error = functional.smooth_l1_loss(predicted, starts.diff(dim=0) / self.time_unit)
        return {"loss": loss + self.time_weight * error, "time": error.detach(), **parts}

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        """The slow encoder takes its step; its momentum is that of the share of the run before this update."""
        bare: Any = model
        matched = SegmentNetwork(bare.model, bare.projection, nn.Identity(), False)
        self.slow.update(matched, int(self.updates) / self.total_updates)
        self.updates += 1


@dataclass(kw_only=True, eq=False, repr=False)
class LtnMoco(SegmentObjective):
    """The objective, for `motionhub.training.trainer.train` with an `LtnModel`; the defaults are the thesis's.

    Args:
        num_segments, momentum, anneal, batch_norm, time_weight, time_unit: see `SegmentObjective`.
        projection_sizes: of the linear layers after what is compared, ReLU between, no norm.
        queue_size: keys held: 8192 on Smarthome, 65,536 on Kinetics.
        temperature: of the similarities.
        denominator: `"standard"` or `"printed"` (eq. 5.6 as printed: negatives only).
        hold: False lets the weights learn while the queue still holds random keys.

    Examples:
        >>> motionhub.LtnMoco(num_segments=2, queue_size=1024).momentum
        0.994
    """

    projection_sizes: tuple[int, ...] = (2048, 2048, 128)
    queue_size: int = 8192
    temperature: float = 0.1
    denominator: str = "standard"
    hold: bool = True

    queue: FeatureQueue = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_choices(denominator=DENOMINATORS)
        self.check_at_least(1, "queue_size")
        if not self.projection_sizes or min(self.projection_sizes) < 1:
            raise ValueError(f"projection_sizes must be sizes of at least 1, got {self.projection_sizes}.")
        self._new = Gathered()

    def network(self, model: Model, run: Run) -> nn.Module:
        """The model with a projection, its slow copy, and the queue."""
        projection = projection_layers(model.config.hidden_size, self.projection_sizes)
        self.queue = FeatureQueue(self.queue_size, self.projection_sizes[-1])
        return self.around(model, projection, nn.Identity(), run)

    def ready(self) -> bool:
        """False while the queue fills, with `hold`."""
        return not self.hold or self.queue.is_full

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.PretrainingObjective`), its parts, alignment and uniformity."""
        segments = self.segments_of(batch)
        queries, predicted = model(segments)
        keys = torch.stack(self.keys_of(segments), dim=1)
        rows = batch["index"]
        negatives, others = self.queue.negatives(), self.queue.others(rows)
        losses = [
            info_nce(
                query,
                torch.cat([keys[:, :place], keys[:, place + 1 :]], dim=1),
                negatives,
                temperature=self.temperature,
                negative_mask=others,
                denominator=self.denominator,
            )
            for place, query in enumerate(queries)
        ]
        contrast = torch.stack(losses).sum()
        self._new.add(rows, keys)
        first = queries[0].detach()
        parts = {"contrast": contrast.detach() / (2 * self.num_segments), "uniformity": uniformity(first)}
        parts["alignment"] = alignment(first, keys[:, 1])
        return self.with_time(contrast, predicted, segments, parts)

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        """All keys of the update, of all processes, enter the queue; the slow encoder follows."""
        rows, keys = self._new.take()
        self.queue.enqueue(keys.flatten(0, 1), rows.repeat_interleave(keys.shape[1]))
        super().after_update(model)


def projection_layers(channels: int, sizes: tuple[int, ...]) -> nn.Sequential:
    """Linear layers with ReLU between, weights uniform with variance 1 / inputs, biases 0 (the official "Xavier")."""
    layers: list[nn.Module] = []
    for before, after in zip([channels, *sizes], sizes, strict=False):
        linear = nn.Linear(before, after)
        nn.init.kaiming_uniform_(linear.weight, a=1)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
