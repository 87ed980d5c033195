"""What tmor-small is trained on: recordings with a label for every frame, and the clips that are not held out."""

import numpy as np
import pytest
from datasets import Dataset
from helpers import load_script

from motionhub.data.synthetic.generate import ACTIONS


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
