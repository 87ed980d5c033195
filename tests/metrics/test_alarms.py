"""Alarms against events: what is found, what is false, how late, and which threshold a limit allows."""

import numpy as np
import pytest

from motionhub.metrics.alarms import alarm_report, counted, match_alarms, operating_point
from tests.helpers import error_of


EVENTS = [(10.0, 12.0), (100.0, 101.0), (104.0, 105.0)]


def test_an_alarm_belongs_to_the_last_event_before_it():
    delays, false = match_alarms([11.0, 13.0, 16.9, 17.1, 103.0, 106.0, 9.9], EVENTS, late=5.0)
    assert delays == [1.0, 3.0, 2.0] and false == [9.9, 17.1]
    assert match_alarms([], EVENTS) == ([None] * 3, [])
    assert "after they start" in error_of(match_alarms, [], [(2.0, 1.0)])


def test_a_report_counts_over_all_recordings_together():
    counts = [counted("a", 2.0, [11.0, 50.0, 60.0], EVENTS), counted("b", 1.0, [12.0], [(10.0, 11.0)])]
    report = alarm_report(counts)
    assert (report["events"], report["found"], report["false_alarms"], report["hours"]) == (4, 2, 2, 3.0)
    assert report["recall"] == 0.5 and report["false_alarms_per_hour"] == pytest.approx(2 / 3)
    assert report["median_delay_s"] == 1.5
    low, high = report["recall_interval"]
    assert low == pytest.approx(1 / 3) and high == 1.0  # one recording twice
    assert report["false_alarms_per_hour_interval"] == (0.0, 1.0)


def test_what_cannot_be_known_is_nan():
    report = alarm_report([counted("quiet", 1.0, [5.0], [])])
    assert np.isnan([report["recall"], report["median_delay_s"], *report["recall_interval"]]).all()
    assert report["false_alarms_per_hour"] == 1.0
    assert "one recording or more" in error_of(alarm_report, [])


def test_the_operating_point_is_the_best_that_the_limit_allows():
    curve = [
        {"threshold": threshold, "recall": recall, "false_alarms_per_hour": false}
        for threshold, recall, false in [(0.1, 1.0, 9.0), (0.5, 0.9, 1.0), (0.6, 0.9, 1.0), (0.9, 0.2, 0.0)]
    ]
    assert operating_point(curve, 1.0)["threshold"] == 0.6
    assert operating_point(curve, 0.5)["threshold"] == 0.9
    assert operating_point(curve, 10.0)["threshold"] == 0.1
    assert operating_point(curve[:3], 0.1)["threshold"] == 0.5  # nothing is quiet enough: the quietest
