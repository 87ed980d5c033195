"""The command line: quick help, answers a person can read, one line for bad input."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import read_json, write_json

from motionhub.cli.main import main


ROOT = Path(__file__).resolve().parents[2]
SMALL = str(ROOT / "hub_configs" / "unik-nucla-small")


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    """An N-UCLA file written by this test: a person sits down."""
    from motionhub.data.synthetic.generate import generate

    frames = generate("sit down", seed=3).keypoints[0]
    path = tmp_path / "a08_s01_e00_v01.json"
    write_json(path, {"file_name": path.stem, "skeletons": frames.tolist(), "label": 5})
    return path


@pytest.mark.parametrize("command", [[], ["convert"], ["dataset", "build"], ["train"]], ids=" ".join)
def test_help_answers_at_once_and_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        f"import sys; from motionhub.cli.main import main; status = main({[*command, '--help']!r})\n"
        "print(status, {'torch', 'transformers', 'datasets', 'pandas', 'rich'} & {*sys.modules})"
    )
    times = []
    for _ in range(3):  # the fastest of three, in seconds of a core
        before = os.times()
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert shown.startswith(" ".join(["Usage: motionhub", *command]))
    assert shown.splitlines()[-1] == "0 set()"
    assert min(times) < 1.0


def test_info_tells_people_frames_layout_and_label(clip_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(clip_file)]) == 0
    shown = capsys.readouterr().out
    frames = len(read_json(clip_file)["skeletons"])
    assert f"people 1, frames {frames}" in shown
    assert "kinect-20" in shown and "'sit down'" in shown and "visible 100.0%" in shown


def test_convert_writes_the_layout_and_frame_rate_asked_for_and_says_how(
    clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import motionhub

    out = tmp_path / "out.npz"
    assert main(["convert", str(clip_file), str(out), "--layout", "ntu-25", "--fps", "15"]) == 0
    shown = capsys.readouterr().out
    source, (clip,) = motionhub.read(clip_file)[0], motionhub.read(out)
    assert (clip.layout.name, clip.fps, clip.num_frames) == ("ntu-25", 15, (source.num_frames + 1) // 2)
    knee = clip.keypoints[:, :, clip.layout.index("left_knee")]
    np.testing.assert_array_equal(knee, source.keypoints[:, ::2, source.layout.index("left_knee")])
    assert "left_knee" in shown and "copied" in shown and "mean of" in shown and "left_thumb" in shown
    assert f"frames {clip.num_frames} at 15 fps, 3-D in metres, layout ntu-25" in shown


@pytest.mark.parametrize(
    ("out", "options", "reason"),
    [
        ("out.xyz", [], "the formats are npz"),
        ("out.npz", ["--layout", "cocos-17"], "Did you mean 'coco-17'"),
        ("out.npz", ["--to", "x3d"], "no writer for format 'x3d'"),
        ("out.json", ["--layout", "coco-17"], "holds 2-D keypoints, got 3-D"),
        ("a08_s01_e00_v01.json", ["--to", "npz"], "exists and is not overwritten"),
    ],
)
def test_convert_refuses_in_one_line_and_writes_nothing(
    clip_file: Path, capsys: pytest.CaptureFixture[str], out: str, options: list[str], reason: str
) -> None:
    before = clip_file.read_bytes()
    assert main(["convert", str(clip_file), str(clip_file.parent / out), *options]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1
    assert [*clip_file.parent.iterdir()] == [clip_file] and clip_file.read_bytes() == before


def test_convert_takes_one_person_of_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import motionhub
    from motionhub.data.synthetic.generate import generate

    clip = generate("wave", num_frames=6, second_person="clap")
    two = motionhub.write(clip, tmp_path / "two.npz")
    assert main(["convert", str(two), str(tmp_path / "out.trc")]) == 2
    assert "TRC holds one person, got 2" in (error := capsys.readouterr().err) and "--person INDEX." in error
    assert main(["convert", str(two), str(tmp_path / "out.bvh")]) == 2
    assert "In a shell: --person INDEX." in capsys.readouterr().err
    assert main(["convert", str(two), str(tmp_path / "out.trc"), "--person", "1"]) == 0
    (second,) = motionhub.read(tmp_path / "out.trc", layout="kinect-20")
    np.testing.assert_allclose(second.keypoints, clip.keypoints[1:], atol=1e-5)
    assert main(["convert", str(two), str(tmp_path / "none.trc"), "--person", "2"]) == 2
    assert "person index must be in 0..1, got 2" in capsys.readouterr().err


def test_convert_projects_what_is_in_space(
    clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import motionhub

    words = ["convert", str(clip_file), str(tmp_path / "out.json"), "--layout", "coco-17"]
    assert main(words) == 2
    assert "In a shell: --project AZIMUTH ELEVATION." in capsys.readouterr().err
    assert main([*words, "--project", "180", "-5", "--image_size", "640", "480"]) == 0
    assert "2-D in pixels, layout coco-17" in capsys.readouterr().out
    (clip,) = motionhub.read(tmp_path / "out.json", fps=30)
    head, foot = (clip.keypoints[0, :, clip.layout.index(name), 1] for name in ("nose", "left_ankle"))
    assert np.nanmax(clip.keypoints) < 640 and (head < foot).all()


def test_what_help_promises_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    from motionhub.data.datasets.datasets import DATASETS
    from motionhub.data.formats.formats import FORMATS, WRITERS
    from motionhub.skeletons.layouts import LAYOUTS

    assert main(["convert", "--help"]) == 0
    shown = capsys.readouterr().out
    named = {line.split()[0] for line in shown.splitlines() if line.strip()}
    assert {*WRITERS, *FORMATS} <= named and all(f"{name}," in shown or name in shown.split() for name in DATASETS)
    assert "motionhub info --layouts" in shown
    assert main(["info", "--layouts"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {*LAYOUTS}
    assert main(["info"]) == 2


def test_normalised_coordinates_have_a_plural(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import motionhub
    from motionhub.data.synthetic.generate import generate

    clip = generate("wave", num_frames=2).replace(unit="normalised")
    assert main(["info", str(motionhub.write(clip, tmp_path / "clip.npz"))]) == 0
    assert "3-D in normalised units, layout" in capsys.readouterr().out


def test_convert_names_its_own_option_for_what_the_input_does_not_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "one.csv"
    source.write_text("nose_x,nose_y\n1,2\n3,4\n")
    words = ["convert", str(source), str(tmp_path / "one.npz"), "--unit", "pixel"]
    assert main([*words, "--fps", "30"]) == 2
    assert "give --in_fps 30, or the true value." in capsys.readouterr().err
    assert main([*words, "--in_fps", "30"]) == 0
    assert main(["convert", str(tmp_path / "one.npz"), str(tmp_path / "one.bvh")]) == 2
    assert "got 2-D keypoints" in capsys.readouterr().err


def test_predict_prints_and_saves_the_same_scores(
    clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.json"
    assert main(["predict", str(clip_file), "--model", SMALL, "--top_k", "2", "--json", str(out)]) == 0
    (person,) = read_json(out)[str(clip_file)]
    best = person["scores"][0]
    assert best["label"] == "sit down" and len(person["scores"]) == 2
    assert f"{best['score']:6.1%}  sit down" in capsys.readouterr().out


def test_predict_draws_the_clip(clip_file: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    assert main(["predict", str(clip_file), "--model", SMALL, "--gif", str(tmp_path / "out.gif")]) == 0
    with image.open(tmp_path / "out.gif") as gif:
        assert gif.n_frames > 10


@pytest.mark.parametrize("images", [True, False])
def test_dataset_then_evaluate_on_it(
    images: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if images:
        pytest.importorskip("matplotlib")
    else:
        loaded = [name for name in sys.modules if name.startswith("matplotlib")]
        for name in {"matplotlib", *loaded}:  # as if the extra were not installed
            monkeypatch.setitem(sys.modules, name, None)
    raw = tmp_path / "raw"
    raw.mkdir()
    frames = np.random.default_rng(0).normal(size=(12, 20, 3)).tolist()
    for subject in (1, 2):
        for view in (1, 2):
            for action, label in ((1, 1), (8, 5)):
                name = f"a{action:02d}_s{subject:02d}_e00_v{view:02d}"
                write_json(raw / f"{name}.json", {"file_name": name, "skeletons": frames, "label": label})
    assert (
        main(["dataset", "build", "n-ucla", "--raw", str(raw), "--out", str(tmp_path / "built"), "--expect", "subset"])
        == 0
    )
    words = ["evaluate", "--model", SMALL, "--dataset", str(tmp_path / "built"), "--protocol", "cross-subject"]
    assert main([*words, "--output_dir", str(tmp_path / "report")]) == 0
    report = read_json(tmp_path / "report" / "metrics.json")
    assert report["num_clips"] == 4  # both views of subject 2, two classes
    shown = capsys.readouterr()
    assert "top-1" in shown.out
    assert main([*words, "--second", SMALL, "--second_weight", "2", "--fusion", "softmax"]) == 0
    assert "of each stream alone" in capsys.readouterr().out
    if images:
        assert (tmp_path / "report" / "confusion_matrix.png").stat().st_size > 1000
    else:
        assert "no images" in shown.err and "motionhub[viz]" in shown.err


@pytest.mark.parametrize(
    "words, said",
    [
        (["info", "no/such/file.json"], "no/such/file.json"),
        (["predict", "x.json", "y.json", "--model", SMALL, "--gif", "out.gif"], "one file"),
        (["dataset", "build", "no-such-format", "--raw", ".", "--out", "x"], "no-such-format"),
        (["evaluate", "--model", SMALL, "--dataset", "n-ucla", "--data_root", "no/such/folder"], "no/such/folder"),
        (["evaluate", "--model", SMALL, "--dataset", "n-ucla"], "--data_root"),
        (["evaluate", "--model", SMALL, "--dataset", __file__], "is a file"),
        (["predict", __file__, "--model", "./no/such/model"], "no/such/model: no such folder"),
        (
            ["predict", __file__, "--model", str(ROOT / "hub_configs" / "unik-nucla-smal")],
            "hub_configs/unik-nucla-small",
        ),
        (["evaluate", "--model", SMALL, "--dataset", str(ROOT / "test")], "no such folder, expected a saved dataset"),
        (["evaluate", "--model", SMALL, "--dataset", str(ROOT / "test")], f"did you mean {ROOT / 'tests'}"),
        (["predict", __file__, "--model", str(ROOT / "hub_configs" / "unik-posetics")], "holds no weights"),
    ],
)
def test_bad_input_is_one_line_and_status_two(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("motionhub: ") and said in error
    assert "Traceback" not in error and error.count("\n") == 1


def test_a_protocol_as_a_folder_of_its_dataset_names_the_two_options(tmp_path, capsys):
    (tmp_path / "README.md").write_text("---\nconfigs:\n- config_name: cross-subject\n---\n")
    assert main(["evaluate", "--model", SMALL, "--dataset", str(tmp_path / "cross-subject")]) == 2
    assert f"did you mean --dataset {tmp_path} --protocol cross-subject?" in capsys.readouterr().err


def test_a_config_that_makes_no_model_is_reported_with_the_error_of_the_config(
    clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from motionhub.models.unik import UnikConfig
    from motionhub.processing.skeleton import SkeletonProcessor

    config = UnikConfig(num_labels=2, channels=[8], strides=[1]).to_dict()
    write_json(tmp_path / "config.json", {**config, "channels": [8, 8]})
    SkeletonProcessor(layout="coco-17").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert main(["predict", str(clip_file), "--model", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("motionhub: config.json: UnikConfig expects channels, strides")


def test_a_renamed_recording_is_described_without_its_label(
    clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = read_json(clip_file)
    renamed = tmp_path / "living room é.json"
    write_json(renamed, {**content, "file_name": "camera 1"})
    assert main(["info", str(renamed)]) == 0
    shown = capsys.readouterr()
    assert "people 1" in shown.out and "label" not in shown.out
    assert "label unknown" in shown.err and "living room é.json" in shown.err


def test_train_help_lists_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--model", "x", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--label_fraction" in shown and "--progress_bar / --no_progress_bar" in shown


@pytest.mark.parametrize("words", [["--help"], ["info", "--layouts"]])
def test_a_reader_who_has_enough_ends_a_command_quietly(words: list[str]) -> None:
    """As `| head` does; the reading end is closed before the first word is written."""
    reading, writing = os.pipe()
    os.close(reading)
    script = f"import sys; sys.argv[1:] = {words!r}; from motionhub.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_many_clips_in_a_file_are_summed_up_within_a_screen(tmp_path, capsys):
    from motionhub.data.datasets.datasets import get_dataset

    frames = np.random.default_rng(0).integers(-9000, 9000, (40, 22, 3)).astype(np.int16)
    numbers = {name: np.arange(10) % 2 + 1 for name in ("movement", "subject", "episode", "correct")}
    path = tmp_path / "uiprmd.npz"
    np.savez(path, frames=frames, scale_cm=np.float32(0.01), offsets=np.arange(0, 41, 4), **numbers)
    assert main(["info", str(path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) <= 24 and max(map(len, shown[1:])) <= 80
    first, second = get_dataset("ui-prmd").class_names[:2]
    assert "  clips 10, frames 4, 40 in all, 0.0 minutes" in shown
    assert f"       5 x {first}" in shown and f"       5 x {second}" in shown and "  subjects 2" in shown
