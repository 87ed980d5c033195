"""examples/pretrain_u_vi.py on two synthetic motions."""

import importlib.util
from pathlib import Path

import pytest
from transformers import AutoFeatureExtractor, AutoModel

import motionhub
from motionhub.data.synthetic import generate
from motionhub.models.u_vi import UViConfig
from motionhub.processing.posture_pictures import PosturePictureProcessor


@pytest.fixture(scope="module")
def example():
    path = Path(__file__).resolve().parent.parent / "examples" / "pretrain_u_vi.py"
    spec = importlib.util.spec_from_file_location("pretrain_u_vi", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_motions_in_3d_become_a_posture_encoder(example, tmp_path, capsys):
    for seed in (0, 1):
        motionhub.write(generate("sit down", seed=seed, num_frames=12), tmp_path / "motions" / f"{seed}.npz")
    configs = tmp_path / "configs"
    UViConfig(
        image_size=64, in_channels=1, num_points=3, channels=[4, 4, 4], pose_hidden_sizes=[8, 8], view_channels=[4, 4]
    ).save_pretrained(configs)
    PosturePictureProcessor(image_size=64, in_channels=1).save_pretrained(configs)
    words = ["--motions", str(tmp_path / "motions"), "--model", str(configs), "--mode", "scratch", "--epochs", "2",
             "--batch_size", "2", "--cpu", "--output_dir", str(tmp_path / "run"), "--optimizer", "adamw"]  # fmt: skip
    example.main(words)
    assert "2 updates" in capsys.readouterr().out
    model = AutoModel.from_pretrained(tmp_path / "run" / "last")
    processor = AutoFeatureExtractor.from_pretrained(tmp_path / "run" / "last")
    assert model.config.num_points == 3 and processor.image_size == 64
