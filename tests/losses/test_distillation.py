"""Soft targets, written out by hand."""

import math

import pytest
import torch

from motionhub.losses.distillation import soft_target_loss


def probabilities(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(logit / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_loss_is_the_divergence_from_the_teacher_times_the_squared_temperature(temperature):
    student, teacher = [0.3, -1.0, 2.0], [1.5, 0.5, -0.5]
    ours, theirs = probabilities(student, temperature), probabilities(teacher, temperature)
    expected = temperature**2 * sum(p * math.log(p / q) for p, q in zip(theirs, ours, strict=True))
    got = soft_target_loss(torch.tensor([student]), torch.tensor([teacher]), temperature)
    assert got.tolist() == pytest.approx([expected], rel=1e-5)


def test_a_student_that_answers_as_the_teacher_has_no_loss_whatever_is_added_to_its_logits():
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    assert soft_target_loss(logits + 3.0, logits, 2.0).tolist() == pytest.approx([0.0] * 4, abs=1e-5)


def test_a_certain_teacher_is_a_label():
    student = torch.tensor([[0.2, 1.0, -0.4]])
    certain = torch.tensor([[-200.0, 0.0, -200.0]])
    expected = torch.nn.functional.cross_entropy(student, torch.tensor([1]))
    assert soft_target_loss(student, certain).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_gradient_is_the_difference_of_probabilities_and_the_teacher_gets_none():
    student = torch.tensor([[0.3, -1.0, 2.0]], requires_grad=True)
    teacher = torch.tensor([[1.5, 0.5, -0.5]], requires_grad=True)
    soft_target_loss(student, teacher, 2.0).sum().backward()
    ours, theirs = (probabilities(each[0].tolist(), 2.0) for each in (student, teacher))
    expected = [2.0 * (own - given) for own, given in zip(ours, theirs, strict=True)]
    assert student.grad[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert teacher.grad is None


@pytest.mark.parametrize("classes", [3, 1])
def test_other_classes_than_the_teachers_are_an_error(classes):
    with pytest.raises(ValueError, match="the teacher's classes in their order"):
        soft_target_loss(torch.zeros(2, classes), torch.zeros(2, 4))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_is_not_above_zero_is_an_error(temperature):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        soft_target_loss(torch.zeros(1, 2), torch.zeros(1, 2), temperature)
