"""Bone and velocity streams and the graph, against closed forms."""

import numpy as np
import pytest

from motionhub.skeletons.graph import adjacency_subsets, bone_stream, velocity_stream
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout


STICK = SkeletonLayout("stick", ("hip", "chest", "head"), (("chest", "hip"), ("head", "chest")), root="hip")
LOOSE = SkeletonLayout("loose", ("hip", "chest", "head"), (("hip", "hip"), ("chest", "hip")), root="hip")


def test_bone_is_joint_minus_parent_and_the_root_keeps_its_coordinates():
    keypoints = np.array([[1.0, 10.0], [3.0, 15.0], [4.0, 25.0]])
    assert bone_stream(keypoints, STICK).tolist() == [[1, 10], [2, 5], [1, 10]]


def test_a_joint_of_its_own_is_zero_and_a_joint_of_no_bone_keeps_its_coordinates():
    keypoints = np.array([[1.0, 10.0], [3.0, 15.0], [4.0, 25.0]])
    assert bone_stream(keypoints, LOOSE).tolist() == [[0, 0], [2, 5], [4, 25]]


def test_official_quirks_ntu_joint_21_is_zero_and_the_posetics_head_is_raw():
    ntu = np.random.default_rng(0).normal(size=(2, 4, 25, 3)).astype(np.float32)
    assert np.all(bone_stream(ntu, get_layout("ntu-25"))[:, :, 20] == 0)
    np.testing.assert_array_equal(bone_stream(ntu, get_layout("ntu-25"))[:, :, 3], ntu[:, :, 3] - ntu[:, :, 2])
    posetics = ntu[:, :, :17, :2]
    bones = bone_stream(posetics, get_layout("posetics-17"))
    np.testing.assert_array_equal(bones[:, :, 0], posetics[:, :, 0])
    np.testing.assert_array_equal(bones[:, :, 1], posetics[:, :, 1] - posetics[:, :, 0])


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_moving_the_body_moves_only_joints_without_a_parent(layout):
    keypoints = np.random.default_rng(1).normal(size=(5, layout.num_joints, 3))
    change = bone_stream(keypoints + 7.0, layout) - bone_stream(keypoints, layout)
    children = {child for child, _ in layout.bones}
    expected = [0.0 if joint in children else 7.0 for joint in layout.joints]
    np.testing.assert_allclose(change, np.broadcast_to(np.array(expected)[:, None], change.shape), atol=1e-12)


def test_a_missing_joint_takes_its_children_along_and_nobody_else():
    keypoints = np.ones((3, 2))
    keypoints[1] = np.nan
    assert np.isnan(bone_stream(keypoints, STICK)).all(axis=-1).tolist() == [False, True, True]


def test_the_input_is_left_alone_and_the_type_stays():
    keypoints = np.ones((2, 3, 2), dtype=np.float32)
    assert bone_stream(keypoints, STICK).dtype == velocity_stream(keypoints).dtype == np.float32
    assert np.all(keypoints == 1)


def test_velocity_of_a_uniform_motion_is_constant_and_the_last_frame_zero():
    frames = np.arange(6.0)[:, None, None] * np.array([0.5, -2.0, 0.0]) + np.ones((6, 4, 3))
    velocity = velocity_stream(np.stack([frames, frames]))
    assert velocity.shape == (2, 6, 4, 3)
    np.testing.assert_array_equal(velocity[:, :-1], np.broadcast_to([0.5, -2.0, 0.0], (2, 5, 4, 3)))
    assert np.all(velocity[:, -1] == 0)


def test_velocity_is_missing_before_and_in_a_missing_frame():
    frames = np.zeros((4, 1, 2))
    frames[2] = np.nan
    assert np.isnan(velocity_stream(frames))[:, 0, 0].tolist() == [False, True, True, False]


@pytest.mark.parametrize("num_frames", [0, 1])
def test_velocity_of_no_frames_or_one_is_zero(num_frames):
    velocity = velocity_stream(np.ones((1, num_frames, 3, 2)))
    assert velocity.shape == (1, num_frames, 3, 2) and not velocity.any()


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(\.\.\., 25, dims\).*17"):
        bone_stream(np.zeros((2, 17, 3)), get_layout("ntu-25"))
    with pytest.raises(ValueError, match="frames, joints, dims"):
        velocity_stream(np.zeros((17, 3)))


def test_adjacency_of_a_stick_is_the_closed_form():
    identity, inward, outward = adjacency_subsets(STICK)
    assert identity.tolist() == np.eye(3).tolist()
    assert inward.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]  # from chest to hip, from head to chest
    assert outward.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_columns_share_their_weight_between_two_children():
    fork = SkeletonLayout("fork", ("hip", "a", "b"), (("a", "hip"), ("b", "hip"), ("hip", "hip")), root="hip")
    _, inward, outward = adjacency_subsets(fork)
    assert inward.tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert outward.tolist() == [[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]]


def test_openpose_edges_are_those_of_agcn_and_not_those_of_its_bones():
    published = [(4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8), (11, 5), (8, 2), (5, 1), (2, 1)]
    published += [(0, 1), (15, 0), (14, 0), (17, 15), (16, 14)]
    inward = adjacency_subsets(get_layout("openpose-18"))[1]
    assert {(int(i), int(j)) for j, i in np.argwhere(inward > 0)} == set(published)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_columns_of_every_layout_sum_to_one_or_zero(layout):
    subsets = adjacency_subsets(layout)
    assert subsets.shape == (3, layout.num_joints, layout.num_joints)
    assert np.all(np.isclose(subsets.sum(axis=1), 1) | (subsets.sum(axis=1) == 0))
    edges = sum(child != parent for child, parent in layout.bones)
    assert (subsets[1] > 0).sum() == (subsets[2] > 0).sum() == edges
