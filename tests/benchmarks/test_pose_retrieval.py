"""When a pose is found again, and which poses are the same."""

import numpy as np
import pytest
import torch
from helpers import load_script

from motionhub.geometry.cameras import camera_rotation
from motionhub.objectives.pose_views import PoseViews


retrieval = load_script("benchmarks/pose_retrieval.py")


def test_a_pose_turned_about_the_vertical_is_the_same_a_leaning_or_a_changed_one_is_not():
    pose = torch.randn(13, 3, generator=torch.Generator().manual_seed(0))
    turned = camera_rotation(torch.tensor(1.1), torch.tensor(0.0))
    leaning = camera_rotation(torch.tensor(0.0), torch.tensor(0.5))
    changed = pose.clone()
    changed[[0, 5]] += 1.0
    points = torch.stack([pose, pose @ turned.mT, pose @ leaning.mT, changed])
    visible = torch.ones(4, 13, dtype=torch.bool)
    views = PoseViews(points[..., :2].expand(2, -1, -1, -1), visible.expand(2, -1, -1), points, visible, points)
    assert retrieval.same_poses(views).tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, False],
        [False, False, False, True],
    ]


def test_hit_at_k_counts_the_queries_with_something_relevant_among_the_nearest():
    queries, gallery = np.array([[1.0, 0], [0, 1]]), np.array([[1, 0.2], [1, 0.1], [0.1, 1]])
    relevant = np.array([[True, False, False], [False, True, False]])
    assert retrieval.hit_at_k(queries, gallery, relevant, ks=(1, 2, 3)) == {"hit@1": 0.0, "hit@2": 0.5, "hit@3": 1.0}
    far = np.array([[5, 0.0], [1.1, 0.0], [0, 1]])
    assert retrieval.hit_at_k(queries, far, relevant, ks=(1,))["hit@1"] == 0.5  # same direction: the earlier
    with pytest.raises(ValueError, match="ks of at least 1"):
        retrieval.hit_at_k(queries, gallery, relevant, ks=(0,))
    with pytest.raises(ValueError, match="finite"):
        retrieval.hit_at_k(queries * np.nan, gallery, relevant)
