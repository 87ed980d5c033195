"""`motionhub.measure`: speeds and ranges in closed form, the table, and what cannot be measured."""

import csv
import io

import numpy as np
import pytest
from analytic_motions import pendulum_arm, straight_walk

import motionhub
from motionhub.kinematics.measurements import symmetry_index
from motionhub.kinematics.speeds import rates
from motionhub.skeletons.standing import named_layout


LEG = named_layout("leg", ("left_hip", "left_knee", "left_ankle"))


def swinging_leg(degrees: np.ndarray, fps: float) -> motionhub.SkeletonSequence:
    """A shank that turns about a fixed knee to the given flexion in each frame."""
    angle = np.radians(degrees)
    knee = np.zeros((len(angle), 3))
    ankle = np.stack([np.zeros_like(angle), -np.cos(angle), -np.sin(angle)], axis=-1) * 0.4
    points = np.stack([knee + [0, 0.42, 0], knee, ankle], axis=1)
    return motionhub.SkeletonSequence(points, LEG, fps, "metre", up="y")


def row_of(measured, angle):
    return next(row for row in measured.summary() if row["angle"] == angle)


@pytest.mark.parametrize("fps", [10, 15, 30, 60, 120])
def test_constant_angular_velocity_is_measured_at_every_rate(fps):
    times = np.arange(0, 2, 1 / fps)
    measured = motionhub.measure(swinging_leg(10 + 40 * times, fps))
    np.testing.assert_allclose(measured.angle("left_knee_flexion")[0], 10 + 40 * times, atol=1e-3)
    np.testing.assert_allclose(measured.angular_speeds[0, :, 0], 40, atol=0.05)
    row = row_of(measured, "left_knee_flexion")
    assert row["range"] == pytest.approx(40 * times[-1], abs=1e-3) and row["frames"] == len(times)
    ankle = measured.joints.index("left_ankle")
    np.testing.assert_allclose(measured.speeds[0, 3:-3, ankle], np.radians(40) * 0.4, rtol=0.01)


def test_a_walk_at_a_known_speed_moves_the_hips_at_that_speed():
    measured = motionhub.measure(straight_walk(1.2, num_frames=60))
    hips = next(row for row in measured.peak_speeds() if row["joint"] == "mid_hip")
    assert hips["mean"] == pytest.approx(1.2, rel=0.01) and measured.speed_unit == "m/s"


def test_a_swinging_arm_has_the_amplitude_and_peak_speed_of_its_sine():
    measured = motionhub.measure(pendulum_arm(0.5, 60.0, num_frames=61))
    row = row_of(measured, "right_shoulder_flexion")
    # From the trunk, which leans a little in the generator's stance: the range does not depend on it.
    assert row["range"] == pytest.approx(120, abs=0.5)
    assert row["peak_speed"] == pytest.approx(60 * np.pi, rel=0.02)


def test_speeds_do_not_bridge_missing_frames():
    values = np.arange(30.0)[None, :, None] * 2
    values[0, 10:12] = np.nan
    values[0, 14] = np.nan
    found = rates(values, fps=10)[0, :, 0]
    assert np.isnan(found[[10, 11, 12, 13, 14]]).all()  # 12 and 13 are a run of two
    np.testing.assert_allclose(found[[*range(10), *range(15, 30)]], 20)


def test_the_symmetry_index_is_robinsons():
    assert symmetry_index(60.0, 40.0) == pytest.approx(40.0)
    assert symmetry_index(40.0, 60.0) == pytest.approx(-40.0)
    assert symmetry_index(50.0, 50.0) == 0
    assert symmetry_index(2.0, 4.0) is None  # nothing moves: the index would divide by noise
    assert symmetry_index(None, 40.0) is None


def test_the_table_has_a_row_per_person_and_frame_with_units_and_empty_cells(tmp_path):
    clip = motionhub.generate("squat", seed=0, num_frames=20)
    clip.keypoints[0, 5, clip.layout.index("left_ankle")] = np.nan
    both = clip.replace(keypoints=np.repeat(clip.keypoints, 2, axis=0), track_ids=(7, 3), confidence=None)
    measured = motionhub.measure(both)
    rows = list(csv.DictReader(io.StringIO(measured.write(tmp_path / "angles.csv").read_text())))
    assert [(int(row["track_id"]), int(row["frame"])) for row in rows] == [(t, f) for t in (7, 3) for f in range(20)]
    assert float(rows[6]["time (s)"]) == pytest.approx(6 / clip.fps, abs=1e-4)
    assert rows[5]["left_knee_flexion (deg)"] == "" and rows[5]["left_ankle speed (m/s)"] == ""
    knee = [float(row["right_knee_flexion (deg)"]) for row in rows[:20]]
    np.testing.assert_allclose(knee, measured.angle("right_knee_flexion")[0], atol=1e-3)
    assert {"right_knee_flexion speed (deg/s)", "right_wrist speed (m/s)"} <= set(rows[0])


def test_one_frame_has_angles_and_no_speeds():
    measured = motionhub.measure(swinging_leg(np.array([37.0]), 30))
    assert measured.angle("left_knee_flexion")[0, 0] == pytest.approx(37, abs=1e-3)
    assert np.isnan(measured.speeds).all() and any("at least 3" in note for note in measured.notes)
    assert row_of(measured, "left_knee_flexion")["peak_speed"] is None


def test_a_motion_without_keypoints_is_all_missing_and_noted():
    empty = motionhub.SkeletonSequence(np.full((1, 9, 3, 3), np.nan), LEG, 30, "metre")
    measured = motionhub.measure(empty)
    assert row_of(measured, "left_knee_flexion") == {
        **{"track_id": 0, "angle": "left_knee_flexion", "frames": 0, "peak_speed": None, "symmetry_index": None},
        **dict.fromkeys(("min", "max", "mean", "range")),
    }
    assert any("No valid keypoints" in note for note in measured.notes)


def test_a_motion_of_nobody_and_of_no_frame_is_an_empty_table():
    for shape in ((0, 5, 3, 3), (1, 0, 3, 3)):
        measured = motionhub.measure(motionhub.SkeletonSequence(np.zeros(shape), LEG, 30, "metre"))
        assert measured.as_csv().count("\n") == 1


def test_one_joint_and_other_types_are_refused():
    lone = motionhub.SkeletonSequence(np.zeros((1, 5, 1, 3)), named_layout("dot", ("spine",)), 30, "metre")
    with pytest.raises(ValueError, match="no joint that is measured"):
        motionhub.measure(lone)
    with pytest.raises(ValueError, match="read a file"):
        motionhub.measure("walk.npz")
    with pytest.raises(ValueError, match="Expected one of the angles"):
        motionhub.measure(swinging_leg(np.zeros(4), 30)).angle("knee")
    with pytest.raises(ValueError, match=r"written as \.csv"):
        motionhub.measure(swinging_leg(np.zeros(4), 30)).write("angles.xlsx")
