"""`pipeline("movement-quality", model=...)`: the quality of a movement, per person or per clip.

Nothing checks that a clip shows the movement that the model was trained on.
"""

from typing import Any

import torch

from motionhub.pipelines.skeleton_pipeline import SkeletonPipeline, take_input_parameters


class MovementQualityPipeline(SkeletonPipeline):
    """Scores the movement of every person. Inputs and common arguments: see `SkeletonPipeline`.

    Returns:
        For each input a list with one dict per detected person: `track_id` (None with `per_person=False`), `score`
        (on the scale of the training labels; the probability of "correct" for a model of two grades), `interval` and
        `coverage`, the share of the model's joints detected in the frames it used. Without valid keypoints the list is
        empty, with a warning.

        `interval` is `[lower, upper]`: 95 % limits of agreement with true scores, measured on people held out of
        training (`pipe.model.config.held_out`). It is None for a model of two grades, and without that measurement.

    Raises:
        ValueError: a model of images.

    Example:
        >>> pipe = pipeline("movement-quality", model="runs/quality/final deep squat/last")
        >>> pipe("clip.json")
        [{'track_id': 0, 'score': 0.93, 'interval': None, 'coverage': 1.0}]
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return take_input_parameters(kwargs), {}, {}

    def _forward(self, batch: dict[str, Any], **forward_params: Any) -> dict[str, torch.Tensor]:
        return {"scores": self.model(**batch["model"]).scores.float().cpu()}

    def postprocess(self, model_outputs: Any) -> list[dict[str, Any]]:
        clip, outputs = model_outputs
        found = []
        for index, row in enumerate(clip.rows):
            score, track = float(outputs["scores"][index]), clip.track_id(row)
            interval, coverage = self._interval(score), clip.coverage(index)
            found.append({"track_id": track, "score": score, "interval": interval, "coverage": coverage})
        return found

    def _interval(self, score: float) -> list[float] | None:
        limits = (getattr(self.model.config, "held_out", None) or {}).get("agreement")
        if not limits:
            return None
        ends = [score - limits["upper"], score - limits["lower"]]  # the limits are of predicted minus true
        if self.model.config.scores == "value":
            return ends
        return [min(max(end, 0.0), float(self.model.config.max_score)) for end in ends]
