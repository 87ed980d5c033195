"""Views of whole batches equal those made clip by clip, by other code: `data.pairs`, then the processor."""

import math

import numpy as np
import pytest
import torch

from motionhub.augment.view_params import ViewParams, ViewRanges, apply_view, draw_views, limb_responses
from motionhub.data.views.cameras import Camera, seen_by
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.bodies import GROUPS, with_bone_lengths
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


LAYOUT = get_layout("lac-15")
ROOT = LAYOUT.index(LAYOUT.root)


def clip(seed=0, frames=6):
    points = np.random.default_rng(seed).normal(size=(1, frames, 15, 3)).astype(np.float32)
    return SkeletonSequence(points, layout=LAYOUT, fps=30, unit="metre")


def batch_of(*sequences):
    keypoints = torch.stack([torch.from_numpy(sequence.keypoints) for sequence in sequences])
    return keypoints.nan_to_num(), ~keypoints[..., 0].isnan()


@pytest.mark.parametrize(("num_dims", "up"), [(2, "y"), (2, "z"), (2, "x"), (3, "y"), (3, "z")])
def test_a_batch_of_looks_equals_bodies_cameras_and_processor_one_by_one(num_dims, up):
    factors = torch.rand(2, len(GROUPS), generator=torch.Generator().manual_seed(1)) + 0.5
    degrees = [(30.0, 20.0, 10.0), (-140.0, -5.0, 0.0)]
    looks = ViewParams(factors, torch.tensor(degrees) * math.pi / 180)
    clips = [clip(0), clip(1)]
    made, seen = apply_view(*batch_of(*clips), looks, limb_responses(LAYOUT), root=ROOT, num_dims=num_dims, up=up)
    assert bool(seen.all())
    processor = SkeletonProcessor(
        layout=LAYOUT, num_dims=num_dims, num_people=1, normalization="centre", scale="extent"
    )
    for row, (sequence, angles) in enumerate(zip(clips, degrees, strict=True)):
        body = with_bone_lengths(sequence, dict(zip(GROUPS, factors[row].tolist(), strict=True)))
        expected = processor.process(seen_by(body, Camera(*angles), num_dims=num_dims, up=up))["keypoints"]
        torch.testing.assert_close(made[row], expected, atol=1e-5, rtol=1e-5)


def test_the_own_body_from_the_front_is_the_picture_of_the_clip():
    look = ViewParams(torch.ones(1, len(GROUPS)), torch.zeros(1, 3))
    keypoints, mask = batch_of(clip())
    made, _ = apply_view(keypoints, mask, look, limb_responses(LAYOUT), root=ROOT, centred=False)
    torch.testing.assert_close(made, keypoints[..., :2] * torch.tensor([1.0, -1.0]))


def test_what_hangs_on_a_missing_joint_is_missing_too_and_a_frame_without_root_is():
    sequence = clip()
    points = sequence.keypoints.copy()
    points[0, 2, LAYOUT.index("left_knee")] = np.nan
    points[0, 4, ROOT] = np.nan
    looks = draw_views(torch.tensor([3]), ViewRanges())
    made, seen = apply_view(*batch_of(sequence.replace(keypoints=points)), looks, limb_responses(LAYOUT), root=ROOT)
    assert bool(seen[0, 0, [0, 1, 3, 5]].all()) and not seen[0, 0, 4].any()
    hidden = {LAYOUT.joints[joint] for joint in (~seen[0, 0, 2]).nonzero().flatten().tolist()}
    assert "left_knee" in hidden and hidden <= {"left_knee", "left_ankle"}
    assert bool(made.isfinite().all()) and not made[~seen].any()
    # A joint that is seen does not depend on what stands in the place of one that is not.
    points[0, 2, LAYOUT.index("left_knee")] = 50.0
    keypoints, mask = batch_of(sequence.replace(keypoints=points))
    mask[0, 0, 2, LAYOUT.index("left_knee")] = False
    again, _ = apply_view(keypoints, mask, looks, limb_responses(LAYOUT), root=ROOT)
    torch.testing.assert_close(again, made)


def test_looks_stay_in_their_ranges_and_depend_on_their_seed_alone():
    ranges = ViewRanges(bone_factor=(0.8, 1.1), azimuth=90, elevation=10, roll=5)
    looks = draw_views(torch.arange(500), ranges)
    assert float(looks.factors.min()) >= 0.8 and float(looks.factors.max()) <= 1.1
    limits = torch.tensor([90.0, 10.0, 5.0]) * math.pi / 180
    assert bool((looks.angles.abs() <= limits).all())
    torch.testing.assert_close(looks.angles.abs().mean(0) / limits, torch.full((3,), 0.5), atol=0.05, rtol=0)
    alone = draw_views(torch.tensor([7]), ranges)
    assert torch.equal(alone.factors[0], looks.factors[7]) and torch.equal(
        looks.of(torch.tensor([7])).angles, alone.angles
    )


def test_bad_ranges_and_inputs_are_errors():
    with pytest.raises(ValueError, match="bone_factor"):
        ViewRanges(bone_factor=(0.0, 1.0))
    with pytest.raises(ValueError, match="degrees of 0 or more"):
        ViewRanges(elevation=-1)
    looks, responses = draw_views(torch.tensor([0]), ViewRanges()), limb_responses(LAYOUT)
    flat = torch.zeros(1, 1, 4, 15, 2)
    with pytest.raises(ValueError, match="num_dims=3"):
        apply_view(flat, torch.ones(1, 1, 4, 15, dtype=torch.bool), looks, responses, root=ROOT)
