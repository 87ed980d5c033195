"""What the claim on the order of time shows its arms: segments of one start, mirrored ones, and directions."""

import pytest
import torch
from helpers import load_script


@pytest.fixture(scope="module")
def claim():
    return load_script("benchmarks/claims/time_order.py")


def clips(claim, count: int = 6):
    """The first coordinate of every joint is the frame, the second the joint."""
    motions = claim.motions
    joints = motions.LAYOUT.num_joints
    frames = torch.arange(motions.STORED, dtype=torch.float32)[None, :, None].expand(count, -1, joints)
    names = torch.arange(joints, dtype=torch.float32).expand(count, motions.STORED, -1)
    labels = torch.arange(count)
    seen = torch.ones(count, motions.STORED, joints, dtype=torch.bool)
    return motions.Clips(torch.stack([frames, names], -1), seen, labels, labels, labels, labels)


def test_segments_start_when_they_say_and_together_only_in_the_control(claim):
    rows = torch.arange(6)
    for arm in ("MoCo", claim.ONE_START):
        batch = claim.segments(clips(claim), rows, torch.Generator().manual_seed(0), arm)
        first, second = batch["start_seconds"].split(6)
        assert torch.equal(first, second) == (arm == claim.ONE_START)
        assert len(batch["keypoints"]) == 12
        # Turned and stretched about the middle of the image, time still goes on by equal steps.
        steps = batch["keypoints"].diff(dim=2)
        torch.testing.assert_close(steps, steps[:, :, :1].expand_as(steps), rtol=1e-3, atol=1e-3)


def test_a_mirror_exchanges_left_and_right_and_twice_changes_nothing(claim):
    batch = claim.of_frames(clips(claim), torch.arange(6), torch.arange(4).expand(6, -1))
    chosen = torch.tensor([True, False] * 3)
    once = claim.mirrored(batch, chosen)
    left, right = (claim.motions.LAYOUT.index(f"{side}_wrist") for side in ("left", "right"))
    assert once["keypoints"][0, 0, 0, left].tolist() == [-0.0, float(right)]
    assert torch.equal(once["keypoints"][1], batch["keypoints"][1])
    torch.testing.assert_close(claim.mirrored(once, chosen)["keypoints"], batch["keypoints"])


def test_sides_are_read_from_the_names_of_the_actions(claim):
    names = claim.CLASS_NAMES
    labels = torch.arange(len(names)).repeat(4)
    side = torch.tensor([1.0 if "-left" in name else -1.0 if "-right" in name else 0.0 for name in names]).repeat(4)
    features = torch.stack([side, torch.zeros_like(side)], 1).numpy()
    assert claim.side_accuracy(features, labels, features, labels) == 1.0
    assert claim.side_accuracy(features, labels, -features, labels) == 0.0
