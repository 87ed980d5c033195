"""LAC's second stage: an encoder learns from motions that a frozen generator composed, without labels or with them.

Paper: Yang et al., "LAC: Latent Action Composition for Skeleton-based Action Segmentation", ICCV 2023 (thesis 4.3.2).
Two motions of a batch are composed. The query has the static part (body, view) of the one clip, its P positive keys
have those of other clips; a slow encoder makes the keys, a queue holds keys of other compositions. The loss compares
whole sequences and, frame by frame, their features: L = L_seq + L_frame (eq. 4.6, 4.7).

The defaults are the paper's constants (8192 keys, as with its training; with its loss it says 65,536), `CODE` are the
code's, for `LacContrast(generator, 120, **CODE)`: one positive, no sequence term, 30 cosines added up before they are
divided by 0.07. Where both are silent:
- One projection (two layers) serves sequences and frames.
- The composition's partner and the statics are of other clips of the same forward pass, of all processes
  (`objectives.joint_forward`; `ComposedLabels`: of the own process). A person is composed with the same slot of the
  other clip, or with the first person present.
- The queue keeps the first key of every composition; keys that came from a clip itself are not its negatives.
- "Every 4 frames" is the rate of UNIK's features, so with `frame_sampling=4` all of them are compared.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import InitVar, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from motionhub.losses.contrastive import (
    DENOMINATORS,
    SEVERAL_POSITIVES,
    alignment,
    frame_info_nce,
    info_nce,
    uniformity,
)
from motionhub.nn.people import continue_clips, frames_of_people
from motionhub.objectives.joint_forward import JointForward, padded_alike
from motionhub.objectives.momentum import FeatureQueue, Gathered, MomentumEncoder
from motionhub.objectives.self_supervised import Model, Run, SelfSupervised


CODE: dict[str, Any] = {
    "queue_size": 65_536,
    "momentum": 0.999,
    "anneal": False,
    "temperature": 0.07,
    "num_positives": 1,
    "sequence_weight": 0.0,
    "batch_norm": "own",
}


class ProjectedEncoder(nn.Module):
    """Encoder and two-layer projection: a vector per clip and one per (sampled) frame, of any length."""

    def __init__(self, encoder: Model, projection_size: int, step: int) -> None:
        super().__init__()
        self.encoder, self.step = encoder, step
        size = encoder.config.hidden_size
        self.projection = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, projection_size))

    def forward(self, keypoints: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, size)` and `(B, T'', size)`; frames are averaged over joints and the people present."""
        output = self.encoder(keypoints=keypoints, attention_mask=attention_mask)
        frames = output.last_hidden_state[:, :, :: self.step].mean(3)
        people = attention_mask.any(-1)[..., None, None].to(frames.dtype)
        frames = (frames * people).sum(1) / people.sum(1).clamp(min=1)
        return self.projection(output.pooler_output), self.projection(frames)


@dataclass(kw_only=True, eq=False, repr=False)
class LacContrast(SelfSupervised):
    """The objective, for `motionhub.training.trainer.train` with an encoder; the defaults are the paper's.

    Its batches hold clips of one number of frames (a processor's `num_frames`; the last frame of a shorter clip is
    repeated), as the generator takes them.

    Args:
        generator: a trained LacModel. It is copied (so it can be trained further) and not saved.
        num_frames: of the clips.
        projection_size: of the vectors that are compared.
        queue_size: keys held.
        momentum, anneal, batch_norm: of the slow encoder, see `MomentumEncoder`.
        temperature: of the similarities.
        num_positives: P, keys of a query; the batch has at least P + 1 clips.
        sequence_weight, frame_weight: of the two terms; 0 leaves one out.
        frame_sampling: input frames from one compared frame to the next.
        over_frames: `"sum"` or `"mean"` of the frames' similarities.
        denominator, several: of the losses, see `losses.contrastive`.
        compose: False leaves motions as they are (the ablation without composition); statics still change.
        hold: True keeps the weights still until the queue is full.

    Raises:
        ValueError: an option has no such value.

    Examples:
        >>> generator = motionhub.LacModel(motionhub.LacConfig())
        >>> objective = motionhub.LacContrast(generator, num_frames=64, queue_size=1024)
        >>> objective.num_positives
        4
    """

    generator: InitVar[Any] = field(kw_only=False)
    num_frames: int = field(kw_only=False)
    projection_size: int = 128
    queue_size: int = 8192
    momentum: float = 0.994
    anneal: bool = True
    batch_norm: str = "copy"
    temperature: float = 0.1
    num_positives: int = 4
    sequence_weight: float = 1.0
    frame_weight: float = 1.0
    frame_sampling: int = 4
    over_frames: str = "sum"
    denominator: str = "standard"
    several: str = "sum"
    compose: bool = True
    hold: bool = False

    total_updates: int = field(init=False)
    queue: FeatureQueue = field(init=False)
    frame_queue: FeatureQueue = field(init=False)
    slow: MomentumEncoder = field(init=False)

    def __post_init__(self, generator: Any) -> None:
        super().__post_init__()
        self.check_at_least(1, "num_frames", "projection_size", "queue_size", "num_positives", "frame_sampling")
        self.check_at_least(0, "sequence_weight", "frame_weight")
        if not self.sequence_weight + self.frame_weight > 0:
            raise ValueError("One of sequence_weight and frame_weight must be above 0, got 0 for both.")
        self.check_choices(denominator=DENOMINATORS, several=SEVERAL_POSITIVES, over_frames=("sum", "mean"))
        vars(self)["generator"] = frozen_copy(generator)  # past `__setattr__`: no part of the state
        self._loss: dict[str, Any] = {
            "temperature": self.temperature,
            "denominator": self.denominator,
            "several": self.several,
        }
        self._new = Gathered()

    def network(self, model: Model, run: Run) -> nn.Module:
        """Encoder with projection, its slow copy, and queues.

        Raises:
            ValueError: encoder and generator do not take the same input.
        """
        made: Any = self.generator
        wanted, own = ((config.num_joints, config.in_channels) for config in (made.config, model.config))
        if wanted != own:
            raise ValueError(
                f"The encoder takes (joints, dims) {own}, but the generator makes {wanted}; train a generator on what "
                "the encoder's processor gives (LacPairs, layout of the encoder)."
            )
        stride, size = model.config.frame_stride, self.projection_size
        step = max(1, self.frame_sampling // stride)
        coarse = -(-self.num_frames // stride)
        network = ProjectedEncoder(model, size, step)
        self.slow = MomentumEncoder(network, self.momentum, anneal=self.anneal, batch_norm=self.batch_norm)
        self.queue = FeatureQueue(self.queue_size, size)
        frames = -(-coarse // step) if self.frame_weight else 1
        self.frame_queue = FeatureQueue(self.queue_size if self.frame_weight else 1, (frames, size))
        self.total_updates = run.epochs * run.updates_per_epoch
        return network

    def ready(self) -> bool:
        """False while the queue fills, with `hold`."""
        return not self.hold or self.queue.is_full

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.PretrainingObjective`), its parts, alignment and uniformity."""
        batch = padded_alike(batch)
        everyone = JointForward(batch["seeds"].to(batch["keypoints"].device))
        clips = len(everyone)
        if clips < self.num_positives + 1 or clips < 2:
            raise ValueError(
                f"{self.num_positives} positives need statics of as many other clips in every forward pass, got "
                f"{clips} clips; raise batch_size, or lower num_positives."
            )
        keypoints, present = whole_clips(batch["keypoints"], batch["attention_mask"], self.num_frames)
        partner, statics = int(self.compose), [*range(self.num_positives + 1)]  # the query's, then those of the keys
        everybody = everyone.of_all(keypoints), everyone.of_all(present)
        composed = compositions(self.generator, *everybody, partner, statics)
        made = [(clip[everyone.own], mask[everyone.own]) for clip, mask in composed]
        queries = model(*made[0])
        keys = [self.slow(*key) for key in made[1:]]
        sequence_keys, frame_keys = (torch.stack(parts, dim=1) for parts in zip(*keys, strict=True))
        losses = self._losses(queries, sequence_keys, frame_keys, batch["index"])
        self._new.add(batch["index"], torch.cat([sequence_keys[:, :1], frame_keys[:, 0]], dim=1))
        total = torch.stack([getattr(self, f"{name}_weight") * value for name, value in losses.items()]).sum()
        parts = {name: value.detach() for name, value in losses.items()}
        vectors = queries[0].detach()
        space = {"alignment": alignment(vectors, sequence_keys[:, 0]), "uniformity": uniformity(vectors)}
        return {"loss": total, **parts, **space}

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        """Keys of the update, of all processes, enter the queues; the slow encoder follows."""
        rows, vectors = self._new.take()
        units = functional.normalize(vectors, dim=-1)
        self.queue.enqueue(units[:, 0], rows)
        if self.frame_weight:
            self.frame_queue.enqueue(units[:, 1:], rows)
        super().after_update(model)
        self.slow.update(model, int(self.updates) / self.total_updates)

    def _losses(
        self, queries: tuple[Tensor, Tensor], keys: Tensor, frame_keys: Tensor, rows: Tensor
    ) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        if self.sequence_weight:
            others = self.queue.others(rows)
            losses["sequence"] = info_nce(queries[0], keys, self.queue.negatives(), negative_mask=others, **self._loss)
        if self.frame_weight:
            others = self.frame_queue.others(rows)
            negatives = self.frame_queue.negatives()
            losses["frame"] = frame_info_nce(
                queries[1], frame_keys, negatives, over_frames=self.over_frames, negative_mask=others, **self._loss
            )
        return losses


class ComposedLabels:
    """The supervised second stage: compositions carry the labels of both motions.

    For `train(model, ..., objective=ComposedLabels(generator))` with a classifier or a segmentation model, whose every
    label is then yes or no (mean binary cross entropy). Motions are composed with the next clip of the forward pass,
    and take body and view of the one after that.

    Args:
        generator: a trained LacModel, which is copied and stays as it is.
        num_frames: of the clips, as in `LacContrast`.

    Examples:
        >>> generator = motionhub.LacModel(motionhub.LacConfig())
        >>> motionhub.ComposedLabels(generator, num_frames=64).num_frames
        64
    """

    def __init__(self, generator: Any, num_frames: int) -> None:
        self.generator, self.num_frames = frozen_copy(generator), num_frames

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss; `labels` are classes `(B,)`, or 0 and 1 `(B, T, num_labels)`; negative ones do not count."""
        inputs = whole_clips(batch["keypoints"], batch["attention_mask"], self.num_frames)
        ((keypoints, mask),) = compositions(self.generator, *inputs, partner=1, statics=[2])
        logits = model(keypoints=keypoints, attention_mask=mask).logits
        labels = batch["labels"]
        if labels.ndim == 1:
            known = (labels >= 0)[:, None].expand_as(logits)
            targets = functional.one_hot(labels.clamp(min=0), logits.shape[1]).to(logits.dtype)
        else:
            known, targets = labels >= 0, labels.clamp(min=0).to(logits.dtype)
        known, both = known & known.roll(-1, 0), torch.maximum(targets, targets.roll(-1, 0))
        losses = functional.binary_cross_entropy_with_logits(logits.float(), both.float(), reduction="none")
        return (losses * known).sum() / known.sum().clamp(min=1)


def frozen_copy(generator: Any) -> Any:
    """A frozen copy of the generator without dropout; the caller's keeps its mode, gradients and device."""
    return deepcopy(generator).eval().requires_grad_(False)


def whole_clips(keypoints: Tensor, attention_mask: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
    """`(B, M, num_frames, V, C)`, the last frame repeated after a shorter clip, and `(B, M)` which people are present.

    Raises:
        ValueError: clips of more frames.
    """
    frames = keypoints.shape[2]
    if frames > num_frames:
        raise ValueError(f"Clips of {num_frames} frames were announced, got {frames}; set the processor's num_frames.")
    last = frames_of_people(keypoints, attention_mask)
    return continue_clips(keypoints, last, num_frames), last > 0


@torch.no_grad()
def compositions(
    generator: Any, keypoints: Tensor, present: Tensor, partner: int, statics: list[int]
) -> list[tuple[Tensor, Tensor]]:
    """Every clip composed with the one `partner` places on (0: alone), once with the static of each of `statics` on.

    Args:
        keypoints: `(B, M, T, V, C)`, every frame of the people present.
        present: `(B, M)` bool.

    Returns:
        For each of `statics`: keypoints `(B, M, T, V, C)` and attention_mask `(B, M, T)`.
    """
    config, frames = generator.config, keypoints.shape[2]
    mask = present[..., None].expand(*present.shape, frames)
    if not bool(present.any()):
        return [(torch.zeros_like(keypoints), mask) for _ in statics]
    wanted = max(-(-frames // config.frame_stride) * config.frame_stride, config.min_frames)
    rows = functional.pad(keypoints[present].flatten(2).mT, (0, wanted - frames), mode="replicate")
    codes = generator.to(keypoints.device).encode(rows)
    motion = (codes.motion + codes.motion[_people_on(present, partner)]) / 2
    made = []
    for places in statics:
        result = generator.decode(motion, codes.static[_people_on(present, places)])[..., :frames]
        clips = torch.zeros_like(keypoints)
        clips[present] = result.mT.unflatten(-1, keypoints.shape[3:]).to(keypoints.dtype)
        made.append((clips, mask))
    return made


def _people_on(present: Tensor, places: int) -> Tensor:
    """For each person present `(people,)`, the number of one of the clip so many places on.

    The same slot, or the first person present; the person itself where there is none.
    """
    numbers = present.flatten().cumsum(0).sub(1).view_as(present)
    theirs, there = numbers.roll(-places, 0), present.roll(-places, 0)
    first = theirs.gather(1, there.to(torch.int8).argmax(1, keepdim=True)).expand_as(theirs)
    chosen = torch.where(there, theirs, first)
    return torch.where(there.any(1, keepdim=True), chosen, numbers)[present]
