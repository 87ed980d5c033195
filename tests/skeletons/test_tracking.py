"""Tracking: people whose paths are known, shuffled and with holes, come back as themselves."""

import itertools
import sys

import numpy as np
import pytest

from motionhub.skeletons.tracking import PeopleTracker, stack_people, track_people


STICK = np.array(
    [(0, 0), (0, 60), (-25, 60), (25, 60), (-40, 110), (40, 110), (-12, 150), (12, 150), (-14, 260), (14, 260)]
)
FRAMES = 120


def three_crossing_people(seed: int) -> np.ndarray:
    """`(3, frames, joints, 2)`: two walk towards each other, a smaller one overtakes both; all swing their limbs."""
    generator = np.random.default_rng(seed)
    time = np.arange(FRAMES)[:, None, None]
    swing = np.array([0, 0, 0, 0, 18, -18, 0, 0, -25, 25])[None, :, None] * np.array([1.0, 0.1])
    starts, velocities, sizes = [(100, 200), (700, 230), (60, 215)], [(5, 0), (-5, 0), (8, 0.3)], [1.0, 1.05, 0.8]
    people = []
    for start, velocity, size in zip(starts, velocities, sizes, strict=True):
        phase = generator.uniform(0, 2 * np.pi)
        body = size * (STICK + swing * np.sin(0.3 * time + phase))
        people.append(body + np.array(start) + np.array(velocity) * time)
    return np.array(people) + generator.normal(0, 1.0, (3, FRAMES, len(STICK), 2))


def detections_of(people: np.ndarray, seed: int, missing: float = 0.1):
    """Per frame the people in random order without those missed, and who they really are."""
    generator = np.random.default_rng(100 + seed)
    seen = generator.random(people.shape[:2]) >= missing
    seen[:, 0] = True
    order = [generator.permutation(len(people)) for _ in range(people.shape[1])]
    truth = [np.array([who for who in row if seen[who, time]], dtype=int) for time, row in enumerate(order)]
    return [people[who, time] for time, who in enumerate(truth)], truth


@pytest.mark.parametrize("seed", range(10))
def test_three_crossing_people_with_a_tenth_of_the_detections_missing_are_distinguished(seed):
    people = three_crossing_people(seed)
    # They really cross: each pair changes sides.
    for first, second in itertools.combinations(range(3), 2):
        side = np.sign((people[first, :, 0, 0] - people[second, :, 0, 0])[[0, -1]])
        assert side[0] != side[1]
    frames, truth = detections_of(people, seed)
    numbers = track_people(frames)
    # People are numbered as they appear: the order of the first frame.
    for found, true in zip(numbers, truth, strict=True):
        np.testing.assert_array_equal(truth[0][found], true)


def test_missing_joints_do_not_confuse_people():
    people = three_crossing_people(0)
    hidden = np.random.default_rng(5).random(people.shape[:3]) < 0.3
    people[hidden] = np.nan
    frames, truth = detections_of(people, 0)
    for found, true in zip(track_people(frames), truth, strict=True):
        np.testing.assert_array_equal(truth[0][found], true)


def test_a_gap_is_bridged_up_to_its_length_and_not_beyond():
    body = STICK[None] + np.arange(40)[:, None, None] * np.array([6.0, 0])
    frames = [body[time : time + 1] if not 10 <= time < 20 else body[:0] for time in range(40)]
    assert {int(number) for row in track_people(frames, max_gap=10) for number in row} == {0}
    numbers = track_people(frames, max_gap=9)
    assert [int(row[0]) for row in numbers[:10]] == [0] * 10 and [int(row[0]) for row in numbers[20:]] == [1] * 20


def test_a_person_far_away_is_another_person():
    frames = [STICK[None] + 0.0, STICK[None] + 300.0]
    assert [row.tolist() for row in track_people(frames)] == [[0], [1]]


def test_a_detection_without_joints_is_no_person():
    frames = [np.full((1, 10, 2), np.nan), STICK[None] + 0.0, np.zeros((0, 10, 2))]
    assert [row.tolist() for row in track_people(frames)] == [[-1], [0], []]
    assert track_people([]) == []


def test_tracking_does_not_depend_on_the_unit_or_the_origin():
    frames, _ = detections_of(three_crossing_people(3), 3)
    moved = track_people([0.01 * frame - 500 for frame in frames])
    for first, second in zip(track_people(frames), moved, strict=True):
        np.testing.assert_array_equal(first, second)


def test_three_dimensional_people_are_tracked_too():
    flat = three_crossing_people(1)
    people = np.concatenate([flat, np.full_like(flat[..., :1], 300.0)], axis=-1)
    frames, truth = detections_of(people, 1)
    for found, true in zip(track_people(frames), truth, strict=True):
        np.testing.assert_array_equal(truth[0][found], true)


def test_stacked_rows_hold_each_persons_own_points():
    people = three_crossing_people(2)
    frames, truth = detections_of(people, 2)
    values, track_ids = stack_people(frames, truth)
    for row, who in enumerate(track_ids):
        seen = np.array([who in present for present in truth])
        np.testing.assert_array_equal(values[row, seen], people[who, seen].astype(np.float32))
        assert np.isnan(values[row, ~seen]).all()


def test_scores_of_absent_people_are_the_fill():
    values, track_ids = stack_people(
        [np.array([0.5, 0.7]), np.array([0.9])], [np.array([7, 3]), np.array([3])], fill=0
    )
    assert track_ids == (7, 3)
    np.testing.assert_allclose(values, [[0.5, 0], [0.7, 0.9]])


def test_people_of_one_joint_are_followed_to_the_nearest():
    """One joint has no size, by which other bodies are distinguished from a newcomer."""
    chance = np.random.default_rng(0)
    places = np.array([[0.0, 0.0], [0.0, 300.0], [900.0, 600.0]])
    orders = [chance.permutation(3) for _ in range(50)]
    frames = [(places + [[2 * t, 0], [2 * t, 0], [-t, 0]])[order][:, None] for t, order in enumerate(orders)]
    numbers = np.stack(track_people(frames))
    by_person = np.stack([row[np.argsort(order)] for row, order in zip(numbers, orders, strict=True)])
    assert (by_person == by_person[0]).all() and len({*by_person[0]}) == 3


@pytest.mark.parametrize("seed", range(3))
def test_frame_by_frame_people_have_the_numbers_of_all_frames_at_once(seed):
    frames, _ = detections_of(three_crossing_people(seed), seed, missing=0.2)
    tracker = PeopleTracker(max_gap=10)
    for found, expected in zip(map(tracker, frames), track_people(frames, max_gap=10), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_frames_that_were_left_out_count_as_a_gap():
    person = three_crossing_people(0)[:1]
    near, far = PeopleTracker(max_gap=10), PeopleTracker(max_gap=10)
    assert near(person[:, 0], 0) == far(person[:, 0], 0) == [0]
    assert near(person[:, 1], 11) == [0]
    assert far(person[:, 1], 12) == [1]
    with pytest.raises(ValueError, match="above 12, got 12"):
        far(person[:, 2], 12)


def test_one_person_is_followed_without_scipy_and_several_name_it(monkeypatch):
    """A machine that runs exported models has NumPy only."""
    people = three_crossing_people(0)
    alone = [frame[None] for frame in people[0]]
    alone[40] = alone[40][:0]  # not seen for a moment
    expected = track_people(alone, max_gap=10)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    assert [found.tolist() for found in track_people(alone, max_gap=10)] == [found.tolist() for found in expected]
    close = [np.stack([one, one + 1.0]) for one in people[0]]
    with pytest.raises(ImportError, match="several people needs SciPy; run: pip install scipy"):
        track_people(close, max_gap=10)
