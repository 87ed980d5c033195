"""`motionhub view`: which clips, video and intervals become a recording, and where it is written."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import run_cli

import motionhub


pytest.importorskip("av")


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The arguments of `write_rerun`, which is not called."""
    calls = []

    def stand_in(clips, path, **options):
        calls.append((clips, path, options))
        return path

    monkeypatch.setattr("motionhub.visualization.rerun_file.write_rerun", stand_in)
    monkeypatch.chdir(tmp_path)
    points = np.random.default_rng(0).uniform(0, 48, (1, 5, 17, 2))
    motionhub.write(motionhub.SkeletonSequence(points, "coco-17", 10, "pixel", image_size=(64, 48)), "flat.npz")
    motionhub.write(motionhub.generate("wave", seed=0, num_frames=5, fps=10), "solid.npz")
    return calls


def test_the_recording_has_the_name_of_the_file_and_is_not_overwritten(written, tmp_path, capsys):
    assert run_cli("view", "solid.npz") == 0
    [([clip], path, options)] = written
    assert (clip.num_dims, str(path), options) == (3, "solid.rrd", {"video": None, "intervals": None})
    said = capsys.readouterr()
    assert "written: solid.rrd" in said.out and "rerun analytics disable" in said.err
    (tmp_path / "solid.rrd").write_text("mine")
    assert run_cli("view", "solid.npz") == 2
    assert "solid.rrd exists and is not overwritten" in capsys.readouterr().err
    assert run_cli("view", "solid.npz", "-o", "a.mp4") == 2


def test_a_notebook_beside_the_recording_shows_it_and_is_not_overwritten(written, tmp_path, capsys):
    assert run_cli("view", "solid.npz", "-o", "a squat's.rrd", "--notebook") == 0
    assert "written: a squat's.ipynb" in capsys.readouterr().out
    made = json.loads((tmp_path / "a squat's.ipynb").read_text())
    [cell] = made["cells"]
    shown = []
    recording = SimpleNamespace(log_file_from_path=shown.append)
    viewer = SimpleNamespace(display=lambda: shown.append("displayed"))
    rerun = SimpleNamespace(RecordingStream=lambda name: recording)
    code = "".join(line for line in cell["source"] if "import" not in line)
    exec(compile(code, "cell", "exec"), {"rerun": rerun, "Viewer": lambda recording, **size: viewer})
    assert shown == ["a squat's.rrd", "displayed"] and (made["nbformat"], cell["cell_type"]) == (4, "code")
    assert run_cli("view", "solid.npz", "-o", "a squat's.rrd", "--notebook") == 2
    assert "a squat's.ipynb exists and is not overwritten" in capsys.readouterr().err


def test_both_kinds_of_keypoints_labels_and_a_video_go_into_one_recording(written, tmp_path):
    from small_videos import greys, write_video

    write_video(tmp_path / "flat.mp4", greys(5))
    rows = [{"track_id": 0, "start_s": 0.1, "end_s": 0.3, "label": "wave", "score": 0.5}]
    motionhub.write_intervals(rows, "l.csv")
    words = ["--video", "flat.mp4", "--intervals", "l.csv", "-o", "both.rrd"]
    assert run_cli("view", "flat.npz", "solid.npz", *words) == 0
    [(clips, path, options)] = written
    assert [clip.num_dims for clip in clips] == [2, 3] and path.name == "both.rrd"
    assert options["video"].name == "flat.mp4"
    [row] = options["intervals"]
    assert {name: row[name] for name in rows[0]} == rows[0]


@pytest.mark.parametrize(("name", "rotation"), [("a.avi", None), ("turned.mp4", 90)])
def test_a_video_that_the_viewer_would_not_show_as_it_is_becomes_one_that_it_shows(name, rotation, tmp_path):
    from small_videos import greys, write_video

    from motionhub.cli.view import _playable
    from motionhub.data.video.reader import open_video

    path = write_video(tmp_path / name, greys(5), rotation=rotation)
    made = _playable(path, tmp_path / "made")
    before, after = open_video(path), open_video(made)
    assert made.suffix == ".mp4" and made != path
    assert (after.num_frames, after.fps, after.size, after.rotation) == (5, before.fps, before.size, 0)


def test_elan_labels_of_another_recording_are_noted(written, capsys):
    row = {"track_id": 0, "start_s": 0.1, "end_s": 0.3, "label": "wave", "score": 0.5}
    motionhub.write_intervals([row], "l.eaf", media="evening.mp4")
    assert run_cli("view", "solid.npz", "--intervals", "l.eaf") == 0
    assert "l.eaf annotates evening.mp4, not solid.npz" in capsys.readouterr().err
