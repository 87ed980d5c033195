"""The example scripts of videos and of LTN, executed on tiny data."""

import numpy as np
import pytest
from helpers import load_script, write_json
from transformers import AutoModel

import motionhub
from motionhub.models.unik import UnikConfig, UnikModel


QUICK = ["--mode", "scratch", "--cpu", "--epochs", "1", "--batch_size", "2", "--schedule", "cosine"]


def run(name: str, words: list[str]) -> None:
    load_script(f"examples/{name}.py").main(words)


@pytest.fixture
def video_list(tmp_path):
    """Four videos of 20 frames, two bright and two dark, a file that is none, and their list."""
    av = pytest.importorskip("av", reason="videos need PyAV (motionhub[video])")
    lines = []
    for number in range(4):
        with av.open(str(tmp_path / f"{number}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=10)
            stream.width = stream.height = 32
            stream.pix_fmt = "bgr0"
            for frame in range(20):
                picture = np.full((32, 32, 3), 200 * (number % 2) + frame, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        lines.append(f"{number}.mkv {number % 2}")
    (tmp_path / "none.mkv").write_text("no video")
    (tmp_path / "list.csv").write_text("\n".join([*lines, "none.mkv 0"]))
    return tmp_path / "list.csv"


def test_ltn_of_videos_leaves_an_encoder_that_is_fine_tuned_and_tested_on_views(video_list, tmp_path, capsys):
    start = tmp_path / "start"
    encoder = motionhub.R3dConfig(stem_channels=4, depths=[1, 1], widths=[8, 16], temporal_kernels=[1, 3])
    config = motionhub.LtnConfig(encoder_config=encoder, num_directions=3, time_channels=2, time_hidden_sizes=[4])
    config.save_pretrained(start)
    processor = motionhub.VideoClipProcessor(
        num_frames=2, sampling="stride", frame_stride=2, fps=10, image_size=16, resize="shorter-side", shorter_side=20
    )
    processor.save_pretrained(start)
    videos = ["--videos", str(video_list), "--video_root", str(video_list.parent)]
    options = ["--queue_size", "8", "--num_segments", "2", "--output_dir", str(tmp_path / "ltn")]
    run("pretrain_ltn", [*videos, "--model", str(start), *options, *QUICK])
    said = capsys.readouterr().out
    assert "left out" in said and "none.mkv" in said and "2 updates" in said
    folder = tmp_path / "ltn" / "encoder"
    assert type(AutoModel.from_pretrained(folder)) is motionhub.R3dModel
    lists = ["--train", str(video_list), "--test", str(video_list), "--video_root", str(video_list.parent)]
    views = ["--temporal_views", "2", "--spatial_crops", "3", "--output_dir", str(tmp_path / "head")]
    linear = [word.replace("scratch", "linear") for word in QUICK]
    run("finetune_video", [*lists, "--model", str(folder), *views, *linear])
    assert "of 4 videos, 6 views" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [["--queue_size", "8"], ["--objective", "byol", "--variant", "complement"]])
def test_ltn_of_skeletons_leaves_the_skeleton_encoder(kind, tmp_path, capsys):
    raw, start = tmp_path / "raw", tmp_path / "start"
    raw.mkdir()
    random = np.random.default_rng(0)
    for subject in range(1, 7):
        for action in (1, 2):
            name = f"a{action:02d}_s{subject:02d}_e00_v01"
            frames = (random.normal(size=(40, 20, 3)) + action).tolist()
            write_json(raw / f"{name}.json", {"file_name": name, "skeletons": frames, "label": action})
    UnikConfig(
        layout="kinect-20", num_joints=20, in_channels=3, num_people=1, channels=[8], strides=[2], num_heads=1
    ).save_pretrained(start)
    motionhub.SkeletonProcessor(layout="kinect-20", num_dims=3, num_people=1, normalization="none").save_pretrained(
        start
    )
    data = [
        "--dataset",
        "n-ucla",
        "--data_root",
        str(raw),
        "--protocol",
        "cross-subject",
        "--encoder",
        str(start),
        "--num_directions",
        "3",
    ]
    with pytest.warns(UserWarning):  # eight of the ten N-UCLA classes have no clip here
        run("pretrain_ltn", [*data, *kind, "--num_segments", "2", "--output_dir", str(tmp_path / "run"), *QUICK])
    assert "updates in" in capsys.readouterr().out
    assert type(AutoModel.from_pretrained(tmp_path / "run" / "encoder")) is UnikModel
