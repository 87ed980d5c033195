"""examples/pretrain_cv_mim.py, run on a few made clips: every objective, and what it leaves is an encoder."""

import json
from pathlib import Path

import pytest
from helpers import has_pillow, load_script, read_json, write_json

from motionhub import CvMimModel, SkeletonProcessor
from motionhub.models.cv_mim import CvMimConfig


example = load_script("examples/pretrain_cv_mim.py")


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    from motionhub.data.synthetic.dataset import save_generated

    folder = tmp_path_factory.mktemp("clips") / "made"
    save_generated(folder, 8, seed=0)
    return folder


@pytest.mark.parametrize(
    ("objective", "options", "words"),
    [
        ("cv-mim", {}, ["--fusion", "product", "--elevation", "10"]),
        ("auto-encoder", {"embedder": "gaussian"}, ["--divergence_weight", "0.1"]),
        ("dim", {}, []),
        ("pr-vipe", {"embedder": "gaussian-elu", "view_size": 0}, ["--hidden_joints", "0.1"]),
    ],
)
def test_every_objective_leaves_an_encoder(clips, tmp_path, capsys, objective, options, words):
    start, out = tmp_path / "start", tmp_path / "out"
    CvMimConfig(**{"width": 8, "pose_size": 4, "view_size": 4, **options}).save_pretrained(start)
    SkeletonProcessor(layout="cv-mim-13", num_people=1, normalization="torso").save_pretrained(start)
    recipe = {"epochs": 1, "batch_size": 4, "learning_rate": 0.02, "milestones": []}
    write_json(start / "training.json", recipe)
    data = ["--dataset", str(clips), "--model", str(start), "--mode", "scratch", "--cpu", "--output_dir", str(out)]
    data += ["--eval_split", "train"]  # nothing is evaluated
    example.main([*data, "--objective", objective, *words])
    assert "updates in" in capsys.readouterr().out
    assert CvMimModel.from_pretrained(out / "last").config.embedder == options.get("embedder", "point")
    assert (out / "last" / "preprocessor_config.json").exists()
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert {"alignment", "uniformity"} <= set(log[-1])


def test_poses_are_searched_for_before_another_camera_and_the_card_takes_the_numbers(clips, tmp_path, capsys):
    out = tmp_path / "run"
    CvMimModel(CvMimConfig(width=8, pose_size=4, view_size=4)).save_pretrained(out / "last")
    SkeletonProcessor(layout="cv-mim-13", num_people=1, normalization="torso").save_pretrained(out / "last")
    data = ["--dataset", str(clips), "--split", "train", "--poses", "12", "--poses_per_clip", "2"]
    picture = ["--picture", str(tmp_path / "found.png"), "--rows", "1"] if has_pillow() else []
    load_script("benchmarks/pose_retrieval.py").main(
        ["--model", str(out / "last"), *data, "--output_dir", str(out), *picture]
    )
    assert "12 poses" in capsys.readouterr().out
    report = read_json(out / "last" / "metrics.json")
    assert report["hit@1"] <= report["hit@5"] <= report["hit@10"] <= 1
    assert report["chance"] >= 1 / 12  # every pose is there again
    assert not picture or (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    (out / "log.jsonl").write_text('{"seconds": 90.0}\n')
    (entry, *_) = load_script("examples/write_card.py").summarise([out], "made clips", "command", control=False)
    assert entry == {
        **{"benchmark": "made clips", "metric": "hit@1", "value": round(100 * report["hit@1"], 1)},
        **{"command": "command", "runs": 1, "time": "1.5 min a run", "each": [round(100 * report["hit@1"], 1)]},
    }
