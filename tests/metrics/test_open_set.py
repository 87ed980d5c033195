"""Calibration and open-set numbers against cases whose answer is known."""

import numpy as np
import pytest
import torch

from motionhub.metrics.open_set import (
    auroc,
    fit_calibrated_stacking,
    fit_rejection_threshold,
    fit_temperature,
    harmonic_mean,
    seen_and_unseen,
)


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    assert auroc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auroc([0.1], [0.9]) == 0.0
    assert auroc([0.5, 0.3], [0.4, 0.2]) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="both kinds"):
        auroc([0.5], [])


def test_harmonic_mean_is_nothing_where_either_is_nothing():
    assert harmonic_mean(0.0, 0.9) == 0.0 and harmonic_mean(0.0, 0.0) == 0.0
    assert harmonic_mean(0.6, 0.3) == pytest.approx(0.4)


def test_a_bonus_gives_unseen_labels_what_they_lack():
    # Two seen labels, one unseen; clips of the unseen label lack 0.3, one clip of a seen label is ahead by 0.5.
    scores = [[0.9, 0.2, 0.1], [0.1, 0.6, 0.1], [0.6, 0.1, 0.3], [0.5, 0.1, 0.2]]
    truth, unseen = [0, 1, 2, 2], [False, False, True]
    assert seen_and_unseen(scores, truth, unseen) == (1.0, 0.0)
    assert seen_and_unseen(scores, truth, unseen, 0.31) == (1.0, 1.0)
    assert seen_and_unseen(scores, truth, unseen, 0.6) == (0.5, 1.0)
    bonus = fit_calibrated_stacking(scores, truth, unseen)
    assert 0.3 < bonus < 0.5
    assert fit_calibrated_stacking(*map(torch.tensor, (scores, truth, unseen))) == pytest.approx(bonus)
    with pytest.raises(ValueError, match="clips of both kinds"):
        seen_and_unseen(scores[:2], truth[:2], unseen)
    with pytest.raises(ValueError, match="whether it is unseen"):
        fit_calibrated_stacking(scores, truth, [False, True])


def test_the_fitted_temperature_is_the_one_labels_were_drawn_with():
    random = np.random.default_rng(0)
    scores = random.uniform(-1, 1, (6000, 4))
    logits = scores / 0.2
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([random.choice(4, p=row) for row in probabilities])
    assert fit_temperature([(scores, truth)]) == pytest.approx(0.2, rel=0.05)
    assert fit_temperature([(scores[:3000], truth[:3000]), (scores[3000:], truth[3000:])]) == pytest.approx(
        0.2, rel=0.05
    )


def test_none_stands_between_similarities_of_known_and_of_unknown_clips():
    known = np.where(np.eye(3)[[0, 1, 2] * 20] > 0, 0.8, 0.1)
    unknown = np.full((60, 3), 0.2)
    level = fit_rejection_threshold([(known, np.array([0, 1, 2] * 20))], [unknown], temperature=0.05)
    # By symmetry of the two losses, halfway between 0.8 and what three labels of 0.2 add up to.
    assert level == pytest.approx((0.8 + 0.2 + 0.05 * np.log(3)) / 2, abs=0.01)


def test_none_is_as_ready_as_it_is_often_right():
    # One label and none, similarities without any information: the share itself is the best answer.
    same = np.zeros((50, 1))
    level = fit_rejection_threshold(
        [(np.r_[same, [[1.0]]], np.zeros(51, int))], [np.r_[same, [[-1.0]]]], temperature=0.5, none_share=0.25
    )
    assert 1 / (1 + np.exp(level / 0.5)) == pytest.approx(0.75, abs=0.02)
    with pytest.raises(ValueError, match="none_share"):
        fit_rejection_threshold([(same, np.zeros(50, int))], [same], temperature=0.5, none_share=1.0)


def test_labels_that_are_not_among_the_columns_are_refused():
    with pytest.raises(ValueError, match="label of each clip"):
        fit_temperature([(np.zeros((2, 3)), np.array([0, 3]))])
    with pytest.raises(ValueError, match="got none"):
        fit_temperature([])


def test_at_most_a_share_of_the_known_clips_lies_below_the_threshold_in_the_mean_over_the_tables():
    first, second = np.arange(100.0)[:, None].repeat(2, 1), np.full((4, 2), 200.0)
    known = [(first, np.zeros(100, int)), (second, np.zeros(4, int))]
    unknown = [np.full((50, 2), 150.0)]
    assert fit_rejection_threshold(known, unknown, temperature=1.0, most_none=0.1) == 20.0
    assert fit_rejection_threshold(known, unknown, temperature=1.0, most_none=0.0) == 0.0
    with pytest.raises(ValueError, match="most_none must be a share"):
        fit_rejection_threshold(known, unknown, temperature=1.0, most_none=12)
