"""Text exports of motion capture programs: rate, unit and names are in the file, subjects are people."""

import gzip

import numpy as np
import pytest
from helpers import read_error, write_text
from mocap_samples import FRAMES, MOCAP, NAMES, PLACES, motive, qualisys, rokoko, vicon

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


@pytest.fixture
def write(tmp_path):
    return lambda text, name="clip.csv": write_text(tmp_path / name, text)


@pytest.mark.parametrize(
    ("form", "text", "rate", "up"),
    [
        ("qualisys", qualisys(), 100, "y"),
        ("qualisys", qualisys(columns=True), 100, "y"),
        ("vicon", vicon(), 100, "y"),
        ("motive", motive(), 120, "y"),
        ("motive", motive(kind="Marker", subject=""), 120, "y"),
        ("rokoko", rokoko(), 50, "y"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_an_export_is_read_without_being_told_anything(write, form, text, rate, up):
    path = write(text)
    assert find_format(path).name == form
    (clip,) = read(path)
    assert (clip.fps, clip.unit, clip.up, clip.num_people) == (rate, "metre", up, 1)
    assert clip.layout.joints[:2] == NAMES[:2]
    np.testing.assert_allclose(clip.keypoints[0], PLACES, atol=1e-6)
    if form != "rokoko":  # does not state its unit
        assert "pixel was given" in read_error(path, unit="pixel")
    assert f"states fps {rate}" in read_error(path, fps=25) or "time stamps state 50" in read_error(path, fps=25)


@pytest.mark.parametrize("form", ["qualisys", "vicon", "motive"])
def test_a_cut_export_is_an_error(write, form):
    text = next(iter(MOCAP[form][0][1].values())).decode()
    for share in (0.1, 0.3, 0.6, 0.95):
        message = read_error(write(text[: int(share * len(text))]), unit="metre", fps=30)
        assert "cut off" in message or "expected" in message or "states fps" in message


def test_subjects_are_people(write):
    names = [f"{who}:{name}" for who in ("Ann", "Bob") for name in NAMES]
    both = np.concatenate([PLACES, PLACES + [2, 0, 0]], axis=1)
    for text in (qualisys(both, names), motive(both, names, subject="")):
        (clip,) = read(write(text))
        assert clip.num_people == 2 and clip.layout.joints == NAMES
        np.testing.assert_allclose(clip.keypoints[1], PLACES + [2, 0, 0], atol=1e-6)


def test_a_marker_at_the_origin_of_qualisys_is_missing(write):
    places = PLACES.copy()
    places[2, 1] = 0
    (clip,) = read(write(qualisys(places)))
    assert np.argwhere(~clip.joint_mask[0]).tolist() == [[2, 1]]


def test_frame_numbers_decide_positions(write):
    lines = vicon(first=7).splitlines(keepends=True)
    (clip,) = read(write("".join([*lines[:7], *lines[8:]])))
    assert clip.num_frames == FRAMES and not clip.joint_mask[0, 2].any()
    assert clip.joint_mask[0, [0, 1, 3, 4, 5]].all()


def test_an_empty_cell_is_a_missing_marker(write):
    text = vicon().splitlines()
    text[6] = ",".join([*text[6].split(",")[:5], "", "", "", *text[6].split(",")[8:]])
    (clip,) = read(write("\n".join(text)))
    assert np.argwhere(~clip.joint_mask[0]).tolist() == [[1, 1]]


def test_markers_without_a_name_are_left_out_with_a_note(write):
    with pytest.warns(FileNote, match="1 markers without a name are left out"):
        (clip,) = read(write(qualisys(names=("mid_hip", "head", "*12"))))
    assert clip.layout.joints == ("mid_hip", "head")


def test_bones_go_before_markers_and_the_rest_is_noted(write):
    text = motive().replace("Bone,Bone,Bone\n,Name", "Marker,Marker,Marker\n,Name")
    with pytest.warns(FileNote, match="the positions of type marker are not read"):
        (clip,) = read(write(text))
    assert clip.layout.joints == ("mid_hip", "head")


def test_other_sections_of_nexus_are_left_out_with_a_note(write):
    devices = "Devices\n1000\n,,Force,,\nFrame,Sub Frame,Fx,Fy,Fz\n,,N,N,N\n1,0,1,2,3\n\n"
    with pytest.warns(FileNote, match="devices are not read"):
        (clip,) = read(write(devices + vicon()))
    assert clip.num_frames == FRAMES
    assert "none of trajectories" in read_error(write(devices))


@pytest.mark.parametrize("stated", ["DATA_INCLUDED\t6D", "DATA_INCLUDED"])
def test_rigid_bodies_of_qualisys_are_refused_with_the_way_out(write, stated):
    assert "export 3D data" in read_error(write(qualisys().replace("DATA_INCLUDED\t3D", stated)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Kaydara FBX Binary  \0\x1a\0" + bytes(40), "an FBX file; import it in Blender"),
        (b"; FBX 7.4.0 project file\n", "an FBX file in text"),
        (b"PXR-USDC\0\0" + bytes(40), "a USD scene; import it in Blender"),
        (b"BLENDER-v300" + bytes(40), "a Blender file; export the armature"),
        (b"#ROSBAG V2.0\n" + bytes(40), "a ROS bag; export the topic"),
        (b"EVENTS1\0" + bytes(40), "a recording of Kinect Studio"),
        (b"landmark {\n  x: 0.5\n}\n", "MediaPipe landmarks as protocol buffer text"),
        (b'<?xml version="1.0"?>\n<OpenSimDocument Version="40000">\n', "an OpenSim model or setup"),
        (
            b"Coordinates\nversion=1\ninDegrees=yes\nendheader\ntime\tknee\n0\t1\n",
            "joint angles or forces are no positions",
        ),
        (b"CDF\x01" + bytes(40), "from_movement"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + bytes(40), "an Excel workbook; save the sheet"),
        (gzip.compress(b"a.json".ljust(257, b"\0") + b"ustar" + bytes(250)), "a tar archive; extract it"),
    ],
)
def test_a_file_without_positions_is_named_with_the_way_out(tmp_path, content, words):
    path = tmp_path / "clip"
    path.write_bytes(content)
    message = read_error(path)
    assert words in message and "Nearest" not in message


def test_a_line_of_qualisys_that_is_cut_after_its_first_cell_is_counted(write):
    assert "expected 6 frames, got 7; is it cut off?" in read_error(write(qualisys(columns=True) + "7\n"))


def test_time_before_frame_is_read_by_name_in_qualisys(write):
    def exchanged(line: str) -> str:
        cells = line.split("\t")
        timed = len(cells) > 2 and (cells[0] == "Frame" or cells[0].isdigit())
        return "\t".join([cells[1], cells[0], *cells[2:]]) if timed else line

    text = qualisys(columns=True, step=3)
    (before,), (after,) = (read(write(each)) for each in (text, "\n".join(map(exchanged, text.split("\n")))))
    assert after.fps == before.fps == pytest.approx(100 / 3)
    np.testing.assert_array_equal(after.keypoints, before.keypoints)
