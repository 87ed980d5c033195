"""How good an embedding is without training a network on it: linear probe, effective rank, spread, hit@k."""

from collections.abc import Sequence
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


def hit_at_k(
    queries: Any, gallery: Any, relevant: Any, ks: Sequence[int] = (1, 5, 10), measure: str = "cosine"
) -> dict[str, float]:
    """Share of queries with something relevant among their k nearest, as `{"hit@1": ...}`.

    Args:
        queries: `(num_queries, channels)`; gallery: `(num_gallery, channels)`, for example of another view.
        relevant: `(num_queries, num_gallery)` bool; a query without anything relevant counts as missed.
        ks: how many nearest count; of a smaller gallery all.
        measure: `"cosine"` or `"euclidean"`; of equals the earlier one is nearer.

    Raises:
        ValueError: shapes or measure do not fit, or a vector is not finite.
    """
    queries, gallery = np.asarray(queries, np.float64), np.asarray(gallery, np.float64)
    relevant = np.asarray(relevant, bool)
    fits = queries.ndim == gallery.ndim == 2 and relevant.shape == (len(queries), len(gallery)) and relevant.size
    if not fits or measure not in ("cosine", "euclidean") or min(ks, default=0) < 1:
        raise ValueError(
            f"Expected queries, gallery, relevant (num_queries, num_gallery), ks of at least 1 and measure 'cosine' "
            f"or 'euclidean'; got {queries.shape}, {gallery.shape}, {relevant.shape}, {list(ks)} and {measure!r}."
        )
    if not (np.isfinite(queries).all() and np.isfinite(gallery).all()):
        raise ValueError("hit@k needs finite vectors; leave out what was not seen.")
    if measure == "cosine":
        queries, gallery = (
            values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12) for values in (queries, gallery)
        )
    # For unit vectors the same order as the cosine.
    distances = np.square(queries).sum(1)[:, None] + np.square(gallery).sum(1) - 2 * queries @ gallery.T
    order = np.argsort(distances, axis=1, kind="stable")
    found = np.take_along_axis(relevant, order, axis=1)
    return {f"hit@{k}": float(found[:, :k].any(1).mean()) for k in ks}
