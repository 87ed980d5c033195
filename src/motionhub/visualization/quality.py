"""Charts of held-out scores of movement quality, as PNG: ROC, by subject, right against wrong, Bland-Altman."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.visualization.plots import new_figure, save_figure


_RIGHT, _WRONG, _GREY = "#0072B2", "#D55E00", "#4B4E54"


def plot_roc(false_rates: np.ndarray, true_rates: np.ndarray, area: float, path: str | Path) -> Path:
    """Receiver operating characteristic: rates `(thresholds,)` and the area under them."""
    figure, panels = new_figure(4.6, 4.4)
    axes = panels[0, 0]
    axes.plot(false_rates, true_rates, color=_RIGHT, lw=2, label=f"area {area:.2f}")
    axes.plot([0, 1], [0, 1], color=_GREY, lw=0.8, ls=":", label="chance 0.50")
    axes.set_xlabel("wrong movements called right")
    axes.set_ylabel("right movements called right")
    axes.set_aspect("equal")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return save_figure(figure, path)


def plot_right_and_wrong(scores: np.ndarray, truth: np.ndarray, path: str | Path) -> Path:
    """Histograms of the scores of right (truth 1) and wrong (0) clips."""
    figure, panels = new_figure(6.4, 3.2)
    axes, edges = panels[0, 0], np.linspace(scores.min(), max(scores.max(), scores.min() + 1e-6), 21)
    for value, name, colour in ((1, "right", _RIGHT), (0, "wrong", _WRONG)):
        chosen = scores[truth == value]
        axes.hist(chosen, edges, color=colour, alpha=0.55, label=f"{name} ({len(chosen)} clips)")
    axes.set_xlabel("score")
    axes.set_ylabel("clips")
    axes.legend(fontsize=8, frameon=False)
    return save_figure(figure, path)


def plot_by_subject(scores: np.ndarray, truth: np.ndarray, subjects: Sequence[str], path: str | Path) -> Path:
    """A row of points per subject, coloured from wrong to right; points of a row are spread so that all are seen."""
    names = sorted(set(subjects))
    figure, panels = new_figure(7.0, float(np.clip(0.4 * len(names) + 1.2, 2.2, 40)))
    axes, rows = panels[0, 0], np.array([names.index(name) for name in subjects], dtype=float)
    spread = np.random.default_rng(0).uniform(-0.22, 0.22, len(rows))
    points = axes.scatter(scores, rows + spread, c=truth, cmap="coolwarm_r", s=14, lw=0.3, edgecolors=_GREY)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("score")
    figure.colorbar(points, ax=axes, label="true score", pad=0.02)
    return save_figure(figure, path)


def plot_bland_altman(scores: np.ndarray, truth: np.ndarray, limits: Sequence[float], path: str | Path) -> Path:
    """Differences of two ratings over their mean; `limits`: lower limit of agreement, mean difference, upper limit."""
    figure, panels = new_figure(6.4, 3.8)
    axes, differences = panels[0, 0], scores - truth
    axes.scatter((scores + truth) / 2, differences, s=14, color=_RIGHT, alpha=0.6, lw=0)
    for value, name in zip(limits, ("lower limit", "mean", "upper limit"), strict=True):
        axes.axhline(value, color=_GREY, lw=1.0, ls="-" if name == "mean" else "--")
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(f"{name} {value:+.2f}", (1.0, value), (-4, 3), ha="right", fontsize=8, **place)
    axes.set_xlabel("mean of both ratings")
    axes.set_ylabel("model minus therapist")
    return save_figure(figure, path)
