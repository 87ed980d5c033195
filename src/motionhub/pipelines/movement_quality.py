"""`pipeline("movement-quality", model=...)`: how well is a movement done, per person or per clip.

Whether a clip shows the movement that the model judges is not checked.
"""

from typing import Any

import torch

from motionhub.pipelines.skeleton_pipeline import SkeletonPipeline, take_input_parameters


class MovementQualityPipeline(SkeletonPipeline):
    """Scores the movement of every person. Inputs and common arguments: see `SkeletonPipeline`.

    Returns:
        For each input a list with one dict per detected person: `track_id` (None with `per_person=False`), `score`
        (higher is better where it was in training; of incorrect and correct, how probably correct), `interval` and
        `coverage`, the share of the model's joints that were seen in the frames it used. Without valid keypoints the
        list is empty, with a warning.

        `interval` is `[lower, upper]`: where the true scores of 95 % of the clips lie that got such a score, as
        measured on people left out of the training (limits of agreement). It is None for a model of two grades, whose
        score is a probability, and for one that was never judged on others; `pipe.model.config.held_out` has what was
        measured.

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
        return [
            {
                "track_id": clip.track_id(row),
                "score": float(outputs["scores"][index]),
                "interval": self._interval(float(outputs["scores"][index])),
                "coverage": clip.coverage(index),
            }
            for index, row in enumerate(clip.rows)
        ]

    def _interval(self, score: float) -> list[float] | None:
        limits = (getattr(self.model.config, "held_out", None) or {}).get("agreement")
        if not limits:
            return None
        ends = [score - limits["upper"], score - limits["lower"]]  # the limits are of predicted minus true
        if self.model.config.scores == "value":
            return ends
        return [min(max(end, 0.0), float(self.model.config.max_score)) for end in ends]
