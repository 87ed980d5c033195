"""The basis is orthonormal, spans what its directions span, and its signs are the ones promised."""

import numpy as np
import pytest
import torch

from motionhub.nn.orthogonal_basis import OrthogonalBasis, constant_bases, orthonormal_columns


def projection(features: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    return features @ basis @ basis.mT


def dictionary(rows: int, columns: int) -> torch.Tensor:
    """SPECS 0: the deterministic fill of the official dictionaries."""
    row, column = np.meshgrid(np.arange(1, rows + 1), np.arange(1, columns + 1), indexing="ij")
    return torch.tensor((row == column) + 0.1 * np.sin(row * column * 1.234), dtype=torch.float32)


@pytest.mark.parametrize("signs", ["positive", "householder"])
@pytest.mark.parametrize("shape", [(256, 64), (160, 160), (2048, 64), (3, 1)])
def test_columns_are_orthonormal(shape, signs):
    basis = OrthogonalBasis(*shape, signs=signs)
    with torch.no_grad():
        basis.directions.normal_(generator=torch.Generator().manual_seed(0))
    columns = basis().detach()
    error = (columns.double().T @ columns.double() - torch.eye(shape[1])).abs().max()
    assert error < 1e-6


def test_two_columns_by_hand():
    directions = torch.tensor([[3.0, 1.0], [4.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([[0.6, 0.8], [0.8, -0.6]], dtype=torch.float64)
    assert torch.allclose(orthonormal_columns(directions), expected, atol=1e-7)


def test_positive_signs_follow_the_directions_and_householder_signs_do_not():
    directions = dictionary(160, 160)
    positive = orthonormal_columns(directions)
    official = orthonormal_columns(directions, positive_diagonal=False)
    assert torch.all((positive * directions).sum(0) > 0)
    agree = torch.isclose(positive, official, atol=1e-5).all(0)
    assert int((~agree).sum()) == 119  # SPECS 5.1: columns of the official probe with a negative diagonal
    assert torch.allclose(positive[:, ~agree], -official[:, ~agree], atol=1e-5)


def test_positive_signs_change_smoothly_where_householder_signs_jump():
    def step(positive_diagonal: bool) -> float:
        before, after = (
            orthonormal_columns(torch.tensor([[first], [1.0]]), positive_diagonal=positive_diagonal)
            for first in (-1e-3, 1e-3)
        )
        return float((after - before).norm())

    assert step(True) < 0.01
    assert step(False) > 1.9


def test_projecting_twice_is_projecting_once_and_does_not_depend_on_signs():
    features = torch.randn(5, 7, 256, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    directions = dictionary(256, 64).double()
    basis = orthonormal_columns(directions)
    once = projection(features, basis)
    assert torch.allclose(projection(once, basis), once, atol=1e-10)
    assert torch.allclose(projection(features, orthonormal_columns(directions, positive_diagonal=False)), once)
    rest = features - once
    assert (rest @ basis).abs().max() < 1e-10
    inside = directions[:, 3]
    assert torch.allclose(projection(inside, basis), inside, atol=1e-6)


@pytest.mark.parametrize("positive_diagonal", [True, False])
def test_the_gradient_is_the_numerical_one(positive_diagonal):
    generator = torch.Generator().manual_seed(2)
    directions = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda values: orthonormal_columns(values, positive_diagonal=positive_diagonal), (directions,)
    )


def test_the_gradient_stays_bounded_over_a_thousand_steps():
    basis = OrthogonalBasis(16, 4)
    torch.nn.init.eye_(basis.directions)
    optimizer = torch.optim.SGD(basis.parameters(), lr=0.1, momentum=0.9)
    target = torch.linalg.qr(torch.randn(16, 4, generator=torch.Generator().manual_seed(3)))[0]
    largest = 0.0
    for _ in range(1000):
        optimizer.zero_grad()
        loss = (projection(target.T, basis()) - target.T).square().sum()
        loss.backward()
        largest = max(largest, float(basis.directions.grad.norm()))
        optimizer.step()
    assert largest < 10
    assert float(loss.detach()) < 1e-6  # the subspace is found
    columns = basis().detach()
    assert torch.allclose(columns.T @ columns, torch.eye(4), atol=1e-6)


def test_scaling_the_directions_changes_nothing():
    directions = dictionary(12, 5).requires_grad_()
    basis = orthonormal_columns(directions)
    assert torch.allclose(basis, orthonormal_columns(7 * directions), atol=1e-6)
    basis.square().mul(torch.arange(12.0)[:, None]).sum().backward()
    assert abs(float((directions.grad * directions.detach()).sum())) < 1e-4


def test_half_precision_directions_are_orthonormalised_in_float32():
    columns = orthonormal_columns(dictionary(64, 16).bfloat16())
    assert columns.dtype == torch.bfloat16
    assert torch.allclose(columns.float().T @ columns.float(), torch.eye(16), atol=2e-2)


@pytest.mark.parametrize("shape", [(8, 0), (8, 9)])
def test_more_directions_than_channels_is_an_error(shape):
    with pytest.raises(ValueError, match="1 to 8 directions"):
        OrthogonalBasis(*shape)


def test_unknown_sign_rule_is_an_error():
    with pytest.raises(ValueError, match="householder"):
        OrthogonalBasis(8, 4, signs="lapack")


def test_a_constant_basis_is_the_one_of_now_and_only_within_the_block():
    basis = OrthogonalBasis(6, 3)
    model = torch.nn.Sequential(basis)
    before = basis().detach()
    with constant_bases(model):
        with torch.no_grad():
            basis.directions.mul_(-1)
        assert torch.equal(basis(), before) and "0.constant" not in model.state_dict()
    torch.testing.assert_close(basis(), -before)
    assert not list(model.buffers())
