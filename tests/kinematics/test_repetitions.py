"""`motionhub.repetitions`: ten are ten at any rate, unit and view, with pauses and gaps."""

import numpy as np
import pytest
from analytic_motions import pendulum_arm, straight_walk

import motionhub
from motionhub.data.views.cameras import project_to_pixels
from motionhub.skeletons.convert import resample


def repeated(action: str, times: int, *, pause: float = 0.0, seed: int = 0) -> motionhub.SkeletonSequence:
    """An action again and again, with `pause` seconds of standing between, in which the body sways by 3 mm."""
    once = motionhub.generate(action, seed=seed)
    rng, parts = np.random.default_rng(seed), []
    for number in range(times):
        parts.append(once.keypoints)
        if pause and number + 1 < times:
            share = np.linspace(0, 1, round(pause * once.fps))[None, :, None, None]
            still = once.keypoints[:, -1:] * (1 - share) + once.keypoints[:, :1] * share
            parts.append(still + rng.normal(0, 0.003, still.shape))
    return once.replace(keypoints=np.concatenate(parts, axis=1), confidence=None)


def count_of(sequence: motionhub.SkeletonSequence) -> int:
    (found,) = motionhub.repetitions(sequence)
    return found.count


@pytest.mark.parametrize("fps", [10, 15, 30, 60])
@pytest.mark.parametrize("pause", [0.0, 2.0])
def test_ten_squats_are_ten_at_every_rate_with_and_without_pauses(fps, pause):
    assert count_of(resample(repeated("squat", 10, pause=pause), fps)) == 10


@pytest.mark.parametrize(("action", "times"), [("bow", 4), ("kick", 7), ("jump", 12), ("pick up with two hands", 5)])
def test_any_action_is_counted_without_training(action, times):
    assert count_of(repeated(action, times, pause=0.5)) == times


def test_start_turn_and_end_are_those_of_each_repetition():
    squats = repeated("squat", 5, pause=2.0)
    (found,) = motionhub.repetitions(squats)
    length, step = (squats.duration - 8.0) / 5, (squats.duration + 2.0) / 5
    for number, row in enumerate(found.rows):
        first = number * step
        assert first - 0.2 <= row["start_s"] < row["turn_s"] < row["end_s"] <= first + length + 0.2
        assert row["turn_s"] == pytest.approx(first + length / 2, abs=0.35)
        assert row["end_s"] - row["start_s"] > 0.6 * length
    assert found.period_s == pytest.approx(step, abs=0.1)


def test_an_arm_that_swings_as_a_sine_is_counted_by_its_periods():
    assert count_of(pendulum_arm(0.5, 60, num_frames=601)) == pytest.approx(10, abs=1)


def test_a_walk_is_counted_in_strides():
    (found,) = motionhub.repetitions(straight_walk(1.2, num_frames=300))
    assert found.kind == "stride" and found.count in (10, 11)
    assert found.period_s == pytest.approx(0.913, abs=0.07)  # seconds of a cycle of the generator at this speed


@pytest.mark.parametrize("azimuth", [0, 60, 90])
def test_a_camera_does_not_change_the_count(azimuth):
    filmed = project_to_pixels(repeated("squat", 6, pause=1.0), azimuth, 10, (1280, 720))
    assert count_of(filmed) == 6


def test_units_and_noise_and_gaps_do_not_change_the_count():
    squats = repeated("squat", 6, pause=1.0)
    rng = np.random.default_rng(1)
    keypoints = squats.keypoints + rng.normal(0, 0.015, squats.keypoints.shape)
    keypoints[:, rng.random(squats.num_frames) < 0.1] = np.nan
    assert count_of(squats.replace(keypoints=keypoints)) == 6
    assert count_of(squats.replace(keypoints=keypoints * 1000)) == 6


def test_each_person_is_counted():
    squats, bows = repeated("squat", 4, pause=1.0), repeated("bow", 3, pause=1.0)
    missing = ((0, 0), (0, squats.num_frames - bows.num_frames), (0, 0), (0, 0))
    held = np.pad(bows.keypoints, missing, mode="edge")
    both = squats.replace(keypoints=np.concatenate([squats.keypoints, held]), track_ids=(5, 2), confidence=None)
    assert [(found.track_id, found.count) for found in motionhub.repetitions(both)] == [(5, 4), (2, 3)]


@pytest.mark.parametrize("action", ["sit down", "fall", "throw", "pick up with one hand", "squat"])
def test_an_action_done_once_is_no_repetition_and_the_reason_is_given(action):
    (found,) = motionhub.repetitions(motionhub.generate(action, seed=1))
    assert found.count == 0 and found.reason and np.isnan(found.period_s)


def test_different_actions_in_a_row_are_no_repetition():
    parts = [
        motionhub.generate(action, seed=2) for action in ("sit down", "kick", "bow", "throw", "phone call", "jump")
    ]
    mixed = parts[0].replace(keypoints=np.concatenate([each.keypoints for each in parts], axis=1))
    (found,) = motionhub.repetitions(mixed)
    assert found.count == 0 and found.reason


def test_another_movement_between_is_left_out():
    squats, kick = repeated("squat", 3, pause=1.0), motionhub.generate("wave", seed=0)
    mixed = squats.replace(keypoints=np.concatenate([squats.keypoints, kick.keypoints, squats.keypoints], axis=1))
    (found,) = motionhub.repetitions(mixed)
    between = (squats.duration + 0.5, squats.duration + kick.duration - 0.5)
    assert found.count == 6 and not [row for row in found.rows if between[0] < row["turn_s"] < between[1]]


@pytest.mark.parametrize(
    ("keypoints", "reason"),
    [
        (np.zeros((1, 90, 20, 3)), "too few joints"),  # all joints at one place: a body without a size
        (np.full((1, 90, 20, 3), np.nan), "too few joints"),
        (np.zeros((1, 1, 20, 3)), "too short"),
        (np.zeros((1, 0, 20, 3)), "too short"),
    ],
)
def test_what_holds_no_motion_is_none_with_a_reason(keypoints, reason):
    (found,) = motionhub.repetitions(motionhub.SkeletonSequence(keypoints, "kinect-20", 30, "metre"))
    assert found.count == 0 and reason in found.reason and found.intervals() == []


def test_standing_still_with_noise_is_none():
    pose = motionhub.generate("wave", seed=0).keypoints[:, :1]
    still = np.repeat(pose, 200, axis=1) + np.random.default_rng(0).normal(0, 0.01, (1, 200, *pose.shape[2:]))
    (found,) = motionhub.repetitions(motionhub.SkeletonSequence(still, "kinect-20", 30, "metre"))
    assert found.count == 0 and "noise" in found.reason


def test_nobody_has_no_counts_and_other_types_are_refused():
    assert motionhub.repetitions(motionhub.SkeletonSequence(np.zeros((0, 90, 20, 3)), "kinect-20", 30, "metre")) == []
    with pytest.raises(ValueError, match="read a file"):
        motionhub.repetitions("walk.npz")


@pytest.mark.slow
def test_ui_prmd_recordings_of_a_subject_are_counted_within_one(shared):
    """Ten repetitions of ten movements, done correctly; the settings were chosen on the subjects 1, 3, 5 and 7."""
    path = shared("data/uiprmd_kinect_s1-7.npz")
    clips, facts = motionhub.read(path), np.load(path)
    subject, correct, movements = facts["subject"], facts["correct"], facts["movement"]
    errors = []
    for movement in range(1, 11):
        parts = np.flatnonzero((subject == 2) & correct & (movements == movement))
        joined = np.concatenate([clips[part].keypoints for part in parts], axis=1)
        errors.append(abs(count_of(clips[0].replace(keypoints=joined)) - len(parts)))
    assert np.mean(np.array(errors) <= 1) >= 0.8
