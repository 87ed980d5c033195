"""Kinetics-skeleton: scores of 0 are missing, people are followed, label and split facts, broken JSON, real files."""

import numpy as np
import pytest
from helpers import read_json, write_json

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format, read


READER = DATASETS["kinetics-skeleton"]


def person(x: float, score=None) -> dict:
    """Joint j at (x + j / 1000, j / 100), seen with score 0.5."""
    pose = [[round(x + joint / 1000, 3), joint / 100] for joint in range(18)]
    return {"pose": sum(pose, []), "score": [0.5] * 18 if score is None else score}


def clip(*frames, first: int = 1, label_index=83, **changes) -> dict:
    data = [{"frame_index": first + index, "skeleton": list(people)} for index, people in enumerate(frames)]
    return {"data": data, "label": "cutting watermelon", "label_index": label_index, **changes}


@pytest.fixture
def write(tmp_path):
    def write(content, name: str = "abcdefghijk", folder: str = "kinetics_train"):
        return write_json(tmp_path / folder / f"{name}.json", content)

    return write


def test_joints_axes_and_scores_stay_in_place_and_score_0_is_missing(write):
    score = [0.1 * (joint % 3) for joint in range(18)]
    (found,) = read(write(clip([person(0.2, score)], [])))
    assert (found.layout.name, found.fps, found.unit) == ("openpose-18", 30.0, "normalised")
    assert found.keypoints.shape == (1, 2, 18, 2)
    assert found.joint_mask[0, 0].tolist() == [joint % 3 > 0 for joint in range(18)]
    np.testing.assert_allclose(found.keypoints[0, 0, 17], [0.217, 0.17], rtol=1e-6)
    np.testing.assert_allclose(found.confidence[0, 0], score, rtol=1e-6)
    assert not found.confidence[0, 1].any() and not found.joint_mask[0, 1].any()


def test_people_keep_their_place_when_the_detections_change_order(write):
    frames = [[person(0.1 + t / 100), person(0.7)][:: 1 if t % 2 else -1] for t in range(6)]
    (found,) = read(write(clip(*frames)))
    assert found.num_people == 2
    starts = sorted(found.keypoints[:, :, 0, 0].tolist())
    np.testing.assert_allclose(starts[0], 0.1 + np.arange(6) / 100, rtol=1e-5)
    np.testing.assert_allclose(starts[1], [0.7] * 6, rtol=1e-6)


def test_more_than_five_people_are_all_read(write):
    (found,) = read(write(clip(*[[person(row / 10) for row in range(7)]] * 3)))
    assert found.keypoints.shape == (7, 3, 18, 2)
    np.testing.assert_allclose(sorted(found.keypoints[:, 1, 0, 0]), np.arange(7) / 10, atol=1e-6)


def test_numbers_left_out_are_empty_frames_and_an_empty_clip_has_nobody(write):
    content = clip([person(0.2)], [person(0.2)])
    content["data"][1]["frame_index"] = 4
    (found,) = read(write(content))
    assert found.joint_mask[0, :, 0].tolist() == [True, False, False, True]
    assert read(write(clip([], [], [])))[0].keypoints.shape == (0, 3, 18, 2)


@pytest.mark.parametrize("folder, setup", [("kinetics_train", 1), ("kinetics_val", 0), ("other", None)])
def test_facts(write, folder, setup):
    path = write(clip([]), "kinetics_skeleton_-0BveUV52cM", folder)
    facts = READER.annotate(path)
    assert (facts.label, facts.setup, facts.clip_id) == (83, setup, "-0BveUV52cM")
    assert READER.class_names[83] == "cutting watermelon"
    assert find_format(path).name == "kinetics-skeleton"


def test_there_are_400_classes_in_alphabetical_order():
    names = READER.class_names
    assert len(set(names)) == len(names) == 400
    assert sorted(names, key=str.lower) == sorted(names, key=names.index)


def test_label_lists_are_no_clips_and_folders_are_splits(write, tmp_path):
    write(clip([person(0.2)]), "a")
    write(clip([person(0.2)]), "b", "kinetics_val")
    (tmp_path / "kinetics_val_label.json").write_text('{"b": {"has_skeleton": true}}')
    with pytest.warns(UserWarning, match="no clip of 399 of 400 classes"):
        splits = build_dataset("kinetics-skeleton", tmp_path, "official", strict=True)
    assert (splits["train"]["clip_id"][:], splits["test"]["clip_id"][:]) == (["a"], ["b"])


def broken(change):
    content = clip([person(0.2)], [person(0.2)])
    change(content)
    return content


@pytest.mark.parametrize(
    "change, place",
    [
        (lambda c: c.pop("data"), "JSON: expected an object with 'data'"),
        (lambda c: c.update(data=[]), "data: the clip has no frames"),
        (lambda c: c.update(data=[1]), r"data\[0\]: expected an object"),
        (lambda c: c["data"][1].update(frame_index=1), "frame_index: expected increasing whole numbers"),
        (lambda c: c["data"][1].update(frame_index="2"), "frame_index: expected increasing whole numbers"),
        (lambda c: c["data"][1].update(frame_index=10**8), "frame_index: 2 frames are numbered"),
        (lambda c: c["data"][1].update(skeleton=None), r"data\[1\].skeleton: expected a list"),
        (lambda c: c["data"][1].update(skeleton=[person(0)] * 257), r"frame 1: expected at most 256 people"),
        (lambda c: c["data"][0]["skeleton"][0]["pose"].pop(), r"data\[0\].skeleton\[0\]: expected 36 numbers"),
        (lambda c: c["data"][0]["skeleton"][0].pop("score"), r"data\[0\].skeleton\[0\]: expected 36 numbers"),
    ],
)
def test_broken_content_is_named(write, change, place):
    path = write(broken(change))
    with pytest.raises(ValueError, match=place) as caught:
        READER.read(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


@pytest.mark.parametrize("label", [-1, 400, "83", None, True])
def test_unknown_labels_are_named(write, label):
    with pytest.raises(ValueError, match="label_index: expected a class in 0..399"):
        READER.annotate(write(clip([], label_index=label)))


# The real files.


@pytest.mark.parametrize(
    "name, label",
    [("sAP-xS5P0Bw", "motorcycling"), ("kkwHdOvpCoc", "cutting watermelon"), ("-0BveUV52cM", "smoking hookah")],
)
def test_real_clips_hold_every_seen_joint_once(unzipped, name, label):
    path = unzipped("data/ntu_and_kinetics_samples.zip") / "samples" / f"kinetics_skeleton_{name}.json"
    content = read_json(path)
    (found,) = read(path)
    scores = np.array([seen for frame in content["data"] for each in frame["skeleton"] for seen in each["score"]])
    assert found.num_frames == len(content["data"])
    assert found.joint_mask.sum() == (scores > 0).sum() > 0
    np.testing.assert_allclose(found.confidence.sum(), scores.sum(), rtol=1e-4)
    assert np.nanmin(found.keypoints) > 0 and np.nanmax(found.keypoints) <= 1
    facts = READER.annotate(path)
    assert READER.class_names[facts.label] == label == content["label"]
    shown = np.isfinite(found.keypoints[..., 0]).any(axis=2).sum(axis=0)
    assert shown.tolist() == [sum(max(each["score"]) > 0 for each in frame["skeleton"]) for frame in content["data"]]
