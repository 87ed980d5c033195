"""Numbers of embeddings whose answer is known without computing them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from motionhub.metrics.embeddings import LinearProbe, effective_rank, linear_accuracy, spread


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


def test_one_fit_answers_about_every_test_set_as_a_fit_of_its_own(monkeypatch):
    random = np.random.default_rng(1)
    train = random.normal(size=(40, 4))
    labels = (train[:, 0] > 0).astype(int)
    tests = [(points, (points[:, 0] > 0).astype(int)) for points in random.normal(size=(3, 50, 4))]
    alone = [linear_accuracy(train, labels, *test) for test in tests]
    fits, fit = [], LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, *data: (fits.append(1), fit(self, *data))[1])
    probe = LinearProbe(train, labels)
    assert [probe.accuracy(*test) for test in tests] == alone and len(fits) == 1
    with pytest.raises(ValueError, match="to test"):
        probe.accuracy(np.zeros((0, 4)), [])


def test_bad_embeddings_are_errors():
    with pytest.raises(ValueError, match="finite"):
        linear_accuracy([[np.nan]], [0], [[1.0]], [0])
    with pytest.raises(ValueError, match="one class"):
        linear_accuracy(np.ones((3, 2)), [1, 1, 1], np.ones((1, 2)), [1])
