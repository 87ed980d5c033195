"""A file is there with all of its content, or as it was before."""

import errno
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers import run_cli

import motionhub
from motionhub.atomic import WriteError, atomic_path, check_writable, disk_named, write_bytes, write_text
from motionhub.retrieval.index import Entry, MotionIndex


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """A disk that takes no file of more than `limit` bytes."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_file_takes_the_place_of_the_old_one_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "ä\n")
    with atomic_path(path) as writing:
        writing.write_bytes(b"half")
        assert path.read_text(encoding="utf-8") == "ä\n"
    assert path.read_bytes() == b"half"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyError), atomic_path(path) as writing:
        writing.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_with_the_path_and_what_is_left(tmp_path):
    path = tmp_path / "a.bin"
    with small_files(1000), pytest.raises(WriteError) as caught:
        write_bytes(path, bytes(2000))
    assert str(caught.value) == f"{path}: cannot be written (File too large); nothing is left of it."
    assert caught.value.errno == errno.EFBIG and not [*tmp_path.iterdir()]
    write_bytes(path, b"old")
    with small_files(1000), pytest.raises(WriteError, match="what was there before is intact"):
        write_bytes(path, bytes(2000))
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]


def test_an_error_of_another_file_in_the_block_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "absent").read_bytes()
    locked = PermissionError(errno.EACCES, "Permission denied", "/somewhere/else.csv")
    with pytest.raises(PermissionError, match="else.csv"), atomic_path(tmp_path / "a.txt"):
        raise locked


def test_a_new_file_does_not_replace_one_that_appeared_meanwhile(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError), atomic_path(path, new=True) as writing:
        writing.write_text("mine")
        path.write_text("another's")
    assert path.read_text() == "another's" and [*tmp_path.iterdir()] == [path]


def test_what_a_killed_writer_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path):
    (tmp_path / ".a.txt.4194304-1.writing").write_text("half")
    running = tmp_path / f".a.txt.{os.getpid()}-1.writing"
    running.write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    assert sorted(tmp_path.iterdir()) == [running, tmp_path / "a.txt"]


def test_writers_of_one_path_in_many_threads_leave_one_whole_file(tmp_path):
    contents = [bytes([number]) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_bytes, args=(tmp_path / "a", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_bytes() in contents and [*tmp_path.iterdir()] == [tmp_path / "a"]


def test_a_target_that_cannot_be_written_is_found_at_once_and_nothing_is_made(tmp_path):
    check_writable(tmp_path / "new" / "a.npz")
    assert not [*tmp_path.iterdir()]
    with small_files(1000), pytest.raises(WriteError, match=r"a\.npz: cannot be written"):
        check_writable(tmp_path / "new" / "a.npz")
    assert not [*tmp_path.iterdir()]


def test_a_conversion_names_its_target_on_a_full_disk_and_leaves_nothing(tmp_path, capsys):
    clip = motionhub.generate("wave", seed=0, layout="coco-17")
    source = motionhub.write(clip, tmp_path / "in.npz")
    before = sorted(tmp_path.iterdir())
    for out in ("out.csv", "out.npz", "folder"):
        with small_files(300):
            assert run_cli("convert", source, tmp_path / out, "--person", "0") == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(tmp_path / out) in line and "Errno" not in line, line
    assert sorted(tmp_path.iterdir()) == before


def test_intervals_replace_an_old_table_or_leave_it(tmp_path):
    rows = [{"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9}]
    path = motionhub.write_intervals(rows, tmp_path / "a.csv")
    old = path.read_bytes()
    with small_files(500), pytest.raises(WriteError, match="intact"):
        motionhub.write_intervals(rows * 100, path)
    assert path.read_bytes() == old


def index_of(count: int, value: float) -> MotionIndex:
    return MotionIndex(np.full((count, 3), value), [Entry(f"{value}")] * count, "clip", {"model": "m"})


def save_often(folder: Path, count: int) -> None:
    for _ in range(20):
        index_of(count, count).save(folder)


def test_an_index_is_read_whole_while_others_write_it(tmp_path):
    folder = index_of(5, 1).save(tmp_path / "index")
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=save_often, args=(folder, count)) for count in (3, 7)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        found = MotionIndex.load(folder)
        assert len(found) == {"1": 5, "3": 3, "7": 7}[found.entries[0].file]
        seen.add(len(found))
        time.sleep(0.002)
    assert [writer.exitcode for writer in writers] == [0, 0] and len(seen) > 1
    assert len([*folder.iterdir()]) == 4  # lock, facts, vectors, entries
    with small_files(100), pytest.raises(WriteError, match="intact"):
        index_of(50, 1).save(folder)
    assert len(MotionIndex.load(folder)) in (3, 7)


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    RuntimeError("I/O error: No space left on device (os error 28)"),
]
OTHER = [
    OSError(errno.ENOSPC, "full", "/elsewhere"),
    OSError(errno.ENOENT, "absent"),
    ValueError("x"),
    RuntimeError("y"),
]


@pytest.mark.parametrize("error", FULL)
def test_a_full_disk_that_a_library_meets_is_named(error, tmp_path):
    with (
        pytest.raises(WriteError, match=f"^{tmp_path}: cannot be written .No space left on device"),
        disk_named(tmp_path),
    ):
        raise error


@pytest.mark.parametrize("error", OTHER)
def test_other_errors_of_a_library_stay(error, tmp_path):
    with pytest.raises(type(error)) as caught, disk_named(tmp_path):
        raise error
    assert caught.value is error


def _draw(kind: str, path: Path) -> None:
    clip = motionhub.generate("wave", seed=0, num_frames=3)
    if kind == "gif":
        motionhub.animate(clip, path)
    elif kind == "frame":
        motionhub.draw_frame(clip, 0, path=path)
    else:
        motionhub.plot_ribbon([{"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9}], path)


@pytest.mark.parametrize("kind", ["gif", "frame", "ribbon"])
def test_a_drawing_that_does_not_fit_on_the_disk_leaves_the_old_one(kind, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.png"
    write_text(path, "old")
    with small_files(1000), pytest.raises(WriteError, match="what was there before is intact"):
        _draw(kind, path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    _draw(kind, path)
    assert path.stat().st_size > 1000 and list(tmp_path.iterdir()) == [path]


def test_an_overlay_of_a_video_that_breaks_off_leaves_the_old_one(tmp_path):
    pytest.importorskip("av")
    from motionhub.visualization.overlay import write_overlay

    def images() -> Iterator[tuple[int, np.ndarray]]:
        yield 0, np.zeros((48, 64, 3), np.uint8)
        raise ValueError("the camera is gone")

    points = np.random.default_rng(0).uniform(0, 40, (1, 3, 17, 2))
    path, clip = tmp_path / "a.mp4", motionhub.SkeletonSequence(points, "coco-17", 10, "pixel")
    write_text(path, "old")
    with pytest.raises(ValueError, match="the camera is gone"):
        write_overlay(images(), clip, path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
