"""Looks in a batch: the same numbers as clip by clip, exact crossing, decided by seeds."""

import numpy as np
import pytest
import torch

import motionhub
from motionhub.augment.pairs import LookChanger, Looks
from motionhub.data.pairs import Camera, seen_by
from motionhub.data.synthetic import generate
from motionhub.skeletons.bodies import GROUPS, with_bone_lengths


LAYOUT = motionhub.get_layout("lac-15")


def motion(action="walk around", seed=0, frames=12):
    clip = motionhub.convert_layout(generate(action, seed=seed, num_frames=frames), "lac-15")
    return clip.replace(keypoints=clip.keypoints - clip.keypoints[:, :1, 8:9])


def batch(*clips):
    keypoints = torch.stack([torch.from_numpy(clip.keypoints[:1]) for clip in clips])
    return keypoints, torch.ones(keypoints.shape[:-1], dtype=torch.bool)


def test_a_look_is_what_bodies_and_cameras_give_clip_by_clip():
    clip, changer = motion(), LookChanger(LAYOUT)
    keypoints, mask = batch(clip)
    factors = {limb: 0.8 + 0.1 * number for number, limb in enumerate(GROUPS)}
    scale = torch.tensor([factors[GROUPS[group]] for group in changer.limbs.tolist()])
    looks = Looks(
        changer.bone_lengths(keypoints, mask)[:, 0] * scale, torch.deg2rad(torch.tensor([[40, 20, 5.0]])), None
    )
    seen, visible = changer(keypoints, mask, looks)
    body = with_bone_lengths(clip, factors)
    expected = seen_by(body, Camera(azimuth=40, elevation=20, roll=5))
    np.testing.assert_allclose(seen[0].numpy(), expected.keypoints[:1], atol=2e-5)
    assert bool(visible.all())


@pytest.mark.parametrize("num_dims", [2, 3])
def test_one_motion_recorded_on_two_bodies_is_one_motion_once_both_have_the_same_look(num_dims):
    """Exact crossing although the recorded bodies differ."""
    clip = motion()
    other = with_bone_lengths(clip, {"arm": 1.3, "leg": 0.8, "torso": 1.1})
    changer = LookChanger(LAYOUT, num_dims=num_dims, distance=(9.0, 9.5))
    keypoints, mask = batch(clip, other)
    looks = changer.draw(keypoints, mask, torch.tensor([5, 6]))
    crossed, _ = changer(keypoints, mask, looks.of(torch.tensor([1, 0])))
    own, _ = changer(keypoints, mask, looks)
    torch.testing.assert_close(crossed[0], own[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(crossed[1], own[0], atol=1e-5, rtol=0)
    assert float((own[0] - own[1]).abs().max()) > 0.05


def test_looks_are_decided_by_the_seed_alone_and_stay_in_their_ranges():
    changer = LookChanger(LAYOUT, bone_factor=(0.9, 1.1), azimuth=30, elevation=10, distance=(5.0, 6.0))
    keypoints, mask = batch(*[motion()] * 64)
    looks = changer.draw(keypoints, mask, torch.arange(64))
    again = changer.draw(keypoints[:1], mask[:1], torch.tensor([17]))
    torch.testing.assert_close(again.lengths[0], looks.lengths[17])
    torch.testing.assert_close(again.angles[0], looks.angles[17])
    ratio = (looks.lengths / changer.bone_lengths(keypoints, mask)[:, 0])[:, [0, 4, 10]]
    assert 0.9 <= float(ratio.min()) < 0.92 and 1.08 < float(ratio.max()) <= 1.1
    angles = torch.rad2deg(looks.angles)
    assert bool((angles.abs() <= torch.tensor([30.0, 10.0, 1e-6])).all()) and float(angles[:, 0].abs().max()) > 25
    assert 5 <= float(looks.distance.min()) < 5.2 and 5.8 < float(looks.distance.max()) <= 6


def test_what_lies_beyond_a_missing_joint_is_missing_too_and_the_rest_is_not_touched():
    keypoints, mask = batch(motion())
    changer = LookChanger(LAYOUT)
    looks = changer.draw(keypoints, mask, torch.tensor([1]))
    whole, _ = changer(keypoints, mask, looks)
    elbow, wrist = LAYOUT.index("left_elbow"), LAYOUT.index("left_wrist")
    mask[0, 0, 3, elbow] = False
    holed, visible = changer(keypoints * mask.unsqueeze(-1), mask, looks)
    assert (~visible).nonzero().tolist() == [[0, 0, 3, joint] for joint in sorted((elbow, wrist))]
    torch.testing.assert_close(holed[visible], whole[visible], atol=1e-5, rtol=0)
    assert bool((holed[~visible] == 0).all())
    nobody, seen = changer(keypoints * 0, torch.zeros_like(mask), looks)
    assert bool((nobody == 0).all()) and not bool(seen.any())


def test_up_is_up():
    keypoints, mask = batch(motion())
    turned = keypoints[..., [2, 0, 1]]  # z is up
    looks = LookChanger(LAYOUT).draw(keypoints, mask, torch.tensor([3]))
    expected, _ = LookChanger(LAYOUT)(keypoints, mask, looks)
    torch.testing.assert_close(LookChanger(LAYOUT, up="z")(turned, mask, looks)[0], expected)


def test_options_that_cannot_be():
    for options in ({"bone_factor": (0, 1)}, {"azimuth": -1}, {"num_dims": 4}, {"up": "north"}, {"distance": (3, 2)}):
        with pytest.raises(ValueError, match="least|degrees"):
            LookChanger(LAYOUT, **options)
