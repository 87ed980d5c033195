"""The posture claim: nothing that trains is tested, the negative control has other poses, gates by hand."""

import sys

import pytest
import torch
from helpers import load_script


@pytest.fixture(scope="module")
def posture():
    return load_script("benchmarks/claims/posture.py")


@pytest.fixture(scope="module")
def poses(posture):
    return sys.modules["posture_poses"]


def images(poses, labels, sides):
    count = len(labels)
    points, seen = torch.zeros(count, 2, 13, 2), torch.ones(count, 2, 13, dtype=torch.bool)
    return poses.Images(points, seen, torch.tensor(labels), torch.tensor(sides))


def test_the_first_clips_of_every_class_and_side_train(poses):
    given = images(poses, [0] * 5 + [1] * 5 + [0] * 5, [2] * 5 + [2] * 5 + [3] * 5)
    first = poses.first_part(given)
    assert first.tolist() == [True, True, True, True, False] * 3


def test_every_arm_trains_two_updates_and_the_control_is_shown_other_poses(posture, poses):
    generator = torch.Generator().manual_seed(0)
    body = torch.randn(6, 64, 15, 3, generator=generator)
    rows = torch.arange(6)
    clips = poses.Clips(body, torch.ones(6, 64, 15, dtype=torch.bool), rows % 2, rows, rows, rows)
    data = object.__new__(poses.Data)
    data.unlabelled = clips
    data.queries, data.gallery, data.poses, data.visible = poses.retrieval_set(clips, 20)
    for arm in posture.ARMS:
        scores = posture.retrieval_scores(posture.trained(arm, data, 2, 0), data)
        assert all(0 <= value <= 1 for value in scores.values())
    assert posture.retrieval_scores(None, data)["hit@1"] <= 1
    assert torch.equal(
        posture.trained("CV-MIM", data, 2, 0).embedder.weight, posture.trained("CV-MIM", data, 2, 0).embedder.weight
    )
    control = posture.trained("CV-MIM, other poses", data, 2, 0)
    assert not torch.equal(control.embedder.weight, posture.trained("CV-MIM", data, 2, 0).embedder.weight)


def test_each_estimator_can_compare_what_the_other_does(posture):
    first = torch.nn.functional.normalize(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    second = torch.nn.functional.normalize(torch.randn(8, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    stretch = 10**0.5  # angles over a temperature of 0.1 are products of vectors of this length
    for estimator, given in (("jsd", 1.0), ("infonce", stretch)):
        own = posture.CvMim(posture.LAYOUT, estimator=estimator)
        other = posture.OtherScores(posture.LAYOUT, estimator=estimator)
        scaled = [value * stretch / given for value in (first, second)]
        expected = own.information(*scaled)
        torch.testing.assert_close(other.information(first * given, second * given), expected)
    long = posture.OtherScores(posture.LAYOUT).information(3 * first, 7 * second)
    torch.testing.assert_close(long, posture.OtherScores(posture.LAYOUT).information(first, second))
