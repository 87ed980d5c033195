"""The MATLAB reader gives what scipy gives, on written files and on whole real datasets."""

import numpy as np
import pytest
import scipy.io

from motionhub.data.formats.matlab import load_variables, variable_names


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_and_texts_are_what_was_written(tmp_path, compressed):
    path = tmp_path / "clip.mat"
    types = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
    written = {f"as_{name}": np.arange(24).reshape(2, 3, 4).astype(name) for name in types}
    written |= {"one": np.array([[7.5]]), "none": np.zeros((0, 3)), "seen": np.array([[True, False]])}
    written |= {
        "word": "squat",
        "accented": "pirouette à l'été",
        "long_name_of_a_variable": np.array([[np.nan, -1.0]]),
    }
    scipy.io.savemat(path, written, do_compression=compressed)
    found = load_variables(path, tuple(written))
    assert variable_names(path) == list(written)
    for name, value in written.items():
        if isinstance(value, str):
            assert found[name] == value
        else:
            assert found[name].dtype == np.float64
            np.testing.assert_array_equal(found[name], value.astype(np.float64))


def test_variables_of_other_kinds_are_passed_over(tmp_path):
    path = tmp_path / "clip.mat"
    cell = np.array([["a", np.ones(3)]], dtype=object)
    scipy.io.savemat(path, {"cell": cell, "struct": {"x": 1}, "complex": np.array([[1j]]), "d_skel": np.ones((2, 2))})
    assert variable_names(path) == ["cell", "struct", "complex", "d_skel"]
    np.testing.assert_array_equal(load_variables(path, ("d_skel",))["d_skel"], np.ones((2, 2)))


def test_big_endian_files(tmp_path):
    """The same file as another machine writes it, put together by hand."""
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"

    def element(kind: int, data: bytes) -> bytes:
        return kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data + bytes(-len(data) % 8)

    flags, shape = bytes([0, 0, 0, 6, 0, 0, 0, 0]), (1).to_bytes(4, "big") + (2).to_bytes(4, "big")
    values = np.array([1.5, -2.0], ">f8").tobytes()
    parts = element(6, flags) + element(5, shape) + element(1, b"pair") + element(9, values)
    path = tmp_path / "big.mat"
    path.write_bytes(header + element(14, parts))
    assert load_variables(path, ("pair",))["pair"].tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize(
    "archive, pattern, step", [("penn_action_train", "*.mat", 9), ("utd_mhad_s1-6", "*_skeleton.mat", 9)]
)
def test_real_files_are_what_scipy_reads(unzipped, archive, pattern, step):
    paths = sorted(unzipped(f"data/{archive}.zip").rglob(pattern))
    special = [path for path in paths if path.name == "1605.mat"]  # a compressed stream without its end
    for path in paths[::step] + special:
        expected = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
        found = load_variables(path, tuple(expected))
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value[0] if value.dtype.kind == "U" else value)


def test_a_file_of_the_newer_version_tells_what_to_do(tmp_path):
    path = tmp_path / "new.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF")
    with pytest.raises(ValueError, match="new.mat: content: .*save it in MATLAB with the option -v7"):
        load_variables(path, ("x",))


def test_a_compressed_bomb_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.mat"
    scipy.io.savemat(path, {"x": np.zeros((1000, 100))}, do_compression=True)
    monkeypatch.setattr("motionhub.data.formats.matlab._MAX_INFLATED", 10_000)
    with pytest.raises(ValueError, match="grow beyond 10000 bytes"):
        load_variables(path, ("x",))
