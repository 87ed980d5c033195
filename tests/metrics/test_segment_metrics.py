"""Interval metrics on cases small enough to work out by hand."""

import numpy as np
import pytest

from motionhub.metrics.segmentation import (
    Segment,
    event_average_precision,
    frame_average_precision,
    runs,
    segmental_scores,
    temporal_iou,
)


def test_iou_of_intervals() -> None:
    overlaps = temporal_iou([(0, 10), (0, 4)], [(0, 10), (5, 15), (10, 20)])
    np.testing.assert_allclose(overlaps, [[1, 5 / 15, 0], [0.4, 0, 0]])


def test_runs_tell_where_classes_change() -> None:
    assert runs([0, 0, 2, 2, 2, 1]) == [(0, 0, 2), (2, 2, 5), (1, 5, 6)]
    assert runs([]) == []


TRUTH = [("a", "fall", 0, 10), ("a", "fall", 20, 30), ("b", "fall", 0, 10), ("b", "walk", 40, 60)]


@pytest.mark.parametrize("protocol", ["activitynet", "pku-mmd"])
def test_truth_itself_has_precision_one(protocol: str) -> None:
    report = event_average_precision([(*segment, 0.5) for segment in TRUTH], TRUTH, protocol=protocol)
    assert report["event_map"] == 1.0
    assert report["event_map@0.3"] == 1.0


def test_average_precision_of_ranked_intervals() -> None:
    # By score: right, wrong, right, one true interval never found: precisions 1, 1/2, 2/3 at recalls 1/3, 1/3, 2/3.
    found = [("a", "fall", 0, 10, 0.9), ("a", "fall", 50, 60, 0.8), ("b", "fall", 0, 9, 0.7)]
    report = event_average_precision(found, TRUTH[:3], thresholds=[0.5])
    assert report["event_map@0.5"] == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)


def test_second_detection_of_one_action_is_false_in_one_protocol_and_harmless_to_recall_in_the_other() -> None:
    truth = [("a", "fall", 0, 10), ("a", "fall", 20, 30)]
    found = [("a", "fall", 0, 10, 0.9), ("a", "fall", 0, 9, 0.8), ("a", "fall", 20, 30, 0.7)]
    # activitynet: precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1.
    assert event_average_precision(found, truth, [0.5])["event_map"] == pytest.approx(0.5 + 0.5 * 2 / 3)
    # pku-mmd, leaving from the lowest: 2/3 with all; without the third 1/2 at recall 1/2 (highest stays 2/3); without
    # the second 1; without the first recall 0.
    report = event_average_precision(found, truth, [0.5], protocol="pku-mmd")
    assert report["event_map"] == pytest.approx(0.5 * 2 / 3 + 0.5 * 1)


def test_taken_action_gives_way_to_the_next_best_in_activitynet() -> None:
    truth = [("a", "fall", 0, 10), ("a", "fall", 4, 14)]
    found = [("a", "fall", 1, 11, 0.9), ("a", "fall", 1, 11, 0.8)]
    assert event_average_precision(found, truth, [0.5])["event_map"] == 1.0
    assert event_average_precision(found, truth, [0.5], protocol="pku-mmd")["event_map"] == pytest.approx(0.5)


def test_intervals_of_other_clips_and_labels_never_match() -> None:
    found = [("b", "fall", 20, 30, 0.9), ("a", "jump", 0, 10, 0.9)]
    report = event_average_precision(found, TRUTH[:2])
    assert report["event_map"] == 0.0
    assert report["unknown_labels"] == ["jump"]


def test_class_that_is_never_found_counts_as_zero_in_the_mean() -> None:
    found = [(*segment, 1.0) for segment in TRUTH if segment[1] == "walk"]
    assert event_average_precision(found, TRUTH)["event_map"] == 0.5


@pytest.mark.parametrize(
    ("found", "truth", "words"),
    [
        ([], [], "no interval"),
        ([("a", "x", 3, 3, 1.0)], TRUTH, "start < end"),
        ([("a", "x", 0, 3, float("nan"))], TRUTH, "start < end"),
        ([("a", "x", 0, float("inf"), 1)], TRUTH, "start < end"),
    ],
)
def test_bad_intervals_are_named(found: list, truth: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        event_average_precision(found, truth)


def test_unknown_protocol_and_thresholds_are_refused() -> None:
    with pytest.raises(ValueError, match="activitynet"):
        event_average_precision([], TRUTH, protocol="coco")
    with pytest.raises(ValueError, match="thresholds"):
        event_average_precision([], TRUTH, thresholds=[0.0])


def test_segment_has_a_default_score() -> None:
    assert Segment("a", "x", 0, 1).score == 1.0


def test_perfect_labelling_scores_one() -> None:
    labels = [[0, 0, 1, 1, 2, 2], [2, 2, 2]]
    scores = segmental_scores(labels, labels)
    assert scores == {"f1@10": 1.0, "f1@25": 1.0, "f1@50": 1.0, "edit": 1.0, "frame_accuracy": 1.0}


def test_over_segmentation_costs_f1_and_edit_but_not_frame_accuracy() -> None:
    truth = [[1] * 10 + [2] * 10]
    predicted = [[1] * 4 + [3] + [1] * 5 + [2] * 10]
    scores = segmental_scores(predicted, truth)
    # Predicted 1 3 1 2. Of the two 1s one takes the true segment (IoU .4, then .5): 2 right, 2 wrong, 0 missed.
    assert scores["f1@25"] == pytest.approx(2 * 2 / (2 * 2 + 2))
    assert scores["edit"] == pytest.approx(1 - 2 / 4)
    assert scores["frame_accuracy"] == pytest.approx(19 / 20)
    # At .5 the second 1 (5 of 10 frames) still reaches it.
    assert scores["f1@50"] == pytest.approx(2 * 2 / (2 * 2 + 2))


def test_background_is_no_segment_and_unknown_frames_do_not_count() -> None:
    scores = segmental_scores([[0, 0, 1, 1, 0, 5]], [[0, 0, 1, 1, 0, -1]], background=0)
    assert scores["f1@50"] == scores["edit"] == scores["frame_accuracy"] == 1.0
    empty = segmental_scores([[0, 0]], [[0, 0]], background=0)
    assert empty["edit"] == 1.0
    assert empty["f1@50"] == 0.0  # nothing to find and nothing found: F1 has no value but the convention 0


def test_edit_score_counts_the_order_only() -> None:
    assert segmental_scores([[1, 2, 3]], [[1, 3, 3]])["edit"] == pytest.approx(1 - 1 / 3)
    assert segmental_scores([[2, 1]], [[1, 2]])["edit"] == 0.0


def test_clips_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="Clip 1"):
        segmental_scores([[1], [1, 2]], [[1], [1]])
    with pytest.raises(ValueError, match="one array per clip"):
        segmental_scores([[1]], [[1], [1]])
    with pytest.raises(ValueError, match="known class"):
        segmental_scores([[1]], [[-1]])


def test_conventions_differ_only_where_scores_are_equal() -> None:
    labels = np.array([[0], [1], [0], [1]])
    distinct = np.array([[0.1], [0.9], [0.8], [0.7]])
    for convention in ("scikit-learn", "ms-tct"):
        report = frame_average_precision(distinct, labels, convention=convention)
        assert report["frame_map"] == pytest.approx((1 + 2 / 3) / 2)
    equal = np.zeros((4, 1))
    assert frame_average_precision(equal, labels)["frame_map"] == pytest.approx(1 / 2)
    report = frame_average_precision(equal, labels, convention="ms-tct")
    assert report["frame_map"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert frame_average_precision(equal, labels[::-1], convention="ms-tct")["frame_map"] == pytest.approx(
        (1 + 2 / 3) / 2
    )
    with pytest.raises(ValueError, match="convention"):
        frame_average_precision(equal, labels, convention="tsu")
