"""`pipeline("action-classification", model=...)`: the action of each person or clip."""

from collections.abc import Iterator
from typing import Any

import torch

from motionhub.pipelines.skeleton_pipeline import (
    Clip,
    SkeletonPipeline,
    Span,
    check_whole,
    model_inputs,
    process,
    take,
    take_input_parameters,
)
from motionhub.processing.collate import averages_padding
from motionhub.runtime.answers import best_scores
from motionhub.skeletons.sequence import SkeletonSequence


FUSIONS = ("logits", "softmax")


class ActionClassificationPipeline(SkeletonPipeline):
    """Classifies the action of every person. Inputs and common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        top_k: number of labels, best first; None for all. Default 5.
        second: another `ActionClassificationPipeline` with the same labels, usually of the bone stream, to fuse with.
        fusion: `"logits"` adds the logits (official UNIK code), `"softmax"` averages the probabilities (its paper).
        second_weight: weight of the second stream; the first has 1. Default 1.

    Returns:
        For each input a list with one dict per detected person: `track_id` (None with `per_person=False`), `scores`, a
        list of `{"label", "score"}` (probabilities, best first), and `coverage`, the share of the model's joints
        detected in the frames it used. Without valid keypoints the list is empty, with a warning.

    Example:
        >>> pipe = pipeline("action-classification", model="folder")
        >>> pipe("a05_s01_e00_v01.json")
        [{'track_id': 0, 'scores': [{'label': 'sit down', 'score': 0.93}, ...], 'coverage': 1.0}]
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        postprocess = take(kwargs, "top_k")
        check_whole(**postprocess)
        forward = take(kwargs, "second", "fusion", "second_weight")
        forward = {name: value for name, value in forward.items() if value is not None}
        preprocess = take_input_parameters(kwargs)
        if "second" in forward:
            check_same_labels(self.model.config, forward["second"])
            preprocess["second"] = forward["second"]
        weight = forward.get("second_weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise ValueError(f"second_weight must be a finite number of at least 0, got {weight!r}.")
        if forward.get("fusion", "logits") not in FUSIONS:
            raise ValueError(f"fusion must be one of {FUSIONS}, got {forward['fusion']!r}.")
        return preprocess, forward, postprocess

    def samples_of(self, part: SkeletonSequence, name: str, second: Any = None) -> list[tuple[Span, dict[str, Any]]]:
        """Adds the second stream's sample as `"second"`."""
        found = super().samples_of(part, name)
        for _, sample in found if second is not None else ():
            sample["second"] = process(second.feature_extractor, part, name)
        return found

    def get_iterator(self, inputs: Any, num_workers: int, batch_size: int, *params: dict[str, Any]) -> Iterator[Any]:
        second = params[1].get("second")
        if second is not None and averages_padding(second.model.config):
            batch_size = 1
        return super().get_iterator(inputs, num_workers, batch_size, *params)

    def make_batch(self, clips: list[Clip]) -> dict[str, Any]:
        batch = super().make_batch(clips)
        second = [sample["second"] for clip in clips for sample in clip.samples if "second" in sample]
        return {**batch, "second": model_inputs(second)} if second else batch

    def _forward(  # type: ignore[override]
        self, batch: dict[str, Any], second: Any = None, fusion: str = "logits", second_weight: float = 1.0
    ) -> dict[str, torch.Tensor]:
        logits = self.model(**batch["model"]).logits.float().cpu()
        probabilities = logits.softmax(dim=-1)
        if second is not None:
            other = second.forward({"model": batch["second"]})
            logits = logits + second_weight * other["logits"]
            averaged = (probabilities + second_weight * other["probabilities"]) / (1 + second_weight)
            probabilities = averaged if fusion == "softmax" else logits.softmax(dim=-1)
        return {"logits": logits, "probabilities": probabilities}

    def postprocess(self, model_outputs: Any, top_k: int | None = 5) -> list[dict[str, Any]]:
        clip, outputs = model_outputs
        return [
            {
                "track_id": clip.track_id(row),
                "scores": best_scores(self.model.config.id2label, outputs["probabilities"][index].numpy(), top_k),
                "coverage": clip.coverage(index),
            }
            for index, row in enumerate(clip.rows)
        ]


def check_same_labels(config: Any, second: Any) -> None:
    """Raises ValueError unless `second` is a pipeline with the labels of `config`, in their order."""
    if not isinstance(second, ActionClassificationPipeline):
        raise ValueError(
            f"second must be an action-classification pipeline, got {type(second).__name__}; make one with "
            'pipeline("action-classification", model=the_other_stream).'
        )
    if second.model.config.id2label != config.id2label:
        raise ValueError(
            "Two streams can be fused only when they have the same labels in the same order, but they differ: "
            f"{list(config.id2label.values())[:5]}... and {list(second.model.config.id2label.values())[:5]}..."
        )
