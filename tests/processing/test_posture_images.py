"""Depth, DensePose and masks become pictures: the person fills the square, values mean what is stated."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoProcessor

import motionhub
from motionhub.models.u_vi import UViConfig
from motionhub.processing.posture_images import PostureImageProcessor, jet, segment_frames


def person(height=40, width=60, value=2000, dtype=np.uint16):
    picture = np.zeros((height, width), dtype)
    picture[10:30, 20:25] = value
    return picture


def test_the_person_fills_the_square_up_to_the_margin():
    pixels = PostureImageProcessor(kind="mask", image_size=80, in_channels=1, margin=0.25)(person()).pixel_values
    assert pixels.shape == (1, 1, 80, 80)
    rows, columns = torch.nonzero(pixels[0, 0] > 0.5).unbind(1)
    assert (rows.min(), rows.max()) == (20, 59)  # 20 pixels are half of the square's side
    assert columns.max() - columns.min() + 1 == 10


def test_depth_is_the_distance_from_the_persons_median_in_metres():
    picture = person()
    picture[10:12, 20:25] = 1500  # half a metre nearer
    pixels = PostureImageProcessor(image_size=20, in_channels=1, margin=0.0)(picture).pixel_values[0, 0]
    assert pixels[0, 10] == pytest.approx(0.8, abs=1e-5) and pixels[10, 10] == pytest.approx(0.6, abs=1e-5)
    assert pixels[10, 0] == 0


def test_depth_of_one_metre_units_and_three_channels_agree():
    millimetres = PostureImageProcessor(image_size=20)(person())
    metres = PostureImageProcessor(image_size=20, depth_unit=1.0)(person(value=2.0, dtype=np.float32))
    torch.testing.assert_close(millimetres.pixel_values, metres.pixel_values)
    assert torch.equal(metres.pixel_values[:, 0], metres.pixel_values[:, 2])


def test_missing_depth_as_nan_is_missing_depth_as_zero():
    with_nan = person(dtype=np.float32)
    with_nan[with_nan == 0] = np.nan
    torch.testing.assert_close(
        PostureImageProcessor()(with_nan).pixel_values, PostureImageProcessor()(person()).pixel_values
    )


def test_official_colours_are_those_of_matplotlib():
    colours = pytest.importorskip("matplotlib").colormaps["jet"]
    values = np.linspace(0, 1, 300)[None, None]
    np.testing.assert_allclose(jet(values)[0, :, 0].T, colours(values[0, 0])[:, :3], atol=1e-6)


def test_densepose_channels_are_scaled_by_24_and_255():
    picture = np.zeros((30, 30, 3), np.uint8)
    picture[5:25, 5:25] = (12, 51, 255)
    pixels = PostureImageProcessor(kind="iuv", image_size=10, crop="none")(picture).pixel_values[0]
    torch.testing.assert_close(pixels[:, 5, 5], torch.tensor([0.5, 0.2, 1.0]))


def test_a_clip_is_cut_out_by_one_square_for_all_frames():
    clip = np.zeros((2, 40, 40))
    clip[0, 0:10, 0:10], clip[1, 30:40, 30:40] = 1000, 1000
    pixels = PostureImageProcessor(kind="mask", image_size=40, in_channels=1, margin=0.0).prepare(clip)
    assert pixels[0, 0, :10, :10].all() and pixels[1, 0, 30:, 30:].all() and pixels.sum() == 200


def test_segments_give_one_frame_each():
    assert segment_frames(32, 16).tolist() == list(range(1, 32, 2))
    drawn = segment_frames(160, 16, torch.Generator().manual_seed(0))
    assert all(10 * part <= frame < 10 * (part + 1) for part, frame in enumerate(drawn)) and len(set(drawn % 10)) > 3
    assert segment_frames(3, 16).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="at least one frame"):
        segment_frames(0, 16)


def test_clips_of_any_length_become_one_batch_and_windows_keep_every_frame():
    processor = PostureImageProcessor(image_size=8, clip_frames=4)
    long, short = np.stack([person()] * 9), np.stack([person()] * 2)
    batch = processor.clips([long, short])
    assert batch.pixel_values.shape == (2, 4, 3, 8, 8) and batch.attention_mask.sum(1).tolist() == [4, 2]
    assert not batch.pixel_values[1, 2:].any()
    assert processor.windows(long).attention_mask.sum(1).tolist() == [4, 4, 1]


def test_it_is_saved_and_loaded(tmp_path):
    PostureImageProcessor(kind="mask", image_size=64, in_channels=1).save_pretrained(tmp_path)
    UViConfig(image_size=64, in_channels=1).save_pretrained(tmp_path)
    loaded = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert (loaded.kind, loaded.image_size, loaded.in_channels) == ("mask", 64, 1)
    assert type(loaded) is PostureImageProcessor


@pytest.mark.parametrize(
    ("options", "picture", "reason"),
    [
        ({}, np.zeros((8, 8), np.uint16), "No person detected in 1 of 1"),
        ({}, np.full((8, 8), np.nan), "No person detected in"),
        ({}, person(dtype=np.uint8, value=200), "16-bit"),
        ({}, -person().astype(float), "not negative"),
        ({}, np.full((8, 8), np.inf), "finite"),
        ({}, np.zeros((0, 8)), "shape"),
        ({}, [np.zeros((8, 8, 3))], "is \\(height, width\\)"),
        ({"kind": "iuv"}, np.full((8, 8, 3), 30), "parts 0..24"),
        ({}, [], "empty list"),
        ({}, np.array([["a", "b"]]), "numbers"),
        ({}, [person(), np.zeros((8, 8), np.uint16)], "Image 1 of 2: No person"),
        ({}, person() / 1000, "depth_unit=0.001 is metres"),
        ({"depth_unit": 1.0}, person(), "depth_unit=1.0 is metres"),
        ({"kind": "mask"}, np.full((8, 8), 0.7), "choose .mask > 0.5."),
        ({"kind": "iuv"}, np.full((8, 8, 3), 0.5), "multiply these two by 255"),
    ],
)
def test_bad_pictures_say_what_was_expected(options, picture, reason):
    with pytest.raises(ValueError, match=reason):
        PostureImageProcessor(**options)(picture)


def test_a_picture_full_of_person_is_doubted():
    with pytest.warns(UserWarning, match="100 % of the image is taken for the person"):
        PostureImageProcessor(image_size=8)(np.full((20, 20), 3000, np.uint16))


def test_pictures_of_pillow_are_taken_as_they_are():
    image = pytest.importorskip("PIL.Image")
    processor = PostureImageProcessor(image_size=20)
    assert torch.equal(processor(image.fromarray(person())).pixel_values, processor(person()).pixel_values)


@pytest.mark.parametrize(
    "options", [{"kind": "rgb"}, {"kind": "iuv", "in_channels": 1}, {"image_size": 0}, {"margin": 1}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        PostureImageProcessor(**options)


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        # As written by commit 58fa04a (hub_configs/u-vi-small).
        ("PosturePictureProcessor", "PostureImageProcessor", {"kind": "depth", "image_size": 32, "in_channels": 1}),
        ("PictureProcessor", "PersonImageProcessor", {"layout": "coco-17", "short_side": 240, "long_side": 320}),
    ],
)
def test_an_old_name_warns_and_gives_the_class_of_the_new_one(old, new, fields, tmp_path):
    with pytest.warns(FutureWarning, match=f"{old} is now motionhub.{new}"):
        named = getattr(motionhub, old)
    assert named is getattr(motionhub, new)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**fields, "feature_extractor_type": old}))
    for loader in (AutoFeatureExtractor, AutoProcessor):
        with pytest.warns(FutureWarning, match=f"{old} is now {new}"):
            loaded = loader.from_pretrained(tmp_path)
        assert type(loaded) is named
        assert {name: getattr(loaded, name) for name in fields} == fields
    assert loaded.to_dict()["feature_extractor_type"] == new
