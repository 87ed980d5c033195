"""PKU-MMD: two bodies a line, actions from a label file beside or in a sibling folder, splits. Made by hand."""

import zipfile

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.pku_mmd import read_segments
from motionhub.data.datasets.reading import find_format, read


READER = DATASETS["pku-mmd"]


def lines_of(points: np.ndarray, second: np.ndarray | None = None, separator: str = " ") -> str:
    """`(frames, 25, 3)` of one body, or of two."""
    other = np.zeros_like(points) if second is None else second
    rows = np.concatenate([points.reshape(len(points), 75), other.reshape(len(points), 75)], axis=1)
    return "\n".join(separator.join(map(repr, row)) for row in rows.tolist()) + "\n"


@pytest.fixture
def write(tmp_path, points):
    def write(name: str = "0002-L.skeleton", text: str | None = None, folder: str = "skeleton"):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(lines_of(points(6, 25)) if text is None else text)
        return path

    return write


def test_one_body_stays_in_place_and_the_absent_one_is_left_out(write, points):
    (clip,) = read(write())
    assert find_format(write("recording.dat")).name == "pku-mmd"
    assert (clip.layout.name, clip.fps, clip.unit, clip.track_ids) == ("ntu-25", 30.0, "metre", (0,))
    np.testing.assert_array_equal(clip.keypoints[0], points(6, 25).astype(np.float32))


def test_two_bodies_and_lost_joints(write, points):
    second = points(6, 25) + 5
    second[:3] = 0
    second[4, 7] = 0
    (clip,) = read(write(text=lines_of(points(6, 25), second)))
    assert clip.track_ids == (0, 1)
    np.testing.assert_array_equal(clip.keypoints[1, 5], second[5].astype(np.float32))
    missing = np.argwhere(~clip.joint_mask).tolist()
    assert len(missing) == 76 and [1, 4, 7] in missing
    assert read(write(text=lines_of(np.zeros((4, 25, 3)))))[0].keypoints.shape == (0, 4, 25, 3)


@pytest.mark.parametrize("separator", [",", " ", ", "])
@pytest.mark.parametrize("name, folder", [("0002-L.label", "skeleton"), ("0002-L.txt", "Label_PKUMMD")])
def test_actions_come_from_the_label_file_beside_or_next_door(write, separator, name, folder):
    lines = [(51, 4, 5, 2), (3, 1, 2, 1)]
    labels = write(name, "\n".join(separator.join(map(str, line)) for line in lines) + "\n", folder)
    facts = READER.annotate(write())
    assert facts.frame_labels == (0, 3, 3, 0, 51, 51)
    assert (facts.label, facts.camera, facts.setup, facts.clip_id) == (None, 0, None, "0002-L")
    assert read_segments(labels) == lines


def test_the_action_that_starts_later_holds_and_the_end_is_cut(write):
    write("0002-L.label", "7,2,9,2\n5,0,3,2\n")
    assert READER.annotate(write()).frame_labels == (5, 5, 7, 7, 7, 7)


@pytest.mark.parametrize(
    "text, place",
    [
        ("1,2,3\n", "line 1: expected 4 whole numbers"),
        ("1,2,3,2\n1,b,3,2\n", "line 2: expected 4 whole numbers"),
        ("52,2,3,2\n", "line 1: expected a label in 1..51"),
        ("5,4,3,2\n", "line 1: expected a label in 1..51 and start <= end"),
    ],
)
def test_broken_label_files_are_named(write, text, place):
    write("0002-L.label", text)
    with pytest.raises(ValueError, match=f"0002-L.label: {place}") as caught:
        READER.annotate(write())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, place",
    [
        (lambda text: "\n", "content: the recording has no frames"),
        (lambda text: text.replace(" ", " 1.0 ", 1), "line 1: expected 150 numbers, got 151"),
        (lambda text: text[: len(text) - 300], "line 6: expected 150 numbers"),
        (lambda text: text.replace("1.0", "x", 1), "line 1: expected 150 numbers, got"),
    ],
)
def test_broken_recordings_are_named(write, points, change, place):
    with pytest.raises(ValueError, match=place) as caught:
        READER.read(write(text=change(lines_of(points(6, 25)))))
    assert "\n" not in str(caught.value) and "0002-L" in str(caught.value)


def test_recordings_without_labels_or_names_are_one_line(write):
    with pytest.raises(ValueError, match="labels: expected 0002-L.label or .txt"):
        READER.annotate(write())
    with pytest.raises(ValueError, match="name: expected NNNN-V.skeleton"):
        READER.annotate(write("recording.skeleton"))


LIST = "Training videos: \n0002-L, 0002-M, 0002-R\n\nValidataion videos:\n0003-L, 0003-M, 0003-R, \n"


@pytest.mark.filterwarnings("ignore:pku-mmd")
def test_folders_and_zips_become_splits_and_label_files_are_no_clips(write, tmp_path):
    for number in (2, 3):
        for view in "LMR":
            write(f"000{number}-{view}.txt")
            write(f"000{number}-{view}.txt", "1,0,1,2\n", "labels")
    (tmp_path / "cross-subject.txt").write_text(LIST)
    archive = tmp_path / "pku.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for path in [*tmp_path.rglob("*.txt")]:
            content.write(path, path.relative_to(tmp_path))
    for root in (tmp_path, archive):
        splits = build_dataset("pku-mmd", root, "xsub", strict=True)
        assert splits["test"]["clip_id"][:] == ["0003-L", "0003-M", "0003-R"]
        splits = build_dataset("pku-mmd", root, "xview", strict=True)
        assert splits["test"]["clip_id"][:] == ["0002-L", "0003-L"]
        assert splits["train"][0]["frame_labels"] == [1, 1, 0, 0, 0, 0]


def test_a_list_without_headings_is_refused(write, tmp_path):
    write("0002-L.label", "1,0,1,2\n")
    (tmp_path / "cross-subject.txt").write_text("0002-L\n")
    with pytest.raises(ValueError, match="cross-subject.txt: content: expected names"):
        READER.annotate(write())


def test_recordings_that_no_list_names_are_in_no_split():
    rows = [{"setup": setup, "camera": camera} for setup, camera in ((1, 1), (0, 0), (-1, 2))]
    assert get_protocol("pku-mmd", "xsub").assign(rows) == ["train", "test", None]
    assert get_protocol("pku-mmd", "xview").assign(rows) == ["train", "test", "train"]


def test_there_are_51_actions_and_background():
    assert len(READER.class_names) == len(set(READER.class_names)) == 52
    assert list(READER.class_names[1:]) == sorted(READER.class_names[1:])
