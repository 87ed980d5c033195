"""C3D: the numbers of three processors, whole and floating; missing markers, other points, what the header claims."""

import numpy as np
import pytest
from helpers import read_error
from mocap_samples import FRAMES, NAMES, PLACES, PROCESSORS, c3d

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


@pytest.fixture
def write(tmp_path):
    def written(content: bytes):
        path = tmp_path / "clip.c3d"
        path.write_bytes(content)
        return path

    return written


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.filterwarnings("error")
def test_markers_of_every_processor_are_read_without_being_told_anything(write, processor, whole):
    path = write(c3d(processor=processor, whole=whole))
    assert find_format(path).name == "c3d"
    (clip,) = read(path)
    assert (clip.fps, clip.unit, clip.layout.joints, clip.up) == (50, "metre", NAMES, "y")
    np.testing.assert_allclose(clip.keypoints[0], PLACES, atol=1e-6)
    assert "states fps 50" in read_error(path, fps=30) and "states unit millimetre" in read_error(path, unit="metre")


@pytest.mark.parametrize("whole", [False, True])
def test_a_negative_residual_or_the_origin_is_a_missing_marker(write, whole):
    residuals, places = np.zeros((FRAMES, 3)), PLACES.copy()
    residuals[1, 2] = -1
    places[3, 0] = 0
    (clip,) = read(write(c3d(places, residuals=residuals, whole=whole)))
    assert np.argwhere(~clip.joint_mask[0]).tolist() == [[1, 2], [3, 0]]


def test_subjects_are_people(write):
    names = [f"{who}:{name}" for who in ("Ann", "Bob") for name in NAMES]
    (clip,) = read(write(c3d(np.concatenate([PLACES, PLACES + 1], axis=1), names)))
    assert clip.num_people == 2 and clip.layout.joints == NAMES


def test_angles_and_forces_among_the_points_are_left_out_with_a_note(write):
    with pytest.warns(FileNote, match="1 angles, forces, moments or powers are not read"):
        (clip,) = read(write(c3d(names=("mid_hip", "head", "LHipAngles"), ANGLES=["LHipAngles"])))
    assert clip.layout.joints == ("mid_hip", "head")


@pytest.mark.parametrize(("screen", "up"), [("+Z", None), ("+Y", "y"), ("-Y", None)])
def test_the_screen_states_the_axis_that_is_up_unless_the_body_stands_otherwise(write, screen, up):
    path = write(c3d(Y_SCREEN=[screen]))
    if up is None:
        with pytest.warns(FileNote, match="no axis is stated as up"):
            assert read(path)[0].up is None
    else:
        assert read(path)[0].up == up


def test_a_file_cannot_claim_more_frames_than_it_has(write):
    assert "expected 6 frames of 3 markers, got 5; is it cut off?" in read_error(write(c3d()[:-8]))
    content = bytearray(c3d())
    content[2:4] = b"\xff\xff"
    assert "is it cut off?" in read_error(write(bytes(content)))


def test_without_a_unit_the_caller_is_asked(write):
    assert "unit: the file does not state it" in read_error(write(c3d().replace(b"UNITS", b"OTHER")))


def test_a_damaged_parameter_section_is_named(write):
    content = bytearray(c3d())
    content[0] = 19
    assert "parameters are not where the header says" in read_error(write(bytes(content)))
    content = bytearray(c3d())
    content[content.index(b"LABELS") + 8] = 9  # no type of numbers
    assert "parameters: damaged at byte" in read_error(write(bytes(content)))
