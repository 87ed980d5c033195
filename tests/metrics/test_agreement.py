"""Agreement of quality scores: by hand, and intervals that come from subjects, not clips."""

import math

import numpy as np
import pytest

from motionhub.metrics.agreement import (
    area_under_curve,
    bootstrap_by_subject,
    limits_of_agreement,
    quality_report,
    rank_correlation,
    weighted_kappa,
)


def test_ranks_see_order_only():
    assert rank_correlation([1, 2, 30], [10, 20, 21]) == pytest.approx(1)
    assert rank_correlation([3, 2, 1], [1, 2, 3]) == pytest.approx(-1)
    # Differences of ranks 0, 1, 1: 1 - 6 * 2 / (3 * 8).
    assert rank_correlation([1, 3, 2], [1, 2, 3]) == pytest.approx(0.5)
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_an_area_is_the_part_of_pairs_in_order():
    # Pairs (1 against 0): 0.4 > 0.3, 0.4 < 0.5, 0.9 > both.
    assert area_under_curve([0.3, 0.5, 0.4, 0.9], [0, 0, 1, 1]) == pytest.approx(0.75)
    assert area_under_curve([1, 1], [0, 1]) == pytest.approx(0.5)
    assert math.isnan(area_under_curve([1, 2], [1, 1]))
    with pytest.raises(ValueError, match="0 or 1"):
        area_under_curve([1, 2], [1, 2])


def test_kappa_weighs_far_disagreements():
    assert weighted_kappa([0, 1, 2], [0, 1, 2]) == pytest.approx(1)
    # Observed: one step of three, squared 1/3. By chance, of grades 0, 1, 1 against 0, 1, 2: (0+1+4 + 2*(1+0+1)) / 9.
    assert weighted_kappa([0, 1, 1], [0, 1, 2]) == pytest.approx(1 - (1 / 3) / (9 / 9))
    assert weighted_kappa([0, 2], [2, 0]) == pytest.approx(-1)
    with pytest.raises(ValueError, match="round"):
        weighted_kappa([0.5, 1], [0, 1])


def test_limits_are_the_mean_difference_and_about_two_deviations():
    limits = limits_of_agreement([1, 3, 5], [0, 3, 6])
    assert limits["bias"] == pytest.approx(0) and limits["sd"] == pytest.approx(1)
    assert (limits["lower"], limits["upper"]) == (pytest.approx(-1.96), pytest.approx(1.96))
    assert math.isnan(limits_of_agreement([1], [0])["sd"])


def test_copies_of_a_subjects_clips_do_not_make_it_surer():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=12)
    scores = truth + generator.normal(size=12)
    subjects = np.arange(12)
    once = bootstrap_by_subject(rank_correlation, scores, truth, subjects, resamples=300)
    often = bootstrap_by_subject(
        rank_correlation, np.repeat(scores, 5), np.repeat(truth, 5), np.repeat(subjects, 5), resamples=300
    )
    assert once["lower"] < once["value"] < once["upper"] and once["num_subjects"] == 12
    assert often["upper"] - often["lower"] == pytest.approx(once["upper"] - once["lower"], rel=0.05)


def test_draws_without_both_classes_are_counted_and_left_out():
    result = bootstrap_by_subject(area_under_curve, [1, 2, 3], [0, 0, 1], ["a", "b", "c"], resamples=500)
    # All draws without c, (2/3)^3, or only c, (1/3)^3.
    assert result["undefined"] == pytest.approx((8 + 1) / 27, abs=0.07) and result["lower"] == 1
    alone = bootstrap_by_subject(rank_correlation, [1, 2, 3], [1, 2, 3], ["a"] * 3, resamples=10)
    assert alone["value"] == pytest.approx(1) and math.isnan(alone["lower"])


def test_a_report_has_what_the_true_scores_allow():
    subjects = ["a", "a", "b", "b"]
    assert set(quality_report([0.1, 0.9, 0.2, 0.7], [0, 1, 0, 1], subjects, resamples=20)) == {
        "num_clips", "spearman", "auc",
    }  # fmt: skip
    graded = quality_report([0.2, 1.1, 1.8, 9.0], [0, 1, 2, 3], subjects, resamples=20)
    assert graded["kappa"]["value"] == pytest.approx(1) and "auc" not in graded
    assert "kappa" not in quality_report([0.1, 0.2, 1, 2], [0.5, 1, 2, 3], subjects, resamples=20)


@pytest.mark.parametrize(("scores", "truth"), [([], []), ([1], [1, 2]), ([math.nan, 1], [0, 1])])
def test_scores_that_do_not_fit_are_refused(scores, truth):
    with pytest.raises(ValueError, match="Expected one score|finite"):
        quality_report(scores, truth, ["a"] * len(scores))
