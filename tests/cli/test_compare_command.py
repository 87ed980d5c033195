"""`motionhub compare`: what it prints, writes, draws and refuses."""

import csv

import numpy as np
import pytest
from helpers import read_json, run_cli

import motionhub


@pytest.fixture
def files(tmp_path):
    squat = motionhub.generate("squat", seed=0)
    motionhub.write(squat.replace(keypoints=np.concatenate([squat.keypoints] * 3, axis=1)), tmp_path / "a.npz")
    other = motionhub.generate("squat", seed=3)
    motionhub.write(other.replace(keypoints=np.concatenate([other.keypoints] * 4, axis=1)), tmp_path / "b.npz")
    return tmp_path


def test_differences_are_printed_and_written(files, capsys):
    words = ["-o", files / "d.csv", "--json", files / "d.json"]
    assert run_cli("compare", files / "a.npz", files / "b.npz", *words) == 0
    shown = capsys.readouterr().out
    found = motionhub.compare(motionhub.read(files / "a.npz")[0], motionhub.read(files / "b.npz")[0])
    assert "repetitions: 3 and 4" in shown and f"differ by {found.overall()['degrees']:.1f} degrees" in shown
    rows = list(csv.DictReader((files / "d.csv").open()))
    assert len(rows) == len(found.rows()) and "difference (deg)" in rows[0]
    assert read_json(files / "d.json")["overall"] == found.overall()


def test_strips_and_a_gif_are_drawn(files):
    pytest.importorskip("matplotlib")
    words = ["--picture", files / "d.png", "--gif", files / "d.gif"]
    assert run_cli("compare", files / "a.npz", files / "b.npz", *words) == 0
    assert (files / "d.png").read_bytes().startswith(b"\x89PNG")
    assert (files / "d.gif").read_bytes().startswith(b"GIF8")


@pytest.mark.parametrize(("option", "name"), [("-o", "d.txt"), ("--picture", "d.gif"), ("--gif", "d.png")])
def test_wrong_suffixes_are_refused_before_anything_is_read(option, name, capsys):
    assert run_cli("compare", "absent.npz", "absent.npz", option, name) == 2
    assert "must end in" in capsys.readouterr().err
