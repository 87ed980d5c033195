"""MPJPE, PCK and PCKh against numbers worked out by hand."""

import numpy as np
import pytest

from motionhub.metrics.pose_error import joint_errors, mpjpe, pck


TRUTH = np.zeros((2, 3, 2))  # 2 poses, 3 joints
MOVED = TRUTH + np.array([[[3, 4], [0, 0], [0, 1]], [[6, 8], [0, 0], [0, 3]]])  # distances 5 0 1, 10 0 3


def test_mpjpe_is_the_mean_distance():
    assert mpjpe(MOVED, TRUTH) == {"mpjpe": pytest.approx(19 / 6), "coverage": 1.0, "per_joint": [7.5, 0.0, 2.0]}


def test_a_joint_missing_in_the_prediction_has_no_error_but_is_not_covered_and_counts_as_wrong():
    predicted = MOVED.copy()
    predicted[1, 0] = np.nan
    assert mpjpe(predicted, TRUTH)["mpjpe"] == pytest.approx(9 / 5)
    assert mpjpe(predicted, TRUTH)["coverage"] == pytest.approx(5 / 6)
    assert pck(predicted, TRUTH, 1000)["pck"] == pytest.approx(5 / 6)
    assert joint_errors(predicted, TRUTH)[1, 0] == np.inf


def test_a_joint_missing_in_the_truth_counts_nowhere():
    truth = TRUTH.copy()
    truth[1] = np.nan
    assert mpjpe(MOVED, truth) == {"mpjpe": 2.0, "coverage": 1.0, "per_joint": [5.0, 0.0, 1.0]}
    assert pck(MOVED, truth, 1)["pck"] == pytest.approx(2 / 3)


def test_pck_counts_what_lies_exactly_at_the_threshold():
    scores = pck(MOVED, TRUTH, 5)
    assert scores == {"pck": pytest.approx(5 / 6), "per_joint": [0.5, 1.0, 1.0]}


def test_pck_takes_a_threshold_per_pose():
    assert pck(MOVED, TRUTH, np.array([0, 10]))["pck"] == pytest.approx(4 / 6)
    assert pck(MOVED, TRUTH, np.array([np.nan, 3]))["pck"] == pytest.approx(2 / 3)


def test_a_pose_without_a_threshold_is_not_scored():
    truth = np.array([[[0.0, 0], [0, 0], [5, 5]]])
    assert pck(truth, truth, np.array([np.nan]))["pck"] is None


def test_nothing_to_compare_is_none_and_not_a_number():
    nothing = np.full((2, 3, 2), np.nan)
    assert mpjpe(nothing, TRUTH) == {"mpjpe": None, "coverage": 0.0, "per_joint": [None] * 3}
    assert mpjpe(TRUTH, nothing)["coverage"] is None
    assert pck(np.zeros((0, 3, 2)), np.zeros((0, 3, 2)), 1) == {"pck": None, "per_joint": [None] * 3}


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"same shape.*\(1, 3, 2\) and \(2, 3, 2\)"):
        mpjpe(TRUTH[:1], TRUTH)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        pck(MOVED, TRUTH, -1)
