"""The skeleton as a graph: the matrices of 2s-AGCN and ST-GCN. It does not know features, tensors or learned edges."""

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
    size = layout.num_joints
    joined = np.eye(size, dtype=bool)
    for child, parent in layout.bone_indices:
        joined[child, parent] = joined[parent, child] = True
    distance = _distances(joined, layout.index(centre or CENTRES.get(layout.name, layout.root)))
    weights = _columns_to_one(joined.astype(np.float32))
    itself, away = np.eye(size, dtype=bool), distance[:, None] < distance[None, :]
    return np.stack([weights * itself, weights * ~itself * ~away, weights * away])


def _distances(joined: np.ndarray, start: int) -> np.ndarray:
    """Number of edges from `start` to each joint, infinite where there is no way."""
    distance = np.where(np.arange(len(joined)) == start, 0.0, np.inf)
    for _ in range(len(joined)):
        distance = np.minimum(distance, np.where(joined, distance[:, None] + 1, np.inf).min(axis=0))
    return distance


def _columns_to_one(matrix: np.ndarray) -> np.ndarray:
    sums = matrix.sum(axis=0)
    return matrix / np.where(sums > 0, sums, 1.0)
