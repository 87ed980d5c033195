"""Bone-length error and foot sliding of motions; bones are indices, NaN is missing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from motionhub.geometry import boxes


def bone_lengths(keypoints: Any, bones: Any, quantile: float = 0.5) -> np.ndarray:
    """One length per bone, `(num_bones,)`, over all people and frames; NaN for a bone that is always missing.

    Args:
        keypoints: `(..., joints, dims)`.
        bones: `(num_bones, 2)` indices (child, parent); pairs of a joint with itself are no bones (NaN).
        quantile: of the lengths over time: the median for 3-D, a high one (0.95) for 2-D, where bones that point at
            the camera look shorter.
    """
    keypoints, bones = np.asarray(keypoints, dtype=np.float64), np.asarray(bones, dtype=np.int64).reshape(-1, 2)
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile must be in 0..1, got {quantile!r}.")
    vectors = keypoints[..., bones[:, 0], :] - keypoints[..., bones[:, 1], :]
    lengths = np.linalg.norm(vectors, axis=-1).reshape(-1, len(bones))
    lengths[:, bones[:, 0] == bones[:, 1]] = np.nan
    result = np.full(len(bones), np.nan)
    found = np.isfinite(lengths).any(axis=0)
    result[found] = np.nanquantile(lengths[:, found], quantile, axis=0)
    return result


def bone_length_error(
    keypoints: Any,
    reference: Any,
    bones: Any,
    *,
    quantile: float = 0.5,
    ignore_size: bool = False,
    bone_names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Relative error of the bone lengths of one body with respect to another's.

    Args:
        keypoints, reference: `(..., joints, dims)` each, of any people and frames.
        bones, quantile: as in `bone_lengths`.
        ignore_size: scale the first body to the reference's total length first, to compare proportions only (for
            clips of different cameras).
        bone_names: one per bone; the indices by default.

    Returns:
        `bone_length_error`, the mean of |length - reference| / reference over the bones of both (0.1 is 10 %),
        `num_bones`, `size_ratio` (total length over the reference's), and `per_bone` (name, length, reference; None
        where missing).

    Raises:
        ValueError: the bodies have no bone in common, or a reference bone has length 0.
    """
    length, other = bone_lengths(keypoints, bones, quantile), bone_lengths(reference, bones, quantile)
    both = np.isfinite(length) & np.isfinite(other)
    if not both.any():
        raise ValueError("No bone is complete in both motions, so their lengths cannot be compared.")
    if not (other[both] > 0).all():
        raise ValueError("A bone of the reference has length 0; leave it out of bones.")
    size_ratio = float(length[both].sum() / other[both].sum())
    scale = 1 / size_ratio if ignore_size and size_ratio > 0 else 1.0
    names = [str(index) for index in range(len(both))] if bone_names is None else list(bone_names)
    return {
        "bone_length_error": float(np.mean(np.abs(scale * length[both] - other[both]) / other[both])),
        "num_bones": int(both.sum()),
        "size_ratio": size_ratio,
        "per_bone": [
            {"name": name, "length": _number(own), "reference": _number(its)}
            for name, own, its in zip(names, length, other, strict=True)
        ],
    }


def body_size(keypoints: Any) -> float:
    """Median over people and frames of the diagonal of the box around the joints `(..., joints, dims)`; NaN: none."""
    return boxes.body_size(np.asarray(keypoints, dtype=np.float64))


def speeds(points: Any, fps: float) -> np.ndarray:
    """Units per second between neighbouring frames, `(..., frames - 1, points)` of `(..., frames, points, dims)`."""
    return np.asarray(np.linalg.norm(np.diff(np.asarray(points, dtype=np.float64), axis=-3), axis=-1) * fps)


def foot_contacts(feet: Any, fps: float, size: float) -> np.ndarray:
    """Frames in which a foot stands still: `(..., frames - 1, feet)` bool.

    Args:
        feet: `(..., frames, feet, dims)`.
        fps: frames per second.
        size: of the body, in the same units (`body_size`).
    """
    # 0.15 body sizes per second are about 0.25 metres per second. NaN compares as False: no contact.
    return np.asarray(speeds(feet, fps) < 0.15 * size)


def foot_sliding(feet: Any, contacts: Any, fps: float, size: float) -> float | None:
    """Mean speed of feet during contact, in body sizes per second; None without contacts.

    Args:
        feet: `(..., frames, feet, dims)` of the evaluated motion.
        contacts: `(..., frames - 1, feet)` bool, the `foot_contacts` of its source motion.
        fps, size: as in `foot_contacts`, of the evaluated motion.
    """
    moved = speeds(feet, fps)
    contacts = np.asarray(contacts, dtype=bool)
    if moved.shape != contacts.shape:
        raise ValueError(f"contacts must have shape {moved.shape} (one frame less than feet), got {contacts.shape}.")
    standing = contacts & np.isfinite(moved)
    return float(moved[standing].mean() / size) if standing.any() else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
