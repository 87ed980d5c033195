"""Charts of several runs: learning curves, confusion matrices side by side, and differences by class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.visualization.plots import DARK, SERIES, name_axes, new_figure, save_figure


def plot_learning_curves(
    curves: Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]], path: str | Path, *, label: str
) -> Path:
    """A metric over the updates: a colour for each name, a line for each of its runs.

    Args:
        curves: name -> `(updates, values)` of each run.
        path: the PNG to write.
        label: of the vertical axis.
    """
    figure, panels = new_figure(6.4, 4.0)
    axes = panels[0, 0]
    for place, (name, runs) in enumerate(curves.items()):
        for number, (updates, values) in enumerate(runs):
            look = {"color": SERIES[place % len(SERIES)], "linewidth": 1.4, "marker": "o", "markersize": 3}
            axes.plot(updates, values, label=name if number == 0 else None, **look)
    axes.set_xlabel("updates")
    axes.set_ylabel(label)
    axes.legend(fontsize=8, frameon=False)
    return save_figure(figure, path)


def plot_confusion_matrices(matrices: Mapping[str, Any], class_names: Sequence[str], path: str | Path) -> Path:
    """Confusion matrices side by side, in percent of each true class.

    Args:
        matrices: name -> `(num_classes, num_classes)` counts, row true, column predicted.
        class_names: one name per class.
        path: the PNG to write.

    Raises:
        ValueError: a matrix does not fit the names.
    """
    size, count = len(class_names), len(matrices)
    side = float(np.clip(0.3 * size + 1.5, 3.0, 14.0))
    figure, panels = new_figure(side * count + 1.5, side + 1.5, columns=count)
    for place, (name, matrix) in enumerate(matrices.items()):
        counts = np.asarray(matrix, dtype=np.float64)
        if counts.shape != (size, size):
            raise ValueError(f"{name}: expected a matrix ({size}, {size}), a row per class, got {counts.shape}.")
        totals = counts.sum(axis=1, keepdims=True)
        shown = np.divide(100 * counts, totals, out=np.zeros_like(counts), where=totals > 0)
        axes = panels[0, place]
        axes.imshow(shown, cmap="Blues", vmin=0, vmax=100)
        name_axes(axes, class_names if place == 0 else None, class_names)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("predicted")
    panels[0, 0].set_ylabel("true, percent of each class")
    return save_figure(figure, path)


def plot_class_differences(differences: Mapping[str, float], path: str | Path, *, title: str) -> Path:
    """A bar for each class: what it gains or loses, in points.

    Args:
        differences: class -> difference of its score in -1..1, in the order of the bars from the top.
        path: the PNG to write.
    """
    names, values = list(differences), 100 * np.array(list(differences.values()))
    figure, panels = new_figure(6.4, float(np.clip(0.28 * len(names) + 1.2, 2.2, 40.0)))
    axes = panels[0, 0]
    rows = np.arange(len(names))[::-1]
    axes.barh(rows, values, color=[SERIES[2] if value >= 0 else SERIES[1] for value in values], height=0.7)
    axes.axvline(0, color=DARK, linewidth=0.8)
    axes.set_yticks(rows, names, fontsize=8)
    axes.set_xlabel("points")
    axes.set_title(title, fontsize=10)
    axes.margins(y=0.01)
    return save_figure(figure, path)
