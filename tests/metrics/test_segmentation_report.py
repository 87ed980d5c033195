"""The report of scores per frame, against numbers counted by hand."""

import numpy as np
import pytest

from motionhub.metrics.segmentation import (
    FrameScores,
    format_segmentation_report,
    segmentation_report,
    true_intervals,
)


NAMES = ["background", "wave", "jump"]


def scores(name: str, said: str, true: str, sure: float = 0.9) -> FrameScores:
    """One letter a frame: b, w, j, or `?` for unknown; what is not said shares the rest."""
    order = "bwj"
    probabilities = np.array([[sure if letter == own else (1 - sure) / 2 for letter in order] for own in said])
    labels = np.array([[float(letter == own) for letter in order] for own in true])
    return FrameScores(name, probabilities, labels, fps=10.0)


def decode(probabilities, times):
    """Runs of the most probable class, without the background; sure of as much as they are long."""
    found = []
    for index, start, end in true_intervals(probabilities == probabilities.max(axis=1, keepdims=True), background=0):
        found.append((index, start, end, float(times[end] - times[start])))
    return found


def report_of(*clips: FrameScores, **changes):
    options = {"exclusive": True, "background": 0, **changes}
    return segmentation_report(clips, NAMES, decode, **options)


def test_what_is_true_gets_full_marks():
    clip = scores("a", "bbwwwbjjj", "bbwwwbjjj")
    report = report_of(clip)
    names = ("frame_map", "f1@10", "f1@25", "f1@50", "edit", "frame_accuracy", "event_map@0.1", "event_map@0.5")
    assert [report[name] for name in names] == [1.0] * 8
    assert [row["name"] for row in report["per_class"]] == ["wave", "jump"]  # the background is no class
    assert report["per_clip"] == [{"name": "a", "frames": 9, "frame_f1": 1.0}]


def test_numbers_counted_by_hand():
    # wave found at 2..4 of 2..6: IoU 1/2; jump found twice, one of them true
    report = report_of(scores("a", "bbwwbbjbjj", "bbwwwwbbjj"))
    assert report["frame_accuracy"] == pytest.approx(0.7)
    assert report["f1@50"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert report["edit"] == pytest.approx(1 - 1 / 3)
    # of jump's events the longer one is true and comes first
    assert [row["event_average_precision"] for row in report["per_class"]] == [1.0, 1.0]
    # decisions: 5 said, 6 true, 4 of them both
    assert report["per_clip"][0]["frame_f1"] == pytest.approx(2 * 4 / (5 + 6))


def test_unknown_frames_count_on_neither_side():
    whole = report_of(scores("a", "bwwjj", "bwwjj"))
    more = report_of(scores("a", "bwwbbjj", "bww??jj"))
    for name in ("frame_map", "f1@50", "edit", "frame_accuracy", "event_map", "num_frames"):
        assert more[name] == whole[name], name


def test_overlapping_actions_have_no_segmental_scores():
    labels = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    clip = FrameScores("a", np.where(labels > 0, 0.9, 0.1), labels, 10.0)
    report = segmentation_report([clip], NAMES[1:], lambda *_: [(0, 0, 2, 1.0), (1, 1, 3, 1.0)], exclusive=False)
    assert report["frame_map"] == report["event_map@0.5"] == 1.0
    assert "edit" not in report and "f1@50" not in report
    assert "two actions are true at once" in format_segmentation_report(report)
    assert report["num_frames"] == 4  # the last frame, without an action, counts


def test_without_a_background_class_a_threshold_says_that_nothing_is_done():
    labels = np.array([[1, 0], [0, 0], [0, 0], [0, 1]])
    clip = FrameScores("a", np.array([[0.9, 0.1], [0.4, 0.3], [0.2, 0.1], [0.2, 0.8]]), labels, 10.0)
    report = segmentation_report([clip], NAMES[1:], lambda *_: [], exclusive=False)
    assert report["frame_accuracy"] == report["f1@50"] == 1.0
    assert report["event_map"] == 0.0
    with pytest.raises(ValueError, match="no clips"):
        segmentation_report([], NAMES[1:], lambda *_: [], exclusive=False)


def test_the_table_names_classes_and_what_is_absent():
    text = format_segmentation_report(report_of(scores("a", "bbww", "bbww")))
    assert "wave" in text and "100.0%" in text and "absent: jump" in text
    assert "F1@10/25/50" in text and "at IoU 0.5" in text
