"""The skeleton as a graph: the adjacency matrices of AGCN. It does not know features, tensors or learned edges."""

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout


# Bones that 2s-AGCN's graph runs through the other way than its bone stream.
TURNED: dict[str, tuple[tuple[str, str], ...]] = {"openpose-18": (("neck", "nose"),)}


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


def _columns_to_one(matrix: np.ndarray) -> np.ndarray:
    sums = matrix.sum(axis=0)
    return matrix / np.where(sums > 0, sums, 1.0)
