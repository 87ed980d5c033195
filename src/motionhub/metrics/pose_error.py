"""How far poses are from true ones: mean error (MPJPE) and share of correct keypoints (PCK).

Lengths are in the unit of the keypoints. NaN means missing: what the truth lacks is not counted, what only the
prediction lacks has no error and counts as wrong.
"""

from typing import Any

import numpy as np


def joint_errors(keypoints: Any, truth: Any) -> np.ndarray:
    """Distances `(..., joints)`: NaN where the truth is missing, infinite where only the prediction is.

    Args:
        keypoints, truth: `(..., joints, dims)`.

    Raises:
        ValueError: the shapes differ.
    """
    keypoints, truth = np.asarray(keypoints, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if keypoints.shape != truth.shape or keypoints.ndim < 2:
        raise ValueError(
            f"keypoints and truth must have the same shape (..., joints, dims), got {keypoints.shape} and "
            f"{truth.shape}; cut or resample one of them."
        )
    missing, unknown = ~np.isfinite(keypoints).all(axis=-1), ~np.isfinite(truth).all(axis=-1)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.linalg.norm(keypoints - truth, axis=-1)
    errors[missing] = np.inf
    errors[unknown] = np.nan
    return np.asarray(errors)


def mpjpe(keypoints: Any, truth: Any) -> dict[str, Any]:
    """`mpjpe`, the mean distance over all joints that both have (None without any); `coverage`, the share of the
    truth's joints that were predicted (None without truth); and `per_joint` mean distances.
    """
    errors = joint_errors(keypoints, truth)
    both = np.isfinite(errors)
    by_joint, flags = errors.reshape(-1, errors.shape[-1]).T, both.reshape(-1, errors.shape[-1]).T
    return {
        "mpjpe": _mean(errors[both]),
        "coverage": _mean(both[~np.isnan(errors)]),
        "per_joint": [_mean(row[flag]) for row, flag in zip(by_joint, flags, strict=True)],
    }


def pck(keypoints: Any, truth: Any, threshold: Any) -> dict[str, Any]:
    """`pck`, the share of the truth's joints that lie no further than `threshold`; and `per_joint`.

    Args:
        keypoints, truth: `(..., joints, dims)`.
        threshold: a length, or one per pose `(...)`; where it is NaN the pose does not count.

    Raises:
        ValueError: the shapes differ, or a threshold is negative.
    """
    errors = joint_errors(keypoints, truth)
    limits = np.broadcast_to(np.asarray(threshold, dtype=np.float64)[..., None], errors.shape)
    if (limits < 0).any():
        raise ValueError(f"threshold must not be negative, got {float(np.nanmin(limits))}.")
    counted = ~np.isnan(errors) & ~np.isnan(limits)
    right = (errors <= limits) & np.isfinite(errors)
    by_joint, flags = (array.reshape(-1, errors.shape[-1]).T for array in (right, counted))
    return {
        "pck": _mean(right[counted]),
        "per_joint": [_mean(row[flag]) for row, flag in zip(by_joint, flags, strict=True)],
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
