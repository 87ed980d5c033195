"""Alarm rules: what is written is what is applied, and what can never fire is refused."""

import pytest

import motionhub
from motionhub.live.alarms import AlarmRule, AlarmTimer, seconds_of
from tests.helpers import error_of


LABELS = ["fall down", "lying on the floor", "walking"]


@pytest.mark.parametrize(
    ("text", "above", "seconds", "inactive"),
    [
        ("fall down>0.6 for 0.5s", {"fall down": 0.6}, 0.5, False),
        ("fall down > .6", {"fall down": 0.6}, 0.0, False),
        ("inactive for 2 min", {}, 120.0, True),
        ("lying on the floor>0.5, inactive for 60s", {"lying on the floor": 0.5}, 60.0, True),
        ("wait for the bus>0.5 for 300ms", {"wait for the bus": 0.5}, 0.3, False),
        ("a>b>0.5 for 1h", {"a>b": 0.5}, 3600.0, False),
    ],
)
def test_a_rule_is_what_it_says_and_reads_back(text, above, seconds, inactive):
    rule = AlarmRule.parse(text, cooldown=5)
    assert (rule.above, rule.seconds, rule.inactive, rule.cooldown) == (above, seconds, inactive, 5)
    assert AlarmRule.parse(str(rule), cooldown=5) == rule
    assert motionhub.AlarmRule is AlarmRule


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fall down", "'fall down' is neither"),
        ("fall down>high", "'fall down>high' is neither"),
        (">0.5", "'>0.5' is neither"),
        ("fall down>1.2 for 1s", "probability: fall down>1.2 never holds"),
        ("fall down>1", "probability: fall down>1 never holds"),
        ("fall down>0", "probability: fall down>0 always holds"),
        ("fall down>nan", "probability: fall down>nan never holds"),
        ("fall down>0.5 for 3 weeks", "for: expected a duration"),
        ("inactive", "seconds: inactive needs a duration"),
        ("walking>0.5, walking>0.6", "label: 'walking' occurs twice"),
        ("", "An alarm is"),
    ],
)
def test_what_is_no_rule_or_never_fires_is_refused_by_its_field(text, named):
    assert named in error_of(AlarmRule.parse, text)


def test_a_rule_that_can_never_fire_here_names_the_field():
    check = lambda text, **options: error_of(AlarmRule.parse(text).check, LABELS, **options)  # noqa: E731
    assert check("swim>0.5").startswith("label: 'swim'")
    assert check("fall down>0.6, walking>0.6").startswith("probability: the labels")
    assert check("fall down>0.6 for 60s", longest=10.0).startswith("seconds: the alarm")
    AlarmRule.parse("fall down>0.6, walking>0.6").check(LABELS, exclusive=False)
    AlarmRule.parse("fall down>0.6 for 60s").check(LABELS, longest=60.0)


def test_durations_have_units():
    assert [seconds_of(text, "x") for text in ("20", 20, "20s", "1.5 min", "250ms")] == [20, 20, 20, 90, 0.25]
    assert error_of(seconds_of, "20 s ago", "cooldown").startswith("cooldown: expected a duration")


def fired(
    rule: str, holds: list[int], *, max_gap: float = 0.0, cooldown: float = 0.0, step: float = 0.5
) -> list[float]:
    """The seconds at which a timer raises alarms of one person, by 0 or 1 for each step."""
    timer = AlarmTimer(AlarmRule.parse(rule, cooldown), max_gap)
    ends = [
        (index + 1) * step
        for index, each in enumerate(holds)
        if timer.update(0, index * step, (index + 1) * step, bool(each)) is not None
    ]
    return ends


def test_an_alarm_needs_its_whole_duration_and_is_raised_once():
    assert fired("walking>0.5 for 1.5s", [1, 1, 0, 1, 1, 1, 1, 1, 0]) == [3.0]
    assert fired("walking>0.5", [0, 1, 1, 0, 1]) == [1.0, 2.5]


def test_a_short_interruption_does_not_end_what_holds():
    holds = [1, 1, 0, 1, 1, 0, 0, 1]
    assert fired("walking>0.5 for 2s", holds) == []
    assert fired("walking>0.5 for 2s", holds, max_gap=0.5) == [2.0]


def test_an_alarm_in_the_cooldown_waits_for_its_end_and_is_lost_if_it_no_longer_holds():
    assert fired("walking>0.5", [1, 0, 1, 1, 1, 1, 1], cooldown=2.0) == [0.5, 2.5]
    assert fired("walking>0.5", [1, 0, 1, 0, 0, 0, 0], cooldown=2.0) == [0.5]
    timer = AlarmTimer(AlarmRule.parse("walking>0.5", cooldown=10))
    raised = [timer.update(person, time, time + 1, True) for time in range(5) for person in "ab"]
    assert raised == [0, *[None] * 9] and timer.suppressed == 1


def test_inactivity_counts_from_the_last_movement():
    timer = AlarmTimer(AlarmRule.parse("inactive for 3s", cooldown=0))
    still = [0, 1, 2, 0, 1, 2, 3, 4]
    raised = [timer.update(0, time, time + 1, True, still=each) for time, each in enumerate(still)]
    assert [time for time, since in enumerate(raised) if since is not None] == [6]


def test_a_person_who_has_gone_starts_again():
    timer = AlarmTimer(AlarmRule.parse("walking>0.5 for 2s", cooldown=0))
    assert timer.update(0, 0, 1, True) is None
    timer.forget(0)
    assert timer.update(0, 1, 2, True) is None
    assert timer.update(0, 2, 3, True) == 1
