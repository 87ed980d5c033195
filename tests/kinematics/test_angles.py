"""Joint angles against closed forms: they are what the limbs were bent by, however the body stands in space."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import motionhub
from motionhub.kinematics.angles import DEFINITIONS, DEFINITIONS_2D, angle_names, between, joint_angles
from motionhub.skeletons.standing import named_layout


PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")
BODY = named_layout("body", tuple(f"{side}_{part}" for side in ("left", "right") for part in PARTS))


def turned(axis: str, degrees: float) -> np.ndarray:
    return Rotation.from_euler(axis, degrees, degrees=True).as_matrix()


def pose(**angles: float) -> np.ndarray:
    """`(joints, 3)` of a person with x left, y up, z forward, who stands with the feet forward, limbs bent as asked.

    `hip`, `hip_out`, `knee`, `ankle`, `shoulder`, `shoulder_out`, `elbow` in degrees, each on the side of its prefix.
    """
    down, places = np.array([0.0, -1.0, 0.0]), {}
    for side, out in (("left", 1.0), ("right", -1.0)):
        asked = {name[len(side) + 1 :]: value for name, value in angles.items() if name.startswith(side)}
        hip, shoulder = np.array([0.1 * out, 0.9, 0.0]), np.array([0.2 * out, 1.4, 0.0])
        thigh = turned("z", out * asked.get("hip_out", 0)) @ down
        thigh = turned("x", -asked.get("hip", 0)) @ thigh
        knee = turned("x", asked.get("knee", 0))
        shank = knee @ thigh
        toe = knee @ turned("x", -asked.get("ankle", 0)) @ np.array([0.0, 0.0, 1.0])
        toe = turned("x", -asked.get("hip", 0)) @ toe
        arm = turned("x", -asked.get("shoulder", 0)) @ turned("z", out * asked.get("shoulder_out", 0)) @ down
        forearm = turned("x", -asked.get("elbow", 0)) @ arm
        places |= {f"{side}_hip": hip, f"{side}_knee": hip + 0.42 * thigh, f"{side}_shoulder": shoulder}
        places |= {f"{side}_ankle": hip + 0.42 * thigh + 0.4 * shank, f"{side}_elbow": shoulder + 0.3 * arm}
        places |= {f"{side}_foot": hip + 0.42 * thigh + 0.4 * shank + 0.2 * toe}
        places |= {f"{side}_wrist": shoulder + 0.3 * arm + 0.25 * forearm}
    return np.array([places[joint] for joint in BODY.joints])


def angles_of(points: np.ndarray, up: str | None = "y") -> dict[str, float]:
    found = joint_angles(motionhub.SkeletonSequence(points[None], BODY, 30, "metre", up=up))
    return dict(zip(found.names, found.degrees[0, 0], strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_a_leg_bent_by_37_degrees_is_so_however_the_person_lies(seed):
    points = (
        pose(left_hip=20, left_knee=37, right_hip=5, right_knee=10) @ Rotation.random(random_state=seed).as_matrix().T
    )
    found = angles_of(points + [3.0, -1.0, 7.0], up=None)
    assert found["left_knee_flexion"] == pytest.approx(37, abs=1e-3)
    assert found["right_knee_flexion"] == pytest.approx(10, abs=1e-3)
    assert found["left_hip_flexion"] == pytest.approx(20, abs=1e-3)
    assert found["left_hip_abduction"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("bent", "name", "degrees"),
    [
        ({"left_hip": 60, "left_knee": 30}, "left_hip_flexion", 60),
        ({"right_hip": -15}, "right_hip_flexion", -15),
        ({"right_hip_out": 25}, "right_hip_abduction", 25),
        ({"left_hip_out": -10}, "left_hip_abduction", -10),
        ({"left_hip": 40, "left_hip_out": 20}, "left_hip_abduction", 20),
        ({"left_hip": 40, "left_hip_out": 20}, "left_hip_flexion", 40),
        ({"left_ankle": 15}, "left_ankle_dorsiflexion", 15),
        ({"right_ankle": -30}, "right_ankle_dorsiflexion", -30),
        ({"right_elbow": 110}, "right_elbow_flexion", 110),
        ({"left_shoulder": 70}, "left_shoulder_flexion", 70),
        ({"left_shoulder": 70}, "left_shoulder_elevation", 70),
        ({"left_shoulder": 175}, "left_shoulder_flexion", 175),
        ({"left_shoulder": 190}, "left_shoulder_flexion", 190),
        ({"right_shoulder": -40}, "right_shoulder_flexion", -40),
        ({"right_shoulder_out": 80}, "right_shoulder_abduction", 80),
        ({"left_shoulder_out": 80}, "left_shoulder_elevation", 80),
    ],
)
def test_each_angle_is_what_the_limb_was_bent_by(bent, name, degrees):
    assert angles_of(pose(**bent))[name] == pytest.approx(degrees, abs=1e-3)


def test_an_arm_stretched_forward_has_no_abduction():
    found = angles_of(pose(left_shoulder=90))
    assert np.isnan(found["left_shoulder_abduction"]) and found["left_shoulder_flexion"] == pytest.approx(90, abs=1e-3)


@pytest.mark.parametrize(
    ("axis", "degrees", "name"),
    [("x", 30, "trunk_flexion"), ("x", -12, "trunk_flexion"), ("z", -18, "trunk_lateral_flexion")],
)
def test_a_leaning_trunk_is_measured_from_the_vertical(axis, degrees, name):
    points = pose()
    hips = np.array([0.0, 0.9, 0.0])
    upper = [BODY.index(joint) for joint in BODY.joints if "shoulder" in joint or "elbow" in joint or "wrist" in joint]
    points[upper] = (points[upper] - hips) @ turned(axis, degrees).T + hips
    found = angles_of(points)
    assert found[name] == pytest.approx(degrees, abs=1e-3)  # about z, from up to the right
    assert found["trunk_inclination"] == pytest.approx(abs(degrees), abs=1e-3)


def test_shoulders_turned_to_the_left_are_a_positive_rotation():
    points = pose()
    for joint in ("left_shoulder", "right_shoulder"):
        points[BODY.index(joint)] = turned("y", 25) @ points[BODY.index(joint)]
    assert angles_of(points)["trunk_rotation"] == pytest.approx(25, abs=1e-3)


def test_mirrored_coordinates_keep_the_sign_of_flexion():
    points = pose(left_hip=60, left_knee=50, right_hip=45, right_knee=40) * [1.0, 1.0, -1.0]
    found = joint_angles(motionhub.SkeletonSequence(points[None], BODY, 30, "metre", up="y"))
    assert found.degrees[0, 0, found.names.index("left_hip_flexion")] == pytest.approx(60, abs=1e-3)
    assert any("left-handed" in note for note in found.notes)


def test_angles_do_not_depend_on_the_unit_and_the_axis_that_is_up():
    points = pose(left_hip=30, left_knee=60, right_shoulder=45)
    metres, millimetres = angles_of(points), angles_of(points * 1000)
    z_up = angles_of(points @ turned("x", 90).T, up="z")
    for name, value in metres.items():
        for other in (millimetres[name], z_up[name]):
            assert other == pytest.approx(value, abs=1e-3, nan_ok=True), name


def test_a_missing_joint_leaves_exactly_its_angles_missing():
    points = pose(left_knee=37, right_knee=37)
    points[BODY.index("left_ankle")] = np.nan
    found = angles_of(points)
    missing = {name for name, value in found.items() if np.isnan(value)}
    assert missing == {"left_knee_flexion", "left_ankle_dorsiflexion"}


def test_angles_whose_joints_a_layout_lacks_are_left_out():
    legs = named_layout("leg", ("left_hip", "left_knee", "left_ankle"))
    found = joint_angles(motionhub.SkeletonSequence(np.zeros((1, 3, 3)) + np.arange(3)[:, None], legs, 30, "metre"))
    assert found.names == ("left_knee_flexion",)


def test_joints_at_one_place_have_no_angle():
    found = joint_angles(motionhub.SkeletonSequence(np.zeros((1, 4, 14, 3)), BODY, 30, "metre", up="y"))
    assert np.isnan(found.degrees).all()


def test_an_unknown_up_axis_leaves_the_inclination_missing_and_says_so():
    found = joint_angles(motionhub.SkeletonSequence(pose()[None], BODY, 30, "metre"))
    assert np.isnan(found.degrees[0, 0, found.names.index("trunk_inclination")])
    assert any("up is not stated" in note for note in found.notes)


def from_camera(points: np.ndarray, azimuth: float) -> motionhub.SkeletonSequence:
    seen = points @ turned("y", azimuth).T
    return motionhub.SkeletonSequence(seen[None, :, :2] * [100, -100] + 500, BODY, 30, "pixel")


def test_from_the_side_the_angles_of_the_image_are_those_of_the_joints():
    found = joint_angles(from_camera(pose(left_hip=50, left_knee=37, left_elbow=20), 90))
    values = dict(zip(found.names, found.degrees[0, 0], strict=True))
    assert values["left_knee_flexion"] == pytest.approx(37, abs=0.01)
    assert values["left_hip_flexion"] == pytest.approx(50, abs=0.01)
    assert values["left_elbow_flexion"] == pytest.approx(20, abs=0.01)
    assert values["trunk_inclination"] == pytest.approx(0, abs=0.01)
    assert len(found.notes) == 1


def test_a_front_view_is_noted_because_flexion_is_not_visible_there():
    found = joint_angles(from_camera(pose(left_hip=50, left_knee=60), 0))
    assert any("Front or back view" in note for note in found.notes)


def test_every_angle_has_a_definition_and_every_definition_an_angle():
    whole = angles_of(pose(left_shoulder=20, right_shoulder=20))
    assert set(whole) == set(angle_names(3)) and len(whole) == 2 * 8 + 4
    assert set(joint_angles(from_camera(pose(), 90)).names) == set(angle_names(2))
    assert set(DEFINITIONS_2D) <= set(DEFINITIONS)


def test_small_and_straight_angles_are_exact():
    angle = np.array([0.0, 1e-6, np.pi / 3, np.pi - 1e-6, np.pi])
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    np.testing.assert_allclose(between(vectors, np.array([1.0, 0.0])), angle, rtol=1e-9, atol=1e-15)
