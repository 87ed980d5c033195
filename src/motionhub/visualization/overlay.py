"""Skeletons over their images (extra `viz`) or video (extra `video`): joint names, boxes, track numbers."""

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.atomic import atomic_path
from motionhub.skeletons.layout import SkeletonLayout
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
    show_joint_names: bool = False,
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
    _check_pixels(sequence)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be (height, width, 3) uint8, got {image.shape} {image.dtype}.")
    drawn = need("PIL.Image").fromarray(image)
    draw = need("PIL.ImageDraw").Draw(drawn)
    if 0 <= frame < sequence.num_frames:
        _draw_people(draw, sequence, frame, boxes, show_joint_names=show_joint_names)
    return np.asarray(drawn)


def write_overlay(
    frames: Iterable[tuple[int, np.ndarray]],
    sequence: SkeletonSequence,
    path: str | Path,
    boxes: np.ndarray | None = None,
    *,
    largest: int | None = 960,
) -> Path:
    """A video (H.264) of all frames with the people drawn over them, at the frame rate of the sequence.

    Args:
        frames: increasing frame numbers of the sequence with their images (arrays, or frames of PyAV); the previous
            image fills gaps.
        sequence, boxes: see `draw_overlay`.
        path: of the video, `.mp4`, `.mov` or `.mkv`, whole or not at all; overwritten if it exists.
        largest: pixels of the longer side; a larger image is scaled down to it, which is faster to draw and to play.
            None: the size of the images.

    Raises:
        ValueError: no frame, another suffix, or as `draw_overlay`.
        ImportError: PyAV or Pillow is not installed.
    """
    av = need("av", "video")
    _check_pixels(sequence)
    path = Path(path)
    if path.suffix.lower() not in _CONTAINERS:
        raise ValueError(f"{path}: an overlay is written as {sorted(_CONTAINERS)}, got {path.suffix!r}.")
    with (
        atomic_path(path) as writing,
        av.open(str(writing), "w", format=_CONTAINERS[path.suffix.lower()]) as container,
    ):
        _encode(av, container, frames, sequence, boxes, largest, str(path))
    return path


def _encode(
    av: Any,
    container: Any,
    frames: Iterable[tuple[int, Any]],
    sequence: SkeletonSequence,
    boxes: np.ndarray | None,
    largest: int | None,
    name: str,
) -> None:
    stream: Any = None
    scaler = av.video.reformatter.VideoReformatter()  # a frame's own would be set up again for each
    shown, written, rate = -1, 0, Fraction(sequence.fps).limit_denominator(10_000)
    for number, image in frames:
        raw = av.VideoFrame.from_ndarray(image, format="rgb24") if isinstance(image, np.ndarray) else image
        if stream is None:
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height = _even_size(raw.width, raw.height, largest)
            stream.pix_fmt, stream.options = "yuv420p", _FAST
        encoded = scaler.reformat(raw, stream.width, stream.height, "yuv420p", interpolation="FAST_BILINEAR")
        if 0 <= number < sequence.num_frames:
            if encoded is raw:  # which the decoder still needs, as it is
                encoded = av.VideoFrame.from_ndarray(raw.to_ndarray(), format="yuv420p")
            layer, scale = _Layer(stream.width, stream.height), (stream.width / raw.width, stream.height / raw.height)
            _draw_people(layer, sequence, number, boxes, scale=scale)
            layer.paint(encoded)
        for _ in range(max(1, number - shown)):
            encoded.pts, encoded.time_base, written = written, 1 / rate, written + 1
            container.mux(stream.encode(encoded))
        shown = number
    if stream is None:
        raise ValueError(f"{name}: there is no frame to draw on.")
    container.mux(stream.encode())


_CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
# Of the encoder: its default takes as long as the pose network, for a file a little smaller.
_FAST = {"preset": "ultrafast", "crf": "23"}


def _even_size(width: int, height: int, largest: int | None) -> tuple[int, int]:
    """Width and height of the video: even, as H.264 halves its colours, and within `largest`."""
    scale = min(1.0, (largest or np.inf) / max(width, height))
    return _even(width * scale), _even(height * scale)


def _even(side: float) -> int:
    """The nearest even number of pixels; an odd side gets one more."""
    return 2 * round(side / 2 + 0.25)


def _check_pixels(sequence: SkeletonSequence) -> None:
    if sequence.num_dims != 2 or sequence.unit != "pixel":
        got = f"{sequence.num_dims}-D {sequence.unit}s"
        raise ValueError(f"An overlay needs 2-D pixels, got {got}; extract them without world=True.")


class _Layer:
    """Draws as `PIL.ImageDraw` does, but numbers of colours, 0 for none: one drawing serves all planes of an image."""

    def __init__(self, width: int, height: int) -> None:
        self._image = need("PIL.Image").new("L", (width, height))
        self._draw = need("PIL.ImageDraw").Draw(self._image)
        self._draw.fontmode = "1"  # the edge of a smooth letter would be the number of another colour
        self._numbers: dict[Colour, int] = {}
        self.im, self.textbbox = self._draw.im, self._draw.textbbox

    def line(self, ends: Any, *, fill: Colour, width: int) -> None:
        self._draw.line(ends, fill=self._number(fill), width=width)

    def ellipse(self, box: Any, *, fill: Colour, outline: Colour) -> None:
        self._draw.ellipse(box, fill=self._number(fill), outline=self._number(outline))

    def rectangle(
        self, box: Any, *, fill: Colour | None = None, outline: Colour | None = None, width: int = 1
    ) -> None:
        numbers = [None if colour is None else self._number(colour) for colour in (fill, outline)]
        self._draw.rectangle(box, fill=numbers[0], outline=numbers[1], width=width)

    def text(self, place: Any, text: str, *, fill: Colour, **look: Any) -> None:
        self._draw.text(place, text, fill=self._number(fill), **look)

    def paint(self, image: Any) -> None:
        """Covers a yuv420p image of PyAV, whose colours have half its size; to RGB and back would cost more."""
        box = self._image.getbbox()
        if box is None:
            return
        left, top = box[0] // 2 * 2, box[1] // 2 * 2
        drawn = np.asarray(self._image.crop((left, top, box[2], box[3])))
        colours = np.array([(0, 0, 0), *map(_yuv, self._numbers)]).round().astype(np.uint8)
        for plane, step, values in zip(image.planes, (1, 2, 2), colours.T, strict=True):
            pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            numbers = drawn[::step, ::step]
            there = numbers > 0  # a few in a hundred
            under = pixels[top // step :, left // step :][: numbers.shape[0], : numbers.shape[1]]
            under[there] = values[numbers[there]]

    def _number(self, colour: Colour) -> int:
        return self._numbers.setdefault(colour, len(self._numbers) + 1)


def _yuv(colour: Colour) -> tuple[float, float, float]:
    """Brightness and both colours by BT.601, as H.264 assumes."""
    red, green, blue = colour
    return (
        16 + 0.257 * red + 0.504 * green + 0.098 * blue,
        128 - 0.148 * red - 0.291 * green + 0.439 * blue,
        128 + 0.439 * red - 0.368 * green - 0.071 * blue,
    )


def _draw_people(
    draw: Any,
    sequence: SkeletonSequence,
    frame: int,
    boxes: np.ndarray | None,
    *,
    scale: tuple[float, float] = (1.0, 1.0),
    show_joint_names: bool = False,
) -> None:
    """The people of a frame on an image that is `scale` times as large as that of the keypoints."""
    for person, track in enumerate(sequence.track_ids or ()):
        points = sequence.keypoints[person, frame].astype(np.float64) * scale
        valid = np.isfinite(points).all(axis=-1)
        if not valid.any():
            continue
        _draw_bones(draw, points, valid, sequence.layout)
        box = np.full(4, np.nan) if boxes is None else boxes[person, frame] * np.tile(scale, 2)
        if not np.isfinite(box).all():
            box = np.concatenate([points[valid].min(axis=0), points[valid].max(axis=0)])
        body = _body(points[valid])
        _draw_box(draw, box.tolist(), f"person {track}", PEOPLE[track % len(PEOPLE)], body)
        if show_joint_names and body >= _READABLE:
            _name_joints(draw, points, valid, sequence, float(np.clip(body / 55, 9, 22)))


def _body(points: np.ndarray) -> float:
    """Diagonal in pixels of the box around joints."""
    return float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))


def _line_width(draw: Any, body: float) -> int:
    return max(1, round(max(body * 0.012, max(draw.im.size) / 600)))


def _draw_bones(draw: Any, points: np.ndarray, valid: np.ndarray, layout: SkeletonLayout) -> None:
    """Bones and joints in the colours of the sides, with light borders."""
    width, places = _line_width(draw, _body(points[valid])), points.tolist()
    for child, parent in layout.bone_indices:
        if child != parent and valid[child] and valid[parent]:
            ends = [tuple(places[child]), tuple(places[parent])]
            draw.line(ends, fill=PAPER, width=width + 2)
            draw.line(ends, fill=side_colour(layout.joints[child]), width=width)
    for joint in np.flatnonzero(valid).tolist():
        x, y = places[joint]
        radius, colour = width + 1, side_colour(layout.joints[joint])
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour, outline=PAPER)


def _draw_box(draw: Any, box: list[float], text: str, colour: Colour, body: float) -> None:
    left, top, right, bottom = box
    draw.rectangle([left, top, right, bottom], outline=colour, width=max(2, _line_width(draw, body) // 2))
    # Readable in a player that fits the whole image on a screen, also where a body is a small part of a tall one.
    size = float(np.clip(body / 18, max(11, max(draw.im.size) / 48), 60))
    font, place = _font(round(size)), (left, max(top, 1.3 * size))
    draw.rectangle(draw.textbbox(place, text, font=font, anchor="lb"), fill=colour)
    draw.text(place, text, font=font, fill=(0, 0, 0), anchor="lb")


@lru_cache(maxsize=64)
def _font(size: int) -> Any:
    return need("PIL.ImageFont").load_default(size)


# Diagonal of a body in pixels below which names would hide it.
_READABLE = 220
_FACE = ("eye", "ear", "mouth", "inner", "outer", "pinky", "index", "thumb")


def _name_joints(draw: Any, points: np.ndarray, valid: np.ndarray, sequence: SkeletonSequence, size: float) -> None:
    """Names left of the joints on the image's left and right of the others, so that they do not cover the body."""
    font = _font(round(size))
    middle = float(np.median(points[valid, 0]))
    for joint in np.flatnonzero(valid):
        name = sequence.layout.joints[joint]
        if any(part in name for part in _FACE):
            continue  # their names would cover the face
        x, y = points[joint]
        right = x >= middle
        place, anchor = (x + size * (0.6 if right else -0.6), y), "lm" if right else "rm"
        draw.text(place, name, font=font, fill=PAPER, anchor=anchor, stroke_width=2, stroke_fill=side_colour(name))
