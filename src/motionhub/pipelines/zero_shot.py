"""Base of the zero-shot pipelines: labels as vectors, windows over time, scores, and their calibration."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionhub.metrics.open_set import auroc, fit_rejection_threshold, fit_temperature
from motionhub.pipelines.skeleton_pipeline import Clip, SkeletonPipeline, dims_of, model_inputs, process, take
from motionhub.runtime.answers import Span
from motionhub.runtime.zero_shot import VIEWS, Levels, checked_labels, fill_templates, probabilities_of, windows_of
from motionhub.runtime.zero_shot import over_views as views_of_spans
from motionhub.runtime.zero_shot import over_windows as scores_of_windows
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.towers.text_anchors import ensemble, neighbour_averaged, with_body_parts
from motionhub.towers.text_bank import TextBank, text_vectors


MOST_NONE = 0.12  # of clips whose own label is among the candidates
NONE_SHARE = 0.25  # assumed prior of "none of these": users choose labels that a recording may show
BATCH = 64
KEPT = 8  # cached label sets
FEWEST_OWN = 10  # clips of `adapt`


@dataclass(frozen=True)
class Candidates:
    """Labels, their unit vectors `(labels, projection_size)` in the model's space, and which are new to it."""

    labels: tuple[str, ...]
    vectors: Tensor
    new: Tensor


class Calibration(NamedTuple):
    """Result of a calibration; the model's config is not changed.

    Args:
        config: values for the model's config: `pipe.model.config.update(calibration.config)` applies them.
        accuracy: share of the clips or windows whose own label scores best.
        none_auroc: how often one of them scores above one whose label is not among the candidates.
    """

    config: dict[str, float]
    accuracy: float
    none_auroc: float


class ZeroShotPipeline(SkeletonPipeline):
    """Base of both zero-shot pipelines. Inputs and common arguments: see `SkeletonPipeline`.

    Text vectors come from the checkpoint's bank; texts it lacks from the tower in the config, loaded only then.
    `pipeline(..., text_bank=..., text_tower=...)` replaces them. Threads may share one pipeline.
    """

    def __init__(self, *args: Any, text_bank: Any = ..., text_tower: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = self.model.name_or_path
        found = TextBank.from_pretrained(source) if text_bank is ... and source else None
        self.text_bank: TextBank | None = found if text_bank is ... else text_bank
        self.text_tower = self.model.config.text_tower if text_tower is None else text_tower
        self._known: dict[Any, Candidates] = {}
        self._own_clips: list[Tensor] = []  # window embeddings of each clip of `adapt`

    def candidates(
        self,
        candidate_labels: Any,
        hypothesis_template: str | Sequence[str] = "{}",
        descriptions: Mapping[str, Sequence[str]] | None = None,
        neighbours: int = 0,
    ) -> Candidates:
        """The labels as vectors; a label set is encoded once.

        Raises:
            ValueError: no labels, a blank one, two that are spelled alike, or texts that cannot be encoded here.
        """
        phrasings = checked_labels(candidate_labels)
        described = {label: tuple(texts) for label, texts in (descriptions or {}).items()}
        if unknown := sorted(set(described) - set(phrasings)):
            raise ValueError(f"descriptions must be of candidate labels, got {unknown[:5]}.")
        templates = (hypothesis_template,) if isinstance(hypothesis_template, str) else tuple(hypothesis_template)
        key = (tuple(phrasings.items()), templates, tuple(described.items()), neighbours)
        found = self._known.get(key)
        if found is None:
            found = self._encoded(phrasings, templates, described, neighbours)
            for old in list(self._known)[: 1 - KEPT]:
                self._known.pop(old, None)  # another thread may have been first
            self._known[key] = found  # in place: copies of the pipeline, one per stream, share it
        return found

    def _encoded(
        self,
        phrasings: Mapping[str, tuple[str, ...]],
        templates: Sequence[str],
        described: Mapping[str, tuple[str, ...]],
        neighbours: int,
    ) -> Candidates:
        bank = self.text_bank
        counts = [len(phrases) for phrases in phrasings.values()]
        named = [phrase for phrases in phrasings.values() for phrase in phrases]
        texts = [text for filled in fill_templates(named, templates) for text in filled]
        parts = [text for label in phrasings for text in described.get(label, ())]
        named = named if bank is not None and bank.learned else []
        every = text_vectors([*texts, *parts, *named], bank, self.text_tower)
        vectors, part_vectors, named_vectors = every.split([len(texts), len(parts), len(named)])
        groups = np.repeat(np.arange(len(counts)), np.multiply(counts, len(templates)))
        anchors = ensemble(vectors, groups.tolist())
        if neighbours:
            if bank is None:
                raise ValueError("neighbours are phrases of the checkpoint's text bank, and it has none; pass 0.")
            anchors = neighbour_averaged(anchors, bank.embeddings.float(), neighbours)
        if parts:
            sizes = [len(described.get(label, ())) for label in phrasings]
            table = pad_sequence(part_vectors.split(sizes), batch_first=True)
            anchors = with_body_parts(anchors, table, torch.arange(table.shape[1]) < torch.tensor(sizes)[:, None])
        with torch.inference_mode():
            embeds = self.model.base_model.get_text_features(anchors.to(self.device)).pooler_output.float().cpu()
        new = torch.zeros(len(phrasings), dtype=torch.bool)
        if bank is not None and named:
            new = torch.stack([~learned.any() for learned in bank.are_learned(named_vectors).split(counts)])
        return Candidates(tuple(phrasings), embeds, new)

    def take_candidates(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Removes the arguments on labels from a call's; returns the encoded `"candidates"` if there are any."""
        given = take(kwargs, "candidate_labels", "hypothesis_template", "descriptions", "neighbours")
        if given and "candidate_labels" not in given:
            raise ValueError(f"{sorted(given)} need candidate_labels; pass them in one call.")
        return {"candidates": self.candidates(**given)} if given else {}

    def samples_of(
        self,
        part: SkeletonSequence,
        name: str,
        window: float | None = None,
        hop: float | None = None,
        views: Sequence[float] = VIEWS,
    ) -> list[tuple[Span, dict[str, Any]]]:
        """The windows of one person, each from every view of `views` where the clip is 3-D and the model 2-D.

        Gravity is aligned over the whole clip, so a person who falls stays lying.
        """
        processor = self.feature_extractor
        return windows_of(
            part,
            lambda piece: process(processor, piece, name),
            upright=getattr(processor, "upright", False),
            num_dims=dims_of(processor),
            window=float(window or self.model.config.window_seconds),
            hop=hop,
            views=views,
        )

    def _forward(self, batch: dict[str, Any], **forward_params: Any) -> dict[str, Tensor]:
        inputs, parts = batch["model"], []
        for start in range(0, len(inputs["keypoints"]), BATCH):
            some = {name: value[start : start + BATCH] for name, value in inputs.items()}
            parts.append(self.model.base_model.get_skeleton_features(**some).pooler_output.float().cpu())
        return {"embeds": torch.cat(parts)}

    def embeddings(self, inputs: Sequence[Any], **options: Any) -> Tensor:
        """`(inputs, projection_size)`: the mean over the windows of each clip's first detected person, else zeros."""
        found = [self.window_embeddings(item, **options) for item in inputs]
        return torch.stack([each.sum(0) / max(len(each), 1) for each in found]) if found else self._no_windows()

    def window_embeddings(self, item: Any, **options: Any) -> Tensor:
        """`(windows, projection_size)` of the first detected person of an input."""
        clip = self.preprocess(item, **options)
        own = [sample for sample, row in zip(clip.samples, clip.rows, strict=True) if row == clip.rows[0]]
        if not own:
            return self._no_windows()
        return over_views(clip, clip.rows[0], self.forward({"model": model_inputs(own)})["embeds"])[0]

    def _no_windows(self) -> Tensor:
        return torch.zeros(0, self.model.config.projection_size)

    def clip_similarities(self, inputs: Sequence[Any], candidates: Candidates) -> Tensor:
        """`(inputs, labels)` similarities of each input's first detected person; zeros without one."""
        found = torch.zeros(len(inputs), len(candidates.labels))
        for place, item in enumerate(inputs):
            embeds = self.window_embeddings(item)
            if len(embeds):
                found[place] = over_windows(self.similarities(embeds, candidates))
        return found

    def similarities(self, embeds: Tensor, candidates: Candidates) -> Tensor:
        """`(windows, labels)` similarities, without the bonus of labels that are new to the model."""
        with torch.inference_mode():
            made = self.model.base_model.similarities(embeds.to(self.device), candidates.vectors.to(self.device))
        return made.float().cpu() - self._habit(candidates)

    def adapt(self, inputs: Sequence[Any] | None) -> None:
        """Fits the scores to a sensor by clips of it, without labels: each label's mean score over them is subtracted.

        It helps where a sensor, or a pose estimator, makes the model favour some labels: on sets that a run of
        `tmor-small` had not learned from, 20 clips raised the mean per-class accuracy from 32 to 37 per cent
        (UTD-MHAD) and from 26 to 30 (SBU), and left it at 33 to 32 (MSR DailyActivity3D). It hurts on a sensor that
        was learned (Kinder-Gator, 43 to 37), and where the clips show mostly one action: that one is then favoured
        less. Give what the sensor usually sees.

        Args:
            inputs: 10 clips or more, as the pipeline takes them; None undoes it.

        Raises:
            ValueError: fewer than 10 clips with a detected person.
        """
        if inputs is None:
            self._own_clips = []
            return
        found = [embeds for embeds in map(self.window_embeddings, inputs) if len(embeds)]
        if len(found) < FEWEST_OWN:
            raise ValueError(f"adapt needs {FEWEST_OWN} clips with a detected person or more, got {len(found)}.")
        self._own_clips = found

    def _habit(self, candidates: Candidates) -> Tensor:
        """`(labels,)`: how far each label's mean score over the clips of `adapt` is above that of all labels."""
        clips, texts = self._own_clips, candidates.vectors.to(self.device)
        if not clips:
            return torch.zeros(len(candidates.labels))
        with torch.inference_mode():
            made = self.model.base_model.similarities(torch.cat(clips).to(self.device), texts).float().cpu()
        means = torch.stack([over_windows(each) for each in made.split([len(clip) for clip in clips])]).mean(0)
        return means - means.mean()

    def rejection_threshold(self) -> float | None:
        """The similarity of "none of these"; None if not fitted."""
        level = self.model.config.rejection_threshold
        return None if level is None else float(level)

    def ranked(self, similarity: Tensor, candidates: Candidates) -> Tensor:
        """Similarities as labels are compared with each other: new ones get the config's `calibrated_stacking`."""
        return similarity + self.model.config.calibrated_stacking * candidates.new

    def probabilities(self, similarity: Tensor, candidates: Candidates, multi_label: bool, none: bool) -> Tensor:
        """`(n, labels (+ 1))`: of exclusive labels, "none of these" last; or, multi-label, of each independently.

        Whether any label applies is decided without the bonus of new labels, which would let them win on nothing.
        """
        config = self.model.config
        levels = Levels(config.score_temperature, self.rejection_threshold(), config.calibrated_stacking)
        return torch.from_numpy(
            probabilities_of(similarity.numpy(), candidates.new.numpy(), levels, multi_label, none)
        )

    def calibrate(
        self,
        sets: Sequence[tuple[Sequence[Any], Sequence[int], Any]],
        *,
        at_once: int = 8,
        none_share: float = NONE_SHARE,
        most_none: float = MOST_NONE,
    ) -> Calibration:
        """Fits `score_temperature` and `rejection_threshold` on labelled clips that the model was not trained with.

        To normalise similarities, first measure many different motions:
        `pipe.model.base_model.typical_motion.measure(pipe.embeddings(clips))`.

        Args:
            sets: of each dataset its clips (of one person), their labels as numbers, and the candidate labels.
            at_once: number of labels per clip the scores are fitted for: its own and drawn others, or only others,
                where "none of these" is correct.
            none_share: prior of "none of these" in use.
            most_none: largest share of the clips, in the mean over the sets, that are "none of these" although their
                own label is among the candidates; it lowers the threshold where a sensor is new to the model.
        """
        tables = [self.clip_similarities(clips, self.candidates(labels)).numpy() for clips, _, labels in sets]
        truth = [np.asarray(labels) for _, labels, _ in sets]
        return calibration(list(zip(tables, truth, strict=True)), at_once, none_share, most_none)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save model, processor and text bank."""
        super().save_pretrained(save_directory, **kwargs)
        if self.text_bank is not None:
            self.text_bank.save_pretrained(os.fspath(save_directory))


def over_views(clip: Clip, row: int | None, embeds: Tensor) -> tuple[Tensor, list[Span]]:
    """`(windows, projection_size)` unit embeddings of one person, the mean over the views of each window; its spans.

    Args:
        embeds: of the person's samples, in their order.
    """
    spans = [span for span, whose in zip(clip.spans, clip.rows, strict=True) if whose == row]
    means, own = views_of_spans(spans, embeds.numpy())
    return torch.from_numpy(means), own


def over_windows(similarity: Tensor) -> Tensor:
    """`(labels,)`: the soft maximum over the windows `(windows, labels)` of a clip, which shows an action in some."""
    return torch.from_numpy(scores_of_windows(similarity.numpy()))


def calibration(
    tables: Sequence[tuple[np.ndarray, np.ndarray]],
    at_once: int,
    none_share: float,
    most_none: float = MOST_NONE,
    temperature: float | None = None,
    name: str = "rejection_threshold",
) -> Calibration:
    """A `Calibration` of similarities.

    Args:
        tables: similarities `(clips, labels)` and the label of each clip, -1 if none of the labels applies.
        at_once, none_share, most_none: see `ZeroShotPipeline.calibrate`.
        temperature: of the softmax; None fits it, and returns it for the config.
        name: of the threshold in the config.

    Raises:
        ValueError: a table has a single label.
    """
    known, unknown, right, generator = [], [], [], np.random.default_rng(0)
    for similarity, labels in tables:
        count, named = similarity.shape[1], similarity[labels >= 0]
        if count < 2:
            raise ValueError("Calibration needs datasets of two labels or more.")
        truth, rows = labels[labels >= 0], np.arange(len(named))[:, None]
        rest = np.array([np.delete(np.arange(count), label) for label in truth], np.int64).reshape(-1, count - 1)
        others = named[rows, generator.permuted(rest, axis=1)[:, : min(at_once, count - 1)]]
        known.append((np.concatenate([named[rows, truth[:, None]], others[:, :-1]], axis=1), np.zeros_like(truth)))
        unknown += [others, generator.permuted(similarity[labels < 0], axis=1)[:, :at_once]]
        right.append(named.argmax(1) == truth)
    config = {} if temperature is not None else {"score_temperature": fit_temperature(known)}
    scale = config["score_temperature"] if temperature is None else temperature
    config[name] = fit_rejection_threshold(known, unknown, scale, none_share, most_none)
    best = [np.concatenate([table.max(1) for table in some]) for some in ([table for table, _ in known], unknown)]
    return Calibration(config, float(np.concatenate(right).mean()), auroc(*best))


def required(candidates: Candidates | None) -> Candidates:
    """Raises ValueError where a call has no labels."""
    if candidates is None:
        raise ValueError('candidate_labels is required: pipe(clip, candidate_labels=["sit down", "wave", ...]).')
    return candidates


def take_windowing(kwargs: dict[str, Any], *names: str) -> dict[str, Any]:
    """Removes the named lengths, in seconds above 0, from the arguments of a call."""
    if kwargs.get("per_person", True) is not True:
        raise ValueError("Zero-shot models take one person at a time; omit per_person.")
    taken = {name: value for name, value in take(kwargs, *names).items() if value is not None}
    for name, value in taken.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise ValueError(f"{name} must be seconds above 0, got {value!r}.")
    return taken


def take_views(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Removes `views`, degrees, from the arguments of a call."""
    taken = take(kwargs, "views")
    for degrees in taken.values():
        numbers = isinstance(degrees, Sequence) and not isinstance(degrees, str) and len(degrees)
        if not numbers or not all(isinstance(each, int | float) and math.isfinite(each) for each in degrees):
            raise ValueError(f"views must be one or more degrees, such as (0, -35, 35), got {degrees!r}.")
    return taken
