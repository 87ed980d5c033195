"""Skeletons over their images (extra `viz`) or video (extra `video`): joint names, boxes, track numbers."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import PAPER, Colour, need, side_colour


# Colours of boxes and numbers by track: Okabe and Ito's set without blue and orange-red, which mean left and right.
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
        image: `(height, width, 3)` uint8 RGB, not modified.
        sequence: in pixels of this image.
        frame: of the sequence; nothing is drawn where it has no such frame.
        boxes: `(people, frames, 4)` left, top, right, bottom; None: around the detected joints.
        show_joint_names: beside each joint of the head, trunk and limbs of bodies that are large enough.

    Raises:
        ValueError: the sequence is not 2-D pixels, or `image` is no such image.
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
) -> Path:
    """A video (H.264) of all frames with the people drawn over them, at the frame rate of the sequence.

    Args:
        frames: increasing frame numbers of the sequence with their images; the previous image fills gaps.
        sequence, boxes: see `draw_overlay`.
        path: of the video, overwritten if it exists.

    Raises:
        ValueError: no frame, or as `draw_overlay`.
        ImportError: PyAV or Pillow is not installed.
    """
    av = need("av", "video")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = -1
    with av.open(str(path), "w") as container:
        stream: Any = None
        for number, image in frames:
            drawn = draw_overlay(image, sequence, number, boxes)
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(sequence.fps).limit_denominator(10_000))
                height, width = drawn.shape[:2]
                stream.width, stream.height = width + width % 2, height + height % 2  # H.264 halves its colours
                stream.pix_fmt = "yuv420p"
            # The last row and column twice where their number is odd.
            odd = ((0, drawn.shape[0] % 2), (0, drawn.shape[1] % 2), (0, 0))
            encoded = av.VideoFrame.from_ndarray(np.pad(drawn, odd, mode="edge"), format="rgb24")
            for _ in range(max(1, number - shown)):
                encoded.pts = None
                container.mux(stream.encode(encoded))
            shown = number
        if stream is None:
            raise ValueError(f"{path}: there is no frame to draw on.")
        container.mux(stream.encode())
    return path


def _draw_person(
    draw: Any, sequence: SkeletonSequence, person: int, frame: int, box: np.ndarray | None, show_joint_names: bool
) -> None:
    points = sequence.keypoints[person, frame].astype(np.float64)
    valid = np.isfinite(points).all(axis=-1)
    if not valid.any():
        return
    low, high = points[valid].min(axis=0), points[valid].max(axis=0)
    body = float(np.linalg.norm(high - low))
    width = max(1, round(body * 0.012))
    names = sequence.layout.joints
    for child, parent in sequence.layout.bone_indices:
        if child != parent and valid[child] and valid[parent]:
            ends = [tuple(points[child]), tuple(points[parent])]
            draw.line(ends, fill=PAPER, width=width + 2)
            draw.line(ends, fill=side_colour(names[child]), width=width)
    for joint in np.flatnonzero(valid):
        for radius, fill in ((width + 1, PAPER), (width, side_colour(names[joint]))):
            draw.ellipse([*(points[joint] - radius), *(points[joint] + radius)], fill=fill)
    tracks = sequence.track_ids or ()
    colour = PEOPLE[tracks[person] % len(PEOPLE)]
    known = box is not None and bool(np.isfinite(box).all())
    left, top, right, bottom = box if known and box is not None else np.concatenate([low, high])
    draw.rectangle([left, top, right, bottom], outline=colour, width=max(2, width // 2))
    size, text = float(np.clip(body / 18, 11, 40)), f"person {tracks[person]}"
    font, place = need("PIL.ImageFont").load_default(round(size)), (left, max(top, 1.3 * size))
    draw.rectangle(draw.textbbox(place, text, font=font, anchor="lb"), fill=colour)
    draw.text(place, text, font=font, fill=(0, 0, 0), anchor="lb")
    if show_joint_names and body >= _READABLE:
        _name_joints(draw, points, valid, sequence, float(np.clip(body / 55, 9, 22)))


# Diagonal of a body in pixels below which names would hide it.
_READABLE = 220
_FACE = ("eye", "ear", "mouth", "inner", "outer", "pinky", "index", "thumb")


def _name_joints(draw: Any, points: np.ndarray, valid: np.ndarray, sequence: SkeletonSequence, size: float) -> None:
    """Names left of the joints on the image's left and right of the others, so that they do not cover the body."""
    font = need("PIL.ImageFont").load_default(round(size))
    middle = float(np.median(points[valid, 0]))
    for joint in np.flatnonzero(valid):
        name = sequence.layout.joints[joint]
        if any(part in name for part in _FACE):
            continue  # their names would cover the face
        x, y = points[joint]
        right = x >= middle
        place, anchor = (x + size * (0.6 if right else -0.6), y), "lm" if right else "rm"
        draw.text(place, name, font=font, fill=PAPER, anchor=anchor, stroke_width=2, stroke_fill=side_colour(name))
