"""Video towers: what each kind of checkpoint makes of pixels, by its own model; and which are refused."""

import pytest
import torch
from helpers import write_json
from torch.nn import functional

from motionhub.models.r3d import R3dConfig, R3dModel
from motionhub.models.vi_clip import ViClipConfig, ViClipModel
from motionhub.processing.video_clip import VideoClipProcessor, clip_processor
from motionhub.towers.video_towers import load_video_tower


VISION = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}
TEXT = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 40}


def pixels(clips: int = 2, frames: int = 3) -> torch.Tensor:
    return torch.randn(clips, frames, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_viclip_and_video_encoders_give_their_own_features_of_length_1(tmp_path):
    torch.manual_seed(0)
    text = {**TEXT, "projection_dim": 6}
    models = {
        "viclip": ViClipModel(ViClipConfig(vision_config={**VISION, "projection_dim": 6}, text_config=text)).eval(),
        "video-encoder": R3dModel(R3dConfig(stem_channels=4, depths=[1], widths=[8], temporal_kernels=[3])).eval(),
    }
    for kind, model in models.items():
        model.save_pretrained(tmp_path / kind)
        VideoClipProcessor(num_frames=3, image_size=32).save_pretrained(tmp_path / kind)
        tower = load_video_tower(str(tmp_path / kind))
        with torch.no_grad():
            made = model.get_video_features(pixels()) if kind == "viclip" else model(pixels()).pooler_output
        torch.testing.assert_close(tower.embed(pixels()), functional.normalize(made, dim=1))
        assert tower.config == {"kind": kind, "name": str(tmp_path / kind), "dim": made.shape[1]}
        assert clip_processor(tower.name, tower.pixels).num_frames == 3
        assert not any(parameter.requires_grad for parameter in tower.module.parameters())
    assert (
        load_video_tower({"kind": "viclip", "name": str(tmp_path / "viclip"), "dim": 6}).text_tower["kind"] == "viclip"
    )
    with pytest.raises(ValueError, match="no text encoder"):
        _ = tower.text_tower
    with pytest.raises(ValueError, match="makes vectors of 6 numbers, but dim says 7"):
        load_video_tower({"kind": "viclip", "name": str(tmp_path / "viclip"), "dim": 7})


@pytest.mark.parametrize("family", ["CLIP", "Siglip"])
def test_image_towers_give_the_mean_of_the_frames(tmp_path, family):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vision_config={**VISION, "intermediate_size": 16}, text_config={**TEXT, "intermediate_size": 16}
    )
    model = getattr(transformers, f"{family}Model")(config).eval()
    model.save_pretrained(tmp_path)
    size = {"size": {"height": 32, "width": 32}}
    if family == "CLIP":
        size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
    how = {"image_processor_type": f"{family}ImageProcessor", "image_mean": [0.5] * 3, "image_std": [0.25] * 3, **size}
    write_json(tmp_path / "preprocessor_config.json", how)
    tower = load_video_tower(str(tmp_path))
    with torch.no_grad():
        frames = [model.get_image_features(pixel_values=clip) for clip in pixels()]
    frames = [functional.normalize(getattr(each, "pooler_output", each), dim=-1) for each in frames]
    expected = functional.normalize(torch.stack([each.mean(0) for each in frames]), dim=-1)
    torch.testing.assert_close(tower.embed(pixels()), expected)
    processor = clip_processor(tower.name, tower.pixels)
    assert (processor.image_size, processor.image_std) == (32, [0.25] * 3)
    assert processor.resize == ("shorter-side" if family == "CLIP" else "stretch")


@pytest.mark.towers("open_clip")
def test_the_video_half_of_open_clip():
    import open_clip

    torch.manual_seed(0)
    tower = load_video_tower("open-clip:ViT-B-32")
    assert tower.dim == 512 and tower.pixels["image_size"] == 224
    assert tower.pixels["image_mean"] == list(open_clip.OPENAI_DATASET_MEAN)
    assert tower.embed(torch.zeros(1, 2, 3, 224, 224)).shape == (1, 512)


def test_what_makes_no_video_features_is_refused(tmp_path):
    from motionhub.models.unik import UnikConfig, UnikModel

    UnikModel(UnikConfig(num_joints=15, layout="smarthome-15", channels=[8])).save_pretrained(tmp_path / "unik")
    with pytest.raises(ValueError, match="has no video features"):
        load_video_tower(str(tmp_path / "unik"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="cannot be loaded as a video tower"):
        load_video_tower(str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="is not of a VideoClipProcessor"):
        clip_processor(str(tmp_path / "empty"), {})
