"""Pseudo ground truth: boxes, classes and frames worked out by hand."""

import numpy as np
import pytest

from motionhub.poses.self_training import (
    LabelledFrame,
    classified,
    fit_anchor_poses,
    held_out,
    nearest_anchor_poses,
    pose_boxes,
    pseudo_labels,
)
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


JOINTS = get_layout("lcrnet-13").num_joints


def sequence(keypoints: np.ndarray, **facts: object) -> SkeletonSequence:
    known = {"layout": "lcrnet-13", "fps": 10.0, "unit": "pixel", "image_size": (640, 480), **facts}
    return SkeletonSequence(keypoints, **known)


def people(count: int, frames: int, seed: int = 0) -> np.ndarray:
    """Random poses, each 100 pixels beside the one before."""
    points = np.random.default_rng(seed).uniform(0, 80, (count, frames, JOINTS, 2)).astype(np.float32)
    return points + 100 * np.arange(count, dtype=np.float32)[:, None, None, None]


def frame_of(poses: np.ndarray) -> LabelledFrame:
    return LabelledFrame(0, poses, pose_boxes(poses), np.ones(len(poses), np.float32))


def test_the_box_is_ten_per_cent_larger_about_the_same_centre_and_ignores_missing_joints() -> None:
    pose = np.array([[[10, 20], [110, 20], [10, 220], [np.nan, np.nan]]], np.float32)
    np.testing.assert_allclose(pose_boxes(pose), [[5, 10, 115, 230]])
    assert np.isnan(pose_boxes(np.full((1, 3, 2), np.nan))).all()


def test_a_frame_counts_only_if_all_its_people_are_good_enough() -> None:
    points = people(2, 4)
    points[1, 3] = np.nan  # no person: no reason to drop the first
    confidence = np.array([[0.9, 0.9, 0.1, 0.9], [0.9, 0.1, 0.9, 0.0]], np.float32)
    labels = pseudo_labels(sequence(points), confidence, frame_share=1.0)
    assert [(label.frame, len(label.poses)) for label in labels] == [(0, 2), (3, 1)]
    np.testing.assert_array_equal(labels[0].poses, points[:, 0])
    np.testing.assert_array_equal(labels[1].confidence, np.float32([0.9]))


def test_a_pose_with_too_few_joints_is_not_a_label() -> None:
    points = people(1, 2)
    points[0, 1, :3] = np.nan  # 10 of 13 are 77 %
    confidence = np.ones((1, 2))
    assert [label.frame for label in pseudo_labels(sequence(points), confidence, frame_share=1.0)] == [0]
    lenient = pseudo_labels(sequence(points), confidence, frame_share=1.0, min_seen=0.75)
    assert [label.frame for label in lenient] == [0, 1]


def test_frames_are_looked_at_evenly() -> None:
    labels = pseudo_labels(sequence(people(1, 101)), np.ones((1, 101)), frame_share=0.05)
    assert [label.frame for label in labels] == [0, 25, 50, 75, 100]


def test_labels_have_the_joints_of_the_student() -> None:
    coco = get_layout("coco-17")
    points = np.random.default_rng(0).uniform(0, 100, (1, 1, 17, 2)).astype(np.float32)
    label = pseudo_labels(sequence(points, layout="coco-17"), np.ones((1, 1)))[0]
    wrist = get_layout("lcrnet-13").index("left_wrist")
    np.testing.assert_allclose(label.poses[0, wrist], points[0, 0, coco.index("left_wrist")])


@pytest.mark.parametrize("points", [np.full((1, 5, JOINTS, 2), np.nan), np.ones((1, 5, JOINTS, 2))])
def test_no_person_or_one_without_size_gives_no_labels(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match="None of 5 frames has a pose to learn from"):
        pseudo_labels(sequence(points), np.ones((1, 5)), frame_share=1.0)


def test_experts_that_disagree_teach_nothing_and_the_message_has_the_confidence() -> None:
    with pytest.raises(ValueError, match="highest confidence is 0.05"):
        pseudo_labels(sequence(people(1, 5)), np.full((1, 5), 0.05))


def test_3d_poses_or_wrong_confidence_are_refused() -> None:
    with pytest.raises(ValueError, match="2-D poses in pixels"):
        pseudo_labels(sequence(people(1, 5), unit="normalised", image_size=None), np.ones((1, 5)))
    with pytest.raises(ValueError, match="aggregate_experts"):
        pseudo_labels(sequence(people(1, 5)), np.ones(5))
    with pytest.raises(ValueError, match="frame_share"):
        pseudo_labels(sequence(people(1, 5)), np.ones((1, 5)), frame_share=0.0)


def test_anchor_poses_of_well_separated_clusters_are_their_means() -> None:
    random = np.random.default_rng(0)
    centres = random.uniform(0, 1, (3, JOINTS, 2))
    centres[:, 0], centres[:, 1] = 0, 1  # so that the box is the unit square
    counts = (20, 12, 5)
    frames, members = [], []
    for centre, count in zip(centres, counts, strict=True):
        poses = np.repeat(centre[None], count, axis=0) + random.normal(0, 0.005, (count, JOINTS, 2))
        poses[:, 0], poses[:, 1] = 0, 1
        inside = poses.clip(0, 1)
        frames.append(frame_of((100 * inside).astype(np.float32)))
        members.append(inside)
    anchors = fit_anchor_poses(frames, 3)
    for anchor, inside in zip(anchors, members, strict=True):  # the largest cluster first
        # A box grown by 10 % puts what was 0..1 to 0.05/1.1 .. 1.05/1.1.
        np.testing.assert_allclose(anchor, (inside.mean(axis=0) + 0.05) / 1.1, atol=1e-5)
    classes = [label.classes for label in classified(frames, anchors)]
    assert [set(each.tolist()) for each in classes] == [{1}, {2}, {3}]


def test_the_nearest_anchor_ignores_missing_joints() -> None:
    random = np.random.default_rng(1)
    anchors = random.uniform(0, 1, (4, JOINTS, 2)).astype(np.float32)
    boxes = np.array([[100, 50, 200, 350]], np.float32)
    pose = boxes[:, None, :2] + anchors[2:3] * (boxes[:, 2:] - boxes[:, :2])[:, None]
    pose[0, 4:9] = np.nan
    assert nearest_anchor_poses(pose, boxes, anchors).tolist() == [3]


def test_a_class_is_nearest_in_pixels_not_in_shares_of_the_box() -> None:
    # One joint at (0.5, 0.5) of a box 10 wide and 100 high: 0.3 across are 3 pixels, 0.1 down are 10.
    anchors = np.array([[[0.5, 0.6]], [[0.8, 0.5]]], np.float32)
    assert nearest_anchor_poses(np.array([[[5.0, 50.0]]]), np.array([[0.0, 0, 10, 100]]), anchors).tolist() == [2]


def test_fewer_different_poses_than_anchor_poses_is_one_clear_error() -> None:
    pose = people(1, 1)[:, 0]
    with pytest.raises(ValueError, match="3 anchor poses need at least as many different complete poses, got 1"):
        fit_anchor_poses([frame_of(pose)] * 10, 3)
    incomplete = pose.copy()
    incomplete[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"got 0 \(of 1 poses, 0 without missing joints\)"):
        fit_anchor_poses([frame_of(incomplete)], 1)
    with pytest.raises(ValueError, match="lower num_anchor_poses"):
        fit_anchor_poses([], 1)


def test_held_out_frames_are_the_last_ones() -> None:
    labels = [LabelledFrame(frame, *([np.zeros(0)] * 3)) for frame in (30, 0, 20, 10, 40)]
    kept, rest = held_out(labels, 0.4)
    assert [label.frame for label in kept] == [0, 10, 20] and [label.frame for label in rest] == [30, 40]
    with pytest.raises(ValueError, match="one part empty"):
        held_out(labels[:1])
