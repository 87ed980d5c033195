"""Several clips beside each other in one GIF, in step in time: a motion, the body it goes to, and what came of it.

It does not know models or where the clips come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.animate import frame_durations, shared_palette
from motionhub.visualization.canvas import FAINT, FLOOR, INK, Canvas, View, body_size, draw_body, fit, need, viewed


if TYPE_CHECKING:
    from PIL.Image import Image

_TOP, _BOTTOM = 34, 22


@dataclass(frozen=True)
class _Panel:
    """One clip, in the pixels of the picture."""

    sequence: SkeletonSequence
    pixels: np.ndarray  # (people, frames, joints, 2)
    depth: np.ndarray
    body: float

    def frame_at(self, seconds: float) -> int:
        """The frame shown then; the last one after the end."""
        return min(int(seconds * self.sequence.fps + 0.5), self.sequence.num_frames - 1)


def animate_side_by_side(
    sequences: Sequence[SkeletonSequence],
    path: str | Path,
    *,
    titles: Sequence[str] | None = None,
    follow: bool = True,
    view: View = "front",
    size: int = 320,
    max_frames: int = 600,
) -> Path:
    """Writes a GIF with a panel for each clip, which plays as long as the first; a shorter clip stays at its end.

    Args:
        sequences: clips of any layouts, people, frame rates and units; each is scaled to fill its panel.
        path: the GIF to write.
        titles: one line above each panel.
        follow: True keeps the people in the middle of their panel, False shows how they move across.
        view: for 3-D, as in `draw_frame`.
        size: width and height of a panel in pixels.
        max_frames: a longer clip is thinned evenly to so many frames; it plays as long as before.

    Returns:
        the path written.

    Raises:
        ValueError: no clip, one without frames, or another number of titles.
        ImportError: the extra `viz` is not installed.
    """
    if not sequences or not all(sequence.num_frames for sequence in sequences):
        frames = [sequence.num_frames for sequence in sequences]
        raise ValueError(f"Expected one or more clips with at least one frame each, got frames {frames}.")
    if titles is not None and len(titles) != len(sequences):
        raise ValueError(f"titles must be {len(sequences)} texts, one per clip, got {len(titles)}.")
    panels = [_panel(sequence, index, follow, view, size) for index, sequence in enumerate(sequences)]
    background = _background(titles or [""] * len(panels), size)
    first = sequences[0]
    count = min(first.num_frames, max(1, max_frames))
    moments = np.linspace(0, first.num_frames - 1, count).round() / first.fps
    palette = shared_palette([_drawn(background, panels, moment) for moment in moments[:: -(-count // 4)]])
    undithered = need("PIL.Image").Dither.NONE
    images = [_drawn(background, panels, moment).quantize(palette=palette, dither=undithered) for moment in moments]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    durations = frame_durations(count, first.fps * count / first.num_frames)
    images[0].save(path, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return path


def _panel(sequence: SkeletonSequence, index: int, follow: bool, view: View, size: int) -> _Panel:
    points, depth = viewed(sequence, view)
    if follow:
        points = points - _middles(points)
    place = fit(points, (index * size, _TOP, (index + 1) * size, _TOP + size - _BOTTOM), margin=0.06)
    return _Panel(sequence, place(points), depth, body_size(points) * place.scale)


def _middles(points: np.ndarray) -> np.ndarray:
    """`(1, frames, 1, 2)` middle of the box around everybody, held where nobody is seen."""
    middles = np.zeros((1, points.shape[1], 1, 2))
    last = np.zeros(2)
    for frame in range(points.shape[1]):
        seen = points[:, frame][np.isfinite(points[:, frame]).all(axis=-1)]
        last = (seen.min(axis=0) + seen.max(axis=0)) / 2 if len(seen) else last
        middles[0, frame, 0] = last
    return middles


def _background(titles: Sequence[str], size: int) -> Canvas:
    canvas = Canvas(size * len(titles), _TOP + size)
    for index, title in enumerate(titles):
        canvas.text((index + 0.5) * size, _TOP / 2 + 2, canvas.shortened(title, 15, size - 16), 15, INK, "mm")
        if index:
            canvas.line(np.array([[index * size, 8.0], [index * size, _TOP + size - _BOTTOM]]), FLOOR, 1.5)
    return canvas


def _drawn(background: Canvas, panels: Sequence[_Panel], seconds: float) -> "Image":
    canvas = background.copy()
    for panel in panels:
        frame = panel.frame_at(seconds)
        for person in reversed(range(panel.sequence.num_people)):
            draw_body(
                canvas,
                panel.pixels[person, frame],
                panel.depth[person, frame],
                panel.sequence.layout,
                panel.body,
                person,
            )
    canvas.text(canvas.width - 10, canvas.height - 10, f"{seconds:.2f} s", 11, FAINT, "rm")
    return canvas.finished()
