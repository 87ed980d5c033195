"""Files made to harm: what announces, unpacks to, calls or points at more than a clip is refused, in little memory."""

import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from format_samples import FRAMES, PIXELS, SAMPLES, points
from helpers import read_error, write_json

from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import read
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import from_row, to_row
from motionhub.skeletons.sequence import SkeletonSequence


@contextmanager
def little_memory(limit: int = 2**28) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def error_of(path: Path, **options) -> str:
    with little_memory():
        return read_error(path, **options)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npy_header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def sample(name: str, number: int = 0) -> tuple[str, bytes]:
    (content,) = SAMPLES[name][number].files.values()
    return Path(SAMPLES[name][number].target).name, content


# Counts


def test_a_header_of_a_trillion_numbers_allocates_nothing(tmp_path):
    (tmp_path / "clip.npy").write_bytes(npy_header((10**9, 10**3, 17, 3)))
    assert "do not fill" in error_of(tmp_path / "clip.npy", **PIXELS)
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"d_skel": np.ones((20, 3, 4))})
    sizes = struct.pack("<iii", 20, 3, 4)
    assert sizes in stream.getvalue()
    (tmp_path / "clip.mat").write_bytes(stream.getvalue().replace(sizes, struct.pack("<iii", 20, 3, 2**31 - 1)))
    assert "do not fill" in error_of(tmp_path / "clip.mat")
    for name, old, new in (
        ("bvh", b"Frames: 6", b"Frames: 1000000000000"),
        ("trc", b"\t6\t20\t", b"\t99999999\t20\t"),
    ):
        file, content = sample(name)
        assert old in content
        (tmp_path / file).write_bytes(content.replace(old, new))
        error_of(tmp_path / file)
    file, content = sample("ntu-rgbd")
    for place, count in ((0, b"1000000000000"), (1, b"999999999999"), (3, b"999999999999")):
        lines = content.split(b"\r\n")
        lines[place] = count
        (tmp_path / file).write_bytes(b"\n".join(lines))
        assert f"line {place + 1}: " in error_of(tmp_path / file)


def test_numbers_of_frames_far_apart_are_no_recording(tmp_path):
    entries = [{"image_id": n, "category_id": 1, "keypoints": [1.0] * 51, "score": 1} for n in (0, 1, 2**52)]
    write_json(tmp_path / "coco.json", entries)
    assert "not the frames of one recording" in error_of(tmp_path / "coco.json", fps=30)
    (tmp_path / "clip.csv").write_text("frame,nose_x,nose_y\n0,1,2\n1,1,2\n900000000000000,1,2\n")
    assert "not the frames of one recording" in error_of(tmp_path / "clip.csv", fps=30, unit="pixel")


def test_thousands_of_people_who_are_seen_once_do_not_fill_the_memory(tmp_path):
    rows = "".join(f"{n},{n // 2},1,2\n" for n in range(8000))
    (tmp_path / "clip.csv").write_text("frame,person,nose_x,nose_y\n" + rows)
    assert "split the recording" in error_of(tmp_path / "clip.csv", fps=30, unit="pixel")
    crowd = {"people": [{"pose_keypoints_2d": [1.0] * 75}] * 300}
    write_json(tmp_path / "a_0_keypoints.json", crowd)
    assert "300 people" in error_of(tmp_path / "a_0_keypoints.json", fps=30)


# Archives


def test_small_files_that_unpack_to_gigabytes_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "clip.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keypoints.npy", npy(np.zeros((1, 2**19, 17, 3), np.int8)))
        archive.writestr("other.npy", bytes(2**26))  # is not even looked at
    assert (tmp_path / "clip.npz").stat().st_size < 2**18
    assert "unpacks from" in error_of(tmp_path / "clip.npz", layout="coco-17", fps=30, unit="metre")
    scipy.io.savemat(tmp_path / "clip.mat", {"d_skel": np.zeros((20, 3, 2**19), np.int8)}, do_compression=True)
    assert (tmp_path / "clip.mat").stat().st_size < 2**18
    assert "grow beyond" in error_of(tmp_path / "clip.mat")


def test_an_archive_packed_with_another_program_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "clip.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("keypoints.npy", npy(points(17, 2)))
    assert "NumPy does not write" in error_of(tmp_path / "clip.npz", **PIXELS)


def test_entries_that_lead_out_of_an_archive_write_nothing(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    with zipfile.ZipFile(folder / "clip.npz", "w") as archive:
        archive.writestr("../outside.npy", npy(points(17, 2)))
        archive.writestr("/keypoints.npy", npy(points(17, 2)))
    assert "expected one called keypoints" in error_of(folder / "clip.npz", **PIXELS)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["clip.npz", "inside"]


# Code


class Runs:
    def __init__(self, target: Path) -> None:
        self.command = f"touch {target}"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("name", ["clip.pkl", "clip.npy", "clip.npz"])
def test_code_in_a_file_never_runs(tmp_path, name):
    harmful, path = Runs(tmp_path / "ran"), tmp_path / name
    objects = np.empty(1, object)
    objects[0] = harmful
    if name == "clip.pkl":
        path.write_bytes(pickle.dumps([harmful]))
    elif name == "clip.npy":
        path.write_bytes(npy(objects))
    else:
        np.savez(path, keypoints=objects)
    assert "refused" in error_of(path, **PIXELS)
    assert not (tmp_path / "ran").exists()


def test_a_file_cannot_make_another_file_be_read(tmp_path):
    """A layout may be given as the path of a YAML file: by the caller, not by the file that is read."""
    (tmp_path / "secret.yaml").write_text("name: secret\njoints: [a, b]\nroot: a\n")
    stolen = str(tmp_path / "secret.yaml")
    disguised = tmp_path / '{"name": "secret"}.yaml'  # what begins as JSON is no path either
    disguised.write_text((tmp_path / "secret.yaml").read_text())
    for name in (stolen, disguised.name, str(disguised)):
        np.savez(tmp_path / "clip.npz", keypoints=np.ones((1, 2, 2, 3)), layout=name, fps=30, unit="metre")
        assert "layout" in error_of(tmp_path / "clip.npz")
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / "clip.npy").write_bytes(npy(np.ones((1, 2, 2, 3))))
        write_json(tmp_path / "pose_options.json", {"layout": name, "fps": 30, "unit": "metre"})
        with pytest.raises(ValueError, match=r"pose_options\.json: layout: "):
            DATASETS["folder"].read(tmp_path / "a" / "clip.npy")


def test_a_row_cannot_make_a_file_be_read(tmp_path, monkeypatch):
    (tmp_path / "secret.yaml").write_text("name: secret\njoints: [a, b]\nroot: a\n")
    (tmp_path / "{}.yaml").write_text("name: secret\njoints: [a, b]\nroot: a\n")
    monkeypatch.chdir(tmp_path)
    own = SkeletonSequence(np.ones((1, 2, 2, 3)), get_layout(tmp_path / "secret.yaml"), 30, "metre")
    row = to_row(own)
    assert from_row(row).layout == own.layout  # a whole layout in a row is one
    for name in ("secret.yaml", str(tmp_path / "secret.yaml"), "{}.yaml"):
        with pytest.raises(ValueError, match="ayout"):
            from_row({**row, "layout": name})
        pq.write_table(pa.Table.from_pylist([{**row, "layout": name}]), tmp_path / "clip.parquet")
        assert "row 0: " in error_of(tmp_path / "clip.parquet")


# JSON


@pytest.mark.parametrize("opening", [b"[", b'{"frames":', b'{"skeletons": [', b'{"people": [[', b'[{"a":'])
def test_nesting_beyond_the_parser_is_refused(tmp_path, opening):
    (tmp_path / "clip.json").write_bytes(opening * 200_000)
    error_of(tmp_path / "clip.json", fps=30)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "9" * 5000])
def test_numbers_that_are_none_are_missing_or_refused(tmp_path, number):
    file, content = sample("coco")
    first = json.loads(content)[0]["keypoints"][0]
    (tmp_path / file).write_bytes(content.replace(f"[{first}".encode(), f"[{number}".encode(), 1))
    try:
        (clip,) = read(tmp_path / file, fps=30)
        row = int(np.argmax(clip.joint_mask[:, 0].any(axis=-1)))  # who is in the first frame
        assert clip.joint_mask[row, 0].tolist() == [False] + [True] * 16
    except ValueError as error:
        assert file in str(error) and str(error).isprintable()


def test_a_line_of_two_gigabytes_is_refused_by_its_size(tmp_path):
    for opening in (b'{"skeletons": [', b'{"frames": [', b"[[", b"2\n1\n", b"frame,nose_x,nose_y\n0,"):
        path = tmp_path / "clip.json"
        with path.open("wb") as file:
            file.write(opening)
            file.truncate(2**31)  # a hole, which takes no space on the disk
        assert "split the recording" in error_of(path, fps=30, unit="pixel") or not opening.startswith((b"{", b"["))
        path.unlink()


# Texts


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["csv", "trc", "bvh", "precog", "sbu", "coco", "n-ucla"])
def test_a_byte_order_mark_changes_nothing(tmp_path, name, coding):
    file, content = sample(name)
    read_as = SAMPLES[name][0].options
    (tmp_path / file).write_bytes(content)
    plain = read(tmp_path / file, **read_as)[0]
    (tmp_path / file).write_bytes(content.decode().encode(coding))
    np.testing.assert_array_equal(read(tmp_path / file, **read_as)[0].keypoints, plain.keypoints)


@pytest.mark.parametrize("name", ["csv", "trc", "bvh", "precog", "sbu", "ntu-rgbd", "uav-human", "pku-mmd"])
def test_line_ends_of_other_systems_change_nothing(tmp_path, name):
    given = SAMPLES[name][0]
    content = given.files[given.target].replace(b"\r\n", b"\n")
    path = tmp_path / Path(given.target).name
    clips = []
    for ends in (b"\n", b"\r\n"):
        path.write_bytes(content.replace(b"\n", ends))
        clips.append(read(path, **given.options)[0])
    np.testing.assert_array_equal(clips[0].keypoints, clips[1].keypoints)
    assert clips[0].num_frames == FRAMES


# What is no file


@pytest.mark.parametrize(
    "name", ["clip.json", "clip.csv", "clip.npz", "S001C002P003R001A004.skeleton", "clip.parquet"]
)
def test_a_pipe_a_device_and_a_folder_are_no_file(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "pipe or device" in error_of(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    assert "pipe or device" in error_of(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert "directory" in error_of(tmp_path / name)


def test_links_in_circles_and_impossible_paths_are_one_line(tmp_path):
    (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    error_of(tmp_path / "a.json")
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "again").symlink_to(folder, target_is_directory=True)
    (folder / "a_0_keypoints.json").symlink_to(folder / "a_0_keypoints.json")
    assert "directory" in error_of(folder, fps=30)
    assert "cannot be read" in error_of(tmp_path / ("x" * 300))
    with pytest.raises(ValueError):
        read("clip\0.json")


def test_a_pipe_among_the_frames_of_a_recording_is_passed_over(tmp_path):
    _, content = sample("openpose", 1)
    (tmp_path / "a_0_keypoints.json").write_bytes(content)
    os.mkfifo(tmp_path / "a_1_keypoints.json")
    (clip,) = read(tmp_path, fps=30)
    assert clip.num_frames == 1
