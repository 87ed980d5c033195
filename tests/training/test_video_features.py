"""`motionhub features --video_tower` from files to a column: killed, resumed, and given to T-MOR's L_mv."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import load_dataset
from helpers import read_json


pytest.importorskip("av", reason='needs pip install "motionhub[video]"')
from small_videos import greys, write_video

from motionhub.cli.main import main
from motionhub.data.synthetic.dataset import save_generated
from motionhub.models.r3d import R3dConfig, R3dModel
from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.models.unik import UnikConfig
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.processing.video_clip import VideoClipProcessor
from motionhub.towers.video_towers import load_video_tower
from motionhub.training.features import feature_table


ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    """A dataset of 12 clips, videos of ten of them (one broken), and a tiny tower."""
    root = tmp_path_factory.mktemp("videos")
    saved = save_generated(root / "saved", 12, seed=3)
    names = load_dataset(str(saved), split="train", cache_dir=str(root / "cache"))["clip_id"][:]
    (root / "videos").mkdir()
    for number, name in enumerate(names[:10]):
        write_video(root / "videos" / f"{name}.mp4", greys(6 + number))
    (root / "videos" / f"{names[4]}.mp4").write_bytes(b"no video")
    torch.manual_seed(0)
    R3dModel(R3dConfig(stem_channels=4, depths=[1], widths=[8], temporal_kernels=[3])).save_pretrained(root / "tower")
    VideoClipProcessor(num_frames=4, image_size=32).save_pretrained(root / "tower")
    words = ["features", str(saved), "--out", str(root / "out"), "--videos", str(root / "videos"), "--no-progress"]
    return root, names, [*words, "--video_tower", str(root / "tower"), "--chunk_rows", "3"]


def test_a_killed_run_goes_on_and_every_video_has_the_towers_vector(made, capsys, monkeypatch):
    root, names, words = made
    from motionhub.towers.video_towers import VideoTower

    whole, calls = VideoTower.embed, []

    def killed(tower, pixel_values):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return whole(tower, pixel_values)

    monkeypatch.setattr(VideoTower, "embed", killed)
    assert main(words) != 0
    assert f"{names[4]}.mp4 is left out" in capsys.readouterr().err
    monkeypatch.setattr(VideoTower, "embed", whole)
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "2 parts were there" in printed and "video_features: 3 clips had nothing to encode" in printed
    rows = load_dataset(str(root / "out"), split="train", cache_dir=str(root / "cache2"))
    assert [len(row) for row in rows["video_features"]] == [0 if i in (4, 10, 11) else 8 for i in range(12)]
    facts = read_json(root / "out" / "features.json")
    assert facts["video_features"]["tower"]["kind"] == "video-encoder"
    # Frames 0, 1, 2, 3 of the first video (six frames in four parts) are what the tower saw.
    from motionhub.data.video.reader import open_video

    processor = VideoClipProcessor.from_pretrained(root / "tower")
    frames = np.stack([frame.image for frame in open_video(root / "videos" / f"{names[0]}.mp4").frames()][:4])
    expected = load_video_tower(str(root / "tower")).embed(processor.process(frames))[0]
    np.testing.assert_allclose(rows["video_features"][0], expected, atol=1e-5)
    table = feature_table(rows)
    assert table.shape == (12, 8) and table.isnan().any(1).nonzero().squeeze(1).tolist() == [4, 10, 11]
    with pytest.raises(ValueError, match="no column 'others'"):
        feature_table(rows, "others")


@pytest.mark.slow
def test_pretraining_takes_the_column_for_l_mv(made):
    root, _, words = made
    assert main(words) == 0
    encoder = UnikConfig(num_joints=20, in_channels=3, layout="kinect-20", channels=[8, 8], strides=[1, 2])
    config = TMorConfig(encoder_config=encoder, projection_size=8, video_size=8, text_size=8)
    TMorModel(config).save_pretrained(root / "model")
    processor = SkeletonProcessor(layout="kinect-20", num_dims=3, num_frames=16, normalization="centre")
    processor.save_pretrained(root / "model")
    command = [sys.executable, str(ROOT / "examples" / "pretrain_t_mor.py"), "--dataset", str(root / "out")]
    command += ["--model", str(root / "model"), "--losses", "mm", "mv", "--output_dir", str(root / "run")]
    command += ["--epochs", "1", "--batch_size", "4", "--queue_size", "8", "--eval_split", "train"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (root / "run" / "encoder" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--chunk_rows", "0"], "--chunk_rows must be at least 1"),
        (["--video_tower", "nowhere/at-all"], "video tower 'nowhere/at-all'"),
    ],
)
def test_a_missing_tower_is_a_one_line_error(made, capsys, monkeypatch, words, message):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main([*made[2], *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.strip().count("\n") == 0
