"""Calibration of zero-shot scores: temperature, rejection threshold ("none of these"), calibrated stacking, AUROC.

Similarities `(clips, labels)` go in, numbers come out. Fit on clips that the model was not trained with.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp


Tables = Sequence[tuple[Any, Any]]


def auroc(known: Any, unknown: Any) -> float:
    """How often a clip of a known class scores above one of an unknown class: 1 always, 0.5 by chance.

    Raises:
        ValueError: one of them is empty.
    """
    from scipy.stats import rankdata  # the pipelines import this module; few of their calls measure

    known, unknown = np.asarray(known, np.float64).ravel(), np.asarray(unknown, np.float64).ravel()
    if not len(known) or not len(unknown):
        raise ValueError(f"AUROC needs scores of both kinds, got {len(known)} known and {len(unknown)} unknown.")
    # Mann and Whitney's statistic: ranks count the clips below, ties by half. A bootstrap asks thousands of times.
    below = rankdata(np.r_[known, unknown])[: len(known)].sum() - len(known) * (len(known) + 1) / 2
    return float(below / (len(known) * len(unknown)))


def harmonic_mean(seen: float, unseen: float) -> float:
    """Of two accuracies; 0 where either is."""
    return 0.0 if seen + unseen == 0 else 2 * seen * unseen / (seen + unseen)


def seen_and_unseen(scores: Any, truth: Any, unseen: Any, bonus: float = 0.0) -> tuple[float, float]:
    """Accuracy on clips of seen and of unseen labels, with all labels to choose from.

    Args:
        scores: `(clips, labels)` similarities.
        truth: the label of each clip.
        unseen: `(labels,)` bool, which labels the model has not learned.
        bonus: added to the similarities of those.

    Raises:
        ValueError: the shapes do not fit, or there are no clips of one kind.
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
    """What to add to similarities of labels never learned, for the best harmonic mean of seen and unseen accuracy.

    A model that was only ever rewarded for some labels says little else; the bonus makes up for it (calibrated
    stacking, Chao et al., ECCV 2016). Arguments: see `seen_and_unseen`; of clips and labels that play unseen.
    """
    most = float(np.max(scores) - np.min(scores))
    tried = np.linspace(0, most, 201)
    means = [harmonic_mean(*seen_and_unseen(scores, truth, unseen, float(bonus))) for bonus in tried]
    return float(tried[int(np.argmax(means))])


def fit_temperature(tables: Tables, bounds: tuple[float, float] = (0.005, 10.0)) -> float:
    """The temperature by which similarities are divided for the least mean cross entropy of the true labels.

    Args:
        tables: `(similarities (clips, labels), true label of each clip)`, one or several with other labels.

    Raises:
        ValueError: there are no clips, or a true label is not among the labels.
    """
    checked = [_checked(*table) for table in tables]
    if not sum(len(truth) for _, truth in checked):
        raise ValueError("A temperature is fitted on clips, got none.")

    def loss(logarithm: float) -> float:
        return sum(_cross_entropy(scores / np.exp(logarithm), truth).sum() for scores, truth in checked)

    found = minimize_scalar(loss, bounds=(np.log(bounds[0]), np.log(bounds[1])), method="bounded")
    return float(np.exp(found.x))


def fit_rejection_threshold(
    known: Tables, unknown: Sequence[Any], temperature: float, none_share: float = 0.5
) -> float:
    """The similarity that "none of these" gets beside the labels, for the least cross entropy.

    Args:
        known: `(similarities, true label)` of clips whose label is among the labels.
        unknown: similarities `(clips, labels)` of clips whose label is not.
        temperature: of the softmax over labels and none.
        none_share: how often, where this is used, none of the labels is right; so much the unknown clips count.
    """
    if not 0 < none_share < 1:
        raise ValueError(f"none_share must be between 0 and 1, got {none_share!r}.")
    checked = [_checked(*table) for table in known]
    others = [np.asarray(scores, np.float64) for scores in unknown]
    if not sum(len(truth) for _, truth in checked) or not sum(len(scores) for scores in others):
        raise ValueError("Fitting needs clips with a true label among the labels and clips without.")
    everything = np.concatenate([scores.ravel() for scores, _ in checked] + [scores.ravel() for scores in others])

    refused = [(scores, np.full(len(scores), scores.shape[1])) for scores in others]

    def mean(tables: Tables, level: float) -> float:
        with_none = [(np.pad(scores, ((0, 0), (0, 1)), constant_values=level), truth) for scores, truth in tables]
        return float(np.concatenate([_cross_entropy(each / temperature, truth) for each, truth in with_none]).mean())

    def loss(level: float) -> float:
        return (1 - none_share) * mean(checked, level) + none_share * mean(refused, level)

    found = minimize_scalar(loss, bounds=(float(everything.min()), float(everything.max())), method="bounded")
    return float(found.x)


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
