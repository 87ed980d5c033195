"""PoseCap-1M's arrangement: a table with sources and captions, merged classes, poses in over half of the frames."""

import json

import numpy as np
import pytest

from motionhub.data.build.build import collect_rows
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.posecap import pose_share
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


FLAT, SOLID = DATASETS["posecap"], DATASETS["posecap-3d"]
TABLE = (
    "file,label,source,caption,split\n"
    'k/a.json,making sushi,kinetics-700,"rolls rice\nin a kitchen",train\n'
    "k/b.json,making pizza,kinetics-700,,train\n"
    "c/c.json,jumping,cap,,test\n"
)
MERGING = (
    "source,label,class,description\n,making sushi,making food,prepares a meal|stands at the stove\n"
    ",making pizza,making food,\n"
)
MEAL = "prepares a meal\nstands at the stove"


def lcrnet(frames, shown):
    joint = np.arange(13.0)
    person = {
        "pose2d": np.stack([50 + joint, 100 + joint]).ravel().tolist(),
        "pose3d": np.stack([joint, joint / 10, 3 + joint]).ravel().tolist(),
    }
    return json.dumps({"frames": [[person] if time < shown else [] for time in range(frames)]})


@pytest.fixture
def root(tmp_path):
    for name, shown in (("k/a", 6), ("k/b", 5), ("c/c", 10)):
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(lcrnet(10, shown))
    (tmp_path / "posecap.csv").write_text(TABLE)
    (tmp_path / "label_merging.csv").write_text(MERGING)
    (tmp_path / "pose_options.json").write_text('{"fps": 25}')
    return tmp_path


@pytest.mark.parametrize("reader, dims, unit", [(FLAT, 2, "pixel"), (SOLID, 3, "metre")])
def test_clips_with_a_pose_in_over_half_of_the_frames_stay(root, reader, dims, unit):
    rows, broken = collect_rows(reader.name, root)
    assert not broken  # a clip that is left out is not broken
    assert [(row["clip_id"], row["num_dims"], row["unit"]) for row in rows] == [
        ("c/c.json", dims, unit),
        ("k/a.json", dims, unit),
    ]


def test_classes_merge_and_captions_fall_back_to_the_description(root):
    found = FLAT.at(root)
    assert (found.class_names, found.fps, found.layout) == (("making food", "jumping"), 25, "lcrnet-13")
    assert SOLID.at(root).unit == "metre"
    facts = {name: FLAT.annotate(root / f"{name}.json") for name in ("k/a", "k/b", "c/c")}
    assert [fact.label for fact in facts.values()] == [0, 0, 1]
    assert [fact.caption for fact in facts.values()] == ["rolls rice\nin a kitchen", MEAL, ""]
    assert [fact.setup for fact in facts.values()] == [1, 1, 0]
    # "making food" is in the table only, "jumping" in the library's vocabulary only.
    described = [fact.class_descriptions for fact in facts.values()]
    assert described[:2] == [MEAL, MEAL] and described[2].split("\n")[:2] == ["jump", "leap into the air"]
    assert [row["class_descriptions"] for row in collect_rows(FLAT.name, root)[0]] == [described[2], described[0]]


def test_without_a_merging_table_labels_stay(root):
    (root / "label_merging.csv").unlink()
    assert FLAT.at(root).class_names == ("jumping", "making pizza", "making sushi")


def test_the_share_counts_frames_with_any_joint_of_anybody():
    keypoints = np.full((2, 8, 13, 2), np.nan)
    keypoints[0, :2, 3] = 1
    keypoints[1, 1:4, 5] = 1
    keypoints[1, 6, 5, 0] = 1  # half a coordinate is no joint
    assert pose_share(SkeletonSequence(keypoints, get_layout("lcrnet-13"), 25, "pixel")) == 4 / 8
    nobody = SkeletonSequence(np.zeros((0, 8, 13, 2)), get_layout("lcrnet-13"), 25, "pixel")
    assert pose_share(nobody) == 0


def test_poses_of_other_dimensions_and_files_without_a_line_are_named(root):
    np.savez(root / "k" / "flat.npz", keypoints=np.ones((1, 4, 13, 2)), layout="lcrnet-13", unit="pixel")
    with pytest.raises(ValueError, match="has 2-D poses, expected 3-D; take the reader 'posecap'"):
        SOLID.read(root / "k" / "flat.npz")
    with pytest.raises(ValueError, match="posecap.csv does not name it"):
        FLAT.annotate(root / "k" / "flat.npz")
    assert not FLAT.is_clip(root / "k" / "flat.npz") and not FLAT.is_clip(root / "label_merging.csv")
    (root / "posecap.csv").unlink()
    for call in (FLAT.at, lambda folder: FLAT.annotate(folder / "k" / "a.json")):
        with pytest.raises(ValueError, match="expected posecap.csv"):
            call(root)


def test_parts_of_files_are_refused(root):
    (root / "posecap.csv").write_text("file,label,start_s,end_s\nk/a.json,x,0,1\n")
    with pytest.raises(ValueError, match="parts of files"):
        FLAT.annotate(root / "k" / "a.json")
