"""examples/finetune_movement_quality.py on a few made clips, and the recipe that belongs to it."""

import csv
import dataclasses

import numpy as np
import pytest
import torch
from helpers import ROOT, load_script, read_json, write_json
from transformers import AutoConfig, AutoProcessor, PreTrainedConfig, pipeline

import motionhub
from motionhub.hub.card import read_card_facts
from motionhub.models.movement_quality import SkeletonForMovementQuality
from motionhub.models.unik import UnikConfig
from motionhub.processing.posture_images import PostureImageProcessor
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.start import parse_training
from motionhub.training.tasks.movement_quality import QualityOptions


example = load_script("examples/finetune_movement_quality.py")
FOLDER = ROOT / "hub_configs" / "movement-quality-uiprmd"


def content(name):
    return read_json(FOLDER / name)


@pytest.fixture
def graded(tmp_path):
    """Clips in a table whose labels are scores 0, 1 and 2: how high the body stands; three subjects."""
    folder = tmp_path / "clips"
    layout, random, lines = motionhub.get_layout("kinect-20"), np.random.default_rng(0), ["file,label,subject"]
    for number in range(18):
        frames = random.normal(scale=0.05, size=(1, 8, 20, 3)) + [0, 2.0 * (number % 3), 3]
        sequence = motionhub.SkeletonSequence(frames.astype("f4"), layout, 30.0, "metre")
        motionhub.write(sequence, folder / f"{number}.npz")
        lines.append(f"{number}.npz,{number % 3},{number // 6}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def start(tmp_path):
    folder = tmp_path / "start"
    sizes = {"channels": [8], "strides": [2], "num_heads": 1, "num_people": 1, "in_channels": 3}
    UnikConfig(layout="kinect-20", num_joints=20, **sizes).save_pretrained(folder)
    processor = {"layout": "kinect-20", "num_dims": 3, "num_people": 1, "num_frames": 8, "normalization": "none"}
    motionhub.SkeletonProcessor(**processor).save_pretrained(folder)
    recipe = {"epochs": 8, "batch_size": 4, "milestones": [], "optimizer": "adamw", "learning_rate": 0.02}
    write_json(folder / "training.json", recipe)
    return folder


def test_graded_clips_of_a_table_are_scored_by_models_that_never_saw_the_person(graded, start, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["--dataset", "folder", "--data_root", str(graded), "--model", str(start), "--mode", "scratch", "--cpu"]
    words += ["--output_dir", str(out), "--scores", "ordinal", "--max_score", "2", "--recurrent_size", "4"]
    example.main([*words, "--resamples", "20", "--final", "true"])
    assert "18 clips scored, 0 not" in capsys.readouterr().out
    report = read_json(out / "metrics.json")
    assert report["mean"]["spearman"]["value"] > 0.8 and "kappa" in report["movements"]["movement"]
    rows = list(csv.DictReader((out / "held_out.csv").open()))
    assert len(rows) == 18 and {row["subject"] for row in rows} == {"0", "1", "2"}
    folder = out / "final movement" / "last"
    model = motionhub.AutoModelForMovementQuality.from_pretrained(folder)
    processor = motionhub.SkeletonProcessor.from_pretrained(folder)
    (clip,) = motionhub.read(graded / "0.npz")
    score = float(model.eval()(**processor(clip)).scores.detach())
    (answer,) = pipeline("movement-quality", model=str(folder), device="cpu")(str(graded / "0.npz"))
    limits = report["movements"]["movement"]["agreement"]
    ends = [min(max(score - limits[name], 0), 2) for name in ("upper", "lower")]
    assert (answer["score"], answer["interval"]) == (pytest.approx(score), pytest.approx(ends))
    assert answer["track_id"] == 0 and answer["coverage"] == 1.0 and model.config.movement == "movement"
    assert answer["doubt"] is None and answer["interval_note"] is None
    pipe = pipeline("movement-quality", model=str(folder), device="cpu")
    long = clip.replace(keypoints=np.tile(clip.keypoints, (1, 4, 1, 1)))
    scattered = clip.replace(keypoints=clip.keypoints + np.random.default_rng(0).normal(size=clip.keypoints.shape))
    for other, why in ((long, "it lasts"), (scattered, "its features are")):
        with pytest.warns(UserWarning, match="probably not movement"):
            assert why in pipe(other)[0]["doubt"]


def test_a_score_has_no_interval_where_none_was_measured_and_images_are_refused(start, tmp_path):
    model = SkeletonForMovementQuality.from_encoder(start, pretrained=False, recurrent_size=4)
    processor = motionhub.SkeletonProcessor.from_pretrained(start)
    pipe = pipeline("movement-quality", model=model, feature_extractor=processor, device="cpu")
    frames = np.random.default_rng(0).normal(size=(2, 8, 20, 3)).astype("f4")
    frames[1] = np.nan
    clip = motionhub.SkeletonSequence(frames, "kinect-20", 30.0, "metre")
    (answer,) = pipe(clip)  # the second person was never seen
    assert 0 <= answer["score"] <= 1 and answer["interval"] is None
    assert answer["interval_note"].startswith("not measured") and answer["doubt"].startswith("not known")
    model.config.held_out = {"auc": {"value": 0.8, "lower": 0.68, "upper": 0.93}}
    assert "80% of pairs [68%, 93%]" in pipe(clip)[0]["interval_note"]
    with pytest.warns(UserWarning, match="no valid keypoints"):
        assert pipe(clip.replace(keypoints=frames * np.nan)) == []
    with pytest.raises(ValueError, match="takes skeletons"):
        pipeline("movement-quality", model=model, feature_extractor=PostureImageProcessor(), device="cpu")


@torch.no_grad()
def test_the_published_folder_describes_a_model_that_scores_a_clip():
    config, processor = AutoConfig.from_pretrained(FOLDER), AutoProcessor.from_pretrained(FOLDER)
    own = {field.name for field in dataclasses.fields(config)}
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    written = set(content("config.json")) - {"model_type"}
    assert written - own == set() and own - inherited <= written
    assert processor.layout == config.layout and processor.num_dims == config.in_channels
    keypoints = torch.randn(1, 12, config.num_joints, 3, generator=torch.Generator().manual_seed(0)).numpy()
    clip = motionhub.SkeletonSequence(keypoints, layout=config.layout, fps=30, unit="metre")
    score = float(motionhub.AutoModelForMovementQuality.from_config(config).eval()(**processor(clip)).scores)
    assert 0 <= score <= 1


def test_its_recipe_and_the_command_of_its_card_fit_the_example():
    facts, recipe = read_card_facts(FOLDER), TrainingRecipe.from_file(FOLDER)
    assert recipe.source and facts["name"] == FOLDER.name
    command = facts["weights"]["command"].split()
    words = [str(ROOT / word) if word.startswith("hub_configs/") else word for word in command[2:]]
    arguments, chosen, options = parse_training(words, "", QualityOptions)
    assert (ROOT / command[1]).is_file() and chosen.epochs == recipe.epochs and arguments.dataset == "ui-prmd"
    config = AutoConfig.from_pretrained(FOLDER)
    assert (options.recurrent_size, options.recurrent_layers) == (config.recurrent_size, config.recurrent_layers)
    # The encoder is that of the checkpoint the command starts from.
    encoder = AutoConfig.from_pretrained(arguments.model).to_dict()
    same = set(content("config.json")["encoder_config"]) & set(encoder)
    assert all(encoder[name] == content("config.json")["encoder_config"][name] for name in same)
