"""The laws of synthetic motion: exact analytic motions, bodies that keep their bones, feet on the floor, seeds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from motionhub.data.datasets import nucla
from motionhub.data.synthetic.body import Body, two_bones
from motionhub.data.synthetic.generate import (
    ACTIONS,
    BACKGROUND,
    HIDDEN_PARTS,
    Scene,
    compose,
    generate,
    pendulum_arm,
    project_pinhole,
    straight_walk,
)
from motionhub.geometry.cameras import camera_rotation, project
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


LAYOUT = get_layout("kinect-20")


def joint(sequence, name, person=0):
    return sequence.keypoints[person, :, LAYOUT.index(name)].astype(np.float64)


def bone_lengths(keypoints):
    children, parents = LAYOUT.bone_indices.T
    return np.linalg.norm(keypoints[..., children, :] - keypoints[..., parents, :], axis=-1)


# Analytic motions


@pytest.mark.parametrize("speed", [0.5, 1.2, 2.0])
def test_straight_walk_moves_the_root_exactly_speed_times_time_towards_the_camera(speed):
    root = joint(straight_walk(speed, num_frames=50, fps=25.0), "mid_hip")
    expected = np.outer(np.arange(50) / 25.0, [0.0, 0.0, -speed])
    np.testing.assert_allclose(root - root[0], expected, atol=2e-6)


def test_straight_walk_with_heading_90_goes_to_the_left_of_who_faces_the_camera():
    # Facing the camera (-z) with y up, in a right-handed frame, left is -x.
    root = joint(straight_walk(1.0, num_frames=31, fps=30.0, scene=Scene(heading=90.0)), "mid_hip")
    np.testing.assert_allclose(root[-1] - root[0], [-1.0, 0.0, 0.0], atol=2e-6)


@pytest.mark.parametrize("speed", [0.6, 1.2, 1.6])
def test_a_foot_on_the_floor_hardly_slides(speed):
    walk = straight_walk(speed, num_frames=120)
    for side in ("left", "right"):
        foot = joint(walk, f"{side}_foot")
        low = foot[:, 1] < -0.9 + 0.0205
        planted = low[1:] & low[:-1]
        assert 0.5 < planted.mean() < 0.75  # people stand on each foot about 60 % of the time
        slide = np.linalg.norm(np.diff(foot, axis=0), axis=-1)[planted] * 30
        assert np.median(slide) < 1e-4  # metres a second
        assert slide.max() < 0.12 * speed  # in the frame in which it touches down


def test_pendulum_wrist_stays_on_its_arc_at_the_stated_angle():
    swing = pendulum_arm(frequency=0.5, amplitude=60.0, num_frames=61, fps=30.0)
    arm = joint(swing, "right_wrist") - joint(swing, "right_shoulder")
    np.testing.assert_allclose(np.linalg.norm(arm, axis=-1), Body().upper_arm + Body().forearm, atol=1e-6)
    angle = np.degrees(np.arctan2(-arm[:, 2], -arm[:, 1]))  # forward is -z
    np.testing.assert_allclose(angle, 60.0 * np.sin(2 * np.pi * 0.5 * np.arange(61) / 30.0), atol=1e-3)
    np.testing.assert_allclose(arm[:, 0], 0.0, atol=1e-6)


def test_a_bent_limb_obeys_the_law_of_cosines():
    # A 3-4-5 triangle has its right angle 9/5 along the hypotenuse and 12/5 aside.
    middle, end = two_bones(np.zeros((1, 3)), np.array([[5.0, 0, 0]]), 3.0, 4.0, np.array([[0.3, 2.0, 0.0]]))
    np.testing.assert_allclose(middle, [[1.8, 2.4, 0.0]], atol=1e-12)
    np.testing.assert_allclose(end, [[5.0, 0, 0]], atol=1e-12)


def test_a_target_out_of_reach_is_met_in_direction():
    middle, end = two_bones(np.zeros((1, 3)), np.array([[0, -9.0, 0]]), 1.0, 2.0, np.array([[0, 0, 1.0]]))
    np.testing.assert_allclose(np.concatenate([middle, end]), [[0, -1, 0], [0, -3, 0]], atol=1e-12)


# Every action


@pytest.mark.parametrize("action", ACTIONS)
def test_bones_keep_their_length_and_nothing_goes_through_the_floor(action):
    for seed in range(4):
        clip = generate(action, seed=seed, fps=15.0)
        lengths = bone_lengths(clip.keypoints[0].astype(np.float64))
        assert np.ptp(lengths, axis=0).max() < 1e-4
        assert clip.keypoints[..., 1].min() > -0.9


@pytest.mark.parametrize("action", ACTIONS)
def test_knees_and_elbows_bend_the_human_way(action):
    """A knee is in front of the line from hip to ankle (or above it when lying), never behind it."""
    clip = generate(action, seed=2)
    left = joint(clip, "left_hip") - joint(clip, "right_hip")
    forward = np.cross(left, [0.0, 1.0, 0.0])
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    for side in ("left", "right"):
        hip, knee, ankle = (joint(clip, f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        bend = knee - (hip + ankle) / 2
        assert ((bend * forward).sum(-1) + bend[:, 1]).min() > -0.02
        shoulder, elbow, wrist = (joint(clip, f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        lower, upper = wrist - elbow, elbow - shoulder
        straightness = (lower * upper).sum(-1) / np.linalg.norm(lower, axis=-1) / np.linalg.norm(upper, axis=-1)
        assert straightness.min() > np.cos(np.radians(165))  # no forearm folded into the upper arm


@pytest.mark.parametrize("action", ACTIONS)
def test_motion_is_smooth(action):
    keypoints = generate(action, seed=5).keypoints[0].astype(np.float64)
    assert np.abs(np.diff(keypoints, axis=0)).max() * 30 < 14  # metres a second; a thrown hand reaches about 10


def test_there_are_at_least_sixteen_actions_and_they_include_those_of_n_ucla():
    assert len(ACTIONS) >= 16
    assert set(nucla.CLASS_NAMES) <= set(ACTIONS)


def test_actions_do_what_their_names_say():
    height = {action: joint(generate(action, seed=1), "mid_hip")[:, 1] for action in ("sit down", "stand up", "jump")}
    assert height["sit down"][0] - height["sit down"][-1] > 0.25
    assert height["stand up"][-1] - height["stand up"][0] > 0.25
    assert height["jump"].max() - height["jump"][0] > 0.15
    fallen = generate("fall", seed=1).keypoints[0, -1, :, 1] + 0.9
    assert fallen.max() < 0.75
    wave, clap = generate("wave", seed=1, left_handed=False), generate("clap", seed=1)
    assert (joint(wave, "right_wrist") - joint(wave, "right_shoulder"))[:, 1].max() > 0.1
    apart = np.linalg.norm(joint(clap, "left_hand") - joint(clap, "right_hand"), axis=-1)
    assert apart.min() < 0.12 and apart.max() > 0.3
    drink = generate("drink", seed=1, left_handed=False)
    assert np.linalg.norm(joint(drink, "right_hand") - joint(drink, "head"), axis=-1).min() < 0.25


# Parameters


def test_the_same_seed_is_identical_and_another_is_not():
    scene = Scene(noise=0.01, dropout=0.1)
    first, again = (generate("throw", seed=7, scene=scene).keypoints for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = generate("throw", seed=8, scene=scene).keypoints
    assert np.nanmax(np.abs(first - other)) > 0.05


def test_a_generator_is_a_seed_that_goes_on():
    generator = np.random.default_rng(7)
    first, second = generate("wave", seed=generator), generate("wave", seed=generator)
    np.testing.assert_array_equal(first.keypoints, generate("wave", seed=7).keypoints)
    assert np.abs(first.keypoints - second.keypoints).max() > 0.01


def test_noise_has_the_stated_spread_and_dropout_the_stated_share():
    clean = generate("walk around", seed=3, num_frames=600)
    noisy = generate("walk around", seed=3, num_frames=600, scene=Scene(noise=0.02))
    difference = noisy.keypoints - clean.keypoints  # 36,000 numbers
    assert abs(difference.mean()) < 0.0005
    assert difference.std() == pytest.approx(0.02, rel=0.02)
    lost = generate("walk around", seed=3, num_frames=600, scene=Scene(dropout=0.25))
    assert 1 - lost.joint_mask.mean() == pytest.approx(0.25, abs=0.015)
    np.testing.assert_array_equal(lost.keypoints[lost.joint_mask], clean.keypoints[lost.joint_mask])


def test_twice_the_speed_is_half_the_frames_of_the_same_path():
    slow, fast = (generate("walk around", seed=1, speed=speed) for speed in (1.0, 2.0))
    assert slow.num_frames == 2 * fast.num_frames
    gap = joint(slow, "mid_hip")[::2] - joint(fast, "mid_hip")
    assert np.abs(gap[:, [0, 2]]).max() < 0.06


def test_left_handed_is_the_mirror_image():
    """Mirrored about the plane in which the person faces the camera, left and right exchanged."""
    body = Body()
    right, left = (generate("wave", seed=1, body=body, left_handed=flag) for flag in (False, True))
    flipped = right.keypoints[..., LAYOUT.mirror, :] * np.array([-1, 1, 1], dtype=np.float32)
    np.testing.assert_allclose(left.keypoints, flipped, atol=1e-5)


def test_proportions_are_those_of_the_body():
    body = Body(thigh=0.5, forearm=0.2)
    lengths = bone_lengths(generate("squat", body=body).keypoints[0, 0])
    names = [child for child, _ in LAYOUT.bones]
    assert lengths[names.index("left_knee")] == pytest.approx(0.5, abs=1e-5)
    assert lengths[names.index("right_wrist")] == pytest.approx(0.2, abs=1e-5)


def test_scene_turns_about_its_middle_and_keeps_the_distance():
    front = generate("bow", seed=1)
    turned = generate("bow", seed=1, scene=Scene(camera_yaw=90.0, distance=5.0))
    relative = front.keypoints - np.array([0, 0, 3.0])
    # A quarter turn to the left takes -z (towards the camera) to -x.
    expected = np.stack([relative[..., 2], relative[..., 1], -relative[..., 0]], axis=-1) + np.array([0, 0, 5.0])
    np.testing.assert_allclose(turned.keypoints, expected, atol=1e-5)


def test_a_camera_that_looks_down_sees_a_farther_floor_higher():
    near, far = (generate("bow", seed=1, scene=Scene(camera_pitch=10.0, distance=d)).keypoints for d in (2.0, 4.0))
    rise = (far - near)[0, 0, 0]
    np.testing.assert_allclose(rise, [0, 2 * np.sin(np.radians(10)), 2 * np.cos(np.radians(10))], atol=1e-5)


def test_two_people_face_each_other():
    pair = generate("punch", second_person="wave", seed=4)
    assert pair.num_people == 2
    toes = [joint(pair, "left_foot", person) - joint(pair, "left_ankle", person) for person in (0, 1)]
    gap = (joint(pair, "mid_hip", 1) - joint(pair, "mid_hip", 0))[0]
    assert (toes[0][0] * gap).sum() * (toes[1][0] * gap).sum() < 0
    assert np.linalg.norm(gap[[0, 2]]) == pytest.approx(1.2, abs=0.15)


def test_other_layouts_come_from_conversion():
    clip = generate("wave", layout="ntu-25")
    native = generate("wave")
    assert clip.layout.name == "ntu-25"
    np.testing.assert_array_equal(
        clip.keypoints[:, :, clip.layout.index("left_wrist")], native.keypoints[:, :, LAYOUT.index("left_wrist")]
    )


def test_resemble_the_kinect(unzipped):
    """Bones within the spread of real people, the frame right-handed, the person at a few metres."""
    folder = unzipped("data/nucla_views12.zip")
    clips = [nucla.read(path)[0].keypoints[0] for path in sorted(folder.rglob("*.json"))[::40]]
    real = np.array([np.nanmedian(bone_lengths(clip), axis=0) for clip in clips])
    ours = np.array([bone_lengths(generate("walk around", seed=seed).keypoints[0, 0]) for seed in range(40)])
    ratio = np.median(ours, axis=0) / np.median(real, axis=0)
    assert ratio.min() > 0.75 and ratio.max() < 1.35

    def handedness(clip):
        part = {name: clip[:, LAYOUT.index(name)] for name in LAYOUT.joints}
        forward = part["left_foot"] + part["right_foot"] - part["left_ankle"] - part["right_ankle"]
        up = part["shoulder_centre"] - part["mid_hip"]
        left = part["left_shoulder"] - part["right_shoulder"]
        return np.nanmean((np.cross(up, forward) * left).sum(-1) > 0)

    assert np.mean([handedness(clip) for clip in clips]) > 0.8
    assert handedness(generate("walk around").keypoints[0]) > 0.99


# Compositions


def test_a_composition_labels_every_frame_and_joins_without_a_jump():
    names = ["walk around", "sit down", "stand up", "fall", "wave"]
    sequence, labels = compose(names, seed=2)
    assert labels.shape == (sequence.num_frames,)
    runs = labels[np.flatnonzero(np.diff(labels, prepend=-9))]
    expected = [index for name in names for index in (BACKGROUND, ACTIONS.index(name))][1:]
    assert runs.tolist() == expected
    moved = np.abs(np.diff(sequence.keypoints[0].astype(np.float64), axis=0)).max() * 30
    assert moved < 14
    assert np.ptp(bone_lengths(sequence.keypoints[0].astype(np.float64)), axis=0).max() < 1e-4


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: generate("walk aroud"), "action must be one of"),
        (lambda: generate("wave", second_person="nobody"), "action must be one of"),
        (lambda: generate("wave", speed=0.0), "speed must be a positive number"),
        (lambda: generate("wave", fps=-1.0), "fps must be a positive number"),
        (lambda: generate("wave", num_frames=0), "num_frames must be a positive number"),
        (lambda: generate("wave", layout="kinect-21"), "kinect-20"),
        (lambda: straight_walk(1.0, num_frames=0), "num_frames must be a positive number"),
        (lambda: pendulum_arm(num_frames=0), "num_frames must be a positive number"),
        (lambda: straight_walk(-1.0), "speed must be a positive number"),
        (lambda: compose([]), "at least one action"),
        (lambda: compose("wave"), "at least one action"),
        (lambda: Scene(dropout=1.5), "probability"),
        (lambda: Scene(noise=-0.1), "noise"),
        (lambda: Body(thigh=0.0), "Body.thigh"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_frame_is_enough():
    assert generate("walk around", num_frames=1).num_frames == 1
    assert straight_walk(num_frames=1).num_frames == 1
    assert np.isfinite(pendulum_arm(num_frames=1).keypoints).all()


def at(*places):
    """Frames of one joint at these places before the sensor: metres, y up, z away."""
    layout = SkeletonLayout("point-1", ("point",), (), root="point")
    return SkeletonSequence(np.array(places, np.float32)[None, :, None], layout, 30, "metre")


def test_a_picture_shows_metres_at_a_depth_as_focal_over_depth_pixels_and_nothing_outside_it():
    places = ((0, 0, 2), (-1, 0.5, 2), (-1, 0.5, 4), (0, 0, -2), (0, 0, 0), (-2, 0, 2))
    seen = project_pinhole(at(*places), 1000, (1920, 1080))
    nothing = [np.nan, np.nan]
    expected = [[960, 540], [1460, 290], [1210, 415], nothing, nothing, nothing]
    np.testing.assert_allclose(seen.keypoints[0, :, 0], expected)
    assert seen.unit == "pixel" and seen.image_size == (1920, 1080) and seen.num_dims == 2
    up = project_pinhole(at((0, 1, 1), (0, 0, 1)), 500, (1920, 1080), tilt=45)
    np.testing.assert_allclose(up.keypoints[0, :, 0], [[960, 540], [960, 1040]], rtol=1e-6)


@pytest.mark.parametrize("pitch", [0, 15])
def test_the_picture_is_what_the_cameras_of_geometry_make_of_the_metres(pitch):
    scene = Scene(camera_yaw=30, camera_height=1.7, distance=4.0, heading=20)
    metres = generate("wave", seed=3, scene=scene, layout="coco-17")
    pictured = replace(scene, camera_pitch=pitch, focal=900.0, image_size=(1280, 720))
    pixels = generate("wave", seed=3, scene=pictured, layout="coco-17")
    assert pixels.joint_mask.all() and metres.joint_mask.all() and pixels.layout.name == "coco-17"
    # Their world has x to the right and z towards the camera, about a point a metre above the floor in the middle.
    points = metres.keypoints.astype(np.float64) * [-1, 1, -1] + [0, 1.7 - 1, 4]
    elevation, far = np.arctan2(0.7, 4.0), np.hypot(0.7, 4.0)
    rotation = camera_rotation(torch.zeros((), dtype=torch.float64), torch.tensor(elevation))
    picture = project(torch.from_numpy(points).flatten(1, 2), rotation, far) * 900 / far + torch.tensor([640, 360])
    np.testing.assert_allclose(pixels.keypoints.reshape(1, -1, 2), picture.numpy(), rtol=1e-5)


def test_who_faces_the_camera_has_the_left_hand_on_the_right_of_the_picture_and_the_feet_below():
    clip = straight_walk(num_frames=5, scene=Scene(focal=800.0))
    left, right, head, foot = (
        clip.keypoints[0, :, clip.layout.index(joint)]
        for joint in ("left_shoulder", "right_shoulder", "head", "left_foot")
    )
    assert (left[:, 0] > right[:, 0]).all() and (foot[:, 1] > head[:, 1]).all()


@pytest.mark.parametrize("wrong", [{"focal": 0.0}, {"focal": -1.0}, {"focal": float("nan")}])
def test_a_picture_without_a_focal_length_is_refused(wrong):
    with pytest.raises(ValueError, match="focal"):
        Scene(**wrong)
    with pytest.raises(ValueError, match="needs 3-D keypoints in metres"):
        project_pinhole(generate("wave", num_frames=2, scene=Scene(focal=800.0)), 800.0)


def test_one_part_of_each_person_is_hidden_for_one_stretch_and_the_rest_as_it_was():
    parts = {frozenset(names): name for name, names in HIDDEN_PARTS.items()}
    found = set()
    for seed in range(30):
        options = {"seed": seed, "second_person": "clap", "num_frames": 40}
        plain, hidden = generate("wave", **options), generate("wave", **options, scene=Scene(occlusion=1))
        again = generate("wave", **options, scene=Scene(occlusion=1))
        np.testing.assert_array_equal(hidden.keypoints, again.keypoints)
        np.testing.assert_array_equal(hidden.keypoints[hidden.joint_mask], plain.keypoints[hidden.joint_mask])
        for mask in hidden.joint_mask:
            lost = {hidden.layout.joints[row] for row in np.flatnonzero(~mask.all(axis=0))}
            found.add(parts[frozenset(lost)])
            gone = np.flatnonzero(~mask.all(axis=1))
            assert (np.diff(gone) == 1).all() and 10 <= len(gone) <= 30
            assert not mask[gone][:, [hidden.layout.index(joint) for joint in lost]].any()
    assert found == set(HIDDEN_PARTS)


def test_parts_are_hidden_as_often_as_asked_and_by_default_never():
    assert generate("wave", num_frames=8).joint_mask.all()
    seen = [
        generate("wave", seed=seed, num_frames=8, scene=Scene(occlusion=0.3)).joint_mask.all() for seed in range(200)
    ]
    assert 0.6 < np.mean(seen) < 0.8  # three standard deviations
    with pytest.raises(ValueError, match="occlusion must be a probability"):
        Scene(occlusion=1.5)
