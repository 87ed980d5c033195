"""Frame mAP against hand-made rankings and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from motionhub.metrics.segmentation import frame_average_precision


def test_ranking_made_by_hand() -> None:
    # Class 0: positives at ranks 1 and 3 -> (1/1 + 2/3) / 2. Class 1: never on.
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.9], [0.6, 0.3]])
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 0]])
    report = frame_average_precision(scores, labels, ["sit", "stand"])
    assert report["frame_map"] == pytest.approx((1 + 2 / 3) / 2)
    assert report["absent_classes"] == ["stand"]
    assert report["per_class"][0] == {"name": "sit", "positives": 2, "average_precision": pytest.approx(5 / 6)}
    assert report["per_class"][1]["average_precision"] is None


def test_mean_leaves_absent_classes_out_where_scikit_learn_counts_zero() -> None:
    random = np.random.default_rng(0)
    scores, labels = random.normal(size=(200, 6)), (random.random((200, 6)) < 0.2).astype(int)
    full = frame_average_precision(scores, labels)["frame_map"]
    assert full == pytest.approx(average_precision_score(labels, scores, average="macro"))
    labels[:, 2] = 0
    rest = [0, 1, 3, 4, 5]
    expected = average_precision_score(labels[:, rest], scores[:, rest], average="macro")
    assert frame_average_precision(scores, labels)["frame_map"] == pytest.approx(expected)


def test_bad_input_is_an_error() -> None:
    good = np.array([[0.9], [0.1]]), np.array([[1], [0]])
    with pytest.raises(ValueError, match="NaN or infinite"):
        frame_average_precision(good[0] * np.nan, good[1])
    with pytest.raises(ValueError, match="0 or 1"):
        frame_average_precision(good[0], good[1] * 2)
    with pytest.raises(ValueError, match="No frame has a label"):
        frame_average_precision(good[0], good[1] * 0)
    with pytest.raises(ValueError, match="one shape"):
        frame_average_precision(good[0], good[1][:1])
