"""Pictures of skeletons: one frame with every joint named, and several frames side by side.

It does not know models, scores or animation (`animate.py`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import (
    FAINT,
    FLOOR,
    INK,
    LEFT,
    MIDDLE,
    RIGHT,
    Canvas,
    View,
    body_size,
    draw_body,
    fit,
    mixed,
    side_colour,
    view_angles,
    viewed,
)


def draw_frame(
    sequence: SkeletonSequence,
    frame: int = 0,
    path: str | Path | None = None,
    *,
    show_joint_names: bool = True,
    view: View = "front",
    size: int = 560,
) -> np.ndarray:
    """One frame of all people. With names beside the joints a wrong joint order is seen at a glance.

    Args:
        sequence: 2-D pixels (y down) or 3-D (y up).
        frame: which frame; negative counts from the end.
        path: where to save a PNG; nothing is saved when None.
        show_joint_names: index and name of each joint of the first person that is seen, on a line to its place;
            missing ones in a list below.
        view: for 3-D, `"front"`, `"side"`, `"top"` or (azimuth, elevation) in degrees.
        size: height in pixels.

    Returns:
        `(height, width, 3)` uint8. Without people or joints the picture says so.

    Raises:
        ValueError: the frame does not exist.
        ImportError: the extra `viz` is not installed.
    """
    if not -sequence.num_frames <= frame < sequence.num_frames:
        total = sequence.num_frames
        raise ValueError(f"frame must be in 0..{total - 1} for a clip of {total} frames, got {frame}.")
    points, depth = viewed(sequence, view)
    points, depth = points[:, frame], depth[:, frame]
    canvas = Canvas(round(size * (1.5 if show_joint_names else 0.8)), size)
    side = canvas.width * (0.27 if show_joint_names else 0.0)
    place = fit(points, (side, 0.05 * size, canvas.width - side, 0.93 * size))
    pixels, height = place(points), body_size(points[:, None]) * place.scale
    for person in reversed(range(sequence.num_people)):
        draw_body(canvas, pixels[person], depth[person], sequence.layout, height, person)
    named = next((person for person in range(sequence.num_people) if np.isfinite(pixels[person]).any()), None)
    if named is None:
        canvas.text(canvas.width / 2, size / 2, _nothing(sequence), 15, FAINT, "mm")
    elif show_joint_names:
        _name_joints(canvas, pixels[named], sequence)
    _legend(canvas, f"{sequence.layout.name}, frame {frame % sequence.num_frames}")
    return _saved(canvas, path)


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
    """Frames side by side, evenly over the clip, each in the middle of its column: the motion at a glance.

    Args:
        sequence: 2-D pixels (y down) or 3-D (y up). All frames are drawn in one scale.
        path: where to save a PNG; nothing is saved when None.
        num_frames: how many frames, at most those of the clip.
        frames: these frames instead.
        view: as in `draw_frame`.
        size: height of the strip in pixels.
        title: a line above.

    Returns:
        `(height, width, 3)` uint8.

    Raises:
        ValueError: no frame, or one that does not exist.
    """
    chosen = _chosen(sequence, num_frames, frames)
    points, depth = viewed(sequence, view)
    top = 26 if title else 4
    room = size - top - 18
    points = points[:, chosen] - _middles(points[:, chosen])
    depth = depth[:, chosen]
    width = int(np.clip(room * _extent(points), 0.4 * room, 1.6 * room))
    canvas = Canvas(width * len(chosen), size)
    place = fit(points, (0, top, width, top + room), margin=0.05)
    height = body_size(points) * place.scale
    _floor(canvas, sequence, points, place, view)
    for column, frame in enumerate(chosen):
        if column and sequence.num_people > 1:  # or people of two frames look like a pair
            canvas.line(np.array([[column * width, top], [column * width, size - 18]]), FLOOR, 1.5)
        shifted = place(points[:, column]) + [column * width, 0.0]
        for person in reversed(range(sequence.num_people)):
            draw_body(canvas, shifted[person], depth[person, column], sequence.layout, height, person)
        if not np.isfinite(shifted).all(axis=-1).any():
            canvas.text((column + 0.5) * width, top + room / 2, _nothing(sequence), 11, FAINT, "mm")
        canvas.text((column + 0.5) * width, size - 9, f"{frame / sequence.fps:.2f} s", 11, FAINT, "mm")
    if title:
        canvas.text(8, 14, title, 15, INK)
    return _saved(canvas, path)


def _nothing(sequence: SkeletonSequence) -> str:
    return "no joint seen" if sequence.num_people else "no people"


def _chosen(sequence: SkeletonSequence, num_frames: int, frames: Sequence[int] | None) -> list[int]:
    total = sequence.num_frames
    chosen = (
        np.unique(np.linspace(0, total - 1, max(1, min(num_frames, total))).round().astype(int)).tolist()
        if frames is None and total
        else [int(frame) for frame in frames or []]
    )
    if not chosen or not all(0 <= frame < total for frame in chosen):
        raise ValueError(f"frames must name at least one of the clip's {total} frames (0..{total - 1}), got {frames}.")
    return chosen


def _middles(points: np.ndarray) -> np.ndarray:
    """`(1, frames, 1, 2)` middle of each frame across, so that who walks does not leave the column; 0 along."""
    across = np.where(np.isfinite(points).all(axis=-1), points[..., 0], np.nan)
    middles = np.zeros((1, points.shape[1], 1, 2))
    for frame in range(points.shape[1]):
        if np.isfinite(across[:, frame]).any():
            middles[0, frame, 0, 0] = (np.nanmin(across[:, frame]) + np.nanmax(across[:, frame])) / 2
    return middles


def _extent(points: np.ndarray) -> float:
    """Width over height of everything seen."""
    seen = points[np.isfinite(points).all(axis=-1)]
    if not len(seen):
        return 0.7
    across, along = np.maximum(seen.max(axis=0) - seen.min(axis=0), 1e-6)
    return float(across / along) + 0.12


def _floor(canvas: Canvas, sequence: SkeletonSequence, points: np.ndarray, place: object, view: View) -> None:
    """A line at the lowest point, for 3-D seen from about the height of the eyes."""
    assert callable(place)
    if sequence.num_dims == 2 or abs(view_angles(view)[1]) > 1 or not np.isfinite(points).any():
        return
    y = float(place(np.array([0.0, np.nanmax(points[..., 1])]))[1]) + 4
    canvas.line(np.array([[0.0, y], [canvas.width, y]]), FLOOR, 2)


def _name_joints(canvas: Canvas, pixels: np.ndarray, sequence: SkeletonSequence) -> None:
    """Names in a column on each side, in the order of height, each with a thin line to its joint."""
    joints = sequence.layout.joints
    seen = [int(joint) for joint in np.flatnonzero(np.isfinite(pixels).all(axis=-1))]
    middle = float(np.median(pixels[seen, 0]))
    order = sorted(seen, key=lambda joint: pixels[joint, 0] - middle)
    # As many on either side, so that neither column overflows.
    columns = (order[: len(order) // 2], order[len(order) // 2 :])
    font = float(np.clip(canvas.height / 42, 9, 13))
    for column, members in enumerate(columns):
        x, anchor = ((0.25 * canvas.width, "rm"), (0.75 * canvas.width, "lm"))[column]
        members = sorted(members, key=lambda joint: pixels[joint, 1])
        heights = _spread(pixels[members, 1], font * 1.35, (30.0, canvas.height - 34.0))
        for joint, y in zip(members, heights, strict=True):
            colour = side_colour(joints[joint])
            canvas.line(
                np.array([[x + (4 if column == 0 else -4), y], pixels[joint]]), mixed(colour, (255,) * 3, 0.45), 1
            )
            canvas.text(x, y, f"{joint} {joints[joint]}", font, colour, anchor)
    missing = [f"{index} {joint}" for index, joint in enumerate(joints) if index not in seen]
    if missing:
        text = canvas.shortened("missing: " + ", ".join(missing), 11, canvas.width - 20)
        canvas.text(10, canvas.height - 28, text, 11, FAINT)


def _spread(wanted: np.ndarray, gap: float, room: tuple[float, float]) -> np.ndarray:
    """Rising positions near the wanted ones, `gap` apart where the room allows."""
    if not len(wanted):
        return wanted
    gap = min(gap, (room[1] - room[0]) / max(len(wanted) - 1, 1))
    steps = np.arange(len(wanted)) * gap
    rising = np.maximum.accumulate(wanted - steps) + steps
    # Pushed down too far: back up from the bottom.
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


def _saved(canvas: Canvas, path: str | Path | None) -> np.ndarray:
    image = canvas.finished()
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        image.save(path, format="PNG")
    return np.asarray(image)
