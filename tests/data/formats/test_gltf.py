"""glTF animations: a hand-made arm in motion, the ways between key frames, buffers, and what is refused."""

import base64
import json

import numpy as np
import pytest
from helpers import read_error
from mocap_samples import IDENTITY, QUARTER, glb, gltf

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


@pytest.fixture
def write(tmp_path):
    def written(content: bytes | dict, name: str = "clip.glb"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return written


def hand(clip, frame: int) -> list[float]:
    return clip.keypoints[0, frame, 3].round(5).tolist()


@pytest.mark.filterwarnings("error")
def test_joints_of_the_skin_are_in_metres_under_all_nodes_above_them(write):
    path = write(glb(*gltf()))
    assert find_format(path).name == "gltf"
    (clip,) = read(path, fps=10)
    assert clip.layout.joints == ("mid_hip", "left_shoulder", "left_elbow", "left_wrist")
    assert clip.layout.bones[-1] == ("left_wrist", "left_elbow")
    assert (clip.num_frames, clip.unit, clip.up) == (6, "metre", "y")
    np.testing.assert_allclose(clip.keypoints[0, 0], [[0, 1, 0], [0, 1.5, 0], [0.2, 1.5, 0], [0.6, 1.5, 0]], atol=1e-6)
    assert hand(clip, 5) == pytest.approx([0.2, 1.9, 0])
    assert "states unit metre" in read_error(path, unit="millimetre", fps=10)


def test_rotations_turn_evenly_between_their_keys(write):
    (clip,) = read(write(glb(*gltf())), fps=6)
    angle = np.pi / 6  # after a third of a quarter
    assert hand(clip, 1) == pytest.approx([0.2 + 0.4 * np.cos(angle), 1.5 + 0.4 * np.sin(angle), 0], abs=1e-5)


def test_a_step_stays_until_the_next_key(write):
    (clip,) = read(write(glb(*gltf(interpolation="STEP"))), fps=10)
    assert hand(clip, 4) == pytest.approx([0.6, 1.5, 0]) and hand(clip, 5) == pytest.approx([0.2, 1.9, 0])


def test_splines_pass_through_their_keys(write):
    zero = (0, 0, 0, 0)
    turns = [[zero, IDENTITY, zero], [zero, QUARTER, zero]]
    (clip,) = read(write(glb(*gltf(turns, interpolation="CUBICSPLINE"))), fps=10)
    assert hand(clip, 0) == pytest.approx([0.6, 1.5, 0]) and hand(clip, 5) == pytest.approx([0.2, 1.9, 0])


def test_the_rate_is_that_of_the_key_frames_unless_they_are_few(write):
    path = write(glb(*gltf([IDENTITY, QUARTER] * 6, np.arange(12) / 24)))
    (clip,) = read(path)
    assert (clip.fps, clip.num_frames) == (24, 12)
    with pytest.warns(FileNote, match="key frames are 0.5 s apart; the curves are sampled at 30 per second"):
        (clip,) = read(write(glb(*gltf())))
    assert (clip.fps, clip.num_frames) == (30, 16)


def test_every_animation_is_a_clip(write):
    document, buffer = gltf()
    document["animations"] *= 2
    assert len(read(write(glb(document, buffer)), fps=10)) == 2
    document["animations"] = []
    assert "no animation of joints" in read_error(write(glb(document, buffer)), fps=10)


def test_without_a_skin_the_nodes_that_move_are_the_joints(write):
    document, buffer = gltf()
    del document["skins"]
    (clip,) = read(write(glb(document, buffer)), fps=10)
    assert clip.layout.joints == ("left_fore_arm",) or clip.layout.joints == ("left_elbow",)


def test_buffers_in_the_text_and_beside_it_are_read(write):
    document, buffer = gltf()
    expected = read(write(glb(document, buffer)), fps=10)[0]
    write(buffer, "a b.bin")
    inside = f"data:application/octet-stream;base64,{base64.b64encode(buffer).decode()}"
    for uri in (inside, "a%20b.bin"):
        (clip,) = read(write(gltf(uri=uri)[0], "clip.gltf"), fps=10)
        np.testing.assert_array_equal(clip.keypoints, expected.keypoints)


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost/a.bin",
        "file:///etc/hostname",
        "/etc/hostname",
        "../a.bin",
        "x/../../a.bin",
        "C:\\a.bin",
        "%2e%2e/a.bin",
    ],
)
def test_buffers_elsewhere_are_refused(write, uri):
    assert "buffers[0]: refused" in read_error(write(gltf(uri=uri)[0], "clip.gltf"), fps=10)


def test_a_link_out_of_the_folder_is_refused(write, tmp_path):
    outside = tmp_path / "outside.bin"
    outside.write_bytes(gltf()[1])
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.bin").symlink_to(outside)
    (folder / "clip.gltf").write_text(json.dumps(gltf(uri="a.bin")[0]))
    assert "leads out of this folder" in read_error(folder / "clip.gltf", fps=10)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nodes": [{"name": "a", "children": [0]}]}, "expected children with one parent"),
        (
            {"nodes": [{"children": [1]}, {"children": [2]}, {"children": [1]}, {}, {}]},
            "expected children with one parent",
        ),
        ({"nodes": []}, "expected 1 to"),
        ({"accessors": []}, "accessors[0]: there is none"),
        ({"bufferViews": []}, "bufferViews[0]: there is none"),
        ({"buffers": []}, "the buffer ends before"),
        ({"skins": [{"joints": [3, 77]}], "animations": []}, "no animation of joints"),
    ],
)
def test_damaged_documents_are_named(write, changes, reason):
    assert reason in read_error(write(glb(*gltf(**changes))), fps=10)


def test_a_count_beyond_the_buffer_is_an_error(write):
    document, buffer = gltf()
    document["accessors"][0]["count"] = 10**9
    assert "the buffer ends before" in read_error(write(glb(document, buffer)), fps=10)
    assert "is the file cut off?" in read_error(write(glb(*gltf())[:-4]), fps=10)


def test_times_too_far_apart_are_refused(write):
    assert "split the recording" in read_error(write(glb(*gltf(times=(0, 1e5)))), fps=100)
