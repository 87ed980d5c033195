"""Scores of several views: probabilities are added up, whatever the batches."""

import math
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from motionhub.training.evaluators import MultiViewEvaluation


class Pixel(torch.nn.Module):
    """Two classes; the logit of the second is the first number of the clip."""

    def forward(self, pixel_values):
        first = pixel_values.flatten(1)[:, 0]
        return SimpleNamespace(logits=torch.stack([torch.zeros_like(first), first], dim=1))


def videos(*views):
    return torch.tensor(views).view(len(views), -1, 1, 1, 1, 1)


def test_probabilities_not_logits_are_added_up():
    # One view is very sure of class 1, two are mildly for class 0: the sum of logits says 1, of probabilities 0.
    odds = [math.log(0.999 / 0.001), math.log(0.2 / 0.8), math.log(0.2 / 0.8)]
    scores = MultiViewEvaluation(["a", "b"], views_at_once=2).scores(Pixel(), {"pixel_values": videos(odds)})
    torch.testing.assert_close(scores, torch.tensor([[1.601, 1.399]]))
    assert sum(odds) > 0


def test_the_report_is_of_videos_not_of_views():
    batches = [
        {"pixel_values": videos([1.0, 2.0], [-1.0, -2.0]), "labels": torch.tensor([1, 1])},
        {"pixel_values": videos([-3.0, 1.0]), "labels": torch.tensor([0])},
    ]
    batches[0]["index"], batches[1]["index"] = torch.tensor([0, 1]), torch.tensor([2])
    report = MultiViewEvaluation(["a", "b"])(Pixel(), batches, Accelerator(cpu=True))
    assert report["num_clips"] == 3 and report["top1"] == pytest.approx(2 / 3)


def test_inputs_without_views_are_an_error():
    with pytest.raises(ValueError, match="training=False"):
        MultiViewEvaluation(["a"]).scores(Pixel(), {"pixel_values": torch.zeros(2, 1, 1, 1, 1)})
    with pytest.raises(ValueError, match="no clips"):
        MultiViewEvaluation(["a"])(Pixel(), [], Accelerator(cpu=True))
