"""Layouts and joint names on the command line: what conversions say and refuse, mappings, tables, drawings."""

import numpy as np
import pytest

import motionhub
from motionhub.cli.main import main
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


def saved(path, joints):
    points = np.random.default_rng(0).uniform(0, 100, (1, 4, len(joints), 2))
    layout = SkeletonLayout("rig", tuple(joints), (), joints[0])
    motionhub.write(SkeletonSequence(points, layout, 30, "pixel", image_size=(200, 200)), path)
    return path


def test_a_conversion_that_maps_nothing_ends_with_status_2_and_writes_nothing(tmp_path, capsys):
    source, out = saved(tmp_path / "rig.npz", ["bone_1", "bone_2", "hat"]), tmp_path / "out.npz"
    assert main(["convert", str(source), str(out), "--layout", "coco-17"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "bone_1, bone_2, hat" in shown and "'coco-17'" in shown and "names:" in shown
    assert not out.exists()


def test_a_conversion_below_half_of_the_joints_lists_those_that_are_lost(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("motionhub.skeletons.convert._WARNED", set())
    source = saved(tmp_path / "arm.npz", ["left_shoulder", "left_elbow", "left_wrist"])
    assert main(["convert", str(source), str(tmp_path / "out.npz"), "--layout", "coco-17"]) == 0
    shown = capsys.readouterr()
    assert "3 of 17 joints copied, 0 interpolated, 14 lost: nose, left_eye" in shown.out
    assert "motionhub: note: rig -> coco-17" in shown.err


def test_the_table_of_layouts_has_name_joints_dims_and_programs(capsys):
    assert main(["info", "--layouts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(motionhub.LAYOUTS)
    rows = {line.split()[0]: line for line in lines}
    assert "26 of 136 joints" in rows["halpe-136"] and "2-D" in rows["halpe-136"]
    assert "17" in rows["h36m-17"] and "VideoPose3D" in rows["h36m-17"]
    assert max(map(len, lines)) <= 110


def test_every_layout_is_drawn_with_its_joints(tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    assert main(["info", "--layouts", "--picture", str(tmp_path / "drawn")]) == 0
    assert f"drawn: {len(motionhub.LAYOUTS)} layouts" in capsys.readouterr().out
    for name in motionhub.LAYOUTS:
        assert np.asarray(image.open(tmp_path / "drawn" / f"{name}.png")).std() > 5


def test_the_joints_of_a_table_are_shown_with_what_their_names_mean(tmp_path, capsys):
    path = tmp_path / "rig.csv"
    names = ["Hips", "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand", "RElbow", "nose", "Tail"]
    columns = [f"{name}_{axis}" for name in names for axis in "xyz"]
    path.write_text(",".join(columns) + "\n" + ",".join(map(str, range(len(columns)))) + "\n")
    assert main(["info", str(path), "--joints", "--fps", "30", "--unit", "metre"]) == 0
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()[-len(names) :]]
    assert rows == [
        ["Hips", "mid_hip", "another spelling"],
        ["LeftShoulder", "left_collar", "by the other names of the file"],
        ["LeftArm", "left_shoulder", "by the other names of the file"],
        ["LeftForeArm", "left_elbow", "by the other names of the file"],
        ["LeftHand", "left_wrist", "by the other names of the file"],
        ["RElbow", "right_elbow", "another spelling"],
        ["nose", "nose", "same name"],
        ["Tail", "tail", "unknown; kept"],
    ]


def test_the_joints_of_a_bvh_are_shown_as_a_mapping_of_ones_own_reads_them(tmp_path, capsys):
    bone = "JOINT {} {{ OFFSET 0 1 0 CHANNELS 3 Xrotation Yrotation Zrotation {} }} "
    text = "HIERARCHY\nROOT B1 { OFFSET 0 0 0 CHANNELS 3 Xrotation Yrotation Zrotation "
    text += bone.format("B2", "End Site { OFFSET 0 1 0 }") + bone.format("B3", "End Site { OFFSET 0 1 0 }")
    path, rig = tmp_path / "rig.bvh", tmp_path / "rig.yaml"
    path.write_text(f"{text} }}\nMOTION\nFrames: 1\nFrame Time: 0.1\n" + " ".join(["0"] * 9) + "\n")
    rig.write_text("name: rig\nnames:\n  B2: left_knee\n  B3: right_knee\n")
    assert main(["info", str(path), "--joints"]) == 0
    assert "B2                B2     same name" in capsys.readouterr().out
    assert main(["info", str(path), "--joints", "--layout", str(rig)]) == 0
    shown = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split(maxsplit=2) for line in shown] == [
        ["B1", "-", "left out"],
        ["B2", "left_knee", "by the layout's names"],
        ["B3", "right_knee", "by the layout's names"],
    ]


def test_the_joints_of_a_file_without_names_are_shown_by_position(tmp_path, capsys):
    path = tmp_path / "body.npy"
    np.save(path, np.zeros((5, 136, 2)))
    words = ["info", str(path), "--joints", "--fps", "30", "--unit", "pixel", "--layout", "halpe136"]
    assert main(words) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-26].split(maxsplit=2) == ["0", "nose", "by position"]
    assert shown[-1].split(maxsplit=2) == ["25", "right_heel", "by position"]
