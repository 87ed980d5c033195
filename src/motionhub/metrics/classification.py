"""Classification metrics of clips as a dictionary of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, top_k_accuracy_score


def classification_report(logits: Any, labels: Any, class_names: Sequence[str] | None = None) -> dict[str, Any]:
    """Top-1, top-5, mean class accuracy, confusion matrix and a table per class.

    Args:
        logits: `(num_clips, num_classes)` scores, higher is more likely.
        labels: `(num_clips,)` class indices in 0..num_classes-1.
        class_names: one name per class; `"0"`, `"1"`, ... by default.

    Returns:
        `top1`, `top5` (top-K when there are fewer than five classes) and `mean_class_accuracy` in 0..1, `num_clips`,
        `absent_classes` (names without a clip, left out of the mean; the official Smarthome script gives NaN),
        `confusion_matrix` (nested list, row true, column predicted, counts) and `per_class` (name, num_clips,
        accuracy, precision, f1; accuracy None for an absent class).

    Raises:
        ValueError: wrong shapes, no clips, NaN or infinite scores, or labels that are no class index.

    Examples:
        >>> report = motionhub.classification_report([[2.0, 1.0], [0.5, 3.0]], [0, 0], ["sit", "stand"])
        >>> report["top1"], report["absent_classes"]
        (0.5, ['stand'])
    """
    logits, labels = _checked(logits, labels)
    num_classes = logits.shape[1]
    names = [str(name) for name in (range(num_classes) if class_names is None else class_names)]
    if len(names) != num_classes:
        raise ValueError(f"class_names must name the {num_classes} columns of logits, got {len(names)} names.")
    # Ties go to the lower class index, as in numpy.argmax.
    predicted = logits.argmax(axis=1)
    counts = confusion_matrix(labels, predicted, labels=np.arange(num_classes))
    per_class = _per_class(labels, predicted, names)
    accuracies = [row["accuracy"] for row in per_class if row["accuracy"] is not None]
    return {
        "top1": float(np.mean(predicted == labels)),
        "top5": _top_k(logits, labels, 5),
        "mean_class_accuracy": float(np.mean(accuracies)),
        "num_clips": len(labels),
        "absent_classes": [row["name"] for row in per_class if row["num_clips"] == 0],
        "confusion_matrix": counts.tolist(),
        "per_class": per_class,
    }


def fuse_streams(*streams: Any, weights: Sequence[float] | None = None, mode: str = "logits") -> np.ndarray:
    """Weighted sum of the scores of several streams (joint, bone), `(num_clips, num_classes)` float64.

    Args:
        streams: logits of the same clips in the same order, each `(num_clips, num_classes)`.
        weights: one factor per stream, 1 by default (official ensemble: joint + 1 * bone).
        mode: `"logits"` adds raw logits (the official code); `"softmax"` adds probabilities (the UNIK paper).
    """
    arrays = [np.asarray(stream, dtype=np.float64) for stream in streams]
    if not arrays or any(array.shape != arrays[0].shape or array.ndim != 2 for array in arrays):
        raise ValueError(
            "fuse_streams needs scores of the same clips, all of one shape (num_clips, num_classes), "
            f"got {[array.shape for array in arrays]}."
        )
    factors = [1.0] * len(arrays) if weights is None else list(weights)
    if len(factors) != len(arrays):
        raise ValueError(f"weights must hold one number per stream ({len(arrays)}), got {len(factors)}.")
    if not np.isfinite(factors).all():
        raise ValueError(f"weights must be finite numbers, got {factors}.")
    if mode not in ("logits", "softmax"):
        raise ValueError(f"mode must be 'logits' (official code) or 'softmax' (paper), got {mode!r}.")
    if mode == "softmax":
        arrays = [softmax(array, axis=1) for array in arrays]
    return np.sum([factor * array for factor, array in zip(factors, arrays, strict=True)], axis=0)


def format_report(report: dict[str, Any]) -> str:
    """The report as lines of text: one per class, then the totals, all in percent.

    Examples:
        >>> report = motionhub.classification_report([[2.0, 1.0], [0.5, 3.0]], [0, 1])
        >>> print(motionhub.format_report(report).splitlines()[0])
        class                clips  accuracy  precision     f1
    """
    width = max([len("mean class accuracy"), *(len(row["name"]) for row in report["per_class"])])
    lines = [f"{'class':<{width}}  clips  accuracy  precision     f1"]
    for row in report["per_class"]:
        if row["accuracy"] is None:
            lines.append(f"{row['name']:<{width}}      0    absent")
            continue
        numbers = f"{row['num_clips']:5d}  {row['accuracy']:8.1%}  {row['precision']:9.1%}  {row['f1']:5.1%}"
        lines.append(f"{row['name']:<{width}}  {numbers}")
    totals = {"top-1": "top1", "top-5": "top5", "mean class accuracy": "mean_class_accuracy"}
    lines += [f"{title:<{width}}  {report['num_clips']:5d}  {report[name]:8.1%}" for title, name in totals.items()]
    return "\n".join(lines)


def _checked(logits: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    logits = np.asarray(logits, dtype=np.float64)
    labels = np.asarray(labels)
    if logits.ndim != 2 or logits.shape[1] < 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            "expected logits (num_clips, num_classes) with at least one clip and two classes and labels (num_clips,), "
            f"got {logits.shape} and {labels.shape}."
        )
    if not np.isfinite(logits).all():
        clips = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        raise ValueError(
            f"logits hold NaN or infinite values for {len(clips)} clips (first: {clips[0]}). The model diverged: "
            "lower the learning rate or set max_grad_norm."
        )
    wrong = ~np.isin(labels, np.arange(logits.shape[1]))  # NaN, -1 (unknown) and fractions are in no class
    if wrong.any():
        first = np.flatnonzero(wrong)[0]
        raise ValueError(
            f"labels must be class indices 0..{logits.shape[1] - 1}, got {labels[first]} for clip {first}. "
            "Drop the clips without a label first: dataset.filter(lambda row: row['label'] >= 0)."
        )
    return logits, labels.astype(np.int64)


def _top_k(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of clips whose class is among the `k` best; 1 with `k` classes or fewer."""
    num_classes = logits.shape[1]
    if num_classes <= k:
        return 1.0
    return float(top_k_accuracy_score(labels, logits, k=k, labels=np.arange(num_classes)))


def _per_class(labels: np.ndarray, predicted: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(names)), zero_division=0.0
    )
    return [
        {
            "name": name,
            "num_clips": int(support[index]),
            "accuracy": float(recall[index]) if support[index] else None,
            "precision": float(precision[index]),
            "f1": float(f1[index]),
        }
        for index, name in enumerate(names)
    ]
