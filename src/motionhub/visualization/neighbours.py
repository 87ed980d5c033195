"""Search results as pictures: each query on the left, what was found to the right of it; poses, or moving clips.

It does not know how the search was done; needs the extra `viz`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.animate import ACCENT
from motionhub.visualization.canvas import FAINT, INK, Canvas, View, body_size, draw_body, fit, viewed
from motionhub.visualization.side_by_side import animate_side_by_side


# A sequence, the person and frame to show, and a line below.
Pose = tuple[SkeletonSequence, int, int, str]


def draw_neighbours(
    rows: Sequence[Sequence[Pose]],
    path: str | Path,
    *,
    titles: Sequence[str] | None = None,
    view: View = "front",
    size: int = 180,
) -> Path:
    """A PNG with a row for each query: the query, a line, then what was found, nearest first (CV-MIM, figure 4).

    Args:
        rows: poses, the query first.
        titles: one line above each row.
        view: for 3-D, as in `draw_frame`.
        size: width and height of a pose in pixels.

    Raises:
        ValueError: no row, an empty one, or another number of titles.
        ImportError: the extra `viz` is not installed.
    """
    if not rows or not all(rows) or (titles is not None and len(titles) != len(rows)):
        raise ValueError(
            f"Expected rows of poses and a title for each, got {[len(row) for row in rows]} and {titles}."
        )
    top, below, gap = (24 if titles else 4), 18, 16
    height, columns = top + size + below, max(map(len, rows))
    canvas = Canvas(columns * size + gap, len(rows) * height)
    for index, row in enumerate(rows):
        y = index * height
        if titles:
            canvas.text(8, y + 13, titles[index], 14, INK)
        canvas.line(np.array([[size + gap / 2, y + top], [size + gap / 2, y + top + size]]), ACCENT, 2)
        for column, pose in enumerate(row):
            left = column * size + (gap if column else 0)
            _draw_pose(canvas, pose, (left, y + top, left + size, y + top + size), view)
            text = canvas.shortened(pose[3], 11, size - 8)
            canvas.text(left + size / 2, y + top + size + 8, text, 11, INK if column == 0 else FAINT, "mm")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.finished().save(path, format="PNG")
    return path


def animate_neighbours(clips: Sequence[tuple[SkeletonSequence, str]], path: str | Path, view: View = "front") -> Path:
    """A GIF with a panel for each clip, the query first; see `animate_side_by_side`."""
    return animate_side_by_side([clip for clip, _ in clips], path, titles=[text for _, text in clips], view=view)


def _draw_pose(canvas: Canvas, pose: Pose, box: tuple[float, float, float, float], view: View) -> None:
    sequence, person, frame, _ = pose
    points, depth = viewed(sequence, view)
    shown = points[person, frame]
    place = fit(shown, box, margin=0.1)
    height = body_size(shown[None, None]) * place.scale
    draw_body(canvas, place(shown), depth[person, frame], sequence.layout, height, 0)
