"""How a motion keeps a body's bone lengths and its feet on the floor; bones and feet are indices, NaN is missing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from motionhub.geometry import boxes


def bone_lengths(keypoints: Any, bones: Any, quantile: float = 0.5) -> np.ndarray:
    """One length per bone, `(num_bones,)`, over all people and frames; NaN for a bone that was never seen.

    Args:
        keypoints: `(..., joints, dims)`.
        bones: `(num_bones, 2)` indices (child, parent); pairs of a joint with itself do not count as bones (NaN).
        quantile: of the lengths over time: the median in 3-D, where a bone has one length. In 2-D a bone looks
            shorter the more it points at the camera, so a high quantile (0.95) is nearest to the length.
    """
    keypoints, bones = np.asarray(keypoints, dtype=np.float64), np.asarray(bones, dtype=np.int64).reshape(-1, 2)
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile must be in 0..1, got {quantile!r}.")
    vectors = keypoints[..., bones[:, 0], :] - keypoints[..., bones[:, 1], :]
    lengths = np.linalg.norm(vectors, axis=-1).reshape(-1, len(bones))
    lengths[:, bones[:, 0] == bones[:, 1]] = np.nan
    result = np.full(len(bones), np.nan)
    seen = np.isfinite(lengths).any(axis=0)
    result[seen] = np.nanquantile(lengths[:, seen], quantile, axis=0)
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
    """How far the bones of one body are from those of another, relative to the other's.

    Args:
        keypoints, reference: `(..., joints, dims)` each, of any people and frames.
        bones, quantile: as in `bone_lengths`.
        ignore_size: the first body is scaled to the reference's total length first, so that proportions count only
            (for clips of different cameras).
        bone_names: one per bone; the indices by default.

    Returns:
        `bone_length_error`, the mean of |length - reference| / reference over the bones both have (0.1 is ten per
        cent), `num_bones`, `size_ratio` (total length over the reference's), and `per_bone` (name, length, reference;
        None where unseen).

    Raises:
        ValueError: no bone is seen in both, or a reference bone has no length.
    """
    length, other = bone_lengths(keypoints, bones, quantile), bone_lengths(reference, bones, quantile)
    both = np.isfinite(length) & np.isfinite(other)
    if not both.any():
        raise ValueError("No bone is seen in both motions, so their lengths cannot be compared.")
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


def foot_contacts(feet: Any, fps: float, size: float, max_speed: float = 0.15) -> np.ndarray:
    """Where a foot stands still, which is where it stands: `(..., frames - 1, feet)` bool.

    Args:
        feet: `(..., frames, feet, dims)`.
        fps: frames per second.
        size: of the body, in the same units (`body_size`).
        max_speed: body sizes per second; 0.15 is about a quarter of a metre a second.
    """
    return np.asarray(speeds(feet, fps) < max_speed * size)  # NaN compares as False: nothing is known, no contact


def foot_sliding(feet: Any, contacts: Any, fps: float, size: float) -> float | None:
    """Mean speed of feet that should stand, in body sizes per second; None where none stands.

    Args:
        feet: `(..., frames, feet, dims)` of the motion judged.
        contacts: `(..., frames - 1, feet)` bool, where they stand: of the motion it was made from (`foot_contacts`).
        fps, size: as in `foot_contacts`, of the motion judged.
    """
    moved = speeds(feet, fps)
    contacts = np.asarray(contacts, dtype=bool)
    if moved.shape != contacts.shape:
        raise ValueError(f"contacts must have shape {moved.shape} (one frame less than feet), got {contacts.shape}.")
    standing = contacts & np.isfinite(moved)
    return float(moved[standing].mean() / size) if standing.any() else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
