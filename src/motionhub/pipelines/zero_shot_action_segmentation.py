"""`pipeline("zero-shot-action-segmentation", model=...)`: intervals of given labels, per person."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionhub.intervals.decode import ZERO_SHOT, DecodingRule, decoding_of
from motionhub.pipelines.action_segmentation import RULES, interval_rows
from motionhub.pipelines.skeleton_pipeline import Span, take, take_input_parameters
from motionhub.pipelines.zero_shot import (
    NONE_SHARE,
    VIEWS,
    Calibration,
    Candidates,
    ZeroShotPipeline,
    calibration,
    over_views,
    required,
    take_views,
    take_windowing,
)
from motionhub.skeletons.sequence import SkeletonSequence


HOP = 0.2  # seconds; short hops make exact borders


class ZeroShotActionSegmentationPipeline(ZeroShotPipeline):
    """Finds each person's actions over time, among given labels. Inputs, common arguments: see `SkeletonPipeline`.

    The model sees windows; the probabilities of a frame are the weighted mean over the windows around it. A window
    counts for a label only if that label by itself, without others and without the bonus of new ones, is likelier
    than "none of these".

    Args of a call (or of `pipeline(...)`, as defaults):
        candidate_labels, hypothesis_template, descriptions, neighbours: as for zero-shot classification.
        none_label: True (default): frames that fit none of the labels give no interval, if the checkpoint has a fitted
            `rejection_threshold`; False: every frame gets a label.
        background: further labels that give no intervals, such as "stand still".
        multi_label: True: each label is scored independently, and actions may overlap.
        window, hop: seconds per forward pass (default the checkpoint's), and from window to window (default 0.2).
        views: as for zero-shot classification.
        threshold, low_threshold, min_duration, max_gap, exclusive: how probabilities become intervals, see
            `intervals.decode.DecodingRule`; exclusive by default unless multi_label. Defaults: what the checkpoint
            states in `config.decoding`, else 0.5, 0.3, 0.4 s and 0.3 s. With `none_label=False`, or where no
            `rejection_threshold` is fitted, the threshold is 0: every frame has a label.
        return_scores: True: each input gives `{"intervals": rows, "scores": ...}` as for `action-segmentation`, with
            `labels`.

    Returns:
        For each input a list of rows `{"track_id", "start_s", "end_s", "label", "score"}`, by person, then by time.

    Example:
        >>> pipe = pipeline("zero-shot-action-segmentation", model="motionhub/tmor-small")
        >>> pipe("recording.bvh", candidate_labels=["walk", "sit down", "wave"], background=["stand still"])
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        background = kwargs.pop("background", ())
        postprocess = take(kwargs, "multi_label", "none_label", "return_scores", *RULES)
        self._rule(postprocess)  # refuse at once
        windowing = take_windowing(kwargs, "window", "hop") | take_views(kwargs)
        if "candidate_labels" in kwargs and background:
            kwargs["candidate_labels"], postprocess["hidden"] = with_background(kwargs["candidate_labels"], background)
        postprocess |= self.take_candidates(kwargs)
        return {**windowing, **take_input_parameters(kwargs)}, {}, postprocess

    def rejection_threshold(self) -> float | None:
        """The threshold for windows, which contain less of an action than trimmed clips; else that for clips."""
        level = self.model.config.window_rejection_threshold
        return super().rejection_threshold() if level is None else float(level)

    def calibrate_windows(
        self,
        recordings: Sequence[tuple[Any, Sequence[int], Any]],
        *,
        at_once: int = 8,
        none_share: float = NONE_SHARE,
        most_none: float = 1.0,
    ) -> Calibration:
        """Fits `window_rejection_threshold` on windows of untrimmed recordings, at the config's `score_temperature`.

        Args:
            recordings: each with the label of every frame as a number, -1 for no action, and its candidate labels. A
                window has the label of its middle frame.
            at_once, none_share, most_none: see `calibrate`.
        """
        tables = []
        for item, frame_labels, labels in recordings:
            clip = self.preprocess(item)
            own = clip.rows.count(clip.rows[0])
            embeds, spans = over_views(clip, clip.rows[0], self.forward(self.make_batch([clip]))["embeds"][:own])
            middles = np.array([(first + last) // 2 for first, last in spans])
            similarity = self.similarities(embeds, self.candidates(labels)).numpy()
            tables.append((similarity, np.asarray(frame_labels)[middles]))
        temperature = float(self.model.config.score_temperature)
        return calibration(tables, at_once, none_share, most_none, temperature, "window_rejection_threshold")

    def samples_of(
        self,
        part: SkeletonSequence,
        name: str,
        window: float | None = None,
        hop: float | None = HOP,
        views: Sequence[float] = VIEWS,
    ) -> list[tuple[Span, dict[str, Any]]]:
        return super().samples_of(part, name, window, hop, views)

    def postprocess(
        self,
        model_outputs: Any,
        candidates: Candidates | None = None,
        multi_label: bool = False,
        none_label: bool = True,
        hidden: int = 0,
        return_scores: bool = False,
        **rule: Any,
    ) -> Any:
        chosen = required(candidates)
        clip, outputs = model_outputs
        decode = self._rule({**rule, "multi_label": multi_label, "none_label": none_label})
        shown = chosen.labels[: len(chosen.labels) - hidden]
        rows, scores = [], []
        for row in dict.fromkeys(clip.rows):
            own = [index for index, whose in enumerate(clip.rows) if whose == row]
            embeds, spans = over_views(clip, row, outputs["embeds"][own])
            similarity = self.similarities(embeds, chosen)
            likely = self.probabilities(similarity, chosen, multi_label, none_label)
            if none_label and not multi_label:
                likely = self._supported(likely, similarity)
            frames, begin = over_frames(likely, spans)
            times, track = (begin + np.arange(len(frames) + 1)) / clip.sequence.fps, clip.track_id(row)
            scores.append({"track_id": track, "times": times, "probabilities": frames, "labels": chosen.labels})
            rows += interval_rows(decode, track, times, frames, shown)
        return {"intervals": rows, "scores": scores} if return_scores else rows

    def _supported(self, likely: Tensor, similarity: Tensor) -> Tensor:
        """The probabilities `(windows, labels (+ 1))`, with 0 for labels that by themselves are none of these."""
        level = self.rejection_threshold()
        if level is None:
            return likely
        labels = likely[:, : similarity.shape[1]].where(similarity >= level, 0.0)
        return torch.cat([labels, likely[:, similarity.shape[1] :]], dim=1)

    def _rule(self, given: dict[str, Any]) -> DecodingRule:
        """The rule of a call."""
        own = {name: given[name] for name in RULES if name in given and name not in ("background", "exclusive")}
        exclusive = bool(given.get("exclusive", not given.get("multi_label")))
        if exclusive and (not given.get("none_label", True) or self.rejection_threshold() is None):
            own.setdefault("threshold", 0.0)
        return DecodingRule(exclusive=exclusive, **decoding_of(self.model.config, own, ZERO_SHOT))


def with_background(candidate_labels: Any, background: Any) -> tuple[Any, int]:
    """The labels followed by the background's, and the number of the latter."""
    added = [background] if isinstance(background, str) else list(background)
    if isinstance(candidate_labels, str):
        candidate_labels = [label.strip() for label in candidate_labels.split(",")]
    if hasattr(candidate_labels, "items"):
        return {**candidate_labels, **dict.fromkeys(added, ())}, len(added)
    return [*(candidate_labels or ()), *added], len(added)


def over_frames(likely: Tensor, spans: list[tuple[int, int]]) -> tuple[np.ndarray, int]:
    """Probabilities of frames from those of windows `(windows, labels)`, and the first frame.

    Each frame has the mean over its windows, weighted by a triangle that peaks in the middle of a window.
    """
    begin, end = spans[0][0], max(last for _, last in spans)
    total = torch.zeros(end - begin, likely.shape[1])
    weights = torch.zeros(end - begin, 1)
    for row, (first, last) in zip(likely, spans, strict=True):
        place = (torch.arange(last - first) + 0.5) / (last - first)
        weight = (1 - (2 * place - 1).abs() + 1e-3)[:, None]
        total[first - begin : last - begin] += weight * row
        weights[first - begin : last - begin] += weight
    # Frames outside all windows (no person detected around them) have no probability.
    return (total / weights.clamp(min=1e-9)).clamp(0, 1).numpy().astype(np.float64), begin
