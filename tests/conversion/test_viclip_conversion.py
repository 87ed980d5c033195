"""`python conversion/viclip.py`: what the official code saves, and what it refuses."""

from pathlib import Path

import pytest
import torch
from helpers import load_script
from official_unik import probe
from official_vi_clip import official_shapes
from transformers import AutoModel, AutoProcessor

from motionhub.models.vi_clip import ViClipModel
from motionhub.processing.video_clip import VideoClipProcessor


viclip = load_script("conversion/viclip.py")


def official() -> dict[str, torch.Tensor]:
    """Two heads of 64 channels in each tower, as many as the widths of the published sizes have."""
    return probe(official_shapes((128, 2, 16, 32), (128, 1), image_size=32, frames=4, vocabulary=60, positions=8))


@torch.no_grad()
def test_a_nested_official_file_becomes_a_folder_that_the_auto_classes_load(tmp_path, capsys):
    weights = official()
    torch.save({"model": weights, "epoch": 9}, tmp_path / "ViCLIP.pth")
    assert viclip.main([str(tmp_path / "ViCLIP.pth"), str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert f"{len(weights)} entries" in said and "verified against the official formulas" in said
    model, processor = (
        AutoModel.from_pretrained(tmp_path / "out"),
        VideoClipProcessor.from_pretrained(tmp_path / "out"),
    )
    assert type(model) is ViClipModel and (processor.num_frames, processor.image_size) == (4, 32)
    assert model.config.vision.num_attention_heads == 2 and model.config.text.max_position_embeddings == 8
    assert torch.equal(model.temperature, weights["temp"])
    pixels = processor(torch.rand(9, 40, 30, 3).numpy())["pixel_values"]
    expected = viclip.reference_video(weights, pixels[:, :2].double(), heads=2)
    torch.testing.assert_close(model.get_video_features(pixels[:, :2]).double(), expected, rtol=1e-4, atol=1e-5)
    if not (tmp_path / "out" / "tokenizer.json").exists():
        assert type(AutoProcessor.from_pretrained(tmp_path / "out")) is VideoClipProcessor


@pytest.mark.parametrize("change", ["missing", "unknown", "other", "text", "code"])
def test_damaged_and_foreign_files_are_reported(change, tmp_path, capsys):
    weights, says = official(), {"missing": "missing, too many", "unknown": "others", "other": "is not ViCLIP's",
                                 "text": "not a PyTorch checkpoint", "code": "could run code"}[change]  # fmt: skip
    if change == "missing":
        del weights["vision_encoder.transformer.resblocks.1.mlp.c_fc.bias"]
    elif change == "unknown":
        weights["vision_encoder.transformer.resblocks.1.gamma"] = torch.ones(3)
    elif change == "other":
        weights = {"conv1.weight": torch.ones(3)}
    torch.save({"model": weights}, tmp_path / "file.pth")
    if change == "text":
        (tmp_path / "file.pth").write_text("weights")
    elif change == "code":
        torch.save({"model": weights, "args": Path("x")}, tmp_path / "file.pth")
    assert viclip.main([str(tmp_path / "file.pth"), str(tmp_path / "out")]) == 1
    assert says in capsys.readouterr().err and not (tmp_path / "out").exists()
