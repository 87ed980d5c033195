"""Backbones of torchvision and timm: vectors of clips, saved and loaded like every model of ours."""

import sys

import pytest
import torch
from transformers import AutoModel

from motionhub.models.video_backbone import VideoBackboneConfig, VideoBackboneModel


needs_torchvision = pytest.mark.towers("torchvision")
needs_timm = pytest.mark.towers("timm")


@needs_torchvision
@torch.no_grad()
@pytest.mark.parametrize(("name", "size"), [("r3d_18", 512), ("s3d", 1024)])
def test_video_models_of_torchvision(name, size, tmp_path):
    if name == "s3d":
        with pytest.raises(ValueError, match="is not linear"):
            VideoBackboneModel(VideoBackboneConfig(name=name))
        return
    torch.manual_seed(0)
    model = VideoBackboneModel(VideoBackboneConfig(name=name)).eval()
    clip = torch.randn(2, 4, 3, 32, 32)
    features = model(clip).pooler_output
    assert features.shape == (2, size) == (2, model.config.hidden_size)
    torch.testing.assert_close(features, model.network(clip.transpose(1, 2)))
    model.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert type(loaded) is VideoBackboneModel
    assert torch.equal(loaded(clip).pooler_output, features)


@needs_timm
@torch.no_grad()
def test_image_models_of_timm_see_frame_by_frame(tmp_path):
    torch.manual_seed(0)
    model = VideoBackboneModel(VideoBackboneConfig(library="timm", name="resnet18")).eval()
    clip = torch.randn(2, 3, 3, 32, 32)
    output = model(clip)
    assert output.pooler_output.shape == (2, 512)
    torch.testing.assert_close(output.last_hidden_state[1, 2], model.network(clip[1, 2:3])[0])
    torch.testing.assert_close(output.pooler_output, output.last_hidden_state.mean(1))
    model.save_pretrained(tmp_path)
    assert torch.equal(AutoModel.from_pretrained(tmp_path)(clip).pooler_output, output.pooler_output)


@needs_torchvision
def test_what_does_not_exist_is_reported():
    with pytest.raises(ValueError, match="no video model 'r3d_19'"):
        VideoBackboneModel(VideoBackboneConfig(name="r3d_19"))
    with pytest.raises(ValueError, match="features of 512 channels"):
        VideoBackboneModel(VideoBackboneConfig(hidden_size=300))
    with pytest.raises(ValueError, match="VideoClipProcessor"):
        VideoBackboneModel(VideoBackboneConfig())(torch.zeros(1, 3, 4, 8, 8))


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_library_that_is_not_there_names_the_extra(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r"motionhub\[towers\]"):
        VideoBackboneModel(VideoBackboneConfig(library=library))
