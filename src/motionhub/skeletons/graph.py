"""What follows from the bones: the matrices of 2s-AGCN and ST-GCN, bone and velocity streams. NaN means missing."""

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout


# Bones that 2s-AGCN's graph runs through the other way than its bone stream.
TURNED: dict[str, tuple[tuple[str, str], ...]] = {"openpose-18": (("neck", "nose"),)}

# The joints that ST-GCN's official graphs call the centre.
CENTRES: dict[str, str] = {"ntu-25": "shoulder_centre", "openpose-18": "neck"}


def adjacency_subsets(layout: SkeletonLayout) -> np.ndarray:
    """AGCN's three matrices: every joint itself, edges towards the parent, edges towards the child.

    An edge from joint i to joint j is entry `[j, i]`. Columns of the last two sum to 1, or are empty; a joint listed
    as its own parent is no edge (2s-AGCN, `graph/tools.py`: `A D^-1` with D the column sums).

    Returns:
        `(3, joints, joints)` float32.
    """
    size = layout.num_joints
    inward = np.zeros((size, size), dtype=np.float32)
    for child, parent in layout.bones:
        if child == parent:
            continue
        start, end = (parent, child) if (child, parent) in TURNED.get(layout.name, ()) else (child, parent)
        inward[layout.index(end), layout.index(start)] = 1.0
    return np.stack([np.eye(size, dtype=np.float32), _columns_to_one(inward), _columns_to_one(inward.T)])


def spatial_configuration(layout: SkeletonLayout, centre: str | None = None) -> np.ndarray:
    """ST-GCN's three matrices: every joint itself, edges towards the centre, edges away from it.

    An edge from joint i to joint j is entry `[i, j]` (what j takes from i); together, with every joint its own
    neighbour, columns sum to 1 (official `net/utils/graph.py`, strategy "spatial", one hop). An edge between joints
    equally far from the centre goes to the second matrix.

    Args:
        centre: name of a joint; None is the official one of the layout, or else its root.

    Returns:
        `(3, joints, joints)` float32.
    """
    from scipy.sparse.csgraph import shortest_path

    size = layout.num_joints
    joined = np.eye(size, dtype=bool)
    for child, parent in layout.bone_indices:
        joined[child, parent] = joined[parent, child] = True
    start = layout.index(centre or CENTRES.get(layout.name, layout.root))
    distance = shortest_path(joined, directed=False, unweighted=True, indices=start)
    weights = _columns_to_one(joined.astype(np.float32))
    itself, away = np.eye(size, dtype=bool), distance[:, None] < distance[None, :]
    return np.stack([weights * itself, weights * ~itself * ~away, weights * away])


def _columns_to_one(matrix: np.ndarray) -> np.ndarray:
    sums = matrix.sum(axis=0)
    return matrix / np.where(sums > 0, sums, 1.0)


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
