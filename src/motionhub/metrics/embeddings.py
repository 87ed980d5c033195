"""How good an embedding is without training a network on it: arrays in, numbers out.

It does not know models nor datasets.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class LinearProbe:
    """A logistic regression on standardised embeddings, fitted once, for as many test sets as there are.

    Args:
        embeddings: `(num_clips, channels)` to fit on.
        labels: `(num_clips,)` integers of at least two classes.

    Raises:
        ValueError: no clips, a single class, or embeddings that are not finite.
    """

    def __init__(self, embeddings: Any, labels: Any) -> None:
        train = _finite(embeddings, "to train on")
        if len(np.unique(labels)) < 2:
            raise ValueError("A linear probe needs training clips of two classes or more, got one class.")
        self._classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        self._classifier.fit(train, np.asarray(labels))

    def accuracy(self, embeddings: Any, labels: Any) -> float:
        """Share of the clips that it names right; clips of a class that had none to fit on count as wrong.

        Raises:
            ValueError: no clips, or embeddings that are not finite.
        """
        named = self._classifier.predict(_finite(embeddings, "to test"))
        return float(np.mean(named == np.asarray(labels)))


def linear_accuracy(train: Any, train_labels: Any, test: Any, test_labels: Any) -> float:
    """The accuracy on one test set of a `LinearProbe` fitted for it."""
    return LinearProbe(train, train_labels).accuracy(test, test_labels)


def _finite(embeddings: Any, purpose: str) -> np.ndarray:
    values = np.asarray(embeddings, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"A linear probe needs finite embeddings, got {values.shape} {purpose}.")
    return values


def effective_rank(embeddings: Any) -> float:
    """Over how many directions embeddings `(num_clips, channels)` are spread: 1 (a line) to `channels`.

    The exponential of the entropy of the shares of variance of the principal directions; 0 when all embeddings are
    the same up to rounding, which is what a collapsed encoder gives.
    """
    values = np.asarray(embeddings, np.float64)
    centred = values - values.mean(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    # float32 features that are the same differ by about 1e-7 of their size.
    if spread(values) <= 1e-12:
        return 0.0
    share = variance / variance.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def spread(embeddings: Any) -> float:
    """The share of the mean squared length of embeddings `(num_clips, channels)` that is variance between them.

    0 when all are the same vector, 1 when they are centred on the origin; it does not depend on their scale.
    """
    values = np.asarray(embeddings, np.float64)
    length = np.square(values).sum()
    return float(np.square(values - values.mean(axis=0)).sum() / length) if length else 0.0
