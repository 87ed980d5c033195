"""Charts as PNG, without pyplot's global state: confusion, classes, attention, refinement, actions over time."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.atomic import atomic_path
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import need


# Okabe and Ito's colour-blind safe set, then more; further labels repeat colours.
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4B4E54", "#8C6BB1", "#A6761D")
DARK, _GREY, _LINE = "#26282C", "#4B4E54", "#E2E4E8"
# Frames of a close-up, in which single frames are distinct.
_CLOSE = 150


def plot_confusion_matrix(matrix: Any, class_names: Sequence[str], path: str | Path) -> Path:
    """Confusion matrix as a heat map, in percent of each true class.

    Args:
        matrix: `(num_classes, num_classes)` counts, row true, column predicted.
        class_names: one name per class.
        path: the PNG to write.

    Raises:
        ValueError: the matrix is not square or does not fit the names.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    size = len(class_names)
    if counts.shape != (size, size):
        raise ValueError(f"matrix must be ({size}, {size}), one row and column per class name, got {counts.shape}.")
    totals = counts.sum(axis=1, keepdims=True)
    shown = np.divide(100 * counts, totals, out=np.zeros_like(counts), where=totals > 0)
    side = float(np.clip(0.45 * size + 2.5, 4.0, 24.0))
    figure, panels = new_figure(side, side)
    axes = panels[0, 0]
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=100)
    name_axes(axes, class_names, class_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if size <= 40:
        dark = shown > 0.55 * max(float(shown.max()), 1e-9)
        for row, column in zip(*np.nonzero(shown), strict=True):
            look = {"fontsize": 8 if size <= 20 else 5, "color": "white" if dark[row, column] else DARK}
            axes.text(column, row, f"{shown[row, column]:.0f}", ha="center", va="center", **look)
    axes.set_title("percent of each true class", fontsize=10)
    return save_figure(figure, path)


def plot_per_class(class_names: Sequence[str], values: Sequence[float | None], path: str | Path) -> Path:
    """A bar of accuracy per class, the highest at the top, with the mean as a line; None is a class without clips.

    Raises:
        ValueError: not one value per class.
    """
    if len(class_names) != len(values) or not len(values):
        raise ValueError(f"values must be one number per class ({len(class_names)}), got {len(values)}.")
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    order = np.argsort(np.where(np.isnan(numbers), -np.inf, numbers), kind="stable")
    figure, panels = new_figure(6.4, float(np.clip(0.28 * len(values) + 1.2, 2.2, 40.0)))
    axes = panels[0, 0]
    axes.barh(np.arange(len(order)), np.nan_to_num(numbers[order]), color=SERIES[0], height=0.7)
    for row, index in enumerate(order):
        text = "no clip" if np.isnan(numbers[index]) else f"{numbers[index]:.2f}"
        axes.text(np.nan_to_num(numbers[index]) + 0.01, row, text, va="center", fontsize=8, color=_GREY)
    axes.set_yticks(np.arange(len(order)), [class_names[index] for index in order], fontsize=8)
    axes.set_xlabel("accuracy")
    axes.set_xlim(0, max(1.1, 1.1 * float(np.nan_to_num(numbers).max())))
    axes.margins(y=0.01)
    if np.isfinite(numbers).any():
        mean = float(np.nanmean(numbers))
        axes.axvline(mean, color=SERIES[1], linewidth=1.2, label=f"mean {mean:.3f}")
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    return save_figure(figure, path)


def plot_dependencies(
    matrix: Any, layout: str | SkeletonLayout, path: str | Path, *, title: str | None = None
) -> Path:
    """Dependencies between joints: a heat map per head with named joints (thesis figure 3.9).

    Args:
        matrix: `(joints, joints)` or `(heads, joints, joints)`: weight of the row's joint for the column's joint, as
            in `SkeletonEncoderOutput.dependencies`; learned dependencies, attention maps or their sum. With a
            temporal window of tau frames the axes are tau * joints, frame by frame.
        layout: the layout of the joints.
        path: the PNG to write.

    Raises:
        ValueError: the matrix does not fit the layout.

    Examples:
        >>> import numpy as np
        >>> motionhub.plot_dependencies(np.eye(17), "coco-17", "joints.png").name
        'joints.png'
    """
    layout = get_layout(layout)
    joints, shape = layout.num_joints, np.shape(matrix)
    if len(shape) not in (2, 3) or shape[-1] != shape[-2] or shape[-1] % joints or not np.size(matrix):
        raise ValueError(
            f"matrix must be (heads, {joints}, {joints}) or ({joints}, {joints}) for layout {layout.name!r}, or a "
            f"multiple of {joints} for a window of several frames, got {shape}. "
            "Take one clip, person and block of outputs.dependencies."
        )
    frames = range(shape[-1] // joints)
    names = [f"{joint} +{frame}" if frame else joint for frame in frames for joint in layout.joints]
    return plot_attention(matrix, path, row_names=names, column_names=names, title=title)


def plot_attention(
    attention: Any,
    path: str | Path,
    *,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """An attention map (frames by frames, words by joints) as a heat map per head, all on one scale.

    The scale starts at zero, or is symmetric about zero when there are negative values.

    Args:
        attention: `(rows, columns)` or `(heads, rows, columns)`.
        row_names, column_names: numbers when None.

    Examples:
        >>> import numpy as np
        >>> motionhub.plot_attention(np.eye(4), "attention.png").name
        'attention.png'
    """
    heads = np.asarray(attention, dtype=np.float64)
    heads = heads[None] if heads.ndim == 2 else heads
    if heads.ndim != 3 or not heads.size:
        raise ValueError(f"attention must be (heads, rows, columns) or (rows, columns), got {np.shape(attention)}.")
    rows = _axis_names(row_names, heads.shape[1], "row_names")
    columns = _axis_names(column_names, heads.shape[2], "column_names")
    top = float(np.nanmax(np.abs(heads))) or 1.0
    negative = bool((heads < 0).any())
    width = float(np.clip(0.2 * len(columns), 2.6, 9.0))
    height = float(np.clip(0.2 * len(rows), 2.6, 9.0))
    figure, panels = new_figure(width * len(heads) + 2.2, height + 1.8, 1, len(heads))
    colours = {"cmap": "RdBu_r" if negative else "viridis", "vmin": -top if negative else 0.0, "vmax": top}
    for index, (axes, values) in enumerate(zip(panels.flat, heads, strict=True)):
        image = axes.imshow(values, aspect="auto", **colours)
        name_axes(axes, rows if index == 0 else None, columns)
        if len(heads) > 1:
            axes.set_title(f"head {index + 1}", fontsize=9)
    figure.colorbar(image, ax=list(panels.flat), shrink=0.85, pad=0.02)
    if title:
        figure.suptitle(title, fontsize=11)
    return save_figure(figure, path)


def _axis_names(names: Sequence[str] | None, count: int, argument: str) -> list[str]:
    if names is not None and len(names) != count:
        raise ValueError(f"{argument} must be {count} names, got {len(names)}.")
    return [str(name) for name in (range(count) if names is None else names)]


def plot_refinement(
    before: SkeletonSequence, after: SkeletonSequence, joint: str, path: str | Path, *, person: int = 0
) -> Path:
    """One row per coordinate: the whole motion on the left, the frames around the largest change on the right.

    Frames in which the joint is filled in are shaded.

    Args:
        before, after: the same people, frames and layout.
        joint: name of the joint to draw.
        path: the PNG to write.
        person: position of the person.

    Raises:
        ValueError: the sequences differ in shape, or there is no such person or joint.
    """
    if before.keypoints.shape != after.keypoints.shape:
        raise ValueError(
            f"before and after must be of one shape, got {before.keypoints.shape} and {after.keypoints.shape}."
        )
    index = before.layout.index(joint)
    tracks = [sequence.person(person).keypoints[0, :, index].astype(np.float64) for sequence in (before, after)]
    filled = np.isnan(tracks[0][:, 0]) & ~np.isnan(tracks[1][:, 0])
    first, end = _window(*tracks)
    figure, panels = new_figure(12, 1 + 2 * before.num_dims, rows=before.num_dims, columns=2)
    for axis, row in enumerate(panels):
        for axes, (start, stop) in zip(row, ((0, before.num_frames), (first, end)), strict=True):
            frames = np.arange(start, stop)
            close = stop - start <= 2 * _CLOSE
            axes.plot(frames, tracks[0][start:stop, axis], color=SERIES[1], lw=0.8, marker="." if close else "", ms=4)
            axes.plot(frames, tracks[1][start:stop, axis], color=SERIES[0], lw=1.2)
            shade = {"transform": axes.get_xaxis_transform(), "color": SERIES[2], "alpha": 0.15, "lw": 0}
            axes.fill_between(frames, 0, 1, where=filled[start:stop], **shade)
            if before.unit == "pixel" and axis == 1:
                axes.invert_yaxis()
        row[0].set_ylabel(f"{'xyz'[axis]} ({before.unit})")
    panels[0, 0].set_title("whole motion", fontsize=9)
    panels[0, 1].set_title(f"frames {first}-{end - 1}", fontsize=9)
    panels[0, 0].legend(["before", "after", "filled"], fontsize=8, ncols=3)
    for axes in panels[-1]:
        axes.set_xlabel("frame")
    figure.suptitle(f"{joint} of person {person}, before and after refinement", fontsize=11)
    return save_figure(figure, path)


def _window(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """Frames (first, end) around the largest change, or the first filled one."""
    change = np.linalg.norm(after - before, axis=-1)
    lacking = np.isnan(before[:, 0]) & ~np.isnan(after[:, 0])
    middle = int(np.nanargmax(change)) if (change > 0).any() else int(lacking.argmax())
    first = max(0, min(middle - _CLOSE // 2, len(before) - _CLOSE))
    return first, min(len(before), first + _CLOSE)


def plot_ribbon(
    rows: Iterable[Mapping[str, Any]],
    path: str | Path,
    *,
    duration: float | None = None,
    truth: Iterable[Mapping[str, Any]] | None = None,
    title: str | None = None,
    clock: str | None = None,
) -> Path:
    """A row per person and action, a bar per interval; darker bars have a higher `score`.

    Args:
        rows: output of `pipeline("action-segmentation")`.
        path: the PNG to write.
        duration: seconds shown; up to the last interval by default.
        truth: true rows, drawn as outlines.
        clock: time of day at which the recording starts, "HH:MM" or "HH:MM:SS"; None counts from 0. From two minutes
            on the axis is in minutes:seconds, from an hour on in hours:minutes.

    Raises:
        ValueError: `clock` is no time of day.

    Examples:
        >>> rows = [{"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9}]
        >>> path = motionhub.plot_ribbon(rows, "ribbon.png", duration=3.0)
    """
    found, true = list(rows), list(truth or ())
    lanes = list({_lane(row): None for row in [*found, *true]})
    end = duration or max((float(row["end_s"]) for row in [*found, *true]), default=1.0)
    # By person, then by first start of the action.
    begins = {lane: min((_span(row)[0] for row in found if _lane(row) == lane), default=np.inf) for lane in lanes}
    lanes.sort(key=lambda lane: (lane[0], begins[lane], lane[1]))
    labels = dict.fromkeys(label for _, label in lanes)
    colours = {label: SERIES[index % len(SERIES)] for index, label in enumerate(labels)}
    figure, panels = new_figure(9.0, float(np.clip(0.36 * len(lanes) + 1.3, 1.8, 40.0)))
    axes = panels[0, 0]
    for index in range(len(lanes)):
        axes.axhline(index, color=_LINE, linewidth=0.6, zorder=0)
    for row in found:
        look = {"facecolors": colours[str(row["label"])], "alpha": 0.45 + 0.55 * float(row.get("score", 1.0))}
        axes.broken_barh([_span(row)], (lanes.index(_lane(row)) - 0.3, 0.6), **look)
    for row in true:
        outline = {"facecolors": "none", "edgecolors": DARK, "linewidth": 1.0}
        axes.broken_barh([_span(row)], (lanes.index(_lane(row)) - 0.42, 0.84), **outline)
    names = [label if person == "clip" else f"{person}: {label}" for person, label in lanes]
    axes.set_yticks(range(len(lanes)), names, fontsize=8)
    axes.set_ylim(max(len(lanes), 1) - 0.5, -0.5)
    axes.set_xlim(0, end)
    _time_axis(axes, end, clock)
    if not lanes:
        axes.set_yticks([])
        axes.text(end / 2, 0, "no action", ha="center", va="center", fontsize=9, color=_GREY)
    axes.set_title(title or ("outline: true" if true else ""), fontsize=10)
    return save_figure(figure, path)


def plot_map(
    places: Any, labels: Sequence[str], path: str | Path, *, title: str = "", names: Sequence[str] = ()
) -> Path:
    """Motions as points in a plane, coloured by label; up to nine labels have a colour, the others are grey.

    Args:
        places: `(num_motions, 2)`.
        labels: one for each; empty for none.
        path: the PNG to write.
        names: written beside the points; none, or one for each.

    Raises:
        ValueError: not one label per place.
    """
    points = np.asarray(places, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels):
        raise ValueError(
            f"places must be (num_motions, 2) with a label each, got {points.shape}, {len(labels)} labels."
        )
    figure, panels = new_figure(8.0, 6.4)
    axes = panels[0, 0]
    for place, name in zip(points, names, strict=False):
        axes.annotate(name, place, (4, 2), textcoords="offset points", fontsize=7, color=_GREY)
    shown = [name for name, _ in Counter(label for label in labels if label).most_common(len(SERIES))]
    for label, colour in [("", _GREY), *zip(shown, SERIES, strict=False)]:
        chosen = np.array([each == label if label else each not in shown for each in labels])
        if chosen.any():
            axes.scatter(*points[chosen].T, s=18, color=colour, alpha=0.75, label=label or "other", lw=0)
    if shown:
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=10)
    return save_figure(figure, path)


# Seconds between the marks of a time axis.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600)


def _time_axis(axes: Any, end: float, clock: str | None) -> None:
    """Seconds; or, of longer recordings and of a time of day, marks at round times."""
    if clock is None and end < 120:
        axes.set_xlabel("seconds")
        return
    begin = 0 if clock is None else _seconds_of_day(clock)
    step = next((each for each in _STEPS if end / each <= 10), 12 * 3600)
    marks = np.arange(-(-begin // step) * step, begin + end + 1e-6, step)
    fine = step < 60 or (clock is None and end < 3600)

    def text(mark: float) -> str:
        minutes, seconds = divmod(round(mark), 60)
        if clock is None and end < 3600:
            return f"{minutes}:{seconds:02d}"
        hours = minutes // 60 % 24 if clock is not None else minutes // 60
        return f"{hours:02d}:{minutes % 60:02d}" + (f":{seconds:02d}" if fine else "")

    axes.set_xticks(marks - begin, [text(mark) for mark in marks], fontsize=8)
    kind = "minutes:seconds" if clock is None and end < 3600 else "hours:minutes" + (":seconds" if fine else "")
    axes.set_xlabel("time of day" if clock is not None else kind)


def _seconds_of_day(clock: str) -> int:
    parts = clock.split(":")
    numbers = [int(part) for part in parts if part.isdigit() and len(part) <= 2]
    if len(parts) not in (2, 3) or len(numbers) != len(parts) or numbers[0] > 23 or max(numbers[1:]) > 59:
        raise ValueError(f"clock must be a time of day such as 08:30 or 08:30:15, got {clock!r}.")
    return 3600 * numbers[0] + 60 * numbers[1] + (numbers[2] if len(numbers) == 3 else 0)


def plot_alarm_curve(
    curve: Sequence[Mapping[str, Any]], points: Mapping[str, Mapping[str, Any]], path: str | Path, title: str = ""
) -> Path:
    """Recall against false alarms per hour at every threshold, with named operating points.

    Args:
        curve, points: reports of `metrics.alarms.alarm_report` with their `threshold`.
        path: the PNG to write.

    Examples:
        >>> low = {"threshold": 0.3, "recall": 1.0, "false_alarms_per_hour": 4.0}
        >>> high = {"threshold": 0.9, "recall": 0.8, "false_alarms_per_hour": 0.0}
        >>> path = motionhub.plot_alarm_curve([low, high], {"fitted": high}, "alarms.png")
    """
    figure, panels = new_figure(5.6, 4.2)
    axes = panels[0, 0]
    ordered = sorted(curve, key=lambda point: point["threshold"])
    false, recall = ([point[name] for point in ordered] for name in ("false_alarms_per_hour", "recall"))
    axes.plot(false, recall, color=SERIES[0], marker="o", markersize=3, linewidth=1.2)
    for index, (name, point) in enumerate(points.items()):
        text = f"{name}: > {point['threshold']:.3g}, recall {point['recall']:.0%}"
        where = (point["false_alarms_per_hour"], point["recall"])
        axes.plot(*where, "o", color=SERIES[(index + 1) % len(SERIES)], markersize=9, label=text, zorder=3)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=-0.05)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("false alarms per hour")
    axes.set_ylabel("recall")
    axes.grid(color=_LINE, linewidth=0.6)
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    axes.set_title(title, fontsize=10)
    return save_figure(figure, path)


def _lane(row: Mapping[str, Any]) -> tuple[str, str]:
    return ("clip" if row["track_id"] is None else f"person {row['track_id']}", str(row["label"]))


def _span(row: Mapping[str, Any]) -> tuple[float, float]:
    """Start and duration in seconds."""
    return float(row["start_s"]), float(row["end_s"]) - float(row["start_s"])


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """A figure with the raster back end, and its axes `(rows, columns)`."""
    figure = need("matplotlib.figure").Figure(figsize=(width, height), dpi=120, layout="constrained")
    need("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def name_axes(axes: Any, rows: Sequence[str] | None, columns: Sequence[str]) -> None:
    """Names of the rows, if any, and columns of an image, smaller where there are many."""

    def small(names: Sequence[str]) -> float:
        return 8 if len(names) <= 30 else 5 if len(names) <= 60 else 3

    axes.set_xticks(np.arange(len(columns)), columns, rotation=90, fontsize=small(columns))
    if rows is None:
        axes.set_yticks([])
    else:
        axes.set_yticks(np.arange(len(rows)), rows, fontsize=small(rows))


def save_figure(figure: Any, path: str | Path) -> Path:
    """Save as PNG, whole or not at all, in a folder that is made if needed."""
    with atomic_path(path) as writing:
        figure.savefig(writing, format="png")
    return Path(path)
