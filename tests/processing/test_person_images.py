"""Pictures in and out of a detector's pixels."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from motionhub.processing.person_images import PersonImageProcessor


def test_sides_scale_to_the_short_one_unless_the_long_one_gets_too_long() -> None:
    processor = PersonImageProcessor(short_side=60, long_side=100, stride=16)
    batch = processor([np.zeros((120, 160, 3), np.uint8), np.zeros((120, 480, 3), np.uint8)])
    assert batch["image_sizes"].tolist() == [[60, 80], [25, 100]]
    assert batch["pixel_values"].shape == (2, 3, 64, 112)
    torch.testing.assert_close(batch["scales"], torch.tensor([[0.5, 0.5], [25 / 120, 100 / 480]]))


def test_a_grey_picture_is_normalised_and_the_padding_is_zero() -> None:
    processor = PersonImageProcessor(short_side=20, long_side=40, stride=32)
    pixels = processor(np.full((20, 30, 3), 255, np.uint8))["pixel_values"][0]
    expected = [(1 - mean) / std for mean, std in zip(processor.mean, processor.std, strict=True)]
    assert pixels[:, 7, 9].tolist() == pytest.approx(expected, rel=1e-6)
    assert not pixels[:, 20:].any() and not pixels[:, :, 30:].any()
    shares = processor(np.ones((20, 30, 3), np.float32))["pixel_values"][0]
    torch.testing.assert_close(shares, pixels)


def test_what_was_found_comes_back_to_the_pixels_of_the_picture() -> None:
    processor = PersonImageProcessor(short_side=60, long_side=100)
    scales = torch.tensor([[0.5, 0.25]])  # y, x
    poses, boxes = torch.tensor([[[[10.0, 10.0]]]]), torch.tensor([[[10.0, 10.0, 20.0, 20.0]]])
    padded = [torch.cat([each, torch.full_like(each, torch.nan)], dim=1) for each in (poses, boxes)]
    outputs = SimpleNamespace(
        num_people=torch.tensor([1]),
        poses=padded[0],
        boxes=padded[1],
        confidence=torch.tensor([[0.9, 0.0]]),
        class_scores=torch.tensor([[[0.1, 0.9], [0.0, 0.0]]]),
    )
    (found,) = processor.people(outputs, scales)
    assert found["poses"].tolist() == [[[40, 20]]] and found["boxes"].tolist() == [[40, 20, 80, 40]]
    assert found["confidence"].shape == (1,) and found["class_scores"].shape == (1, 2)
    back = processor.to_input(torch.from_numpy(found["boxes"]), scales[0])
    torch.testing.assert_close(back, boxes[0])


def test_saving_keeps_every_field(tmp_path) -> None:
    processor = PersonImageProcessor(
        layout="coco-17", short_side=240, long_side=320, mean=(0, 0, 0), std=(1, 1, 2), stride=8
    )
    processor.save_pretrained(tmp_path)
    loaded = PersonImageProcessor.from_pretrained(tmp_path)
    names = ("layout", "short_side", "long_side", "mean", "std", "stride")
    assert [getattr(loaded, name) for name in names] == [getattr(processor, name) for name in names]


@pytest.mark.parametrize("picture", [np.zeros((4, 4)), np.zeros((4, 4, 4)), np.zeros((0, 4, 3)), np.zeros(3)])
def test_what_is_no_picture_is_one_clear_error(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Expected an image \(height, width, 3\)"):
        PersonImageProcessor()([picture])


def test_no_picture_and_wrong_sizes_are_errors() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        PersonImageProcessor()([])
    with pytest.raises(ValueError, match="short_side <= long_side"):
        PersonImageProcessor(short_side=100, long_side=50)
    with pytest.raises(ValueError, match="three numbers"):
        PersonImageProcessor(mean=(0.5,))
