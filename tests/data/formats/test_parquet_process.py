"""Whatever happens to the process that decodes a parquet file, the one that reads lives and gets clips or one line."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from format_samples import SAMPLES
from helpers import read_error
from torch.utils.data import DataLoader

import motionhub
from motionhub.data.formats import decoding, parquet_process


(SAMPLE,) = SAMPLES["parquet"][0].files.values()


@pytest.fixture
def path(tmp_path):
    (tmp_path / "clip.parquet").write_bytes(SAMPLE)
    return tmp_path / "clip.parquet"


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
        ("import decoding_process as p; p._limit(2**40, 1)\nwhile True: pass", "SIGXCPU"),
        ("import decoding_process as p; p._limit(2**29, 9); b'0' * 2**30", "MemoryError"),
        ("raise RuntimeError('two\\nlines')", "exit status 1"),
        ("import time; time.sleep(60)", "not decoded in"),
    ],
)
def test_a_process_that_dies_of_a_file_is_one_line(path, tmp_path, monkeypatch, code, reason):
    folder = parquet_process.__file__.rpartition("/")[0]
    (tmp_path / "dying.py").write_text(f"import sys; sys.path.append({folder!r})\n{code}\n")
    monkeypatch.setattr(parquet_process, "__file__", str(tmp_path / "dying.py"))
    if reason == "not decoded in":
        monkeypatch.setattr(decoding, "_WAITING", 0.05)
    assert reason in read_error(path)


def test_no_python_to_start_is_one_line(path, monkeypatch):
    monkeypatch.setattr(decoding, "get_executable", lambda: str(path.parent / "no-python"))
    assert "cannot be started" in read_error(path)


def test_flipped_bits_where_pyarrow_trusts_its_file_are_clips_or_one_line(path):
    """The counts, sizes and offsets of the footer, the headers of pages and their dictionaries."""
    footer = len(SAMPLE) - 8 - int.from_bytes(SAMPLE[-8:-4], "little")
    for number in range(6):
        chance, damaged = random.Random(number), bytearray(SAMPLE)
        start, end = ((footer, len(SAMPLE) - 8), (4, 200), (4, footer))[number % 3]
        for _ in range(chance.choice((1, 1, 4))):
            damaged[chance.randrange(start, end)] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            assert all(np.ndim(clip.keypoints) == 4 for clip in motionhub.read(path))
        except ValueError as error:
            assert str(error).isprintable() and str(path) in str(error)


def test_what_lies_in_the_working_folder_or_an_environment_variable_is_not_run(path, tmp_path, monkeypatch):
    for name in ("json", "numpy", "pyarrow", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (clip,) = motionhub.read(path)
    assert clip.joint_mask.any() and not (tmp_path / "ran").exists()


def keypoints_of(name: str) -> np.ndarray:
    return motionhub.read(name)[0].keypoints


def test_threads_and_workers_of_a_loader_read_the_same(path):
    expected = keypoints_of(str(path))
    with ThreadPoolExecutor(2) as pool:
        for read in pool.map(keypoints_of, [str(path)] * 2):
            np.testing.assert_array_equal(read, expected)
    loader = DataLoader([str(path)] * 2, batch_size=None, num_workers=1, collate_fn=keypoints_of)
    for read in loader:
        np.testing.assert_array_equal(read, expected)
