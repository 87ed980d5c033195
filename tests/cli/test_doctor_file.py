"""`motionhub doctor FILE`: facts, findings and fixes for people or as JSON, an image, and a documented status."""

import json

import numpy as np
import pytest
from analytic_motions import straight_walk

import motionhub
from motionhub.cli.main import main
from motionhub.skeletons import repair


@pytest.fixture
def clip(tmp_path):
    """`clip(change)` is a file of a walk whose keypoints were changed in place."""

    def write(change=None, name="walk.npz", **facts):
        walk = straight_walk()
        keypoints = walk.keypoints.copy()
        if change is not None:
            change(keypoints)
        motionhub.write(walk.replace(keypoints=keypoints, **facts), tmp_path / name)
        return tmp_path / name

    return write


def swap(points):
    points[:, 10:16] = points[:, 10:16][:, :, straight_walk().layout.mirror]


def test_a_clean_file_is_status_0_with_its_facts(clip, capsys):
    assert main(["doctor", str(clip())]) == 0
    shown = capsys.readouterr().out
    assert "people 1, frames 60 at 30 fps (2.00 s), 3-D in metres" in shown
    assert "layout kinect-20" in shown and "utd-mhad-20" in shown
    assert "joints visible: all, in every frame" in shown and "nothing found" in shown


def test_a_problem_is_status_1_and_its_lines_of_python_repair_the_file(clip, capsys, tmp_path):
    path = clip(swap)
    assert main(["doctor", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "PROBLEM swapped-sides" in shown
    names = {"repair": repair}
    before = next(line for line in shown.splitlines() if "before the fixes: " in line).split("fixes: ")[1]
    fix = next(line for line in shown.splitlines() if "fix: " in line).split("fix: ")[1]
    after = (
        next(line for line in shown.splitlines() if "after them: " in line).split("them: ")[1].split(", and look")[0]
    )
    for line in (*before.split("; "), fix, after.replace('"repaired.npz"', repr(str(tmp_path / "repaired.npz")))):
        exec(line, names)
    assert main(["doctor", str(tmp_path / "repaired.npz")]) == 0
    repaired = motionhub.read(tmp_path / "repaired.npz")[0]
    np.testing.assert_array_equal(repaired.keypoints, straight_walk().keypoints)


def test_notes_alone_are_status_0(clip, capsys):
    def lose(points):
        points[:, :, 7] = np.nan

    assert main(["doctor", str(clip(lose))]) == 0
    shown = capsys.readouterr().out
    assert "note    dead-joint" in shown and "left_hand 0%" in shown


def test_a_file_that_cannot_be_read_is_status_2_and_one_line(tmp_path, capsys):
    (tmp_path / "no.npz").write_bytes(b"PK\x03\x04 broken")
    for name in ("no.npz", "absent.npz"):
        assert main(["doctor", str(tmp_path / name)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_json_is_for_programs(clip, capsys):
    assert main(["doctor", str(clip(swap)), "--json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["people"], report["frames"], report["fps"], report["unit"]) == (1, 60, 30, "metre")
    assert report["coverage"]["left_hand"] == 1
    (finding,) = report["findings"]
    assert finding["kind"] == "swapped-sides" and finding["severity"] == "problem"
    assert finding["fix"] == "sequence = repair.swap_sides(sequence, person=0, frames=[(10, 16)])"


def test_json_of_an_empty_clip_has_no_nan(tmp_path, capsys):
    empty = straight_walk().replace(keypoints=np.full((1, 3, 20, 3), np.nan))
    motionhub.write(empty, tmp_path / "empty.npz")
    assert main(["doctor", str(tmp_path / "empty.npz"), "--json"]) == 1
    shown = capsys.readouterr().out
    assert "NaN" not in shown and json.loads(shown)[0]["findings"][0]["kind"] == "empty"


def test_a_declared_layout_from_yaml_and_a_unit_are_taken_like_everywhere(tmp_path, capsys):
    walk = straight_walk()
    np.save(tmp_path / "array.npy", walk.keypoints[0] * 1000)
    rows = "\n".join(f"  - {joint}" for joint in walk.layout.joints)
    (tmp_path / "mine.yaml").write_text(f"name: mine\nroot: mid_hip\njoints:\n{rows}\n")
    words = ["doctor", str(tmp_path / "array.npy"), "--layout", str(tmp_path / "mine.yaml"), "--fps", "30"]
    assert main([*words, "--unit", "millimetre"]) == 0
    assert "layout mine" in capsys.readouterr().out
    assert main([*words, "--unit", "metre"]) == 1
    assert "unit='millimetre'" in capsys.readouterr().out


def test_output_draws_the_first_good_frame_with_joint_names(clip, tmp_path, capsys):
    Image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    assert main(["doctor", str(clip()), "--output", str(tmp_path / "images")]) == 0
    assert "walk.png" in capsys.readouterr().out
    assert np.ptp(np.asarray(Image.open(tmp_path / "images" / "walk.png"))) > 100


def test_without_the_extra_viz_the_report_is_complete_and_a_note_says_so(clip, tmp_path, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["doctor", str(clip()), "--output", str(tmp_path / "images")]) == 0
    shown = capsys.readouterr()
    assert "nothing found" in shown.out and "drawn" not in shown.out
    assert "note: no images" in shown.err
