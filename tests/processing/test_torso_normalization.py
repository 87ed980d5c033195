"""The trunk as unit of a pose (CV-MIM): closed forms, what cannot be measured is missing, and the way back."""

import numpy as np
import pytest
import torch

from motionhub.geometry.alignment import procrustes_error, turned_error
from motionhub.geometry.rotations import axis_angle_matrix
from motionhub.geometry.torso import in_torso_units, torso_frame
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


LAYOUT = get_layout("cv-mim-13")
TRUNK = {"left_shoulder": (120, 100), "right_shoulder": (80, 100), "left_hip": (110, 200), "right_hip": (90, 200)}


def image(frames: int = 3) -> np.ndarray:
    points = np.random.default_rng(0).uniform(50, 300, (1, frames, 13, 2)).astype(np.float32)
    for name, place in TRUNK.items():
        points[:, :, LAYOUT.index(name)] = place
    return points


def processed(points: np.ndarray) -> dict[str, torch.Tensor]:
    processor = SkeletonProcessor(layout="cv-mim-13", num_people=1, normalization="torso")
    return processor.process(SkeletonSequence(points, layout="cv-mim-13", fps=30, unit="pixel"))


def test_the_longest_side_of_the_trunk_becomes_a_half_and_the_hips_the_origin():
    """Diagonal of the trunk: sqrt(30^2 + 100^2), from a shoulder to the hip across."""
    points = image()
    sample = processed(points)
    expected = (points[0] - (100, 200)) * 0.5 / np.hypot(30, 100)
    np.testing.assert_allclose(sample["keypoints"][0], expected, atol=1e-5)
    assert sample["joint_mask"].all()


def test_each_frame_has_its_own_unit_and_the_inverse_gives_the_pixels_back():
    points = image()
    points[0, 1] = points[0, 1] * 3 + 7
    processor = SkeletonProcessor(layout="cv-mim-13", num_people=1, normalization="torso")
    sequence = SkeletonSequence(points, layout="cv-mim-13", fps=30, unit="pixel")
    sample = processor.process(sequence)
    np.testing.assert_allclose(
        sample["keypoints"][0, 1], processed((points[:, 1:2] - 7) / 3)["keypoints"][0, 0], atol=1e-5
    )
    np.testing.assert_allclose(processor.inverse(sample["keypoints"], sequence), points, atol=1e-3)


def test_missing_joints_stay_missing_one_hip_serves_and_no_hip_makes_a_pose_missing():
    points = image(4)
    points[0, 0, LAYOUT.index("left_wrist")] = np.nan
    points[0, 1, LAYOUT.index("left_hip")] = np.nan
    points[0, 2, [LAYOUT.index("left_hip"), LAYOUT.index("right_hip")]] = np.nan
    points[0, 3] = 55.0  # degenerate: all joints on one spot
    sample = processed(points)
    seen = sample["joint_mask"][0]
    assert not seen[0, LAYOUT.index("left_wrist")] and seen[0].sum() == 12
    assert seen[1].sum() == 12 and not sample["keypoints"][0, 1, LAYOUT.index("right_hip")].any()
    assert not seen[2].any() and not seen[3].any()
    assert sample["keypoints"].isfinite().all()


def test_a_clip_without_any_measurable_pose_is_absent():
    assert not processed(np.full((1, 2, 13, 2), 9.0, np.float32))["attention_mask"].any()


def test_in_space_the_distance_from_hips_to_shoulders_is_one():
    points = torch.zeros(13, 3)
    for name, (x, y) in {"shoulder": (0.2, 5.0), "hip": (0.1, 3.0)}.items():
        points[LAYOUT.index(f"left_{name}")] = torch.tensor([x, y, 0])
        points[LAYOUT.index(f"right_{name}")] = torch.tensor([-x, y, 0])
    ends = [[LAYOUT.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "hip")]
    centre, unit, measured = torso_frame(points, torch.ones(13, dtype=torch.bool), *ends)
    assert centre.tolist() == [0, 3, 0] and unit.item() == 2 and bool(measured)


def test_a_degenerate_pose_gives_finite_gradients():
    points = torch.full((2, 13, 2), 0.3, requires_grad=True)
    made, seen = in_torso_units(points, torch.ones(2, 13, dtype=torch.bool), (1, 2), (7, 8))
    made.sum().backward()
    assert not seen.any() and points.grad.isfinite().all()


def test_a_layout_without_hips_is_an_error():
    points = np.zeros((1, 2, 8, 2), np.float32)
    layout = {"name": "arms", "joints": [f"joint_{i}" for i in range(8)], "bones": [], "root": "joint_0"}
    with pytest.raises(ValueError, match="left_shoulder"):
        SkeletonProcessor(layout=layout, normalization="torso").process(
            SkeletonSequence(points, layout=layout, fps=30, unit="pixel")
        )


def test_procrustes_forgets_rotation_scale_and_shift_but_no_mirror():
    generator = torch.Generator().manual_seed(0)
    pose = torch.randn(13, 3, generator=generator)
    turn = axis_angle_matrix(torch.tensor([1.0, 2.0, 3.0]), torch.tensor(0.7))
    assert procrustes_error(pose, 2.5 * pose @ turn.mT + 4).item() < 1e-5
    assert procrustes_error(pose, pose * torch.tensor([-1.0, 1, 1])).item() > 0.1
    seen = torch.ones(13, dtype=torch.bool)
    seen[3] = False
    moved = pose.clone()
    moved[3] += 100
    assert procrustes_error(pose, moved, seen).item() < 1e-5


def test_turned_error_forgets_a_turn_about_the_vertical_only():
    pose = torch.randn(13, 3, generator=torch.Generator().manual_seed(1))
    about = axis_angle_matrix(torch.tensor([0.0, 1, 0]), torch.tensor(2.0))
    lean = axis_angle_matrix(torch.tensor([1.0, 0, 0]), torch.tensor(0.6))
    assert turned_error(pose, pose @ about.mT).item() < 1e-5
    assert turned_error(pose, pose @ lean.mT).item() > 0.1
    assert turned_error(pose, 2 * pose).item() > 0.1
    shift = torch.zeros(13, 3)
    shift[:, 1] = torch.arange(13.0) % 2  # up and down, mean distance from the mean 6/13 and 7/13
    flat = torch.zeros(13, 3)
    expected = (7 * (6 / 13) + 6 * (7 / 13)) / 13
    assert turned_error(flat, shift).item() == pytest.approx(expected, abs=1e-5)
