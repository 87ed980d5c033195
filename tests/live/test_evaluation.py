"""Alarms on labelled days: the alarms of the scores are those of the stream, and other days are reported on."""

import numpy as np
import pytest

import motionhub
from motionhub.cli.main import main
from motionhub.live.alarms import AlarmRule
from motionhub.live.evaluation import (
    Recording,
    Trace,
    alarms_of,
    evaluate_alarms,
    format_alarm_report,
    generated_recordings,
    labelled_recordings,
    traces_of,
)
from motionhub.skeletons.convert import with_up
from motionhub.skeletons.sequence import SkeletonSequence
from tests.helpers import error_of
from tests.live.conftest import person


RULE = AlarmRule.parse("fall down>0.5 for 0.3s", cooldown=2.0)


def written(probabilities):
    return SkeletonSequence(np.stack([person(each) for each in probabilities]), "coco-17", 10, "pixel")


def test_alarms_of_the_scores_are_those_of_the_stream(stream):
    generator = np.random.default_rng(0)
    series = np.repeat(generator.random(60), 4)
    sequence = written(series)
    live = stream(alarms=[RULE])
    raised = [
        event.time_s
        for frame in range(sequence.num_frames)
        for event in live.push(sequence.keypoints[:, frame], frame / 10)
        if event.event == "alarm"
    ]
    recording = Recording("a", 0, 100.0, sequence, ((101.0, 102.0, "fall"),), 50.0)
    (trace,) = traces_of([recording], lambda sequence: stream(), RULE, "fall")
    found = alarms_of(trace, RULE, max_gap=0.1)
    assert len(raised) >= 4
    np.testing.assert_allclose(np.array(found) - 100.0, raised, atol=1e-3)
    assert trace.events == [(101.0, 102.0)] and trace.seconds == 50.0


def traces(*levels):
    """A day of an hour for each level: a fall that is scored 0.9, and a false one that is scored `level`."""
    return [
        Trace(
            f"day {number}",
            0,
            3600.0,
            [(10.0, 12.0)],
            [(0, 11.0, 12.0, np.array([0.9])), (0, 20.0, 21.0, np.array([0.1])), (0, 500.0, 501.0, np.array([level]))],
        )
        for number, level in enumerate(levels)
    ]


def test_the_threshold_is_fitted_on_some_days_and_reported_on_the_others():
    report = evaluate_alarms(traces(0.6, 0.7, 0.6, 0.2), RULE, most_false=0.0)
    assert report["fit_days"] == ["day 0", "day 2"] and report["days"] == ["day 1", "day 3"]
    assert report["stated"]["threshold"] == 0.5 and report["stated"]["false_alarms"] == 1
    # The highest threshold that still finds the falls, of those without a false alarm on days 0 and 2.
    assert 0.7 < report["fitted"]["threshold"] < 0.9 and report["fitted"]["false_alarms"] == 0
    assert report["fitted"]["recall"] == 1.0 and report["fitted"]["median_delay_s"] == 2.0
    assert report["curve"][0]["false_alarms"] == 4 and report["curve"][-1]["recall"] == 0.0
    text = format_alarm_report(report)
    assert "fitted on 2 days, reported on 2 others" in text and "100% [100%, 100%]" in text


def test_one_day_is_too_few():
    assert "expected two days" in error_of(evaluate_alarms, traces(0.5), RULE)
    assert "no recording" in error_of(traces_of, [], None, RULE, "fall")


def test_frame_labels_become_intervals():
    row = {
        **motionhub.generate_dataset(num_clips=1, mixture=None)[0],
        "frame_labels": None,
    }
    assert "labels per frame" in error_of(lambda: list(labelled_recordings([row], ["a", "b"])))
    from motionhub.skeletons.rows import to_row

    labelled = to_row(written([0.0] * 6), frame_labels=[0, 0, 1, 1, -1, 1], subject=3)
    (recording,) = labelled_recordings([labelled], ["rest", "jump"])
    assert recording.day == "subject 3" and recording.seconds == pytest.approx(0.6)
    assert [(round(a, 3), round(b, 3), name) for a, b, name in recording.intervals] == [
        (0.0, 0.2, "rest"), (0.2, 0.4, "jump"), (0.5, 0.6, "jump"),
    ]  # fmt: skip


def test_generated_days_are_as_long_as_asked():
    parts = list(generated_recordings(0.3, seed=0))
    assert {part.day for part in parts} == {"person 0", "person 1"}
    for day, hours in (("person 0", 0.25), ("person 1", 0.05)):
        seconds = sum(part.seconds for part in parts if part.day == day)
        assert 0.9 * hours * 3600 < seconds < hours * 3600 + 60


def test_too_few_generated_hours_are_refused_before_anything_is_scored(capsys):
    rule = ["--labels", "fall down, walking", "--alarm", "fall down>0.6", "--hours", "0.25"]
    assert main(["evaluate", "--task", "alarm", "--model", "no/model", "--dataset", "generated", *rule]) == 2
    assert "--hours must be above 0.25, got 0.25" in capsys.readouterr().err


@pytest.mark.parametrize("up", ["y", "z"])
def test_an_axis_that_a_day_does_not_state_is_that_along_which_people_stand(up):
    from motionhub.skeletons.rows import to_row

    clip = with_up(motionhub.generate("walk around", seed=0).replace(up="y"), up).replace(up=None)
    (recording,) = labelled_recordings([to_row(clip, frame_labels=[0] * clip.num_frames)], ["walk"])
    assert recording.sequence.up == up
