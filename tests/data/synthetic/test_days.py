"""Generated days: made while they are read, with falls and with what is mistaken for one."""

import itertools
import tracemalloc

import numpy as np

import motionhub
from motionhub.data.synthetic.days import DAY_MOTIONS, HARD_NEGATIVES, generate_day
from motionhub.data.synthetic.generate import compose, compose_motions
from motionhub.data.synthetic.motions import MOTIONS
from tests.helpers import assert_same_sequence, error_of


def test_a_day_has_falls_hard_negatives_and_quiet_in_order_without_overlap():
    day = list(generate_day(0.6, seed=1))
    assert {"quiet", "fall", *HARD_NEGATIVES} == {episode.kind for episode in day}
    for before, after in itertools.pairwise(day):
        assert before.start + before.sequence.duration < after.start
    for episode in day:
        names = [name for *_, name in episode.intervals]
        assert ("fall" in names) == (episode.kind == "fall") and set(names) <= set(DAY_MOTIONS)
        ends = [second for start, end, _ in episode.intervals for second in (start, end)]
        assert ends == sorted(ends) and ends[0] == episode.start
        assert ends[-1] <= episode.start + episode.sequence.duration + 1e-6
    assert day[-1].start < 0.6 * 3600


def test_a_seed_gives_the_same_day_and_another_another():
    first, again, other = (next(generate_day(0.1, seed=seed)) for seed in (3, 3, 4))
    assert_same_sequence(first.sequence, again.sequence)
    assert first.sequence.keypoints.shape != other.sequence.keypoints.shape or not np.array_equal(
        first.sequence.keypoints, other.sequence.keypoints, equal_nan=True
    )


def test_people_lie_after_a_fall_and_stand_when_they_have_got_up():
    for number, episode in enumerate(generate_day(0.3, seed=2, num_dims=3, layout="kinect-20", falls_per_hour=1000)):
        head = episode.sequence.keypoints[0, :, episode.sequence.layout.index("head"), 1]
        feet = np.nanmin(episode.sequence.keypoints[0, ..., 1], axis=-1)
        height = head - feet
        named = {name: int((start + end - 2 * episode.start) / 2 * 15) for start, end, name in episode.intervals}
        assert np.nanmedian(height[named["lie still"] - 5 : named["lie still"] + 5]) < 0.8
        assert np.nanmedian(height[:8]) > 1.1 and np.nanmedian(height[-8:]) > 1.0
        if number == 2:
            break


def test_a_day_is_made_while_it_is_read():
    tracemalloc.start()
    for episode in itertools.islice(generate_day(24.0, seed=0), 12):
        assert episode.sequence.num_frames
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20e6


def test_wrong_numbers_are_refused():
    assert "hours above 0" in error_of(generate_day, 0)
    assert "hard_share in 0..1" in error_of(generate_day, 1, hard_share=2)
    assert motionhub.generate_day is generate_day


def test_key_poses_are_composed_as_actions_are():
    actions = ["sit down", "wave"]
    composed, labels = compose(actions, seed=4, speed=1.2)
    own, spans = compose_motions([(MOTIONS[name], 1.2) for name in actions], seed=4)
    assert_same_sequence(composed, own)
    assert [int((labels >= 0).argmax()), len(labels)] == [spans[0][0], spans[1][1]]
