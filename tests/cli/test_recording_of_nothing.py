"""What commands say of a recording in which nobody is seen, or that has no frame: words, no number."""

import numpy as np
import pytest
from helpers import run_cli

import motionhub


@pytest.fixture(params=["nobody", "no joint", "no frame"])
def nothing(request, tmp_path):
    shape = {"nobody": (0, 30, 17, 2), "no joint": (1, 30, 17, 2), "no frame": (1, 0, 17, 2)}[request.param]
    clip = motionhub.SkeletonSequence(np.full(shape, np.nan), "coco-17", 30, "pixel", image_size=(640, 480))
    return request.param, str(motionhub.write(clip, tmp_path / "nothing.npz"))


def test_doctor_names_it_as_a_problem(nothing, capsys):
    kind, path = nothing
    assert run_cli("doctor", path) == 1
    people = {"nobody": "people 0, frames 30", "no joint": "people 1, frames 30", "no frame": "people 1, frames 0"}
    assert f"{people[kind]}, and no valid keypoints" in capsys.readouterr().out


def test_measurements_and_repetitions_are_words(nothing, capsys):
    kind, path = nothing
    assert run_cli("measure", path) == 0
    said = capsys.readouterr()
    expected = "no person" if kind == "nobody" else "person 0: no valid keypoints"
    assert said.out.strip() == expected and "every value is missing" in said.err
    assert run_cli("repetitions", path) == 0
    reason = {"nobody": "no person", "no joint": "too few joints are detected", "no frame": "0.0 s are too short"}
    assert reason[kind] in capsys.readouterr().out


def test_nothing_is_cut_from_a_recording_that_ends_before_it_begins(nothing, tmp_path, capsys):
    kind, path = nothing
    rows = [{"track_id": 0, "start_s": 0.2, "end_s": 0.5, "label": "wave", "score": 1.0}]
    by = motionhub.write_intervals(rows, tmp_path / "labels.csv")
    status = run_cli("cut", path, "--by", by, "-o", tmp_path / "clips")
    assert status == (2 if kind == "no frame" else 0)
    assert ("no interval lies in the recording" in capsys.readouterr().err) == (kind == "no frame")
