"""NumPy files: what was saved is read, what a bare array cannot say must be given, nothing is run or allocated."""

import io
import random
import tracemalloc
import zipfile

import numpy as np
import pytest
from helpers import read_error

from motionhub.data.datasets.reading import find_format, read


TOLD = {"layout": "coco-17", "fps": 30, "unit": "metre"}


@pytest.fixture
def points(points):
    return points(4, 17, 3)


def test_a_bare_array_needs_everything_and_says_so_one_by_one(tmp_path, points):
    path = tmp_path / "clip.npy"
    np.save(path, points)
    assert find_format(path).name == "numpy"
    (clip,) = read(path, **TOLD)
    np.testing.assert_array_equal(clip.keypoints[0], points.astype(np.float32))
    for name in TOLD:
        message = read_error(path, **{key: value for key, value in TOLD.items() if key != name})
        assert f"{name}: the file does not state it" in message and "call motionhub.read(" in message


def test_a_missing_layout_is_asked_for_with_all_layouts_of_as_many_joints(tmp_path):
    np.save(tmp_path / "clip.npy", np.ones((4, 22, 3)))
    message = read_error(tmp_path / "clip.npy", fps=30, unit="metre")
    assert "has 22 joints a person" in message and '"smpl-22"' in message and '"bandai-22"' in message


def test_fortran_order_integers_and_people_are_kept(tmp_path):
    values = np.arange(2 * 3 * 17 * 2).reshape(2, 3, 17, 2)
    np.save(tmp_path / "clip.npy", np.asfortranarray(values.astype(np.int16)))
    (clip,) = read(tmp_path / "clip.npy", layout="coco-17", fps=25, unit="pixel", image_size=(100, 50))
    np.testing.assert_array_equal(clip.keypoints, values)
    assert (clip.unit, clip.fps, clip.image_size) == ("pixel", 25.0, (100, 50))


def test_millimetres_become_metres(tmp_path, points):
    np.save(tmp_path / "clip.npy", 1000 * points)
    (clip,) = read(tmp_path / "clip.npy", **TOLD | {"unit": "millimetre"})
    np.testing.assert_allclose(clip.keypoints[0], points, rtol=1e-6)
    assert clip.unit == "metre"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_that_says_everything_needs_nothing_and_contradictions_are_refused(tmp_path, points, save):
    path = tmp_path / "clip.npz"
    facts = {"layout": "poem-17", "fps": 50.0, "unit": "metre", "image_size": (640, 480), "track_ids": [7]}
    save(path, keypoints=points, confidence=np.full((4, 17), 0.5), extra=np.zeros(3), **facts)
    (clip,) = read(path)
    assert (clip.layout.name, clip.fps, clip.unit, clip.image_size, clip.track_ids) == tuple(
        facts[key] if key != "track_ids" else (7,) for key in facts
    )
    np.testing.assert_array_equal(clip.keypoints[0], points.astype(np.float32))
    assert (clip.confidence == 0.5).all()
    for key, value in {"layout": "coco-17", "fps": 30, "unit": "pixel", "image_size": (64, 48)}.items():
        assert f"{key}: the file states {key}" in read_error(path, **{key: value})


def test_ssta_files_are_coco_pixels_with_zeros_missing(tmp_path):
    kpts = np.ones((3, 17, 2), np.float32)
    kpts[1, 4] = 0
    kpts[2, 5] = (0, 3)
    np.savez(tmp_path / "video2d.npz", kpts=kpts)
    (clip,) = read(tmp_path / "video2d.npz", fps=20)
    assert (clip.layout.name, clip.unit) == ("coco-17", "pixel")
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 1, 4]]
    assert "fps=30" in read_error(tmp_path / "video2d.npz")


@pytest.mark.parametrize("name, frames", [("Alphapose", 1380), ("LCRNet", 1379), ("OP", 1380)])
def test_real_ssta_files(shared, name, frames):
    path = shared(f"data/WatchTV_p02_r03_v05_c05_{name}2d.npz")
    (clip,) = read(path, fps=20)
    kpts = np.load(path)["kpts"]
    assert clip.keypoints.shape == (1, frames, 17, 2)
    seen = (kpts != 0).any(axis=-1)
    np.testing.assert_array_equal(clip.joint_mask[0], seen)
    np.testing.assert_array_equal(clip.keypoints[0][seen], kpts[seen])


def test_a_third_column_in_pixels_is_not_taken_for_depth(tmp_path, points):
    np.save(tmp_path / "clip.npy", points)
    assert "the third is ambiguous" in read_error(tmp_path / "clip.npy", **TOLD | {"unit": "pixel"})


@pytest.mark.parametrize(
    "arrays, reason",
    [
        ({"poses": np.zeros((2, 17, 2))}, "expected one called keypoints or kpts, got ['poses']"),
        ({"keypoints": np.zeros((17, 2))}, "expected shape"),
        ({"keypoints": np.zeros((2, 17, 4))}, "expected shape"),
        ({"keypoints": np.zeros((2, 16, 2))}, "has 17 joints"),
        ({"keypoints": np.full((2, 17, 2), "a")}, "expected numbers"),
        ({"keypoints": np.zeros((2, 17, 2)), "confidence": np.zeros(3)}, "confidence must have shape"),
        ({"keypoints": np.zeros((2, 17, 2)), "layout": "horse"}, "layout: Unknown layout 'horse'"),
        ({"keypoints": np.zeros((2, 17, 2)), "layout": 17}, "layout: expected one text"),
        ({"keypoints": np.zeros((2, 17, 2)), "fps": -1}, "fps: expected one positive number"),
        ({"keypoints": np.zeros((2, 17, 2)), "image_size": [1]}, "image_size: expected (width, height)"),
        ({"keypoints": np.zeros((2, 17, 2)), "track_ids": [1, 2]}, "track_ids must be 1 different integers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, arrays, reason):
    np.savez(tmp_path / "clip.npz", **arrays)
    told = {key: value for key, value in TOLD.items() if key not in arrays}
    assert reason in read_error(tmp_path / "clip.npz", **told)


class Trap:
    def __reduce__(self):
        raise_if_run = "raise SystemExit('the file ran code')"
        return exec, (raise_if_run,)


def test_pickled_objects_are_refused_without_running_them(tmp_path):
    objects = np.array([Trap()], dtype=object)
    np.save(tmp_path / "clip.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "clip.npz", keypoints=objects)
    for name in ("clip.npy", "clip.npz"):
        assert "pickled objects are refused" in read_error(tmp_path / name, **TOLD)


def npy_header(shape) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_small_files_that_announce_or_unpack_to_gigabytes_are_refused_without_allocating_them(tmp_path):
    (tmp_path / "clip.npy").write_bytes(npy_header((10**6, 10**5, 17, 2)))
    bomb = npy_header((2**27,)) + bytes(2**20)
    with zipfile.ZipFile(tmp_path / "clip.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.npy", bytes(2**26))
        archive.writestr("keypoints.npy", bomb)
    tracemalloc.start()
    for name in ("clip.npy", "clip.npz"):
        assert "do not fill" in read_error(tmp_path / name, **TOLD)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**26


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_truncations_and_bit_flips_give_a_clip_or_a_one_line_error(tmp_path, points, suffix):
    path, generator = tmp_path / f"clip{suffix}", random.Random(0)
    if suffix == ".npy":
        np.save(path, points)
    else:
        np.savez_compressed(path, keypoints=points, **TOLD)
    content = path.read_bytes()
    for length in np.linspace(1, len(content) - 1, 20, dtype=int):
        path.write_bytes(content[:length])
        read_error(path, **TOLD)
    for _ in range(200):
        flipped = bytearray(content)
        flipped[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            assert read(path, **TOLD)[0].num_joints == 17
        except ValueError as error:
            assert "\n" not in str(error) and path.name in str(error)


def test_the_raw_output_of_movenet_is_named_with_the_line_that_saves_it(tmp_path):
    array = np.random.default_rng(0).random((5, 1, 1, 17, 3))
    np.save(tmp_path / "raw.npy", array)
    message = read_error(tmp_path / "raw.npy", layout="coco-17", fps=30, unit="normalised")
    assert "raw = array.reshape(-1, 17, 3), keypoints=raw[..., 1::-1] and confidence=raw[..., 2]" in message
    raw = array.reshape(-1, 17, 3)
    np.testing.assert_array_equal(raw[..., 1::-1], array[:, 0, 0][..., [1, 0]])
