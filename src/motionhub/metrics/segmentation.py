"""Per-frame multi-label metrics: scores and labels of frames in, a plain dictionary of numbers out.

It does not know models, windows nor clips: the caller puts the frames of all clips one after the other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score


CONVENTIONS = ("scikit-learn", "ms-tct")


def frame_average_precision(
    scores: Any,
    labels: Any,
    class_names: Sequence[str] | None = None,
    mask: Any = None,
    convention: str = "scikit-learn",
) -> dict[str, Any]:
    """Average precision of every class over frames, and their mean (frame mAP).

    A class without a positive frame has no average precision and is left out of the mean, as in the official TSU and
    Charades evaluation; scikit-learn's macro average would count it as 0.

    Args:
        scores: `(num_frames, num_classes)`, higher is more likely (logits or probabilities).
        labels: `(num_frames, num_classes)` of 0 and 1.
        class_names: one name per class; `"0"`, `"1"`, ... by default.
        mask: `(num_frames,)` bool, False for padding.
        convention: of frames with equal scores. `"scikit-learn"`: they enter together, so their order cannot matter.
            `"ms-tct"`: one by one in the order given, as in the official TSU and Charades evaluation (MS-TCT); a model
            that gives many frames the same score gets another number there.

    Returns:
        `frame_map` in 0..1, `num_frames`, `absent_classes` (names), `per_class` (name, positives, average_precision,
        None for an absent class).

    Raises:
        ValueError: shapes do not fit, nothing is positive, NaN or infinite scores, labels other than 0 and 1.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {CONVENTIONS}, got {convention!r}.")
    average = average_precision_score if convention == "scikit-learn" else _one_by_one
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise ValueError(
            f"scores and labels must have one shape (num_frames, num_classes), got {scores.shape} and {labels.shape}."
        )
    if mask is not None:
        keep = np.asarray(mask, dtype=bool)
        if keep.shape != scores.shape[:1]:
            raise ValueError(f"mask must have shape {scores.shape[:1]}, got {keep.shape}.")
        scores, labels = scores[keep], labels[keep]
    if not np.isfinite(scores).all():
        raise ValueError("scores hold NaN or infinite values: the model diverged, or padding was not masked.")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1 (several classes may be on in one frame); padding goes into mask.")
    names = [str(name) for name in (range(scores.shape[1]) if class_names is None else class_names)]
    if len(names) != scores.shape[1]:
        raise ValueError(f"class_names must name the {scores.shape[1]} columns of scores, got {len(names)} names.")
    positives = labels.sum(axis=0).astype(int)
    if not positives.any():
        raise ValueError("No frame has a label, so there is no average precision.")
    precisions = [
        float(average(labels[:, index], scores[:, index])) if positives[index] else None for index in range(len(names))
    ]
    return {
        "frame_map": float(np.mean([value for value in precisions if value is not None])),
        "num_frames": len(scores),
        "absent_classes": [name for name, count in zip(names, positives, strict=True) if not count],
        "per_class": [
            {"name": name, "positives": int(count), "average_precision": precision}
            for name, count, precision in zip(names, positives, precisions, strict=True)
        ],
    }


def charades_frames(num_frames: int) -> np.ndarray:
    """The 25 frames that the official Charades localisation scores of a video: every `num_frames // 25`-th from 1.

    Raises:
        ValueError: the video has fewer than 25 frames.
    """
    if num_frames < 25:
        raise ValueError(f"Charades localisation samples 25 frames, but the video has {num_frames}.")
    return np.arange(1, num_frames, num_frames // 25)[:25]


def _one_by_one(labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean, over the positives, of the precision at each; of equal scores the earlier frame comes first."""
    ordered = labels[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered == 1].mean())
