"""Calibration of zero-shot similarities `(clips, labels)`: temperature, rejection, calibrated stacking, AUROC.

Fit on clips that the model was not trained on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp


Tables = Sequence[tuple[Any, Any]]


def auroc(known: Any, unknown: Any) -> float:
    """Probability that a clip of a known class scores above one of an unknown class; 0.5 is chance."""
    from scipy.stats import rankdata  # slow to import, and pipelines rarely need it

    known, unknown = np.asarray(known, np.float64).ravel(), np.asarray(unknown, np.float64).ravel()
    if not len(known) or not len(unknown):
        raise ValueError(f"AUROC needs scores of both kinds, got {len(known)} known and {len(unknown)} unknown.")
    # Mann and Whitney's statistic: ranks count the clips below, ties by half. Fast, for bootstraps.
    below = rankdata(np.r_[known, unknown])[: len(known)].sum() - len(known) * (len(known) + 1) / 2
    return float(below / (len(known) * len(unknown)))


def harmonic_mean(seen: float, unseen: float) -> float:
    """Harmonic mean of two accuracies; 0 if either is 0."""
    return 0.0 if seen + unseen == 0 else 2 * seen * unseen / (seen + unseen)


def seen_and_unseen(scores: Any, truth: Any, unseen: Any, bonus: float = 0.0) -> tuple[float, float]:
    """Accuracies on clips of seen and of unseen labels, with all labels as candidates.

    Args:
        scores: `(clips, labels)` similarities.
        truth: the label of each clip.
        unseen: `(labels,)` bool, True for labels without training clips.
        bonus: added to the similarities of unseen labels.

    Raises:
        ValueError: wrong shapes, or no clips of one kind.
    """
    scores, truth = _checked(scores, truth)
    unseen = np.asarray(unseen, dtype=bool)
    if unseen.shape != scores.shape[1:] or not 0 < unseen[truth].sum() < len(truth):
        raise ValueError(
            f"Expected for each of {scores.shape[1]} labels whether it is unseen, and clips of both kinds, got "
            f"{unseen.shape} and {int(unseen[truth].sum()) if unseen.shape == scores.shape[1:] else 0} of "
            f"{len(truth)} clips of unseen labels."
        )
    right, new = (scores + bonus * unseen).argmax(1) == truth, unseen[truth]
    return float(right[~new].mean()), float(right[new].mean())


def fit_calibrated_stacking(scores: Any, truth: Any, unseen: Any) -> float:
    """The bonus of unseen labels with the best harmonic mean of seen and unseen accuracy.

    It offsets a model's preference for trained labels (calibrated stacking, Chao et al., ECCV 2016). Arguments: see
    `seen_and_unseen`; hold out labels as unseen.
    """
    tried = np.linspace(0, np.ptp(np.asarray(scores, np.float64)), 201)
    means = [harmonic_mean(*seen_and_unseen(scores, truth, unseen, float(bonus))) for bonus in tried]
    return float(tried[int(np.argmax(means))])


def fit_temperature(tables: Tables) -> float:
    """The divisor of similarities, in 0.005..10, with the least mean cross entropy of the true labels.

    Args:
        tables: `(similarities (clips, labels), true label of each clip)`, one or several with other labels.

    Raises:
        ValueError: no clips, or a true label that is not among the labels.
    """
    checked = [_checked(*table) for table in tables]
    if not sum(len(truth) for _, truth in checked):
        raise ValueError("A temperature is fitted on clips, got none.")

    def loss(logarithm: float) -> float:
        return sum(_cross_entropy(scores / np.exp(logarithm), truth).sum() for scores, truth in checked)

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.005), np.log(10.0)), method="bounded").x))


def fit_rejection_threshold(
    known: Tables, unknown: Sequence[Any], temperature: float, none_share: float = 0.5, most_none: float = 1.0
) -> float:
    """The similarity of "none of these" beside the labels with the least cross entropy.

    Args:
        known: `(similarities, true label)` of clips whose label is among the labels.
        unknown: similarities `(clips, labels)` of clips whose label is not.
        temperature: of the softmax over labels and none.
        none_share: share of clips without a right label in use, the weight of the unknown clips.
        most_none: largest share of the known clips, in the mean over the tables, below the result; it lowers the
            result where the two kinds overlap.
    """
    if not 0 <= most_none <= 1:
        raise ValueError(f"most_none must be a share, 0 to 1, got {most_none!r}.")
    if not 0 < none_share < 1:
        raise ValueError(f"none_share must be between 0 and 1, got {none_share!r}.")
    checked = [_checked(*table) for table in known]
    others = [np.asarray(scores, np.float64) for scores in unknown]
    if not sum(len(truth) for _, truth in checked) or not sum(len(scores) for scores in others):
        raise ValueError("Fitting needs clips with a true label among the labels and clips without.")
    everything = np.concatenate([scores.ravel() for scores in (*(scores for scores, _ in checked), *others)])
    refused = [(scores, np.full(len(scores), scores.shape[1])) for scores in others]

    def mean(tables: Tables, level: float) -> float:
        with_none = [(np.pad(scores, ((0, 0), (0, 1)), constant_values=level), truth) for scores, truth in tables]
        return float(np.concatenate([_cross_entropy(each / temperature, truth) for each, truth in with_none]).mean())

    def loss(level: float) -> float:
        return (1 - none_share) * mean(checked, level) + none_share * mean(refused, level)

    best = float(minimize_scalar(loss, bounds=(everything.min(), everything.max()), method="bounded").x)
    highest = [scores.max(axis=1) for scores, truth in checked if len(truth)]
    weights = np.concatenate([np.full(len(each), 1 / len(each)) for each in highest])
    return min(best, _weighted_quantile(np.concatenate(highest), weights, most_none))


def _weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """The largest value with at most `share` of the weight below it."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - weights[order]
    return float(values[order][np.flatnonzero(below <= share * weights.sum() * (1 + 1e-9))[-1]])


def _cross_entropy(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return logsumexp(logits, axis=1) - logits[np.arange(len(truth)), truth]


def _checked(scores: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
    scores, truth = np.asarray(scores, np.float64), np.asarray(truth)
    fits = scores.ndim == 2 and truth.shape == (len(scores),) and np.isfinite(scores).all()
    if not fits or (len(truth) and not (0 <= truth.min() <= truth.max() < scores.shape[1])):
        raise ValueError(
            f"Expected finite similarities (clips, labels) and a label of each clip, got {scores.shape} and "
            f"{truth.shape}."
        )
    return scores, truth.astype(np.int64)
