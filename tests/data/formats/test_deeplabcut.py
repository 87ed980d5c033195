"""DeepLabCut and Lightning Pose: header lines of one or several individuals; missing is missing, `single` nobody."""

import numpy as np
import pytest
from helpers import read_error, write_text

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


ONE = (
    "scorer,net,net,net,net,net,net\n"
    "bodyparts,nose,nose,nose,left_eye,left_eye,left_eye\n"
    "coords,x,y,likelihood,x,y,likelihood\n"
    "0,1,2,0.5,3,4,0.25\n1,,,1.0,5,6,1.0\n3,7,8,1,9,10,1\n"
)
SEVERAL = (
    "scorer,net,net,net,net,net,net,net,net\n"
    "individuals,Ann,Ann,Ann,Bob,Bob,Bob,single,single\n"
    "bodyparts,nose,nose,nose,nose,nose,nose,door,door\n"
    "coords,x,y,likelihood,x,y,likelihood,x,y\n"
    "0,1,2,0.5,3,4,0.25,0,0\n1,5,6,1.0,,,,0,0\n"
)


@pytest.fixture
def write(tmp_path):
    return lambda text, name="clip.csv": write_text(tmp_path / name, text)


def test_one_individual_in_pixels_with_likelihood_as_confidence(write):
    path = write(ONE)
    assert find_format(path).name == "deeplabcut"
    (clip,) = read(path, fps=30)
    assert (clip.unit, clip.up, clip.layout.joints, clip.num_frames) == ("pixel", "-y", ("nose", "left_eye"), 4)
    np.testing.assert_array_equal(clip.keypoints[0, 0], [[1, 2], [3, 4]])
    assert "fps: the file does not state it" in read_error(path)


def test_empty_cells_are_missing_whatever_their_likelihood(write):
    (clip,) = read(write(ONE), fps=30)
    assert clip.joint_mask[0, :, 0].tolist() == [True, False, False, True]
    assert clip.confidence[0, :, 0].tolist() == [0.5, 0, 0, 1]


def test_individuals_are_people_and_single_is_nobody(write):
    with pytest.warns(FileNote, match="door belong to no individual"):
        (clip,) = read(write(SEVERAL), fps=30)
    assert (clip.num_people, clip.layout.joints) == (2, ("nose",))
    assert clip.keypoints[1, 0, 0].tolist() == [3, 4] and not clip.joint_mask[1, 1, 0]


def test_images_of_several_videos_are_several_clips(write):
    lines = ONE.splitlines()
    heads = [line.replace(",", ",,,", 1) for line in lines[:3]]
    rows = [f"labeled-data,{video},img{frame:03}.png,1,2,1,3,4,1" for video in "ab" for frame in (5, 6)]
    first, second = read(write("\n".join([*heads, *rows])), fps=30)
    assert first.num_frames == second.num_frames == 2


def test_every_fifth_frame_of_a_video_is_a_clip_of_a_fifth_of_its_rate(write):
    text = ONE.replace("\n1,,,", "\n5,,,").replace("\n3,7,8", "\n10,7,8")
    with pytest.warns(FileNote, match="in steps of 5, of 30 per second: a clip of 6 fps"):
        (clip,) = read(write(text), fps=30)
    assert (clip.fps, clip.num_frames) == (6, 3)


def test_two_scorers_are_an_error(write):
    lines = ONE.splitlines()
    doubled = [lines[0] + ",human,human,human", *(f"{line},{','.join(line.split(',')[1:4])}" for line in lines[1:])]
    assert "keep one scorer" in read_error(write("\n".join(doubled)), fps=30)


def test_three_coordinates_need_a_unit(write):
    text = ONE.replace("likelihood", "z")
    assert "unit: the file does not state it" in read_error(write(text), fps=30)
    assert read(write(text), fps=30, unit="metre")[0].num_dims == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ONE[:-8], "expected rows of 7 columns"),
        (ONE[: ONE.index("0,1,2")], "expected rows of 7 columns"),
        (ONE.replace("3,7,8", "1,7,8"), "expected every frame once"),
        (ONE.replace("x,y", "u,v"), "expected columns x and y"),
        (ONE.replace("3,4,0.25", "3,tree,0.25"), "line 4: expected a number, got 'tree'"),
    ],
)
def test_broken_tables_are_named_by_line(write, text, reason):
    assert reason in read_error(write(text), fps=30)


def test_sleap_and_anipose_tables_are_read(write):
    sleap = "track,frame_idx,instance.score,nose.x,nose.y,nose.score\ntrack_0,0,0.9,1,2,0.5\ntrack_1,0,0.9,3,4,0.5\n"
    (clip,) = read(write(sleap), fps=30, unit="pixel")
    assert clip.num_people == 2
    anipose = "nose_x,nose_y,nose_z,nose_error,nose_ncams,nose_score,M_00,center_0,fnum\n1,2,3,9,2,0.5,1,0,0\n"
    (clip,) = read(write(anipose), fps=30, unit="millimetre")
    assert clip.keypoints[0, 0, 0].tolist() == pytest.approx([0.001, 0.002, 0.003]) and clip.confidence[0, 0, 0] == 0.5
