"""A broken file is one ValueError, one line long, that names the file; nothing else escapes and nothing is hung."""

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from helpers import error_of, read_error

from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import read


def test_absent_empty_and_folder(tmp_path):
    (tmp_path / "empty.json").touch()
    assert "No such file" in read_error(tmp_path / "nowhere.json")
    assert "is empty" in read_error(tmp_path / "empty.json")
    assert "directory" in read_error(tmp_path)


def test_unknown_json_shows_its_keys_and_the_nearest_formats(tmp_path):
    path = tmp_path / "poses.json"
    path.write_text('{"frames": [], "camera": 1}')
    message = read_error(path)
    assert "['frames', 'camera']" in message
    assert "n-ucla" in message and "ntu-rgbd" not in message


def test_unknown_mat_shows_its_variables(tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"d_depth": np.zeros((2, 2))})
    message = read_error(tmp_path / "other.mat")
    assert "['d_depth']" in message
    assert "utd-mhad" in message and "penn-action" in message


def test_unknown_text_and_binary_show_their_beginning(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    assert "['hello', 'world']" in read_error(tmp_path / "notes.txt")
    (tmp_path / "clip.bin").write_bytes(b"\x89PNG\0\0")
    assert "PNG" in read_error(tmp_path / "clip.bin")


@pytest.mark.parametrize(
    "frames, place",
    [
        ([], "skeletons"),
        ("walk", "skeletons"),
        ([[[0.1, 0.2, 0.3]] * 19], "skeletons[0]"),
        ([[[0.1, 0.2, 0.3]] * 20, [[0.1, 0.2]] * 20], "skeletons[1]"),
        ([[[0.1, 0.2, 0.3]] * 19 + [[0.1, 0.2]]], "skeletons[0]"),
        ([[["a", "b", "c"]] * 20], "skeletons[0]"),
        ([[["1", "2", "3"]] * 20], "skeletons[0]"),
        ([[[True, False, True]] * 20], "skeletons[0]"),
        ([[[10**400, 1, 2]] * 20], "skeletons[0]"),
        ([{"x": 1}], "skeletons[0]"),
    ],
)
def test_nucla_frames_of_another_shape_are_named(write_nucla, frames, place):
    assert f"{place}:" in read_error(write_nucla(frames=frames))


@pytest.mark.parametrize("label", [0, 11, "1", None, 1.5, True])
def test_nucla_unknown_labels_are_named(write_nucla, label):
    assert "label: expected a class in 1..10" in error_of(DATASETS["n-ucla"].annotate, write_nucla(label=label))


def test_json_nested_beyond_the_parser(tmp_path):
    path = tmp_path / "a01_s01_e00_v01.json"
    path.write_text("[" * 100_000)
    read_error(path)


@pytest.mark.parametrize(
    "changes, place",
    [
        ({"x": np.ones((5, 12))}, "x, y, visibility"),
        ({"y": np.ones((4, 13))}, "x, y, visibility"),
        ({"x": np.ones((0, 13)), "y": np.ones((0, 13)), "visibility": np.ones((0, 13))}, "x, y, visibility"),
        ({"x": "text"}, "x"),
        ({"x": np.ones((5, 13)) * 1j}, "content"),
        ({"x": [{"a": 1}]}, "content"),
        ({"visibility": np.full((5, 13), 7)}, "visibility"),
        ({"dimensions": np.array([[0, 480, 5]])}, "dimensions"),
        ({"dimensions": np.full((1, 3), 1e308)}, "dimensions"),
        ({"dimensions": None}, "variables"),
    ],
)
def test_penn_arrays_that_do_not_fit_are_named(write_penn, changes, place):
    assert f"{place}:" in read_error(write_penn(**changes))


@pytest.mark.parametrize(
    "changes, place", [({"action": "dance"}, "action"), ({"pose": "top"}, "pose"), ({"train": 5}, "train")]
)
def test_penn_unknown_facts_are_named(write_penn, changes, place):
    assert f"{place}: expected" in error_of(DATASETS["penn-action"].annotate, write_penn(**changes))


@pytest.mark.parametrize("shape", [(20, 2, 4), (3, 20, 4), (20, 3, 0), (20, 3, 2, 2)])
def test_utd_array_of_another_shape(write_utd, shape):
    assert "d_skel: expected shape (20, 3, frames)" in read_error(write_utd(d_skel=np.ones(shape)))


@pytest.mark.parametrize(
    "reader, name", [("n-ucla", "clip"), ("utd-mhad", "a28_s1_t1_skeleton"), ("utd-mhad", "x"), ("ntu-rgbd", "S001")]
)
def test_names_that_tell_nothing(write_nucla, write_utd, write_ntu, reader, name):
    write = {"n-ucla": write_nucla, "utd-mhad": write_utd, "ntu-rgbd": lambda name: write_ntu([{}], name)}[reader]
    assert "name: expected" in error_of(DATASETS[reader].annotate, write(name))


def test_ntu_counts_that_the_file_cannot_hold_are_refused_without_allocating(write_ntu, points):
    path = write_ntu([{1: points(1, 25)[0]}])
    good = path.read_text().splitlines()
    for line in (0, 1, 3):
        path.write_text("\n".join([*good[:line], "999999999999", *good[line + 1 :]]))
        tracemalloc.start()
        message = read_error(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
        tracemalloc.stop()
        assert f"line {line + 1}: " in message


def test_ntu_many_bodies_in_many_frames_do_not_fill_the_memory(write_ntu, points):
    body = points(1, 25)[0]
    path = write_ntu([*({body_id: body} for body_id in range(60)), *([{}] * 20_000)])
    assert "more than a clip can hold" in read_error(path)


@pytest.mark.parametrize(
    "line, text, reason",
    [
        (0, "0", "no frames"),
        (0, "-1", "whole number"),
        (0, "one", "whole number"),
        (2, "1 2 3", "10 numbers"),
        (2, "x 0 1 1 1 1 0 0.1 -0.2 2", "body id"),
        (3, "24", "25 joints"),
        (4, "a b c 1 2 3 4 0 0 0 0 2", "x, y, z"),
        (4, "1 2 3 1 2 3 4 0 0 0 0 9", "tracking state"),
        (28, "2 2 2 1 2 3 4 0 0 0 0", "12 numbers"),
    ],
)
def test_ntu_bad_lines_are_named(write_ntu, points, line, text, reason):
    path = write_ntu([{1: points(1, 25)[0]}])
    lines = path.read_text().splitlines()
    lines[line] = text
    path.write_text("\n".join(lines))
    message = read_error(path)
    assert f"line {line + 1}: " in message
    assert reason in message


def test_ntu_leftover_lines_and_repeated_bodies(write_ntu, points):
    body = points(1, 25)[0]
    path = write_ntu([{1: body}, {1: body}])
    text = path.read_text()
    path.write_text(text.replace("2\n1\n", "1\n1\n", 1))
    assert "28 lines follow the last of 1 frames" in read_error(path)
    path = write_ntu([{1: body, 2: body}])
    path.write_text(path.read_text().replace("\n2 0 1", "\n1 0 1"))
    assert "twice in one frame" in read_error(path)


REAL_FILES = {
    "n-ucla": ("nucla_views12", "nucla/a01_s01_e00_v01.json"),
    "penn-action": ("penn_action_train", "penn_action/labels/0246.mat"),
    "utd-mhad": ("utd_mhad_s1-6", "utd_mhad/Skeleton/a10_s1_t1_skeleton.mat"),
    "ntu-rgbd": ("ntu_and_kinetics_samples", "samples/S001C003P008R002A058.skeleton"),
    "kinetics-skeleton": ("ntu_and_kinetics_samples", "samples/kinetics_skeleton_-0BveUV52cM.json"),
    "precog": ("precog2016_s1-8", "precog2016/Seq1_1.csv"),
    "sbu": ("sbu_folds1-4", "sbu/s01s02/01/001/skeleton_pos.txt"),
}


@pytest.fixture(params=sorted(REAL_FILES))
def real_content(request, unzipped) -> tuple[str, str, bytes]:
    archive, file = REAL_FILES[request.param]
    path = unzipped(f"data/{archive}.zip") / file
    return request.param, path.name, path.read_bytes()


def test_every_truncation_of_a_real_file_is_an_error(real_content, tmp_path):
    reader, name, content = real_content
    path = tmp_path / name
    # A cut within the last number leaves a number and nothing misses the line end, so stop before them.
    for length in np.linspace(1, len(content) - 16, 25, dtype=int):
        path.write_bytes(content[:length])
        read_error(path)
        error_of(DATASETS[reader].read, path)


def test_bit_flips_of_a_real_file_give_a_clip_or_a_one_line_error(real_content, tmp_path):
    reader, name, content = real_content
    path, generator = tmp_path / name, random.Random(0)
    refused = 0
    for trial in range(60):
        flipped = bytearray(content)
        # Half of the flips hit the beginning, where counts, headers and keys are.
        position = generator.randrange(min(400, len(content)) if trial % 2 else len(content))
        flipped[position] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        for call in (read, DATASETS[reader].read, DATASETS[reader].annotate):
            try:
                call(path)
            except ValueError as error:
                refused += 1
                assert "\n" not in str(error) and name in str(error)
    assert refused > 0


def test_bit_flips_of_an_uncompressed_mat_file(tmp_path, points):
    """Where scipy.io.loadmat ends the process: nothing but the format's own checks protects this file."""
    path, generator = tmp_path / "a1_s1_t1_skeleton.mat", random.Random(1)
    scipy.io.savemat(path, {"d_skel": points(8).transpose(1, 2, 0)})
    content = path.read_bytes()
    for _ in range(600):
        flipped = bytearray(content)
        flipped[generator.randrange(240)] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            (sequence,) = read(path)
            assert sequence.keypoints.shape[2:] == (20, 3)
        except ValueError as error:
            assert "\n" not in str(error) and path.name in str(error)


def test_noise_without_a_zero_byte_is_not_printed_as_text(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 256, size=500).astype(np.uint8).tobytes()
    (tmp_path / "noise.dat").write_bytes(noise)
    message = read_error(tmp_path / "noise.dat")
    assert "a binary file that starts with b'" in message and message.isprintable()
