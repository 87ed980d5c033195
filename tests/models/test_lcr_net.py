"""LcrNetModel: losses, frozen parts and people against what is known without it; needs a working torchvision."""

import sys

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from motionhub.models.lcr_net import BACKGROUND, LcrNetConfig, LcrNetModel, Targets
from motionhub.processing.person_images import PersonImageProcessor


needs_torchvision = pytest.mark.towers("torchvision")
SMALL = {
    "backbone": "resnet10",
    "pyramid_channels": 16,
    "head_size": 32,
    "num_anchor_poses": 3,
    "boxes_per_image": 32,
    "train_proposals": 100,
    "test_proposals": 20,
    "min_class_score": 0.2,
}
MISSING = float("nan")


def anchors() -> torch.Tensor:
    return torch.rand(3, 13, 2, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def model() -> LcrNetModel:
    torch.manual_seed(0)
    made = LcrNetModel(LcrNetConfig(**SMALL))
    made.set_anchor_poses(anchors())
    return made.eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))


LABELS = {
    "boxes": torch.tensor([[[10.0, 5, 50, 60], [MISSING] * 4], [[20, 5, 45, 60], [60, 10, 90, 60]]]),
    "classes": torch.tensor([[1, 0], [2, 3]]),
}


def test_the_config_needs_no_torchvision_and_the_model_says_what_to_install(tmp_path, monkeypatch) -> None:
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, None)  # `import` then raises as if it were not installed
    LcrNetConfig(**SMALL).save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert type(config) is LcrNetConfig
    with pytest.raises(ImportError, match="pip install torchvision"):
        AutoModel.from_config(config)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_anchor_poses": 0}, "at least 1"),
        ({"anchor_sizes": [32, 64]}, "5 anchor_sizes"),
        ({"aspect_ratios": [0.0, 1.0]}, "above 0"),
        ({"min_class_score": 1.5}, "in 0..1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong, message) -> None:
    with pytest.raises(Exception, match=message):
        LcrNetConfig(**wrong)


@needs_torchvision
@torch.no_grad()
def test_saving_and_loading_keeps_every_weight_the_anchor_poses_and_the_people(model, images, tmp_path) -> None:
    model.save_pretrained(tmp_path)
    PersonImageProcessor(short_side=64).save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert type(loaded) is LcrNetModel and isinstance(AutoConfig.from_pretrained(tmp_path), LcrNetConfig)
    before, after = model.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(loaded.anchor_poses, anchors())
    for ours, again in zip(model(images).to_tuple(), loaded(images).to_tuple(), strict=True):
        torch.testing.assert_close(ours, again, equal_nan=True, rtol=0, atol=0)


@needs_torchvision
def test_weakly_supervised_every_branch_learns_but_the_regression(model, images) -> None:
    model.zero_grad()
    output = model(images, **LABELS)
    assert output.regression_loss is None and output.poses is None
    parts = (output.objectness_loss, output.box_loss, output.class_loss)
    torch.testing.assert_close(output.loss, sum(parts))
    output.loss.backward()
    without = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert without == {"head.regressor.weight", "head.regressor.bias"}


@needs_torchvision
def test_with_keypoints_every_weight_learns(model, images) -> None:
    model.zero_grad()
    keypoints = torch.rand(2, 2, 13, 2) * 50
    model(images, **LABELS, keypoints=keypoints).loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())


@needs_torchvision
def test_the_class_loss_of_a_head_that_knows_nothing_is_the_logarithm_of_the_classes(images) -> None:
    torch.manual_seed(0)
    model = LcrNetModel(LcrNetConfig(**SMALL))
    model.set_anchor_poses(anchors())
    torch.nn.init.zeros_(model.head.classifier.weight)
    assert model(images, **LABELS).class_loss.item() == pytest.approx(np.log(4), rel=1e-6)


@needs_torchvision
def test_regression_loss_by_hand_ignores_background_and_missing_joints(model) -> None:
    boxes = torch.tensor([[0.0, 0, 10, 20], [5, 5, 15, 25]])
    wanted = torch.full((2, 13, 2), MISSING)
    # Class 2 in the first box: joint 0 lies (0.1, 0.2) boxes beside its anchor pose, everything else is missing.
    wanted[0, 0] = (anchors()[1, 0] + torch.tensor([0.1, 0.2])) * torch.tensor([10.0, 20.0])
    loss = model._regression_loss(torch.zeros(2, 3, 13, 2), torch.tensor([2, BACKGROUND]), boxes, wanted)
    # Smooth L1 of 5 x 0.1 and 5 x 0.2: 0.5 x 0.5^2 and (at 1) 1 - 0.5, mean of the two.
    assert loss.item() == pytest.approx((0.125 + 0.5) / 2, abs=1e-5)


@needs_torchvision
def test_boxes_are_drawn_with_the_class_of_the_person_they_hold(model) -> None:
    person = Targets(torch.tensor([[10.0, 10, 30, 50]]), torch.tensor([3]), torch.ones(1, 13, 2))
    proposals = torch.tensor([[10.0, 10, 30, 48], [60, 10, 80, 50]])
    boxes, classes, keypoints = model._draw(proposals, person)
    drawn = {tuple(box): int(own) for box, own in zip(boxes.tolist(), classes, strict=True)}
    # The labelled box itself is added, so there is a positive one from the first update on.
    assert drawn == {(10, 10, 30, 48): 3, (60, 10, 80, 50): BACKGROUND, (10, 10, 30, 50): 3}
    assert torch.equal(keypoints[:, 0, 0].isnan(), classes == BACKGROUND)


@needs_torchvision
def test_one_box_and_class_become_the_anchor_pose_in_that_box_moved_by_the_regression(model) -> None:
    box = torch.tensor([[10.0, 4, 50, 60]])
    probabilities = torch.tensor([[0.1, 0.05, 0.8, 0.05]])
    displacements = torch.zeros(1, 3, 13, 2)
    displacements[0, 1] = 0.5  # a tenth of the box
    found = model._people_of_one(box, probabilities, displacements, (64, 96))
    expected = torch.tensor([10.0, 4.0]) + (anchors()[1] + 0.1) * torch.tensor([40.0, 56.0])
    torch.testing.assert_close(found["poses"], expected[None])
    torch.testing.assert_close(found["boxes"], box)
    torch.testing.assert_close(found["class_scores"], probabilities)
    assert found["confidence"].tolist() == found["scores"].tolist() == [pytest.approx(0.8)]


@needs_torchvision
@torch.no_grad()
def test_an_image_without_people_has_none_and_teaches_background(model, images) -> None:
    no_people = {"boxes": torch.full((2, 0, 4), MISSING), "classes": torch.zeros(2, 0, dtype=torch.int64)}
    assert model(images, **no_people).loss.isfinite()
    high = LcrNetModel(LcrNetConfig(**{**SMALL, "min_class_score": 1.0}))
    high.set_anchor_poses(anchors())
    output = high.eval()(images)
    assert output.num_people.tolist() == [0, 0] and output.poses.shape == (2, 0, 13, 2)
    assert PersonImageProcessor().people(output, torch.ones(2, 2))[0]["poses"].shape == (0, 13, 2)


@needs_torchvision
@torch.no_grad()
def test_people_of_a_padded_image_lie_inside_the_image(model, images) -> None:
    padded = torch.zeros(1, 3, 64, 128)
    padded[..., :96] = images[:1]
    output = model(padded, image_sizes=torch.tensor([[64, 96]]))
    boxes = output.boxes[0, : int(output.num_people[0])]
    assert len(boxes) and float(boxes[:, 2].max()) <= 96


@needs_torchvision
def test_a_frozen_backbone_norm_loads_a_trained_one_and_never_moves(images, tmp_path) -> None:
    torch.manual_seed(0)
    trained = LcrNetModel(LcrNetConfig(**SMALL))
    trained.set_anchor_poses(anchors())
    trained.train()(images, **LABELS)
    trained.eval().save_pretrained(tmp_path)
    frozen = LcrNetModel.from_pretrained(tmp_path, backbone_norm="frozen")
    frozen.train()
    torch.testing.assert_close(frozen.backbone(images)["0"], trained.backbone(images)["0"], rtol=1e-4, atol=1e-4)
    name = "backbone.stages.bn1.running_mean"
    assert torch.equal(frozen.state_dict()[name], trained.state_dict()[name])


@needs_torchvision
def test_wrong_images_labels_and_anchor_poses_say_what_to_do(model, images) -> None:
    with pytest.raises(ValueError, match="PersonImageProcessor"):
        model(images[0])
    with pytest.raises(ValueError, match="has no anchor poses"):
        LcrNetModel(LcrNetConfig(**SMALL))(images)
    with pytest.raises(ValueError, match="fit_anchor_poses"):
        model.set_anchor_poses(torch.rand(2, 13, 2))
    with pytest.raises(ValueError, match="got a part"):
        model(images, boxes=LABELS["boxes"])
    with pytest.raises(ValueError, match="1 to 3"):
        model(images, boxes=LABELS["boxes"], classes=torch.tensor([[4, 0], [2, 3]]))
    with pytest.raises(ValueError, match="right > left"):
        model(images, boxes=LABELS["boxes"][..., [2, 1, 0, 3]], classes=LABELS["classes"])
    with pytest.raises(ValueError, match="image_sizes"):
        model(images, image_sizes=torch.tensor([[64, 96], [64, 97]]))
    with pytest.raises(ValueError, match="expects classes"):
        model(images, **LABELS, keypoints=torch.zeros(2, 2, 12, 2))


@needs_torchvision
def test_publishing_never_copies_our_source(model, tmp_path) -> None:
    LcrNetModel.register_for_auto_class("AutoModel")
    model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.py")] == ["motionhub_remote.py"]
