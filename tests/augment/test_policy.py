"""Augmentations against their official numbers and their laws."""

import math

import numpy as np
import pytest
import torch

from motionhub.augment import policy
from motionhub.augment.policy import AugmentationPolicy
from motionhub.skeletons.layouts import LAYOUTS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clip(people: int = 2, frames: int = 7, joints: int = 17, dims: int = 3) -> torch.Tensor:
    keypoints = torch.randn(people, frames, joints, dims, generator=seeded(9))
    keypoints[0, 2, 3] = float("nan")
    return keypoints


def official_nodes() -> policy.MoveNodes:
    """What UNIK's feeder draws after seeding NumPy with 0: angle, scale, x shift, y shift, two values each."""
    drawn = np.random.RandomState(0)
    sets = (policy.MOVE_ANGLES, policy.MOVE_SCALES, policy.MOVE_SHIFTS, policy.MOVE_SHIFTS)
    return policy.MoveNodes(*(drawn.choice(values, 2).tolist() for values in sets))


def test_random_move_gives_the_official_numbers_for_the_official_draws():
    keypoints = torch.zeros(2, 10, 3, 2)  # the second person is absent, as zeros
    keypoints[0] = 1
    moved = policy.move(keypoints, official_nodes())
    expected = [[0.81116, 0.958456], [0.0, -0.2]], [[1.358456, 0.61116], [0.2, -0.2]]
    for frame, values in zip((0, 9), expected, strict=True):
        torch.testing.assert_close(moved[:, frame, 0], torch.tensor(values), atol=1e-5, rtol=0)


def test_the_moving_view_keeps_missing_joints_missing_and_leaves_depth_alone():
    keypoints = clip()
    moved = AugmentationPolicy(random_move=True)(keypoints, LAYOUTS["posetics-17"], seeded(3))
    assert torch.equal(moved.isnan(), keypoints.isnan())
    assert torch.equal(moved[..., 2].nan_to_num(), keypoints[..., 2].nan_to_num())
    assert not torch.equal(moved.nan_to_num(), keypoints.nan_to_num())


def test_drawn_nodes_come_from_the_official_sets_and_reach_all_of_them():
    nodes = [policy.draw_move_nodes(seeded(seed)) for seed in range(200)]
    assert {value for node in nodes for value in node.angles} == set(policy.MOVE_ANGLES)
    assert {value for node in nodes for value in node.scales} == set(policy.MOVE_SCALES)
    assert {value for node in nodes for value in node.shifts_y} == set(policy.MOVE_SHIFTS)


def test_rotation_keeps_all_distances():
    keypoints = clip()
    rotated = policy.random_rotation(keypoints, [30, 60, 90], seeded(1))
    assert not torch.allclose(rotated.nan_to_num(), keypoints.nan_to_num())
    before, after = (torch.cdist(value.nan_to_num(), value.nan_to_num()) for value in (keypoints, rotated))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rotation_about_one_axis_keeps_that_coordinate_and_stays_within_its_limit(axis):
    points = torch.eye(3)[[(axis + 1) % 3, axis]].reshape(1, 1, 2, 3)
    limits = [0.0, 0.0, 0.0]
    limits[axis] = 20.0
    angles = []
    for seed in range(50):
        turned, fixed = policy.random_rotation(points, limits, seeded(seed))[0, 0]
        torch.testing.assert_close(fixed, torch.eye(3)[axis])
        angles.append(math.degrees(math.atan2(float(turned[(axis + 2) % 3]), float(turned[(axis + 1) % 3]))))
    assert -20 <= min(angles) < -10 and 10 < max(angles) <= 20


def test_two_dimensional_rotation_uses_the_limit_of_z_only():
    keypoints = clip(dims=2)
    torch.testing.assert_close(policy.random_rotation(keypoints, [90, 90, 0], seeded()), keypoints, equal_nan=True)
    assert not torch.allclose(
        policy.random_rotation(keypoints, [0, 0, 90], seeded()).nan_to_num(), keypoints.nan_to_num()
    )


def test_scale_and_shear_factors_stay_within_their_limits():
    unit = torch.eye(3).reshape(1, 1, 3, 3)
    for seed in range(20):
        scaled = policy.random_scale(unit, 0.2, seeded(seed))[0, 0]
        assert torch.equal(scaled, torch.diag(scaled.diag())) and bool(((scaled.diag() - 1).abs() <= 0.2).all())
        sheared = policy.random_shear(unit, 0.3, seeded(seed))[0, 0]
        assert torch.equal(sheared.diag(), torch.ones(3))
        assert 0 < float((sheared - torch.eye(3)).abs().max()) <= 0.3


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_mirror_twice_is_identity(name):
    keypoints = clip(joints=LAYOUTS[name].num_joints)
    twice = policy.mirror(policy.mirror(keypoints, LAYOUTS[name]), LAYOUTS[name])
    torch.testing.assert_close(twice, keypoints, rtol=0, atol=0, equal_nan=True)


def test_mirror_makes_a_raised_left_hand_a_raised_right_hand():
    layout = LAYOUTS["coco-17"]
    keypoints = torch.zeros(1, 1, 17, 2)
    keypoints[0, 0, layout.index("left_wrist")] = torch.tensor([0.4, 2.0])
    expected = torch.zeros(1, 1, 17, 2)
    expected[0, 0, layout.index("right_wrist")] = torch.tensor([-0.4, 2.0])
    assert torch.equal(policy.mirror(keypoints, layout), expected)


def test_mirror_does_not_write_into_its_argument():
    keypoints = clip()
    before = keypoints.clone()
    policy.mirror(keypoints, LAYOUTS["coco-17"])
    torch.testing.assert_close(keypoints, before, rtol=0, atol=0, equal_nan=True)


def test_mirror_probability_zero_never_and_one_always():
    layout, keypoints = LAYOUTS["coco-17"], clip()
    always = AugmentationPolicy(mirror_probability=1.0)
    for seed in range(20):
        assert AugmentationPolicy()(keypoints, layout, seeded(seed)) is keypoints
        assert torch.equal(
            always(keypoints, layout, seeded(seed)).nan_to_num(), policy.mirror(keypoints, layout).nan_to_num()
        )


def test_dropped_joints_are_missing_in_all_frames_at_the_asked_rate():
    keypoints = torch.zeros(50, 4, 100, 3)
    missing = policy.drop_joints(keypoints, 0.3, seeded()).isnan()
    assert torch.equal(missing, missing[:, :1, :, :1].expand_as(missing))
    assert abs(float(missing.float().mean()) - 0.3) < 0.02  # 5000 draws: one standard deviation is 0.0065


def test_dropping_with_probability_zero_or_one():
    keypoints = torch.ones(1, 3, 5, 2)
    assert torch.equal(policy.drop_joints(keypoints, 0.0, seeded()), keypoints)
    assert bool(policy.drop_joints(keypoints, 1.0, seeded()).isnan().all())


@pytest.mark.parametrize(
    "augment",
    [
        lambda keypoints, generator: policy.move(keypoints, policy.draw_move_nodes(generator)),
        lambda keypoints, generator: policy.random_rotation(keypoints, [10, 20, 30], generator),
        lambda keypoints, generator: policy.random_scale(keypoints, 0.1, generator),
        lambda keypoints, generator: policy.random_shear(keypoints, 0.1, generator),
        lambda keypoints, generator: policy.drop_joints(keypoints, 0.5, generator),
    ],
)
def test_same_generator_same_result_and_another_seed_another(augment):
    keypoints = clip()
    first, again, other = (augment(keypoints, seeded(seed)) for seed in (5, 5, 6))
    torch.testing.assert_close(first, again, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(first.nan_to_num(), other.nan_to_num())


def test_a_policy_is_written_without_its_defaults_and_read_back():
    asked = AugmentationPolicy(mirror_probability=0.5, rotation_degrees=[0, 0, 8])
    assert asked.to_dict() == {"mirror_probability": 0.5, "rotation_degrees": [0, 0, 8]}
    assert AugmentationPolicy.of(asked.to_dict()) == asked
    assert AugmentationPolicy.of('{"mirror_probability": 0.5, "rotation_degrees": [0, 0, 8]}') == asked
    assert AugmentationPolicy.of(None) == AugmentationPolicy() and AugmentationPolicy().to_dict() == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"miror_probability": 0.5}, "did you mean mirror_probability"),
        ({"mirror_probability": 1.5}, "mirror_probability must be between 0 and 1, got 1.5"),
        ({"rotation_degrees": [1, 2]}, "rotation_degrees must be a list of 3"),
        ({"rotation_degrees": "xyz"}, "rotation_degrees must be a list of 3"),
        ({"scale_jitter": "0.1"}, "scale_jitter must be between 0 and inf, got '0.1'"),
        ("{mirror", "augmentation must be a dictionary such as"),
        (3, "augmentation must be a dictionary such as"),
    ],
)
def test_what_is_no_policy_is_one_clear_error(given, message):
    with pytest.raises(ValueError, match=message):
        AugmentationPolicy.of(given)


def test_a_crop_keeps_at_least_its_fraction_and_lies_inside_the_clip():
    crops = [AugmentationPolicy(train_crop_fraction=0.6).crop(10, seeded(seed)) for seed in range(100)]
    assert all(6 <= length <= 10 and 0 <= begin <= 10 - length for begin, length in crops)
    assert {length for _, length in crops} == {6, 7, 8, 9, 10}
    assert AugmentationPolicy().crop(10) == (0, 10)
