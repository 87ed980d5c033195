"""Acclaim ASF/AMC: forward kinematics of a hand-made leg, units of the skeleton, the skeleton beside the motion."""

import numpy as np
import pytest
from helpers import read_error
from mocap_samples import ASF, amc

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


STILL = (0, 90, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def write(tmp_path):
    def written(text: str, asf: str | None = ASF, name: str = "01_05.amc", skeleton: str = "01.asf"):
        if asf is not None:
            (tmp_path / skeleton).write_text(asf)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


@pytest.mark.filterwarnings("error")
def test_angles_turn_a_bone_about_its_own_axes(write):
    raised = (0, 90, 0, 0, 0, 0, 90, 0, 0)  # about the bone's x, which is y of the world: nothing but twist
    bent = (0, 90, 0, 0, 0, 0, 0, 90, 0)  # about z: the thigh, which hung, points along x
    turned = (0, 90, 0, 0, 90, 0, 0, 0, 0)  # the root about y: x becomes -z
    path = write(amc([STILL, raised, bent, turned, STILL]))
    assert find_format(path).name == "acclaim"
    (clip,) = read(path, fps=120)
    assert clip.layout.joints == ("mid_hip", "left_hip", "head", "left_knee")
    assert clip.layout.bones == (("left_hip", "mid_hip"), ("head", "mid_hip"), ("left_knee", "left_hip"))
    assert (clip.unit, clip.up, clip.fps) == ("metre", "y", 120)
    still = [[0, 90, 0], [10, 90, 0], [0, 160, 0], [10, 50, 0]]
    aside = [[0, 90, 0], [10, 90, 0], [0, 160, 0], [50, 90, 0]]
    away = [[0, 90, 0], [0, 90, -10], [0, 160, 0], [0, 50, -10]]
    np.testing.assert_allclose(clip.keypoints[0], np.array([still, still, aside, away, still]) / 100, atol=1e-6)


def test_rotations_of_a_joint_apply_x_first(write):
    (clip,) = read(write(amc([(0, 0, 0, 90, 0, 90, 0, 0, 0)] * 2)), fps=120)
    np.testing.assert_allclose(clip.keypoints[0, 0, 2], [0, 0, 0.7], atol=1e-6)  # y becomes z, which z leaves


def test_the_length_of_the_skeleton_is_its_unit(write):
    (clip,) = read(write(amc([STILL, STILL]), ASF.replace("length 2.54", "length 0.45")), fps=120)
    assert clip.keypoints[0, 0, 0, 1] == pytest.approx(90 / 0.45 * 0.0254)


def test_another_unit_than_the_skeleton_states_is_an_error(write):
    path = write(amc([STILL, STILL]))
    assert read(path, fps=120, unit="centimetre")[0].keypoints[0, 0, 0, 1] == pytest.approx(0.9)
    for unit in ("metre", "pixel"):
        assert f"one unit is 0.01 metres, but unit {unit} was given" in read_error(path, fps=120, unit=unit)


def test_radians_are_the_same_motion(write):
    degrees = read(write(amc([(0, 90, 0, 0, 90, 0, 0, 90, 0)] * 2)), fps=120)[0]
    half = str(np.pi / 2)
    text = amc([(0, 90, 0, 0, half, 0, 0, half, 0)] * 2).replace(":DEGREES", ":RADIANS")
    np.testing.assert_allclose(read(write(text), fps=120)[0].keypoints, degrees.keypoints, atol=1e-6)


def test_the_skeleton_is_the_one_of_the_name_or_the_only_one(write, tmp_path):
    path = write(amc([STILL]), skeleton="other.asf")
    with pytest.warns(FileNote, match="other.asf is taken"):
        read(path, fps=120)
    write(amc([STILL]), skeleton="third.asf")
    assert "expected the skeleton 01_05.asf or 01.asf beside the motion; the folder has 2" in read_error(path, fps=120)
    assert "a skeleton without motion" in read_error(tmp_path / "third.asf", fps=120)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("\nhead 0", "", "expected the 9 channels of the skeleton"),
        ("head 0", "tail 0", "expected a frame number or a bone of the skeleton, got 'tail'"),
        ("head 0", "head 0 0", "expected 1 numbers of 'head', got 2"),
        ("head 0", "head nan", "frame 1: expected angles and lengths"),
        ("\n2\n", "\n7\n", "numbered without gaps"),
    ],
)
def test_broken_motions_are_named_by_line(write, old, new, reason):
    text = amc([STILL] * 3)
    assert old in text
    assert reason in read_error(write(text.replace(old, new)), fps=120)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (":hierarchy", ":other", ":hierarchy: expected this section"),
        ("root lhipjoint head", "root lhipjoint", None),
        ("lhipjoint lfemur", "lhipjoint lhipjoint", "expected a bone of :bonedata once"),
        ("lhipjoint lfemur", "ltibia lfemur", "expected a parent that stands above"),
        ("dof rx rz", "dof rx rx", "expected channels such as rx"),
        ("direction 0 1 0", "direction 0 one 0", "expected 3 numbers"),
        ("axis 0 0 90 XYZ", "axis 0 0 90 XXZ", "expected an order of axes"),
        ("length 2.54", "length 0", "expected a positive length"),
    ],
)
def test_broken_skeletons_are_named(write, old, new, reason):
    assert old in ASF
    assert (reason or "expected a frame number or a bone") in read_error(write(amc(), ASF.replace(old, new)), fps=120)
