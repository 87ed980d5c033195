"""How well scores of movement quality agree with a clinician's: ranks, areas, kappa, limits; intervals by subject.

Clips of one subject are alike, so uncertainty comes from resampling subjects, never clips.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from motionhub.metrics.open_set import auroc


Statistic = Callable[[np.ndarray, np.ndarray], float]


def rank_correlation(scores: Any, truth: Any) -> float:
    """Spearman's rank correlation in -1..1; NaN where all scores or all true values are equal."""
    scores, truth = _checked(scores, truth)
    if np.ptp(scores) == 0 or np.ptp(truth) == 0:
        return float("nan")
    return float(spearmanr(scores, truth).statistic)


def area_under_curve(scores: Any, labels: Any) -> float:
    """Probability that a clip labelled 1 has a higher score than one labelled 0, ties count half; NaN without either.

    Raises:
        ValueError: labels other than 0 and 1.
    """
    scores, labels = _checked(scores, labels)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"Labels of an area under the curve are 0 or 1, got {np.unique(labels)[:8].tolist()}.")
    correct = labels == 1
    return auroc(scores[correct], scores[~correct]) if 0 < correct.sum() < len(correct) else float("nan")


def weighted_kappa(predicted: Any, truth: Any, weights: str = "quadratic") -> float:
    """Cohen's kappa of whole scores, disagreements weighted `"quadratic"` or `"linear"`; NaN where both are constant.

    Raises:
        ValueError: scores that are not whole numbers; round them first.
    """
    predicted, truth = _checked(predicted, truth)
    if not (np.equal(predicted, predicted.round()).all() and np.equal(truth, truth.round()).all()):
        raise ValueError("Kappa is of whole scores (0, 1, 2, ...): round the predictions first, numpy.rint(scores).")
    if weights not in ("quadratic", "linear"):
        raise ValueError(f"weights must be 'quadratic' or 'linear', got {weights!r}.")
    if len(np.unique(np.concatenate([predicted, truth]))) < 2:
        return float("nan")
    # Every whole score between the lowest and the highest counts as a grade, also one that never occurs.
    grades = np.arange(min(predicted.min(), truth.min()), max(predicted.max(), truth.max()) + 1)
    return float(
        cohen_kappa_score(truth.astype(int), predicted.astype(int), labels=grades.astype(int), weights=weights)
    )


def limits_of_agreement(predicted: Any, truth: Any) -> dict[str, float]:
    """Bland and Altman: the mean difference `bias`, its `sd` and `lower`, `upper` = bias -+ 1.96 sd.

    `sd` is NaN with a single clip.
    """
    predicted, truth = _checked(predicted, truth)
    differences = predicted - truth
    bias = float(differences.mean())
    sd = float(differences.std(ddof=1)) if len(differences) > 1 else float("nan")
    return {"bias": bias, "sd": sd, "lower": bias - 1.96 * sd, "upper": bias + 1.96 * sd}


def bootstrap_by_subject(
    statistic: Statistic,
    scores: Any,
    truth: Any,
    subjects: Sequence[Any],
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """A statistic and its percentile interval when as many subjects are drawn anew, with all their clips.

    Args:
        statistic: `statistic(scores, truth)`, for example `rank_correlation`.
        scores, truth: `(num_clips,)`.
        subjects: whose clip it is.
        resamples, confidence, seed: of the bootstrap.

    Returns:
        `value`, `lower`, `upper`, `num_subjects`, and `undefined`: the part of the draws in which the statistic is
        NaN (one class only, say), which are left out of the interval. With one subject the interval is NaN.

    Raises:
        ValueError: lengths that differ, or no clips.
    """
    scores, truth = _checked(scores, truth)
    names, owner = np.unique(np.asarray(subjects).astype(str), return_inverse=True)
    if len(owner) != len(scores) or resamples < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"Expected a subject for each of the {len(scores)} clips, resamples of at least 1 and a confidence in "
            f"0..1, got {len(owner)} subjects, {resamples} and {confidence}."
        )
    clips = [np.flatnonzero(owner == subject) for subject in range(len(names))]
    generator = np.random.default_rng(seed)
    drawn = np.full(resamples, np.nan)
    if len(names) > 1:
        for index in range(resamples):
            rows = np.concatenate([clips[subject] for subject in generator.integers(len(names), size=len(names))])
            drawn[index] = statistic(scores[rows], truth[rows])
    defined = drawn[np.isfinite(drawn)]
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(defined, [tail, 1 - tail]) if len(defined) else (np.nan, np.nan)
    return {
        "value": statistic(scores, truth),
        "lower": float(lower),
        "upper": float(upper),
        "num_subjects": len(names),
        "undefined": float(1 - len(defined) / resamples),
    }


def quality_report(
    scores: Any, truth: Any, subjects: Sequence[Any], *, resamples: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """All of this module for one movement: intervals by subject for ranks, and what the true scores allow.

    Args:
        scores: `(num_clips,)` predicted, higher is better (or worse, as in `truth`).
        truth: `(num_clips,)`: 0 and 1 (incorrect and correct) add `auc`; whole grades add `kappa` of rounded scores
            and `agreement`; other numbers add `agreement`.
        subjects: whose clip it is.

    Returns:
        `spearman` and, where they apply, `auc` and `kappa`, each a dictionary of `bootstrap_by_subject`; `agreement`
        of `limits_of_agreement`; `num_clips`.
    """
    scores, truth = _checked(scores, truth)
    settings: dict[str, Any] = {"resamples": resamples, "seed": seed}
    report: dict[str, Any] = {
        "num_clips": len(scores),
        "spearman": bootstrap_by_subject(rank_correlation, scores, truth, subjects, **settings),
    }
    if np.isin(truth, (0, 1)).all():
        report["auc"] = bootstrap_by_subject(area_under_curve, scores, truth, subjects, **settings)
        return report
    report["agreement"] = limits_of_agreement(scores, truth)
    if np.equal(truth, truth.round()).all():
        grades = np.rint(scores).clip(truth.min(), truth.max())
        report["kappa"] = bootstrap_by_subject(weighted_kappa, grades, truth, subjects, **settings)
    return report


def _checked(scores: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
    scores, truth = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if scores.ndim != 1 or scores.shape != truth.shape or not len(scores):
        raise ValueError(
            f"Expected one score and one true value for each clip, got shapes {scores.shape} and {truth.shape}."
        )
    if not (np.isfinite(scores).all() and np.isfinite(truth).all()):
        raise ValueError("Scores and true values must be finite; leave out clips that have none.")
    return scores, truth
