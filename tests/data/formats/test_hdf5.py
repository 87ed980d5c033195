"""HDF5: SLEAP's analysis files and DeepLabCut's tables; whatever would read another file or a bomb is refused."""

import io
import json
import pickle

import h5py
import numpy as np
import pytest
from format_samples import FRAMES, points, sleap
from helpers import read_error

from motionhub.data.datasets.reading import find_format, read


COORDS = ("x", "y", "likelihood")


@pytest.fixture
def write(tmp_path):
    """A file of what `fill` puts into it."""

    def written(fill, name="clip.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            fill(file)
        return tmp_path / name

    return written


def table(file, columns, values, frames):
    """As pandas writes a frame in `table` format: names as pickles of protocol 0 in attributes."""
    levels = ["scorer", *["individuals"] * (len(columns[0]) == 4), "bodyparts", "coords"]
    group = file.create_group("df_with_missing")
    kind = [("index", "<i8"), ("values_block_0", "<f8", (len(columns),))]
    rows = np.zeros(len(values), kind)
    rows["index"], rows["values_block_0"] = frames, values
    group["table"] = rows
    group.attrs["pandas_type"] = np.bytes_("frame_table")
    group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, columns)], 0))
    group.attrs["info"] = np.bytes_(pickle.dumps({1: {"names": levels, "type": "MultiIndex"}, "index": {}}, 0))


def test_tracks_of_sleap_are_people_with_their_scores(tmp_path):
    (tmp_path / "a.h5").write_bytes(sleap())
    assert find_format(tmp_path / "a.h5").name == "hdf5"
    (clip,) = read(tmp_path / "a.h5", fps=30)
    assert (clip.unit, clip.up, clip.layout.joints) == ("pixel", "-y", ("nose", "left_eye", "right_eye"))
    for person in range(2):
        np.testing.assert_allclose(clip.keypoints[person], points(3, 2, seed=person), rtol=1e-6)
    assert (clip.confidence == 0.5).all()
    assert "fps: the file does not state it" in read_error(tmp_path / "a.h5")


def test_other_orders_of_axes_are_read_as_they_are_stated(write):
    values = np.stack([points(3, 2, seed=seed) for seed in range(2)], axis=1)

    def fill(file):
        file["tracks"] = values  # frames, tracks, nodes, xy
        file["tracks"].attrs["dims"] = json.dumps(["frame", "track", "node", "xy"])
        file["node_names"] = [b"nose", b"left_eye", b"right_eye"]

    (clip,) = read(write(fill), fps=30)
    np.testing.assert_allclose(clip.keypoints, values.transpose(1, 0, 2, 3), rtol=1e-6)


def test_a_shape_that_its_names_contradict_is_an_error(write):
    def fill(file):
        file["tracks"] = np.zeros((2, 2, 4, FRAMES))
        file["node_names"] = [b"nose", b"left_eye", b"right_eye"]

    assert "of 3 nodes, got the shape (2, 2, 4, 6)" in read_error(write(fill), fps=30)


@pytest.mark.parametrize("people", [[], ["Ann", "Bob"]])
def test_a_table_of_deeplabcut_is_as_its_csv(write, tmp_path, people):
    names = [
        ("net", *who, part, c) for who in [[name] for name in people] or [[]] for part in ("a", "b") for c in COORDS
    ]
    values = np.random.default_rng(0).uniform(1, 9, (3, len(names))).round(3)
    values[:, 2::3] /= 10
    values[1, :2] = np.nan
    path = write(lambda file: table(file, names, values, [0, 1, 3]))
    heads = ["scorer", *["individuals"] * bool(people), "bodyparts", "coords"]
    lines = [",".join([head, *(name[row] for name in names)]) for row, head in enumerate(heads)]
    lines += [
        ",".join([str(f), *("" if np.isnan(v) else str(v) for v in row)])
        for f, row in zip((0, 1, 3), values, strict=True)
    ]
    (tmp_path / "clip.csv").write_text("\n".join(lines) + "\n")
    (ours,), (csv,) = read(path, fps=30), read(tmp_path / "clip.csv", fps=30)
    assert ours.num_frames == 4 and ours.num_people == max(len(people), 1) and ours.layout.joints == csv.layout.joints
    np.testing.assert_array_equal(ours.keypoints, csv.keypoints)
    np.testing.assert_array_equal(ours.confidence, csv.confidence)


def test_pickled_column_names_that_run_code_are_refused(write):
    class Runs:
        def __reduce__(self):
            return (print, ("run",))

    def fill(file):
        table(file, [("net", "a", c) for c in COORDS], np.ones((2, 3)), [0, 1])
        file["df_with_missing"].attrs["non_index_axes"] = np.bytes_(pickle.dumps(Runs(), 0))

    assert "pickle" in read_error(write(fill), fps=30)


def virtual(file):
    layout = h5py.VirtualLayout((2, 2, 3, FRAMES), "f8")
    layout[0] = h5py.VirtualSource("other.h5", "tracks", (2, 3, FRAMES))
    file.create_virtual_dataset("tracks", layout)


def external(file):
    file.create_dataset("tracks", (2, 2, 3, FRAMES), "f8", external=[("/etc/hostname", 0, 10_000)])


def bomb(file):
    file.create_dataset("tracks", (9, 2, 3, 2**28), "f8", chunks=(1, 2, 3, 99), compression=9)


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (lambda file: file.__setitem__("tracks", h5py.ExternalLink("other.h5", "/a")), "ExternalLink"),
        (lambda file: file.__setitem__("tracks", h5py.SoftLink("/a")), "SoftLink"),
        (virtual, "in another file"),
        (external, "in another file"),
        (
            lambda file: file.create_dataset("tracks", (9, 2, 3, 2**28), "f8", chunks=(1, 2, 3, 99), compression=9),
            "more than",
        ),
        (lambda file: file.__setitem__("pred_points", [1.0]), "SLEAP project"),
        (lambda file: file.__setitem__("keypoints", [1.0]), "of no known program; save"),
    ],
)
def test_what_lies_elsewhere_or_unpacks_too_far_is_refused_by_name(write, fill, reason):
    def filled(file):
        fill(file)
        file["node_names"] = [b"nose", b"left_eye", b"right_eye"]

    assert reason in read_error(write(filled), fps=30)


def test_a_matlab_7_3_file_is_named_with_the_way_out(tmp_path):
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        file["x"] = np.ones(3)
    content = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + stream.getvalue()[512:]
    (tmp_path / "clip.mat").write_bytes(content)
    assert 'save("FILE.mat", "NAME", "-v7")' in read_error(tmp_path / "clip.mat")


def test_without_h5py_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.h5").write_bytes(sleap())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert 'pip install "motionhub[h5py]"' in read_error(tmp_path / "a.h5", fps=30)
