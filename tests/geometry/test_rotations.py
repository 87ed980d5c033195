"""Rotations against closed forms and against SciPy."""

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from motionhub.geometry.rotations import aligning_matrix, axis_angle_matrix, plane_matrix


def vectors(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_quarter_turn_about_z_carries_x_to_y():
    matrix = axis_angle_matrix(torch.tensor([0.0, 0.0, 2.0]), torch.tensor(math.pi / 2))
    torch.testing.assert_close(matrix @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))


def test_axis_angle_equals_scipy_batched():
    axis, angle = vectors(2, 5, 3), vectors(2, 5)
    unit = axis / axis.norm(dim=-1, keepdim=True)
    expected = Rotation.from_rotvec((unit * angle[..., None]).reshape(-1, 3).numpy()).as_matrix()
    np.testing.assert_allclose(axis_angle_matrix(axis, angle).reshape(-1, 3, 3), expected, atol=1e-12)


def test_tiny_axis_or_tiny_angle_is_the_identity():
    eye = torch.eye(3)
    assert torch.equal(axis_angle_matrix(torch.full((3,), 3e-7), torch.tensor(1.0)), eye)
    assert torch.equal(axis_angle_matrix(torch.tensor([0.0, 0.0, 1.0]), torch.tensor(9e-7)), eye)


def test_aligning_matrix_carries_source_onto_target_and_is_a_rotation():
    source, target = vectors(20, 3), vectors(20, 3).flip(0)
    matrix = aligning_matrix(source, target)
    turned = (matrix @ source[..., None])[..., 0]
    torch.testing.assert_close(turned / turned.norm(dim=-1, keepdim=True), target / target.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(3, dtype=torch.float64).expand(20, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(20, dtype=torch.float64))


def test_parallel_opposite_and_zero_vectors_are_not_turned():
    source = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0], [0.0, 0.0, 0.0]])
    assert torch.equal(aligning_matrix(source, torch.tensor([0.0, 0.0, 1.0])), torch.eye(3).expand(3, 3, 3))


def test_gradients_agree_with_finite_differences_and_are_finite_at_the_identity():
    source, target = vectors(4, 3).requires_grad_(), vectors(4, 3).flip(0).requires_grad_()
    assert torch.autograd.gradcheck(aligning_matrix, (source, target))
    still = torch.tensor([0.0, 0.0, 1.0], requires_grad=True)
    aligning_matrix(still, torch.tensor([0.0, 0.0, 1.0])).sum().backward()
    assert still.grad is not None and bool(still.grad.isfinite().all())


def test_plane_matrix_turns_counter_clockwise():
    turned = plane_matrix(torch.tensor([math.pi / 2, math.pi])) @ torch.tensor([1.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
