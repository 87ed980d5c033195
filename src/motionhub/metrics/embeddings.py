"""Quality of embeddings: linear probe, effective rank, spread, hit@k."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def linear_accuracy(train: Any, train_labels: Any, test: Any, test_labels: Any) -> float:
    """Accuracy of a logistic regression on standardised embeddings.

    Args:
        train, test: `(num_clips, channels)`.
        train_labels, test_labels: `(num_clips,)` integers; test clips of a class not trained on count as wrong.

    Raises:
        ValueError: no clips, a single class to train on, or embeddings that are not finite.
    """
    arrays = [np.asarray(train, np.float64), np.asarray(test, np.float64)]
    for values, purpose in zip(arrays, ("to train on", "to test"), strict=True):
        if not len(values) or not np.isfinite(values).all():
            raise ValueError(f"A linear probe needs finite embeddings, got {values.shape} {purpose}.")
    if len(np.unique(train_labels)) < 2:
        raise ValueError("A linear probe needs training clips of two classes or more, got one class.")
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    classifier.fit(arrays[0], np.asarray(train_labels))
    return float(np.mean(classifier.predict(arrays[1]) == np.asarray(test_labels)))


def effective_rank(embeddings: Any) -> float:
    """Effective number of dimensions of embeddings `(num_clips, channels)`: 1 (a line) to `channels`.

    The exponential of the entropy of the principal directions' shares of variance; 0 when all embeddings are equal up
    to rounding, as of a collapsed encoder.
    """
    values = np.asarray(embeddings, np.float64)
    centred = values - values.mean(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    # Equal float32 features differ by about 1e-7 of their size.
    if spread(values) <= 1e-12:
        return 0.0
    share = variance / variance.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def spread(embeddings: Any) -> float:
    """Variance of embeddings `(num_clips, channels)` over their mean squared length: 0 (equal) to 1 (centred)."""
    values = np.asarray(embeddings, np.float64)
    length = np.square(values).sum()
    return float(np.square(values - values.mean(axis=0)).sum() / length) if length else 0.0
