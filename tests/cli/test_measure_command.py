"""`motionhub measure`: what it prints, writes, draws and refuses."""

import numpy as np
import pytest
from helpers import read_json, run_cli

import motionhub


@pytest.fixture
def squat(tmp_path):
    path = tmp_path / "squat.npz"
    motionhub.write(motionhub.generate("squat", seed=0, num_frames=40), path)
    return path


def test_the_printed_range_is_the_functions(squat, capsys):
    assert run_cli("measure", squat) == 0
    shown = capsys.readouterr()
    row = next(row for row in motionhub.measure(motionhub.read(squat)[0]).summary() if "left_knee" in row["angle"])
    line = next(line for line in shown.out.splitlines() if "left_knee_flexion" in line)
    assert line.split()[1:4] == [f"{row[name]:.1f}" for name in ("min", "max", "range")]
    assert shown.err == ""


def test_table_and_json_are_written(squat, tmp_path, capsys):
    assert run_cli("measure", squat, "-o", tmp_path / "a.csv", "--json", tmp_path / "a.json") == 0
    assert (tmp_path / "a.csv").read_text().count("\n") == 41
    assert read_json(tmp_path / "a.json")["angles"] == motionhub.measure(motionhub.read(squat)[0]).summary()


def test_the_angles_are_drawn(squat, tmp_path):
    pytest.importorskip("matplotlib")
    assert run_cli("measure", squat, "--picture", tmp_path / "a.png") == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_up_axis_is_a_note_and_the_option_states_it(tmp_path, capsys):
    clip = motionhub.generate("bow", seed=0, num_frames=30).replace(up=None)
    motionhub.write(clip, tmp_path / "bow.npz")
    assert run_cli("measure", tmp_path / "bow.npz") == 0
    assert "Pass --up" in capsys.readouterr().err
    assert run_cli("measure", tmp_path / "bow.npz", "--up", "y") == 0
    shown = capsys.readouterr()
    assert shown.err == "" and " - " not in next(line for line in shown.out.splitlines() if "trunk_flexion" in line)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-o", "angles.xlsx"], "--output must end in .csv"),
        (["--picture", "angles.gif"], "--picture must end in .png"),
        (["--clip_number", "1"], "--clip_number must be in 0..0"),
    ],
)
def test_wrong_options_are_refused_in_one_line(squat, words, reason, capsys):
    assert run_cli("measure", squat, *words) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1


def test_a_file_of_several_clips_needs_a_number(tmp_path, capsys, shared):
    path = shared("data/uiprmd_kinect_s1-7.npz")
    assert run_cli("measure", path) == 2
    assert "--clip_number N" in capsys.readouterr().err
    assert run_cli("measure", path, "--clip_number", "3", "--up", "y") == 0
    assert "left_knee_flexion" in capsys.readouterr().out


def test_a_person_without_keypoints_has_no_table(tmp_path, capsys):
    clip = motionhub.generate("squat", seed=0, num_frames=5)
    motionhub.write(clip.replace(keypoints=np.full_like(clip.keypoints, np.nan)), tmp_path / "empty.npz")
    assert run_cli("measure", tmp_path / "empty.npz") == 0
    shown = capsys.readouterr()
    assert "No valid keypoints" in shown.err and shown.out.strip() == "person 0: no valid keypoints"
