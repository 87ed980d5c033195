"""examples/pretrain_u_vi.py on two synthetic motions, and on folders of depth maps."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoFeatureExtractor, AutoModel

import motionhub
from motionhub.data.synthetic.generate import generate
from motionhub.models.u_vi import UViConfig
from motionhub.processing.posture_images import PostureImageProcessor


@pytest.fixture(scope="module")
def example():
    path = Path(__file__).resolve().parent.parent / "examples" / "pretrain_u_vi.py"
    spec = importlib.util.spec_from_file_location("pretrain_u_vi", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def start(tmp_path):
    """Options of a short run from a small config."""
    UViConfig(
        image_size=64, in_channels=1, num_points=3, channels=[4, 4, 4], pose_hidden_sizes=[8, 8], view_channels=[4, 4]
    ).save_pretrained(tmp_path / "configs")
    PostureImageProcessor(image_size=64, in_channels=1).save_pretrained(tmp_path / "configs")
    return ["--model", str(tmp_path / "configs"), "--mode", "scratch", "--epochs", "2", "--batch_size", "2", "--cpu",
            "--output_dir", str(tmp_path / "run"), "--optimizer", "adamw"]  # fmt: skip


def test_motions_in_3d_become_a_posture_encoder(example, start, tmp_path, capsys):
    for seed in (0, 1):
        motionhub.write(generate("sit down", seed=seed, num_frames=12), tmp_path / "motions" / f"{seed}.npz")
    example.main(["--motions", str(tmp_path / "motions"), *start])
    assert "2 updates" in capsys.readouterr().out
    model = AutoModel.from_pretrained(tmp_path / "run" / "last")
    processor = AutoFeatureExtractor.from_pretrained(tmp_path / "run" / "last")
    assert model.config.num_points == 3 and processor.image_size == 64


def test_folders_of_depth_maps_become_a_posture_encoder(example, start, tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    for take in (1, 2):
        for camera in (1, 2):
            folder = tmp_path / "masked" / f"S001C00{camera}P001R00{take}A001"
            folder.mkdir(parents=True)
            for number in (1, 2):
                depth = np.zeros((40, 30), np.uint16)
                depth[5:35, 10 : 15 + number] = 2000 + 100 * camera
                image.fromarray(depth).save(folder / f"MDepth-{number:08d}.png")
    example.main(["--recordings", str(tmp_path / "masked"), *start])
    assert "2 updates" in capsys.readouterr().out
    assert AutoModel.from_pretrained(tmp_path / "run" / "last").config.num_points == 3
