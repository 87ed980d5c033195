"""PRECOG: an action per frame beside the joints, broken lines, the real set through to a loaded dataset."""

import warnings

import numpy as np
import pytest
from datasets import load_dataset

from motionhub.data.build.build import save_dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.precog import COLUMNS
from motionhub.data.datasets.reading import find_format, read
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import frame_labels_of, from_row


READER = DATASETS["precog"]
ACTIONS = [0, 0, 3, 8]


def csv_of(points, actions=ACTIONS) -> str:
    lines = [";".join(" ".join(map(repr, joint)) for joint in frame) for frame in points.tolist()]
    return (
        "\n".join(["; ".join(COLUMNS), *(f"{line};{action}" for line, action in zip(lines, actions, strict=True))])
        + "\n"
    )


@pytest.fixture
def write(tmp_path, points):
    def write(text: str | None = None, name: str = "Seq5_2"):
        path = tmp_path / f"{name}.csv"
        path.write_text(csv_of(points(4)) if text is None else text)
        return path

    return write


def test_joints_stay_in_place_and_every_frame_has_its_action(write, points):
    (clip,) = read(write())
    assert (clip.layout.name, clip.fps, clip.unit) == ("kinect-20", 30.0, "metre")
    np.testing.assert_array_equal(clip.keypoints[0], points(4).astype(np.float32))
    facts = READER.annotate(write())
    assert (facts.label, facts.subject, facts.setup, facts.clip_id) == (None, 2, 5, "Seq5_2")
    assert facts.frame_labels == tuple(ACTIONS)


def test_the_header_names_the_joints_of_the_layout_in_order():
    words = {"hip": "mid_hip", "shoulder": "shoulder_centre"}
    for name, joint in zip(COLUMNS, get_layout(READER.layout).joints, strict=True):
        for side in ("Left", "Right"):
            if name.endswith(side):
                name = f"{side}_{name.removesuffix(side)}"
        name = name.lower().removesuffix("centre").removesuffix("center")
        assert words.get(name, name) == joint


def test_content_is_recognised_whatever_the_name_and_the_byte_order_mark(write, points, tmp_path):
    path = tmp_path / "recording.txt"
    path.write_text("\ufeff" + csv_of(points(4)))
    assert find_format(path).name == "precog"
    assert read(path)[0].num_frames == 4


@pytest.mark.parametrize(
    "change, place",
    [
        (lambda text: text.replace("Spine", "Neck", 1), "line 1: expected the joints HipCenter"),
        (lambda text: text.splitlines()[0], "content: the sequence has no frames"),
        (lambda text: text.replace(";8\n", ";9\n"), "line 5: expected an action 0..8"),
        (lambda text: text.replace(";8\n", "\n"), "line 5: expected 20 joints and an action between semicolons"),
        (lambda text: text.replace(";3\n", ";\n"), "line 4: expected an action"),
        (lambda text: text.replace("1.0 ", "x ", 1), "line 2: expected the numbers x y z"),
        (lambda text: text.replace("1.0 ", "", 1), "line 2: expected the numbers x y z"),
    ],
)
def test_broken_lines_are_named(write, points, change, place):
    path = write(change(csv_of(points(4))))
    for call in (READER.read, READER.annotate):
        with pytest.raises(ValueError, match=place) as caught:
            call(path)
        assert "\n" not in str(caught.value) and path.name in str(caught.value)


def test_a_name_that_tells_nothing_is_one_line(write):
    with pytest.raises(ValueError, match="name: expected SeqN_S.csv"):
        READER.annotate(write(name="Sequence"))


# The real set.


def test_real_sequence_has_the_numbers_of_its_first_line(unzipped):
    path = unzipped("data/precog2016_s1-8.zip") / "precog2016" / "Seq1_1.csv"
    (clip,) = read(path)
    assert clip.keypoints.shape == (1, 232, 20, 3)
    np.testing.assert_allclose(clip.keypoints[0, 0, 3], [0.1686229, 0.5856628, 2.961215], rtol=1e-6)
    labels = np.array(READER.annotate(path).frame_labels)
    assert len(labels) == 232 and len(np.unique(labels)) == 6  # five actions and background


def test_real_set_is_saved_and_loaded_with_its_frame_labels(shared, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = save_dataset("precog", shared("data/precog2016_s1-8.zip"), tmp_path / "precog")
    card = (folder / "README.md").read_text()
    assert "## Frames per class and split" in card
    assert "| background | 3190 |" in card and "| action 8 | 287 |" in card and "| total | 12269 |" in card
    rows = load_dataset(str(folder), "leave-out-subject-3", split="test", cache_dir=str(tmp_path / "cache"))
    assert sorted(rows["clip_id"]) == [f"Seq{number}_3" for number in range(1, 7)]
    for row in rows:
        labels = frame_labels_of(row, num_classes=9)
        assert row["label"] == -1
        assert labels.shape == (from_row(row).num_frames, 9) and (labels.sum(axis=1) == 1).all()
