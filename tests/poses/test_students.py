"""Students of pseudo labels: what moves, what stays, and that a tiny one of each kind learns what it is shown."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

from motionhub.models.lcr_net import LcrNetConfig, LcrNetModel
from motionhub.poses.self_training import LabelledFrame, fit_anchor_poses, pose_boxes
from motionhub.poses.students import (
    HeatmapStudent,
    LcrNetStudent,
    check_images,
    collate_images,
    crop,
    crop_window,
    gaussian_targets,
    heatmaps_of,
    highest_cells,
    pose_agreement,
    self_training_recipe,
)
from motionhub.processing.person_images import PersonImageProcessor


needs_torchvision = pytest.mark.towers("torchvision")
MISSING = float("nan")


def recipe(folder: Path, **changes: object) -> object:
    quiet = {"cpu": True, "progress_bar": False, "milestones": [], "checkpoint_epochs": 100, "output_dir": str(folder)}
    return self_training_recipe(**{**quiet, **changes})


def scene(frames: int, joints: int = 13) -> tuple[list[LabelledFrame], dict[int, np.ndarray]]:
    """Black images with one person: every joint a square of its own brightness, on a circle that moves about."""
    random = np.random.default_rng(0)
    labels, images = [], {}
    angles = np.linspace(0, 2 * np.pi, joints, endpoint=False)
    for frame in range(frames):
        centre, stretch = random.uniform([30, 28], [66, 36]), random.uniform(0.7, 1.0, 2)
        pose = (centre + 24 * stretch * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)
        image = np.zeros((64, 96, 3), np.uint8)
        for joint, (x, y) in enumerate(pose.round().astype(int)):
            colour = [100 + 12 * joint, 255 - 12 * joint, 255 if joint % 2 else 0]
            image[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = colour
        images[frame] = image
        labels.append(LabelledFrame(frame, pose[None], pose_boxes(pose[None]), np.ones(1, np.float32)))
    return labels, images


@pytest.fixture
def student() -> LcrNetStudent:
    torch.manual_seed(0)
    sizes = {"pyramid_channels": 16, "head_size": 32, "num_anchor_poses": 2, "boxes_per_image": 32}
    config = LcrNetConfig(backbone="resnet10", train_proposals=100, test_proposals=20, **sizes)
    model = LcrNetModel(config)
    model.set_anchor_poses(fit_anchor_poses(scene(8)[0], 2))
    return LcrNetStudent(model, PersonImageProcessor(short_side=64, long_side=96))


@needs_torchvision
def test_self_training_moves_localisation_and_classification_and_not_the_regression(student, tmp_path) -> None:
    labels, images = scene(8)
    before = {name: weight.clone() for name, weight in student.model.named_parameters()}
    result = student.train(labels, images, recipe(tmp_path, epochs=1))
    same = {name for name, weight in student.model.named_parameters() if torch.equal(weight, before[name])}
    assert same == {"head.regressor.weight", "head.regressor.bias"}
    assert all(weight.requires_grad for weight in student.model.parameters())  # frozen for this training only
    assert result.steps == 2
    again = LcrNetModel.from_pretrained(result.last_dir)
    assert torch.equal(again.head.classifier.weight, student.model.head.classifier.weight)
    assert (result.last_dir / "preprocessor_config.json").is_file()


@needs_torchvision
def test_the_first_training_moves_the_regression_too(student, tmp_path) -> None:
    before = student.model.head.regressor.weight.clone()
    student.train(*scene(4), recipe(tmp_path, epochs=1), regression=True)
    assert not torch.equal(student.model.head.regressor.weight, before)


@needs_torchvision
@pytest.mark.slow
def test_a_small_student_learns_to_find_the_person_it_was_shown(student, tmp_path) -> None:
    labels, images = scene(4)
    # The last 40 updates are small: estimating reads running averages of the batch norm, which must catch up with the
    # weights. Without them one seed's error is 2 pixels by the batch's own statistics and 17 by the running ones.
    numbers = {"epochs": 100, "milestones": [60], "optimizer": "adamw", "learning_rate": 3e-3}
    student.train(labels, images, recipe(tmp_path, **numbers), regression=True)
    found = student.estimate([images[label.frame] for label in labels])
    assert [len(people["poses"]) for people in found] == [1, 1, 1, 1]  # untrained it finds five in each
    pairs = zip(found, labels, strict=True)
    errors = [np.linalg.norm(people["poses"][0] - label.poses[0], axis=-1).mean() for people, label in pairs]
    assert np.median(errors) < 3  # pixels, of circles 34 to 48 across; 0.5 to 1.4 with other seeds


def test_a_frame_without_its_image_is_named(tmp_path) -> None:
    labels, images = scene(3)
    del images[1]
    with pytest.raises(ValueError, match=r"no image of \[1\]"):
        check_images(labels, images)
    with pytest.raises(ValueError, match="got 0 frames"):
        check_images([], images)


def test_images_and_people_of_a_batch_are_padded() -> None:
    items = [
        {
            "pixel_values": torch.ones(3, 4 * number, 6),
            "image_sizes": torch.tensor([4 * number, 6]),
            "boxes": torch.ones(number, 4),
            "keypoints": torch.ones(number, 13, 2),
            "classes": torch.ones(number, dtype=torch.int64),
        }
        for number in (1, 2)
    ]
    batch = collate_images(items)
    assert batch["pixel_values"].shape == (2, 3, 8, 6) and not batch["pixel_values"][0, :, 4:].any()
    assert batch["boxes"][0, 1].isnan().all() and batch["keypoints"][0, 1].isnan().all()
    assert batch["classes"].tolist() == [[1, 0], [1, 1]]


def test_a_crop_has_the_pixels_of_its_window_and_zero_outside() -> None:
    image = np.zeros((40, 60, 3), np.float32)
    image[10:20, 30:40] = 1.0
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    inside = crop(image, np.array([30.0, 10, 40, 20]), (10, 10))
    torch.testing.assert_close(inside, ((1 - mean) / std)[:, None, None].expand(3, 10, 10), rtol=1e-4, atol=1e-4)
    half = crop(image, np.array([-60.0, 0, 60, 40]), (40, 120))
    assert not half[:, :, :59].any() and half[:, :, 62:].all()


def test_the_window_has_the_proportions_of_the_crop_and_the_centre_of_the_box() -> None:
    window = crop_window(np.array([0.0, 0, 40, 40]), (256, 192))
    np.testing.assert_allclose(window, [20 - 25, 20 - 50 * 256 / 192 / 2, 20 + 25, 20 + 50 * 256 / 192 / 2])


def test_targets_are_one_at_the_joint_and_fall_as_a_gaussian() -> None:
    cells = torch.tensor([[[2.5, 1.5], [MISSING, 1.0], [-1.0, 2.0]]])
    target, seen = gaussian_targets(cells, (4, 6), sigma=2.0)
    assert seen.tolist() == [[1, 0, 0]]
    assert target[0, 0, 1, 2] == 1
    assert target[0, 0, 3, 5].item() == pytest.approx(np.exp(-(2**2 + 3**2) / 8))


def test_the_highest_cell_of_a_target_is_where_the_joint_is() -> None:
    cells = torch.tensor([[[2.5, 1.5], [7.8, 3.3], [0.5, 5.5]]])
    found, peaks = highest_cells(gaussian_targets(cells, (8, 10), sigma=1.5)[0])
    assert (found - cells).abs().max() <= 0.3  # a quarter of a cell towards the higher neighbour
    assert found[0, 0].tolist() == [2.5, 1.5] and peaks[0, 0] == 1


def test_the_heat_map_loss_is_zero_for_perfect_maps_and_blind_to_missing_joints() -> None:
    student = HeatmapStudent(None, crop_size=(32, 24), sigma=2.0)
    keypoints = torch.tensor([[[10.0, 12.0], [MISSING, MISSING]]])
    perfect, _ = gaussian_targets(keypoints / 4, (8, 6), 2.0)
    perfect[:, 1] = 17.0
    batch = {"pixel_values": torch.zeros(1, 3, 32, 24), "keypoints": keypoints}
    assert student.loss(lambda pixels: perfect, batch) == 0
    assert student.loss(lambda pixels: perfect + 0.5, batch).item() == pytest.approx(0.25)


def test_a_model_without_heat_maps_is_refused() -> None:
    with pytest.raises(ValueError, match="must return heat maps"):
        heatmaps_of({"logits": torch.zeros(1)})


def tiny_vit_pose(joints: int) -> PreTrainedModel:
    backbone = VitPoseBackboneConfig(
        image_size=[32, 24], patch_size=[8, 8], hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    torch.manual_seed(0)
    return VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=joints, scale_factor=2))


def test_vit_pose_learns_from_the_same_labels(tmp_path) -> None:
    labels, images = scene(8, joints=4)
    student = HeatmapStudent(tiny_vit_pose(4), crop_size=(32, 24), sigma=1.0)
    boxes = [label.boxes for label in labels]

    def error() -> float:
        found = student.estimate([images[label.frame] for label in labels], boxes)
        pairs = zip(found, labels, strict=True)
        return float(np.mean([np.linalg.norm(own["poses"] - label.poses, axis=-1).mean() for own, label in pairs]))

    before = error()
    numbers = {"epochs": 40, "optimizer": "adamw", "learning_rate": 5e-3}
    student.train(labels, images, recipe(tmp_path, **numbers))
    assert error() < 0.6 * before


def test_no_box_gives_no_person() -> None:
    (found,) = HeatmapStudent(tiny_vit_pose(4), (32, 24)).estimate([np.zeros((64, 96, 3))], [np.zeros((0, 4))])
    assert len(found["poses"]) == 0


def test_agreement_pairs_people_and_counts_who_was_not_found_as_wrong() -> None:
    poses = np.stack([np.zeros((2, 2)), np.full((2, 2), 100.0)]).astype(np.float32)
    poses[1, 1] = MISSING
    boxes = np.array([[0, 0, 10, 20], [90, 90, 110, 130]], np.float32)
    label = LabelledFrame(0, poses, boxes, np.ones(2))
    # In the other order; the first person's joints are off by 1 and 3 of a box of 20, the second's by 2 of 40.
    near = np.stack([[[100.0, 102], [0, 0]], [[1.0, 0], [0, 3]]])
    scores = pose_agreement([{"poses": near}], [label])
    assert scores == {"pck": 2 / 3, "found": 1.0, "error": pytest.approx(((1 + 3) / 2 / 20 + 2 / 40) / 2)}
    one = pose_agreement([{"poses": near[1:]}, {"poses": near[:0]}], [label, label])
    assert one == {"pck": 1 / 6, "found": 0.25, "error": pytest.approx(0.1)}
    assert np.isnan(pose_agreement([{"poses": near[:0]}], [label])["error"])


def test_a_joint_that_only_the_label_has_is_not_right() -> None:
    label = LabelledFrame(0, np.zeros((1, 2, 2), np.float32), np.array([[0, 0, 10, 10]], np.float32), np.ones(1))
    half = np.array([[[0.0, 0], [MISSING, MISSING]]])
    assert pose_agreement([{"poses": half}], [label]) == {"pck": 0.5, "found": 1.0, "error": 0.0}
    assert pose_agreement([{"poses": np.full((1, 2, 2), MISSING)}], [label])["found"] == 0
