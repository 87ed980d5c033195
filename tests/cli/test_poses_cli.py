"""`motionhub poses`: one video to a file, several to a folder, and every refusal in one line."""

import numpy as np
import pytest
from helpers import read_json

import motionhub
from motionhub.cli.main import main
from motionhub.poses import estimators
from motionhub.poses.estimators.estimator import PersonInFrame


pytest.importorskip("av")
from small_videos import greys, write_video  # needs PyAV itself


class OnePerson:
    """17 joints on a line that moves one pixel a frame; every joint is lost in frame 6."""

    name, layout = "one", "coco-17"

    def __init__(self, step: int = 1) -> None:
        self.step = step

    def start(self, video):
        pass

    def __call__(self, frame):
        if frame.index == 6:
            return []
        points = np.stack([np.arange(17) + self.step * frame.index, np.arange(17) * 2], axis=-1)
        return [PersonInFrame(points, np.ones(17), np.array([0, 0, 40, 40]), np.zeros((17, 3)))]


@pytest.fixture
def video(tmp_path, monkeypatch):
    monkeypatch.setitem(estimators.ESTIMATORS, "mediapipe", OnePerson)
    return write_video(tmp_path / "clip.mp4", greys(14))


def test_one_video_becomes_a_file_and_is_repaired(video, tmp_path, capsys):
    out = tmp_path / "keypoints.npz"
    words = ["poses", str(video), "-o", str(out), "--estimator", "mediapipe", "--options", "step=2"]
    assert main([*words, "--refine", "gaps", "--world"]) == 0
    clip = motionhub.read(out)[0]
    assert clip.joint_mask.all() and clip.keypoints[0, 6, 0, 0] == pytest.approx(12, abs=0.1)
    assert motionhub.read(tmp_path / "keypoints.world.npz")[0].unit == "metre"
    assert "14 frames at 10 fps, 64x48" in capsys.readouterr().out
    assert main(words) == 2
    assert "exists and is not overwritten" in capsys.readouterr().err


def test_several_go_to_a_folder_and_a_broken_one_is_reported(video, tmp_path, capsys):
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    words = ["poses", str(video), str(tmp_path / "bad.mp4"), "-o", str(tmp_path / "out"), "--estimator", "mediapipe"]
    assert main(words) == 1
    shown = capsys.readouterr().out
    assert "1 of 2 videos done, 0 of them earlier" in shown and "bad.mp4: cannot be read" in shown
    assert read_json(tmp_path / "out" / "clip.report.json")["people"] == 1
    assert main(words[:2] + words[3:]) == 0
    assert "1 of them earlier" in capsys.readouterr().out


def test_the_overlay_is_a_video_of_as_many_frames(video, tmp_path):
    pytest.importorskip("PIL")
    from motionhub.data.video.reader import open_video

    out = tmp_path / "keypoints.npz"
    words = ["poses", str(video), "-o", str(out), "--estimator", "mediapipe", "--overlay", "--seconds", "0.8"]
    assert main(words) == 0
    assert open_video(tmp_path / "keypoints.overlay.mp4").num_frames == 8


@pytest.mark.parametrize(
    "more, message",
    [
        (["other.mp4", "-o", "a.npz"], "a.npz holds one video, got 2"),
        (["-o", "a.docx"], "no writer for suffix"),
        (["-o", "a.npz", "--estimator", "openpos"], "No estimator is called"),
        (["-o", "a.npz", "--estimator", "mediapipe", "--options", "step"], "KEY=VALUE"),
        (["-o", "a.npz", "--estimator", "mediapipe", "--options", "stride=1"], "unexpected keyword"),
        (["-o", "a.npz", "--estimator", "mediapipe", "--fps", "0"], ""),
    ],
)
def test_refusals_are_one_line(video, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    assert main(["poses", "clip.mp4", *more]) == (2 if message else 0)
    assert message in capsys.readouterr().err


def test_a_picture_is_one_pose_and_is_called_so(video, tmp_path, capsys):
    Image = pytest.importorskip("PIL.Image")
    picture = tmp_path / "picture.png"
    Image.new("RGB", (64, 48), (90, 90, 90)).save(picture)
    out = tmp_path / "pose.npz"
    assert main(["poses", str(picture), "-o", str(out), "--estimator", "mediapipe"]) == 0
    assert "holds no motion" in capsys.readouterr().err
    (clip,) = motionhub.read(out)
    assert (clip.num_people, clip.num_frames) == (1, 1)
    assert main(["poses", str(picture), str(video), "-o", str(tmp_path / "both")]) == 2
    assert "got both" in capsys.readouterr().err
