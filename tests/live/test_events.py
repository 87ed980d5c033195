"""Events of a stream: when they begin and end, what gates them, and what a faulty stream does."""

import pickle

import numpy as np
import pytest

import motionhub
from motionhub.intervals.decode import DecodingRule
from motionhub.live.events import LiveEvents
from motionhub.live.scorers import scorer_of
from tests.helpers import error_of
from tests.live.conftest import LABELS, WrittenScorer, person


def played(live, probabilities, **options):
    """All events of a stream of one person whose probability of a fall is given frame by frame."""
    found = [event for each in probabilities for event in live.push(person(each), **options)]
    return found + live.finish()


def spans(events, kind="close"):
    return [(each.label, round(each.start_s, 3), round(each.end_s, 3)) for each in events if each.event == kind]


def test_an_event_opens_is_updated_and_closes_where_it_happened(stream):
    live = stream(update_every=0.5)
    events = played(live, [0.0] * 20 + [0.8] * 20 + [0.0] * 20)
    assert {each.event for each in events} == {"open", "update", "close"}
    assert [each.event for each in events][:2] == ["open", "update"] and events[-1].event == "close"
    (label, start, end) = spans(events)[0]
    assert label == "fall down" and abs(start - 2.0) < 0.11 and abs(end - 4.0) < 0.11
    assert len(spans(events)) == 1
    opened = events[0]
    assert opened.delay_s == pytest.approx(opened.time_s - opened.start_s) and opened.delay_s <= live.delay_s + 0.11
    assert live.delay_s == 0.6  # half of the window, and a stride
    assert events[-1].probability == pytest.approx(0.8, abs=1e-3) and opened.coverage == 1
    assert opened.clock == events[-1].clock and live.started.isoformat()[:13] == opened.clock[:13]
    hour = live.totals()["hours"][opened.clock[:13]]["fall down"]
    assert hour == {"count": 1, "seconds": pytest.approx(end - start, abs=0.06)}


def test_closed_events_are_the_intervals_of_the_rule(stream):
    generator = np.random.default_rng(0)
    written = np.concatenate([np.zeros(10), np.repeat(generator.random(40), 3), np.zeros(10)])
    options = {"threshold": 0.6, "low_threshold": 0.4, "min_duration": 0.3, "max_gap": 0.2}
    live = stream(**options, min_seen=0.1, scorer=WrittenScorer(seconds=0.4))
    found = spans(played(live, written))
    rule = DecodingRule(**options, exclusive=True, background=1)
    table = np.stack([written, 1 - written], axis=1)
    expected = rule(table, np.arange(len(table) + 1) / 10)
    assert len(found) == len(expected) > 4
    for (_, start, end), interval in zip(found, expected, strict=True):
        assert abs(start - interval.start / 10) < 0.11 and abs(end - interval.end / 10) < 0.11


def test_labels_exclude_each_other_and_none_of_them_is_no_event(stream):
    live = stream(threshold=0.3)
    events = [event for _ in range(20) for event in live.push(person(0.35))]
    assert events == []  # "none of these" has 0.65
    events = [event for _ in range(20) for event in live.push(person(0.9, label=1))]
    assert {each.label for each in events} == {"walking"}


def test_too_few_joints_give_no_event(stream):
    hidden = person(0.9)
    hidden[2:12] = np.nan
    for least, expected in ((0.5, 0), (0.3, 1)):
        live = stream(min_coverage=least)
        events = [event for _ in range(30) for event in live.push(hidden)]
        assert len([each for each in events if each.event == "open"]) == expected
        assert all(each.coverage == pytest.approx(7 / 17) for each in events)


def test_a_person_who_is_seen_in_half_of_the_frames_has_half_the_coverage(stream):
    live, nobody = stream(min_coverage=0.0), np.zeros((0, 17, 2))
    events = [event for time in range(60) for event in live.push(person(0.9) if time % 2 else nobody)]
    assert events and all(0.35 <= each.coverage <= 0.65 for each in events[3:])


def test_people_seen_too_briefly_are_counted_and_not_judged(stream):
    live = stream(min_seen=0.5)
    events = [event for _ in range(4) for event in live.push(person(0.9))]
    events += [event for _ in range(20) for event in live.push(np.zeros((0, 17, 2)))]
    assert events == [] and live.totals()["too_brief"] == 1 and live.totals()["people"] == 1


def test_a_person_who_leaves_closes_the_event_at_the_last_frame(stream):
    live = stream(max_absence=0.5)
    [live.push(person(0.9)) for _ in range(30)]
    events = [event for _ in range(10) for event in live.push(np.zeros((0, 17, 2)))]
    assert [each.event for each in events] == ["close"] and events[0].end_s == pytest.approx(2.9)


def test_frames_that_were_dropped_change_no_event(stream):
    written = [0.0] * 30 + [0.8] * 30 + [0.0] * 30
    whole = spans(played(stream(), written))
    live = stream()
    sparse = [event for time in range(0, 90, 2) for event in live.push(person(written[time]), time / 10)]
    live.drop(45)
    found = spans(sparse + live.finish())
    assert [label for label, *_ in found] == [label for label, *_ in whole] == ["fall down"]
    np.testing.assert_allclose(found[0][1:], whole[0][1:], atol=0.21)
    assert live.totals()["dropped"] == 45 and live.totals()["frames"] == 45


def test_frames_out_of_order_are_left_out_and_counted(stream):
    live = stream()
    times = [0.0, 0.1, 0.3, 0.2, 0.3, 0.4]
    [live.push(person(), time) for time in times]
    assert live.totals()["out_of_order"] == 2 and live.totals()["frames"] == 4


def test_a_clock_that_is_set_back_goes_on_with_new_people(stream):
    live = stream()
    [live.push(person(0.9), 1000 + time / 10) for time in range(30)]
    events = [event for time in range(30) for event in live.push(person(0.9), time / 10)]
    totals = live.totals()
    assert totals["clock_set_back"] == 1 and totals["people"] == 2 and totals["out_of_order"] == 0
    assert events[0].event == "close" and events[0].end_s <= 3.0
    assert live.seconds == pytest.approx(5.9)


def test_a_stream_of_nobody_has_frames_and_no_event(stream):
    live = stream(alarms=["fall down>0.6"])
    for frame in (np.zeros((0, 17, 2)), np.full((1, 17, 2), np.nan)):
        assert [event for _ in range(30) for event in live.push(frame)] == []
    assert live.finish() == []
    totals = live.totals()
    assert (totals["frames"], totals["people"], totals["alarms"]) == (60, 0, 0)


def test_a_hole_in_the_stream_ends_what_was_under_way(stream):
    live = stream()
    [live.push(person(0.9), time / 10) for time in range(30)]
    events = live.push(person(0.9), 100.0)
    assert [each.event for each in events] == ["close"] and events[0].end_s == pytest.approx(2.9)
    assert live.totals()["holes"] == 1 and live.totals()["people"] == 2


def test_more_frames_than_stated_are_thinned_out(stream):
    live = stream()
    [live.push(person(), time / 40) for time in range(80)]
    assert live.totals()["frames"] + live.totals()["thinned_out"] == 80 and 19 <= live.totals()["frames"] <= 21


def test_an_id_that_is_suddenly_elsewhere_is_another_person(stream):
    live = stream()
    for time in range(40):
        live.push(person(0.9, place=0 if time < 20 else 500), ids=[7])
    assert live.totals()["ids_reused"] == 1 and live.totals()["people"] == 2
    walking = stream()
    [walking.push(person(place=3 * time), ids=[7]) for time in range(40)]
    assert walking.totals()["ids_reused"] == 0


def test_results_of_an_estimator_are_tracked_whatever_their_order(stream):
    live = stream(layout=None)
    for time in range(20):
        two = [{"keypoints": person(place=place), "scores": np.ones(17)} for place in (0, 400)]
        live.push(two[:: 1 if time % 2 else -1])
    assert live.totals()["people"] == 2 and live.totals()["ids_reused"] == 0 and live.layout.name == "coco-17"


def test_metres_without_an_axis_that_points_up_are_refused_where_it_matters(stream):
    scorer = WrittenScorer()
    stream(scorer=scorer, unit="metre")
    scorer.pipe.feature_extractor.upright = True
    assert 'such as up="y"' in error_of(stream, scorer=scorer, unit="metre")
    stream(scorer=scorer, unit="metre", up="y")


def test_an_id_twice_and_a_wrong_shape_are_errors(stream):
    live = stream()
    two = np.stack([person(), person(place=300)])
    assert "2 different numbers" in error_of(live.push, two, ids=[1, 1])
    assert "(people, 17, 2 or 3)" in error_of(live.push, np.zeros((1, 16, 2)))
    assert "time must be seconds" in error_of(live.push, two, time=float("nan"))
    assert 'layout="coco-17"' in error_of(stream(layout=None).push, two)
    assert live.totals()["frames"] == 0


def test_fifty_people_are_scored_in_turn_and_all_are_reported(stream):
    scorer = WrittenScorer()
    live = stream(scorer=scorer, max_windows=8)
    crowd = np.stack([person(0.9, place=400 * number) for number in range(50)])
    events = [event for _ in range(60) for event in live.push(crowd)]
    assert max(scorer.calls) == 8
    assert {each.person for each in events} == set(range(50)) and live.totals()["people"] == 50


def test_memory_is_flat(stream):
    live, sizes = stream(alarms=["fall down>0.6 for 0.5s"]), []
    live.scorer.calls = _Forgetful()
    for time in range(3000):
        live.push(person(0.9 * (time % 50 < 25), place=1000 * (time // 100)))
        if time % 1000 == 999:
            sizes.append(len(pickle.dumps({name: value for name, value in vars(live).items() if name != "scorer"})))
    assert live.totals()["people"] == 30 and max(sizes) - min(sizes) < 200


class _Forgetful(list):
    def append(self, value):
        pass


def test_an_alarm_is_raised_once_with_its_rule(stream):
    live = stream(alarms=["fall down>0.6 for 0.5s", "inactive for 6s"], cooldown=0)
    events = played(live, [0.0] * 20 + [0.8] * 30)
    alarms = [each for each in events if each.event == "alarm"]
    assert [each.rule for each in alarms] == ["fall down>0.6 for 0.5s"]
    assert abs(alarms[0].start_s - 2.0) <= 0.15 and alarms[0].delay_s == pytest.approx(0.5 + 0.4, abs=0.11)


def test_inactivity_is_told_again_after_a_movement(stream):
    live = stream(alarms=["inactive for 4s"], cooldown=0)
    events = [event for time in range(120) for event in live.push(person(place=0 if time < 60 else 30))]
    assert [each.label for each in events] == ["inactive"] * 2
    assert [each.time_s for each in events] == pytest.approx([4.0, 10.0], abs=0.11)


def test_a_rule_that_does_not_fit_the_labels_is_refused(stream):
    assert error_of(stream, alarms=["swim>0.5"]).startswith("label: 'swim'")
    assert error_of(stream, fps=0).startswith("fps must be")


@pytest.fixture(scope="module")
def nucla():
    from motionhub.live.scorers import loaded

    return loaded("unik-nucla-small")


def test_scores_of_a_recording_are_those_of_its_frames(nucla):
    clip = motionhub.generate("sit down", seed=1, num_frames=120)
    facts = {"fps": 30, "layout": "kinect-20", "unit": "metre"}
    rows = list(LiveEvents(nucla, **facts).score(clip))
    live, seen = LiveEvents(nucla, **facts, threshold=0.0, min_duration=0, update_every=0.01), []
    for frame in range(clip.num_frames):
        seen += [each for each in live.push(clip.keypoints[:, frame]) if each.event in ("open", "update")]
    assert len(rows) > 10
    times = [round(each.time_s, 3) for each in seen]
    for _, begin, end, probabilities in rows:
        assert end - begin == pytest.approx(0.2) and probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert round(end, 3) in times


def test_labels_of_trained_models_are_their_own(nucla):
    chosen = scorer_of(nucla, "sit down, throw")
    assert chosen.labels == ["sit down", "throw"] and chosen.seconds == 2.0
    assert "none of the model's" in error_of(scorer_of, nucla, "fly")
    assert "zero-shot" in error_of(scorer_of, nucla, None, background="walk")
    frames = scorer_of("unik-precog-small")
    assert "background" not in frames.labels and len(frames.labels) == 8
    clip = motionhub.generate("wave", seed=0, num_frames=60)
    assert frames([clip]).shape == (1, 8)
    assert "names no actions" in error_of(scorer_of, "cv-mim-small")


def test_the_bundled_zero_shot_model_raises_the_alarm_for_a_fall_and_not_for_sitting_down():
    labels = "fall down, sitting down, walking, standing up"
    assert "needs labels" in error_of(scorer_of, "tmor-small")
    scene = motionhub.Scene(focal=900.0, camera_height=2.2, camera_pitch=15, distance=4.0)
    from motionhub.live.scorers import loaded

    pipe, raised = loaded("tmor-small"), {}
    for action in ("fall", "sit down"):
        clip, _ = motionhub.compose(["walk around", action], seed=1, scene=scene, layout="coco-17", fps=15)
        facts = {"fps": 15, "layout": "coco-17", "image_size": clip.image_size}
        live = LiveEvents(pipe, labels, **facts, alarms=["fall down>0.6"])
        events = [event for frame in range(clip.num_frames) for event in live.push(clip.keypoints[:, frame])]
        raised[action] = [each for each in events if each.event == "alarm"]
    assert len(raised["fall"]) == 1 and raised["fall"][0].start_s > 4 and not raised["sit down"]
    assert LABELS[0] == raised["fall"][0].label
