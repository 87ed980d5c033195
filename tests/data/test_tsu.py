"""Toyota Smarthome Untrimmed: actions that overlap, by frame; two lists; LCR-Net's JSON and the tools' archives."""

import json
import shutil

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.reading import find_format, read
from motionhub.data.datasets.timed_actions import TimedActions, segments_of_actions
from motionhub.skeletons.rows import classes_of, frame_labels_of, segments_of


FLAT, SOLID = DATASETS["tsu"], DATASETS["tsu-3d"]
VIDEO = "P11T13C03"
# Ten frames: Walk in 3..6 (both ends excluded), Read in 5..8, and one between two frames.
ENTRY = {"subset": "training", "duration": 10, "actions": [[1, 2, 7], [19, 4, 9], [50, 3, 4]]}


def person(x: float) -> dict:
    joint = np.arange(13)
    flat = np.stack([x + joint, 100 + joint]).ravel().tolist()
    solid = np.stack([np.full(13, x / 100), joint / 10, 3.0 + joint]).ravel().tolist()
    return {"pose2d": flat, "pose3d": solid}


@pytest.fixture
def write(tmp_path):
    def write(name=f"{VIDEO}.json", frames=10, cs=None, cv=None, entry=ENTRY):
        poses = tmp_path / "poses"
        poses.mkdir(exist_ok=True)
        for key, content in (("CS", {VIDEO: entry} if cs is None else cs), ("CV", cv)):
            if content is not None:
                (tmp_path / f"smarthome_{key}_51.json").write_text(json.dumps(content))
        (poses / name).write_text(json.dumps({"frames": [[person(50 + time)] for time in range(frames)]}))
        return poses / name

    return write


def test_frames_strictly_between_start_and_end_have_the_action():
    timed = TimedActions(True, 10, ((1, 2, 7), (19, 4, 9), (50, 3, 4), (2, -5, 0.5), (3, 8, 99)))
    assert segments_of_actions(timed, 10) == ((1, 3, 7), (19, 5, 9), (2, 0, 1), (3, 9, 10))


def test_frames_are_spread_over_the_duration_as_the_published_rule_says():
    generator = np.random.default_rng(0)
    for num_frames, duration in ((7, 10.0), (34520, 34519), (100, 12.34)):
        start, end = sorted(generator.uniform(0, duration, 2))
        fps = num_frames / duration
        expected = [frame for frame in range(num_frames) if frame / fps > start and frame / fps < end]
        ((_, first, after),) = segments_of_actions(TimedActions(True, duration, ((0, start, end),)), num_frames)
        assert list(range(first, after)) == expected


def test_actions_overlap_and_facts_come_from_lists_and_name(write):
    other = {**ENTRY, "subset": "testing"}
    path = write(cv={VIDEO: other})
    facts = FLAT.annotate(path)
    assert facts.segments == ((1, 3, 7), (19, 5, 9))
    assert (facts.label, facts.subject, facts.camera, facts.setup) == (None, 11, 3, 12)
    assert facts.clip_id == VIDEO and facts.frame_labels is None
    rows = [{"label": -1, "setup": facts.setup}]
    assert [get_protocol("tsu", name).assign(rows)[0] for name in ("cs", "cv")] == ["train", "test"]


def test_one_list_is_enough_and_the_other_protocol_leaves_the_clip_out(write):
    facts = FLAT.annotate(write())
    rows = [{"label": -1, "setup": facts.setup}]
    assert [get_protocol("tsu", name).assign(rows)[0] for name in ("cs", "cv")] == ["train", None]


def test_image_and_space_are_two_readers_of_one_file(write):
    path = write()
    (flat,), (solid,) = read(path), SOLID.read(path)
    assert find_format(path).name == "tsu"
    assert (flat.layout.name, flat.unit, flat.image_size, flat.fps) == ("lcrnet-13", "pixel", (640, 480), 20.0)
    assert flat.keypoints[0, 4, 12].tolist() == [66, 112]
    np.testing.assert_allclose(solid.keypoints[0, 0, 12], [0.5, 1.2, 15])


def test_built_rows_hold_the_classes_of_every_frame(write):
    path = write()
    row = build_dataset("tsu", path.parent.parent)["full"][0]
    assert segments_of(row) == [(1, 3, 7), (19, 5, 9)] and classes_of(row) == {1, 19}
    labels = frame_labels_of(row, num_classes=51)
    assert labels.shape == (10, 51) and labels.sum() == 8
    assert np.flatnonzero(labels[5]).tolist() == [1, 19] and not labels[[0, 1, 2, 9]].any()


def test_the_tools_archive_has_the_13_joints_back(shared, write, tmp_path):
    source = shared("data/WatchTV_p02_r03_v05_c05_LCRNet2d.npz")
    write()
    (tmp_path / "poses" / f"{VIDEO}.json").unlink()
    path = tmp_path / "poses" / f"{VIDEO}_LCRNet2d.npz"
    shutil.copy(source, path)
    official = np.load(source)["kpts"]
    (clip,) = FLAT.read(path)
    assert clip.layout.name == "lcrnet-13" and clip.keypoints.shape == (1, 1379, 13, 2)
    # LCR-Net's order (13.4): right before left from the ankles up, the head last; COCO's is left before right.
    order = [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 0]
    expected = np.where((official == 0).all(-1, keepdims=True), np.nan, official)[:, order]
    np.testing.assert_array_equal(clip.keypoints[0], expected)
    ((label, first, after), *_) = FLAT.annotate(path).segments
    assert (label, first, after) == (1, 276, 966)  # 1,379 frames over a duration of 10: 2 < time < 7
    assert FLAT.is_clip(path)
    with pytest.raises(ValueError, match="poses in the image only"):
        SOLID.read(path)
    write()
    assert not FLAT.is_clip(path)  # the JSON beside it says more


def test_an_archive_of_another_estimator_is_refused(shared, tmp_path):
    path = tmp_path / f"{VIDEO}_LCRNet2d.npz"
    shutil.copy(shared("data/WatchTV_p02_r03_v05_c05_Alphapose2d.npz"), path)
    with pytest.raises(ValueError, match="not LCR-Net's poses"):
        FLAT.read(path)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"entry": {**ENTRY, "duration": 0}}, "expected a duration above 0, got 0"),
        ({"entry": {**ENTRY, "duration": "10"}}, "expected a duration above 0"),
        ({"entry": {**ENTRY, "subset": "train"}}, "expected a subset of"),
        ({"entry": {**ENTRY, "actions": [[51, 1, 2]]}}, r"action 0: expected a class in 0\.\.50, got 51"),
        ({"entry": {**ENTRY, "actions": [[1, 2, 3], [5, 4, 3]]}}, "action 1: expected start <= end"),
        ({"entry": {**ENTRY, "actions": [[1, 2]]}}, r"expected \[class, start, end\]"),
        ({"entry": {**ENTRY, "actions": [[1, 2, float("nan")]]}}, r"expected \[class, start, end\]"),
        ({"entry": {**ENTRY, "actions": [[1, 2, 10**400]]}}, r"expected \[class, start, end\]"),
        ({"entry": {**ENTRY, "duration": 10**400}}, "expected a duration above 0"),
        ({"entry": {**ENTRY, "actions": None}}, "expected a list of actions"),
        ({"entry": []}, "expected an object"),
        ({"cs": []}, "expected an object, got"),
        ({"cs": {"P01T01C01": ENTRY}}, f"{VIDEO} is in none of"),
        ({"cv": {VIDEO: {**ENTRY, "duration": 11}}}, "tell different actions"),
        ({"frames": 0}, "expected a non-empty list of frames"),
    ],
)
def test_broken_lists_are_one_line(write, changes, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        FLAT.annotate(write(**changes))
    assert "\n" not in str(caught.value)


def test_missing_lists_and_names_are_one_line(write, tmp_path):
    path = write()
    (tmp_path / "smarthome_CS_51.json").unlink()
    with pytest.raises(ValueError, match="labels: expected smarthome_CS_51.json or smarthome_CV_51.json"):
        FLAT.annotate(path)
    with pytest.raises(ValueError, match="name: expected PppTttCcc"):
        FLAT.annotate(write("P1T13C03.json"))


def test_there_are_51_classes_and_the_traps_of_their_order():
    assert len(FLAT.class_names) == len(set(FLAT.class_names)) == 51
    assert [FLAT.class_names[number] for number in (0, 19, 25, 50)] == ["Enter", "Read", "Sit_down", "Pour.From_can"]
