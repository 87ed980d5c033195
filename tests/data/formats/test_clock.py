"""Time stamps: they decide the positions and the rate of a clip, never the number of the row."""

from pathlib import Path

import numpy as np
import pytest

from motionhub.data.formats.clock import place_stamps, seconds_per_stamp
from motionhub.data.formats.format import ReadOptions


FILE = Path("clip.json")


def test_every_third_frame_of_a_video_at_30_fps_is_a_clip_of_10_fps():
    positions, rate = place_stamps(FILE, np.arange(0, 90, 3) / 30, ReadOptions())
    assert (positions.tolist(), rate) == (list(range(30)), 10.0)


def test_dropped_frames_are_gaps():
    kept = np.flatnonzero(np.random.default_rng(0).random(600) > 0.3)
    positions, rate = place_stamps(FILE, kept / 60, ReadOptions())
    assert rate == 60.0
    assert positions.tolist() == (kept - kept[0]).tolist()


@pytest.mark.filterwarnings("error")
def test_stamps_of_whole_milliseconds_state_30_fps():
    positions, rate = place_stamps(FILE, np.floor(np.arange(60) * 1000 / 30) / 1000, ReadOptions())
    assert (positions.tolist(), rate) == (list(range(60)), 30.0)


def test_a_camera_that_slows_down_keeps_its_times():
    stamps = np.concatenate([np.arange(30) / 30, 1 + np.arange(15) / 15])
    positions, rate = place_stamps(FILE, stamps, ReadOptions())
    np.testing.assert_allclose(positions / rate, stamps, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_stamps_that_come_early_or_late_stay_within_two_frames(seed):
    stamps = np.arange(300) / 30 + np.random.default_rng(seed).normal(0, 0.004, 300)
    positions, rate = place_stamps(FILE, stamps, ReadOptions(fps=30))
    assert rate == 30
    assert np.abs(positions - np.arange(300)).max() <= 2


def test_another_rate_of_the_caller_is_an_error_that_names_both():
    with pytest.raises(ValueError, match=r"state 30 frames per second, but fps 25 was given"):
        place_stamps(FILE, np.arange(30) / 30, ReadOptions(fps=25))


@pytest.mark.parametrize("stamps", [[0.0, 0.1, 0.1], [0.0, -0.1], [0.0, np.nan, 0.2], [0.0, 0.01, 0.02, 1e9]])
def test_stamps_of_no_recording_are_an_error(stamps):
    with pytest.raises(ValueError, match="clip.json: time"):
        place_stamps(FILE, np.array(stamps), ReadOptions())


def test_one_frame_states_no_rate():
    assert place_stamps(FILE, np.array([3.0]), ReadOptions())[1] is None


@pytest.mark.parametrize(
    ("step", "name", "unit"),
    [
        (33.3, "timestamp", 1e-3),
        (33_333, "timestamp", 1e-6),
        (1 / 30, "time", 1.0),
        (33_333_333, "t", 1e-9),
        (1, "timestamp_usec", 1e-6),
        (0.5, "time_ms", 1e-3),
        (20, "Time (Seconds)", 1.0),
    ],
)
def test_the_name_or_the_step_states_the_unit(step, name, unit):
    assert seconds_per_stamp(np.arange(10) * step, name) == unit
