"""The activity ribbon: who did what when, as coloured bars over time.

It does not know where the rows come from; `{"track_id", "start_s", "end_s", "label"}` come in, a PNG comes out.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.visualization.plots import new_figure, save_figure


# Okabe and Ito's colour-blind safe set, then lighter ones; labels beyond it share colours but never a row.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4B4E54", "#8C6BB1", "#A6761D")


def plot_ribbon(
    rows: Iterable[Mapping[str, Any]],
    path: str | Path,
    *,
    duration: float | None = None,
    truth: Iterable[Mapping[str, Any]] | None = None,
    title: str | None = None,
) -> Path:
    """A row per person and action, a bar per interval; darker means surer (where rows have a `score`).

    Args:
        rows: what `pipeline("action-segmentation")` gives.
        path: the PNG to write.
        duration: seconds shown; up to the last interval by default.
        truth: rows that are true, drawn as an outline above those that were found.

    Returns:
        the path written.
    """
    found, true = list(rows), list(truth or ())
    end = duration or max((float(row["end_s"]) for row in [*found, *true]), default=1.0)
    lanes = sorted({(_person(row), str(row["label"])) for row in [*found, *true]}, key=lambda lane: _key(lane, found))
    colours = {label: _COLOURS[index % len(_COLOURS)] for index, label in enumerate(_labels(lanes))}
    figure, panels = new_figure(9.0, float(np.clip(0.36 * len(lanes) + 1.3, 1.8, 40.0)))
    axes = panels[0, 0]
    for index, lane in enumerate(lanes):
        axes.axhline(index, color="#E2E4E8", linewidth=0.6, zorder=0)
        for row in (row for row in found if (_person(row), str(row["label"])) == lane):
            strength = 0.45 + 0.55 * float(row.get("score", 1.0))
            bar = [(float(row["start_s"]), float(row["end_s"]) - float(row["start_s"]))]
            axes.broken_barh(bar, (index - 0.3, 0.6), facecolors=colours[lane[1]], alpha=strength)
        for row in (row for row in true if (_person(row), str(row["label"])) == lane):
            bar = [(float(row["start_s"]), float(row["end_s"]) - float(row["start_s"]))]
            axes.broken_barh(bar, (index - 0.42, 0.84), facecolors="none", edgecolors="#26282C", linewidth=1.0)
    names = [label if person == "clip" else f"{person}: {label}" for person, label in lanes]
    axes.set_yticks(range(len(lanes)), names, fontsize=8)
    axes.set_ylim(max(len(lanes), 1) - 0.5, -0.5)
    axes.set_xlim(0, end)
    axes.set_xlabel("seconds")
    if not lanes:
        axes.set_yticks([])
        axes.text(end / 2, 0, "no action", ha="center", va="center", fontsize=9, color="#4B4E54")
    axes.set_title(title or ("outline: true" if true else ""), fontsize=10)
    return save_figure(figure, path)


def _person(row: Mapping[str, Any]) -> str:
    return "clip" if row["track_id"] is None else f"person {row['track_id']}"


def _labels(lanes: list[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(label for _, label in lanes))


def _key(lane: tuple[str, str], found: list[Mapping[str, Any]]) -> tuple[str, float, str]:
    """By person, then in the order in which actions begin."""
    starts = [float(row["start_s"]) for row in found if (_person(row), str(row["label"])) == lane]
    return (lane[0], min(starts, default=np.inf), lane[1])
