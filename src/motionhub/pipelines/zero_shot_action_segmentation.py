"""`pipeline("zero-shot-action-segmentation", model=...)`: intervals of given labels, per person."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from motionhub.pipelines.skeleton_pipeline import take, take_input_parameters
from motionhub.pipelines.zero_shot import (
    NONE_SHARE,
    Calibration,
    Candidates,
    ZeroShotPipeline,
    calibration,
    over_views,
    required,
    take_views,
    take_windowing,
)
from motionhub.runtime.answers import RULES, Span, interval_rows
from motionhub.runtime.zero_shot import HOP, VIEWS, decoding_rule, over_frames, with_background
from motionhub.skeletons.sequence import SkeletonSequence


class ZeroShotActionSegmentationPipeline(ZeroShotPipeline):
    """Finds each person's actions over time, among given labels. Inputs, common arguments: see `SkeletonPipeline`.

    The model sees windows; the probabilities of a frame are the weighted mean over the windows around it.

    Args of a call (or of `pipeline(...)`, as defaults):
        candidate_labels, hypothesis_template, descriptions, neighbours: as for zero-shot classification.
        none_label: True (default): frames that fit none of the labels give no interval, if the checkpoint has a fitted
            `rejection_threshold`; False: every frame gets a label.
        background: further labels that give no intervals, such as "stand still".
        multi_label: True: each label is scored independently, and actions may overlap.
        window, hop: seconds per forward pass (default the checkpoint's), and from window to window (default 0.2).
        views: as for zero-shot classification.
        threshold, low_threshold, min_duration, max_gap, exclusive: how probabilities become intervals, see
            `intervals.decode.DecodingRule`; exclusive by default unless multi_label. Default threshold 0 when
            exclusive, else 0.5; min_duration 0.4 s; max_gap 0.3 s.
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
        decoding_rule(postprocess, bool(postprocess.get("multi_label")))  # refuse at once
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
        decode = decoding_rule(rule, multi_label)
        shown = chosen.labels[: len(chosen.labels) - hidden]
        rows, scores = [], []
        for row in dict.fromkeys(clip.rows):
            own = [index for index, whose in enumerate(clip.rows) if whose == row]
            embeds, spans = over_views(clip, row, outputs["embeds"][own])
            likely = self.probabilities(self.similarities(embeds, chosen), chosen, multi_label, none_label)
            frames, begin = over_frames(likely.numpy(), spans)
            times, track = (begin + np.arange(len(frames) + 1)) / clip.sequence.fps, clip.track_id(row)
            scores.append({"track_id": track, "times": times, "probabilities": frames, "labels": chosen.labels})
            rows += interval_rows(decode, track, times, frames, shown)
        return {"intervals": rows, "scores": scores} if return_scores else rows
