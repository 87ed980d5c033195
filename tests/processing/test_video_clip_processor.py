"""`VideoClipProcessor`: which frames, which pixels, what is refused. Expected values are worked out by hand."""

import numpy as np
import pytest
import torch

from motionhub.processing.video_clip import VideoClipProcessor


PLAIN = {"image_mean": (0, 0, 0), "image_std": (1, 1, 1)}


def numbered(frames: int, height: int = 4, width: int = 4) -> np.ndarray:
    """Every pixel of frame k is k."""
    return np.broadcast_to(np.arange(frames, dtype=np.uint8)[:, None, None, None], (frames, height, width, 3))


def shown(processor: VideoClipProcessor, video: np.ndarray, **options) -> list[list[int]]:
    """The numbers of the frames of every view."""
    pixels = processor(video, **options)["pixel_values"]
    return (pixels[:, :, 0, 0, 0] * 255).round().int().tolist()


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (20, [0, 2, 4, 6, 8, 10, 12, 14]),  # steps of 20 // 8, so the end is not used: the official rule
        (4, [0, 0, 1, 1, 2, 2, 3, 3]),
        (1, [0] * 8),
    ],
)
def test_segments_are_those_of_frames2tensor(frames, expected):
    assert shown(VideoClipProcessor(image_size=4, **PLAIN), numbered(frames)) == [expected]


def test_windows_lie_from_the_start_to_the_end():
    options = {"sampling": "stride", "num_frames": 4, "frame_stride": 2, "fps": 30, "image_size": 4, **PLAIN}
    processor = VideoClipProcessor(**options, temporal_views=3)
    # A window spans 8 frames and its frames are spread evenly over it: start + 0, 7/3, 14/3, 7, rounded down.
    assert shown(processor, numbered(20)) == [[0, 2, 4, 7], [6, 8, 10, 13], [12, 14, 16, 19]]
    assert shown(VideoClipProcessor(**options), numbered(20)) == [[6, 8, 10, 13]]
    assert shown(processor, numbered(3)) == 3 * [[0, 2, 2, 2]]
    # At half the rate a window spans half as many frames.
    assert shown(VideoClipProcessor(**options), numbered(8), fps=15) == [[2, 3, 4, 5]]


def test_training_windows_start_anywhere_and_a_seed_decides():
    processor = VideoClipProcessor(sampling="stride", num_frames=2, frame_stride=2, image_size=4, **PLAIN)
    starts = {
        shown(processor, numbered(9), training=True, generator=torch.Generator().manual_seed(seed))[0][0]
        for seed in range(60)
    }
    assert starts == {0, 1, 2, 3, 4}
    pair = [shown(processor, numbered(9), training=True, generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert pair[0] == pair[1]


def test_a_stretched_ramp_stays_a_ramp_and_holds_whole_bytes():
    ramp = np.broadcast_to(np.arange(8, dtype=np.uint8)[None, None, :, None] * 10, (1, 3, 8, 3))
    pixels = VideoClipProcessor(num_frames=1, image_size=4, **PLAIN)(ramp)["pixel_values"]
    # Middles of the four pixels lie at 0.5, 2.5, 4.5 and 6.5 of the old ones.
    torch.testing.assert_close(pixels[0, 0, 0] * 255, torch.tensor([[5.0, 25.0, 45.0, 65.0]]).expand(4, 4))


def test_colours_are_red_first_and_normalised_by_imagenet():
    red = np.zeros((8, 5, 6, 3), np.uint8)
    red[..., 0] = 255
    pixels = VideoClipProcessor()(red)["pixel_values"]
    assert pixels.shape == (1, 8, 3, 224, 224)
    expected = torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    torch.testing.assert_close(pixels[0, 0, :, 0, 0], expected)


def test_three_crops_show_both_ends_and_the_middle_of_the_longer_side():
    options = {"num_frames": 1, "image_size": 2, "resize": "shorter-side", "spatial_crops": 3, **PLAIN}
    wide = np.broadcast_to(np.arange(6, dtype=np.uint8)[None, None, :, None], (1, 2, 6, 3))
    processor = VideoClipProcessor(**options)
    crops = (processor(wide)["pixel_values"][:, 0, 0] * 255).round().int()
    assert processor.views == 3 and crops[:, 0].tolist() == [[0, 1], [2, 3], [4, 5]]
    crops = (processor(wide.transpose(0, 2, 1, 3))["pixel_values"][:, 0, 0] * 255).round().int()
    assert crops[:, :, 0].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_views_of_a_video_follow_each_other():
    options = {"sampling": "stride", "num_frames": 2, "frame_stride": 1, "temporal_views": 2, "image_size": 4, **PLAIN}
    processor = VideoClipProcessor(resize="shorter-side", spatial_crops=3, **options)
    pixels = processor([numbered(4), numbered(2)])["pixel_values"]
    assert pixels.shape == (12, 2, 3, 4, 4)
    first_frames = (pixels[:, 0, 0, 0, 0] * 255).round().int().tolist()
    assert first_frames == [0, 0, 0, 2, 2, 2] + [0] * 6


def test_floats_are_shares_of_full_brightness():
    video = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3), dtype=np.uint8)
    processor = VideoClipProcessor(image_size=4)
    assert torch.equal(processor(video)["pixel_values"], processor(video / 255.0)["pixel_values"])


def test_saving_and_loading_keeps_every_field(tmp_path):
    processor = VideoClipProcessor(sampling="stride", crop_area=(0.2, 0.766), fps=25, image_mean=(0.45,) * 3)
    processor.save_pretrained(tmp_path)
    assert VideoClipProcessor.from_pretrained(tmp_path).to_dict() == processor.to_dict()
    assert VideoClipProcessor.from_pretrained(tmp_path, temporal_views=10).temporal_views == 10


@pytest.mark.parametrize(
    ("video", "says"),
    [
        (np.zeros((0, 4, 4, 3), np.uint8), "without frames"),
        (np.zeros((8, 3, 4, 4), np.uint8), r"transpose\(0, 2, 3, 1\)"),
        (np.zeros((4, 4, 3), np.uint8), r"image\[None\]"),
        (np.zeros((8, 4, 4), np.uint8), "gray video"),
        (np.zeros((8, 4, 4, 4), np.uint8), "red first"),
        (np.full((8, 4, 4, 3), np.nan), "NaN"),
        (np.full((8, 4, 4, 3), 200.0), "uint8"),
        (np.full((8, 4, 4, 3), -1.0), "before normalisation"),
        (np.zeros((8, 4, 4, 3), np.int64), "int64"),
        ([], "empty list"),
    ],
)
def test_what_is_no_video_is_reported(video, says):
    with pytest.raises(ValueError, match=says):
        VideoClipProcessor(image_size=4)(video)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sampling": "random"}, "sampling must be one of"),
        ({"num_frames": 0}, "num_frames"),
        ({"temporal_views": 3}, 'sampling="stride"'),
        ({"spatial_crops": 3}, 'resize="shorter-side"'),
        ({"shorter_side": 100}, "at least image_size"),
        ({"image_std": (0, 1, 1)}, "above 0"),
        ({"crop_area": (0.5, 0.2)}, "rising"),
        ({"mirror_probability": 2}, "between 0 and 1"),
        ({"num_frame": 8}, "did you mean num_frames"),
    ],
)
def test_fields_that_cannot_be_used_are_reported(fields, says):
    with pytest.raises(ValueError, match=says):
        VideoClipProcessor(**fields)
