"""Charades: poses of the user's own, named by video, and actions in seconds."""

import numpy as np
import pytest
from helpers import write_json

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.skeletons.rows import frame_labels_of


READER = DATASETS["charades"]
# 20 frames over 4 seconds: 5 frames a second; class 3 in 1 < time < 2, class 156 beyond the end of the video.
ENTRY = {"subset": "training", "duration": 4.0, "actions": [[3, 1.0, 2.0], [156, 3.5, 30.0], [7, 2.0, 1.0]]}


@pytest.fixture
def write(tmp_path):
    def write(video="001YG", entries=None, frames=20, options=True):
        if options:
            words = {"layout": "coco-17", "fps": 5, "unit": "pixel"}
            write_json(tmp_path / "pose_options.json", words)
        if entries is not False:
            write_json(tmp_path / "charades.json", {"001YG": ENTRY} if entries is None else entries)
        path = tmp_path / f"{video}.npz"
        np.savez(path, keypoints=np.ones((1, frames, 17, 2)) + np.arange(frames)[None, :, None, None])
        return path

    return write


def test_actions_are_in_seconds_strictly_inside_and_cut_at_the_end(write):
    facts = READER.annotate(write())
    # Frames 6..9 are at 1.2 to 1.8 s; frames 18, 19 at 3.6 and 3.8 s. The action that ends before it starts is no one.
    assert facts.segments == ((3, 6, 10), (156, 18, 20))
    assert (facts.label, facts.setup, facts.clip_id) == (None, 1, "001YG")


def test_videos_without_actions_are_in_all_videos_only(write):
    entries = {
        "AAAAA": {"subset": "testing", "duration": 4, "actions": []},
        "BBBBB": {"subset": "training", "duration": 4, "actions": [[0, 2, 1]]},
        "001YG": ENTRY,
    }
    setups = [READER.annotate(write(video, entries)).setup for video in entries]
    rows = [{"label": -1, "setup": setup} for setup in setups]
    assert get_protocol("charades", "official").assign(rows) == [None, None, "train"]
    assert get_protocol("charades", "all-videos").assign(rows) == ["test", "train", "train"]


def test_built_rows_hold_the_classes_of_every_frame_even_when_there_are_none(write):
    write(entries={"001YG": ENTRY, "AAAAA": {"subset": "testing", "duration": 4, "actions": []}})
    path = write("AAAAA", entries={"001YG": ENTRY, "AAAAA": {"subset": "testing", "duration": 4, "actions": []}})
    rows = list(build_dataset("charades", path.parent)["full"])
    assert [row["clip_id"] for row in rows] == ["001YG", "AAAAA"]
    assert [frame_labels_of(row, num_classes=157).sum() for row in rows] == [6, 0]
    assert rows[0]["layout"] == "coco-17" and rows[0]["fps"] == 5


def test_the_folder_tells_titles_and_layout(write):
    path = write()
    assert READER.at(path.parent).class_names[156] == "c156"
    lines = [f"c{number:03d} Title {number}" for number in range(157)]
    (path.parent / "Charades_v1_classes.txt").write_text("\n".join(lines))
    found = READER.at(path.parent)
    assert (found.class_names[3], found.layout, found.fps, found.unit) == ("Title 3", "coco-17", 5, "pixel")
    (path.parent / "Charades_v1_classes.txt").write_text("\n".join(lines[1:]))
    with pytest.raises(ValueError, match="expected 157 lines"):
        READER.at(path.parent)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"entries": False}, "expected charades.json"),
        ({"entries": {}}, "001YG is not in"),
        ({"entries": {"001YG": {**ENTRY, "duration": 0}}}, "expected a duration above 0"),
        ({"entries": {"001YG": {**ENTRY, "actions": [[157, 1, 2]]}}}, r"expected a class in 0\.\.156"),
    ],
)
def test_broken_lists_are_one_line(write, changes, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        READER.annotate(write(**changes))
    assert "\n" not in str(caught.value)


def test_what_a_pose_file_does_not_say_belongs_in_the_options(write, tmp_path):
    path = write(options=False)
    with pytest.raises(ValueError, match="the file does not state it; write it into pose_options.json") as caught:
        READER.read(path)
    assert "\n" not in str(caught.value) and "motionhub.read" not in str(caught.value)
    for content, reason in (
        ('{"fsp": 30}', "expected an object with some of the keys"),
        ('{"layout": "cocoa"}', "Unknown layout"),
        ('{"image_size": [640]}', r"expected \[width, height\]"),
        ('{"fps": 0}', "fps must be a positive number"),
        (f'{{"fps": 1{"0" * 400}}}', "too large"),
    ):
        (tmp_path / "pose_options.json").write_text(content)
        with pytest.raises(ValueError, match=f"pose_options.json: .*{reason}"):
            READER.read(path)


def test_a_folder_without_poses_says_what_they_are_called(tmp_path):
    with pytest.raises(ValueError, match="holds no pose file named by a video"):
        READER.at(tmp_path)
