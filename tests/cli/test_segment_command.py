"""Models that label every frame from the command line, in the example and in the claim, on tiny recordings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import load_script, read_json, write_json

import motionhub
from motionhub.cli.main import main
from motionhub.data.datasets.precog import CLASS_NAMES, COLUMNS
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikForActionSegmentation
from motionhub.processing.skeleton import SkeletonProcessor


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PRECOG files of subjects 1, 2 and 7: nothing, action 1, nothing, action 2; the hand tells which."""
    folder = tmp_path_factory.mktemp("recordings")
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 0, 2], 6)
    for subject in (1, 2, 7):
        points = random.normal(scale=0.02, size=(24, 20, 3)) + [0.0, 0.0, 3.0]
        points[:, 11, 1] += np.array([0.0, 1.0, -1.0])[labels]
        cells = [[" ".join(f"{value:.4f}" for value in point) for point in frame] for frame in points]
        lines = [";".join([*frame, str(label)]) for frame, label in zip(cells, labels, strict=True)]
        (folder / f"Seq1_{subject}.csv").write_text("\n".join([";".join(COLUMNS), *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configs without weights, with a recipe."""
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    sizes = {"layout": "kinect-20", "num_joints": 20, "in_channels": 3, "num_people": 1, "num_heads": 1}
    sizes |= {"channels": [16, 16], "strides": [1, 1], "temporal_kernel": 3, "id2label": dict(enumerate(CLASS_NAMES))}
    config = UnikConfig(**sizes, problem_type="single_label_classification")
    UnikForActionSegmentation(config).save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    SkeletonProcessor(
        layout="kinect-20", num_dims=3, num_people=1, num_frames=12, normalization="centre"
    ).save_pretrained(folder)
    recipe = {"mode": "scratch", "epochs": 40, "batch_size": 4, "optimizer": "adamw", "learning_rate": 0.02}
    write_json(folder / "training.json", {**recipe, "eval_epochs": 40, "checkpoint_epochs": 40, "milestones": [32]})
    return folder


@pytest.fixture(scope="module")
def trained(recordings: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    words = ["--dataset", "precog", "--data_root", str(recordings), "--protocol", "subjects-1-6", "--cpu"]
    assert main(["train", *words, "--model", str(checkpoint), "--output_dir", str(folder)]) == 0
    return folder / "last"


def test_train_knows_that_the_model_labels_frames(trained):
    report = read_json(trained / "metrics.json")
    assert report["num_frames"] == 24 and report["num_clips"] == 1
    assert report["frame_map"] > 0.9 and len(report["absent_classes"]) == 6


def always(checkpoint: Path, folder: Path, label: str) -> str:
    """A checkpoint that gives a label the probability 0.8 in every frame."""
    model = UnikForActionSegmentation(UnikConfig.from_pretrained(checkpoint))
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.bias[CLASS_NAMES.index(label)] = float(np.log(0.8 / (0.2 / 8)))
    model.save_pretrained(folder)
    SkeletonProcessor.from_pretrained(checkpoint).save_pretrained(folder)
    return str(folder)


def test_segment_prints_the_table_and_writes_files_and_the_ribbon(checkpoint, recordings, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = [tmp_path / f"out.{kind}" for kind in ("json", "csv", "srt", "eaf")]
    words = ["segment", str(recordings / "Seq1_7.csv"), "--model", always(checkpoint, tmp_path / "a", "action 2")]
    for path in out:
        assert main([*words, "-o", str(path), "--ribbon", str(tmp_path / "ribbon.png")]) == 0
    shown = capsys.readouterr().out
    assert "  person 0      0.00s    0.80s   80.0%  action 2" in shown
    assert "in all, of 0.8 s:" in shown and "100.0%  1 x action 2" in shown
    (row,) = read_json(out[0])
    assert row.pop("score") == pytest.approx(0.8)
    assert row == {"track_id": 0, "start_s": 0.0, "end_s": 0.8, "label": "action 2"}
    assert all("action 2" in path.read_text() for path in out[1:])
    assert (tmp_path / "ribbon.png").stat().st_size


def test_the_background_is_no_action_unless_another_label_is(checkpoint, recordings, tmp_path, capsys):
    words = ["segment", str(recordings / "Seq1_7.csv"), "--model", always(checkpoint, tmp_path, "background")]
    assert main(words) == 0
    assert "no action in 0.8 s" in capsys.readouterr().out
    assert main([*words, "--background", "action 1", "--clip"]) == 0
    assert "all people    0.00s    0.80s   80.0%  background" in capsys.readouterr().out


def test_segment_refuses_in_one_line(trained, recordings, tmp_path, capsys):
    file = str(recordings / "Seq1_7.csv")
    for words, said in (
        ([file, "-o", str(tmp_path / "out.txt")], "intervals are written as"),
        ([file, "--background", "rest"], "background must be a label"),
        ([file, "--threshold", "2"], "Expected 0 <= low_threshold"),
        ([file, "--hop", "50"], "hop"),
        ([str(tmp_path / "none.csv")], "none.csv"),
    ):
        assert main(["segment", *words, "--model", str(trained)]) == 2
        error = capsys.readouterr().err
        assert said in error and error.strip().count("\n") == 0, error
    assert main(["predict", file, "--model", str(trained)]) == 2
    assert "motionhub segment FILE --model" in capsys.readouterr().err


def test_segment_says_when_nothing_is_done_or_no_person_is_there(trained, recordings, tmp_path, capsys):
    words = ["--model", str(trained), "--min_duration", "60"]
    assert main(["segment", str(recordings / "Seq1_7.csv"), *words]) == 0
    assert "no action in 0.8 s" in capsys.readouterr().out
    lost = tmp_path / "Seq1_1.csv"
    lost.write_text(";".join(COLUMNS) + "\n" + ";".join(["0 0 0"] * 20 + ["0"]) + "\n")
    assert main(["segment", str(lost), *words, "-o", str(tmp_path / "none.csv")]) == 0
    assert "no person detected" in capsys.readouterr().out
    assert (tmp_path / "none.csv").read_text() == "track_id,start_s,end_s,label,score\n"


def test_a_model_of_whole_clips_is_refused_with_the_names_of_models_that_label_frames(
    recordings, checkpoint, tmp_path, capsys
):
    config = UnikConfig.from_pretrained(checkpoint)
    UnikForActionClassification(config).save_pretrained(tmp_path)
    SkeletonProcessor.from_pretrained(checkpoint).save_pretrained(tmp_path)
    capsys.readouterr()  # the progress bar of saving
    assert main(["segment", str(recordings / "Seq1_7.csv"), "--model", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "motionhub/unik-daily-small" in shown.err and shown.err.count("\n") == 1


def test_without_a_model_the_actions_have_names_a_person_understands(tmp_path, capsys):
    recording, _ = motionhub.compose(["sit down", "stand up", "squat"], seed=3, layout="kinect-20", fps=15)
    path = motionhub.write(recording, tmp_path / "day.npz")
    assert main(["segment", str(path), "-o", str(tmp_path / "out.csv")]) == 0
    found = {row["label"] for row in motionhub.read_intervals(tmp_path / "out.csv")}
    assert {"sit down", "squat"} <= found, found


def test_without_a_model_2d_keypoints_are_told_what_takes_them(tmp_path, capsys):
    flat = motionhub.SkeletonSequence(np.ones((1, 30, 17, 2)), "coco-17", 30, "pixel", image_size=(640, 480))
    assert main(["segment", str(motionhub.write(flat, tmp_path / "flat.npz"))]) == 2
    said = capsys.readouterr().err
    assert "labels 3-D keypoints, got 2-D" in said and "--labels" in said


def test_a_model_for_given_labels_is_told_to_get_them(recordings, capsys):
    for command in ("segment", "predict"):
        assert main([command, str(recordings / "Seq1_7.csv"), "--model", "motionhub/tmor-small"]) == 2
        shown = capsys.readouterr()
        assert shown.out == "" and '--labels "' in shown.err and shown.err.count("\n") == 1


def test_the_decoding_that_a_checkpoint_states_holds_unless_an_option_changes_it(
    checkpoint, recordings, tmp_path, capsys
):
    folder = Path(always(checkpoint, tmp_path, "action 2"))
    write_json(folder / "config.json", read_json(folder / "config.json") | {"decoding": {"threshold": 0.9}})
    words = ["segment", str(recordings / "Seq1_7.csv"), "--model", str(folder)]
    assert main(words) == 0 and "no action in 0.8 s" in capsys.readouterr().out
    assert main([*words, "--threshold", "0.7"]) == 0 and "action 2" in capsys.readouterr().out
    write_json(folder / "config.json", read_json(folder / "config.json") | {"decoding": {"treshold": 0.9}})
    assert main(words) == 2 and "decoding has ['treshold']" in capsys.readouterr().err


def test_evaluate_saves_numbers_and_the_ribbons_of_extremes(trained, recordings, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    words = ["--dataset", "precog", "--data_root", str(recordings), "--protocol", "subjects-1-6"]
    words += ["--model", str(trained), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *words]) == 0
    shown = capsys.readouterr().out
    before = read_json(trained / "metrics.json")
    after = read_json(tmp_path / "metrics.json")
    assert after["frame_map"] == pytest.approx(before["frame_map"], abs=1e-6) and "frame mAP" in shown
    assert {"scores.npz", "ribbon_worst.png", "ribbon_best.png"} <= {path.name for path in tmp_path.iterdir()}
    assert main(["evaluate", *words, "--second", str(trained)]) == 2
    assert "evaluated alone" in capsys.readouterr().err


def test_the_official_scores_of_tsu_and_pku_mmd_have_options(trained, recordings, tmp_path, capsys):
    """The command gives what the metrics give under these rules on the scores that it saves."""
    from motionhub.metrics.segmentation import frame_average_precision

    words = ["--dataset", "precog", "--data_root", str(recordings), "--protocol", "subjects-1-6"]
    words += ["--model", str(trained), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *words, "--convention", "ms-tct", "--event_protocol", "pku-mmd"]) == 0
    shown = capsys.readouterr().out
    assert "(ms-tct)" in shown and "event mAP (pku-mmd)" in shown
    report = read_json(tmp_path / "metrics.json")
    assert (report["convention"], report["event_protocol"]) == ("ms-tct", "pku-mmd")
    with np.load(tmp_path / "scores.npz") as saved:
        expected = frame_average_precision(saved["probabilities"][:, 1:], saved["labels"][:, 1:], convention="ms-tct")
    assert report["frame_map"] == pytest.approx(expected["frame_map"])


def test_training_is_evaluated_by_the_rules_asked_for(trained, recordings, tmp_path, capsys):
    words = ["--dataset", "precog", "--data_root", str(recordings), "--protocol", "subjects-1-6", "--cpu"]
    words += ["--model", str(trained), "--epochs", "1", "--output_dir", str(tmp_path), "--mode", "linear"]
    load_script("examples/finetune_segmentation.py").main([*words, "--convention=ms-tct", "--event_protocol=pku-mmd"])
    shown = capsys.readouterr().out
    assert "(ms-tct)" in shown and "event mAP (pku-mmd)" in shown


def test_rules_of_frames_are_refused_for_a_model_of_whole_clips(recordings, checkpoint, tmp_path, capsys):
    UnikForActionClassification(UnikConfig.from_pretrained(checkpoint)).save_pretrained(tmp_path)
    words = ["--dataset", "precog", "--data_root", str(recordings), "--model", str(tmp_path)]
    assert main(["evaluate", *words, "--convention", "ms-tct"]) == 2
    assert "omit them" in capsys.readouterr().err


def test_the_example_trains_on_and_prints_the_table(trained, recordings, tmp_path, capsys):
    words = ["--dataset", "precog", "--data_root", str(recordings), "--protocol", "subjects-1-6", "--cpu"]
    words += ["--model", str(trained), "--epochs", "1", "--windows_per_clip", "4", "--output_dir", str(tmp_path)]
    load_script("examples/finetune_segmentation.py").main([*words, "--mode", "linear"])
    shown = capsys.readouterr().out
    assert "2 updates" in shown and "best frame mAP" in shown and "F1@10/25/50" in shown
    assert read_json(tmp_path / "last" / "training.json")["mode"] == "linear"


@pytest.mark.slow
def test_the_claim_prints_every_arm_and_says_whether_the_gates_hold(trained, recordings, checkpoint, tmp_path, capsys):
    words = ["--data", str(recordings), "--model", str(checkpoint), "--seeds", "0", "--epochs", "1"]
    words += ["--output_dir", str(tmp_path), "--encoder", f"before={trained}"]
    assert load_script("benchmarks/claims/segmentation.py").main(words) in (0, 1)
    shown = capsys.readouterr().out
    for arm in ("scratch", "random, frozen", "before, fine-tuned", "before, frozen", "ridge on", "most frequent"):
        assert f"| {arm}" in shown, arm
    assert "before, fine-tuned over scratch" in shown
