"""Charts of what `motionhub.kinematics` measures, as PNG."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motionhub.kinematics.compare import mean_of
from motionhub.visualization.draw import skeleton_strip
from motionhub.visualization.plots import new_figure, save_figure


if TYPE_CHECKING:
    from motionhub.kinematics.compare import Comparison
    from motionhub.kinematics.measurements import Measurements
    from motionhub.kinematics.repetitions import Repetitions

# Sides as in every drawing of a body: left blue, right orange-red.
SIDE_COLOURS = {"left": "#0072B2", "right": "#D55E00", "": "#4B4E54"}
_PAIR = ("#4B4E54", "#009E73")
_COLUMNS = 3


def plot_measurements(measured: "Measurements", path: str | Path, *, person: int = 0, title: str = "") -> Path:
    """A panel per angle over time, left and right in one.

    Args:
        measured: output of `motionhub.measure`.
        path: the PNG to write.
        person: position of the person.

    Raises:
        ValueError: no such person, or no angle.
    """
    if not 0 <= person < len(measured.track_ids) or not measured.angle_names:
        people, angles = len(measured.track_ids), len(measured.angle_names)
        raise ValueError(f"Expected a person with angles, got person {person} of {people} and {angles} angles.")
    panels = list(dict.fromkeys(_without_side(name) for name in measured.angle_names))
    rows = -(-len(panels) // _COLUMNS)
    figure, axes = new_figure(4.2 * _COLUMNS, 2.1 * rows + 0.5, rows, _COLUMNS)
    for panel, each in zip(panels, axes.flat, strict=False):
        _draw_panel(each, measured, person, panel)
    for each in axes.flat[len(panels) :]:
        each.set_axis_off()
    axes.flat[0].legend(fontsize=8, frameon=False, loc="best")
    figure.suptitle(title or f"person {measured.track_ids[person]}", fontsize=11)
    return save_figure(figure, path)


def _draw_panel(axes: Any, measured: "Measurements", person: int, panel: str) -> None:
    for name in (name for name in measured.angle_names if _without_side(name) == panel):
        side = name.partition("_")[0] if name != panel else ""
        values = measured.angle(name)[person]
        axes.plot(measured.times, values, color=SIDE_COLOURS[side], lw=1.3, label=side or "trunk")
        if not np.isfinite(values).any():
            axes.text(0.5, 0.5, "missing", transform=axes.transAxes, ha="center", color=SIDE_COLOURS[""])
    axes.set_title(panel.replace("_", " "), fontsize=9)
    axes.set_ylabel("degrees", fontsize=8)
    axes.set_xlabel("seconds", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(color="#E2E4E8", lw=0.6)


def plot_repetitions(found: "Repetitions", path: str | Path, *, title: str = "") -> Path:
    """The principal motion with each stroke shaded and its turn marked, above the distances of all poses.

    Args:
        found: one person of `motionhub.repetitions`.
        path: the PNG to write.

    Raises:
        ValueError: the motion was too short or had too few joints, so that there is nothing to draw.
    """
    if not len(found.times):
        raise ValueError(f"Expected a person with a principal motion, got none: {found.reason}.")
    figure, axes = new_figure(9.0, 8.0, 2, 1)
    above, below = axes[:, 0]
    figure.get_layout_engine().set(hspace=0.04)
    above.plot(found.times, found.signal, color=SIDE_COLOURS[""], lw=1.2)
    for number, row in enumerate(found.rows, start=1):
        above.axvspan(row["start_s"], row["end_s"], color=SIDE_COLOURS["left"], alpha=0.12 + 0.1 * (number % 2), lw=0)
        height = float(np.interp(row["turn_s"], found.times, found.signal))
        above.plot(row["turn_s"], height, "o", color=SIDE_COLOURS["right"], ms=4)
        above.annotate(str(number), (row["turn_s"], height), (0, 5), textcoords="offset points", ha="center", size=8)
    above.margins(x=0, y=0.15)
    above.set_ylabel("principal motion (body sizes)", fontsize=8)
    end = float(found.times[-1])
    image = below.imshow(found.distances, origin="lower", extent=(0, end, 0, end), cmap="viridis_r", aspect="auto")
    figure.colorbar(image, ax=below, pad=0.01, label="distance of poses (body sizes)")
    below.set_xlabel("seconds", fontsize=8)
    below.set_ylabel("seconds", fontsize=8)
    counted = f"{found.count} {found.kind}s" if found.count else f"no repetition: {found.reason}"
    figure.suptitle(f"{title}: {counted}" if title else counted, fontsize=11)
    return save_figure(figure, path)


def plot_comparison(
    found: "Comparison", path: str | Path, *, names: tuple[str, str] = ("first", "second"), most: int = 4
) -> Path:
    """Both typical movements as strips of poses at the same moments, above the angles that differ most.

    Args:
        found: output of `motionhub.compare`.
        path: the PNG to write.
        names: of the recordings.
        most: number of angles.
    """
    worst = sorted(found.rows(), key=lambda row: -abs(row["difference"] or 0))
    angles = list(dict.fromkeys(row["angle"] for row in worst if row["difference"] is not None))[:most]
    figure, axes = new_figure(10.0, 4.2 + 1.7 * len(angles), 2 + len(angles), 1)
    frames = np.unique(np.linspace(0, len(found.phases) - 1, 8).round().astype(int)).tolist()
    for each, motion, name in zip(axes[:2, 0], found.pair, names, strict=True):
        each.imshow(skeleton_strip(motion, frames=frames, size=260))
        each.set_axis_off()
        each.set_title(name, fontsize=10, loc="left")
    share = np.linspace(0, 100, len(found.phases))
    for each, angle in zip(axes[2:, 0], angles, strict=True):
        for curves, name, colour in zip(found.curves, names, _PAIR, strict=True):
            values = curves[..., found.angle_names.index(angle)]
            each.plot(share, values.T, color=colour, lw=0.5, alpha=0.35)
            each.plot(share, mean_of(values, 0), color=colour, lw=2.0, label=name)
        each.set_ylabel("degrees", fontsize=8)
        each.set_title(angle.replace("_", " "), fontsize=9)
        each.grid(color="#E2E4E8", lw=0.6)
    if angles:
        axes[2, 0].legend(fontsize=8, frameon=False)
    axes[-1, 0].set_xlabel("percent of the movement", fontsize=8)
    return save_figure(figure, path)


def _without_side(name: str) -> str:
    side, _, rest = name.partition("_")
    return rest if side in ("left", "right") else name
