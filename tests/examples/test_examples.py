"""The example scripts, executed on tiny data."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers import ROOT, load_script, read_json, write_json

import motionhub
from motionhub.models.lac import LacConfig
from motionhub.models.t_mor import TMorConfig
from motionhub.models.unik import UnikConfig
from motionhub.models.via import ViaConfig
from motionhub.processing.skeleton import SkeletonProcessor


EXAMPLES = ROOT / "examples"


def load_example(name: str) -> ModuleType:
    return load_script(f"examples/{name}.py")


@pytest.fixture
def nucla_like(tmp_path: Path) -> Path:
    """24 N-UCLA files: four actions, six subjects; the action is how high the person stands over the floor."""
    folder = tmp_path / "raw"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, action in enumerate((1, 2, 3, 4)):
        for subject in range(1, 7):
            name = f"a{action:02d}_s{subject:02d}_e00_v01"
            frames = random.normal(scale=0.05, size=(10, 20, 3)) + [0.0, number, 3.0]
            clip = {"file_name": name, "skeletons": frames.tolist(), "label": action}
            write_json(folder / f"{name}.json", clip)
    return folder


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Path:
    """The configs of a small UNIK, without weights, with a recipe."""
    folder = tmp_path / "unik-tiny"
    config = UnikConfig(
        layout="kinect-20", num_joints=20, in_channels=3, num_people=1, channels=[8, 8], strides=[2, 2], num_heads=1
    )
    config.save_pretrained(folder)
    SkeletonProcessor(
        layout="kinect-20", num_dims=3, num_people=1, num_frames=8, normalization="none"
    ).save_pretrained(folder)
    write_json(folder / "training.json", {"mode": "scratch", "epochs": 1, "batch_size": 4, "milestones": [1]})
    return folder


def test_examples_stay_short_and_import_public_names_only() -> None:
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 79, path.name
        assert "motionhub." not in "".join(re.findall(r"^ *(?:from|import) .*", text, flags=re.MULTILINE)), path.name


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_help_of_every_example_shows_its_own_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    own = set(re.findall(r'add_argument\("(--\w+)"', (EXAMPLES / f"{name}.py").read_text()))
    with pytest.raises(SystemExit) as left:
        load_example(name).main(["--help"])
    assert left.value.code == 0
    assert own <= set(re.findall(r"--\w+", capsys.readouterr().out))


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_a_wrong_option_of_an_example_is_an_error_of_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = load_example(name)
    assert motionhub.handle_cli_errors(lambda: example.main(["--no_such_option"])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match("motionhub: .*(required|no_such_option|No model)", line), line


def test_single_shot_trains_on_each_camera_and_tests_on_all(
    nucla_like: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for clip in sorted(nucla_like.glob("*_v01.json")):
        (nucla_like / clip.name.replace("_v01", "_v02")).write_text(clip.read_text().replace("_v01", "_v02"))
    data = ["--dataset", "n-ucla", "--data_root", str(nucla_like), "--protocol", "cross-subject", "--cpu"]
    run = tmp_path / "run"
    with pytest.warns(UserWarning):  # six of the ten N-UCLA classes have no clip here
        load_example("single_shot").main([*data, "--model", str(tiny_checkpoint), "--output_dir", str(run)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[-4] == ["camera", "clips", "all", "known", "own", "view", "others"]
    assert [line[:2] for line in lines[-3:-1]] == [["1", "12"], ["2", "12"]] and lines[-1][0] == "mean"
    report = read_json(run / "metrics.json")
    assert report["cameras"]["1"]["num_clips"] == 12
    assert {path.name for path in run.iterdir()} == {"camera 1", "camera 2", "metrics.json"}
    with pytest.raises(ValueError, match="leave --stream out"):
        load_example("single_shot").main([*data, "--model", str(tiny_checkpoint), "--stream"])


def test_finetune_classification_trains_and_prints_the_table(
    nucla_like: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = load_example("finetune_classification").main
    data = ["--dataset", "n-ucla", "--data_root", str(nucla_like), "--protocol", "cross-subject"]
    first = [*data, "--model", str(tiny_checkpoint), "--output_dir", str(tmp_path / "first"), "--cpu"]
    with pytest.warns(UserWarning):  # six of the ten N-UCLA classes have no clip here
        main(first)
    output = capsys.readouterr().out
    assert "top-1" in output and "3 updates" in output
    report = read_json(tmp_path / "first" / "last" / "metrics.json")
    assert report["num_clips"] == 12
    assert len(report["absent_classes"]) == 6
    again = [*data, "--model", str(tmp_path / "first" / "last"), "--mode", "linear", "--epochs", "2", "--cpu"]
    with pytest.warns(UserWarning):
        main([*again, "--output_dir", str(tmp_path / "second")])
    recipe = read_json(tmp_path / "second" / "last" / "training.json")
    assert (recipe["mode"], recipe["epochs"], recipe["batch_size"]) == ("linear", 2, 4)
    assert "6 updates" in capsys.readouterr().out


def test_pretrain_or_vpe_leaves_an_encoder_that_a_linear_head_is_fitted_on(
    nucla_like: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--dataset", "n-ucla", "--data_root", str(nucla_like), "--protocol", "cross-subject", "--cpu"]
    pretext = ["--probe_fraction", "1", "--num_views", "2", "--num_negatives", "5", "--embedding_size", "8"]
    pretext += ["--bank_start", "random"]
    start = ["--model", str(tiny_checkpoint), "--output_dir", str(tmp_path / "pretext")]
    load_example("pretrain_or_vpe").main([*data, *pretext, *start])
    assert "3 updates" in capsys.readouterr().out
    encoder = read_json(tmp_path / "pretext" / "last" / "config.json")
    assert encoder["architectures"] == ["UnikModel"]
    head = ["--model", str(tmp_path / "pretext" / "last"), "--mode", "linear", "--output_dir", str(tmp_path / "head")]
    with pytest.warns(UserWarning):  # six of the ten N-UCLA classes have no clip here
        load_example("finetune_classification").main([*data, *head])
    assert "top-1" in capsys.readouterr().out


def test_pretrain_t_mor_leaves_a_model_and_its_encoder(
    nucla_like: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = UnikConfig(layout="kinect-20", num_joints=20, in_channels=3, num_people=1, channels=[8, 8], num_heads=1)
    sizes = {"projection_size": 8, "text_size": 8, "video_size": 6}
    start = tmp_path / "t-mor-tiny"
    TMorConfig(encoder_config=encoder, **sizes).save_pretrained(start)
    SkeletonProcessor(
        layout="kinect-20", num_dims=3, num_people=1, num_frames=8, normalization="none"
    ).save_pretrained(start)
    recipe = {"mode": "scratch", "epochs": 1, "batch_size": 4, "optimizer": "adamw", "learning_rate": 1e-3}
    write_json(start / "training.json", {**recipe, "milestones": []})
    videos = np.random.default_rng(0).normal(size=(12, 6))
    videos[3] = np.nan
    np.save(tmp_path / "videos.npy", videos)
    data = ["--dataset", "n-ucla", "--data_root", str(nucla_like), "--protocol", "cross-subject", "--cpu"]
    how = ["--losses", "mm", "mv", "--video_features", str(tmp_path / "videos.npy"), "--queue_size", "16"]
    start_words = ["--model", str(start), "--output_dir", str(tmp_path / "run"), "--probe_fraction", "1"]
    load_example("pretrain_t_mor").main([*data, *how, *start_words])
    assert re.search(r"3 updates in \d+ s, linear probe \d", capsys.readouterr().out)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"mm", "mv", "alignment"} <= set(log[0])
    made = read_json(tmp_path / "run" / "encoder" / "config.json")
    assert made["architectures"] == ["UnikModel"]
    head = ["--model", str(tmp_path / "run" / "encoder"), "--mode", "linear", "--output_dir", str(tmp_path / "head")]
    with pytest.warns(UserWarning):  # six of the ten N-UCLA classes have no clip here
        load_example("finetune_classification").main([*data, *head])
    assert "top-1" in capsys.readouterr().out


def test_pretrain_via_goes_from_pairs_to_cycles_and_leaves_its_unik(
    nucla_like: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = UnikConfig(layout="kinect-20", num_joints=20, num_people=1, channels=[8, 8], strides=[2, 2], num_heads=1)
    start = tmp_path / "via-tiny"
    ViaConfig(encoder_config=encoder, num_directions=4, decoder_channels=[8, 8]).save_pretrained(start)
    SkeletonProcessor(
        layout="kinect-20", num_people=1, num_frames=8, normalization="centre", scale="extent"
    ).save_pretrained(start)
    recipe = {"mode": "scratch", "epochs": 1, "batch_size": 4, "optimizer": "adamw", "learning_rate": 1e-3}
    write_json(start / "training.json", {**recipe, "milestones": []})
    main = load_example("pretrain_via").main
    data = ["--dataset", "n-ucla", "--data_root", str(nucla_like), "--protocol", "cross-subject", "--cpu"]
    pairs = ["--stage", "pairs", "--model", str(start), "--elevation", "10", "--output_dir", str(tmp_path / "pairs")]
    with pytest.warns(UserWarning):  # six of the ten N-UCLA classes have no clip here
        main([*data, *pairs, "--probe_fraction", "0.5"])
    assert re.search(r"3 updates in \d+ s, linear probe \d", capsys.readouterr().out)
    assert {"probe_top1", "spread"} <= set(read_json(tmp_path / "pairs" / "last" / "metrics.json"))
    cycle = ["--stage", "cycle", "--model", str(tmp_path / "pairs" / "last"), "--triplet_weight", "0.05"]
    with pytest.warns(UserWarning):
        main([*data, *cycle, "--num_clusters", "2", "--cluster_epochs", "1", "--output_dir", str(tmp_path / "cycle")])
    assert "3 updates" in capsys.readouterr().out
    made = read_json(tmp_path / "cycle" / "last" / "config.json")
    assert made["architectures"] == ["ViaForMotionRetargeting"]
    assert read_json(tmp_path / "cycle" / "encoder" / "config.json")["architectures"] == ["UnikModel"]
    log = [json.loads(line) for line in (tmp_path / "cycle" / "log.jsonl").read_text().splitlines()]
    assert {"cycle", "triplet_motion", "velocity", "motion_norm", "alignment", "uniformity"} <= set(log[-1])


def test_pretrain_lac_goes_from_the_generator_to_encoders(
    nucla_like: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--dataset", "n-ucla", "--data_root", str(nucla_like), "--protocol", "cross-subject", "--cpu"]
    start = tmp_path / "lac-tiny"
    sizes = {"encoder_channels": [8, 8, 12], "num_motion_directions": 8, "num_static_directions": 4}
    LacConfig(layout="kinect-20", num_joints=20, **sizes).save_pretrained(start)
    flat = {"num_people": 1, "num_frames": 8, "normalization": "centre", "scale": "extent"}
    SkeletonProcessor(layout="kinect-20", **flat).save_pretrained(start)
    config = UnikConfig(layout="kinect-20", num_joints=20, num_people=1, channels=[8, 8], strides=[2, 2])
    config.save_pretrained(tiny_checkpoint)
    SkeletonProcessor(layout="kinect-20", **flat).save_pretrained(tiny_checkpoint)
    main = load_example("pretrain_lac").main
    recipe = ["--mode", "scratch", "--epochs", "1", "--batch_size", "4", "--milestones", "1"]
    with pytest.raises(ValueError, match="--stage contrast: --generator, the folder of the first stage"):
        main([*data, *recipe, "--stage", "contrast", "--model", str(tiny_checkpoint), "--output_dir", str(tmp_path)])
    generator = str(tmp_path / "generator")
    probed = ["--probe_fraction", "1", "--output_dir", generator]
    main([*data, *recipe, "--stage", "generator", "--model", str(start), *probed])
    assert re.search(r"3 updates in \d+ s, linear probe \d", capsys.readouterr().out)
    known = read_json(tmp_path / "generator" / "last" / "preprocessor_config.json")
    assert (known["num_dims"], known["scale"]) == (2, "extent")  # what it is used with, not what it was trained from
    made = ["--generator", generator + "/last", "--model", str(tiny_checkpoint)]
    small = ["--queue_size", "6", "--projection_size", "8", "--num_positives", "2"]
    contrast = [*small, "--stage", "contrast", "--probe_fraction", "1", "--output_dir", str(tmp_path / "contrast")]
    main([*data, *recipe, *made, *contrast])
    assert "linear probe" in capsys.readouterr().out
    with pytest.raises(ValueError, match="leave it out"):
        main([*data, *recipe, *made, "--stage", "supervised", "--probe_fraction", "1", "--output_dir", str(tmp_path)])
    SkeletonProcessor(layout="posetics-17", **flat).save_pretrained(tmp_path / "other")
    shutil.copy(tiny_checkpoint / "config.json", tmp_path / "other")
    unlike = [*data, *recipe, *made[:2], "--model", str(tmp_path / "other"), "--output_dir", str(tmp_path / "none")]
    for stage in ("contrast", "views"):
        with pytest.raises(ValueError, match="takes num_joints=20, but its processor gives 17"):
            main([*unlike, "--stage", stage])
    encoder = read_json(tmp_path / "contrast" / "last" / "config.json")
    assert encoder["architectures"] == ["UnikModel"]
    main([*data, *recipe, *made, *small[:4], "--stage", "views", "--output_dir", str(tmp_path / "views")])
    log = [json.loads(line) for line in (tmp_path / "views" / "log.jsonl").read_text().splitlines()]
    assert "sequence" in log[-1] and "frame" not in log[-1]
    main([*data, *recipe, *made, "--stage", "supervised", "--output_dir", str(tmp_path / "supervised")])
    labelled = read_json(tmp_path / "supervised" / "last" / "config.json")
    assert labelled["architectures"] == ["UnikForActionClassification"] and len(labelled["id2label"]) == 10


CLI = "import sys; from motionhub.cli.main import main; sys.exit(main())"


@pytest.mark.parametrize("start", [["-c", CLI, "train"], [str(EXAMPLES / "finetune_classification.py")]])
def test_ctrl_c_ends_with_130_and_says_once_how_to_go_on(
    start: list[str], nucla_like: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    data = ["--dataset", "n-ucla", "--data_root", str(nucla_like), "--protocol", "cross-subject"]
    how = ["--model", str(tiny_checkpoint), "--cpu", "--epochs", "100000", "--output_dir", str(tmp_path / "run")]
    run = subprocess.Popen([sys.executable, *start, *data, *how], stderr=subprocess.PIPE, text=True)
    log, deadline = tmp_path / "run" / "log.jsonl", time.monotonic() + 60
    while not (log.exists() and log.stat().st_size) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert said.count("resumes from there") == 1
    assert "Traceback" not in said
    assert (tmp_path / "run" / "last" / "state" / "progress.json").exists()


def test_quickstart_says_who_does_what_when_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    load_example("quickstart").main(["--output_dir", str(tmp_path)])
    found = re.findall(r"person (\d) +[\d.]+ s to +[\d.]+ s  (.+)", capsys.readouterr().out)
    assert [label for person, label in found if person == "0"] == ["kick", "wave", "walk"]
    assert [label for person, label in found if person == "1"] == ["sit down", "stand up", "clap"]
    with image.open(tmp_path / "demo.gif") as gif:
        assert gif.n_frames > 20
    assert (tmp_path / "demo.png").stat().st_size > 1000


def test_draw_dependencies_draws_every_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    model = EXAMPLES.parent / "hub_configs" / "unik-nucla-small"
    load_example("draw_dependencies").main(["--model", str(model), "--output_dir", str(tmp_path)])
    assert len(list(tmp_path.glob("dependencies_block_*.png"))) == 6
    assert capsys.readouterr().out.count(" takes from ") == 5


def test_write_card_states_mean_and_sample_deviation_of_the_runs(tiny_checkpoint: Path, tmp_path: Path) -> None:
    for run, top1 in (("a", 0.5), ("b", 0.7)):
        (tmp_path / run / "last").mkdir(parents=True)
        report = {"top1": top1, "mean_class_accuracy": top1 / 2}
        write_json(tmp_path / run / "last" / "metrics.json", report)
        (tmp_path / run / "log.jsonl").write_text('{"seconds": 60}\n{"seconds": 120}\n')
    source = EXAMPLES.parent / "hub_configs" / "unik-nucla" / "card.yaml"
    (tiny_checkpoint / "card.yaml").write_text(source.read_text())
    runs = ["--runs", str(tmp_path / "a"), str(tmp_path / "b")]
    load_example("write_card").main([str(tiny_checkpoint), "--benchmark", "toy", *runs, "--command", "train it"])
    card = (tiny_checkpoint / "README.md").read_text()
    assert "| toy | top-1 | - | 60.0 ± 14.1 (2 runs, 2.0 min a run) | - |" in card
    assert "`train it`" in card


def test_linear_baseline_separates_what_a_line_separates(tiny_checkpoint: Path, tmp_path: Path) -> None:
    for action in (1, 2, 3, 4):  # each raises a joint of its own, more or less by the subject
        for subject in range(1, 7):
            name = f"a{action:02d}_s{subject:02d}_e00_v01"
            frames = np.ones((10, 20, 3))
            frames[:, action, 1] += 1 + 0.05 * subject
            clip = {"file_name": name, "skeletons": frames.tolist(), "label": action}
            write_json(tmp_path / f"{name}.json", clip)
    words = ["--dataset", "n-ucla", "--data_root", str(tmp_path), "--protocol", "cross-subject"]
    with pytest.warns(UserWarning):  # six of the ten N-UCLA classes have no clip here
        load_example("linear_baseline").main(
            [*words, "--model", str(tiny_checkpoint), "--output_dir", str(tmp_path / "out")]
        )
    report = read_json(tmp_path / "out" / "last" / "metrics.json")
    assert (report["top1"], report["num_clips"]) == (1.0, 12)
