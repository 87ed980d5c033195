"""The hours of the alarm benchmark: what was saved is what was scored, and false alarms belong to what was done."""

import numpy as np
import pytest
from helpers import load_script

from motionhub.live.alarms import AlarmRule
from motionhub.live.evaluation import Recording, Trace
from motionhub.skeletons.sequence import SkeletonSequence


RULE = AlarmRule.parse("fall down>0.5 for 0.2s")
SPANS = {("hour 00", 1): [(0.0, 4.0, "walk around"), (4.5, 6.0, "fall"), (100.0, 104.0, "tie shoes")]}


@pytest.fixture(scope="module")
def script():
    return load_script("benchmarks/alarm_hours.py")


def trace():
    """A fall that raises the alarm, tying shoes that raises one too, and a window in which too little was seen."""
    high, low, unseen = (np.array([value]) for value in (0.9, 0.1, np.nan))
    steps = [
        ((0, 0), 5.0, 5.4, high),
        ((0, 0), 5.4, 5.8, high),
        ((1, 0), 101.0, 101.4, low),
        ((1, 0), 102.0, 102.4, high),
    ]
    steps += [((1, 0), 102.4, 102.8, high), ((1, 0), 102.8, 103.2, unseen)]
    return Trace("hour 00", 1, 900.0, [(4.5, 6.0)], steps)


def test_an_hour_that_was_saved_is_not_made_again_and_is_the_same(script, tmp_path, capsys):
    def never():
        raise AssertionError("made again")

    path, asked = tmp_path / "hour_00.json", {"model": "m", "stride": 6}
    first = script.saved(path, asked, lambda: ([trace()], SPANS))
    again = script.saved(path, asked, never)
    assert capsys.readouterr().out.startswith("hour_00.json: 0.25 h, 1 falls")
    for (found,), spans in (first, again):
        assert spans == SPANS and (found.day, found.unit, found.seconds, found.events) == (
            "hour 00",
            1,
            900.0,
            [(4.5, 6.0)],
        )
        assert [step[:3] for step in found.steps] == [step[:3] for step in trace().steps]
        np.testing.assert_array_equal([step[3] for step in found.steps], [step[3] for step in trace().steps])
    with pytest.raises(ValueError, match=r"hour_00\.json was made with .*'stride': 6.*pass another --output_dir"):
        script.saved(path, {**asked, "stride": 3}, never)


def test_a_false_alarm_is_counted_at_the_motion_in_which_it_is_raised(script):
    rows = script.false_table([trace()], SPANS, RULE, "stated").splitlines()
    assert {row.strip() for row in rows[1:]} == {
        "walk around                 0 of 1",
        "fall                        0 of 1",
        "tie shoes                   1 of 1",
    }


def test_the_persons_of_an_hour_are_of_one_day(script):
    clip = SkeletonSequence(np.zeros((1, 2, 17, 2)), "coco-17", 15, "pixel")
    parts = [Recording(f"person {unit}", unit, 0.0, clip, ((0.0, 0.1, "fall"),), 10.0) for unit in (0, 1)]
    spans = {}
    assert {part.day for part in script.noted(parts, "hour 03", spans)} == {"hour 03"}
    assert spans == {("hour 03", unit): [(0.0, 0.1, "fall")] for unit in (0, 1)}
