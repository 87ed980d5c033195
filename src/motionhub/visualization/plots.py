"""Charts of results and of what a model looks at: confusion, classes, training, dependency and attention matrices.

It does not compute any metric; numbers come in, a PNG comes out. No global state of pyplot is touched.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.visualization.canvas import need


_SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4B4E54")


def plot_confusion_matrix(
    matrix: Any, class_names: Sequence[str], path: str | Path, *, normalise: bool = True, title: str | None = None
) -> Path:
    """Confusion matrix as a heat map with its numbers; rows are the true classes.

    Args:
        matrix: `(num_classes, num_classes)` counts, row true, column predicted.
        class_names: one name per class.
        path: the PNG to write.
        normalise: colour and numbers are percent of the row (of the true class); counts otherwise.

    Returns:
        the path written.

    Raises:
        ValueError: the matrix is not square or does not fit the names.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    size = len(class_names)
    if counts.shape != (size, size):
        raise ValueError(f"matrix must be ({size}, {size}), one row and column per class name, got {counts.shape}.")
    totals = counts.sum(axis=1, keepdims=True)
    shown = np.divide(100 * counts, totals, out=np.zeros_like(counts), where=totals > 0) if normalise else counts
    side = float(np.clip(0.45 * size + 2.5, 4.0, 24.0))
    figure, panels = new_figure(side, side)
    axes = panels[0, 0]
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=100 if normalise else None)
    _name_axes(axes, class_names, class_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if size <= 40:
        _write_numbers(axes, shown, 8 if size <= 20 else 5)
    axes.set_title(title or ("percent of each true class" if normalise else "clips"), fontsize=10)
    return save_figure(figure, path)


def plot_per_class(
    class_names: Sequence[str],
    values: Sequence[float | None],
    path: str | Path,
    *,
    label: str = "accuracy",
    title: str | None = None,
) -> Path:
    """A bar per class, the greatest at the top, with the mean as a line; None (a class without clips) is said so.

    Raises:
        ValueError: not one value per class.
    """
    if len(class_names) != len(values) or not len(values):
        raise ValueError(f"values must be one number per class ({len(class_names)}), got {len(values)}.")
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    order = np.argsort(np.where(np.isnan(numbers), -np.inf, numbers), kind="stable")
    figure, panels = new_figure(6.4, float(np.clip(0.28 * len(values) + 1.2, 2.2, 40.0)))
    axes = panels[0, 0]
    axes.barh(np.arange(len(order)), np.nan_to_num(numbers[order]), color=_SERIES[0], height=0.7)
    for row, index in enumerate(order):
        text = "no clip" if np.isnan(numbers[index]) else f"{numbers[index]:.2f}"
        axes.text(np.nan_to_num(numbers[index]) + 0.01, row, text, va="center", fontsize=8, color="#4B4E54")
    axes.set_yticks(np.arange(len(order)), [class_names[index] for index in order], fontsize=8)
    axes.set_xlabel(label)
    axes.set_xlim(0, max(1.1, 1.1 * float(np.nan_to_num(numbers).max())))
    axes.margins(y=0.01)
    if np.isfinite(numbers).any():
        mean = float(np.nanmean(numbers))
        axes.axvline(mean, color=_SERIES[1], linewidth=1.2, label=f"mean {mean:.3f}")
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    axes.set_title(title or "", fontsize=10)
    return save_figure(figure, path)


def plot_training(log: str | Path | Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Training curves from `log.jsonl`: a panel for each kind of number (loss, learning rate, metrics) over the steps.

    Args:
        log: the file, or its records: `{"kind": ..., "step": ..., "epoch": ..., name: number, ...}`.
        path: the PNG to write.

    Raises:
        ValueError: no number in the log.
    """
    series = _series(_records(log))
    if not series:
        raise ValueError(f"Expected records with 'kind', 'step' and numbers in the log, got none ({log!r:.80}).")
    names = sorted({name for _, name in series}, key=lambda name: ("loss" not in name, name))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, panels = new_figure(4.2 * columns, 2.8 * rows, rows, columns)
    for axes, name in zip(panels.flat, names, strict=False):
        for kind, colour in zip(sorted({kind for kind, other in series if other == name}), _SERIES, strict=False):
            steps, values = zip(*series[kind, name], strict=True)
            axes.plot(steps, values, color=colour, linewidth=1.3, marker="." if len(steps) < 40 else None, label=kind)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("update", fontsize=8)
        axes.legend(fontsize=8, frameon=False)
        axes.grid(color="#E2E4E8", linewidth=0.6)
    for axes in panels.flat[len(names) :]:
        axes.set_visible(False)
    return save_figure(figure, path)


def dependency_picture(
    matrix: Any, layout: str | SkeletonLayout, path: str | Path, *, title: str | None = None
) -> Path:
    """What each joint takes from each other joint: a heat map per head with the joints by name (thesis figure 3.9).

    Args:
        matrix: `(joints, joints)` or `(heads, joints, joints)`: the column's joint takes from the row's joint, as in
            `JointEncoderOutput.dependencies`; learned dependencies, attention maps or their sum. With a
            temporal window of tau frames the axes are tau * joints, frame by frame.
        layout: the layout of the joints.
        path: the PNG to write.

    Raises:
        ValueError: the matrix does not fit the layout.
    """
    layout = get_layout(layout)
    heads = np.asarray(matrix, dtype=np.float64)
    heads = heads[None] if heads.ndim == 2 else heads
    joints = layout.num_joints
    if heads.ndim != 3 or heads.shape[1] != heads.shape[2] or heads.shape[1] % joints or not heads.size:
        raise ValueError(
            f"matrix must be (heads, {joints}, {joints}) or ({joints}, {joints}) for layout {layout.name!r}, or a "
            f"multiple of {joints} for a window of several frames, got {np.shape(matrix)}. "
            "Take one clip, person and block of outputs.dependencies."
        )
    window = heads.shape[1] // joints
    names = [f"{joint} +{frame}" if frame else joint for frame in range(window) for joint in layout.joints]
    return _heat_maps(heads, names, names, path, title, [f"head {index + 1}" for index in range(len(heads))])


def attention_picture(
    attention: Any,
    path: str | Path,
    *,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """An attention map of any kind (frames by frames, words by joints) as a heat map per head.

    Args:
        attention: `(rows, columns)` or `(heads, rows, columns)`.
        row_names, column_names: numbers when None.
    """
    heads = np.asarray(attention, dtype=np.float64)
    heads = heads[None] if heads.ndim == 2 else heads
    if heads.ndim != 3 or not heads.size:
        raise ValueError(f"attention must be (heads, rows, columns) or (rows, columns), got {np.shape(attention)}.")
    rows = _axis_names(row_names, heads.shape[1], "row_names")
    columns = _axis_names(column_names, heads.shape[2], "column_names")
    return _heat_maps(heads, rows, columns, path, title, [f"head {index + 1}" for index in range(len(heads))])


def _axis_names(names: Sequence[str] | None, count: int, argument: str) -> list[str]:
    if names is not None and len(names) != count:
        raise ValueError(f"{argument} must be {count} names, got {len(names)}.")
    return [str(name) for name in (range(count) if names is None else names)]


def _heat_maps(
    heads: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    path: str | Path,
    title: str | None,
    names: Sequence[str],
) -> Path:
    """Maps side by side in one scale: from zero upwards, or symmetric about zero when there are negative values."""
    top = float(np.nanmax(np.abs(heads))) or 1.0
    negative = bool((heads < 0).any())
    width = float(np.clip(0.2 * len(columns), 2.6, 9.0))
    height = float(np.clip(0.2 * len(rows), 2.6, 9.0))
    figure, panels = new_figure(width * len(heads) + 2.2, height + 1.8, 1, len(heads))
    picture = None
    for index, (axes, values) in enumerate(zip(panels.flat, heads, strict=True)):
        picture = axes.imshow(
            values, cmap="RdBu_r" if negative else "viridis", vmin=-top if negative else 0.0, vmax=top, aspect="auto"
        )
        _name_axes(axes, rows if index == 0 else None, columns)
        if len(heads) > 1:
            axes.set_title(names[index], fontsize=9)
    figure.colorbar(picture, ax=list(panels.flat), shrink=0.85, pad=0.02)
    if title:
        figure.suptitle(title, fontsize=11)
    return save_figure(figure, path)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """A figure of its own with the raster back end, and its axes `(rows, columns)`."""
    figure = need("matplotlib.figure").Figure(figsize=(width, height), dpi=120, layout="constrained")
    need("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _name_axes(axes: Any, rows: Sequence[str] | None, columns: Sequence[str]) -> None:
    def small(names: Sequence[str]) -> float:
        return 8 if len(names) <= 30 else 5 if len(names) <= 60 else 3

    axes.set_xticks(np.arange(len(columns)), columns, rotation=90, fontsize=small(columns))
    if rows is None:
        axes.set_yticks([])
    else:
        axes.set_yticks(np.arange(len(rows)), rows, fontsize=small(rows))


def _write_numbers(axes: Any, values: np.ndarray, size: float) -> None:
    dark = values > 0.55 * max(float(values.max()), 1e-9)
    for row, column in zip(*np.nonzero(values), strict=True):
        colour = "white" if dark[row, column] else "#26282C"
        axes.text(column, row, f"{values[row, column]:.0f}", ha="center", va="center", fontsize=size, color=colour)


def _records(log: str | Path | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if not isinstance(log, str | Path):
        return list(log)
    records = []
    for line in Path(log).read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # the last line of a run that was killed
    return records


def _series(records: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """(kind, name of the number) -> (step, value) pairs."""
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for record in records:
        for name, value in record.items() if isinstance(record, Mapping) and "step" in record else ():
            if (
                name not in ("kind", "step", "epoch")
                and isinstance(value, int | float)
                and not isinstance(value, bool)
            ):
                series.setdefault((str(record.get("kind", "")), name), []).append((record["step"], float(value)))
    return series


def save_figure(figure: Any, path: str | Path) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    return path
