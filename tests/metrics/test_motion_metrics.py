"""Bone lengths and foot sliding of motions whose numbers are known beforehand."""

import numpy as np
import pytest

from motionhub.metrics.motion import body_size, bone_length_error, bone_lengths, foot_contacts, foot_sliding, speeds


BONES = [(1, 0), (2, 1)]


def pendulum(lengths=(3.0, 4.0), frames=91):
    """Joint 0 at the origin, two bones turning a quarter round in the plane: their lengths never change."""
    angle = np.linspace(0, np.pi / 2, frames)
    first = lengths[0] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    second = first + lengths[1] * np.stack([-np.sin(angle), np.cos(angle)], axis=-1)
    return np.stack([np.zeros_like(first), first, second], axis=1)[None]


def test_turning_does_not_change_lengths():
    for quantile in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(bone_lengths(pendulum(), BONES, quantile), [3, 4])


def test_a_high_quantile_of_a_projection_is_nearest_to_the_length():
    seen = pendulum() * [1.0, 0.0]  # looked at along y: the first bone shrinks from 3 to 0, the second grows to 4
    np.testing.assert_allclose(bone_lengths(seen, BONES, 1.0), [3, 4], atol=1e-9)
    np.testing.assert_allclose(bone_lengths(seen, BONES, 0.5), [3 / 2**0.5, 4 / 2**0.5])


def test_missing_joints_do_not_count_and_unseen_bones_are_nan():
    points = pendulum()
    points[:, :50, 2] = np.nan
    np.testing.assert_allclose(bone_lengths(points, BONES), [3, 4])
    points[:, :, 2] = np.nan
    assert np.isnan(bone_lengths(points, BONES)[1])
    assert np.isnan(bone_lengths(points, [(1, 1)])[0])


def test_error_is_relative_to_the_reference_and_averaged_over_bones():
    report = bone_length_error(pendulum((3.3, 3.0)), pendulum((3.0, 4.0)), BONES, bone_names=["thigh", "shin"])
    assert report["bone_length_error"] == pytest.approx((0.1 + 0.25) / 2)
    assert report["size_ratio"] == pytest.approx(6.3 / 7)
    assert [bone["name"] for bone in report["per_bone"]] == ["thigh", "shin"]
    assert report["per_bone"][1]["length"] == pytest.approx(3)


def test_size_alone_is_no_error_of_proportions():
    twice = pendulum((6.0, 8.0))
    assert bone_length_error(twice, pendulum(), BONES)["bone_length_error"] == pytest.approx(1)
    report = bone_length_error(twice, pendulum(), BONES, ignore_size=True)
    assert report["bone_length_error"] == pytest.approx(0, abs=1e-12)
    assert report["size_ratio"] == pytest.approx(2)


def test_bones_that_cannot_be_compared():
    with pytest.raises(ValueError, match="No bone"):
        bone_length_error(np.full((1, 4, 3, 2), np.nan), pendulum(), BONES)
    with pytest.raises(ValueError, match="length 0"):
        bone_length_error(pendulum(), np.zeros((1, 4, 3, 2)), BONES)
    with pytest.raises(ValueError, match="quantile"):
        bone_lengths(pendulum(), BONES, 95)


def test_body_size_is_the_diagonal_of_the_box():
    points = np.zeros((1, 3, 3, 2))
    points[:, :, 1] = [3, 0]
    points[:, :, 2] = [0, 4]
    assert body_size(points) == pytest.approx(5)
    points[:, 0] = np.nan
    assert body_size(points) == pytest.approx(5)
    assert np.isnan(body_size(np.full((1, 2, 3, 2), np.nan)))


def steps(sliding=0.0, frames=21):
    """Two feet at 10 frames a second: one stands (and slides by so much a frame), the other goes 1 a frame."""
    feet = np.zeros((1, frames, 2, 2))
    feet[0, :, 0, 0] = sliding * np.arange(frames)
    feet[0, :, 1, 0] = np.arange(frames)
    return feet


def test_speed_is_per_second():
    np.testing.assert_allclose(speeds(steps(0.2), 10)[0], np.tile([2.0, 10.0], (20, 1)))


def test_only_the_standing_foot_is_in_contact():
    contacts = foot_contacts(steps(), fps=10, size=20)
    assert contacts[0, :, 0].all() and not contacts[0, :, 1].any()


def test_sliding_is_the_speed_where_the_source_stands_in_body_sizes():
    contacts = foot_contacts(steps(), fps=10, size=20)
    assert foot_sliding(steps(), contacts, 10, 20) == 0
    assert foot_sliding(steps(0.2), contacts, 10, 20) == pytest.approx(2 / 20)
    assert foot_sliding(steps(0.2), np.zeros_like(contacts), 10, 20) is None
    lost = steps(0.2)
    lost[:, 5:8] = np.nan
    assert foot_sliding(lost, contacts, 10, 20) == pytest.approx(2 / 20)
    assert not foot_contacts(np.full((1, 4, 2, 2), np.nan), 10, 20).any()
    with pytest.raises(ValueError, match="one frame less"):
        foot_sliding(steps(), contacts[:, 1:], 10, 20)
