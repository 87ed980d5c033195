"""GIFs of skeletons: a clip with labels, scores and a timeline; several clips side by side."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motionhub.atomic import atomic_path
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import (
    ACCENT,
    FAINT,
    FLOOR,
    INK,
    LEFT,
    MIDDLE,
    PAPER,
    RIGHT,
    Canvas,
    Colour,
    View,
    middles,
    missing_text,
    mixed,
    need,
    placed,
    side_colour,
    viewed,
)


if TYPE_CHECKING:
    from PIL.Image import Image

# Colours of the timeline, from Okabe and Ito's set, distinct from left and right.
SEGMENTS: tuple[Colour, ...] = (
    (0, 158, 115),
    (230, 159, 0),
    (86, 180, 233),
    (204, 121, 167),
    (120, 94, 240),
    (190, 180, 40),
    (140, 86, 75),
)
_COLOURS = 128
_PANEL = 270
_ROW = 42
_TIMELINE = 46
_LANE = 30  # of each further person
_TOP, _BOTTOM = 34, 22  # margins of the panels of several clips
_MAX_FRAMES = 600


def animate(
    sequence: SkeletonSequence,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    frame_labels: Sequence[str | None] | None = None,
    intervals: Sequence[Mapping[str, Any]] | None = None,
    scores: Sequence[Mapping[str, Any]] | Sequence[tuple[str, float]] | np.ndarray | None = None,
    score_names: Sequence[str] | None = None,
    title: str | None = None,
    top_k: int = 5,
    fps: float | None = None,
    view: View = "front",
    size: int = 400,
    max_frames: int = _MAX_FRAMES,
) -> Path:
    """Write the clip as a looping GIF; returns its path.

    Args:
        sequence: 2-D pixels (y down) or 3-D (y up), all people in one image.
        path: the GIF to write.
        labels: one text per person, above the head.
        frame_labels: one text (or None) per frame: coloured segments on the timeline, and the current one as text.
        intervals: rows of a segmentation pipeline, for clips of several people: a timeline per person, with the name
            of each action, whole, above the head of who does it.
        scores: a pipeline's output (`[{"label": ..., "score": ...}, ...]`), or `(label, score)` pairs, for the whole
            clip; or an array `(num_frames, num_labels)` with `score_names`, for bars that move.
        score_names: the labels of an array of scores.
        title: a line at the top.
        top_k: number of bars.
        fps: of playback; the clip's when None. GIF counts time in hundredths of a second.
        view: for 3-D, as in `draw_frame`.
        size: width and height of the part with the skeletons, in pixels.
        max_frames: a longer clip is thinned evenly to this number of frames; its duration stays.

    Raises:
        ValueError: no frame to draw, or labels or scores that do not fit the clip.
        ImportError: the extra `viz` is not installed.

    Examples:
        >>> path = motionhub.animate(motionhub.generate("wave", seed=0, num_frames=10), "wave.gif")
    """
    if sequence.num_frames == 0:
        raise ValueError("Expected a clip with at least one frame to animate, got 0 frames.")
    if labels is not None and len(labels) != sequence.num_people:
        raise ValueError(f"labels must be {sequence.num_people} texts, one per person, got {len(labels)}.")
    if frame_labels is not None and len(frame_labels) != sequence.num_frames:
        raise ValueError(f"frame_labels must be {sequence.num_frames} texts, one per frame, got {len(frame_labels)}.")
    if intervals is not None and (labels is not None or frame_labels is not None):
        raise ValueError("intervals name the actions of every person; pass them without labels and frame_labels.")
    names, values = _score_table(scores, score_names, sequence.num_frames)
    lanes = None if intervals is None else _labels_of_people(intervals, sequence)
    page = _Page(sequence, names, values, labels, frame_labels, title, top_k, view, size, lanes)
    moments = np.linspace(0, sequence.num_frames - 1, min(sequence.num_frames, max(1, max_frames))).round().astype(int)
    return _write_gif(path, moments, (fps or sequence.fps) * len(moments) / sequence.num_frames, page.drawn)


def _score_table(
    scores: Any, names: Sequence[str] | None, num_frames: int
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Names and `(num_frames, num_names)` scores; scores of the whole clip are repeated."""
    if scores is None:
        return (), None
    if isinstance(scores, np.ndarray):
        if names is None or scores.shape != (num_frames, len(names)):
            raise ValueError(
                f"An array of scores must have shape (num_frames, num_labels) = ({num_frames}, {len(names or ())}) "
                f"with score_names naming its columns, got {scores.shape}."
            )
        return tuple(names), np.nan_to_num(scores.astype(np.float64))
    pairs = [(item["label"], item["score"]) if isinstance(item, Mapping) else tuple(item) for item in scores]
    values = np.array([float(score) for _, score in pairs])
    return tuple(str(label) for label, _ in pairs), np.repeat(values[None], num_frames, axis=0)


def _labels_of_people(rows: Sequence[Mapping[str, Any]], sequence: SkeletonSequence) -> dict[int, list[str | None]]:
    """The action of each frame, by track id, of the people who have one."""
    tracks = sequence.track_ids or ()
    unknown = sorted({row["track_id"] for row in rows} - {*tracks})
    if unknown:
        raise ValueError(f"intervals must be of people of the clip, {list(tracks)}, got {unknown[:5]}.")
    times = (np.arange(sequence.num_frames) + 0.5) / sequence.fps
    lanes: dict[int, list[str | None]] = {track: [None] * sequence.num_frames for track in tracks}
    for row in rows:
        for frame in np.flatnonzero((times >= row["start_s"]) & (times < row["end_s"])):
            lanes[row["track_id"]][frame] = str(row["label"])
    return lanes


class _Page:
    """One clip with labels, scores and a timeline; the static background is drawn once."""

    def __init__(
        self,
        sequence: SkeletonSequence,
        names: tuple[str, ...],
        scores: np.ndarray | None,  # (frames, names)
        labels: Sequence[str] | None,
        frame_labels: Sequence[str | None] | None,
        title: str | None,
        top_k: int,
        view: View,
        size: int,
        lanes: Mapping[int, Sequence[str | None]] | None = None,  # by track id
    ) -> None:
        self.sequence, self.names, self.scores, self.top_k = sequence, names, scores, top_k
        self.labels, self.frame_labels = labels or (), frame_labels
        self.lanes = lanes or {}
        shown = [*(frame_labels or ()), *(text for lane in self.lanes.values() for text in lane)]
        different = dict.fromkeys(text for text in shown if text is not None)
        self.timeline = _TIMELINE + _LANE * max(0, len(self.lanes) - 1)
        self.colours = {text: SEGMENTS[index % len(SEGMENTS)] for index, text in enumerate(different)}
        top = 40 if title else 8
        width = size + (_PANEL if scores is not None else 0)
        height = top + max(size, 70 + _ROW * min(top_k, len(names))) + self.timeline
        left, top, right, bottom = self.stage = (0, top, size, height - self.timeline)
        self.background = canvas = Canvas(width, height)
        if title:
            canvas.text(16, 23, canvas.shortened(title, 17, width - 32), 17, INK)
        points, depth = viewed(sequence, view)
        # Space above the heads for the labels.
        self.bodies = placed(sequence.layout, points, depth, (left, top + 22, right, bottom - 14), margin=0.05)
        canvas.floor(left + 16, right - 16, self.bodies.floor() + 5, view, sequence.num_dims)
        for x, side, colour in ((left + 20, "left", LEFT), (left + 66, "right", RIGHT)):
            canvas.dot(np.array([x, bottom - 4]), colour, 4)
            canvas.text(x + 8, bottom - 4, side, 11, mixed(colour, MIDDLE, 0.3))
        if scores is not None:
            canvas.bar((size, top, width - 12, bottom), (247, 248, 250), radius=10)
        self._draw_timeline(canvas)

    def drawn(self, frame: int) -> "Image":
        """The image of a frame."""
        canvas = self.background.copy()
        points = self.bodies.pixels[:, frame]
        self.bodies.draw(canvas, frame)
        for person, text in enumerate(self.labels):
            self._draw_label(canvas, points[person], text, person)
        for person, (track, lane) in enumerate(self.lanes.items()):
            text = f"{track}" if lane[frame] is None else f"{track}: {lane[frame]}"
            self._draw_label(canvas, points[person], text, person)
        if not np.isfinite(points).any():
            middle = (self.stage[1] + self.stage[3]) / 2
            canvas.text(self.stage[2] / 2, middle, missing_text(self.sequence), 15, FAINT, "mm")
        if self.scores is not None:
            self._draw_scores(canvas, self.scores[frame])
        self._draw_moment(canvas, frame)
        return canvas.finished()

    def _timeline_x(self, frame: float) -> float:
        return 16 + frame / self.sequence.num_frames * (self.background.width - 32)

    def _draw_timeline(self, canvas: Canvas) -> None:
        if not self.lanes:
            self._draw_lane(canvas, canvas.height - 16, self.frame_labels or ())
        for number, (track, lane) in enumerate(self.lanes.items()):
            y = canvas.height - self.timeline + 30 + _LANE * number
            canvas.text(8, y, str(track), 11, side_colour("", number), "mm")
            self._draw_lane(canvas, y, lane)

    def _draw_lane(self, canvas: Canvas, y: float, labels: Sequence[str | None]) -> None:
        """A bar per action; its name above, where the whole of it fits, and else nothing."""
        end = 0
        canvas.bar((16, y - 3, canvas.width - 16, y + 3), FLOOR, radius=3)
        for label, run in groupby(labels):
            start, end = end, end + len(list(run))
            if label is not None:
                left, right = self._timeline_x(start), self._timeline_x(end)
                canvas.bar((left, y - 6, right, y + 6), self.colours[label], radius=3)
                half = canvas.text_width(label, 11) / 2
                if half <= (right - left) / 2 + 6:
                    x = float(np.clip((left + right) / 2, half + 2, canvas.width - half - 2))
                    canvas.text(x, y - 13, label, 11, MIDDLE, "mm")

    def _draw_label(self, canvas: Canvas, points: np.ndarray, text: str, person: int) -> None:
        valid = points[np.isfinite(points).all(axis=-1)]
        if not len(valid):
            return
        half = canvas.text_width(text, 13) / 2 + 8
        middle = (valid[:, 0].min() + valid[:, 0].max()) / 2
        x = float(np.clip(middle, half + 4, max(self.stage[2] - half - 4, half + 4)))
        y = max(float(valid[:, 1].min()) - self.bodies.size * 0.055 - 16, self.stage[1] + 8)
        canvas.bar((x - half, y - 10, x + half, y + 10), side_colour("", person), radius=10)
        canvas.text(x, y, text, 13, PAPER, "mm")

    def _draw_scores(self, canvas: Canvas, values: np.ndarray) -> None:
        """Bars of the `top_k` labels, highest first."""
        left, right = self.stage[2] + 18, canvas.width - 30
        top = self.stage[1] + 24
        canvas.text(left, top, "scores", 12, FAINT)
        for rank, label in enumerate(np.argsort(-values, kind="stable")[: self.top_k]):
            y = top + 30 + rank * _ROW
            value = float(np.clip(values[label], 0, 1))
            colour = ACCENT if rank == 0 else mixed(ACCENT, (170, 174, 180), 0.75)
            ink = INK if rank == 0 else MIDDLE
            canvas.text(left, y, canvas.shortened(self.names[label], 14, right - left - 50), 14, ink)
            canvas.text(right, y, f"{values[label]:.2f}", 13, ink, "rm")
            canvas.bar((left, y + 12, right, y + 18), (228, 231, 235), radius=3)
            canvas.bar((left, y + 12, left + value * (right - left), y + 18), colour, radius=3)

    def _draw_moment(self, canvas: Canvas, frame: int) -> None:
        """The play head, the time, and the label of this frame."""
        y, x = canvas.height - 16, self._timeline_x(frame + 0.5)
        if self.lanes:
            top = canvas.height - self.timeline + 22
            canvas.line(np.array([[x, top], [x, y + 6]]), INK, 1.5)
        elif self.frame_labels is None:
            canvas.bar((16, y - 3, x, y + 3), mixed(ACCENT, PAPER, 0.35), radius=3)
        canvas.dot(np.array([x, y]), INK, 7)
        canvas.dot(np.array([x, y]), PAPER, 3)
        _, top, right, bottom = self.stage
        canvas.text(right - 16, bottom - 4, f"{frame / self.sequence.fps:.2f} s", 11, FAINT, "rm")
        label = self.frame_labels[frame] if self.frame_labels else None
        if label is not None:
            canvas.text(right / 2, top + 8, label, 15, mixed(self.colours[label], INK, 0.35), "mm")


def animate_side_by_side(
    sequences: Sequence[SkeletonSequence],
    path: str | Path,
    *,
    titles: Sequence[str] | None = None,
    view: View = "front",
    size: int = 320,
) -> Path:
    """Write a GIF as long as the first clip, with a panel for each; shorter clips hold their last frame.

    Args:
        sequences: clips of any layouts, people, frame rates and units; each is centred and scaled to fill its panel.
        path: the GIF to write.
        titles: one line above each panel.
        view: for 3-D, as in `draw_frame`.
        size: width and height of a panel in pixels.

    Raises:
        ValueError: no clip, one without frames, or another number of titles.
        ImportError: the extra `viz` is not installed.

    Examples:
        >>> clips = [motionhub.generate(action, seed=0, num_frames=6) for action in ("wave", "squat")]
        >>> motionhub.animate_side_by_side(clips, "both.gif", titles=["wave", "squat"]).name
        'both.gif'
    """
    if not sequences or not all(sequence.num_frames for sequence in sequences):
        frames = [sequence.num_frames for sequence in sequences]
        raise ValueError(f"Expected one or more clips with at least one frame each, got frames {frames}.")
    if titles is not None and len(titles) != len(sequences):
        raise ValueError(f"titles must be {len(sequences)} texts, one per clip, got {len(titles)}.")
    panels = []
    for index, sequence in enumerate(sequences):
        points, depth = viewed(sequence, view)
        box = (index * size, _TOP, (index + 1) * size, _TOP + size - _BOTTOM)
        panels.append(placed(sequence.layout, points - middles(points), depth, box, margin=0.06))
    background = _background(titles or [""] * len(panels), size)

    def drawn(seconds: float) -> "Image":
        canvas = background.copy()
        for sequence, bodies in zip(sequences, panels, strict=True):
            bodies.draw(canvas, min(int(seconds * sequence.fps + 0.5), sequence.num_frames - 1))
        canvas.text(canvas.width - 10, canvas.height - 10, f"{seconds:.2f} s", 11, FAINT, "rm")
        return canvas.finished()

    first = sequences[0]
    count = min(first.num_frames, _MAX_FRAMES)
    moments = np.linspace(0, first.num_frames - 1, count).round() / first.fps
    return _write_gif(path, moments, first.fps * count / first.num_frames, drawn)


def _background(titles: Sequence[str], size: int) -> Canvas:
    canvas = Canvas(size * len(titles), _TOP + size)
    for index, title in enumerate(titles):
        canvas.text((index + 0.5) * size, _TOP / 2 + 2, canvas.shortened(title, 15, size - 16), 15, INK, "mm")
        if index:
            canvas.line(np.array([[index * size, 8.0], [index * size, _TOP + size - _BOTTOM]]), FLOOR, 1.5)
    return canvas


def _write_gif(path: str | Path, moments: np.ndarray, fps: float, drawn: "Callable[[Any], Image]") -> Path:
    """`drawn(moment)` of every moment as a looping GIF."""
    palette = _shared_palette([drawn(moment) for moment in moments[:: -(-len(moments) // 4)]])
    undithered = need("PIL.Image").Dither.NONE
    # Only one image at a time is in full colour, to save memory.
    images = [drawn(moment).quantize(palette=palette, dither=undithered) for moment in moments]
    # Milliseconds in whole hundredths of a second whose sum is exact; players refuse less than two hundredths.
    edges = np.round(np.arange(len(moments) + 1) * 100 / fps).astype(int)
    durations = [10 * max(2, int(step)) for step in np.diff(edges)]
    with atomic_path(path) as writing:
        images[0].save(writing, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return Path(path)


def _shared_palette(images: "list[Image]") -> "Image":
    """One palette for all frames from a few of them, so that colours do not flicker; our own colours are exact.

    Entries close to our own are left out, since Pillow's search for the nearest entry is approximate.
    """
    pillow: Any = need("PIL.Image")
    sheet = pillow.new("RGB", (images[0].width, images[0].height * len(images)))
    for row, image in enumerate(images):
        sheet.paste(image, (0, row * images[0].height))
    palette: Image = sheet.quantize(colors=_COLOURS, method=pillow.Quantize.MEDIANCUT)
    entries = np.array(palette.getpalette(), dtype=np.int64).reshape(-1, 3)[:_COLOURS]
    own = np.array([PAPER, LEFT, RIGHT, MIDDLE, INK, FLOOR, ACCENT, *SEGMENTS])
    far = (np.abs(entries[:, None] - own).sum(axis=-1) > 30).all(axis=1)
    palette.putpalette(np.concatenate([own, entries[far]]).ravel().tolist())
    return palette
