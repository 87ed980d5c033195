"""Boxes and sizes of bodies: missing points do not count, and what cannot be measured says so."""

import numpy as np
import pytest

from motionhub.geometry.boxes import body_size, bounds


POSES = np.array([[[0.0, 0.0], [3.0, 4.0], [np.nan, 9.0]], [[1.0, 1.0], [7.0, 9.0], [2.0, 2.0]]], np.float32)


def test_bounds_leave_out_points_with_an_unknown_coordinate():
    low, high = bounds(POSES)
    assert low.tolist() == [[0, 0], [1, 1]] and high.tolist() == [[3, 4], [7, 9]]
    low, high = bounds(POSES, axis=0)
    assert low.tolist() == [[0, 0], [3, 4], [2, 2]] and high.tolist() == [[1, 1], [7, 9], [2, 2]]
    assert low.dtype == np.float32


def test_bounds_of_nothing_are_the_wrong_way_round():
    low, high = bounds(np.full((2, 3, 2), np.nan))
    assert (low > high).all()


def test_a_body_is_as_large_as_the_median_diagonal_of_its_boxes():
    assert body_size(POSES) == 7.5  # diagonals 5 and 10
    assert body_size(POSES, min_joints=3) == 10
    assert np.isnan(body_size(POSES, min_joints=4)) and np.isnan(body_size(POSES[:0]))


@pytest.mark.filterwarnings("error")
def test_huge_numbers_raise_no_warning():
    assert body_size(POSES * np.float32(1e37)) == np.inf
