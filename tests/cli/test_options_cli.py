"""How a command line is read: every option of every command, several values, usage errors, help and completion."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from motionhub.cli.main import app, main


DECODE = "--threshold --low_threshold --min_duration --max_gap"
READ = "--layout --fps --unit --image_size"
# `!`: required; `=`: the default. Users have these in scripts: one that is missing here is a break.
OPTIONS = {
    "doctor": f"file --output --json {READ}",
    "info": f"files --layouts --picture --joints {READ}",
    "convert": "file! out! --to --layout --fps --person --project --up=y --in_layout --in_fps --unit --image_size",
    "poses": "videos! -o,--output! --estimator=auto --options --refine --overlay --world --fps --seconds "
    "--min_confidence=0.3 --min_frames=5 --num_proc --engine=datasets --progress,--no-progress",
    "refine": f"files! -o,--output! --steps --official --paper --report {READ}",
    "predict": "files! --model --top_k=5 --clip --second --second_weight=1.0 --fusion=logits --json --gif --labels "
    f"--background --template={{}} --multi_label --video_tower --no_none --intervals --ribbon --clock {DECODE} {READ}",
    "segment": "file! --model --labels -o,--output --ribbon --clock --background --window --hop --clip "
    f"{DECODE} {READ}",
    "measure": f"file! -o,--output --picture --json --clip_number --up {READ}",
    "repetitions": f"file! -o,--output --picture --clip_number {READ}",
    "cut": f"files! --by! -o,--output! --labels --margin=0.0 --recording --everyone {READ}",
    "view": f"files! -o,--output --video --intervals --notebook --recording --clip_number --up {READ}",
    "compare": f"first! second! -o,--output --picture --gif --json --person {READ}",
    "quality": f"files! --model --json -o,--output --movement --ratings --dataset --data_root {READ}",
    "dataset build": "name! --raw --out! --exclude --num_proc --strict --expect=paper --engine=datasets "
    "--progress,--no-progress --videos --experts=mediapipe --poses --merging --licence --homepage --citation",
    "dataset poses": "videos! --out! --experts=mediapipe --engine=datasets --num_proc --resources "
    "--layout=posetics-17 --min_present=0.5 --window=60.0 --timeout --videos_per_part=64 --shard_mb=512 "
    "--licence --progress,--no-progress",
    "dataset generate": "--out! --num_clips=1000 --seed=0 --layout=kinect-20 --fps=30.0 --num_dims=3",
    "features": "dataset! --out! --text --text_of=both --phrasings=4 --encoder --videos --video_tower --chunk_rows "
    "--batch_size=64 --device=cpu --progress,--no-progress",
    "export": "checkpoint! --out,-o! --to=onnx --frames --clips --phrases --num_clips=100 --stream",
    "evaluate": "--model! --dataset! --data_root --protocol --eval_split=test --class_order=dataset --batch_size=64 "
    "--mixed_precision=no --output_dir --second --second_weight=1.0 --fusion=logits --convention --event_protocol "
    "--task=actions --labels --background --alarm --positive --hours=2.0 --falls_per_hour=10.0 --seed=0 "
    "--stride --false_alarms=1.0",
    "watch": "source! --model=tmor-small --labels --background --alarm --cooldown=20s --threshold=0.5 "
    "--min_duration=0.4 --min_coverage=0.5 --window --stride -o,--out --csv --webhook --mqtt --pictures --privacy "
    f"--estimator=auto --options --min_confidence=0.3 --attempts --seconds --up {READ}",
    "index": f"folder! -o,--output! --model! --level=clip --representation --every=5 --window=2.0 --hop=1.0 {READ}",
    "search": f"index! query! --text --frame --person=0 --top_k=5 --model --json --picture {READ}",
    "map": "index! -o,--output! --method=pca",
    "card": "run! --licence! --data! --data_licence! --title --summary --limits --overwrite",
    "reproduce": "table --list --data_root --variant --seeds=0 --rows --columns --set --retry "
    "--output_dir=runs/reproduce",
    "results": "runs! --metric=top1 --latex --classes=3 --output_dir --json",
    "push": "folder! repo_id! --dataset --private --card --revision --create_pr",
    "web": "folder=build/web --port=8765 --open",
    "serve": "models! --host=127.0.0.1 --port=8770 --batch_size=8 --grace=30.0 --max_mb=64 --max_frames=36000 "
    "--max_labels=1000 --max_waiting=64 --max_seconds=60.0 --max_upload=30.0",
    "app": "files --model=motionhub/tmor-small --quality --port=7860 --host=127.0.0.1 --max_mb=200 "
    "--max_seconds=300.0 --share --open",
    "bundle create": "out! --checkpoints --datasets --cache_dir --include_closed",
    "bundle verify": "file! --sha256",
    "bundle install": "file! --sha256 --cache_dir",
}
TRAIN = (
    "--dataset --model --data_root --protocol --eval_split --layout --recipe --class_order --stream --mode "
    "--label_fraction --repeat_classes --optimizer --learning_rate --momentum --weight_decay --schedule --milestones "
    "--gamma --warmup_epochs --epochs --batch_size --eval_batch_size --gradient_accumulation_steps --drop_last "
    "--no_drop_last --max_grad_norm --mixed_precision --label_smoothing --seed --num_workers --output_dir --resume "
    "--eval_epochs --checkpoint_epochs --checkpoint_updates --log_updates --cpu --num_processes --tensorboard "
    "--progress_bar --no_progress_bar --source"
)


def commands() -> Iterator[tuple[str, Any]]:
    for name, command in typer.main.get_command(app).commands.items():
        actions = getattr(command, "commands", None)
        if actions:
            yield from ((f"{name} {action}", each) for action, each in actions.items())
        else:
            yield name, command


COMMANDS = dict(commands())


def described(param: Any) -> str:
    is_option = param.param_type_name == "option"
    names = ",".join([*param.opts, *param.secondary_opts]) if is_option else param.name
    default = param.default[0] if isinstance(param.default, list) else param.default
    return names + ("!" if param.required else "" if default is None or default is False else f"={default}")


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused command line ends in."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("motionhub: ") and shown.err.count("\n") == 1
    return shown.err


def test_every_command_has_the_options_it_always_had() -> None:
    assert {*COMMANDS} == {*OPTIONS, "train"}
    for name, listed in OPTIONS.items():
        assert {described(param) for param in COMMANDS[name].params} == {*listed.split()}, name


def test_train_has_the_options_of_its_recipe() -> None:
    assert {each for param in COMMANDS["train"].params for each in (*param.opts, *param.secondary_opts)} >= {
        *TRAIN.split()
    }


def values(command: str, words: list[str]) -> dict[str, Any]:
    """What a command is called with."""
    params: dict[str, Any] = COMMANDS[command].make_context(command, words).params
    return params


@pytest.mark.parametrize(
    "words",
    [
        ["a", "b", "--steps", "gaps", "none", "-o", "out"],
        ["a", "--steps", "gaps", "--steps", "none", "-o", "out", "b"],
        ["--output=out", "--steps=gaps", "--steps=none", "a", "b"],
        ["-o=out", "--steps", "gaps", "none", "--", "a", "b"],
        ["-oout", "a", "b", "--steps", "gaps", "none"],
        ["a", "--outp", "out", "--step", "gaps", "none", "--", "b"],
    ],
)
def test_an_option_of_several_values_takes_them_after_one_name_or_after_repeated_ones(words: list[str]) -> None:
    found = values("refine", words)
    assert found["steps"] == ["gaps", "none"] and found["files"] == ["a", "b"] and str(found["output"]) == "out"


def test_refine_without_a_step_means_the_usual_ones() -> None:
    from motionhub.cli.options import steps_of
    from motionhub.pipelines.pose_refinement import DEFAULT_STEPS

    assert values("poses", ["video", "-o", "out"])["refine"] == ()
    bare = values("poses", ["video", "--refine", "-o", "out"])["refine"]
    assert steps_of(bare) == tuple(DEFAULT_STEPS)


def test_negative_numbers_and_names_that_look_like_options_are_values() -> None:
    found = values("convert", ["--project", "180", "-5", "--", "-in.json", "out.json"])
    assert found["project"] == (180.0, -5.0) and found["file"] == "-in.json"
    assert values("convert", ["in", "out", "--up", "-x"])["up"] == "-x"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "Missing command. See motionhub --help."),
        (["predct"], "Did you mean 'predict'? See motionhub --help."),
        (["bundle"], "Missing command. See motionhub bundle --help."),
        (["evaluate", "--dataset", "x"], "Missing option '--model'. See motionhub evaluate --help."),
        (["convert", "a.npz"], "Missing argument 'OUT'."),
        (["push", "a", "b", "c"], "unexpected extra argument"),
        (["predict", "a.npz", "--labels", "--json", "x"], "'--labels': expected a value, got ['--json']"),
        (["predict", "a.npz", "--modell", "x"], "No such option: --modell (Possible options: --model"),
        (["predict", "a.npz", "--top_k", "two"], "Invalid value for '--top_k'"),
        (["convert", "a", "b", "--up", "w"], "'w' is not one of 'x', 'y', 'z', '-x', '-y', '-z'"),
        (["dataset", "generate", "--out", "x", "--num_dims", "4"], "'4' is not one of '2', '3'"),
        (["convert", "a", "b", "--image_size", "640"], "requires 2 arguments"),
        (["refine", "a", "-o", "b", "--steps", "--report"], "'--steps': expected a value, got ['--report']"),
        (["refine", "a", "-o", "b", "--steps", "smooth"], "'smooth' is not one of 'swaps', 'outliers'"),
        (["refine", "a", "-o", "b", "--official", "--paper"], "pass one of them"),
        (["train", "--dataset", "x", "--model", "unik-nucla-small", "--epocs", "3"], "Did you mean --epochs"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in refusal(words, capsys)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "motionhub.cli.main", *words]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_the_module_runs_as_the_command_does() -> None:
    from motionhub.version import __version__

    assert run("--version").stdout == f"motionhub {__version__}\n"


@pytest.mark.parametrize("name", [*OPTIONS, "train"])
def test_help_names_every_option_in_full_in_a_narrow_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main([*name.split(), "-h"]) == 0
    shown = capsys.readouterr().out
    assert " ".join(shown.split()).startswith(f"Usage: motionhub {name}") and "\x1b" not in shown
    missing = [each for param in COMMANDS[name].params if param.param_type_name == "option" for each in param.opts]
    assert not [option for option in missing if option not in shown.split() and f"{option}," not in shown.split()]


def test_a_terminal_without_utf8_gets_escapes_not_a_traceback(tmp_path: Any) -> None:
    from motionhub.data.formats.formats import write
    from motionhub.data.synthetic.generate import generate

    file = write(generate("wave", num_frames=2), tmp_path / "\u00e9.npz")
    done = run("info", str(file), LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "") and "\\" in done.stdout.splitlines()[0]
    assert run("--help", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0").returncode == 0


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("motionhub pre", {"predict"}), ("motionhub train --learning", {"--learning_rate"})],
)
def test_the_shell_completes_commands_and_options(typed: str, offered: set[str]) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    done = run(_MOTIONHUB_COMPLETE="complete_bash", **words)
    assert {*done.stdout.split()} == offered, done.stderr
