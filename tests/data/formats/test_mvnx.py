"""Xsens MVNX: segments, rate and people are in the file, z is up; XML that defines entities is refused."""

import re

import numpy as np
import pytest
from helpers import read_error, write_text
from mocap_samples import PLACES, mvnx

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.convert import with_up


@pytest.fixture
def write(tmp_path):
    return lambda text: write_text(tmp_path / "clip.mvnx", text)


@pytest.mark.filterwarnings("error")
def test_positions_of_segments_are_metres_with_z_up(write):
    path = write(mvnx())
    assert find_format(path).name == "mvnx"
    (clip,) = read(path)
    assert (clip.fps, clip.unit, clip.up) == (60, "metre", "z")
    assert clip.layout.joints[:2] == ("mid_hip", "head")
    np.testing.assert_allclose(with_up(clip, "y").keypoints[0, :, :, 1], PLACES[..., 1], atol=1e-6)
    assert "states fps 60" in read_error(path, fps=30)


def test_subjects_are_people(write):
    (clip,) = read(write(mvnx(subjects=2)))
    assert clip.num_people == 2
    np.testing.assert_allclose(
        clip.keypoints[1] - clip.keypoints[0], np.broadcast_to([0, 2, 0], PLACES.shape), atol=1e-6
    )


def test_calibration_poses_are_no_frames_and_absent_ones_are_gaps(write):
    text = mvnx()
    start = text.index('<frame time="34"')
    (clip,) = read(write(text[:start] + text[text.index('<frame time="51"') :]))
    assert clip.joint_mask[0, :, 0].tolist() == [True, True, False, True, True, True]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<mvnx ", '<!DOCTYPE mvnx [<!ENTITY a "b">]><mvnx ', "the file is refused"),
        ("<mvnx ", '<!DOCTYPE mvnx SYSTEM "http://localhost/x.dtd"><mvnx ', "the file is refused"),
        ("</subject>", "", "not valid XML"),
        ("0.500000 ", "", "expected 9 numbers of 3 segments, got"),
        ("0.500000 ", "tree ", "expected numbers"),
        ('frameRate="60"', 'frameRate="0"', "expected a positive frameRate"),
        ('type="normal"', 'type="npose"', "expected frames of type"),
        ('index="2"', 'index="1"', "expected every index once"),
        ('index="2"', 'index="9999999"', "not the frames of one recording"),
    ],
)
def test_broken_and_hostile_files_are_refused(write, old, new, reason):
    text = mvnx()
    assert old in text
    assert reason in read_error(write(text.replace(old, new)))


def test_nesting_is_limited(write):
    assert "nested more than" in read_error(write("<mvnx>" + "<a>" * 100_000))


def test_times_decide_the_rate_where_they_advance_at_another_one(write):
    later = re.sub(r'(<frame time=")(\d+)', lambda found: f"{found[1]}{3 * int(found[2])}", mvnx())
    with pytest.warns(FileNote, match="times of the rows advance at 19.61 frames per second"):
        (clip,) = read(write(later))
    assert clip.fps == pytest.approx(1000 / 51) and clip.num_frames == 6
