"""Compares runs: what `motionhub train`, `evaluate` and `reproduce` wrote, by name and seed."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from motionhub.reproduction.comparison import PairedTest, latex_text, markdown_head, paired_test


# Entries of a class in a report, by task; the first that is there is compared.
_OF_CLASS = ("accuracy", "average_precision", "ap", "f1")
_LARGEST = 2**28  # bytes of a report


@dataclass(frozen=True)
class Run:
    """One training or evaluation.

    Args:
        folder: of the run.
        seed: of training.json, else of a folder `seed-N`, else None.
        report: metrics.json.
        history: lines of log.jsonl, in order; empty for an evaluation.
        labels, predicted: class of the test clips by name, from scores.npz; None without it.
    """

    folder: Path
    seed: int | None
    report: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    labels: dict[str, int] | None
    predicted: dict[str, int] | None

    def metric(self, name: str) -> float:
        """A number of the report. Raises ValueError that lists those it has."""
        value = self.report.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            numbers = [key for key, each in self.report.items() if isinstance(each, int | float)]
            raise ValueError(f"{self.folder}: has no metric {name!r}; it has {numbers}.")
        if not np.isfinite(value):
            raise ValueError(f"{self.folder}: the metric {name!r} is {value}.")
        return float(value)

    def per_class(self) -> dict[str, float]:
        """The score of each class that has clips; empty where the report has none."""
        rows = self.report.get("per_class")
        rows = rows if isinstance(rows, list) else []
        for name in _OF_CLASS:
            found = {str(row.get("name")): row[name] for row in rows if isinstance(row, dict) and name in row}
            if found:
                return {key: float(value) for key, value in found.items() if value is not None}
        return {}


@dataclass(frozen=True)
class ClipTest:
    """McNemar's exact test on the clips of two runs.

    Args:
        only_first, only_second: clips that one run has right and the other wrong.
        p_value: two-sided.
    """

    only_first: int
    only_second: int
    p_value: float


def find_runs(given: Sequence[str]) -> dict[str, list[Run]]:
    """The runs of folders, by name.

    Args:
        given: `FOLDER` or `NAME=FOLDER`; a folder is a run, or holds several of the same name (seeds). The same name
            may be given several times.

    Raises:
        ValueError: no such folder, no run in it, a file that cannot be read, or one seed twice under a name.

    Examples:
        >>> for seed in (0, 1):
        ...     path = motionhub.save_report(f"runs/mine/seed-{seed}", {"top1": 0.8 + 0.02 * seed})
        >>> runs = motionhub.find_runs(["runs/mine"])
        >>> [(run.seed, round(run.metric("top1"), 2)) for run in runs["mine"]]
        [(0, 0.8), (1, 0.82)]
    """
    found: dict[str, list[Run]] = {}
    for text in given:
        name, equals, place = text.partition("=")
        folder = Path(text if not equals or Path(text).exists() else place)
        if not folder.is_dir():
            raise ValueError(f"{folder}: is no folder; expected a run of motionhub train or evaluate.")
        title = name if equals and not Path(text).exists() else _title(folder)
        runs = [read_run(each) for each in _run_folders(folder)]
        if not runs:
            raise ValueError(f"{folder}: holds no metrics.json; expected what motionhub train or evaluate wrote.")
        found.setdefault(title, []).extend(runs)
    for title, runs in found.items():
        seeds = [run.seed for run in runs if run.seed is not None]
        if len(seeds) != len(set(seeds)):
            twice = next(seed for seed in seeds if seeds.count(seed) > 1)
            raise ValueError(f"{title}: seed {twice} is there twice; give the runs names, NAME=FOLDER.")
        runs.sort(key=lambda run: (run.seed is None, run.seed, str(run.folder)))
    return found


def _title(folder: Path) -> str:
    """`mine` of `runs/mine`, and of `runs/mine/seed-0`, `runs/mine-seed-0` and `runs/mine/last`."""
    parts = [part for part in folder.absolute().parts if part not in ("last", "best", "report", "model")]
    while len(parts) > 1 and re.fullmatch(r"seed[-_ ]?\d+|s[-_]?\d+|\d+", parts[-1]):
        parts.pop()
    return re.sub(r"[-_ ]seed[-_ ]?\d+$", "", parts[-1])


def _run_folders(folder: Path) -> list[Path]:
    """The runs below a folder: an evaluation stands for the training beside it."""
    if _report_of(folder) is not None:
        return [folder]
    runs: list[Path] = []
    for child in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        runs += _run_folders(child)
    evaluated = {run.parent for run in runs if run.name == "report"}
    return [run for run in runs if run.name == "report" or run.parent not in evaluated]


def _report_of(folder: Path) -> Path | None:
    return next((path for path in (folder / "metrics.json", folder / "last" / "metrics.json") if path.is_file()), None)


def read_run(folder: Path) -> Run:
    """One run. Raises a one-line ValueError for a file that cannot be read."""
    path = _report_of(folder)
    assert path is not None
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: has {path.stat().st_size} bytes, expected a report of less than {_LARGEST}.")
    report = _json(path)
    training = next((each for each in _beside(folder, "training.json") if each.is_file()), None)
    seed = _json(training).get("seed") if training is not None else None
    if not isinstance(seed, int):
        number = re.search(r"seed[-_ ]?(\d+)", str(folder.absolute()))
        seed = int(number[1]) if number else None
    log = next((each for each in _beside(folder, "log.jsonl") if each.is_file()), None)
    labels, predicted = _scores(path.with_name("scores.npz"))
    return Run(folder, seed, report, () if log is None else _history(log), labels, predicted)


def _beside(folder: Path, name: str) -> list[Path]:
    """Where a file of the training may lie: in the run, its last checkpoint, or the training beside a report."""
    return [
        folder / name,
        folder / "last" / name,
        folder.parent / name,
        *sorted(folder.parent.glob(f"model*/**/{name}")),
    ]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: is not JSON ({error}).") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(content).__name__}.")
    return content


def _history(path: Path) -> tuple[dict[str, Any], ...]:
    """The lines of a log; a last line that was cut off by a kill is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and "kind" in line:
            lines.append(line)
    return tuple(lines)


def _scores(path: Path) -> tuple[dict[str, int] | None, dict[str, int] | None]:
    if not path.is_file():
        return None, None
    try:
        with np.load(path, allow_pickle=False) as content:
            names, logits, labels = (content[name] for name in ("clip_ids", "logits", "labels"))
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"{path}: expected clip_ids, logits and labels ({error}).") from None
    if logits.ndim != 2 or not len(names) == len(logits) == len(labels):
        raise ValueError(f"{path}: expected logits (clips, classes), got {logits.shape} and {len(labels)} labels.")
    clips = [str(name) for name in names]
    return (
        dict(zip(clips, labels.astype(int).tolist(), strict=True)),
        dict(zip(clips, logits.argmax(-1).tolist(), strict=True)),
    )


def paired_by_seed(first: Sequence[Run], second: Sequence[Run], metric: str) -> PairedTest | None:
    """The paired test of `second` minus `first` over their common seeds, in the metric's unit; None without any."""
    values = [{run.seed: run.metric(metric) for run in runs if run.seed is not None} for runs in (first, second)]
    common = sorted(values[0].keys() & values[1].keys())
    return paired_test(values[1][seed] - values[0][seed] for seed in common) if common else None


def paired_by_clip(first: Run, second: Run) -> ClipTest | None:
    """McNemar's test of two runs on the same test clips; None where one has no scores or other clips or labels."""
    if first.labels is None or second.labels is None or first.labels != second.labels:
        return None
    right = [
        {name for name, label in (run.labels or {}).items() if (run.predicted or {}).get(name) == label}
        for run in (first, second)
    ]
    only = len(right[0] - right[1]), len(right[1] - right[0])
    p_value = float(binomtest(only[0], sum(only)).pvalue) if sum(only) else 1.0
    return ClipTest(*only, p_value)


def class_differences(first: Sequence[Run], second: Sequence[Run]) -> dict[str, float]:
    """Mean score of `second` minus that of `first` of the classes that all have, in 0..1, the largest gain first."""
    reports = [[run.per_class() for run in runs] for runs in (first, second)]
    everywhere = [set(report) for runs in reports for report in runs]
    common = set.intersection(*everywhere) if everywhere else set()
    means = [{name: float(np.mean([one[name] for one in runs])) for name in common} for runs in reports]
    return dict(sorted(((name, means[1][name] - means[0][name]) for name in common), key=lambda pair: -pair[1]))


def comparison_table(runs: dict[str, list[Run]], metric: str, *, latex: bool = False) -> str:
    """A row for each name: mean and sample deviation of a metric, seeds, and the difference from the first.

    Args:
        runs: as `find_runs` gives them.
        metric: a number of the reports; shares are shown in per cent.
        latex: a `tabular` (booktabs) in place of Markdown.

    Raises:
        ValueError: a run without the metric.

    Examples:
        >>> for seed in (0, 1):
        ...     path = motionhub.save_report(f"runs/mine/seed-{seed}", {"top1": 0.8 + 0.02 * seed})
        >>> print(motionhub.comparison_table(motionhub.find_runs(["runs/mine"]), "top1"))
        | run | top1 (%) | seeds | difference | standard error | p |
        |---|---|---|---|---|---|
        | mine | 81.0 ± 1.4 | 0, 1 | - | - | - |
    """
    first = next(iter(runs.values()))
    scale = 100.0 if all(0 <= run.metric(metric) <= 1 for each in runs.values() for run in each) else 1.0
    head = ["run", f"{metric} (%)" if scale == 100 else metric, "seeds", "difference", "standard error", "p"]
    rows = [[name, *_cells(each, first, metric, scale)] for name, each in runs.items()]
    if not latex:
        return "\n".join(
            [*markdown_head(head), *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)]
        )
    body = [f"{' & '.join(map(latex_text, row))} \\\\" for row in rows]
    top = ["\\begin{tabular}{llrrrr}", "\\toprule", f"{' & '.join(map(latex_text, head))} \\\\", "\\midrule"]
    return "\n".join([*top, *body, "\\bottomrule", "\\end{tabular}"])


def _cells(runs: Sequence[Run], first: Sequence[Run], metric: str, scale: float) -> list[str]:
    values = [scale * run.metric(metric) for run in runs]
    shown = f"{np.mean(values):.1f}" if scale == 100 else f"{np.mean(values):.4g}"
    if len(values) > 1:
        deviation = np.std(values, ddof=1)
        shown += f" ± {deviation:.1f}" if scale == 100 else f" ± {deviation:.2g}"
    seeds = ", ".join("-" if run.seed is None else str(run.seed) for run in runs)
    test = None if runs is first else paired_by_seed(first, runs, metric)
    if test is None:
        return [shown, seeds, "-", "-", "-"]
    error = "-" if test.standard_error is None else f"{scale * test.standard_error:.2g}"
    p_value = "-" if test.p_value is None else f"{test.p_value:.2g}"
    return [shown, seeds, f"{scale * test.mean:+.3g}", error, p_value]
