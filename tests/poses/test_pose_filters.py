"""Classical refinement against closed forms: constants, lines, sines, steps, impulses, and One-Euro by hand."""

import itertools

import numpy as np
import pytest
from analytic_motions import straight_walk

from motionhub.data.synthetic.generate import Scene, generate
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.pipelines.pose_refinement import refine
from motionhub.poses import filters
from motionhub.skeletons.convert import convert_layout, resample
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


FPS = 30.0
ARM = SkeletonLayout("arm", ("shoulder", "elbow", "hand"), (("elbow", "shoulder"), ("hand", "elbow")), "shoulder")
FILTERS = {
    "swaps": filters.repair_swaps,
    "outliers": filters.reject_outliers,
    "gaps": filters.fill_gaps,
    "savitzky-golay": filters.smooth_savitzky_golay,
    "one-euro": filters.smooth_one_euro,
}
all_filters = pytest.mark.parametrize("refine", FILTERS.values(), ids=FILTERS)
smoothers = pytest.mark.parametrize("smooth", [filters.smooth_savitzky_golay, filters.smooth_one_euro])


def arm(hand):
    """A body one unit across whose hand's x is given and whose other joints are at rest."""
    hand = np.asarray(hand, dtype=np.float64)
    track = np.zeros((len(hand), 3, 2))
    track[:, 0], track[:, 1], track[:, 2, 0] = [0, 0.6], [0.8, 0.6], hand
    track[np.isnan(hand), 2] = np.nan
    return SkeletonSequence(track, ARM, FPS, "metre")


def hand(sequence):
    return sequence.keypoints[0, :, 2, 0].astype(np.float64)


@all_filters
def test_what_stands_stays_where_it_is(refine):
    still = arm(np.full(40, 0.3))
    np.testing.assert_allclose(refine(still).keypoints, still.keypoints, atol=1e-7)


@all_filters
def test_clean_walking_keeps_its_joints_and_hardly_changes(refine):
    walk = straight_walk(num_frames=90, fps=FPS)
    refined = refine(walk)
    assert np.array_equal(refined.joint_mask, walk.joint_mask)
    late = refine is filters.smooth_one_euro  # it only looks back
    assert np.abs(refined.keypoints - walk.keypoints).max() < (0.15 if late else 0.04)  # of 1.8 metres


def test_a_body_that_walks_through_gaps_has_no_outliers():
    walk = straight_walk(num_frames=90, fps=FPS)
    lacking = walk.keypoints.copy()
    lacking[np.random.default_rng(6).random(walk.joint_mask.shape) < 0.3] = np.nan
    lacking[:, 40:52] = np.nan
    lacking = walk.replace(keypoints=lacking)
    assert np.array_equal(filters.reject_outliers(lacking).joint_mask, lacking.joint_mask)


@all_filters
def test_nothing_that_goes_in_is_altered_and_confidence_is_kept(refine):
    chance = np.random.default_rng(0)
    track = chance.normal(0, 1, (2, 40, 3, 2))
    track[chance.random((2, 40, 3)) < 0.2] = np.nan
    sequence = SkeletonSequence(track, ARM, FPS, "metre", confidence=chance.random((2, 40, 3)), track_ids=(4, 7))
    copy = sequence.keypoints.copy()
    refined = refine(sequence)
    np.testing.assert_array_equal(sequence.keypoints, copy)
    np.testing.assert_array_equal(refined.confidence, sequence.confidence)
    assert refined.track_ids == (4, 7) and refined.keypoints.shape == copy.shape


@all_filters
@pytest.mark.parametrize("frames", [0, 1, 2])
def test_short_motions_pass(refine, frames):
    short = arm(np.full(frames, 0.5))
    np.testing.assert_array_equal(refine(short).keypoints, short.keypoints)


@all_filters
def test_a_motion_in_which_nothing_is_seen_stays_so(refine):
    nothing = SkeletonSequence(np.full((2, 30, 3, 2), np.nan), ARM, FPS, "pixel")
    assert not refine(nothing).joint_mask.any()


@all_filters
def test_a_larger_body_in_another_unit_is_refined_in_the_same_way(refine):
    chance = np.random.default_rng(2)
    small = arm(np.sin(np.arange(60) / 9) / 4 + chance.normal(0, 0.01, 60))
    large = small.replace(keypoints=small.keypoints * 256, unit="pixel")
    np.testing.assert_allclose(refine(large).keypoints, refine(small).keypoints * 256, rtol=1e-4, atol=1e-3)


def test_an_impulse_is_rejected_and_the_gap_it_leaves_is_filled_on_the_line():
    line = np.linspace(0, 0.5, 41)
    bent = line.copy()
    bent[20:23] += 0.6
    rejected = filters.reject_outliers(arm(bent))
    assert np.flatnonzero(np.isnan(hand(rejected))).tolist() == [20, 21, 22]
    np.testing.assert_allclose(hand(filters.fill_gaps(rejected)), line, atol=1e-6)


@pytest.mark.parametrize("fps", [15, 30, 60, 120])
@pytest.mark.parametrize("action", ["kick", "punch", "jump", "fall", "doffing", "walk around"])
def test_refinement_leaves_clean_motion_and_its_speed_alone(action, fps):
    clip = resample(generate(action, seed=1, fps=240), fps)
    refined = refine(clip)
    change = np.linalg.norm(refined.keypoints - clip.keypoints, axis=-1)
    assert np.percentile(change, 99) < 0.01  # metres
    assert peak_speed(refined) > 0.98 * peak_speed(clip)


@pytest.mark.parametrize("layout", [None, "coco-17"])
@pytest.mark.parametrize("phrase", ["jumping jacks", "run", "wipe face while walking"])
def test_quick_motion_at_a_low_frame_rate_is_no_noise(phrase, layout):
    clip = quick(phrase, layout)
    refined = refine(clip)
    assert np.percentile(np.linalg.norm(refined.keypoints - clip.keypoints, axis=-1), 99) < 0.01  # metres
    assert peak_speed(refined) > 0.98 * peak_speed(clip)


def test_noise_at_a_low_frame_rate_is_taken_away_once_for_all():
    clip = quick("wipe face while walking", None)
    noisy = clip.replace(keypoints=clip.keypoints + np.random.default_rng(0).normal(0, 0.02, clip.keypoints.shape))
    refined = refine(noisy)
    assert rms(refined, clip) < 0.8 * rms(noisy, clip)
    np.testing.assert_array_equal(refine(refined).keypoints, refined.keypoints)


def quick(phrase, layout):
    motion = next(each.motion for each in captioned_motions() if each.phrases[0] == phrase)
    clip = generate(motion, seed=3, fps=15)
    return clip if layout is None else convert_layout(clip, layout)


def peak_speed(clip):
    return np.linalg.norm(np.diff(clip.keypoints, axis=1), axis=-1).max() * clip.fps


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_refined_motion_is_refined_no_further(noise):
    clip = generate("kick", seed=0, fps=30, scene=Scene(noise=noise, dropout=0.02))
    once = refine(clip)
    change = np.linalg.norm(refine(once).keypoints - once.keypoints, axis=-1)
    assert np.nanmax(change) < 1e-5


def test_noise_is_taken_away_and_a_kick_keeps_its_height():
    clip = generate("kick", seed=0, fps=60)
    noisy = clip.replace(keypoints=clip.keypoints + np.random.default_rng(0).normal(0, 0.01, clip.keypoints.shape))
    refined = refine(noisy)
    assert rms(refined, clip) < 0.55 * rms(noisy, clip)
    foot = clip.layout.index("right_foot")
    high, wanted = (each.keypoints[0, :, foot, 1].max() for each in (refined, clip))
    assert high == pytest.approx(wanted, abs=0.02)


def rms(clip, truth):
    return np.sqrt(np.mean((clip.keypoints - truth.keypoints) ** 2))


@pytest.mark.parametrize("frames", [1, 3, 6])
def test_a_hand_that_jumps_away_and_back_is_rejected_in_a_kick(frames):
    clip = generate("kick", seed=0, fps=30)
    hand_of, points = clip.layout.index("left_hand"), clip.keypoints.copy()
    points[0, 20 : 20 + frames, hand_of] += (0.5, 0.3, 0.2)
    rejected = filters.reject_outliers(clip.replace(keypoints=points))
    assert np.flatnonzero(~rejected.joint_mask[0, :, hand_of]).tolist() == list(range(20, 20 + frames))


def test_a_joint_that_stretches_its_bone_slowly_is_rejected_and_one_that_swings_is_not():
    bent = np.zeros(180)
    bent[80:96] = np.sin(np.linspace(0, np.pi, 16)) ** 2  # the elbow is at 0.8, and the arm 1 long
    assert not filters.reject_outliers(arm(-bent), seconds=2.0).joint_mask[0, 88, 2]
    assert filters.reject_outliers(arm(1.6 * bent), seconds=2.0).joint_mask.all()


def test_a_step_is_a_motion_and_no_outlier():
    step = np.repeat([0.0, 0.7], 20)
    assert filters.reject_outliers(arm(step)).joint_mask.all()


def test_a_joint_that_leaves_for_longer_than_half_the_window_is_no_outlier():
    away = np.zeros(60)
    away[20:40] = 0.7
    assert filters.reject_outliers(arm(away), seconds=0.5).joint_mask.all()
    assert not filters.reject_outliers(arm(away), seconds=2.0).joint_mask[0, 20:40, 2].any()


def test_gaps_are_filled_up_to_their_longest_and_never_at_the_ends():
    track = np.linspace(0, 1, 40)
    track[[0, 39]] = np.nan
    track[5:10] = np.nan  # 5 frames
    track[20:27] = np.nan  # 7 frames
    filled = filters.fill_gaps(arm(track), max_seconds=0.2)  # 6 frames
    missing = np.flatnonzero(np.isnan(hand(filled))).tolist()
    assert missing == [0, *range(20, 27), 39]
    np.testing.assert_allclose(hand(filled)[5:10], np.linspace(0, 1, 40)[5:10], atol=1e-7)


def test_sides_that_change_place_are_put_back():
    walk = straight_walk(num_frames=60, fps=FPS)
    swapped = walk.keypoints.copy()
    swapped[:, 20:26] = swapped[:, 20:26][:, :, walk.layout.mirror]
    restored = filters.repair_swaps(walk.replace(keypoints=swapped))
    np.testing.assert_array_equal(restored.keypoints, walk.keypoints)


def test_savitzky_golay_keeps_parabolas_and_answers_an_impulse_with_its_known_weights():
    time = np.arange(40) / 40
    np.testing.assert_allclose(
        hand(filters.smooth_savitzky_golay(arm(time**2 - time), noise=None)), time**2 - time, atol=1e-6
    )
    impulse = np.zeros(21)
    impulse[10] = 0.35
    answer = hand(filters.smooth_savitzky_golay(arm(impulse), seconds=5 / FPS, order=2, noise=None))
    known = np.array([-3, 12, 17, 12, -3]) / 35  # Savitzky and Golay 1964, five points, quadratic
    np.testing.assert_allclose(answer[8:13], 0.35 * known, atol=1e-7)
    assert not answer[:8].any() and not answer[13:].any()


def test_savitzky_golay_of_a_sine_has_the_gain_of_its_weights():
    turn = 2 * np.pi * 3 / FPS  # 3 Hz
    gain = (17 + 24 * np.cos(turn) - 6 * np.cos(2 * turn)) / 35
    sine = 0.3 * np.sin(turn * np.arange(60))
    smooth = hand(filters.smooth_savitzky_golay(arm(sine), seconds=5 / FPS, order=2, noise=None))
    np.testing.assert_allclose(smooth[3:-3], gain * sine[3:-3], atol=1e-6)


def test_savitzky_golay_does_not_look_across_a_gap():
    track = np.repeat([0.0, np.nan, 0.7], [20, 3, 20])
    np.testing.assert_allclose(hand(filters.smooth_savitzky_golay(arm(track), noise=None)), track, atol=1e-7)


def test_one_euro_equals_a_recursion_by_hand():
    values, min_cutoff, beta, derivative_cutoff = [0.0, 1.0, 1.0, 3.0], 1.5, 0.7, 2.0
    tau, tau_d = 1 / (2 * np.pi * min_cutoff), 1 / (2 * np.pi * derivative_cutoff)
    step, expected, speed = 1 / FPS, [0.0], 0.0
    for before, now in itertools.pairwise(values):
        weight_d = 1 / (1 + tau_d / step)
        speed = weight_d * (now - before) / step + (1 - weight_d) * speed
        tau = 1 / (2 * np.pi * (min_cutoff + beta * abs(speed)))
        weight = 1 / (1 + tau / step)
        expected.append(weight * now + (1 - weight) * expected[-1])
    points = np.array(values)[:, None, None]
    filtered = filters.one_euro(points, FPS, min_cutoff, beta, derivative_cutoff)
    np.testing.assert_allclose(filtered[:, 0, 0], expected, rtol=1e-12)


def test_one_euro_without_beta_answers_a_step_like_an_exponential_filter():
    step = np.repeat([0.0, 1.0], [1, 30])[:, None, None]
    weight = 1 / (1 + FPS / (2 * np.pi * 1.0))
    expected = 1 - (1 - weight) ** np.arange(31)
    np.testing.assert_allclose(filters.one_euro(step, FPS, 1.0, 0.0)[:, 0, 0], expected, rtol=1e-12)


def test_one_euro_counts_the_time_that_a_joint_was_missing():
    gap = np.array([0.0, np.nan, np.nan, 1.0])[:, None, None]
    weight = 1 / (1 + FPS / 3 / (2 * np.pi * 1.0))  # a step of three frames
    filtered = filters.one_euro(gap, FPS, 1.0, 0.0)[:, 0, 0]
    np.testing.assert_allclose(filtered, [0, np.nan, np.nan, weight], rtol=1e-12)


def test_one_euro_does_not_depend_on_how_the_axes_lie():
    points = np.random.default_rng(3).normal(0, 1, (50, 4, 2))
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    turned = filters.one_euro(points @ turn, FPS, 1.0, 2.0)
    np.testing.assert_allclose(turned, filters.one_euro(points, FPS, 1.0, 2.0) @ turn, atol=1e-12)


@smoothers
def test_smoothing_takes_noise_away(smooth):
    noise = np.random.default_rng(4).normal(0, 0.01, 400)
    assert hand(smooth(arm(noise))).std() < 0.7 * noise.std()


@smoothers
def test_smoothing_leaves_missing_joints_missing(smooth):
    track = np.random.default_rng(5).normal(0, 0.1, 60)
    track[[0, 7, 8, 30, 59]] = np.nan
    assert np.array_equal(np.isnan(hand(smooth(arm(track)))), np.isnan(track))


def test_what_makes_no_sense_is_refused():
    still = arm(np.zeros(9))
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="seconds must be a positive number"):
            filters.reject_outliers(still, seconds=wrong)
        with pytest.raises(ValueError, match="max_seconds must be a positive number"):
            filters.fill_gaps(still, max_seconds=wrong)
        with pytest.raises(ValueError, match="min_cutoff must be a positive number"):
            filters.smooth_one_euro(still, min_cutoff=wrong)
    with pytest.raises(ValueError, match="order must be a whole number"):
        filters.smooth_savitzky_golay(still, order=-1)
    with pytest.raises(ValueError, match="speed_cutoff must be 0 or more"):
        filters.smooth_one_euro(still, speed_cutoff=-1)
