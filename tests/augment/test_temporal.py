"""Which frames are taken: every number of a clip is its frame index."""

import numpy as np
from helpers import seeded

from motionhub.augment import temporal


def clock(frames: int) -> np.ndarray:
    """Two people, three joints, two dims; every value is the frame it belongs to."""
    return np.tile(np.arange(frames, dtype=np.float32)[None, :, None, None], (2, 1, 3, 2))


def resized(keypoints: np.ndarray, size: int) -> np.ndarray:
    return temporal.take_frames(keypoints, temporal.resize_positions(keypoints.shape[1], size))


def frames_of(keypoints: np.ndarray) -> list[float]:
    assert bool((keypoints == keypoints[:1, :, :1, :1]).all())
    return keypoints[0, :, 0, 0].tolist()


def test_every_window_begin_is_drawn_and_windows_are_consecutive():
    begins = set()
    for seed in range(200):
        positions = temporal.random_window_positions(6, 4, seeded(seed)).tolist()
        assert positions == list(range(positions[0], positions[0] + 4))
        begins.add(positions[0])
    assert begins == {0, 1, 2}


def test_centre_window_leaves_as_much_before_as_after():
    assert temporal.centre_window_positions(9, 5).tolist() == [2, 3, 4, 5, 6]
    assert temporal.centre_window_positions(3, 5).tolist() == [0, 1, 2]


def test_one_random_frame_of_every_segment():
    seen: list[set[int]] = [set(), set(), set()]
    for seed in range(100):
        for segment, frame in enumerate(temporal.segment_positions(12, 3, seeded(seed)).tolist()):
            seen[segment].add(frame)
    assert seen == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}]


def test_middle_frame_of_every_segment_without_randomness():
    assert temporal.segment_positions(10, 5, random=False).tolist() == [1, 3, 5, 7, 9]
    assert temporal.segment_positions(2, 4, random=False).tolist() == [0, 0, 1, 1]


def test_resizing_a_straight_motion_keeps_it_straight():
    assert frames_of(resized(clock(5), 9)) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert frames_of(resized(clock(5), 5)) == [0, 1, 2, 3, 4]
    assert frames_of(resized(clock(1), 3)) == [0, 0, 0]
    assert frames_of(resized(clock(5), 1)) == [2]


def test_interpolated_frame_is_missing_only_if_a_frame_that_counts_is():
    keypoints = clock(3)
    keypoints[:, 1, 0] = float("nan")
    halves = resized(keypoints, 5)  # positions 0, .5, 1, 1.5, 2
    assert np.isnan(halves[0, :, 0, 0]).tolist() == [False, True, True, True, False]
    assert not np.isnan(halves[:, :, 1:]).any()


def test_resampling_to_half_and_double_rate():
    assert temporal.resample_positions(5, 30, 15).tolist() == [0, 2, 4]
    assert temporal.resample_positions(3, 15, 30).tolist() == [0, 0.5, 1, 1.5, 2]
    assert temporal.resample_positions(1, 15, 30).tolist() == [0]
