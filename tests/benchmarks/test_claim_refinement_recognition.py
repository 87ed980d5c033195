"""The damages of the recognition claim do what the table says."""

import itertools

import numpy as np
import pytest
from helpers import load_script

from motionhub.skeletons.sequence import SkeletonSequence


@pytest.fixture(scope="module")
def claim():
    return load_script("benchmarks/claims/refinement_recognition.py")


@pytest.fixture
def still() -> SkeletonSequence:
    return SkeletonSequence(np.ones((1, 400, 20, 3), np.float32), layout="kinect-20", fps=30.0, unit="metre")


@pytest.mark.parametrize("name", ["dropped", "dropped in bursts", "both"])
def test_thirty_per_cent_of_the_joints_go_missing(claim, still, name) -> None:
    damaged = claim.DAMAGES[name](still, np.random.default_rng(0))
    assert (~damaged.joint_mask).mean() == pytest.approx(0.3, abs=0.03)


def test_bursts_last_at_least_their_length_inside_the_clip(claim, still) -> None:
    missing = ~claim.dropped_in_bursts(still, np.random.default_rng(0)).joint_mask[0, :, 0]
    changes = np.flatnonzero(np.diff(missing.astype(int)))
    inner = [end - start for start, end in itertools.pairwise(changes) if missing[start + 1]]
    assert inner and min(inner) >= claim.BURST


def test_jitter_moves_thirty_per_cent_by_fifteen_centimetres(claim, still) -> None:
    off = claim.jittered(still, np.random.default_rng(0)).keypoints - still.keypoints
    moved = (off != 0).any(axis=-1)
    assert moved.mean() == pytest.approx(0.3, abs=0.03)
    assert off[moved].std() == pytest.approx(0.15, rel=0.05)


def test_the_same_seed_is_the_same_damage_and_clean_is_untouched(claim, still) -> None:
    twice = [claim.both(still, np.random.default_rng([1, 2, 3])).keypoints for _ in range(2)]
    np.testing.assert_array_equal(*twice)
    assert claim.clean(still, np.random.default_rng(0)) is still


def test_a_gate_fails_when_one_seed_does_not_gain(claim, capsys) -> None:
    def results(second):
        raw, filled = ({"0": {"dropped": a}, "1": {"dropped": b}} for a, b in ((0.5, 0.6), (0.7, second)))
        return {"as it is": raw, "gaps filled": filled}

    assert claim.report_gates(results(0.6)) == 1
    assert claim.report_gates(results(0.61)) == 0
    assert "holds  dropped: gaps filled" in capsys.readouterr().out
