"""Classification metrics against hand-made tables and scikit-learn."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score

from motionhub.metrics.classification import classification_report, format_report, fuse_streams


# Rows: clips; the best column is the prediction: 0, 0, 1, 2, 2 for the labels 0, 1, 1, 2, 0.
LOGITS = np.array(
    [
        [5.0, 1.0, 0.0, -1.0, -2.0, -3.0, -9.0],
        [5.0, 1.0, 0.0, -1.0, -2.0, -3.0, -9.0],
        [1.0, 5.0, 0.0, -1.0, -2.0, -3.0, -9.0],
        [1.0, 0.0, 5.0, -1.0, -2.0, -3.0, -9.0],
        [-9.0, 0.0, 5.0, 4.0, 3.0, 2.0, 1.0],
    ]
)
LABELS = np.array([0, 1, 1, 2, 0])


def test_report_of_a_table_made_by_hand() -> None:
    report = classification_report(LOGITS, LABELS)
    assert report["top1"] == pytest.approx(3 / 5)
    assert report["top5"] == pytest.approx(4 / 5)  # only the last clip has its class in seventh place
    assert report["mean_class_accuracy"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert report["num_clips"] == 5
    assert report["absent_classes"] == ["3", "4", "5", "6"]
    assert np.array(report["confusion_matrix"])[:3, :3].tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert report["per_class"][1] == {"name": "1", "num_clips": 2, "accuracy": 0.5, "precision": 1.0, "f1": 2 / 3}
    assert report["per_class"][6]["accuracy"] is None


def test_report_agrees_with_scikit_learn_and_sums() -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(300, 12)), random.integers(0, 12, 300)
    report = classification_report(logits, labels, [f"class {index}" for index in range(12)])
    assert report["mean_class_accuracy"] == pytest.approx(balanced_accuracy_score(labels, logits.argmax(1)))
    assert report["top5"] == pytest.approx(
        np.mean([label in row for label, row in zip(labels, (-logits).argsort(1)[:, :5], strict=True)])
    )
    matrix = np.array(report["confusion_matrix"])
    assert matrix.sum() == 300
    assert matrix.trace() / 300 == pytest.approx(report["top1"])
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=12))


def test_five_classes_or_fewer_have_top5_of_one() -> None:
    assert classification_report(np.eye(3), [2, 0, 1])["top5"] == 1.0
    assert classification_report(np.eye(3), [2, 0, 1])["top1"] == 0.0
    assert classification_report(np.eye(2), [0, 1])["top1"] == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_an_error(bad: float) -> None:
    logits = LOGITS.copy()
    logits[3, 1] = bad
    with pytest.raises(ValueError, match=r"NaN or infinite values for 1 clips \(first: 3\)"):
        classification_report(logits, LABELS)


@pytest.mark.parametrize("bad", [-1, 7, np.nan, 0.5])
def test_labels_that_are_no_class_are_an_error(bad: float) -> None:
    labels = LABELS.astype(float)
    labels[2] = bad
    with pytest.raises(ValueError, match=r"class indices 0\.\.6, got .* for clip 2"):
        classification_report(LOGITS, labels)


def test_shapes_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ValueError, match="expected logits"):
        classification_report(LOGITS, LABELS[:4])
    with pytest.raises(ValueError, match="expected logits"):
        classification_report(np.zeros((0, 3)), [])
    with pytest.raises(ValueError, match="must name the 7 columns"):
        classification_report(LOGITS, LABELS, ["a", "b"])


def test_fusion_adds_logits_or_probabilities() -> None:
    joint, bone = LOGITS, np.roll(LOGITS, 1, axis=1)
    np.testing.assert_allclose(fuse_streams(joint, bone, weights=[1, 2]), joint + 2 * bone)
    expected = softmax(joint, axis=1) + softmax(bone, axis=1)
    np.testing.assert_allclose(fuse_streams(joint, bone, mode="softmax"), expected)
    # A confident stream outvotes a timid one by logits, not by probabilities that are both near one.
    strong, weak = np.array([[100.0, 0.0]]), np.array([[0.0, 60.0]])
    assert fuse_streams(strong, weak).argmax() == 0
    assert fuse_streams(strong, weak, mode="softmax")[0] == pytest.approx([1.0, 1.0])


def test_fusion_refuses_what_does_not_match() -> None:
    with pytest.raises(ValueError, match="all of one shape"):
        fuse_streams(LOGITS, LOGITS[:2])
    with pytest.raises(ValueError, match="one number per stream"):
        fuse_streams(LOGITS, LOGITS, weights=[1.0])
    with pytest.raises(ValueError, match="'logits'"):
        fuse_streams(LOGITS, LOGITS, mode="mean")


def test_text_shows_percentages_and_absent_classes() -> None:
    lines = format_report(classification_report(LOGITS, LABELS, list("abcdefg"))).splitlines()
    assert lines[1].split() == ["a", "2", "50.0%", "50.0%", "50.0%"]
    assert lines[4].split() == ["d", "0", "absent"]
    assert lines[-3].split() == ["top-1", "5", "60.0%"]
