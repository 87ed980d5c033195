"""Public functions that the documentation names, and the main classes, show how they are called; examples run."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import motionhub


ROOT = Path(__file__).resolve().parent.parent
PAGES = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
CLASSES = {"SkeletonSequence", "SkeletonProcessor"}
FUNCTIONS = {name for name in motionhub.__all__ if inspect.isfunction(getattr(motionhub, name))}
# What a reader of the documentation calls; the others serve the scripts of `examples/`.
DOCUMENTED = {name for name in FUNCTIONS if re.search(rf"motionhub\.{name}\b(?!\.)", PAGES)}
WITH_EXAMPLES = {name for name in FUNCTIONS if ">>>" in (getattr(motionhub, name).__doc__ or "")}
DRAWN = {"animate", "draw_frame", "plot_ribbon", "skeleton_strip"}


@pytest.mark.parametrize("name", sorted(DOCUMENTED | WITH_EXAMPLES | CLASSES))
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in DRAWN:
        pytest.importorskip("PIL", exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    value = getattr(motionhub, name)
    module = importlib.import_module(value.__module__)
    found = doctest.DocTestFinder(recurse=False).find(value, name, module=module, globs={"motionhub": motionhub})
    assert found and found[0].examples, f"motionhub.{name} has no `Examples:` in its docstring"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE)
    report: list[str] = []
    runner.run(found[0], out=report.append)
    assert runner.failures == 0, "".join(report)


def test_there_are_examples() -> None:
    assert {"read", "write", "generate", "convert_layout", "refine"} <= DOCUMENTED <= WITH_EXAMPLES
