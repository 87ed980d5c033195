"""The picture of a joint before and after refinement."""

import numpy as np
import pytest

from motionhub.data.synthetic.generate import straight_walk
from motionhub.visualization.plots import _window, plot_refinement


def test_a_png_of_2_d_and_3_d(tmp_path):
    pytest.importorskip("matplotlib")
    walk = straight_walk(num_frames=400)
    lacking = walk.keypoints.copy()
    lacking[0, 200:210] = np.nan
    path = plot_refinement(walk.replace(keypoints=lacking), walk, "left_knee", tmp_path / "new" / "a.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    flat = walk.replace(keypoints=walk.keypoints[..., :2], unit="pixel")
    assert plot_refinement(flat, flat, "left_knee", tmp_path / "b.png").stat().st_size > 1000


def test_the_close_view_is_around_the_greatest_change():
    before = np.zeros((1000, 2))
    after = before.copy()
    after[700] = 5
    assert _window(before, after) == (625, 775)
    assert _window(before[:40], after[:40]) == (0, 40)


def test_the_close_view_of_a_filled_gap_is_around_it():
    after = np.zeros((1000, 2))
    before = after.copy()
    before[500:510] = np.nan
    assert _window(before, after) == (425, 575)


def test_two_motions_of_different_length_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be of one shape"):
        plot_refinement(straight_walk(num_frames=9), straight_walk(num_frames=8), "head", tmp_path / "a.png")
