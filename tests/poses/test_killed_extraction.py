"""Extraction that is killed at any moment resumes to the same files; a video that disappears is one line."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from test_extraction import SquareFinder, two_who_cross

from motionhub.atomic import WriteError
from motionhub.poses.extraction_job import extract_files


pytest.importorskip("av")
from small_videos import write_video  # needs PyAV itself


# Of 32 frames, and of 8 files that take their places.
FRAMES, PLACES = (1, 2, 7, 8, 9, 15, 17, 23, 24, 25, 31, 32), (1, 2, 3, 5, 8)


class Watched(SquareFinder):
    """Calls `act` at one frame of the run."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        super().__init__()
        self.at, self.act = at, act

    def __call__(self, frame):
        if len(self.seen) + 1 == self.at:
            self.act()
        return super().__call__(frame)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(videos: list[Path], folder: Path, at_frame: int = 0, at_place: int = 0) -> bool:
    """Whether a child that extracts is killed at that frame, or where that file would take its place."""
    child = os.fork()
    if child == 0:
        places, replace = [0], Path.replace

        def counted(self, target):
            places[0] += 1
            if places[0] == at_place:
                kill()
            return replace(self, target)

        Path.replace = counted
        extract_files(videos, folder, Watched(at_frame, kill))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npz" or path.name[0] == "."}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return [write_video(folder / f"{name}.mp4", two_who_cross(8)) for name in "abcd"]


def test_a_job_killed_at_any_moment_resumes_to_the_same_files(videos, tmp_path):
    extract_files(videos, tmp_path / "whole", SquareFinder())
    whole = written(tmp_path / "whole")
    assert sorted(whole) == ["a.npz", "b.npz", "c.npz", "d.npz"]
    moments = [{"at_frame": frame} for frame in FRAMES] + [{"at_place": place} for place in PLACES]
    for number, moment in enumerate(moments):
        folder = tmp_path / str(number)
        assert killed(videos, folder, **moment), moment
        finished = {name: content for name, content in written(folder).items() if name.endswith(".npz")}
        assert finished.items() <= whole.items(), moment  # whole, or not there
        reports = extract_files(videos, folder, SquareFinder())
        assert [report.get("kept", False) for report in reports].count(True) == len(finished)
        assert written(folder) == whole, moment


def test_a_video_deleted_while_it_is_read_is_read_to_its_end_or_one_line(tmp_path):
    video = write_video(tmp_path / "a.mp4", two_who_cross(8))
    (report,) = extract_files([video], tmp_path / "out", Watched(3, video.unlink))
    assert report["frames"] == 8 and not video.exists()
    (again,) = extract_files({"b": video}, tmp_path / "out", SquareFinder())
    assert again["error"].startswith(str(video)) and "\n" not in again["error"]


def test_a_folder_that_cannot_be_written_is_found_before_a_frame_is_decoded(videos, tmp_path):
    finder = SquareFinder()
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises((WriteError, OSError), match="file"):
        extract_files(videos, tmp_path / "file" / "out", finder)
    assert finder.started == 0
