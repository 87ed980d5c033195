"""The ribbon shows bars where the actions are: pixels are read back from the image."""

from pathlib import Path

import numpy as np
import pytest


image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")

from motionhub.visualization.plots import _time_axis, new_figure, plot_ribbon  # noqa: E402


def coloured_columns(path: Path) -> np.ndarray:
    """Columns of the image with the first label's blue."""
    pixels = np.asarray(image.open(path).convert("RGB")).astype(int)
    blue = np.abs(pixels - [0, 0x72, 0xB2]).sum(axis=2) < 30
    return np.flatnonzero(blue.sum(axis=0) > 5)


def test_bars_are_as_wide_as_the_actions_last(tmp_path: Path) -> None:
    row = {"track_id": 0, "label": "walk", "score": 1.0, "start_s": 0.0, "end_s": 4.0}
    short = coloured_columns(plot_ribbon([row], tmp_path / "short.png", duration=8))
    long = coloured_columns(plot_ribbon([{**row, "end_s": 8.0}], tmp_path / "long.png", duration=8))
    assert len(short) / len(long) == pytest.approx(0.5, abs=0.02)
    assert short[0] == long[0]


def test_empty_ribbon_and_truth_are_drawn(tmp_path: Path) -> None:
    assert plot_ribbon([], tmp_path / "empty.png").stat().st_size > 1000
    row = {"track_id": None, "label": "walk", "start_s": 1.0, "end_s": 4.0}
    assert plot_ribbon([], tmp_path / "truth.png", truth=[row]).stat().st_size > 1000


@pytest.mark.parametrize(
    ("end", "clock", "texts"),
    [
        (90.0, None, None),
        (600.0, None, ["0:00", "1:00"]),
        (7200.0, None, ["00:00", "00:15"]),
        (90.0, "23:59:30", ["23:59:30", "23:59:40"]),
        (3600.0, "08:20", ["08:20", "08:30"]),
    ],
)
def test_the_axis_counts_as_people_do(end, clock, texts):
    figure, panels = new_figure(9, 2)
    axes = panels[0, 0]
    axes.set_xlim(0, end)
    _time_axis(axes, end, clock)
    if texts is None:
        assert axes.get_xlabel() == "seconds"
    else:
        assert [label.get_text() for label in axes.get_xticklabels()][:2] == texts


def test_no_time_of_day_is_refused(tmp_path):
    for clock in ("8", "25:00", "08:61", "morning"):
        with pytest.raises(ValueError, match="time of day"):
            plot_ribbon([], tmp_path / "x.png", clock=clock)
