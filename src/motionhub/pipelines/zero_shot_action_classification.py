"""`pipeline("zero-shot-action-classification", model=...)`: which of these words says what each person does.

It does not know which model answers, only that it embeds motions and texts in one space; nor how texts become vectors
(`towers/text_bank.py`). What the two zero-shot pipelines share is here: labels, and windows over time.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionhub.metrics.open_set import auroc, fit_none_similarity, fit_temperature
from motionhub.pipelines.action_classification import checked_top_k, coverage, take_input_parameters
from motionhub.pipelines.skeleton_pipeline import Clip, SkeletonPipeline, as_sequence, dims_of, model_inputs
from motionhub.pipelines.video_scores import fused_with_video, scores_of_video
from motionhub.processing.arrays import describe, warn_of_findings
from motionhub.processing.steps import align_gravity
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.towers.text_anchors import ensemble, fill_templates, neighbour_averaged, with_body_parts
from motionhub.towers.text_bank import TextBank, normalised_spelling, text_vectors


NONE = "none of these"
# How often it is taken to be right: labels are chosen by somebody who knows what a recording may show.
NONE_SHARE = 0.25
# A clip up to so many windows long is seen at once.
WHOLE = 1.6
BATCH = 64


@dataclass(frozen=True)
class Candidates:
    """Labels, their unit vectors `(labels, projection_size)` in the model's space, and which it never learned."""

    labels: tuple[str, ...]
    vectors: Tensor
    new: Tensor


@dataclass(frozen=True)
class WindowedClip(Clip):
    """A clip whose samples are windows of its people.

    Args:
        people: of each sample, the place of its person in `rows` (here: each person once).
        spans: of each sample, its first frame and the frame after its last.
    """

    people: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


class ZeroShotPipeline(SkeletonPipeline):
    """What both zero-shot pipelines do. Inputs and common arguments: see `SkeletonPipeline`.

    Texts come from the bank beside the checkpoint, and what it lacks from the tower that the config names, which is
    loaded only then. `pipeline(..., text_bank=..., text_tower=...)` gives others.
    """

    def __init__(self, *args: Any, text_bank: Any = ..., text_tower: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = self.model.name_or_path
        found = TextBank.from_pretrained(source) if text_bank is ... and source else None
        self.text_bank: TextBank | None = found if text_bank is ... else text_bank
        self.text_tower = self.model.config.text_tower if text_tower is None else text_tower
        self._known: dict[Any, Candidates] = {}

    def candidates(
        self,
        candidate_labels: Any,
        hypothesis_template: str | Sequence[str] = "{}",
        descriptions: Mapping[str, Sequence[str]] | None = None,
        neighbours: int = 0,
    ) -> Candidates:
        """The labels as vectors; a label set is encoded once.

        Raises:
            ValueError: no labels, a blank one, two that are spelled alike, or texts that cannot be read here.
        """
        told = checked_labels(candidate_labels)
        described = {label: tuple(texts) for label, texts in (descriptions or {}).items()}
        if unknown := sorted(set(described) - set(told)):
            raise ValueError(f"descriptions must be of candidate labels, got {unknown[:5]}.")
        templates = (hypothesis_template,) if isinstance(hypothesis_template, str) else tuple(hypothesis_template)
        key = (tuple(told.items()), templates, tuple(described.items()), neighbours)
        if key not in self._known:
            made = self._encoded(told, templates, described, neighbours)
            self._known = {**dict(list(self._known.items())[-7:]), key: made}
        return self._known[key]

    def _encoded(
        self,
        told: Mapping[str, tuple[str, ...]],
        templates: Sequence[str],
        described: Mapping[str, tuple[str, ...]],
        neighbours: int,
    ) -> Candidates:
        texts, groups = [], []
        for index, phrases in enumerate(told.values()):
            sentences = [text for filled in fill_templates(phrases, templates) for text in filled]
            texts += sentences
            groups += [index] * len(sentences)
        parts = [text for label in told for text in described.get(label, ())]
        learns = self.text_bank is not None and bool(self.text_bank.learned)
        said = [phrase for phrases in told.values() for phrase in phrases] if learns else []
        vectors = text_vectors([*texts, *parts, *said], self.text_bank, self.text_tower)
        anchors = ensemble(vectors[: len(texts)], groups)
        if neighbours:
            if self.text_bank is None:
                raise ValueError("neighbours are phrases of the checkpoint's text bank, and it has none; give 0.")
            anchors = neighbour_averaged(anchors, self.text_bank.embeddings.float(), neighbours)
        if parts:
            anchors = with_body_parts(
                anchors, *_part_table(told, described, vectors[len(texts) : len(texts) + len(parts)])
            )
        with torch.inference_mode():
            embeds = self._t_mor().get_text_features(anchors.to(self.device)).pooler_output.float().cpu()
        return Candidates(tuple(told), embeds, self._never_learned(told, vectors[len(texts) + len(parts) :]))

    def _never_learned(self, told: Mapping[str, tuple[str, ...]], vectors: Tensor) -> Tensor:
        """`(labels,)` bool: of no phrasing of the label, by their vectors, the bank says that it was learned."""
        if self.text_bank is None or not self.text_bank.learned:
            return torch.zeros(len(told), dtype=torch.bool)
        known = self.text_bank.are_learned(vectors).split([len(phrases) for phrases in told.values()])
        return torch.stack([~of_label.any() for of_label in known])

    def _t_mor(self) -> Any:
        """The model without its head, whichever was given."""
        return self.model.base_model

    def preprocess(
        self,
        item: Any,
        *,
        per_person: bool = True,
        window: float | None = None,
        hop: float | None = None,
        **facts: Any,
    ) -> WindowedClip:
        """Every person's windows. A clip is turned upright as a whole: who lies at its end is not turned back."""
        if not per_person:
            raise ValueError("Zero-shot models see one person at a time; leave per_person as it is.")
        sequence = as_sequence(item, num_dims=dims_of(self.feature_extractor), **facts)
        name = str(item) if isinstance(item, str | os.PathLike) else describe(sequence)
        warn_of_findings(sequence, name)
        rows: list[int] = []
        samples: list[dict[str, Any]] = []
        people: list[int] = []
        spans: list[tuple[int, int]] = []
        for row in range(sequence.num_people):
            part = self._turned(sequence.person(row))
            found = [(span, self._window_sample(part, span, name)) for span in self._spans(part, window, hop)]
            seen = [(span, sample) for span, sample in found if sample is not None]
            if seen:
                spans += [span for span, _ in seen]
                samples += [sample for _, sample in seen]
                people += [len(rows)] * len(seen)
                rows.append(row)
        if not samples:
            warnings.warn(f"{name}: no joint of any person was seen, so there is nothing to tell.", stacklevel=2)
        return WindowedClip(name, sequence, tuple(rows), tuple(samples), tuple(people), tuple(spans))

    def _turned(self, part: SkeletonSequence) -> SkeletonSequence:
        if not getattr(self.feature_extractor, "upright", False):
            return part
        turned = align_gravity(torch.tensor(part.keypoints), part.layout).numpy()
        return part.replace(keypoints=turned)

    def _spans(self, part: SkeletonSequence, window: float | None, hop: float | None) -> list[tuple[int, int]]:
        """Windows over the frames between the first and the last in which the person is seen."""
        frames = np.flatnonzero(part.joint_mask.any(axis=(0, 2)))
        if not len(frames):
            return []
        begin, end = int(frames[0]), int(frames[-1]) + 1
        seconds = float(window or self.model.config.window_seconds)
        length = max(1, round(seconds * part.fps))
        if hop is None and end - begin <= WHOLE * length:
            return [(begin, end)]
        step = max(1, round((hop or seconds / 2) * part.fps))
        if end - begin <= length:
            return [(begin, end)]
        starts = [*range(begin, end - length, step), end - length]
        return [(start, start + length) for start in starts]

    def _window_sample(self, part: SkeletonSequence, span: tuple[int, int], name: str) -> dict[str, Any] | None:
        frames = slice(*span)
        confidence = None if part.confidence is None else part.confidence[:, frames]
        cut = part.replace(keypoints=part.keypoints[:, frames], confidence=confidence)
        if not cut.joint_mask.any():
            return None
        sample = self._processed(cut, name)
        return sample if np.asarray(sample["attention_mask"]).any() else None

    def _processed(self, part: SkeletonSequence, name: str) -> dict[str, Any]:
        upright = getattr(self.feature_extractor, "upright", False)
        try:
            if upright:  # done, for the whole clip
                self.feature_extractor.upright = False
            return super()._processed(part, name)
        finally:
            if upright:
                self.feature_extractor.upright = True

    def _forward(self, batch: dict[str, Any], **forward_params: Any) -> dict[str, Tensor]:
        inputs, model = batch["model"], self._t_mor()
        parts = []
        for start in range(0, len(inputs["keypoints"]), BATCH):
            some = {name: value[start : start + BATCH] for name, value in inputs.items()}
            parts.append(model.get_skeleton_features(**some).pooler_output.float().cpu())
        return {"embeds": torch.cat(parts)}

    def make_batch(self, clips: list[Clip]) -> dict[str, Any]:
        return {"model": model_inputs([sample for clip in clips for sample in clip.samples])}

    def embeddings(self, inputs: Sequence[Any], **how: Any) -> Tensor:
        """`(inputs, projection_size)`: the mean over the windows of each clip's first person; zeros of nobody."""
        found = []
        for item in inputs:
            clip = self.preprocess(item, **how)
            own = [sample for sample, person in zip(clip.samples, clip.people, strict=True) if person == 0]
            if own:
                found.append(self.forward({"model": model_inputs(own)})["embeds"].mean(0))
            else:
                found.append(torch.zeros(self.model.config.projection_size))
        return torch.stack(found)

    def calibrate(
        self,
        sets: Sequence[tuple[Sequence[Any], Sequence[int], Any]],
        *,
        typical: Sequence[Any] = (),
        at_once: int = 8,
        none_share: float = NONE_SHARE,
    ) -> dict[str, float]:
        """Fits what scores mean on labelled clips that the model has not learned from, and sets it in the model.

        Args:
            sets: of each data set its clips (of one person), their labels as numbers, and the candidate labels.
            typical: clips of many different motions, of which no label is looked at: by them the model's
                `typical_motion` is measured first. Empty: it stays as it is.
            at_once: how many labels the scores are fitted for: its own and others drawn for each clip, or only others,
                so that "none of these" is right.
            none_share: how often "none of these" is right where the model is used.

        Returns:
            `score_temperature` and `none_similarity` as they now stand in the config, and over all sets `accuracy`
            and `none_auroc`: how often a clip scores above one whose label is not among the candidates.
        """
        told = [self.candidates(labels) for _, _, labels in sets]
        embeds = [self.embeddings(clips) for clips, _, _ in sets]
        if len(typical):
            self._t_mor().typical_motion.measure(self.embeddings(typical).to(self.device))
        known, unknown, right = [], [], []
        generator = np.random.default_rng(0)
        for part, chosen, (_, truth, _) in zip(embeds, told, sets, strict=True):
            similarity, labels = self.similarities(part, chosen).numpy(), np.asarray(truth)
            own, others = drawn_labels(similarity, labels, at_once, generator)
            known.append((np.concatenate([own, others[:, :-1]], axis=1), np.zeros(len(labels), np.int64)))
            unknown.append(others)
            right.append(similarity.argmax(1) == labels)
        config = self.model.config
        config.score_temperature = fit_temperature(known)
        config.none_similarity = fit_none_similarity(known, unknown, config.score_temperature, none_share)
        best = [np.concatenate([table.max(1) for table in tables]) for tables in ([k for k, _ in known], unknown)]
        fitted = {"score_temperature": config.score_temperature, "none_similarity": config.none_similarity}
        return {**fitted, "accuracy": float(np.concatenate(right).mean()), "none_auroc": auroc(*best)}

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save model, processor and text bank."""
        super().save_pretrained(save_directory, **kwargs)
        if self.text_bank is not None:
            self.text_bank.save_pretrained(os.fspath(save_directory))

    def similarities(self, embeds: Tensor, candidates: Candidates) -> Tensor:
        """`(windows, labels)`: how well each label says what happens in each window."""
        with torch.inference_mode():
            made = self._t_mor().similarities(embeds.to(self.device), candidates.vectors.to(self.device))
        return made.float().cpu() + self.model.config.unseen_bonus * candidates.new

    def none_level(self) -> float | None:
        """The similarity that "none of these" has; None where it was not fitted."""
        level = self.model.config.none_similarity
        return None if level is None else float(level)

    def probabilities(self, similarity: Tensor, multi_label: bool, none: bool) -> Tensor:
        """`(n, labels (+ 1))`: of one action at a time, with "none of these" as the last; or of each for itself."""
        config, level = self.model.config, self.none_level()
        if multi_label:
            return ((similarity - (0.0 if level is None else level)) / config.score_temperature).sigmoid()
        if none and level is not None:
            similarity = torch.cat([similarity, similarity.new_full((len(similarity), 1), level)], dim=1)
        return (similarity / config.score_temperature).softmax(dim=-1)


class ZeroShotActionClassificationPipeline(ZeroShotPipeline):
    """Names what every person does, in words that are chosen now. Inputs and common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        candidate_labels: a list of labels, a string with commas between them, or a mapping from each label to further
            phrasings of it, which are averaged.
        hypothesis_template: a sentence with "{}" for the label, or several, which are averaged. Default "{}".
        descriptions: label -> what the parts of the body do ("the left arm rises sideways"), drawn into its vector.
        neighbours: draws each label towards so many nearest phrases of the checkpoint's bank. Default 0.
        multi_label: True: each label is scored for itself (several may be true); False: one of them is.
        none_label: what "none of the labels" is called; None leaves it out. A checkpoint without a fitted
            `none_similarity` has no such answer.
        top_k: how many entries, best first; None (default) for all.
        window: seconds that the model sees at once, default the checkpoint's. A clip longer than 1.6 windows is
            seen in windows, and its similarities are averaged.
        video_scores: probabilities of a video-text model such as ViCLIP for the same labels in their order, fused with
            those of the motion as `models.t_mor.fuse_scores` says; `video_weight` (default 0.5) is the video's.
        video_tower: of an input that is a video, the model that makes them (see `pipelines.video_scores`).

    Returns:
        For each input a list with one dict per person who was seen: `track_id`, `scores`, a list of `{"label",
        "score"}` (probabilities, best first), and `coverage`, the share of the model's joints that were seen.

    Example:
        >>> pipe = pipeline("zero-shot-action-classification", model="motionhub/tmor-small")
        >>> pipe("clip.json", candidate_labels=["sit down", "wave the left hand", "fall down"])
        [{'track_id': 0, 'scores': [{'label': 'sit down', 'score': 0.93}, ...], 'coverage': 1.0}]
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        postprocess: dict[str, Any] = {}
        if "top_k" in kwargs:
            postprocess["top_k"] = checked_top_k(kwargs.pop("top_k"))
        for name in ("multi_label", "none_label", "video_scores", "video_tower", "video_weight"):
            if name in kwargs:
                postprocess[name] = kwargs.pop(name)
        preprocess = take_window_parameters(kwargs)
        if (chosen := self.chosen_labels(kwargs)) is not None:
            postprocess["candidates"] = chosen
        return {**preprocess, **take_input_parameters(kwargs)}, {}, postprocess

    def chosen_labels(self, kwargs: dict[str, Any]) -> Candidates | None:
        """Takes what describes the labels out of the arguments of a call."""
        names = ("candidate_labels", "hypothesis_template", "descriptions", "neighbours")
        given = {name: kwargs.pop(name) for name in names if name in kwargs}
        if not given:
            return None
        if "candidate_labels" not in given:
            raise ValueError(f"{sorted(given)} belong to candidate_labels, and there are none; give them in one call.")
        return self.candidates(**given)

    def postprocess(
        self,
        model_outputs: Any,
        candidates: Candidates | None = None,
        multi_label: bool = False,
        none_label: str | None = NONE,
        top_k: int | None = None,
        video_scores: Any = None,
        video_tower: Any = None,
        video_weight: float = 0.5,
    ) -> list[dict[str, Any]]:
        chosen = given_candidates(candidates)
        clip, outputs = model_outputs
        video_scores = scores_of_video(clip.name, chosen.labels, video_scores, video_tower)
        found = []
        for person, row in enumerate(clip.rows):
            own = [index for index, whose in enumerate(clip.people) if whose == person]
            similarity = self.similarities(outputs["embeds"][own], chosen).mean(0, keepdim=True)
            scores = self.probabilities(similarity, multi_label, none_label is not None and video_scores is None)
            if video_scores is not None:
                scores = fused_with_video(scores, video_scores, video_weight)
            labels = [*chosen.labels, none_label][: scores.shape[1]]
            order = np.argsort(-scores[0].numpy(), kind="stable")[:top_k]
            found.append(
                {
                    "track_id": clip.sequence.track_ids[row],
                    "scores": [{"label": labels[int(i)], "score": float(scores[0, int(i)])} for i in order],
                    "coverage": float(np.mean([coverage(clip.samples[index]) for index in own])),
                }
            )
        return found


def checked_labels(candidate_labels: Any) -> dict[str, tuple[str, ...]]:
    """Label -> its phrasings, itself first. Raises ValueError for none, a blank one, or two that are spelled alike."""
    if isinstance(candidate_labels, str):
        candidate_labels = [label.strip() for label in candidate_labels.split(",")]
    further: Mapping[str, Any] = candidate_labels if isinstance(candidate_labels, Mapping) else {}
    if candidate_labels is None or not isinstance(candidate_labels, Mapping | Sequence) or not len(candidate_labels):
        raise ValueError(
            'candidate_labels must be a list of at least one label, such as ["sit down", "wave"], got '
            f"{candidate_labels!r}."
        )
    told: dict[str, tuple[str, ...]] = {}
    spelled: dict[str, str] = {}
    for label in candidate_labels:
        if not isinstance(label, str) or not label.strip():
            raise ValueError(f"candidate_labels must be texts with something in them, got {label!r}.")
        first = spelled.setdefault(normalised_spelling(label) or label.strip(), label)
        if label in told or first is not label:
            raise ValueError(f"candidate_labels must differ, got {first!r} and {label!r}; leave one out.")
        others = further.get(label) or ()
        told[label] = (label, *([others] if isinstance(others, str) else others))
    return told


def given_candidates(candidates: Candidates | None) -> Candidates:
    if candidates is None:
        raise ValueError('Which words? Call pipe(clip, candidate_labels=["sit down", "wave", ...]).')
    return candidates


def take_window_parameters(kwargs: dict[str, Any], names: Sequence[str] = ("window",)) -> dict[str, Any]:
    """Seconds, above 0."""
    taken = {name: kwargs.pop(name) for name in names if kwargs.get(name) is not None}
    for name, value in taken.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise ValueError(f"{name} must be seconds above 0, got {value!r}.")
    return taken


def drawn_labels(
    similarity: np.ndarray, labels: np.ndarray, at_once: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Of each clip the similarity to its own label `(clips, 1)`, and to others drawn `(clips, at most at_once)`.

    Raises:
        ValueError: a data set has a single label.
    """
    count = similarity.shape[1]
    if count < 2:
        raise ValueError("Calibration needs data sets of two labels or more.")
    rest = np.array([np.delete(np.arange(count), label) for label in labels])
    drawn = generator.permuted(rest, axis=1)[:, : min(at_once, count - 1)]
    rows = np.arange(len(labels))[:, None]
    return similarity[rows, labels[:, None]], similarity[rows, drawn]


def _part_table(
    told: Mapping[str, Any], described: Mapping[str, tuple[str, ...]], vectors: Tensor
) -> tuple[Tensor, Tensor]:
    """`(labels, most parts, dim)` vectors of the descriptions, and which of them there are."""
    counts = [len(described.get(label, ())) for label in told]
    table = vectors.new_zeros(len(counts), max(counts), vectors.shape[1])
    there = torch.zeros(len(counts), max(counts), dtype=torch.bool)
    for index, (end, count) in enumerate(zip(accumulate(counts), counts, strict=True)):
        table[index, :count], there[index, :count] = vectors[end - count : end], True
    return table, there
