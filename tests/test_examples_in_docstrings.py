"""Every public function and the main classes show how they are called, and the examples run."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import motionhub


CLASSES = {"SkeletonSequence", "SkeletonProcessor"}
FUNCTIONS = {name for name in motionhub.__all__ if inspect.isfunction(getattr(motionhub, name))}
DRAWN = {"animate", "draw_frame", "plot_ribbon", "skeleton_strip"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS | CLASSES))
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
