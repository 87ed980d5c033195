"""`pipeline("movement-quality", model=...)`: the quality of a movement, per person or per clip."""

import warnings
from typing import Any

import torch

from motionhub.pipelines.skeleton_pipeline import Clip, SkeletonPipeline, take_input_parameters


class MovementQualityPipeline(SkeletonPipeline):
    """Scores the movement of every person. Inputs and common arguments: see `SkeletonPipeline`.

    Returns:
        For each input a list with one dict per detected person: `track_id` (None with `per_person=False`), `score`
        (on the scale of the training labels; the probability of "correct" for a model of two grades), `interval`,
        `interval_note`, `doubt` and `coverage`, the share of the model's joints detected in the frames it used.
        Without valid keypoints the list is empty, with a warning.

        `interval` is `[lower, upper]`: 95 % limits of agreement with true scores, measured on people held out of
        training (`pipe.model.config.held_out`). A probability of two grades has none: there `interval_note` says how
        often the model ranked a correct movement above an incorrect one, with its interval; or why there is nothing.

        `doubt` is None, or why the clip is probably not the movement that the model was trained on (also a warning):
        its length, or features far from those of all training clips. Models saved before 0.1.0 cannot tell, and
        `doubt` says so.

    Raises:
        ValueError: a model of images.

    Example:
        >>> pipe = pipeline("movement-quality", model="runs/quality/final deep squat/last")
        >>> pipe("clip.json")
        [{'track_id': 0, 'score': 0.93, 'interval': None, 'interval_note': 'a probability of two grades ...', ...}]
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return take_input_parameters(kwargs), {}, {}

    def _forward(self, batch: dict[str, Any], **forward_params: Any) -> dict[str, torch.Tensor]:
        features, lengths = self.model.frame_features(**batch["model"])
        scores = self.model(frame_features=features, feature_lengths=lengths).scores.float().cpu()
        if not self.model.config.typical:
            return {"scores": scores}
        return {"scores": scores, "distances": self.model.distance_of(features.float(), lengths).cpu()}

    def postprocess(self, model_outputs: Any) -> list[dict[str, Any]]:
        clip, outputs = model_outputs
        found = []
        for index, row in enumerate(clip.rows):
            score, track = float(outputs["scores"][index]), clip.track_id(row)
            interval = self._interval(score)
            found.append(
                {
                    "track_id": track,
                    "score": score,
                    "interval": interval,
                    "interval_note": None if interval else self._note(),
                    "doubt": self._doubt(clip, outputs, index),
                    "coverage": clip.coverage(index),
                }
            )
        return found

    def _doubt(self, clip: Clip, outputs: dict[str, torch.Tensor], index: int) -> str | None:
        """Why a clip is probably another movement; None if nothing says so."""
        typical, seconds = self.model.config.typical, clip.sequence.duration
        if not typical:
            return "not known: the checkpoint does not state what its training clips were like"
        movement = self.model.config.movement or "the movement it was trained on"
        shortest, longest = typical["seconds"]
        distance, limit = float(outputs["distances"][index]), typical["limit"]
        text = None
        if not shortest <= seconds <= longest:
            text = f"it lasts {seconds:.1f} s, one repetition {shortest:.1f} to {longest:.1f} s"
        elif distance > limit:
            text = f"its features are {distance / limit:.1f} times as far from the training clips as theirs go"
        if text is not None:
            text = f"probably not {movement}: {text}"
            warnings.warn(f"{clip.name}: {text}; the score means nothing then.", stacklevel=2)
        return text

    def _note(self) -> str:
        """Why there is no interval, and what is known instead."""
        held_out = self.model.config.held_out or {}
        if not held_out:
            return "not measured: the model was trained without leaving people out, see train_on_everybody(report=...)"
        if "reason" in held_out:
            return f"not measured: {held_out['reason']}"
        if auc := held_out.get("auc"):
            shares = f"{auc['value']:.0%} of pairs [{auc['lower']:.0%}, {auc['upper']:.0%}]"
            return f"a probability of two grades; on people left out, correct ranked above incorrect in {shares}"
        return "the held-out scores have no limits of agreement"

    def _interval(self, score: float) -> list[float] | None:
        limits = (self.model.config.held_out or {}).get("agreement")
        if not limits:
            return None
        ends = [score - limits["upper"], score - limits["lower"]]  # the limits are of predicted minus true
        if self.model.config.scores == "value":
            return ends
        return [min(max(end, 0.0), float(self.model.config.max_score)) for end in ends]
