"""Toyota Smarthome: names carry the facts, image or space, three protocols and their class orders. Made by hand."""

import json

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.reading import find_format, read
from motionhub.data.datasets.smarthome import CV_CLASSES
from motionhub.data.datasets.splits import relabel


FLAT, SOLID = DATASETS["smarthome"], DATASETS["smarthome-3d"]


def person(x: float) -> dict:
    """All x, then all y, then all z: joint j at (x + j, 100 + j) pixels and (x / 100, j / 10, 3 + j)."""
    joint = np.arange(13)
    flat = np.stack([x + joint, 100 + joint]).ravel().tolist()
    solid = np.stack([np.full(13, x / 100), joint / 10, 3.0 + joint]).ravel().tolist()
    return {"pose2d": flat, "pose3d": solid, "cumscore": 3.5, "box": [1, 2, 3, 4]}


@pytest.fixture
def write(tmp_path):
    def write(name: str = "Cook.Cut_p03_r01_v07_c02", frames=None):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"frames": [[person(50)], [], [person(51)]] if frames is None else frames}))
        return path

    return write


def test_image_and_space_are_two_readers_of_one_file(write):
    path = write()
    (flat,), (solid,) = read(path), SOLID.read(path)
    assert find_format(path).name == "smarthome"
    assert (flat.layout.name, flat.unit, flat.image_size, flat.fps) == ("lcrnet-13", "pixel", (640, 480), 20.0)
    assert (solid.layout.name, solid.unit, solid.keypoints.shape) == ("lcrnet-13", "metre", (1, 3, 13, 3))
    assert flat.keypoints[0, 2, 12].tolist() == [63, 112]
    np.testing.assert_allclose(solid.keypoints[0, 0, 12], [0.5, 1.2, 15])
    assert flat.joint_mask[0, :, 0].tolist() == solid.joint_mask[0, :, 0].tolist() == [True, False, True]


def test_three_people_in_a_frame_are_three_people(write):
    (clip,) = read(write(frames=[[person(50), person(250), person(450)]]))
    assert sorted(clip.keypoints[:, 0, 0, 0].tolist()) == [50, 250, 450]


def test_facts_come_from_the_name(write):
    facts = FLAT.annotate(write("WatchTV_p25_r00_v12_c07"))
    assert (facts.label, facts.subject, facts.camera, facts.setup) == (30, 25, 7, None)
    assert facts.clip_id == "WatchTV_p25_r00_v12_c07"


@pytest.mark.parametrize("name", ["Cook.Dance_p03_r01_v07_c02", "Cook.Cut_p3_r1_v7_c2", "clip"])
def test_names_that_tell_nothing_are_one_line(write, name):
    with pytest.raises(ValueError, match="name: expected") as caught:
        FLAT.annotate(write(name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "frames, place",
    [
        ([], "frames: expected a non-empty"),
        ([None], r"frames\[0\]"),
        ([[{"pose2d": [1] * 25, "pose3d": [1] * 39}]], r"frames\[0\]\[0\].pose2d: expected 26 numbers"),
        ([[{}]], r"frames\[0\]\[0\].pose2d"),
    ],
)
def test_broken_content_is_named(write, frames, place):
    with pytest.raises(ValueError, match=place) as caught:
        FLAT.read(write(frames=frames))
    assert "\n" not in str(caught.value) and "Cook.Cut_p03" in str(caught.value)


def rows_of(**facts):
    return [{"label": 5, "subject": 3, "camera": 1, **facts}]


def test_cross_subject_trains_on_eleven_performers():
    splits = [get_protocol("smarthome", "cs").assign(rows_of(subject=subject))[0] for subject in range(2, 26)]
    assert splits.count("train") == 11
    assert [splits[subject - 2] for subject in (2, 3, 4, 5, 25)] == ["test", "train", "train", "test", "train"]


@pytest.mark.parametrize(
    "protocol, expected",
    [
        ("cv1", ["train", "test", None, None, None, None, None]),
        ("cv2", ["train", "test", "train", "train", None, "train", "train"]),
    ],
)
def test_cross_view_tests_camera_2_on_nineteen_classes(protocol, expected):
    chosen = get_protocol("smarthome", protocol)
    assert [chosen.assign(rows_of(camera=camera))[0] for camera in range(1, 8)] == expected
    taking_part = [label for label in range(31) if chosen.assign(rows_of(label=label))[0]]
    assert len(taking_part) == len(CV_CLASSES) == 19
    assert {FLAT.class_names[label] for label in taking_part} == set(CV_CLASSES)


@pytest.mark.filterwarnings("ignore:smarthome")
def test_cross_view_numbers_swap_tablet_and_telephone(write):
    names = ("Usetelephone", "Usetablet", "Cutbread")
    for name in names:
        for camera in (1, 2):
            path = write(f"{name}_p03_r00_v01_c{camera:02d}")
    write("WatchTV_p03_r00_v01_c01")
    protocol = get_protocol("smarthome", "cv1")
    train = build_dataset("smarthome", path.parent, "cv1")["train"]
    assert dict(zip(train["clip_id"], train["label"], strict=True)) == {
        f"{name}_p03_r00_v01_c01": FLAT.class_names.index(name) for name in names
    }
    official = relabel(train, protocol)
    numbers = {clip.split("_")[0]: label for clip, label in zip(official["clip_id"], official["label"], strict=True)}
    assert numbers == {"Usetablet": 16, "Usetelephone": 17, "Cutbread": 0}
    assert official.features["label"].names == list(CV_CLASSES)
    assert official.column_names == train.column_names
    with pytest.raises(ValueError, match=r"Labels \[30\] take no part in protocol 'cv1'"):
        relabel(build_dataset("smarthome", path.parent)["full"], protocol)
    assert relabel(train, get_protocol("smarthome", "cs")) is train
