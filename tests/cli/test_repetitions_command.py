"""`motionhub repetitions`: what it prints, writes, draws and refuses."""

from itertools import pairwise

import numpy as np
import pytest
from helpers import run_cli

import motionhub


@pytest.fixture
def squats(tmp_path):
    once = motionhub.generate("squat", seed=0)
    path = tmp_path / "squats.npz"
    motionhub.write(once.replace(keypoints=np.concatenate([once.keypoints] * 4, axis=1), confidence=None), path)
    return path


def test_each_repetition_is_a_line_and_an_interval(squats, tmp_path, capsys):
    assert run_cli("repetitions", squats, "-o", tmp_path / "reps.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("person 0: 4 repetitions") and len(lines) == 6
    rows = motionhub.read_intervals(tmp_path / "reps.csv")
    assert [row["label"] for row in rows] == [f"repetition {number}" for number in range(1, 5)]
    assert all(first["end_s"] <= second["start_s"] + 0.1 for first, second in pairwise(rows))


def test_strokes_and_similarity_are_drawn_also_without_repetitions(squats, tmp_path):
    pytest.importorskip("matplotlib")
    once = tmp_path / "once.npz"
    motionhub.write(motionhub.generate("sit down", seed=0), once)
    for file in (squats, once):
        assert run_cli("repetitions", file, "--picture", tmp_path / f"{file.stem}.png") == 0
        assert (tmp_path / f"{file.stem}.png").read_bytes().startswith(b"\x89PNG")


def test_none_is_said_with_the_reason(tmp_path, capsys):
    motionhub.write(motionhub.generate("fall", seed=0), tmp_path / "fall.npz")
    assert run_cli("repetitions", tmp_path / "fall.npz", "-o", tmp_path / "none.json") == 0
    assert "0 repetitions: " in capsys.readouterr().out
    assert (tmp_path / "none.json").read_text() == "[]\n"


@pytest.mark.parametrize(
    ("words", "reason"), [(["-o", "r.txt"], "--output must end in"), (["--picture", "r.gif"], "must end in .png")]
)
def test_wrong_options_are_refused_in_one_line(squats, words, reason, capsys):
    assert run_cli("repetitions", squats, *words) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1
