"""Resampling in time, on motions whose position at any time is known."""

import numpy as np
import pytest

from motionhub.skeletons.convert import resample
from motionhub.skeletons.sequence import SkeletonSequence


def pendulum(fps, seconds=2.0):
    """13 joints that swing at half a hertz, each with its own phase; metres."""
    time = np.arange(round(seconds * fps) + 1)[:, None] / fps
    angle = np.pi * time + np.arange(13)
    return SkeletonSequence(np.stack([np.sin(angle), np.cos(angle)], axis=-1), "penn-13", fps, "metre")


def uniform(num_frames, fps):
    points = np.zeros((num_frames, 13, 2)) + np.arange(num_frames)[:, None, None] / fps
    return SkeletonSequence(points, "penn-13", fps, "metre")


@pytest.mark.parametrize("fps", [25, 30, 60])
@pytest.mark.parametrize("new_fps", [25, 30, 60])
def test_copies_of_one_motion_at_other_rates_agree(fps, new_fps):
    copy = resample(pendulum(fps), new_fps)
    expected = pendulum(new_fps)
    assert copy.fps == new_fps and copy.num_frames == expected.num_frames
    # Linear interpolation between frames h apart errs by at most h^2 / 8 times the acceleration, here pi^2.
    bound = np.pi**2 / 8 / fps**2
    assert np.abs(copy.keypoints - expected.keypoints).max() <= bound + 1e-6


@pytest.mark.parametrize(("fps", "new_fps"), [(30, 25), (29.97, 25), (10, 100), (60, 7), (25, 24.999)])
def test_a_uniform_motion_is_exact_and_nothing_is_extrapolated(fps, new_fps):
    copy = resample(uniform(50, fps), new_fps)
    np.testing.assert_allclose(copy.keypoints[0, :, 3, 0], np.arange(copy.num_frames) / new_fps, atol=1e-5)
    last = 49 / fps
    assert last - 1 / new_fps < (copy.num_frames - 1) / new_fps <= last + 1e-6


def test_twice_the_rate_and_back_is_identity():
    clip = pendulum(30)
    np.testing.assert_array_equal(resample(resample(clip, 60), 30).keypoints, clip.keypoints)


def test_a_missing_frame_is_not_filled_and_does_not_spread_to_frames_that_do_not_need_it():
    clip = uniform(5, 10)
    keypoints = clip.keypoints.copy()
    keypoints[0, 2, 4] = np.nan
    mask = resample(clip.replace(keypoints=keypoints), 20).joint_mask[0]
    assert mask[:, 4].tolist() == [True, True, True, False, False, False, True, True, True]
    assert np.delete(mask, 4, axis=1).all()


def test_confidence_is_resampled_along():
    clip = uniform(3, 10).replace(confidence=np.array([0.0, 1.0, 0.5])[None, :, None] * np.ones((1, 3, 13)))
    np.testing.assert_allclose(resample(clip, 20).confidence[0, :, 0], [0, 0.5, 1, 0.75, 0.5])


@pytest.mark.parametrize("num_frames", [0, 1])
def test_no_frame_or_one_stays(num_frames):
    copy = resample(uniform(num_frames, 30), 12.5)
    assert copy.num_frames == num_frames and copy.fps == 12.5


def test_people_and_facts_stay():
    clip = SkeletonSequence(np.ones((2, 9, 13, 3)), "penn-13", 30, "metre", image_size=(640, 480), track_ids=(4, 2))
    copy = resample(clip, 15)
    assert copy.keypoints.shape == (2, 5, 13, 3)
    assert (copy.unit, copy.image_size, copy.track_ids) == ("metre", (640, 480), (4, 2))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), None, "25"])
def test_a_bad_rate_is_refused(fps):
    with pytest.raises(ValueError, match="fps must be a positive number"):
        resample(uniform(3, 30), fps)
