"""`motionhub doctor FOLDER`: a line per file, worst first, counts of findings, and the exit status."""

import json

import numpy as np
import pytest
from helpers import read_error, run_cli, write_json, write_text

import motionhub


@pytest.fixture
def folder(tmp_path):
    clip = motionhub.generate("squat", seed=0, num_frames=60)
    (tmp_path / "all").mkdir()
    motionhub.write(clip, tmp_path / "all" / "good.npz")
    empty = clip.replace(keypoints=np.full_like(clip.keypoints, np.nan))
    motionhub.write(empty, tmp_path / "all" / "sub_empty.npz")
    return tmp_path / "all"


def test_every_file_is_a_line_with_problems_first(folder, capsys):
    (folder / "broken.json").write_text("{")
    assert run_cli("doctor", folder) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("PROBLEM broken.json: 0 clips") and "unreadable" in lines[0]
    assert any(line.startswith("ok      good.npz: 1 clip, 2.0 s: nothing found") for line in lines)
    assert any("3 files, 2 with a problem." in line for line in lines)


def test_the_findings_are_json_for_programs(folder, capsys):
    assert run_cli("doctor", folder, "--json") == 1
    rows = {row["file"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["good.npz"]["findings"] == [] and rows["good.npz"]["clips"] == 1
    assert {found["severity"] for found in rows["sub_empty.npz"]["findings"]} >= {"problem"}


def test_a_folder_without_skeleton_files_and_a_drawing_are_refused(folder, tmp_path, capsys):
    write_text(tmp_path / "none" / "notes.md", "nothing")
    assert run_cli("doctor", tmp_path / "none") == 2
    assert "got none" in capsys.readouterr().err
    assert run_cli("doctor", folder, "--output", tmp_path / "images") == 2
    assert "draws one file" in capsys.readouterr().err


def test_a_folder_with_a_file_per_frame_is_one_recording(tmp_path, capsys):
    for frame in range(3):
        person = {"keypoints": [[100 + 10 * joint + frame, 50 + 20 * joint] for joint in range(17)]}
        write_json(tmp_path / "frames" / f"clip_{frame}.json", [person])
    assert run_cli("doctor", tmp_path / "frames", "--fps", 30, "--layout", "coco-17") in (0, 1)
    assert "clip 0: people 1, frames 3" in capsys.readouterr().out


def test_a_folder_of_numbered_recordings_is_a_line_per_file_and_no_recording(tmp_path, capsys):
    points = [value for joint in range(17) for value in (100 + 10 * joint, 50 + 20 * joint, 0.9)]
    for number in (1, 2):
        rows = [{"image_id": frame, "category_id": 1, "keypoints": points, "score": 1} for frame in range(5)]
        write_json(tmp_path / "all" / f"walk_{number}.json", rows)
    run_cli("doctor", tmp_path / "all", "--fps", 30)
    assert "2 files" in capsys.readouterr().out
    message = read_error(tmp_path / "all", fps=30, layout="coco-17")
    assert "expected one frame in a file of a folder, got 5; give the files of recordings one by one" in message


def test_a_folder_around_recordings_names_them(tmp_path):
    person = {"keypoints": [[100 + 10 * joint, 50 + 20 * joint] for joint in range(17)]}
    write_json(tmp_path / "camera" / "one" / "clip_0.json", [person])
    assert f"folders in it are recordings, give one: {tmp_path / 'camera' / 'one'}" in read_error(tmp_path, fps=30)
