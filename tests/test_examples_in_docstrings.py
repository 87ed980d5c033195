"""Every public function and class shows in its docstring how it is called; the examples run."""

import doctest
import importlib
import inspect
import warnings
from pathlib import Path

import pytest

import motionhub


PUBLIC = sorted(
    name
    for name in motionhub.__all__
    if inspect.isfunction(getattr(motionhub, name)) or inspect.isclass(getattr(motionhub, name))
)
NEEDS = {
    **dict.fromkeys(("animate", "animate_side_by_side", "draw_frame", "draw_layout", "plot_attention"), "PIL"),
    **dict.fromkeys(("plot_dependencies", "plot_ribbon", "skeleton_strip"), "PIL"),
    **dict.fromkeys(("open_video", "VideoDataset", "VideoSegments"), "av"),
    **dict.fromkeys(("LcrNetModel", "LcrNetStudent", "VideoBackboneModel"), "torchvision"),
}
# Their examples are shown and not run.
NOT_RUN = {
    "evaluate_movement_quality": "one training per subject",
    "extract_clip": "a pose estimator with its weights",
    "find_takes": "recordings of two cameras",
    "format_segmentation_report": "the report of a training",
    "push": "a network",
    "read_card_facts": "the facts of a trained checkpoint",
    "train_on_everybody": "one training per movement",
    "train_segmentation": "a dataset with frame labels, and a training",
    "write_model_card": "a trained checkpoint",
}


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # `handle_cli_errors` replaces it
    value = getattr(motionhub, name)
    module = importlib.import_module(value.__module__)
    found = doctest.DocTestFinder(recurse=False).find(value, name, module=module, globs={"motionhub": motionhub})
    assert found and found[0].examples, f"motionhub.{name} has no `Examples:` in its docstring"
    runs = any(doctest.SKIP not in example.options for example in found[0].examples)
    assert runs or name in NOT_RUN, f"no line of the example of motionhub.{name} runs"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE)
    report: list[str] = []
    runner.run(found[0], out=report.append)
    assert runner.failures == 0, "".join(report)


def test_names_of_the_tables_are_public() -> None:
    assert {*NEEDS, *NOT_RUN} <= set(PUBLIC)
