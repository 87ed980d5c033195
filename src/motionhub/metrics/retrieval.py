"""How often a search finds what it should: hit@k. Arrays in, numbers out; it does not know what the vectors are of."""

from collections.abc import Sequence
from typing import Any

import numpy as np


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
