"""Single-shot cross-view: one camera trains, all test; the numbers of a world where the answer is known."""

import numpy as np
import pytest
from datasets import Dataset

from motionhub.training.tasks.single_shot import single_shot


def rows(cameras, labels, marks) -> Dataset:
    return Dataset.from_dict({"camera": cameras, "label": labels, "mark": marks})


# Camera 0 shows what a clip is by its mark; camera 1 shows the marks exchanged, and never class 2.
TRAIN = rows([0] * 6 + [1] * 4, [0, 0, 1, 1, 2, 2, 0, 0, 1, 1], [0, 0, 1, 1, 2, 2, 1, 1, 0, 0])
TEST = rows([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [0, 1, 2, 1, 0])


def by_mark(given: Dataset) -> np.ndarray:
    named = dict(zip(given["mark"], given["label"], strict=True))
    return np.array([named.get(mark, -1) for mark in TEST["mark"]])


def test_each_camera_is_judged_on_all_and_on_itself():
    report = single_shot(TRAIN, TEST, by_mark, camera_names={0: "front"})
    front, other = report["cameras"]["front"], report["cameras"]["1"]
    assert front == {"top1": 0.6, "top1_known": 0.6, "same_camera": 1.0, "other_cameras": 0.0, "num_clips": 6}
    assert other == {"top1": 0.4, "top1_known": 0.5, "same_camera": 1.0, "other_cameras": 0.0, "num_clips": 4}
    assert report["top1"] == pytest.approx(0.5) and report["top1_known"] == pytest.approx(0.55)


def test_unknown_cameras_labels_and_wrong_predictions_are_errors():
    with pytest.raises(ValueError, match="1 of 1 clips of train_dataset"):
        single_shot(rows([-1], [0], [0]), TEST, by_mark)
    with pytest.raises(ValueError, match="1 of 1 clips of test_dataset"):
        single_shot(TRAIN, rows([0], [-1], [0]), by_mark)
    with pytest.raises(ValueError, match="a class for 5 test clips"):
        single_shot(TRAIN, TEST, lambda given: np.zeros(2))
    with pytest.raises(ValueError, match="no clips"):
        single_shot(TRAIN, TEST.select([]), by_mark)
