"""Anchors by hand: two vectors' mean direction, what parts and neighbours draw to, and what is left alone."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from motionhub.runtime.zero_shot import fill_templates
from motionhub.towers.text_anchors import ensemble, neighbour_averaged, with_body_parts


X, Y, Z = torch.eye(3)
HALF = math.sqrt(0.5)


def test_templates_in_order_and_without_a_place_refused():
    assert fill_templates(["sit", "run"], ["{}", "a {} b"]) == [["sit", "a sit b"], ["run", "a run b"]]
    assert fill_templates(["sit"], "we {}") == [["we sit"]]
    assert fill_templates(["{}"], "a {}") == [["a {}"]]
    for wrong in (["no place"], [], ["{} and {}"]):
        with pytest.raises(ValueError, match="templates with one {}"):
            fill_templates(["sit"], wrong)


def test_ensemble_is_the_direction_of_the_mean_of_unit_vectors():
    vectors = torch.stack([5 * X, Y, Z])
    torch.testing.assert_close(ensemble(vectors, [0, 0, 1]), torch.tensor([[HALF, HALF, 0], [0, 0, 1]]))
    torch.testing.assert_close(ensemble(vectors, [1, 0, 1]), torch.tensor([[0, 1, 0], [HALF, 0, HALF]]))


def test_ensemble_of_one_text_is_the_text():
    vectors = normalize(torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), dim=1)
    torch.testing.assert_close(ensemble(vectors, range(5)), vectors)


def test_an_empty_group_is_refused():
    with pytest.raises(ValueError, match="a text in each of 3 groups"):
        ensemble(torch.eye(2), [0, 2])
    with pytest.raises(ValueError, match="a group each"):
        ensemble(torch.eye(2), [0])
    assert ensemble(torch.zeros(0, 4), []).shape == (0, 4)


def test_body_parts_draw_the_anchor_to_their_mean():
    parts = torch.stack([Y, Z])[None]
    both, one = torch.tensor([[True, True]]), torch.tensor([[True, False]])
    mean = normalize(Y + Z, dim=0)
    torch.testing.assert_close(with_body_parts(X[None], parts, both)[0], normalize(X + mean, dim=0))
    torch.testing.assert_close(with_body_parts(X[None], parts, one, 0.25)[0], normalize(3 * X + Y, dim=0))
    torch.testing.assert_close(with_body_parts(X[None], parts, both, 1.0)[0], mean)


def test_a_label_without_parts_or_a_share_of_zero_keeps_its_anchor():
    parts = torch.stack([Y, Z])[None]
    none, both = torch.tensor([[False, False]]), torch.tensor([[True, True]])
    torch.testing.assert_close(with_body_parts(2 * X[None], parts, none, 1.0), X[None])
    torch.testing.assert_close(with_body_parts(2 * X[None], parts, both, 0.0), X[None])
    with pytest.raises(ValueError, match="share between 0 and 1"):
        with_body_parts(X[None], parts, both, 1.5)


def test_neighbours_draw_the_anchor_to_their_mean():
    near = normalize(4 * X + 3 * Y, dim=0)
    vocabulary = torch.stack([near, Z, -X])
    drawn = neighbour_averaged(X[None], vocabulary, neighbours=1, share=0.5)
    torch.testing.assert_close(drawn[0], normalize(X + near, dim=0))
    two = neighbour_averaged(X[None], vocabulary, neighbours=2, share=1.0)
    torch.testing.assert_close(two[0], normalize(near + Z, dim=0))


def test_an_anchor_is_not_its_own_neighbour():
    vocabulary = torch.stack([3 * X, normalize(X + Y, dim=0)])
    torch.testing.assert_close(neighbour_averaged(X[None], vocabulary, 1, 1.0)[0], normalize(X + Y, dim=0))
    torch.testing.assert_close(neighbour_averaged(X[None], X[None], 3, 1.0), X[None])


def test_more_neighbours_than_there_are_and_none():
    torch.testing.assert_close(neighbour_averaged(X[None], torch.stack([Y, Z]), 99, 1.0)[0], normalize(Y + Z, dim=0))
    torch.testing.assert_close(neighbour_averaged(X[None], Y[None], 0, 1.0), X[None])
    with pytest.raises(ValueError, match="neighbours"):
        neighbour_averaged(X[None], Y[None], -1)
