"""`motionhub refine`: what it writes, says and refuses."""

import numpy as np
import pytest
from analytic_motions import straight_walk
from helpers import read_json

import motionhub
from motionhub.cli.main import main


@pytest.fixture
def walk(tmp_path):
    """A walk with a gap and an outlier, and another estimator's without."""
    whole = straight_walk(num_frames=60)
    broken = whole.keypoints.copy()
    broken[0, 20:24, 5] = np.nan
    broken[0, 40, 7] += 1
    motionhub.write(whole.replace(keypoints=broken), tmp_path / "a.npz")
    motionhub.write(whole, tmp_path / "b.npz")
    return tmp_path


def test_a_file_is_repaired_and_what_was_done_is_printed(walk, capsys):
    assert main(["refine", str(walk / "a.npz"), "-o", str(walk / "out.npz")]) == 0
    (motion,) = motionhub.read(walk / "out.npz")
    assert motion.joint_mask.all()
    printed = capsys.readouterr().out
    assert "filled 4, hidden 0" in printed and "-> 100.0%" in printed


def test_the_report_is_the_functions(walk):
    before = (walk / "a.npz").read_bytes()
    main(["refine", str(walk / "a.npz"), "-o", str(walk / "out.npz"), "--report", "--steps", "outliers", "gaps"])
    saved = read_json(walk / "out.npz.report.json")
    _, expected = motionhub.refine(walk / "a.npz", steps=("outliers", "gaps"), return_report=True)
    assert saved == expected
    assert (walk / "a.npz").read_bytes() == before


def test_several_files_are_experts(walk, capsys):
    words = ["refine", str(walk / "a.npz"), str(walk / "b.npz"), "-o", str(walk / "out.npz"), "--steps", "none"]
    assert main([*words, "--report"]) == 0
    (motion,) = motionhub.read(walk / "out.npz")
    (whole,) = motionhub.read(walk / "b.npz")
    np.testing.assert_array_equal(motion.keypoints, whole.keypoints)
    assert f"expert {walk / 'b.npz'}: coverage 100.0%" in capsys.readouterr().out
    names = [row["name"] for row in read_json(walk / "out.npz.report.json")["experts"]]
    assert names == [str(walk / "a.npz"), str(walk / "b.npz")]


def test_the_worst_joint_is_drawn(walk):
    pytest.importorskip("matplotlib")
    main(["refine", str(walk / "a.npz"), "-o", str(walk / "out.npz"), "--report"])
    assert (walk / "out.npz.worst_joint.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["a.npz", "-o", "b.npz"], "exists and is not overwritten"),
        (["a.npz", "-o", "out.xyz"], "no writer for"),
        (["a.npz", "-o", "out.npz", "--official"], "only one input was given"),
        (["a.npz", "b.npz", "-o", "out.npz", "--official"], "needs three experts"),
        (["nowhere.npz", "-o", "out.npz"], "nowhere.npz"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(walk, monkeypatch, capsys, words, reason):
    monkeypatch.chdir(walk)
    assert main(["refine", *words]) == 2
    assert reason in capsys.readouterr().err
    assert not (walk / "out.npz").exists()
