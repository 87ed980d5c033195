"""T-MOR: a clip's motion is pulled towards another view of it, its video and its texts, and away from those of others.

Paper: thesis of Di Yang, chapter 6 (eqs. 6.2-6.3); no official code. `L_mm` compares two views of a clip's motion,
`L_mv` the motion with the clip's video, `L_mt` with a text of its class; self-supervised "V-M" is mm + mv, supervised
"V-M-T" all three.

The model's output has `motion_embeds`, `text_embeds`, `video_embeds` and `temperature` (`models/t_mor.py`); the towers
are frozen, so their vectors of texts and videos are passed once.

Where the paper is silent:
- One queue per modality, filled by a momentum copy (MoCo; m 0.994). Positives of text and video go through the
  learning projections, so these learn.
- A class has several phrasings; each time a clip is used one is drawn.
- The first view of a clip is the query, the second the key; a clip's own old keys are never its negatives.
"""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from motionhub.losses.contrastive import DENOMINATORS, alignment, info_nce, info_nce_of_queue, uniformity
from motionhub.objectives.momentum import FeatureQueue, Gathered, MomentumEncoder
from motionhub.objectives.self_supervised import Run, SelfSupervised


INPUTS = ("keypoints", "joint_mask", "attention_mask")
LOSSES = ("mm", "mv", "mt")
TEXT_NEGATIVES = ("queue", "classes")
QUEUE_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(kw_only=True, eq=False, repr=False)
class TMor(SelfSupervised):
    """The objective of T-MOR, for `motionhub.training.trainer.train`. Rows are clips, `label` says whose texts.

    Args:
        losses: some of `LOSSES`.
        text_features: for each class its phrasings, `(num_phrases, text_size)`; needed by "mt". A row whose label is
            -1 takes no part in L_mt.
        video_features: `(num_clips, video_size)` by row of the dataset, NaN where a clip has no video; for "mv".
        weights: of the losses, by name; 1 where not given.
        queue_size: keys of each queue.
        momentum: of the copy that makes keys.
        text_negatives: texts of other classes: those of the `"queue"`, where frequent classes are frequent, or
            `"classes"`: every other class once.
        similar_texts: classes of which two phrasings have a cosine above this are no negatives of each other; at the
            default those that have a phrasing in common.
        entailment_mask: `(classes, classes)` bool, true where texts of the second are true of clips of the first, as
            "walk" is of walking slowly: no negatives there (the other way round they are). None: of no class.
        denominator: `"standard"`, or as in the thesis `"printed"`: without the positive.
        queue_dtype: `"float32"`, or `"bfloat16"`: queues of half the size, similarities to them in two thirds of the
            time and right to three digits.

    Raises:
        ValueError: an option has no such value, or a loss lacks its features.

    Examples:
        >>> import torch
        >>> texts = [torch.randn(2, 384), torch.randn(1, 384)]  # of two classes
        >>> objective = motionhub.TMor(text_features=texts, queue_size=1024)
        >>> objective.losses
        ('mm', 'mt')
    """

    losses: Sequence[str] = ("mm", "mt")
    text_features: InitVar[Sequence[Tensor] | None] = None
    video_features: InitVar[Tensor | None] = None
    weights: dict[str, float] | None = None
    queue_size: int = 65536
    momentum: float = 0.994
    text_negatives: str = "queue"
    similar_texts: float = 0.999
    entailment_mask: InitVar[Tensor | None] = None
    denominator: str = "standard"
    queue_dtype: str = "float32"

    momentum_model: MomentumEncoder = field(init=False)
    texts: Tensor = field(init=False)
    text_counts: Tensor = field(init=False)
    text_starts: Tensor = field(init=False)
    other_class: Tensor = field(init=False)
    videos: Tensor = field(init=False)
    queues: Any = field(init=False)

    def __post_init__(
        self, text_features: Sequence[Tensor] | None, video_features: Tensor | None, entailment_mask: Tensor | None
    ) -> None:
        super().__post_init__()
        self.losses = tuple(self.losses)
        self.weight_of = dict.fromkeys(self.losses, 1.0) | (self.weights or {})
        if not self.losses or not set(self.weight_of) <= set(LOSSES) or len(self.weight_of) != len(self.losses):
            raise ValueError(f"losses must be different ones of {LOSSES}, with weights for them, got {self.losses}.")
        self.check_choices(text_negatives=TEXT_NEGATIVES, denominator=DENOMINATORS, queue_dtype=tuple(QUEUE_DTYPES))
        for loss, given in (("mt", text_features), ("mv", video_features)):
            if loss in self.losses and given is None:
                raise ValueError(f"Loss {loss!r} needs {'text' if loss == 'mt' else 'video'}_features, got none.")
        self.num_views = 2 if "mm" in self.losses else 1  # only L_mm uses two views
        self._keep_texts(text_features)
        if entailment_mask is not None:
            self._spare(entailment_mask)
        if video_features is not None:
            self.register_buffer("videos", video_features, persistent=False)
        self._new: dict[str, Gathered] = {}

    def _keep_texts(self, text_features: Sequence[Tensor] | None) -> None:
        """All phrasings in one table, where those of a class begin and how many they are, and who is no negative."""
        if text_features is None:
            return
        counts = torch.tensor([len(phrases) for phrases in text_features])
        if not len(counts) or int(counts.min()) < 1:
            raise ValueError(f"Every class needs at least one phrasing, got {counts.tolist()}.")
        texts = torch.cat(list(text_features)).float()
        owner = torch.arange(len(counts)).repeat_interleave(counts)
        units = nn.functional.normalize(texts, dim=-1)
        first, second = (units @ units.mT > self.similar_texts).nonzero(as_tuple=True)
        same = torch.eye(len(counts), dtype=torch.bool)
        same[owner[first], owner[second]] = True
        self.register_buffer("texts", texts, persistent=False)
        self.register_buffer("text_counts", counts, persistent=False)
        self.register_buffer("text_starts", counts.cumsum(0) - counts, persistent=False)
        self.register_buffer("other_class", ~same, persistent=False)

    def _spare(self, entailment_mask: Tensor) -> None:
        """Texts that are true of a clip are none of its negatives."""
        if "mt" not in self.losses or entailment_mask.shape != self.other_class.shape:
            raise ValueError(
                "entailment_mask must be (classes, classes), with text_features for L_mt, got "
                f"{tuple(entailment_mask.shape)} and losses {self.losses}."
            )
        self.other_class &= ~entailment_mask.bool()

    def settings(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        settings = {**super().settings(), "weights": self.weight_of}
        if self.queue_dtype == "float32":  # as runs were saved before there was a choice
            del settings["queue_dtype"]
        return settings | ({"num_classes": len(self.text_counts)} if "mt" in self.losses else {})

    def network(self, model: Any, run: Run) -> nn.Module:
        """The model itself, without the projections that no loss uses, a slow copy of it and the queues.

        Raises:
            ValueError: the features are of another size than the model's, or other than one a row.
        """
        config = model.config
        self._check_features(config, run.num_clips)
        if "mt" not in self.losses:
            model.text_projection.requires_grad_(False)
        if "mv" not in self.losses and model.video_projection is not None:
            model.video_projection.requires_grad_(False)
        self.momentum_model = MomentumEncoder(model, self.momentum)
        queued = [name for name in self.losses if name != "mt" or self.text_negatives == "queue"]
        how: dict[str, Any] = {"start": "empty", "dtype": QUEUE_DTYPES[self.queue_dtype]}
        size = (self.queue_size, config.projection_size)
        self.queues = nn.ModuleDict({name: FeatureQueue(*size, **how) for name in queued})
        self._new = {name: Gathered() for name in self.queues}
        return model

    def _copy(self) -> Any:
        return self.momentum_model.network

    def _check_features(self, config: Any, num_clips: int) -> None:
        if "mt" in self.losses and self.texts.shape[1] != config.text_size:
            raise ValueError(
                f"The model takes texts of {config.text_size} channels, text_features have {self.texts.shape[1]}; "
                "encode them with the model's tower, or set text_size."
            )
        if "mv" in self.losses and tuple(self.videos.shape) != (num_clips, config.video_size):
            raise ValueError(
                f"video_features must be {(num_clips, config.video_size)}, a row per clip of the model's video_size, "
                f"got {tuple(self.videos.shape)}."
            )

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weighted sum of the losses (see `training.objective.PretrainingObjective`), and each of them."""
        first = slice(0, len(batch["index"]) // self.num_views)
        index = batch["index"][first]
        given, labels, shown = self._given(batch, first)
        output = model(**{name: batch[name][first] for name in INPUTS}, **given)
        parts: dict[str, Tensor] = {}
        if "mm" in self.losses:
            second = {name: batch[name][first.stop :] for name in INPUTS}
            keys, queue = self.momentum_model(**second).motion_embeds.float(), self.queues["mm"]
            parts["mm"] = self._info_nce(output, output.motion_embeds, keys, held_keys(queue), queue.others(index))
            parts["alignment"] = alignment(output.motion_embeds.detach(), keys)
            self._new["mm"].add(index, keys)
        if "mv" in self.losses:
            parts["mv"] = self._video_loss(output, given["video_features"], shown, index)
        if "mt" in self.losses:
            parts["mt"] = self._text_loss(output, given["text_features"], labels)
        loss = torch.stack([self.weight_of[name] * parts[name] for name in self.losses]).sum()
        parts = {name: part.detach() for name, part in parts.items()}
        return {"loss": loss, **parts, "uniformity": uniformity(output.motion_embeds.detach())}

    def _given(self, batch: dict[str, Tensor], first: slice) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """What goes into the model beside the motions; the labels; which clips have a video."""
        given: dict[str, Tensor] = {}
        labels = shown = torch.zeros(0)
        seeds = batch["seeds"][first]
        if "mt" in self.losses:
            if "labels" not in batch:
                raise ValueError("L_mt needs labels: give rows with a label, or leave 'mt' out of losses.")
            labels = batch["labels"][first]
            own = self._phrases(labels.clamp(min=0), seeds)
            drawn = torch.arange(len(self.text_counts), device=own.device)
            everyone = self._phrases(drawn, seeds[0] // 3 + 7919 * drawn) if self.text_negatives == "classes" else None
            given["text_features"] = own if everyone is None else torch.cat([own, everyone])
        if "mv" in self.losses:
            videos = self.videos[batch["index"][first]]
            shown = ~videos.isnan().any(1)
            given["video_features"] = videos.nan_to_num()
        return given, labels, shown

    def _phrases(self, classes: Tensor, seeds: Tensor) -> Tensor:
        """One phrasing of each class, chosen by the seeds."""
        # The low bits of the seeds are as random as the others.
        return self.texts[self.text_starts[classes] + seeds.abs() % self.text_counts[classes]]

    def _video_loss(self, output: Any, videos: Tensor, shown: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad():
            keys = self._copy().get_video_features(videos).pooler_output.float()
        # Keys of clips without a video have no clip's row but are no video either: they are not put in.
        self._new["mv"].add(torch.where(shown, index, -2), keys)
        if not bool(shown.any()):
            return 0 * (output.motion_embeds.sum() + output.video_embeds.sum())
        queue = self.queues["mv"]
        others = queue.others(index[shown]) & (queue.others(index.new_tensor([-2])))
        embeds = output.motion_embeds[shown], output.video_embeds[shown]
        return self._info_nce(output, *embeds, held_keys(queue), others)

    def _text_loss(self, output: Any, texts: Tensor, labels: Tensor) -> Tensor:
        known, count = labels >= 0, len(labels)
        own, everyone = output.text_embeds[:count], output.text_embeds[count:]
        if self.text_negatives == "queue":
            with torch.no_grad():
                keys = self._copy().get_text_features(texts).pooler_output.float()
            queue = self.queues["mt"]  # which remembers the class of a text where the others remember the clip
            everyone = held_keys(queue)
            others = self._other_classes(labels, queue.rows[: len(everyone)])
            self._new["mt"].add(torch.where(known, labels, -1), keys)
        else:
            others = self.other_class[labels.clamp(min=0)]
        if not bool(known.any()):
            return 0 * (output.motion_embeds.sum() + output.text_embeds.sum())
        if bool(known.all()):  # a part of `others` would be a copy of megabytes
            return self._info_nce(output, output.motion_embeds, own, everyone, others)
        return self._info_nce(output, output.motion_embeds[known], own[known], everyone, others[known])

    def _other_classes(self, labels: Tensor, classes: Tensor) -> Tensor:
        """`(labels, classes)` whether they are negatives of each other; a class of -1 is no label's negative."""
        table = self.other_class[labels.clamp(min=0)]
        table = torch.cat([table, table.new_zeros(len(table), 1)], dim=1)
        # Whole rows are copied, ten times faster than single entries.
        return table.mT.contiguous().index_select(0, classes % len(table.mT)).mT

    def _info_nce(self, output: Any, queries: Tensor, positives: Tensor, negatives: Tensor, mask: Tensor) -> Tensor:
        """All vectors are of length 1. The temperature may learn."""
        if self.denominator == "printed" and not bool(mask.any(1).all()):
            return 0 * (queries * positives).sum()  # the queue is still empty
        how: dict[str, Any] = {"negative_mask": mask, "denominator": self.denominator}
        if not negatives.requires_grad:
            return info_nce_of_queue(queries, positives, negatives, temperature=output.temperature, **how)
        return info_nce(queries, positives, negatives, temperature=output.temperature, **how)

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        """The copy follows, and the keys of the update, of all processes, enter the queues."""
        self.momentum_model.update(model)
        for name, new in self._new.items():
            rows, keys = new.take()
            self.queues[name].enqueue(keys, rows)
        super().after_update(model)


def held_keys(queue: FeatureQueue) -> Tensor:
    """The keys put in so far, without the copy of `negatives()`: they change only after the backward pass."""
    return queue.features[: min(int(queue.seen), queue.size)]
