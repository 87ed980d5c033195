"""Search of motions by text, with models that embed both in one space (`models/t_mor.py`)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionhub.retrieval.build import Embed
from motionhub.skeletons.sequence import SkeletonSequence


REPRESENTATION = "text"  # in `MotionIndex.facts`


def text_space_embedder(pipe: Any) -> Embed:
    """`embed` of clips by a skeleton-feature-extraction pipeline. Raises ValueError if its model embeds no texts."""
    model = _aligned(pipe.model)

    def embed(sequence: SkeletonSequence) -> np.ndarray:
        features = torch.as_tensor(np.asarray(pipe(sequence, level="sequence", normalize=False)))
        valid = features.isfinite().all(dim=-1)
        vectors = torch.full((len(features), model.config.projection_size), float("nan"))
        if bool(valid.any()):
            with torch.inference_mode():
                motions = model.motion_projection(features[valid].to(model.device))
                vectors[valid] = (motions - model.typical_motion.mean).float().cpu()
        return vectors.numpy()

    return embed


def text_query(model: Any, vector: Tensor) -> np.ndarray:
    """The query `(channels,)` of a text, from its vector `(dim,)` by the model's text tower."""
    with torch.inference_mode():
        embedded = _aligned(model).get_text_features(vector[None].to(model.device)).pooler_output
    return np.asarray(embedded[0].float().cpu())


def check_text_index(facts: dict[str, Any]) -> None:
    """Raises ValueError unless an index has vectors in a common space with texts."""
    if facts.get("representation") != REPRESENTATION:
        raise ValueError(
            "This index cannot be searched by text: its vectors are from a motion encoder. Build one with a model of "
            "motions and texts: motionhub index FOLDER -o INDEX --model T-MOR --representation text."
        )


def _aligned(model: Any) -> Any:
    inner = getattr(model, "base_model", model)
    if not hasattr(inner, "get_text_features") or not hasattr(inner, "motion_projection"):
        raise ValueError(f"{type(model).__name__} has no text space; use a model of motions and texts such as T-MOR.")
    return inner
