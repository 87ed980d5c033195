"""Bone and velocity streams: what two-stream models read instead of joint positions. NaN means missing and spreads.

It does not know normalisation, batches or which stream a checkpoint wants (the processor).
"""

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout


def bone_stream(keypoints: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Each joint minus its parent; a joint that is no bone's child keeps its raw coordinates (as UNIK and 2s-AGCN).

    A joint listed as its own parent becomes zero. The unit stays. Missing if the joint or its parent is.

    Args:
        keypoints: `(..., joints, dims)` float.

    Returns:
        An array of the same shape and dtype.

    Raises:
        ValueError: the number of joints is not that of the layout.
    """
    if keypoints.ndim < 2 or keypoints.shape[-2] != layout.num_joints:
        raise ValueError(
            f"bone_stream needs keypoints (..., {layout.num_joints}, dims) for layout {layout.name!r}, got "
            f"{keypoints.shape}; name the layout the array really has: bone_stream(keypoints, get_layout(...))."
        )
    bones = keypoints.copy()
    child, parent = layout.bone_indices.T
    bones[..., child, :] = keypoints[..., child, :] - keypoints[..., parent, :]
    return bones


def velocity_stream(keypoints: np.ndarray) -> np.ndarray:
    """`x[t + 1] - x[t]` in units per frame; the last frame is zero. Missing if the joint is in either frame.

    Args:
        keypoints: `(..., frames, joints, dims)` float.

    Returns:
        An array of the same shape and dtype.

    Raises:
        ValueError: there are fewer than three axes.
    """
    if keypoints.ndim < 3:
        raise ValueError(f"velocity_stream needs keypoints (..., frames, joints, dims), got shape {keypoints.shape}.")
    # The last frame minus itself: zero where the joint was seen, missing where it was not.
    following = np.concatenate([keypoints[..., 1:, :, :], keypoints[..., -1:, :, :]], axis=-3)
    return following - keypoints
