"""`motionhub results`: compares runs of training, evaluation and reproduction."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import Json
from motionhub.cli.report import optional_images, save_json


def results(
    runs: Annotated[list[str], Argument(help="FOLDER or NAME=FOLDER; a folder may hold several seeds")],
    *,
    metric: Annotated[str, Option(help="A number of metrics.json, such as top1 or frame_map")] = "top1",
    latex: Annotated[bool, Option(help="The table in LaTeX (booktabs)")] = False,
    classes: Annotated[int, Option(help="Classes shown that gain and lose most")] = 3,
    output_dir: Annotated[str | None, Option(help="For learning curves, confusion matrices and classes")] = None,
    json: Json = None,
) -> None:
    """Compare runs: mean and deviation over seeds, paired tests, classes, curves."""
    from motionhub.reproduction.runs_compared import comparison_table, find_runs

    found = find_runs(runs)
    print(comparison_table(found, metric, latex=latex))
    first, *others = found
    facts = [{"run": name, **_differences(found, first, name, metric, classes, shown=not latex)} for name in others]
    if json:
        values = {name: {str(run.seed): run.metric(metric) for run in each} for name, each in found.items()}
        save_json({"metric": metric, "values": values, "compared_with": first, "differences": facts}, json)
    if output_dir:
        with optional_images():
            _draw(found, metric, Path(output_dir))


def _differences(found: Any, first: str, name: str, metric: str, classes: int, *, shown: bool) -> dict[str, Any]:
    """The tests of a name against the first, printed in lines."""
    from dataclasses import asdict

    from motionhub.reproduction.comparison import said_error
    from motionhub.reproduction.runs_compared import class_differences, paired_by_clip, paired_by_seed

    lines = []
    test = paired_by_seed(found[first], found[name], metric)
    if test is None:
        lines.append("no common seed, so no paired test of the means")
    else:
        p_value = "" if test.p_value is None else f", p {test.p_value:.2g}"
        lines.append(f"{metric} {test.mean:+.4f}{said_error(test, 4)} over {test.seeds} common seeds{p_value}")
    by_seed = {run.seed: run for run in found[first]}
    clips = {run.seed: paired_by_clip(by_seed[run.seed], run) for run in found[name] if run.seed in by_seed}
    for seed, each in clips.items():
        if each is not None:
            counts = f"{each.only_second} clips right here only, {each.only_first} there only"
            lines.append(f"seed {'-' if seed is None else seed}: {counts}, p {each.p_value:.2g} (McNemar)")
    gains = class_differences(found[first], found[name])
    if gains and classes:
        most = [f"{each} {100 * gains[each]:+.1f}" for each in list(gains)[:classes]]
        least = [f"{each} {100 * gains[each]:+.1f}" for each in list(gains)[max(classes, len(gains) - classes) :]]
        lines.append(f"classes, points: {', '.join([*most, *(['...'] if least else []), *least])}")
    if shown:
        print(f"\n{name} against {first}:", *lines, sep="\n- ")
    of_clips = {str(seed): None if each is None else asdict(each) for seed, each in clips.items()}
    return {"seeds": None if test is None else asdict(test), "clips": of_clips, "classes": gains}


def _draw(found: Any, metric: str, folder: Path) -> None:
    from motionhub.reproduction.runs_compared import class_differences
    from motionhub.visualization.run_plots import (
        plot_class_differences,
        plot_confusion_matrices,
        plot_learning_curves,
    )

    drawn = []
    curves = {name: [each for run in runs if (each := _curve(run, metric))[0]] for name, runs in found.items()}
    if any(curves.values()):
        shown = {name: each for name, each in curves.items() if each}
        drawn.append(plot_learning_curves(shown, folder / "learning_curves.png", label=metric))
    matrices = {name: _confusion(runs) for name, runs in found.items()}
    names = {tuple(row["name"] for row in runs[0].report.get("per_class") or []) for runs in found.values()}
    if len(names) == 1 and all(matrix is not None for matrix in matrices.values()):
        drawn.append(plot_confusion_matrices(matrices, names.pop(), folder / "confusion_matrices.png"))
    first, *others = found
    for place, name in enumerate(others):
        if gains := class_differences(found[first], found[name]):
            path = folder / f"classes_{place + 1}.png"
            drawn.append(plot_class_differences(gains, path, title=f"{name} - {first}"))
    print(f"drawn: {', '.join(map(str, drawn)) or 'nothing, the runs hold neither curves nor classes'}")


def _curve(run: Any, metric: str) -> tuple[list[float], list[float]]:
    lines = [line for line in run.history if line["kind"] == "eval" and metric in line and "step" in line]
    return [line["step"] for line in lines], [line[metric] for line in lines]


def _confusion(runs: Any) -> Any:
    """The sum over the seeds; None where a run has none or the sizes differ."""
    import numpy as np

    matrices = [np.asarray(run.report["confusion_matrix"]) for run in runs if "confusion_matrix" in run.report]
    if len(matrices) != len(runs) or len({matrix.shape for matrix in matrices}) != 1:
        return None
    return sum(matrices)
