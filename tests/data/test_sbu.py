"""SBU: two people of 15 joints in place, facts from the folders, the authors' folds, broken files, the real set."""

import warnings

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.reading import find_format, read
from motionhub.data.datasets.sbu import SBU_FOLDS


READER = DATASETS["sbu"]


def lines_of(values, first: int = 55) -> str:
    """`(frames, 2, 15, 3)` as published: a frame number that does not start at 1, then 90 numbers."""
    return "".join(f"{first + time},{','.join(map(repr, row.ravel().tolist()))}\n" for time, row in enumerate(values))


def known(frames: int = 3) -> np.ndarray:
    """frame + person / 10 + joint / 1000 + axis / 10000 + 1"""
    axes = np.meshgrid(np.arange(frames), np.arange(2), np.arange(15), np.arange(3), indexing="ij")
    return 1 + axes[0] + axes[1] / 10 + axes[2] / 1000 + axes[3] / 10000


@pytest.fixture
def write(tmp_path):
    def write(text: str | None = None, folders: str = "s03s04/06/002"):
        path = tmp_path / "sbu" / folders / "skeleton_pos.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines_of(known()) if text is None else text)
        return path

    return write


def test_people_frames_joints_and_axes_stay_in_place(write):
    (clip,) = read(write())
    assert (clip.layout.name, clip.fps, clip.unit, clip.track_ids) == ("kinect-15", 15.0, "normalised", (0, 1))
    np.testing.assert_array_equal(clip.keypoints, known().transpose(1, 0, 2, 3).astype(np.float32))
    assert find_format(write()).name == "sbu"


def test_a_joint_at_the_origin_is_missing_for_that_person_alone(write):
    values = known()
    values[1, 0, 4] = 0
    values[2, 1, 5, :2] = 0
    assert np.argwhere(~read(write(lines_of(values)))[0].joint_mask).tolist() == [[0, 1, 4]]


def test_facts_come_from_the_folders(write):
    facts = READER.annotate(write())
    assert (facts.label, facts.subject, facts.setup, facts.camera) == (5, 3, 4, None)
    assert facts.clip_id == "s03s04_06_002"


@pytest.mark.parametrize("folders", ["s03s04/09/001", "s03s04/00/001", "s3s4/01/001", "s03s04/01/1", "a/b/c"])
def test_folders_that_tell_nothing_are_one_line(write, folders):
    with pytest.raises(ValueError, match="skeleton_pos.txt: folders: expected") as caught:
        READER.annotate(write(folders=folders))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, place",
    [
        ("\n\n", "content: the recording has no frames"),
        ("1,2,3\n", "line 1: expected 91 numbers, got 3"),
        (lines_of(known()).replace("56,", "x,", 1), "line 2: expected 91 numbers"),
        (lines_of(known()).replace("56,", "60,", 1), "frame 60: expected frame numbers one apart"),
        (lines_of(known())[:-400], "line 3: expected 91"),
    ],
)
def test_broken_lines_are_named(write, text, place):
    with pytest.raises(ValueError, match=place) as caught:
        READER.read(write(text))
    assert "\n" not in str(caught.value)


def test_every_pair_is_in_one_fold_and_tests_once():
    pairs = [pair for fold in SBU_FOLDS for pair in fold]
    assert len(pairs) == len(set(pairs)) == 21
    rows = [{"subject": first, "setup": second} for first, second in [*pairs, (6, 5), (-1, -1)]]
    splits = [get_protocol("sbu", f"folds-test-{number}").assign(rows) for number in range(1, 6)]
    for index in range(21):
        assert sorted(each[index] for each in splits) == ["test"] + ["train"] * 4
    assert {each[index] for each in splits for index in (21, 22)} == {None}


# The real files.


def test_real_clip_has_the_numbers_of_its_first_line(unzipped):
    path = unzipped("data/sbu_folds1-4.zip") / "sbu" / "s01s02" / "01" / "001" / "skeleton_pos.txt"
    (clip,) = read(path)
    assert clip.keypoints.shape == (2, 45, 15, 3)
    np.testing.assert_array_equal(clip.keypoints[0, 0, 0], np.float32([0.21496, 0.32665, 1.7849]))
    np.testing.assert_array_equal(clip.keypoints[1, 0, 0], np.float32([0.71478, 0.42718, 1.7168]))
    np.testing.assert_array_equal(clip.keypoints[1, 0, 14], np.float32([0.67122, 1.1736, 1.7535]))


def test_real_clips_stand_upright_with_y_down_and_fill_four_folds(shared):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits = build_dataset("sbu", shared("data/sbu_folds1-4.zip"), "folds-test-1")
    assert (len(splits["train"]), len(splits["test"])) == (162, 55)  # 15 + 14 + 12 + 14 clips in the folders of fold 1
    labels = np.bincount(splits["train"]["label"]) + np.bincount(splits["test"]["label"])
    assert labels.tolist() == [32, 33, 32, 31, 13, 16, 29, 31]
    for row in splits["test"]:
        y = np.reshape(row["keypoints"], (2, -1, 15, 3))[..., 1]
        assert (np.median(y[:, :, 0], axis=1) + 0.3 < np.median(y[:, :, [11, 14]], axis=(1, 2))).all()
    with pytest.raises(ValueError, match="'folds-test-5' of 'sbu' leaves 'test' without"):
        build_dataset("sbu", shared("data/sbu_folds1-4.zip"), "folds-test-5")
