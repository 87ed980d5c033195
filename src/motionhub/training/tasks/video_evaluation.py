"""Evaluation of video classifiers on several views of every video: 10 places in time, 3 in the picture, say.

It does not know how views are made (a processor's `temporal_views` and `spatial_crops`) nor how the model was trained.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from motionhub.metrics.classification import classification_report


class MultiViewEvaluation:
    """An `evaluation` for `train`, and on its own: probabilities are summed over the views of a video (PySlowFast).

    Batches hold `pixel_values (videos, views, frames, 3, height, width)` and `labels (videos,)`, as `VideoDataset`
    with `training=False` and `collate_videos` make them.

    Args:
        class_names: of the model, in order.
        views_at_once: clips of one forward pass.
    """

    def __init__(self, class_names: Sequence[str], views_at_once: int = 8) -> None:
        if views_at_once < 1:
            raise ValueError(f"views_at_once must be at least 1, got {views_at_once}.")
        self.class_names, self.views_at_once = list(class_names), views_at_once

    def __call__(self, model: torch.nn.Module, loader: Any, accelerator: Accelerator) -> dict[str, Any]:
        """`metrics.classification_report` of the summed probabilities."""
        scores, labels = [], []
        for batch in loader:
            summed = self.scores(model, batch["pixel_values"])
            gathered = accelerator.gather_for_metrics((summed, batch["labels"]))
            scores.append(gathered[0].cpu().numpy())
            labels.append(gathered[1].cpu().numpy())
        if not scores:
            raise ValueError("There are no videos to evaluate.")
        return classification_report(np.concatenate(scores), np.concatenate(labels), self.class_names)

    @torch.inference_mode()
    def scores(self, model: torch.nn.Module, pixel_values: torch.Tensor) -> torch.Tensor:
        """`(videos, classes)`: probabilities summed over the views.

        Raises:
            ValueError: there is no axis of views.
        """
        if pixel_values.dim() != 6:
            raise ValueError(
                "Several views are (videos, views, frames, 3, height, width), got "
                f"{tuple(pixel_values.shape)}; make them by VideoDataset(..., training=False)."
            )
        views = pixel_values.shape[1]
        parts = [
            model(part).logits.float().softmax(-1) for part in pixel_values.flatten(0, 1).split(self.views_at_once)
        ]
        return torch.cat(parts).unflatten(0, (-1, views)).sum(1)
