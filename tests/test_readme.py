"""The README's words hold: its Python runs, its make targets exist, its command lines parse, its folders are there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from motionhub.cli.main import build_parser
from motionhub.skeletons.layouts import load_layout
from motionhub.training.start import parse_training


ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]}
each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands(program: str, page: str = README) -> list[list[str]]:
    """The words of every command line that starts with `program`, continuation lines joined, comments dropped."""
    lines = "\n".join(blocks("bash", page)).replace("\\\n", " ").splitlines()
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


@each_page
def test_command_lines_parse(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = [words[1:] for words in commands("motionhub", page) if words[1] != "train"]
    assert {words[0] for words in lines} >= {"dataset", "convert", "push"}
    for words in lines:
        build_parser().parse_args(words)


@each_page
def test_declared_layouts_are_layouts(page: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks("yaml", page)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        assert load_layout(path).num_joints > 1


def test_training_command_parses_with_the_recipe_of_its_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (words,) = commands("accelerate launch examples/finetune_classification.py")
    arguments, recipe = parse_training(words[3:], "")
    assert arguments.protocol == "cross-view-1-to-2"
    assert (recipe.mode, recipe.optimizer, recipe.epochs) == ("scratch", "adamw", 30)


@each_page
def test_named_files_and_folders_are_there(page: str) -> None:
    named = set(re.findall(r"(?:hub_configs|examples|conversion|tests|docs|benchmarks)/[\w./-]+", page))
    assert named
    missing = [name for name in named if not (ROOT / name.rstrip("./")).exists()]
    assert not missing
