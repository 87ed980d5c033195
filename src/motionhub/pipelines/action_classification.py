"""`pipeline("action-classification", model=...)`: which action is it, per person or per clip.

It does not know which model answers, only that it gives one row of logits per sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from motionhub.pipelines.skeleton_pipeline import INPUT_PARAMETERS, Clip, SkeletonPipeline, model_inputs
from motionhub.processing.collate import averages_padding


FUSIONS = ("logits", "softmax")


@dataclass(frozen=True)
class TwoStreamClip(Clip):
    """A clip with the samples of a second stream, person by person."""

    second_samples: tuple[dict[str, Any], ...] = ()


class ActionClassificationPipeline(SkeletonPipeline):
    """Names the action of every person. Inputs and common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        top_k: how many labels, best first; None for all. Default 5.
        second: another `ActionClassificationPipeline` with the same labels, usually of the bone stream, to fuse with.
        fusion: `"logits"` adds the logits (official UNIK code), `"softmax"` averages the probabilities (its paper).
        second_weight: what the second stream counts, the first counting 1. Default 1.

    Returns:
        For each input a list with one dict per person who was seen:
        `track_id` (None with `per_person=False`), `scores`, a list of `{"label", "score"}` (probabilities, best
        first), and `coverage`, the share of the model's joints that were seen in the frames it used. The list is
        empty, with a warning, when nobody was seen.

    Example:
        >>> pipe = pipeline("action-classification", model="folder")
        >>> pipe("a05_s01_e00_v01.json")
        [{'track_id': 0, 'scores': [{'label': 'sit down', 'score': 0.93}, ...], 'coverage': 1.0}]
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        postprocess = {"top_k": checked_top_k(kwargs.pop("top_k"))} if "top_k" in kwargs else {}
        second, fusion = kwargs.pop("second", None), kwargs.pop("fusion", None)
        weight = {name: kwargs.pop(name) for name in ("second_weight",) if name in kwargs}
        preprocess, forward = take_input_parameters(kwargs), {}
        if second is not None:
            check_same_labels(self.model.config, second)
            preprocess["second"] = forward["second"] = second
        if "second_weight" in weight:
            forward["second_weight"] = checked_weight(weight["second_weight"])
        if fusion is not None:
            if fusion not in FUSIONS:
                raise ValueError(f"fusion must be one of {FUSIONS}, got {fusion!r}.")
            forward["fusion"] = fusion
        return preprocess, forward, postprocess

    def preprocess(self, item: Any, *, second: Any = None, **kwargs: Any) -> Clip:
        clip = super().preprocess(item, **kwargs)
        if second is None:
            return clip
        parts = [clip.sequence if row is None else clip.sequence.person(row) for row in clip.rows]
        samples = tuple(second.feature_extractor.process(part) for part in parts)
        return TwoStreamClip(clip.name, clip.sequence, clip.rows, clip.samples, samples)

    def get_iterator(self, inputs: Any, num_workers: int, batch_size: int, *params: dict[str, Any]) -> Iterator[Any]:
        second = params[1].get("second")
        if second is not None and averages_padding(second.model.config):
            batch_size = 1
        return super().get_iterator(inputs, num_workers, batch_size, *params)

    def make_batch(self, clips: list[Clip]) -> dict[str, Any]:
        batch = super().make_batch(clips)
        second = [sample for clip in clips if isinstance(clip, TwoStreamClip) for sample in clip.second_samples]
        return {**batch, "second": model_inputs(second)} if second else batch

    def _forward(
        self,
        batch: dict[str, Any],
        second: Any = None,
        fusion: str = "logits",
        second_weight: float = 1.0,
        **forward_params: Any,
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
                "track_id": None if row is None else clip.sequence.track_ids[row],
                "scores": self._best(outputs["probabilities"][index].numpy(), top_k),
                "coverage": coverage(clip.samples[index]),
            }
            for index, row in enumerate(clip.rows)
        ]

    def _best(self, probabilities: np.ndarray, top_k: int | None) -> list[dict[str, Any]]:
        names = self.model.config.id2label
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        return [{"label": names[int(index)], "score": float(probabilities[index])} for index in order]


def take_input_parameters(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that describe the input. Raises ValueError for any other, so that no typing error goes unseen."""
    unknown = sorted(set(kwargs) - set(INPUT_PARAMETERS))
    if unknown:
        raise ValueError(f"Unknown pipeline arguments {unknown}; for inputs there are {list(INPUT_PARAMETERS)}.")
    return dict(kwargs)


def coverage(sample: dict[str, Any]) -> float:
    """Share of the joints seen, over the frames that people have."""
    seen, frames = np.asarray(sample["joint_mask"]), np.asarray(sample["attention_mask"])
    return float(seen[frames].mean())


def checked_top_k(top_k: Any) -> int | None:
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1):
        raise ValueError(f"top_k must be a whole number of at least 1, or None for all labels; got {top_k!r}.")
    return top_k


def checked_weight(weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise ValueError(f"second_weight must be a finite number of at least 0, got {weight!r}.")
    return float(weight)


def check_same_labels(config: Any, second: Any) -> None:
    if not isinstance(second, ActionClassificationPipeline):
        raise ValueError(
            f"second must be an action-classification pipeline, got {type(second).__name__}; make one with "
            'pipeline("action-classification", model=the_other_stream).'
        )
    if second.model.config.id2label != config.id2label:
        raise ValueError(
            "Two streams can be fused only when they tell the same labels in the same order, but they differ: "
            f"{list(config.id2label.values())[:5]}... and {list(second.model.config.id2label.values())[:5]}..."
        )
