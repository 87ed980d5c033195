"""examples/retarget_motion.py, run on the real people with the real weights where they are, and on small ones."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import motionhub


ROOT = Path(__file__).resolve().parent.parent


def load(folder, name):
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_writes_the_motion_and_prints_the_errors(tmp_path, capsys):
    torch.manual_seed(0)
    motionhub.RetargetNetModel(motionhub.RetargetNetConfig(variant="full")).save_pretrained(tmp_path / "model")
    motionhub.RetargetProcessor(std=np.full((15, 2), 50.0)).save_pretrained(tmp_path / "model")
    random = np.random.default_rng(0)
    for name in "abc":
        points = random.uniform(0, 400, size=(1, 1, 25, 2)) + random.normal(size=(1, 20, 25, 2))
        clip = motionhub.SkeletonSequence(points, layout="body-25", fps=30, unit="pixel", image_size=(640, 480))
        motionhub.write(clip, tmp_path / f"{name}.npz")
    words = [str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "--view", str(tmp_path / "c.npz")]
    words += ["--model", str(tmp_path / "model"), "--output", str(tmp_path / "out.csv"), "--gif", ""]
    load("examples", "retarget_motion").main(words)
    printed = capsys.readouterr().out
    assert "bone length error" in printed and "foot sliding" in printed
    assert (tmp_path / "out.csv").exists()


def test_bones_alone_need_no_target(tmp_path, capsys):
    from motionhub.cli.main import handle_cli_errors
    from motionhub.skeletons.bodies import with_bone_lengths

    motionhub.RetargetNetModel(motionhub.RetargetNetConfig(variant="view")).save_pretrained(tmp_path / "model")
    motionhub.RetargetProcessor(std=np.full((15, 2), 50.0)).save_pretrained(tmp_path / "model")
    points = np.random.default_rng(0).uniform(0, 400, size=(1, 20, 25, 2)).astype(np.float32)
    clip = motionhub.SkeletonSequence(points, layout="body-25", fps=30, unit="pixel", image_size=(640, 480))
    motionhub.write(clip, tmp_path / "a.npz")
    words = [str(tmp_path / "a.npz"), "--model", str(tmp_path / "model"), "--output", str(tmp_path / "out.npz")]
    words += ["--gif", ""]
    example = load("examples", "retarget_motion")
    example.main([*words, "--bone_factors", "leg=1.2", "arm=0.9"])
    (result,) = motionhub.read(tmp_path / "out.npz")
    np.testing.assert_allclose(result.keypoints, with_bone_lengths(clip, {"leg": 1.2, "arm": 0.9}).keypoints)
    capsys.readouterr()
    assert handle_cli_errors(lambda: example.main(words)) == 2  # nothing to change
    assert "bone_factors" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        example.main([*words, "--bone_factors", "leg"])
    assert "invalid factor value: 'leg'" in capsys.readouterr().err


def test_the_readme_of_real_weights_and_real_people(shared, unzipped, tmp_path, capsys):
    pytest.importorskip("PIL.Image")
    folder = unzipped("data/openpose_body25_examples.zip") / "openpose"
    weights = shared("checkpoints/aberman2019") / "pretrained_skeleton.pth"
    assert load("conversion", "aberman2019").main([str(weights), str(tmp_path / "model")]) == 0
    (tmp_path / "short").mkdir()
    for file in sorted((folder / "tall_man").iterdir())[:40]:  # a picture for each takes time
        shutil.copy(file, tmp_path / "short")
    words = [str(tmp_path / "short"), str(folder / "small_man"), "--model", str(tmp_path / "model"), "--fps", "30"]
    words += ["--image_size", "720", "720", "--output", str(tmp_path / "out.npz"), "--gif", str(tmp_path / "out.gif")]
    load("examples", "retarget_motion").main(words)
    errors = capsys.readouterr().out.split("bone length error")[1].split()[:2]
    assert float(errors[1]) < 0.6 * float(errors[0])
    (result,) = motionhub.read(tmp_path / "out.npz")
    assert result.keypoints.shape == (1, 40, 25, 2)
    assert (tmp_path / "out.gif").stat().st_size > 10_000
