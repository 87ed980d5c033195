"""`motionhub.refine`: steps, several experts, and a report whose numbers are known beforehand."""

import numpy as np
import pytest
from analytic_motions import straight_walk

import motionhub
from motionhub.pipelines.pose_refinement import STEPS, refine, report
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


PAIR = SkeletonLayout("pair", ("root", "end"), (("end", "root"),), "root")


def line(frames=40):
    """A bone of length 1 whose end moves 0.01 along x in each frame."""
    track = np.zeros((frames, 2, 2))
    track[:, 1, 1] = 1
    track[:, 1, 0] = 0.01 * np.arange(frames)
    return SkeletonSequence(track, PAIR, 30, "metre")


def damaged():
    """`line` with an outlier of 0.5 in frame 20 and a gap of two frames, of the end."""
    keypoints = line().keypoints.copy()
    keypoints[0, 20, 1, 0] += 0.5
    keypoints[0, 10:12, 1] = np.nan
    return line().replace(keypoints=keypoints)


def test_a_damaged_line_is_a_line_again_and_the_report_tells_what_was_done():
    motion, summary = refine(damaged(), return_report=True)
    np.testing.assert_allclose(motion.keypoints, line().keypoints, atol=1e-6)
    assert (summary["moved"], summary["filled"], summary["hidden"]) == (1, 2, 0)
    assert summary["joints_changed"] == pytest.approx(3 / 80)
    assert summary["mean_change"] == pytest.approx(0.5 / 78, rel=1e-4)
    assert summary["coverage_before"] == pytest.approx(78 / 80) and summary["coverage_after"] == 1
    assert summary["worst_joint"] == "end" and summary["worst_person"] == 0
    root, end = summary["per_joint"]
    assert root["changed"] == 0 and root["mean_change"] == 0 and root["coverage_before"] == 1
    assert end["name"] == "end" and end["changed"] == pytest.approx(3 / 40)
    assert end["mean_change"] == pytest.approx(0.5 / 38, rel=1e-4)


def test_raw_data_is_never_altered():
    raw = damaged()
    copy = raw.keypoints.copy()
    refine([raw, raw])
    refine(raw)
    np.testing.assert_array_equal(raw.keypoints, copy)


def test_jitter_is_the_standard_deviation_of_the_noise_and_smoothing_lowers_it():
    walk = straight_walk(num_frames=300)
    noise = np.random.default_rng(0).normal(0, 0.01, walk.keypoints.shape)
    _, summary = refine(walk.replace(keypoints=walk.keypoints + noise), steps=("savitzky-golay",), return_report=True)
    assert summary["jitter_before"] == pytest.approx(0.01, rel=0.1)
    assert summary["jitter_after"] < 0.5 * summary["jitter_before"]


def test_hidden_joints_are_counted():
    motion, summary = refine(damaged(), steps=("outliers",), return_report=True)
    assert (summary["moved"], summary["filled"], summary["hidden"]) == (0, 0, 1)
    assert not motion.joint_mask[0, 20, 1]


def test_steps_are_done_in_the_order_given():
    filled_first = refine(damaged(), steps=("gaps", "outliers"))
    assert not filled_first.joint_mask[0, 20, 1]
    assert refine(damaged(), steps=("outliers", "gaps")).joint_mask.all()


def test_without_steps_nothing_changes():
    motion, summary = refine(damaged(), steps=(), return_report=True)
    np.testing.assert_array_equal(motion.keypoints, damaged().keypoints)
    assert summary["joints_changed"] == 0 and summary["mean_change"] == 0


def test_several_inputs_are_experts_and_the_report_knows_each():
    off = damaged()
    far = line().replace(keypoints=line().keypoints + 5)
    motion, summary = refine([off, line(), far], steps=(), return_report=True)
    np.testing.assert_array_equal(motion.keypoints, line().keypoints)
    # The second has the end in the gap and, nearest from then on with the first, in the outlier's frame.
    picked = [row["picked"] for row in summary["experts"]]
    assert sum(picked) == pytest.approx(1) and picked[1] >= 3 / 80 and picked[2] == 0
    assert summary["experts"][0]["coverage"] == pytest.approx(78 / 80)
    assert len(summary["confidence"][0]) == 40
    assert summary["filled"] == 2


def test_files_and_arrays_are_refined_like_sequences(tmp_path):
    file = motionhub.write(damaged(), tmp_path / "damaged.npz")
    expected = refine(damaged())
    for given in (file, str(file), [file]):
        np.testing.assert_array_equal(motionhub.refine(given).keypoints, expected.keypoints)
    from_array = refine(damaged().keypoints, layout=PAIR, fps=30, unit="metre")
    np.testing.assert_array_equal(from_array.keypoints, expected.keypoints)


@pytest.mark.parametrize("step", STEPS)
def test_short_motions_have_a_report_without_jitter(step):
    _, summary = refine(line(1), steps=(step,), return_report=True)
    assert summary["jitter_before"] is None and summary["joints_changed"] == 0


def test_nothing_seen_is_said_and_reported_without_numbers():
    nothing = line().replace(keypoints=np.full((1, 40, 2, 2), np.nan))
    with pytest.warns(UserWarning, match="no valid keypoints, so nothing is refined"):
        motion, summary = refine(nothing, return_report=True)
    assert not motion.joint_mask.any()
    assert summary["mean_change"] is None and summary["jitter_after"] is None and summary["coverage_after"] == 0


def test_two_people_are_reported_by_the_one_who_changed_most():
    two = np.concatenate([line().keypoints, damaged().keypoints + 3])
    summary = report(
        line().replace(keypoints=two, track_ids=None), line().replace(keypoints=np.nan_to_num(two), track_ids=None)
    )
    assert summary["worst_person"] == 1 and summary["worst_joint"] == "end" and summary["filled"] == 2


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="steps must be a list of names among .*'swaps'.* got \\('smooth',\\)"):
        refine(line(), steps=("smooth",))
    with pytest.raises(ValueError, match="steps must be a list"):
        refine(line(), steps="gaps")
    with pytest.raises(ValueError, match="Nothing to refine"):
        refine([])
    with pytest.raises(ValueError, match="at least one person and frame"):
        refine(line(0))
    with pytest.raises(ValueError, match="only one input was given"):
        refine(line(), official=True)
    with pytest.raises(ValueError, match="two rules"):
        refine([line()] * 3, official=True, paper=True)
    with pytest.raises(ValueError, match="An array needs layout, fps and unit"):
        refine(np.zeros((3, 2, 2)))
