"""Images of skeletons: one frame with named joints, frames of a clip side by side, and search results."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import (
    ACCENT,
    FAINT,
    FLOOR,
    INK,
    LEFT,
    MIDDLE,
    RIGHT,
    Canvas,
    View,
    middles,
    missing_text,
    mixed,
    placed,
    side_colour,
    viewed,
)


# A sequence, the person and frame to show, and a caption.
Pose = tuple[SkeletonSequence, int, int, str]


def draw_frame(
    sequence: SkeletonSequence,
    frame: int = 0,
    path: str | Path | None = None,
    *,
    show_joint_names: bool = True,
    view: View = "front",
    size: int = 560,
) -> np.ndarray:
    """One frame of all people; names beside the joints reveal a wrong joint order.

    Args:
        sequence: 2-D pixels (y down) or 3-D (y up).
        frame: its index; negative counts from the end.
        path: of a PNG to save, or None.
        show_joint_names: index and name of each joint of the first detected person, and a list of missing ones.
        view: for 3-D, `"front"`, `"side"`, `"top"` or (azimuth, elevation) in degrees.
        size: height in pixels.

    Returns:
        `(height, width, 3)` uint8. Without people or joints the image states that.

    Raises:
        ValueError: the frame does not exist.
        ImportError: the extra `viz` is not installed.

    Examples:
        >>> image = motionhub.draw_frame(motionhub.generate("wave", seed=0), 0, "frame.png")
    """
    if not -sequence.num_frames <= frame < sequence.num_frames:
        total = sequence.num_frames
        raise ValueError(f"frame must be in 0..{total - 1} for a clip of {total} frames, got {frame}.")
    points, depth = viewed(sequence, view)
    canvas = Canvas(round(size * (1.5 if show_joint_names else 0.8)), size)
    side = canvas.width * (0.27 if show_joint_names else 0.0)
    box = (side, 0.05 * size, canvas.width - side, 0.93 * size)
    bodies = placed(sequence.layout, points[:, [frame]], depth[:, [frame]], box)
    bodies.draw(canvas, 0)
    pixels = bodies.pixels[:, 0]
    named = next((person for person in range(sequence.num_people) if np.isfinite(pixels[person]).any()), None)
    if named is None:
        canvas.text(canvas.width / 2, size / 2, missing_text(sequence), 15, FAINT, "mm")
    elif show_joint_names:
        _name_joints(canvas, pixels[named], sequence)
    _legend(canvas, f"{sequence.layout.name}, frame {frame % sequence.num_frames}")
    return canvas.saved(path)


def skeleton_strip(
    sequence: SkeletonSequence,
    path: str | Path | None = None,
    *,
    num_frames: int = 8,
    frames: Sequence[int] | None = None,
    view: View = "front",
    size: int = 240,
    title: str | None = None,
) -> np.ndarray:
    """Frames side by side, evenly over the clip, each centred in its column.

    Args:
        sequence: 2-D pixels (y down) or 3-D (y up). All frames have one scale.
        path: of a PNG to save, or None.
        num_frames: number of frames, at most those of the clip.
        frames: these frames instead.
        view: as in `draw_frame`.
        size: height of the strip in pixels.
        title: a line above.

    Returns:
        `(height, width, 3)` uint8.

    Raises:
        ValueError: no frame, or one that does not exist.

    Examples:
        >>> image = motionhub.skeleton_strip(motionhub.generate("wave", seed=0), "strip.png", num_frames=4)
    """
    chosen = _chosen(sequence, num_frames, frames)
    points, depth = viewed(sequence, view)
    top = 26 if title else 4
    room = size - top - 18
    # People who walk stay in their column.
    points = points[:, chosen] - middles(points[:, chosen]) * [1.0, 0.0]
    width = int(np.clip(room * _extent(points), 0.4 * room, 1.6 * room))
    canvas = Canvas(width * len(chosen), size)
    bodies = placed(sequence.layout, points, depth[:, chosen], (0, top, width, top + room), margin=0.05)
    canvas.floor(0.0, canvas.width, bodies.floor() + 4, view, sequence.num_dims)
    for column, frame in enumerate(chosen):
        if column and sequence.num_people > 1:  # separates people of two frames
            canvas.line(np.array([[column * width, top], [column * width, size - 18]]), FLOOR, 1.5)
        bodies.draw(canvas, column, right=column * width)
        if not np.isfinite(points[:, column]).any():
            canvas.text((column + 0.5) * width, top + room / 2, missing_text(sequence), 11, FAINT, "mm")
        canvas.text((column + 0.5) * width, size - 9, f"{frame / sequence.fps:.2f} s", 11, FAINT, "mm")
    if title:
        canvas.text(8, 14, title, 15, INK)
    return canvas.saved(path)


def draw_neighbours(
    rows: Sequence[Sequence[Pose]], path: str | Path, *, titles: Sequence[str] | None = None, size: int = 180
) -> Path:
    """A PNG with a row for each query: the query, a line, then its neighbours, nearest first (CV-MIM, figure 4).

    Args:
        rows: poses, the query first.
        path: the PNG to write.
        titles: one line above each row.
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
            sequence, person, frame, line = pose
            points, depth = viewed(sequence.person(person))
            box = (left, y + top, left + size, y + top + size)
            placed(sequence.layout, points[:, [frame]], depth[:, [frame]], box, margin=0.1).draw(canvas, 0)
            text = canvas.shortened(line, 11, size - 8)
            canvas.text(left + size / 2, y + top + size + 8, text, 11, INK if column == 0 else FAINT, "mm")
    canvas.saved(path)
    return Path(path)


def _chosen(sequence: SkeletonSequence, num_frames: int, frames: Sequence[int] | None) -> list[int]:
    total = sequence.num_frames
    chosen = [int(frame) for frame in frames or []]
    if frames is None and total:
        chosen = np.linspace(0, total - 1, max(1, min(num_frames, total))).round().astype(int).tolist()
    if not chosen or not all(0 <= frame < total for frame in chosen):
        raise ValueError(f"frames must name at least one of the clip's {total} frames (0..{total - 1}), got {frames}.")
    return chosen


def _extent(points: np.ndarray) -> float:
    """Width over height of all points."""
    valid = points[np.isfinite(points).all(axis=-1)]
    if not len(valid):
        return 0.7
    across, along = np.maximum(valid.max(axis=0) - valid.min(axis=0), 1e-6)
    return float(across / along) + 0.12


def _name_joints(canvas: Canvas, pixels: np.ndarray, sequence: SkeletonSequence) -> None:
    """Names in a column on each side, ordered by height, each with a thin line to its joint."""
    joints = sequence.layout.joints
    valid = [int(joint) for joint in np.flatnonzero(np.isfinite(pixels).all(axis=-1))]
    order = sorted(valid, key=lambda joint: pixels[joint, 0])
    # Equally many on both sides, so that neither column overflows.
    columns = (order[: len(order) // 2], order[len(order) // 2 :])
    font = float(np.clip(canvas.height / 42, 9, 13))
    for column, members in enumerate(columns):
        x, anchor = ((0.25 * canvas.width, "rm"), (0.75 * canvas.width, "lm"))[column]
        members = sorted(members, key=lambda joint: pixels[joint, 1])
        heights = _spread(pixels[members, 1], font * 1.35, (30.0, canvas.height - 34.0))
        for joint, y in zip(members, heights, strict=True):
            colour = side_colour(joints[joint])
            start = [x + (4 if column == 0 else -4), y]
            canvas.line(np.array([start, pixels[joint]]), mixed(colour, (255,) * 3, 0.45), 1)
            canvas.text(x, y, f"{joint} {joints[joint]}", font, colour, anchor)
    missing = [f"{index} {joint}" for index, joint in enumerate(joints) if index not in valid]
    if missing:
        text = canvas.shortened("missing: " + ", ".join(missing), 11, canvas.width - 20)
        canvas.text(10, canvas.height - 28, text, 11, FAINT)


def _spread(wanted: np.ndarray, gap: float, room: tuple[float, float]) -> np.ndarray:
    """Increasing positions near the wanted ones, at a distance of `gap` where the room allows."""
    if not len(wanted):
        return wanted
    gap = min(gap, (room[1] - room[0]) / max(len(wanted) - 1, 1))
    steps = np.arange(len(wanted)) * gap
    rising = np.maximum.accumulate(wanted - steps) + steps
    # Back up from the bottom where positions leave the room.
    rising = np.minimum(rising, room[1] - steps[::-1])
    return np.maximum(rising, room[0] + steps)


def _legend(canvas: Canvas, title: str) -> None:
    y = canvas.height - 11
    x = 10.0
    for name, colour in (("left", LEFT), ("right", RIGHT), ("middle", MIDDLE)):
        canvas.dot(np.array([x + 4, y]), colour, 4)
        canvas.text(x + 12, y, name, 11, colour)
        x += 22 + canvas.text_width(name, 11)
    canvas.text(canvas.width - 10, y, title, 11, FAINT, "rm")
