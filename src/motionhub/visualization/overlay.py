"""Skeletons over their images (extra `viz`) or video (extra `video`): joint names, boxes, track numbers."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
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
    largest: int | None = 1280,
) -> Path:
    """A video (H.264) of all frames with the people drawn over them, at the frame rate of the sequence.

    Args:
        frames: increasing frame numbers of the sequence with their images (arrays, or frames of PyAV); the previous
            image fills gaps.
        sequence, boxes: see `draw_overlay`.
        path: of the video, overwritten if it exists.
        largest: pixels of the longer side; a larger image is scaled down to it, which is faster to draw and to play.
            None: the size of the images.

    Raises:
        ValueError: no frame, or as `draw_overlay`.
        ImportError: PyAV or Pillow is not installed.
    """
    av = need("av", "video")
    path = Path(path)
    _check_pixels(sequence)
    path.parent.mkdir(parents=True, exist_ok=True)
    shown, written, rate = -1, 0, Fraction(sequence.fps).limit_denominator(10_000)
    with av.open(str(path), "w") as container:
        stream: Any = None
        for number, image in frames:
            raw = av.VideoFrame.from_ndarray(image, format="rgb24") if isinstance(image, np.ndarray) else image
            if stream is None:
                stream = container.add_stream("libx264", rate=rate)
                stream.width, stream.height = _even_size(raw.width, raw.height, largest)
                stream.pix_fmt, stream.options = "yuv420p", _FAST
            scale = (stream.width / raw.width, stream.height / raw.height)
            encoded = raw.reformat(stream.width, stream.height, "yuv420p", interpolation="BILINEAR")
            encoded = _drawn_planes(av, encoded, sequence, number, boxes, scale)
            for _ in range(max(1, number - shown)):
                encoded.pts, encoded.time_base, written = written, 1 / rate, written + 1
                container.mux(stream.encode(encoded))
            shown = number
        if stream is None:
            raise ValueError(f"{path}: there is no frame to draw on.")
        container.mux(stream.encode())
    return path


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


def _drawn_planes(
    av: Any, image: Any, sequence: SkeletonSequence, frame: int, boxes: np.ndarray | None, scale: tuple[float, float]
) -> Any:
    """A yuv420p image with the people of a frame; to RGB and back would cost more than all drawing."""
    if not 0 <= frame < sequence.num_frames or not sequence.joint_mask[:, frame].any():
        return image
    planes = image.to_ndarray()  # (1.5 height, width): brightness, then both colours at half the size
    height, width = image.height, image.width
    flat, quarter = planes.reshape(-1), height * width // 4
    parts = (
        planes[:height],
        *(flat[height * width + k * quarter :][:quarter].reshape(height // 2, -1) for k in (0, 1)),
    )
    draw = _Planes([part.copy() for part in parts])
    scaled = sequence.keypoints[:, frame : frame + 1] * np.asarray(scale, np.float32)
    moved = sequence.replace(keypoints=scaled, confidence=None, image_size=None)
    for person in range(sequence.num_people):
        box = None if boxes is None else boxes[person, frame] * np.tile(scale, 2)
        _draw_person(draw, moved, person, 0, box, False)
    made = av.VideoFrame.from_ndarray(
        np.concatenate([part.reshape(-1) for part in draw.arrays()]).reshape(-1, width), format="yuv420p"
    )
    return made


class _Planes:
    """Draws as `PIL.ImageDraw` does, on the three planes of a yuv420p image (BT.601, as H.264 assumes)."""

    def __init__(self, planes: list[np.ndarray]) -> None:
        self._images = [need("PIL.Image").fromarray(plane) for plane in planes]
        self._draws = [need("PIL.ImageDraw").Draw(image) for image in self._images]
        self.im = self._draws[0].im

    def arrays(self) -> list[np.ndarray]:
        return [np.asarray(image) for image in self._images]

    def line(self, ends: Any, *, fill: Colour, width: int) -> None:
        for draw, share, value in self._each(fill):
            scaled = [(x * share, y * share) for x, y in ends]
            draw.line(scaled, fill=value, width=max(1, round(width * share)))

    def ellipse(self, box: Any, *, fill: Colour) -> None:
        for draw, share, value in self._each(fill):
            draw.ellipse([side * share for side in box], fill=value)

    def rectangle(
        self, box: Any, *, fill: Colour | None = None, outline: Colour | None = None, width: int = 1
    ) -> None:
        for draw, share, value in self._each(fill or outline or PAPER):
            look = {"fill": value} if fill else {"outline": value, "width": max(1, round(width * share))}
            draw.rectangle([side * share for side in box], **look)

    def textbbox(self, *place: Any, **look: Any) -> Any:
        return self._draws[0].textbbox(*place, **look)

    def text(self, place: Any, text: str, *, fill: Colour, **look: Any) -> None:
        """In the brightness only: half-size letters in the colours would be blurred."""
        self._draws[0].text(place, text, fill=next(self._each(fill))[2], **look)

    def _each(self, colour: Colour) -> Iterator[tuple[Any, float, int]]:
        """Each plane, its scale, and the value of a colour in it."""
        red, green, blue = colour
        values = (
            16 + 0.257 * red + 0.504 * green + 0.098 * blue,
            128 - 0.148 * red - 0.291 * green + 0.439 * blue,
            128 + 0.439 * red - 0.368 * green - 0.071 * blue,
        )
        # The light borders of lines and joints need no colour of their own.
        planes = 1 if colour == PAPER else 3
        for draw, share, value in zip(self._draws[:planes], (1.0, 0.5, 0.5), values, strict=False):
            yield draw, share, round(value)


def _draw_person(
    draw: Any, sequence: SkeletonSequence, person: int, frame: int, box: np.ndarray | None, show_joint_names: bool
) -> None:
    points = sequence.keypoints[person, frame].astype(np.float64)
    valid = np.isfinite(points).all(axis=-1)
    if not valid.any():
        return
    low, high = points[valid].min(axis=0), points[valid].max(axis=0)
    body = float(np.linalg.norm(high - low))
    width = max(1, round(max(body * 0.012, max(draw.im.size) / 600)))
    names = sequence.layout.joints
    for child, parent in sequence.layout.bone_indices:
        if child != parent and valid[child] and valid[parent]:
            ends = [tuple(points[child].tolist()), tuple(points[parent].tolist())]
            draw.line(ends, fill=PAPER, width=width + 2)
            draw.line(ends, fill=side_colour(names[child]), width=width)
    for joint in np.flatnonzero(valid):
        for radius, fill in ((width + 1, PAPER), (width, side_colour(names[joint]))):
            x, y = points[joint].tolist()
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
    tracks = sequence.track_ids or ()
    colour = PEOPLE[tracks[person] % len(PEOPLE)]
    known = box is not None and bool(np.isfinite(box).all())
    left, top, right, bottom = box if known and box is not None else np.concatenate([low, high])
    draw.rectangle([left, top, right, bottom], outline=colour, width=max(2, width // 2))
    # Readable in a player that fits the whole image on a screen, also where a body is a small part of a tall one.
    size, text = float(np.clip(body / 18, max(11, max(draw.im.size) / 48), 60)), f"person {tracks[person]}"
    font, place = _font(round(size)), (left, max(top, 1.3 * size))
    draw.rectangle(draw.textbbox(place, text, font=font, anchor="lb"), fill=colour)
    draw.text(place, text, font=font, fill=(0, 0, 0), anchor="lb")
    if show_joint_names and body >= _READABLE:
        _name_joints(draw, points, valid, sequence, float(np.clip(body / 55, 9, 22)))


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
