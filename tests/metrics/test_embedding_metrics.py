"""Numbers of embeddings whose answer is known without computing them."""

import numpy as np
import pytest

from motionhub.metrics.embeddings import effective_rank, linear_accuracy, spread


def test_effective_rank_counts_equal_directions():
    axes = np.vstack([np.eye(5), -np.eye(5)])
    assert effective_rank(axes + 7) == pytest.approx(5)
    line = np.outer(np.arange(6.0), [1.0, 2.0, 3.0])
    assert effective_rank(line) == pytest.approx(1)
    # variances 3 : 1, entropy of (3/4, 1/4)
    cross = np.array([[3**0.5, 0], [-(3**0.5), 0], [0, 1], [0, -1]])
    assert effective_rank(cross) == pytest.approx(np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)))


def test_equal_embeddings_have_no_rank_and_no_spread():
    same = np.full((8, 3), 0.7, np.float32)
    assert effective_rank(same) == 0 == spread(same)
    assert effective_rank(np.zeros((4, 3))) == 0 == spread(np.zeros((4, 3)))


def test_spread_is_the_share_of_variance_whatever_the_scale():
    points = np.array([[3.0, 0.0], [1.0, 0.0]])  # mean 2, variance 1, mean square 5
    assert spread(points) == pytest.approx(0.2)
    assert spread(1e-6 * points) == pytest.approx(0.2)
    assert spread(points - points.mean(axis=0)) == pytest.approx(1)


def test_linear_probe_names_what_a_line_separates_and_nothing_else():
    random = np.random.default_rng(0)
    train, test = random.normal(size=(40, 4)), random.normal(size=(200, 4))
    assert linear_accuracy(train, train[:, 0] > 0, test, test[:, 0] > 0) > 0.9
    assert linear_accuracy(train, random.integers(2, size=40), test, random.integers(2, size=200)) < 0.65
    assert linear_accuracy(train, np.where(train[:, 0] > 0, 1, 2), test, np.full(200, 9)) == 0


def test_bad_embeddings_are_errors():
    with pytest.raises(ValueError, match="finite"):
        linear_accuracy([[np.nan]], [0], [[1.0]], [0])
    with pytest.raises(ValueError, match="to test"):
        linear_accuracy(np.eye(2), [0, 1], np.zeros((0, 2)), [])
    with pytest.raises(ValueError, match="one class"):
        linear_accuracy(np.ones((3, 2)), [1, 1, 1], np.ones((1, 2)), [1])
