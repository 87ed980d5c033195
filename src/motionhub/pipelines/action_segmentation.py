"""`pipeline("action-segmentation", model=...)`: actions with start and end times, per person."""

from typing import Any

import numpy as np
import torch

from motionhub.intervals.decode import DecodingRule
from motionhub.pipelines.skeleton_pipeline import (
    Clip,
    SkeletonPipeline,
    check_whole,
    process,
    take,
    take_input_parameters,
)
from motionhub.runtime.answers import RULES, interval_rows, segmentation_rule, times_of_sample
from motionhub.skeletons.sequence import SkeletonSequence


LONG = 4096  # frames from which folding the batch norms pays


class ActionSegmentationPipeline(SkeletonPipeline):
    """Finds each person's actions over time. Inputs and common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        threshold: an action needs a frame of at least this probability. Default, also of the next three: what the
            checkpoint states in `config.decoding`, fitted on left-out recordings; else 0.5.
        low_threshold: it extends over neighbouring frames of at least this probability (hysteresis).
        min_duration: seconds; shorter actions are dropped.
        max_gap: seconds; pauses up to this length do not end an action.
        exclusive: True: one action at a time, the most probable one. False: actions may overlap. None (default): by
            the model's `config.problem_type` (overlapping if unset).
        background: name of the label for no action, which gives no rows; None: every label is an action. Default:
            "background", if the model has that label.
        window: frames (at the model's rate) per forward pass; longer clips are cut into windows, which bounds the
            memory for activations. Default: the frames of its training samples, else the whole clip.
        hop: frames from window to window; logits are averaged where windows overlap. Default: half a window.
        return_scores: True: each input gives `{"intervals": rows, "scores": ...}`, see below.

    Returns:
        For each input a list of rows `{"track_id", "start_s", "end_s", "label", "score"}`, by person, then by time.
        `score` is the mean probability over the interval; `track_id` is None with `per_person=False`. With
        `return_scores`, `"scores"` is a list with one dict per detected person: `track_id`, `times`
        `(frames + 1,)` seconds and `probabilities` `(frames, labels)`.

    Example:
        >>> pipe = pipeline("action-segmentation", model="folder", min_duration=0.3)
        >>> rows = pipe("recording.json")
        [{'track_id': 0, 'start_s': 2.1, 'end_s': 4.7, 'label': 'sit down', 'score': 0.88}, ...]
        >>> motionhub.write_intervals(rows, "recording.srt")
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        forward = take(kwargs, "window", "hop")
        check_whole(**forward)
        rule = take(kwargs, *RULES)
        self._rule(**rule)  # refuse at once
        postprocess = {**rule, **take(kwargs, "return_scores")}
        return take_input_parameters(kwargs), forward, postprocess

    def sample_of(self, part: SkeletonSequence, name: str) -> dict[str, Any]:
        """Adds the source frame of each frame of the sample as `"frames"`."""
        sample = process(self.feature_extractor, part, name, frame_labels=np.arange(part.num_frames))
        sample["frames"] = sample.pop("labels")
        return sample

    def _forward(  # type: ignore[override]
        self, batch: dict[str, Any], window: Any = ..., hop: Any = None
    ) -> dict[str, torch.Tensor]:
        inputs = batch["model"]
        size = self.feature_extractor.num_frames if window is ... else window
        if size is None:
            if hop is not None:
                raise ValueError("hop needs a window; give window= in frames too.")
            logits = self.model(**inputs).logits
        else:
            long = inputs["keypoints"].shape[2] >= LONG
            logits = (_fused(self.model) if long else self.model).predict_windows(
                inputs["keypoints"], inputs["attention_mask"], window=size, hop=hop or max(size // 2, 1)
            )
        return {"logits": logits.float().cpu()}

    def postprocess(self, model_outputs: Any, return_scores: bool = False, **rule: Any) -> Any:
        clip, outputs = model_outputs
        decode = self._rule(**rule)
        rows, scores = [], []
        for index, row in enumerate(clip.rows):
            times, track = _times(clip, index), clip.track_id(row)
            own = outputs["logits"][index][: len(times) - 1]
            probabilities = (own.softmax(dim=-1) if decode.exclusive else own.sigmoid()).numpy()
            scores.append({"track_id": track, "times": times, "probabilities": probabilities})
            rows += interval_rows(decode, track, times, probabilities, self.model.config.id2label)
        return {"intervals": rows, "scores": scores} if return_scores else rows

    def _rule(self, **rule: Any) -> DecodingRule:
        config = self.model.config
        exclusive, stated = config.problem_type == "single_label_classification", getattr(config, "decoding", None)
        return segmentation_rule(config.id2label, exclusive, stated, **rule)


def _fused(model: Any) -> Any:
    """A copy with its batch norms folded, a fifth less time; the model itself where they cannot be.

    Made for each long clip, since the weights may have changed since the last one.
    """
    foldable = hasattr(model, "fuse") and not model.is_fused and not model.training
    adapted = getattr(model, "_hf_peft_config_loaded", False) or "lora" in str(type(model)).lower()
    return model.fuse() if foldable and not adapted and model.dtype == torch.float32 else model


def _times(clip: Clip, index: int) -> np.ndarray:
    return times_of_sample(clip.samples[index], clip.sequence.num_frames, clip.sequence.fps)
