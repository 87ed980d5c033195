"""Normalisations against closed forms and the laws they exist for."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motionhub.runtime import normalization as norms
from motionhub.skeletons.layouts import LAYOUTS, get_layout


NTU = get_layout("ntu-25")


def motion(people: int = 2, frames: int = 6, joints: int = 25, dims: int = 3) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((people, frames, joints, dims), np.float32)


def aligned(keypoints: np.ndarray, centring: str = "per-frame", scale: str = "none") -> norms.Normalization:
    return norms.align(keypoints, NTU, *norms.rule_joints("agcn-3d", NTU), centring, scale)


def every_normalization(keypoints: np.ndarray) -> dict[str, norms.Normalization]:
    return {
        "agcn": aligned(keypoints),
        "unik": norms.align(keypoints, NTU, *norms.rule_joints("unik-3d", NTU), "first-frame"),
        "centre": norms.centre(keypoints, NTU),
        "first frame, bones": norms.centre(keypoints, NTU, "head", "first-frame", "bones"),
        "extent": norms.centre(keypoints, NTU, scale="extent"),
    }


def test_screen_corners():
    corners = np.array([[[[0.0, 0.0], [640, 0], [0, 480], [640, 480], [320, 240]]]], np.float32)
    expected = np.array([[-1, -0.75], [1, -0.75], [-1, 0.75], [1, 0.75], [0, 0]])
    screen = norms.screen((640, 480))
    np.testing.assert_allclose(screen.apply(corners)[0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(screen.inverse(screen.apply(corners)), corners, atol=1e-4)


def test_screen_refuses_three_dims():
    with pytest.raises(ValueError, match="2-D keypoints"):
        norms.screen((640, 480), num_dims=3)


@pytest.mark.parametrize("name", ["agcn", "unik", "centre", "first frame, bones", "extent"])
def test_normalise_then_inverse_is_identity(name):
    keypoints = motion() + 3
    keypoints[1, 2, 4] = float("nan")
    normalizer = every_normalization(keypoints)[name]
    normalised = normalizer.apply(keypoints)
    assert not np.allclose(np.nan_to_num(normalised), np.nan_to_num(keypoints), atol=0.1)
    np.testing.assert_allclose(normalizer.inverse(normalised), keypoints, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["agcn", "unik"])
def test_aligned_motion_of_an_upright_body_does_not_depend_on_where_the_camera_stood(name):
    """Upright: in the reference frame the shoulders are at a right angle to the spine."""
    keypoints = motion()
    for joint, point in {"mid_hip": (0, 0, 1), "chest": (0, 0, 2), "neck": (0, 0, 3)}.items():
        keypoints[0, 0, NTU.index(joint)] = point
    for joint, point in {"left_shoulder": (0.4, 0.3, 3), "right_shoulder": (-0.4, -0.3, 3)}.items():
        keypoints[0, 0, NTU.index(joint)] = point
    views = Rotation.from_euler("xyz", [[40, -70, 20], [-100, 30, 60]], degrees=True).as_matrix()
    results = []
    for world, place in zip(views.astype(np.float32), ([5.0, -3, 2], [0.0, 1, 9]), strict=True):
        seen = keypoints @ world.T + np.array(place, np.float32)
        results.append(every_normalization(seen)[name].apply(seen))
    np.testing.assert_allclose(results[0], results[1], atol=1e-4, rtol=1e-4)


def test_agcn_rule_puts_the_spine_on_z_and_the_shoulders_towards_x():
    keypoints = motion()
    result = aligned(keypoints).apply(keypoints)[0]
    assert np.array_equal(result[:, NTU.index("chest")], np.zeros((6, 3)))
    shoulders = result[0, NTU.index("right_shoulder")] - result[0, NTU.index("left_shoulder")]
    np.testing.assert_allclose(
        shoulders / np.linalg.norm(shoulders), np.array([1.0, 0, 0], np.float32), atol=1e-5, rtol=0
    )
    # The second rotation turns the spine away again unless the shoulders were at a right angle to it.
    upright = keypoints.copy()
    upright[0, 0, NTU.index("mid_hip")] = np.array([0.0, 0.0, 0.0], np.float32)
    upright[0, 0, NTU.index("chest")] = np.array([0.0, 2.0, 0.0], np.float32)
    upright[0, 0, NTU.index("left_shoulder")] = np.array([0.3, 3.0, 0.4], np.float32)
    upright[0, 0, NTU.index("right_shoulder")] = np.array([-0.3, 3.0, -0.4], np.float32)
    result = aligned(upright).apply(upright)[0, 0]
    np.testing.assert_allclose(result[NTU.index("mid_hip")], [0.0, 0, -2], atol=1e-6, rtol=0)
    np.testing.assert_allclose(result[NTU.index("right_shoulder")], [0.5, 0, 1], atol=1e-6, rtol=0)


def test_rules_use_the_official_joints_of_their_official_layouts():
    posetics = get_layout("posetics-17")
    joint, vertical, lateral = norms.rule_joints("agcn-3d", NTU)
    assert [NTU.index(name) for name in (joint, *vertical, *lateral)] == [1, 0, 1, 8, 4]
    joint, vertical, lateral = norms.rule_joints("unik-3d", posetics)
    assert [posetics.index(name) for name in (joint, *vertical, *lateral)] == [3, 2, 4, 5, 6]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_alignment_joints_exist_or_the_error_says_what_to_pass(name):
    layout = LAYOUTS[name]
    for rule in norms.RULES:
        try:
            joint, vertical, lateral = norms.rule_joints(rule, layout)
        except ValueError as error:
            assert "centre_joint=" in str(error) and "mid_hip" not in layout.joints
        else:
            assert {joint, *vertical, *lateral} <= set(layout.joints) and vertical[0] != vertical[1]


def test_per_frame_centring_removes_the_path_and_first_frame_keeps_it():
    keypoints = motion(people=1)
    root = keypoints[0, :, 0]
    per_frame = norms.centre(keypoints, NTU).apply(keypoints)
    first = norms.centre(keypoints, NTU, centring="first-frame").apply(keypoints)
    assert np.array_equal(per_frame[0, :, 0], np.zeros((6, 3)))
    np.testing.assert_allclose(first[0, :, 0], root - root[0], atol=1e-6)


def test_unseen_centre_is_the_last_seen_one_and_before_that_the_first_seen():
    keypoints = motion(people=1)
    root = keypoints[0, :, 0].copy()
    keypoints[0, [0, 1, 3, 5], 0] = float("nan")
    track = norms.centre(keypoints, NTU).centre[:, 0]
    assert np.array_equal(track, root[[2, 2, 2, 2, 4, 4]])
    assert np.array_equal(norms.centre(keypoints, NTU, centring="first-frame").centre[0], root[2:3])


def test_never_seen_centre_is_the_mean_of_the_joints_that_were():
    keypoints = motion(people=1)
    keypoints[:, :, 0] = float("nan")
    expected = keypoints[0, :, 1:].mean(1)
    np.testing.assert_allclose(norms.centre(keypoints, NTU).centre[:, 0], expected, atol=1e-6)


def test_reference_is_the_first_person_who_was_seen():
    keypoints = motion()
    expected = aligned(keypoints[1:])
    keypoints[0] = float("nan")
    found = aligned(keypoints)
    assert np.array_equal(found.centre, expected.centre) and np.array_equal(found.rotation, expected.rotation)


def test_bones_are_taken_from_the_first_frame_in_which_both_ends_were_seen():
    keypoints = motion(people=1)
    expected = aligned(keypoints[:, 2:]).rotation
    for name in ("mid_hip", "left_shoulder"):
        keypoints[0, :2, NTU.index(name)] = float("nan")
    np.testing.assert_allclose(aligned(keypoints).rotation, expected, atol=1e-6)


def test_never_seen_bones_leave_the_rotation_out():
    keypoints = motion(people=1)
    for name in ("mid_hip", "left_shoulder"):
        keypoints[0, :, NTU.index(name)] = float("nan")
    assert np.array_equal(aligned(keypoints).rotation, np.eye(3))


@pytest.mark.parametrize("people", [0, 1])
def test_no_person_changes_nothing(people):
    keypoints = np.full((people, 4, 25, 3), np.nan, np.float32)
    for normalizer in every_normalization(keypoints).values():
        assert not normalizer.centre.any() and normalizer.scale == 1.0
        assert normalizer.apply(keypoints).shape == keypoints.shape


@pytest.mark.parametrize("scale", ["bones", "extent"])
def test_scaled_motion_does_not_depend_on_the_unit(scale):
    metres = motion()
    results = [norms.centre(points, NTU, scale=scale).apply(points) for points in (metres, metres * 1000)]
    np.testing.assert_allclose(results[0], results[1], atol=1e-5, rtol=1e-5)


def test_bone_scale_is_the_mean_bone_length():
    layout = get_layout("kinect-20")
    line = np.zeros((1, 3, 20, 3), np.float32)
    lengths = []
    for child, parent in layout.bone_indices.tolist():  # parents come first in this layout's bones
        length = 0.1 + 0.01 * child
        lengths.append(length)
        line[:, :, child] = line[:, :, parent] + np.array([0.0, length, 0.0], np.float32)
    assert norms.centre(line, layout, scale="bones").scale == pytest.approx(np.mean(lengths), rel=1e-5)


def test_inverse_of_per_frame_centring_needs_the_same_frames():
    keypoints = motion()
    with pytest.raises(ValueError, match="Per-frame centring was measured on 6 frames, but 3"):
        norms.centre(keypoints, NTU).inverse(keypoints[:, :3])


def test_alignment_refuses_two_dims():
    with pytest.raises(ValueError, match="3-D keypoints"):
        norms.align(motion(dims=2), NTU, *norms.rule_joints("agcn-3d", NTU))
