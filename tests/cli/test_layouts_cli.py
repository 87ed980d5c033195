"""Layouts and joint names on the command line: what conversions say and refuse, mappings, tables, drawings."""

import numpy as np

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
