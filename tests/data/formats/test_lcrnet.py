"""LCR-Net JSON: all x come before all y, the unit chooses 2-D or 3-D, people are followed."""

import numpy as np
import pytest
from helpers import error_of, write_json

from motionhub.data.formats.format import ReadOptions
from motionhub.data.formats.lcrnet import FORMAT
from motionhub.skeletons.layouts import get_layout


def body(offset: float) -> dict:
    """x = offset + joint, y = 100 + 10 joint; in three dimensions x = offset / 1000, y = joint, z = 5."""
    index = np.arange(13)
    flat = [*(offset + index), *(100 + 10 * index)]
    solid = [*np.full(13, offset / 1000), *index / 10, *np.full(13, 5)]
    return {"pose2d": [float(value) for value in flat], "pose3d": [float(value) for value in solid], "cumscore": 3.2}


@pytest.fixture
def write(tmp_path):
    return lambda frames: write_json(tmp_path / "poses.json", {"njts": 13, "frames": frames})


def read(path, **options):
    assert FORMAT.matches(path, path.read_bytes()[:4096])
    return FORMAT.read(path, ReadOptions(**options))


def refusal(path, **options) -> str:
    return error_of(FORMAT.read, path, ReadOptions(**options))


def test_two_people_keep_their_joints_axes_and_identities(write):
    frames = [[body(10 + time), body(900 - time)][:: 1 - 2 * (time % 2)] for time in range(6)]
    (clip,) = read(write([*frames, []]), fps=20)
    assert (clip.layout, clip.unit, clip.fps) == (get_layout("lcrnet-13"), "pixel", 20.0)
    assert clip.keypoints.shape == (2, 7, 13, 2) and not clip.joint_mask[:, 6].any()
    np.testing.assert_array_equal(clip.keypoints[0, :6, 2, 0], 12 + np.arange(6))
    np.testing.assert_array_equal(clip.keypoints[1, :6, 2, 0], 902 - np.arange(6))
    np.testing.assert_array_equal(clip.keypoints[0, 0, :, 1], 100 + 10 * np.arange(13))


def test_metres_are_the_three_dimensional_poses(write):
    (clip,) = read(write([[body(100)], [body(110)]]), fps=20, unit="metre")
    assert clip.unit == "metre"
    expected = np.stack([np.full(13, 0.11), np.arange(13) / 10, np.full(13, 5)], axis=-1)
    np.testing.assert_allclose(clip.keypoints[0, 1], expected, rtol=1e-6)


def test_it_is_recognised_when_the_first_person_comes_late(write):
    path = write([[] for _ in range(3000)] + [[body(1)]])
    assert b"pose2d" not in path.read_bytes()[:4096]
    (clip,) = read(path, fps=20)
    assert clip.joint_mask.any(axis=(0, 2)).tolist() == [False] * 3000 + [True]


def test_the_origin_is_missing(write):
    person = body(1)
    person["pose2d"][4] = person["pose2d"][17] = 0
    (clip,) = read(write([[person]]), fps=20)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 0, 4]]


@pytest.mark.parametrize(
    "frames, reason",
    [
        ([], "expected a non-empty list of frames"),
        ("many", "frames: expected a list"),
        ([{}], "frames[0]: expected a list"),
        ([[], [7]], "frames[1][0]: expected an object"),
        ([[{"pose2d": [1.0] * 25}]], "frames[0][0].pose2d: expected 26 numbers"),
        ([[{"pose3d": [1.0] * 39}]], "frames[0][0].pose2d: expected 26 numbers"),
    ],
)
def test_what_does_not_fit_is_named(write, frames, reason):
    assert reason in refusal(write(frames), fps=20)


def test_the_rate_must_be_told_and_the_layout_is_fixed(write):
    path = write([[body(1)]])
    assert "fps: the file does not state it" in refusal(path)
    assert "layout: the file states layout lcrnet-13" in refusal(path, fps=20, layout="posetics-17")
