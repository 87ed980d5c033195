"""Motions in the common space of motions and texts, so that an index of them can be searched by text.

Models with `motion_projection` and `get_text_features` (`models/t_mor.py`) put both sides into one space.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionhub.retrieval.build import Embed
from motionhub.skeletons.sequence import SkeletonSequence


# What an index of such vectors says of itself (`MotionIndex.facts`).
REPRESENTATION = "text"


def text_space_embedder(pipe: Any) -> Embed:
    """`embed` of clips `(people, channels)` by a pipeline `skeleton-feature-extraction` around such a model.

    Raises:
        ValueError: the model has no texts in its space.
    """
    model = _aligned(pipe.model)

    def embed(sequence: SkeletonSequence) -> np.ndarray:
        features = torch.as_tensor(np.asarray(pipe(sequence, level="sequence", normalize=False)))
        seen = features.isfinite().all(dim=-1)
        vectors = torch.full((len(features), model.config.projection_size), float("nan"))
        if bool(seen.any()):
            with torch.inference_mode():
                motions = model.motion_projection(features[seen].to(model.device))
                vectors[seen] = (motions - model.typical_motion.mean).float().cpu()
        return vectors.numpy()

    return embed


def text_query(model: Any, vector: Tensor) -> np.ndarray:
    """The query `(channels,)` of a text whose vector by the model's text tower is `(dim,)`."""
    with torch.inference_mode():
        embedded = _aligned(model).get_text_features(vector[None].to(model.device)).pooler_output
    return np.asarray(embedded[0].float().cpu())


def check_text_index(facts: dict[str, Any]) -> None:
    """Raises ValueError unless an index says that its motions are in a common space with texts."""
    if facts.get("representation") != REPRESENTATION:
        raise ValueError(
            "This index cannot be searched by text: its vectors are those of an encoder alone. Make one of a model "
            "of motions and texts: motionhub index FOLDER -o INDEX --model T-MOR --representation text."
        )


def _aligned(model: Any) -> Any:
    inner = getattr(model, "base_model", model)
    if not hasattr(inner, "get_text_features") or not hasattr(inner, "motion_projection"):
        raise ValueError(f"{type(model).__name__} has no text space; use a model of motions and texts such as T-MOR.")
    return inner
