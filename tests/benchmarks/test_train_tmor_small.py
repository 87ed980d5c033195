"""What tmor-small is trained on: recordings with a label for every frame, and the clips that are not held out."""

from collections import Counter

import numpy as np
import pytest
import torch
from datasets import Dataset
from helpers import load_script

from motionhub.data.synthetic.captions import CaptionedClip
from motionhub.data.synthetic.generate import ACTIONS, generate


@pytest.fixture(scope="module")
def script():
    return load_script("benchmarks/train_tmor_small.py")


def test_recordings_have_a_label_for_every_frame(script):
    clip, labels = next(script.synthetic_recordings(1))
    assert len(labels) == clip.num_frames and set(labels) <= {*range(len(ACTIONS)), -1}
    assert len(np.unique(labels)) > 2


def test_the_calibration_error_of_scores_that_mean_what_they_say_is_small(script):
    chance = np.random.default_rng(0)
    score = chance.uniform(0.1, 1, 20_000)
    assert script.calibration_error(score, chance.random(20_000) < score) < 0.02
    assert script.calibration_error(np.full(100, 0.9), np.arange(100) < 50) == pytest.approx(0.4)


def test_clips_are_held_out(script):
    rows = Dataset.from_dict({"label": [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0], "subject": [1, 2] * 6})
    # Of eight and of four clips the first three quarters.
    wanted = [True] * 7 + [False] + [True] * 2 + [False] * 2
    np.testing.assert_array_equal(script.trained_on("penn-action", rows), wanted)
    np.testing.assert_array_equal(script.trained_on("utd-mhad", rows), [True, False] * 6)
    assert script.trained_on("bandai-namco", rows).all()


def test_small_sets_and_rare_classes_get_more_rows_and_all_rows_are_about_as_many_as_asked_for(script):
    clip = generate("wave", seed=0, num_frames=4)
    large = [CaptionedClip(clip, (name,)) for name in ["walk"] * 90 + ["wave"] * 10]
    small = [CaptionedClip(clip, ("kick",))] * 25
    drawn = Counter(each.phrases[0] for each in script.balanced({"large": large, "small": small}, 3000, seed=0))
    assert 2950 < drawn.total() < 3050
    assert drawn["wave"] / 10 == pytest.approx(3 * drawn["walk"] / 90, rel=0.1)  # sqrt(90 / 10)
    per_clip = ((25 * 25) ** -0.5, (100 * 90) ** -0.5)
    assert drawn["kick"] / 25 / (drawn["walk"] / 90) == pytest.approx(per_clip[0] / per_clip[1], rel=0.1)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_the_mean_of_a_class_is_drawn_in_two_of_five_times(script, count):
    vectors = torch.nn.functional.normalize(torch.randn(count, 8), dim=-1)
    table = script.with_means(vectors)
    torch.testing.assert_close(table[:count], vectors)
    torch.testing.assert_close(table[count:], vectors.mean(0).expand(len(table) - count, 8))
    assert (len(table) - count) / len(table) == pytest.approx(0.4, abs=0.11)


def test_described_motions_have_words_joints_and_no_story(tmp_path):
    frames = np.ones((3 + 2 + 500 + 500, 2, 3), np.int16)
    frames[0, 1] = -32768
    np.savez(
        tmp_path / "cmu.npz",
        frames=frames,
        scale=0.5,
        offsets=[0, 3, 5, 505, 1005],
        joint_names=["root", "lhip"],
        label=["A person waves.", "random stuff", "make breakfast", "walk"],
        text=["waves\nA man waves the hand.", "x", "y", "walk about"],
        source=["s"] * 4,
        fps=[0.0, 30.0, 30.0, 60.0],
    )
    first, last = load_script("benchmarks/motion_sets.py").described_motions(tmp_path, "cmu")
    assert first.phrases == ("waves", "waves the hand") and last.phrases == ("walk", "walk about")
    assert first.sequence.fps == 30 and last.sequence.fps == 60 and last.sequence.num_frames == 500
    assert first.sequence.layout.joints == ("mid_hip", "left_hip")
    np.testing.assert_array_equal(first.sequence.joint_mask[0], [[True, False], [True, True], [True, True]])
    assert first.sequence.keypoints[0, 1].max() == 0.5
