"""Crops, colours and blur of training clips: identities, conservation, and the same change for every frame."""

import colorsys

import pytest
import torch

from motionhub.augment import images


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_strength_changes_nothing():
    clip = noise(2, 3, 5, 6)
    torch.testing.assert_close(images.jittered(clip, (0, 0, 0, 0), seeded()), clip)
    torch.testing.assert_close(images.turned_hue(clip, 1.0), clip)


@pytest.mark.parametrize("turn", [0.1, -0.3, 0.5])
def test_hue_turns_as_in_the_standard_library(turn):
    clip = noise(1, 3, 4, 4)
    expected = clip.clone()
    for row in range(4):
        for column in range(4):
            hue, saturation, value = colorsys.rgb_to_hsv(*clip[0, :, row, column].tolist())
            expected[0, :, row, column] = torch.tensor(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))
    torch.testing.assert_close(images.turned_hue(clip, turn), expected)


def test_gray_pixels_have_no_hue_to_turn():
    clip = noise(1, 1, 4, 4).expand(1, 3, 4, 4)
    torch.testing.assert_close(images.turned_hue(clip, 0.4), clip)
    torch.testing.assert_close(images.gray(clip), clip, rtol=2e-4, atol=2e-4)  # the weights add up to 0.9999


def test_blur_keeps_the_mean_of_a_spot_and_spreads_it_by_sigma():
    clip = torch.zeros(1, 3, 31, 31)
    clip[..., 15, 15] = 1
    made = images.blurred(clip, 2.0)
    torch.testing.assert_close(made.sum((-2, -1)), torch.ones(1, 3))
    place = torch.arange(31.0) - 15
    spread = (made[0, 0].sum(0) * place**2).sum()
    assert float(spread) == pytest.approx(4.0, rel=0.03)  # cut off at three sigma
    torch.testing.assert_close(images.blurred(torch.full((1, 3, 9, 9), 0.3), 1.5), torch.full((1, 3, 9, 9), 0.3))


def test_a_crop_shows_the_same_place_in_every_frame_and_stays_inside():
    ramp = torch.arange(20.0).expand(3, 3, 20, 20)
    for seed in range(20):
        made = images.random_resized_crop(ramp, 8, (0.2, 0.766), (0.75, 1.3333), seeded(seed))
        assert made.shape == (3, 3, 8, 8) and torch.equal(made[0], made[2])
        steps = made[0, 0, 0].diff()
        torch.testing.assert_close(steps, steps[:1].expand(7))  # part of a straight ramp
        width = float(steps[0]) * 8
        assert (0.2 * 400 * 0.75) ** 0.5 - 1 <= width <= (0.766 * 400 * 1.3333) ** 0.5 + 1
    whole = images.random_resized_crop(ramp, 20, (1.0, 1.0), (1.0, 1.0), seeded())
    torch.testing.assert_close(whole, ramp)


def test_shapes_that_never_fit_give_the_middle_square():
    ramp = torch.arange(30.0).expand(1, 3, 10, 30)
    made = images.random_resized_crop(ramp, 10, (1.0, 1.0), (1.0, 1.0), seeded())
    torch.testing.assert_close(made[0, 0, 0], torch.arange(10.0, 20.0))
