"""The README's words hold: its Python runs, its make targets exist, its command lines parse, its folders are there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from motionhub.cli import build_parser
from motionhub.training.run import parse_training


ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """The words of every command line that starts with `program`, continuation lines joined, comments dropped."""
    lines = "\n".join(blocks("bash")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith(program)]


def test_python_blocks_run_from_top_to_bottom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    namespace: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert "'label': 'sit down'" in capsys.readouterr().out
    assert namespace["features"].shape == (1, 128)
    assert namespace["frames"].ndim >= 2


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    wanted = {word for words in commands("make") for word in words[1:] if "=" not in word}
    assert {"demo", "test"} <= wanted <= targets


def test_command_lines_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = [words[1:] for words in commands("motionhub") if words[1] != "train"]
    assert {words[0] for words in lines} >= {"dataset", "evaluate"}
    for words in lines:
        build_parser().parse_args(words)


def test_training_command_parses_with_the_recipe_of_its_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (words,) = commands("accelerate launch examples/finetune_classification.py")
    arguments, recipe = parse_training(words[3:], "")
    assert arguments.protocol == "cross-view-1-to-2"
    assert (recipe.mode, recipe.optimizer, recipe.epochs) == ("scratch", "adamw", 30)


def test_named_files_and_folders_are_there() -> None:
    named = set(re.findall(r"(?:hub_configs|examples|conversion|tests|docs)/[\w./-]+", README))
    assert len(named) > 8
    missing = [name for name in named if not (ROOT / name.rstrip("./")).exists()]
    assert not missing
