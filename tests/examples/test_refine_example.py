"""examples/refine_poses.py on a small made-up video: from experts' files to a student."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers import load_script

import motionhub
from motionhub.skeletons.layouts import get_layout


example_main = load_script("examples/refine_poses.py").main
FRAMES, WIDTH, HEIGHT = 24, 160, 128


@pytest.fixture
def poses() -> np.ndarray:
    """`(frames, 13, 2)` joints on a circle that moves to the right."""
    angles = np.linspace(0, 2 * np.pi, get_layout("lcrnet-13").num_joints, endpoint=False)
    circle = 40 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centres = np.stack([np.linspace(50, 110, FRAMES), np.full(FRAMES, 64)], axis=1)
    return centres[:, None] + circle


@pytest.fixture
def video(poses: np.ndarray, tmp_path: Path) -> Path:
    av = pytest.importorskip("av")
    path = tmp_path / "circle.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for pose in poses.round().astype(int):
            picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            for x, y in pose:
                picture[y - 2 : y + 3, x - 2 : x + 3] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def write(points: np.ndarray, path: Path) -> str:
    facts = {"layout": "lcrnet-13", "fps": 10.0, "unit": "pixel", "image_size": (WIDTH, HEIGHT)}
    motionhub.write(motionhub.SkeletonSequence(points[None], **facts), path)
    return str(path)


def scores(output: str) -> dict[str, list[float]]:
    """Row of the table -> people found, PCK, error."""
    rows = re.findall(r"^(\S+(?: \S+)?) +([\d.]+)% +([\d.]+)% +([\d.]+|nan)$", output, flags=re.MULTILINE)
    return {name: [float(value) for value in values] for name, *values in rows}


def test_one_expert_becomes_two_noisy_ones_and_sst_a_is_nearer_to_it_than_the_shaking_one(
    video: Path, poses: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--video", str(video), "--experts", write(poses, tmp_path / "a.npz"), "--student", "vitpose"]
    how = ["--frame_share", "1", "--min_confidence", "0.01", "--epochs", "1", "1"]
    example_main([*words, *how, "--output_dir", str(tmp_path / "run")])
    table = scores(capsys.readouterr().out)
    assert set(table) == {"expert 0", "expert 1", "SST-A", "student before", "student after"}
    assert table["SST-A"][2] < table["expert 1"][2] and table["SST-A"][1] > table["expert 0"][1]
    assert (tmp_path / "run" / "refined" / "last" / "model.safetensors").is_file()


def test_experts_that_differ_by_a_frame_and_one_that_saw_nobody(
    video: Path, poses: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = np.concatenate([poses, poses[-1:]])  # a frame more than the video has
    nobody = np.full_like(poses, np.nan)
    nobody[0] = poses[0]  # a file without any joint cannot be distinguished from an empty one
    files = [
        write(points, tmp_path / f"{name}.npz") for name, points in zip("abc", (longer, poses, nobody), strict=True)
    ]
    words = ["--video", str(video), "--experts", *files, "--student", "vitpose"]
    how = ["--frame_share", "1", "--epochs", "1", "1", "--output_dir", str(tmp_path / "run")]
    example_main([*words, *how])
    output = capsys.readouterr().out
    assert "SST-A of 3 experts: 19 frames to learn from, the last 5 held out" in output
    assert scores(output)["expert 0"] == [100, 100, 0] and scores(output)["expert 2"][0] == 0


def test_experts_that_disagree_everywhere_are_one_clear_error(video: Path, poses: np.ndarray, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)  # each sees a whole body, always somewhere else
    places = chance.uniform(-500, 500, (3, FRAMES, 1, 2))
    files = [write(poses + place, tmp_path / f"{name}.npz") for name, place in zip("abc", places, strict=True)]
    with pytest.raises(ValueError, match="Experts that disagree, or detect no person, give no labels"):
        example_main(["--video", str(video), "--experts", *files, "--output_dir", str(tmp_path)])
