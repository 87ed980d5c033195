"""Probabilities drawn by hand -> the intervals that the rule's definition gives."""

import numpy as np
import pytest

from motionhub.intervals.decode import DecodingRule


def one_class(*values: float) -> tuple[np.ndarray, np.ndarray]:
    """Ten frames a second."""
    return np.array(values)[:, None], np.arange(len(values) + 1) / 10


def spans(rule: DecodingRule, *values: float) -> list[tuple[int, int]]:
    return [(found.start, found.end) for found in rule(*one_class(*values))]


def test_frames_at_the_threshold_count_and_the_score_is_their_mean() -> None:
    (found,) = DecodingRule(threshold=0.5)(*one_class(0.1, 0.5, 0.9, 0.4))
    assert found[:3] == (0, 1, 3)
    assert found.score == pytest.approx(0.7)


def test_hysteresis_reaches_as_far_as_the_low_threshold_and_needs_the_high_one() -> None:
    rule = DecodingRule(threshold=0.8, low_threshold=0.3)
    assert spans(rule, 0.1, 0.4, 0.9, 0.3, 0.2, 0.7, 0.7) == [(1, 4)]


def test_gaps_close_before_short_intervals_are_dropped() -> None:
    values = (0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9)
    assert spans(DecodingRule(), *values) == [(0, 1), (2, 3), (6, 7)]
    assert spans(DecodingRule(max_gap=0.1), *values) == [(0, 3), (6, 7)]
    assert spans(DecodingRule(max_gap=0.1, min_duration=0.3), *values) == [(0, 3)]


def test_duration_of_exactly_the_least_one_stays() -> None:
    assert spans(DecodingRule(min_duration=0.3), 0.9, 0.9, 0.9) == [(0, 3)]
    assert spans(DecodingRule(min_duration=0.31), 0.9, 0.9, 0.9) == []


def test_actions_overlap_unless_they_exclude_each_other() -> None:
    probabilities = np.array([[0.6, 0.9], [0.9, 0.6]])
    times = np.array([0.0, 1.0, 2.0])
    assert [found[:3] for found in DecodingRule()(probabilities, times)] == [(0, 0, 2), (1, 0, 2)]
    assert [found[:3] for found in DecodingRule(exclusive=True)(probabilities, times)] == [(1, 0, 1), (0, 1, 2)]


def test_background_is_never_an_interval_but_takes_its_frames() -> None:
    probabilities = np.array([[0.5, 0.3], [0.3, 0.5]])
    rule = DecodingRule(threshold=0.2, exclusive=True, background=0)
    assert [found[:3] for found in rule(probabilities, [0.0, 1.0, 2.0])] == [(1, 1, 2)]


def test_frames_that_take_no_time_make_no_interval() -> None:
    assert DecodingRule()(np.array([[0.9], [0.1]]), [0.0, 0.0, 1.0]) == []


def test_no_frames_no_intervals() -> None:
    assert DecodingRule()(np.zeros((0, 3)), [0.0]) == []


@pytest.mark.parametrize(
    "fields", [{"threshold": 1.2}, {"low_threshold": 0.6}, {"min_duration": -1}, {"max_gap": float("nan")}]
)
def test_rules_that_make_no_sense_are_refused(fields: dict) -> None:
    with pytest.raises(ValueError, match="threshold|seconds"):
        DecodingRule(**fields)


def test_logits_and_wrong_times_are_refused() -> None:
    with pytest.raises(ValueError, match="sigmoid"):
        DecodingRule()(*one_class(3.0, -2.0))
    with pytest.raises(ValueError, match="frames \\+ 1"):
        DecodingRule()(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(ValueError, match="never fall"):
        DecodingRule()(np.zeros((2, 1)), [0.0, 1.0, 0.5])
