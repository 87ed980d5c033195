"""Skeletons over the images in which they were found: joints with names, boxes, track numbers; one frame or a video.

Needs the extra `viz`; a video also needs the extra `video`.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import PAPER, Colour, need, side_colour


# Of the people's boxes and numbers, by track number: Okabe and Ito's set without blue and orange-red,
# which mean left and right.
PEOPLE: tuple[Colour, ...] = ((240, 228, 66), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0))


def draw_overlay(
    image: np.ndarray,
    sequence: SkeletonSequence,
    frame: int,
    boxes: np.ndarray | None = None,
    *,
    show_joint_names: bool = True,
) -> np.ndarray:
    """One image with the people of one frame drawn over it.

    Args:
        image: `(height, width, 3)` uint8 RGB; it is not changed.
        sequence: in pixels of this image.
        frame: which one of the sequence; where it has no such frame the image stays as it is.
        boxes: `(people, frames, 4)` left, top, right, bottom; None for those around the joints that were seen.
        show_joint_names: beside each joint of the head, trunk and limbs, where the body is large enough to read them.

    Returns:
        `(height, width, 3)` uint8.

    Raises:
        ValueError: the sequence is not 2-D pixels, or `image` is no image.
        ImportError: Pillow is not installed.
    """
    if sequence.num_dims != 2 or sequence.unit != "pixel":
        got = f"{sequence.num_dims}-D {sequence.unit}s"
        raise ValueError(f"An overlay needs 2-D pixels, got {got}; extract them without world=True.")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be (height, width, 3) uint8, got {image.shape} {image.dtype}.")
    drawn = need("PIL.Image").fromarray(image)
    draw = need("PIL.ImageDraw").Draw(drawn)
    if 0 <= frame < sequence.num_frames:
        for person in range(sequence.num_people):
            box = None if boxes is None else boxes[person, frame]
            _draw_person(draw, sequence, person, frame, box, show_joint_names)
    return np.asarray(drawn)


def write_overlay(
    frames: Iterable[tuple[int, np.ndarray]],
    sequence: SkeletonSequence,
    path: str | Path,
    boxes: np.ndarray | None = None,
    *,
    show_joint_names: bool = True,
) -> Path:
    """A video (H.264) of all frames with the people drawn over them, at the frame rate of the sequence.

    Args:
        frames: the frame of the sequence, rising, and the image of each; where numbers are left out (a broken
            frame) the image before stays.
        sequence, boxes, show_joint_names: see `draw_overlay`.
        path: where to; a file that is there is overwritten.

    Returns:
        the path.

    Raises:
        ValueError: no frame, or as `draw_overlay` does.
        ImportError: PyAV or Pillow is not installed.
    """
    try:
        import av
    except ImportError:
        raise ImportError('A video needs PyAV: pip install "motionhub[video]"') from None
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = -1
    with av.open(str(path), "w") as container:
        stream: Any = None
        for number, image in frames:
            drawn = draw_overlay(image, sequence, number, boxes, show_joint_names=show_joint_names)
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(sequence.fps).limit_denominator(10_000))
                height, width = drawn.shape[:2]
                stream.width, stream.height = width + width % 2, height + height % 2  # H.264 halves its colours
                stream.pix_fmt = "yuv420p"
            encoded = av.VideoFrame.from_ndarray(_even(drawn), format="rgb24")
            for _ in range(max(1, number - shown)):
                encoded.pts = None
                container.mux(stream.encode(encoded))
            shown = number
        if stream is None:
            raise ValueError(f"{path}: there is no frame to draw on.")
        container.mux(stream.encode())
    return path


def _even(image: np.ndarray) -> np.ndarray:
    """The last row and column twice where their number is odd."""
    odd = ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0))
    return np.ascontiguousarray(np.pad(image, odd, mode="edge"))


def _draw_person(
    draw: Any, sequence: SkeletonSequence, person: int, frame: int, box: np.ndarray | None, show_joint_names: bool
) -> None:
    points = sequence.keypoints[person, frame].astype(np.float64)
    seen = np.isfinite(points).all(axis=-1)
    if not seen.any():
        return
    low, high = points[seen].min(axis=0), points[seen].max(axis=0)
    body = float(np.linalg.norm(high - low))
    width = max(1, round(body * 0.012))
    names = sequence.layout.joints
    for child, parent in sequence.layout.bone_indices:
        if child != parent and seen[child] and seen[parent]:
            ends = [tuple(points[child]), tuple(points[parent])]
            draw.line(ends, fill=PAPER, width=width + 2)
            draw.line(ends, fill=side_colour(names[child]), width=width)
    for joint in np.flatnonzero(seen):
        _dot(draw, points[joint], width + 1, PAPER)
        _dot(draw, points[joint], width, side_colour(names[joint]))
    tracks = sequence.track_ids or ()
    colour = PEOPLE[tracks[person] % len(PEOPLE)]
    known = box is not None and bool(np.isfinite(box).all())
    left, top, right, bottom = box if known and box is not None else np.concatenate([low, high])
    draw.rectangle([left, top, right, bottom], outline=colour, width=max(2, width // 2))
    _label(draw, left, top, f"person {tracks[person]}", float(np.clip(body / 18, 11, 40)), colour)
    if show_joint_names and body >= _READABLE:
        _name_joints(draw, points, seen, sequence, float(np.clip(body / 55, 9, 22)))


# Pixels of a body's diagonal below which names would hide it.
_READABLE = 220
_FACE = ("eye", "ear", "mouth", "inner", "outer", "pinky", "index", "thumb")


def _name_joints(draw: Any, points: np.ndarray, seen: np.ndarray, sequence: SkeletonSequence, size: float) -> None:
    """Left of the left joints in the image and right of the others, so that the body stays free."""
    font = need("PIL.ImageFont").load_default(round(size))
    middle = float(np.median(points[seen, 0]))
    for joint in np.flatnonzero(seen):
        name = sequence.layout.joints[joint]
        if any(part in name for part in _FACE):
            continue  # so near each other that the names cover the face
        x, y = points[joint]
        right = x >= middle
        place, anchor = (x + size * (0.6 if right else -0.6), y), "lm" if right else "rm"
        draw.text(place, name, font=font, fill=PAPER, anchor=anchor, stroke_width=2, stroke_fill=side_colour(name))


def _label(draw: Any, x: float, y: float, text: str, size: float, colour: Colour) -> None:
    font = need("PIL.ImageFont").load_default(round(size))
    place = (x, max(y, 1.3 * size))
    draw.rectangle(draw.textbbox(place, text, font=font, anchor="lb"), fill=colour)
    draw.text(place, text, font=font, fill=(0, 0, 0), anchor="lb")


def _dot(draw: Any, centre: np.ndarray, radius: float, colour: Colour) -> None:
    x, y = centre
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
