"""`motionhub.compare` and its time warping: known differences are found whatever the tempo, heading and layout."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import motionhub
from motionhub.data.views.cameras import project_to_pixels
from motionhub.kinematics.compare import PHASES
from motionhub.kinematics.warping import onto, warping_path
from motionhub.skeletons.convert import resample
from motionhub.skeletons.standing import named_layout


LEG = named_layout("leg", ("left_hip", "left_knee", "left_ankle"))


def bends(depths: list[float], seconds: float = 2.0, fps: float = 30.0) -> motionhub.SkeletonSequence:
    """A leg that bends to each depth in degrees and stretches again, with a second of rest between."""
    frames = round(seconds * fps)
    bend = (1 - np.cos(2 * np.pi * np.arange(frames) / frames)) / 2
    angle = np.radians(np.concatenate([part for depth in depths for part in (depth * bend, np.zeros(round(fps)))]))
    knee = np.zeros((len(angle), 3))
    ankle = np.stack([np.zeros_like(angle), -0.4 * np.cos(angle), -0.4 * np.sin(angle)], axis=-1)
    return motionhub.SkeletonSequence(np.stack([knee + [0, 0.42, 0], knee, ankle], axis=1), LEG, fps, "metre", up="y")


def row_of(found, angle: str, phase: str):
    return next(row for row in found.rows() if (row["angle"], row["phase"]) == (angle, phase))


def test_a_motion_does_not_differ_from_itself():
    found = motionhub.compare(bends([60, 60, 60]), bends([60, 60, 60]))
    assert found.counts == (3, 3) and found.overall()["degrees"] == pytest.approx(0, abs=0.01)
    assert found.overall()["body_lengths"] == pytest.approx(0, abs=1e-4)


def test_a_knee_bent_by_20_degrees_more_is_so_with_its_interval():
    found = motionhub.compare(bends([58, 60, 62, 61]), bends([78, 80, 82, 81]))
    row = row_of(found, "left_knee_flexion", "range")
    assert row["difference"] == pytest.approx(20, abs=2) and row["clear"]
    assert row["low"] < row["difference"] < row["high"] and row["high"] - row["low"] < 8
    turn = row_of(found, "left_knee_flexion", "turn")
    assert turn["difference"] > row_of(found, "left_knee_flexion", "there")["difference"] > 0


def test_a_difference_within_the_spread_of_repetitions_is_not_clear():
    found = motionhub.compare(bends([50, 70, 55, 65]), bends([52, 68, 56, 66]))
    row = row_of(found, "left_knee_flexion", "range")
    assert row["low"] < 0 < row["high"] and row["clear"] is False


@pytest.mark.parametrize("seconds", [1.5, 3.0])
def test_another_tempo_is_no_difference_of_angles(seconds):
    found = motionhub.compare(bends([60, 60, 60]), bends([60, 60, 60], seconds))
    assert found.overall()["degrees"] < 3
    assert abs(row_of(found, "left_knee_flexion", "range")["difference"]) < 3
    assert found.durations[1] / found.durations[0] == pytest.approx(seconds / 2, rel=0.25)


def test_heading_place_size_and_frame_rate_do_not_matter():
    squat = motionhub.generate("squat", seed=0)
    turned = Rotation.from_euler("y", 70, degrees=True).as_matrix()
    moved = squat.replace(keypoints=squat.keypoints @ turned.T.astype(np.float32) * 1.2 + [3.0, 0.0, -1.0])
    found = motionhub.compare(squat, resample(moved, 60))
    assert found.overall()["degrees"] < 0.5 and found.overall()["body_lengths"] < 0.01


def test_the_joint_that_differs_is_named():
    squat = motionhub.generate("squat", seed=0)
    keypoints = squat.keypoints.copy()
    wrist = squat.layout.index("right_wrist")
    keypoints[0, :, wrist] += [0.3, 0.2, 0.0]
    found = motionhub.compare(squat, squat.replace(keypoints=keypoints))
    assert found.joint_rows()[0]["joint"] == "right_wrist"
    differing = {row["angle"] for row in found.rows() if row["difference"] and abs(row["difference"]) > 10}
    assert differing == {"right_elbow_flexion"}


def test_both_movements_are_shown_at_the_same_moments():
    found = motionhub.compare(bends([60, 60, 60]), bends([60, 60, 60], 3.0))
    assert found.pair[0].num_frames == found.pair[1].num_frames == len(found.phases)
    assert set(found.phases.tolist()) == set(range(len(PHASES)))


def test_layouts_may_differ():
    squat = motionhub.generate("squat", seed=0)
    found = motionhub.compare(squat, motionhub.convert_layout(squat, "coco-17"))
    assert "left_knee_flexion" in found.angle_names


def test_missing_joints_leave_their_angles_out():
    squat = motionhub.generate("squat", seed=0)
    keypoints = squat.keypoints.copy()
    keypoints[:, :, squat.layout.index("left_ankle")] = np.nan
    keypoints[:, ::7, squat.layout.index("right_wrist")] = np.nan
    found = motionhub.compare(squat, squat.replace(keypoints=keypoints))
    assert "left_knee_flexion" not in found.angle_names and "right_elbow_flexion" in found.angle_names
    assert found.overall()["degrees"] < 2


def test_one_repetition_has_no_interval_and_a_note_says_so():
    squat = motionhub.generate("squat", seed=0)
    found = motionhub.compare(squat, motionhub.generate("squat", seed=1))
    assert all(row["low"] is None for row in found.rows())
    assert any("no measure of their spread" in text for text in found.notes)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (lambda clip: project_to_pixels(clip, 0, 0, (640, 480)), "two 2-D or two 3-D"),
        (lambda clip: clip.replace(keypoints=np.full_like(clip.keypoints, np.nan)), "an angle that both motions have"),
        (lambda clip: motionhub.cut(clip, 0, 0.04), "3 frames to 20 s"),
        (lambda clip: resample(clip, 2).replace(fps=0.1), "cut the movement out"),
        (lambda clip: "squat.npz", "read a file"),
    ],
)
def test_what_cannot_be_compared_is_refused(second, reason):
    squat = motionhub.generate("squat", seed=0)
    with pytest.raises(ValueError, match=reason):
        motionhub.compare(squat, second(squat))


def test_a_person_that_is_not_there_is_refused():
    squat = motionhub.generate("squat", seed=0)
    with pytest.raises(ValueError, match="person index"):
        motionhub.compare(squat, squat, person=(0, 1))


def least_cost(costs: np.ndarray) -> float:
    """By trying every path, with diagonal steps counted twice."""
    rows, columns = costs.shape
    if rows == columns == 1:
        return float(costs[0, 0])
    last = costs[-1, -1]
    found = [least_cost(costs[:-1, :-1]) + 2 * last] if min(rows, columns) > 1 else []
    found += [least_cost(costs[:-1]) + last] if rows > 1 else []
    found += [least_cost(costs[:, :-1]) + last] if columns > 1 else []
    return min(found)


@pytest.mark.parametrize("seed", range(6))
def test_the_path_has_the_least_cost_of_all(seed, monkeypatch):
    monkeypatch.setattr("motionhub.kinematics.warping.BAND", 2.0)
    costs = np.random.default_rng(seed).random((4, 5))
    path = warping_path(costs)
    steps = np.diff(path, axis=0)
    weights = [1, *(1 + (step == 1).all() for step in steps)]
    assert (path[0] == 0).all() and (path[-1] == [3, 4]).all() and ((steps >= 0) & (steps <= 1)).all()
    assert sum(weights * costs[tuple(path.T)]) == pytest.approx(least_cost(costs))


def test_a_motion_warped_in_time_is_put_back():
    times = np.linspace(0, 1, 60)
    first, second = np.sin(2 * np.pi * times), np.sin(2 * np.pi * times**1.3)
    path = warping_path(np.abs(first[:, None] - second))
    np.testing.assert_allclose(onto(path, second, 60), first, atol=0.08)


def test_costs_that_are_not_finite_are_refused():
    for costs in (np.zeros((0, 3)), np.array([[np.nan]]), np.zeros(4)):
        with pytest.raises(ValueError, match="finite costs"):
            warping_path(costs)
