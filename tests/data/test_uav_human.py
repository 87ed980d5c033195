"""UAV-Human: NTU's text with 17 joints, facts from the long name, both protocols, broken files. Made by hand."""

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.reading import find_format, read


READER = DATASETS["uav-human"]
NAME = "P042S01G10B10H10UC022000LC021000A154R0_08241716"


def text_of(frames, joints: int = 17) -> str:
    """Frames of body id -> offset: joint j at (offset + j, offset + 2 j, 0.7), tracking state 2."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body_id, offset in bodies.items():
            lines += [f"{body_id} 0 1 1 1 1 0 0.1 -0.2 2", str(joints)]
            lines += [f"{offset + joint} {offset + 2 * joint} 0.7 0 0 0 0 0 0 0 0 2" for joint in range(joints)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = NAME):
        path = tmp_path / f"{name}.txt"
        path.write_text(text)
        return path

    return write


def test_bodies_joints_and_pixels_stay_in_place(write):
    path = write(text_of([{}, {7: 100}, {3: 500, 7: 110}]))
    (clip,) = read(path)
    assert find_format(path).name == "uav-human"
    assert (clip.layout.name, clip.unit, clip.image_size, clip.track_ids) == ("coco-17", "pixel", (1920, 1080), (7, 3))
    assert clip.keypoints.shape == (2, 3, 17, 2)
    assert clip.keypoints[0, 2, 5].tolist() == [115, 120]
    assert clip.keypoints[1, 2, 16].tolist() == [516, 532]
    assert clip.joint_mask[..., 0].tolist() == [[False, True, True], [False, False, True]]
    assert clip.confidence[..., 0].tolist() == [[0, 1, 1], [0, 0, 1]]


def test_a_joint_in_the_corner_is_missing(write):
    assert np.argwhere(~read(write(text_of([{1: 0}])))[0].joint_mask).tolist() == [[0, 0, 0]]


def test_facts_come_from_the_name(write):
    facts = READER.annotate(write(text_of([{}])))
    assert (facts.label, facts.subject, facts.setup, facts.camera, facts.clip_id) == (154, 42, 1, None, NAME)


@pytest.mark.parametrize("name", ["0000", NAME.replace("A154", "A155"), NAME.replace("P042", "Q042")])
def test_names_that_tell_nothing_are_one_line(write, name):
    with pytest.raises(ValueError, match="name: expected") as caught:
        READER.annotate(write(text_of([{}]), name))
    assert "\n" not in str(caught.value)


def test_both_protocols_test_30_of_119_performers():
    rows = [{"subject": subject, "label": 0} for subject in (*range(119), 119, -1)]
    for name, trains, tests in [
        ("csv1", (0, 42, 90, 118), (1, 9, 41, 113)),
        ("csv2", (0, 3, 97, 118), (1, 2, 98, 116)),
    ]:
        splits = get_protocol("uav-human", name).assign(rows)
        assert (splits.count("train"), splits.count("test"), splits[119:]) == (89, 30, [None, None])
        assert {splits[subject] for subject in trains} == {"train"}
        assert {splits[subject] for subject in tests} == {"test"}


@pytest.mark.filterwarnings("ignore:uav-human")
def test_a_folder_becomes_splits(write):
    write(text_of([{1: 10}]))
    path = write(text_of([{1: 10}]), NAME.replace("P042", "P001"))
    splits = build_dataset("uav-human", path.parent, "csv1", strict=True)
    assert splits["test"]["clip_id"][:] == [path.stem]
    assert splits["train"][0]["label"] == 154


def test_broken_files_name_the_line(write):
    good = text_of([{1: 10}])
    for text, place in [
        (text_of([{1: 10}], 25), "line 4: expected 17 joints, got 25"),
        (good[: len(good) // 2], "line "),
        ("9\n0\n", "line 1: the number of frames is 9"),
        (good.replace(" 0.7 ", " x ", 1), "line 5: expected the numbers x, y, z"),
    ]:
        with pytest.raises(ValueError, match=place) as caught:
            READER.read(write(text))
        assert "\n" not in str(caught.value) and NAME in str(caught.value)
