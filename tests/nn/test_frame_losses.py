"""Losses per frame in closed form: one action at a time against several at once."""

import math

import pytest
import torch

from motionhub.models.unik import UnikConfig, UnikForActionSegmentation
from motionhub.nn.heads import frame_cross_entropy, frame_loss


# softmax is 1/6, 1/6, 1/6, 1/2
LOGITS = torch.tensor([0.0, 0.0, 0.0, math.log(3)])


def one_hot(*classes: int | None) -> torch.Tensor:
    """`(1, frames, 4)`; None is a frame without a class."""
    labels = torch.zeros(1, len(classes), 4)
    for frame, index in enumerate(classes):
        if index is not None:
            labels[0, frame, index] = 1
    return labels


@pytest.mark.parametrize(
    ("classes", "expected"),
    [((3, 3), math.log(2)), ((3, 0), math.log(12) / 2), ((3, None), math.log(2)), ((None, None), 0.0)],
)
def test_cross_entropy_is_the_mean_over_frames_that_have_a_class(classes, expected):
    loss = frame_cross_entropy(LOGITS.expand(1, 2, 4), one_hot(*classes), None)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_unknown_frames_and_padding_do_not_count():
    labels = one_hot(3, 0, 0, 0)
    labels[0, 1, 2], labels[0, 2] = -1, float("nan")
    logits = LOGITS.expand(1, 4, 4).clone().requires_grad_()
    loss = frame_cross_entropy(logits, labels, torch.tensor([3]))
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0, 0].any() and not gradient[0, 1:].any()


@pytest.mark.parametrize("loss", [frame_loss, frame_cross_entropy])
def test_labels_of_another_length_are_refused(loss):
    with pytest.raises(ValueError, match=r"labels \(batch, frames, num_labels\) = \(1, 2, 4\), got \(1, 3, 4\)"):
        loss(LOGITS.expand(1, 2, 4), one_hot(0, 0, 0), None)


@pytest.mark.parametrize(
    ("problem_type", "expected"), [(None, 3 * math.log(2) + math.log(4 / 3)), ("single_label_classification", None)]
)
def test_the_config_says_which_loss_a_model_has(problem_type, expected):
    config = UnikConfig(num_joints=5, num_people=1, channels=[8], num_heads=1, num_labels=4, problem_type=problem_type)
    model = UnikForActionSegmentation(config).eval()
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(LOGITS)
    loss = model(torch.randn(1, 1, 6, 5, 2), labels=one_hot(3, 3, 3, 3, 3, 3)).loss.item()
    assert loss == pytest.approx(math.log(2) if expected is None else expected / 4, rel=1e-5)
    assert model.exclusive == (expected is None)
