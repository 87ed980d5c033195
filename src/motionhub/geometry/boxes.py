"""Boxes around the seen points, and the size of a body: the diagonal of its box. NumPy; NaN means missing."""

import numpy as np


def bounds(points: np.ndarray, axis: int = -2) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates over `axis` of `(..., dims)`; infinite, and the wrong way round, without points.

    A point with one unknown coordinate does not count.
    """
    seen = ~np.isnan(points).any(axis=-1, keepdims=True)
    low = np.where(seen, points, np.inf).min(axis=axis, initial=np.inf)
    return low, np.where(seen, points, -np.inf).max(axis=axis, initial=-np.inf)


def body_size(points: np.ndarray, min_joints: int = 1) -> float:
    """Median diagonal of the boxes around the poses of `(..., joints, dims)`, in their unit and precision; NaN: none.

    Args:
        min_joints: poses with fewer seen joints do not count.
    """
    low, high = bounds(points)
    enough = (~np.isnan(points).any(axis=-1)).sum(axis=-1) >= min_joints
    if not enough.any():
        return float("nan")
    with np.errstate(over="ignore"):
        return float(np.median(np.linalg.norm((high - low)[enough], axis=-1)))
