"""Formats that are y up: sequences are turned to be so when written, and read back as they were."""

import numpy as np
import pytest

import motionhub
from motionhub.data.formats.files import FileNote
from motionhub.data.formats.upright import body_axis
from motionhub.data.synthetic.generate import generate
from motionhub.skeletons.convert import with_up


AXES = ("y", "-y", "z", "-z", "x", "-x")


@pytest.mark.parametrize("up", AXES)
def test_the_direction_in_which_a_body_stands_is_found(up):
    clip = with_up(generate("wave", seed=0, num_frames=20).replace(up="y"), up)
    assert body_axis(clip.layout.joints, clip.keypoints) == up


def test_a_body_that_is_not_seen_stands_nowhere():
    clip = generate("wave", seed=0, num_frames=20)
    assert body_axis(clip.layout.joints, np.full_like(clip.keypoints, np.nan)) is None
    assert body_axis(["a"] * clip.num_joints, clip.keypoints) is None


@pytest.mark.parametrize("form", ["bvh", "trc"])
@pytest.mark.parametrize("up", AXES)
@pytest.mark.filterwarnings("error")
def test_what_is_written_is_y_up_and_left_stays_left(tmp_path, form, up):
    clip = generate("wave", seed=0, num_frames=20).replace(up="y")
    path = motionhub.write(with_up(clip, up), tmp_path / f"clip.{form}")
    (back,) = motionhub.read(path, layout=clip.layout)
    assert back.up == "y"
    np.testing.assert_allclose(with_up(back, up).keypoints, with_up(clip, up).keypoints, atol=1e-3)


@pytest.mark.parametrize("form", ["bvh", "trc"])
def test_a_body_upside_down_without_a_stated_axis_is_written_as_it_is_with_a_note(tmp_path, form):
    clip = generate("wave", seed=0, num_frames=20)
    upside_down = with_up(clip.replace(up="y"), "-y").replace(up=None)
    with pytest.warns(FileNote, match='y up, but the bodies stand along -y.*replace\\(up="-y"\\)'):
        motionhub.write(upside_down, tmp_path / f"clip.{form}")
