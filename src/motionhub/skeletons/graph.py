"""The skeleton as a graph: the adjacency matrices of AGCN. It does not know features, tensors or learned edges."""

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout


def adjacency_subsets(layout: SkeletonLayout) -> np.ndarray:
    """AGCN's three matrices: every joint itself, edges towards the parent, edges towards the child.

    An edge from joint i to joint j is entry `[j, i]`. Columns of the last two sum to 1, or are empty; a joint listed as
    its own parent is no edge (2s-AGCN, `graph/tools.py`: `A D^-1` with D the column sums).

    Returns:
        `(3, joints, joints)` float32.
    """
    size = layout.num_joints
    child, parent = layout.bone_indices[layout.bone_indices[:, 0] != layout.bone_indices[:, 1]].T
    inward = np.zeros((size, size), dtype=np.float32)
    inward[parent, child] = 1.0
    return np.stack([np.eye(size, dtype=np.float32), _columns_to_one(inward), _columns_to_one(inward.T)])


def _columns_to_one(matrix: np.ndarray) -> np.ndarray:
    sums = matrix.sum(axis=0)
    return matrix / np.where(sums > 0, sums, 1.0)
