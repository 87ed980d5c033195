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
DRAWN = {"animate", "animate_side_by_side", "draw_frame", "draw_layout", "plot_attention", "plot_dependencies"}
DRAWN |= {"plot_alarm_curve", "plot_ribbon", "skeleton_strip"}
OF_VIDEOS = {"open_video", "VideoDataset", "VideoSegments"}  # of a drawn one
OF_TORCHVISION = {"LcrNetModel", "LcrNetStudent", "VideoBackboneModel"}
# Their examples are shown and not run.
NOT_RUN = {
    "evaluate_movement_quality": "one training per subject",
    "extract_clip": "a pose estimator with its weights",
    "extract_dataset": "a folder of videos, and a pose estimator",
    "find_takes": "recordings of two cameras",
    "from_movement": "the extra movement",
    "format_segmentation_report": "the report of a training",
    "push": "a network",
    "read_card_facts": "the facts of a trained checkpoint",
    "to_movement": "the extra movement",
    "train_on_everybody": "one training per movement",
    "train_segmentation": "a dataset with frame labels, and a training",
    "write_model_card": "a trained checkpoint",
    "write_rerun": "the extra view",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.towers("torchvision") if name in OF_TORCHVISION else ()) for name in PUBLIC],
)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("PIL",) * (name in DRAWN | OF_VIDEOS) + ("av",) * (name in OF_VIDEOS):
        pytest.importorskip(package, exc_type=ImportError)
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
    assert DRAWN | OF_VIDEOS | OF_TORCHVISION | {*NOT_RUN} <= set(PUBLIC)
