"""Joints a network does not know follow those it knows: exact for a motion that is the source turned or scaled."""

import numpy as np
import pytest

import motionhub
from motionhub.skeletons.bodies import known_joints, nearest, with_context_of
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layouts import get_layout


def motion(layout, frames=6, dims=2, seed=0):
    keypoints = np.random.default_rng(seed).normal(scale=50, size=(2, frames, get_layout(layout).num_joints, dims))
    return motionhub.SkeletonSequence(keypoints, layout=layout, fps=30, unit="pixel" if dims == 2 else "metre")


LAYOUTS = ["body-25", "coco-17", "ntu-25", "posetics-17", "mediapipe-33", "kinect-20", "kinect-15", "ui-prmd-22"]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_motion_that_was_not_changed_comes_back_whole(layout, dims):
    source = motion(layout, dims=dims)
    same = with_context_of(convert_layout(source, "lac-15"), source)
    assert same.layout.name == layout
    np.testing.assert_allclose(same.keypoints, source.keypoints, atol=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_body_turned_scaled_and_moved_takes_all_its_joints_along(layout):
    source = motion(layout)
    angle = 0.7
    matrix = 1.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = source.replace(keypoints=source.keypoints @ matrix.T + [30, -80])
    result = with_context_of(convert_layout(moved, "lac-15"), source)
    np.testing.assert_allclose(result.keypoints, moved.keypoints, atol=1e-2)


def test_a_turn_in_space_takes_the_hand_along_its_forearm():
    """A hand on the line of its forearm stays there, whatever way the forearm turns."""
    source = motion("ntu-25", dims=3)
    points = source.keypoints.copy()
    elbow, wrist, hand = (source.layout.index(f"left_{joint}") for joint in ("elbow", "wrist", "hand"))
    points[:, :, hand] = points[:, :, wrist] + 0.3 * (points[:, :, wrist] - points[:, :, elbow])
    source = source.replace(keypoints=points)
    made = convert_layout(motion("ntu-25", dims=3, seed=5), "lac-15")
    result = with_context_of(made, source)
    forearm, rest = (result.keypoints[:, :, a] - result.keypoints[:, :, b] for a, b in ((wrist, elbow), (hand, wrist)))
    cosine = (forearm * rest).sum(-1) / np.linalg.norm(forearm, axis=-1) / np.linalg.norm(rest, axis=-1)
    np.testing.assert_allclose(cosine, 1, atol=1e-4)


def test_a_forearm_twice_as_long_has_a_hand_twice_as_long():
    source = motion("ntu-25")
    made = convert_layout(source, "lac-15")
    points = made.keypoints.copy()
    elbow, wrist = (made.layout.index(f"left_{joint}") for joint in ("elbow", "wrist"))
    points[:, :, wrist] += points[:, :, wrist] - points[:, :, elbow]
    result = with_context_of(made.replace(keypoints=points), source)
    names = [source.layout.index(f"left_{joint}") for joint in ("hand", "wrist")]
    before, after = (item.keypoints[:, :, names[0]] - item.keypoints[:, :, names[1]] for item in (source, result))
    np.testing.assert_allclose(after, 2 * before, atol=1e-3)


def test_opposite_directions_turn_round():
    source = motion("coco-17", dims=3)
    result = with_context_of(convert_layout(source.replace(keypoints=-source.keypoints), "lac-15"), source)
    np.testing.assert_allclose(result.keypoints, -source.keypoints, atol=1e-2)


def test_what_hangs_on_a_missing_joint_is_missing():
    source = motion("body-25")
    points = source.keypoints.copy()
    points[0, 2, source.layout.index("left_ankle")] = np.nan
    points[0, 3, source.layout.index("left_heel")] = np.nan
    source = source.replace(keypoints=points)
    made = convert_layout(motion("body-25", seed=1), "lac-15")
    missing = np.isnan(with_context_of(made, source).keypoints[0, :, source.layout.index("left_heel"), 0])
    assert missing.tolist() == [False, False, True, True, False, False]


def test_which_joint_hangs_on_which():
    known = known_joints(get_layout("ntu-25"), get_layout("lac-15"))
    assert known["head"] == "nose" and known["left_wrist"] == "left_wrist" and "left_hand" not in known
    ntu = get_layout("ntu-25")
    assert [nearest(joint, ntu, known) for joint in ("left_hand_tip", "left_thumb", "right_foot", "chest")] == [
        "left_wrist", "left_wrist", "right_ankle", "mid_hip"
    ]  # fmt: skip
    body = get_layout("body-25")
    known = known_joints(body, get_layout("lac-15"))
    assert [nearest(joint, body, known) for joint in ("left_ear", "left_small_toe")] == ["nose", "left_ankle"]


def test_motions_of_different_length_do_not_fit():
    with pytest.raises(ValueError, match="same people, frames"):
        with_context_of(convert_layout(motion("body-25", frames=5), "lac-15"), motion("body-25"))
