"""UI-PRMD: one archive of many clips, centimetres to metres, facts per clip, broken archives, the real set."""

import re
import warnings

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset, collect_rows
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.reading import find_format, read
from motionhub.skeletons.rows import from_row


READER = DATASETS["ui-prmd"]


@pytest.fixture
def write(tmp_path):
    def write(name: str = "uiprmd_kinect_s1.npz", **changes):
        frames = np.arange(5 * 22 * 3).reshape(5, 22, 3).astype(np.int16)
        content = {
            "frames": frames,
            "scale_cm": np.float64(0.05),
            "offsets": np.array([0, 2, 5]),
            "movement": np.array([1, 10]),
            "subject": np.array([3, 4]),
            "episode": np.array([7, 8]),
            "correct": np.array([True, False]),
        }
        path = tmp_path / name
        np.savez_compressed(path, **{key: value for key, value in (content | changes).items() if value is not None})
        return path

    return write


def error_of(call, path) -> str:
    with pytest.raises(ValueError) as caught:
        call(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    return str(caught.value)


def test_clips_are_cut_at_the_offsets_and_centimetres_become_metres(write):
    first, second = read(write())
    assert (first.layout.name, first.unit, first.fps) == ("ui-prmd-22", "metre", 30.0)
    assert (first.keypoints.shape, second.keypoints.shape) == ((1, 2, 22, 3), (1, 3, 22, 3))
    # Number 66 of the file is frame 1, joint 0, axis 0: 66 * 0.05 cm = 0.033 m.
    assert first.keypoints[0, 1, 0, 0] == np.float32(0.033)
    assert second.keypoints[0, 0, 0, 0] == np.float32(0.066)


def test_every_clip_has_its_own_facts(write):
    path = write()
    first, second = READER.facts_of(path)
    assert (first.label, first.subject, first.setup, first.clip_id) == (0, 3, 1, "m01_s03_e07_c")
    assert (second.label, second.subject, second.setup, second.clip_id) == (9, 4, 0, "m10_s04_e08_i")
    assert "holds 2 clips" in error_of(READER.annotate, path)
    assert find_format(path.rename(path.with_name("other.npz"))).name == "ui-prmd"


def test_rows_pair_clips_with_facts_from_file_or_folder(write):
    path = write()
    from_file, from_folder = (collect_rows("ui-prmd", root)[0] for root in (path, path.parent))
    for rows in (from_file, from_folder):
        assert [(row["clip_id"], row["num_frames"]) for row in rows] == [("m01_s03_e07_c", 2), ("m10_s04_e08_i", 3)]
        np.testing.assert_array_equal(from_row(rows[1]).keypoints, read(path)[1].keypoints)


@pytest.mark.parametrize(
    "changes, place",
    [
        ({"frames": np.zeros((5, 21, 3))}, "frames: expected shape"),
        ({"frames": np.array(["a"] * 5)}, "frames: expected numbers"),
        ({"frames": np.array([{}], dtype=object)}, "frames: .*pickled objects are refused"),
        ({"scale_cm": np.float64(-1)}, "scale_cm: expected one positive"),
        ({"scale_cm": np.ones(2)}, "scale_cm: expected one positive"),
        ({"offsets": np.array([0, 2, 6])}, "offsets: expected whole numbers that grow from 0"),
        ({"offsets": np.array([0, 3, 3, 5])}, "offsets: expected whole numbers that grow from 0"),
        ({"offsets": np.float64(5)}, "offsets: expected whole numbers that grow from 0"),
        ({"scale_cm": None}, r"arrays: expected .*'scale_cm'. are absent"),
    ],
)
def test_arrays_that_do_not_fit_are_named(write, changes, place):
    assert re.search(place, error_of(READER.read, write(**changes)))


@pytest.mark.parametrize(
    "changes, place", [({"movement": np.array([1, 11])}, "movement"), ({"correct": np.ones(3, bool)}, "correct")]
)
def test_facts_that_do_not_fit_are_named(write, changes, place):
    assert f"{place}: expected" in error_of(READER.facts_of, write(**changes))


def test_damaged_archives_and_bombs_are_one_line(write):
    path = write()
    content = path.read_bytes()
    for length in np.linspace(1, len(content) - 1, 12, dtype=int):
        path.write_bytes(content[:length])
        error_of(READER.read, path)
    for position in range(30, len(content), max(1, len(content) // 60)):
        flipped = bytearray(content)
        flipped[position] ^= 16
        path.write_bytes(flipped)
        try:
            assert len(READER.read(path)) == len(READER.facts_of(path))
        except ValueError as error:
            assert "\n" not in str(error) and path.name in str(error)
    path = write(frames=np.zeros((2**18, 22, 3), np.int8))
    assert path.stat().st_size < 2**17
    assert "unpacks from" in error_of(READER.read, path)


def test_one_subject_tests_and_all_others_train():
    rows = [{"subject": subject} for subject in (1, 2, 3, -1)]
    assert get_protocol("ui-prmd", "leave-out-subject-2").assign(rows) == ["train", "test", "train", None]
    assert get_protocol("ui-prmd", "cross-subject").assign(rows) == ["train", "test", "train", None]


# The real file.


def test_real_set_has_every_movement_and_people_of_human_size(shared):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits = build_dataset("ui-prmd", shared("data/uiprmd_kinect_s1-7.npz"), "cross-subject")
    assert (len(splits["train"]), len(splits["test"])) == (800, 600)
    assert np.bincount(splits["train"]["label"]).tolist() == [80] * 10
    assert sum(splits["train"]["setup"]) == 400
    row = splits["train"][0]
    clip = from_row(row)
    assert (row["clip_id"], clip.num_frames) == ("m01_s01_e01_c", 73)
    np.testing.assert_allclose(clip.keypoints[0, 0, 0], [-0.035, 0.856, -2.359], atol=1e-6)
    height = (
        clip.keypoints[0, 0, clip.layout.index("head"), 1] - clip.keypoints[0, 0, clip.layout.index("left_ankle"), 1]
    )
    assert 1.3 < height < 1.9
