"""The claim on movement quality: what is shuffled, standardised and held against what, on made numbers."""

import numpy as np
import pytest
import torch
from helpers import load_script

from motionhub.training.tasks.movement_quality import ScoredRows


@pytest.fixture(scope="module")
def claim():
    return load_script("benchmarks/claims/movement_quality.py")


def test_shuffling_keeps_how_many_clips_of_a_subject_and_movement_are_correct(claim):
    random = np.random.default_rng(0)
    rows = ScoredRows(
        random.integers(2, size=120).astype(float), random.integers(3, size=120), np.array(["a", "b"] * 60)
    )
    other = claim.shuffled(rows, seed=1)
    assert not np.array_equal(other.truth, rows.truth)
    for subject in range(3):
        for movement in "ab":
            chosen = (rows.subjects == subject) & (rows.movements == movement)
            assert other.truth[chosen].sum() == rows.truth[chosen].sum()


def test_features_are_standardised_by_the_training_clips_alone(claim):
    features = [torch.randn(5, 3) * 4 + 7, torch.randn(9, 3), torch.full((2, 3), 1e6)]
    made = claim.standardised(features, np.array([0, 1]))
    seen = torch.cat(made[:2])
    torch.testing.assert_close(seen.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std(0), torch.ones(3), atol=1e-5, rtol=0)
    assert [len(feature) for feature in made] == [5, 9, 2] and bool((made[2] > 1000).all())


def test_table_and_gates_compare_what_both_arms_have(claim):
    subjects = [1.0, 1.0, 2.0, 2.0]
    right = {"scores": [0.1, 0.9, 0.2, 0.8], "truth": [0.0, 1.0, 0.0, 1.0], "subjects": subjects}
    wrong = {**right, "scores": [0.9, 0.1, 0.8, 0.2]}
    reports = {
        "frozen UNIK": claim.report_of({"squat": right, "lunge": right}, resamples=10),
        "random UNIK": claim.report_of({"squat": right, "lunge": wrong}, resamples=10),
        "shuffled labels": claim.report_of({"squat": wrong}, resamples=10),
    }
    lines = claim.table(reports, "auc")
    assert lines[2] == "| lunge | 1.00 [1.00, 1.00] | 0.00 [0.00, 0.00] | - |"
    assert lines[4].startswith("| **mean** | 1.00 [1.00, 1.00] of 2 | 0.50 [0.50, 0.50] of 2 | 0.00")
    assert lines[5] == "| accuracy, mean | 1.00 | 0.50 | 0.00 |"
    gates = claim.gates([reports])
    assert len(gates) == 2 and "+0.500" in gates[0] and "FAILS" in gates[0]  # 1 and 0 of two movements: no proof
    assert "over 1 movements, 1 seeds: +1.000" in gates[1]
    # a second seed in which the other arm is right too: half the gain, movement by movement
    other = {"frozen UNIK": reports["frozen UNIK"], "random UNIK": reports["frozen UNIK"]}
    assert "over 2 movements, 2 seeds: +0.250" in claim.gates([reports, other])[0]
    assert (
        claim.over_seeds([reports, other])[3]
        == "| random UNIK | 0.750 ± 0.354 | 0.447 ± 0.632 | 0.750 ± 0.354 | 2 | 2 |"
    )
