"""Movement quality on any encoder: losses in closed form, padding that changes nothing, save and load."""

import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError

from motionhub.models.movement_quality import MovementQualityConfig, SkeletonForMovementQuality
from motionhub.models.st_gcn import StGcnConfig
from motionhub.models.unik import UnikConfig


ENCODER = UnikConfig(num_joints=5, in_channels=3, channels=[8, 16], strides=[2, 2], layout="lac-15")


def model_of(scores="grades", **options):
    torch.manual_seed(0)
    config = MovementQualityConfig(encoder_config=ENCODER, scores=scores, recurrent_size=6, **options)
    return SkeletonForMovementQuality(config).eval()


def clips(size=2, people=2, frames=16):
    return torch.randn(size, people, frames, 5, 3, generator=torch.Generator().manual_seed(1))


def test_a_score_is_the_mean_grade_or_the_number_of_grades_exceeded():
    two = torch.tensor([[0.0, 0.0, math.log(2.0)]])
    assert float(model_of(max_score=2).scores_of(two)) == pytest.approx(1.25)
    assert float(model_of("ordinal", max_score=2).scores_of(torch.tensor([[20.0, 0.0]]))) == pytest.approx(1.5)
    assert float(model_of("value").scores_of(torch.tensor([[-3.5]]))) == -3.5


def test_losses_in_closed_form_leave_unknown_labels_out():
    grades = model_of(max_score=1).loss_of(torch.zeros(2, 2), torch.tensor([1, -1]))
    assert float(grades) == pytest.approx(math.log(2))
    # A true score of 1 of 2 is above 0 and not above 1: -log(3/4) and -log(1/2).
    ordinal = model_of("ordinal", max_score=2).loss_of(torch.tensor([[math.log(3), 0.0]] * 2), torch.tensor([1, -1]))
    assert float(ordinal) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    value = model_of("value").loss_of(torch.tensor([[1.0], [9.0]]), torch.tensor([3.0, math.nan]))
    assert float(value) == 4


@torch.no_grad()
@pytest.mark.parametrize("scores", ["grades", "ordinal", "value"])
def test_padded_frames_and_absent_people_change_nothing(scores):
    model, keypoints = model_of(scores, max_score=3).double(), clips().double()
    mask = torch.ones(2, 2, 16, dtype=torch.bool)
    mask[0, :, 8:], mask[1, 1] = False, False
    keypoints[~mask] = math.nan
    together = model(keypoints, attention_mask=mask).scores
    first = model(keypoints[:1, :, :8], attention_mask=mask[:1, :, :8]).scores
    second = model(keypoints[1:, :1], attention_mask=mask[1:, :1]).scores
    torch.testing.assert_close(together, torch.cat([first, second]), rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("encoder", [ENCODER, StGcnConfig(num_joints=15, channels=[8], strides=[1], layout="lac-15")])
def test_saving_and_loading_keeps_encoder_and_head(encoder, tmp_path):
    torch.manual_seed(0)
    model = SkeletonForMovementQuality(MovementQualityConfig(encoder_config=encoder, recurrent_size=4))
    model.save_pretrained(tmp_path)
    loaded = SkeletonForMovementQuality.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in model.state_dict().items())


def test_labels_train_everything():
    model = model_of(max_score=2).train()
    model(clips(), labels=torch.tensor([0, 2])).loss.backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


def test_what_cannot_be_scored_says_why():
    with pytest.raises(ValueError, match=r"scores of 0\.\.1, got 4"):
        model_of()(clips(), labels=torch.tensor([0, 4]))
    mask = torch.ones(2, 2, 16, dtype=torch.bool)
    mask[1] = False
    with pytest.raises(ValueError, match=r"Clips \[1\] of the batch have no person"):
        model_of()(clips(), attention_mask=mask)
    with pytest.raises(StrictDataclassClassValidationError, match="at least 1"):
        MovementQualityConfig(encoder_config=ENCODER, max_score=0)
