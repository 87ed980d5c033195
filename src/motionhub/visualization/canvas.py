"""Skeletons on a Pillow raster (extra `viz`): viewing, scaling, colours, and bodies drawn with limbs and head.

Colours mean the person's sides: left blue, right orange-red (Okabe and Ito's colour-blind safe set), the middle grey.
"""

from __future__ import annotations

import copy
import importlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motionhub.atomic import atomic_path
from motionhub.geometry import boxes
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
View = str | tuple[float, float]

LEFT: Colour = (0, 114, 178)
RIGHT: Colour = (213, 94, 0)
MIDDLE: Colour = (75, 78, 84)
INK: Colour = (38, 40, 44)
FAINT: Colour = (150, 153, 158)
PAPER: Colour = (255, 255, 255)
FLOOR: Colour = (226, 228, 232)
# Of scores and highlights, from Okabe and Ito's set, distinct from left and right.
ACCENT: Colour = (0, 158, 115)
VIEWS: dict[str, tuple[float, float]] = {"front": (0.0, 0.0), "side": (90.0, 0.0), "top": (0.0, 90.0)}
# Images are drawn larger by this factor and averaged down, for smooth edges.
SUPERSAMPLING = 2


def need(module: str, extra: str = "viz") -> Any:
    """The optional module, or an ImportError with the line that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'Drawing needs {module.split(".")[0]}: pip install "motionhub[{extra}]"') from error


def view_angles(view: View) -> tuple[float, float]:
    """(azimuth, elevation) in degrees from a name or a pair; ValueError for anything else."""
    if isinstance(view, str) and view in VIEWS:
        return VIEWS[view]
    if not isinstance(view, str) and len(view) == 2:
        return float(view[0]), float(view[1])
    raise ValueError(f"view must be one of {list(VIEWS)} or (azimuth, elevation) in degrees, got {view!r}.")


def viewed(sequence: SkeletonSequence, view: View = "front") -> tuple[np.ndarray, np.ndarray]:
    """`(people, frames, joints, 2)` x right and y down, and depth `(people, frames, joints)`, larger is farther.

    2-D keypoints are unchanged (pixels, y down). 3-D ones are y up with z away from the viewer, projected without
    perspective: azimuth turns the scene about its vertical axis, elevation looks at it from above.
    """
    azimuth, elevation = np.radians(view_angles(view))
    keypoints = sequence.keypoints.astype(np.float64)
    if sequence.num_dims == 2:
        return keypoints, np.zeros(keypoints.shape[:-1])
    x, y, z = np.moveaxis(keypoints, -1, 0)
    across, away = x * np.cos(azimuth) + z * np.sin(azimuth), z * np.cos(azimuth) - x * np.sin(azimuth)
    up = y * np.cos(elevation) + away * np.sin(elevation)
    return np.stack([across, -up], axis=-1), away * np.cos(elevation) - y * np.sin(elevation)


@dataclass(frozen=True)
class Placed:
    """Bodies in the pixels of a canvas.

    Args:
        layout: of the joints.
        pixels: `(people, frames, joints, 2)`, NaN where missing.
        depth: `(people, frames, joints)`, larger is farther.
        size: height of a body in pixels, which sets the widths.
    """

    layout: SkeletonLayout
    pixels: np.ndarray
    depth: np.ndarray
    size: float

    def draw(self, canvas: Canvas, frame: int, right: float = 0.0) -> None:
        """Draw all people of a frame, the first on top, moved to the right by some pixels."""
        points = self.pixels[:, frame] + [right, 0.0]
        for person in reversed(range(len(points))):
            draw_body(canvas, points[person], self.depth[person, frame], self.layout, self.size, person)

    def floor(self) -> float:
        """The lowest joint in pixels from the top; NaN where all are missing."""
        return float(np.nanmax(self.pixels[..., 1])) if np.isfinite(self.pixels).any() else np.nan


def placed(layout: SkeletonLayout, points: np.ndarray, depth: np.ndarray, box: Box, margin: float = 0.08) -> Placed:
    """All points `(people, frames, joints, 2)` centred in `box`, with one scale for both axes."""
    valid = points[np.isfinite(points).all(axis=-1)]
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    if not len(valid):
        return Placed(layout, points + middle, depth, 0.0)
    low, high = valid.min(axis=0), valid.max(axis=0)
    room = np.array([box[2] - box[0], box[3] - box[1]]) * (1 - 2 * margin)
    scale = float((room / np.maximum(high - low, 1e-6)).min()) if (high > low).any() else 1.0
    pixels = points * scale + (middle - scale * (low + high) / 2)
    return Placed(layout, pixels, depth, body_size(points) * scale)


def middles(points: np.ndarray) -> np.ndarray:
    """`(1, frames, 1, 2)` middle of the box around all `(people, frames, joints, 2)`; frames without joints repeat."""
    found = np.zeros((1, points.shape[1], 1, 2))
    last = np.zeros(2)
    for frame in range(points.shape[1]):
        valid = points[:, frame][np.isfinite(points[:, frame]).all(axis=-1)]
        last = (valid.min(axis=0) + valid.max(axis=0)) / 2 if len(valid) else last
        found[0, frame, 0] = last
    return found


def body_size(points: np.ndarray) -> float:
    """Typical height of a body in `(people, frames, joints, 2)`, for line widths; 0 without joints."""
    size = boxes.body_size(points, min_joints=3)
    return 0.0 if np.isnan(size) else size


@lru_cache(maxsize=1024)
def side_colour(joint: str, person: int = 0) -> Colour:
    """Left, right or middle; people after the first in lighter shades."""
    colour = LEFT if joint.startswith("left_") else RIGHT if joint.startswith("right_") else MIDDLE
    return mixed(colour, PAPER, (0.0, 0.45, 0.25, 0.6)[person % 4])


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """`share` of `other` in `colour`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


class Canvas:
    """A raster image; all arguments are in its pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._pillow = need("PIL.Image")
        self._fonts = need("PIL.ImageFont")
        self._draws = need("PIL.ImageDraw")
        self.width, self.height = int(width), int(height)
        self._image = self._pillow.new("RGB", (self.width * SUPERSAMPLING, self.height * SUPERSAMPLING), PAPER)
        self._draw = self._draws.Draw(self._image)

    def copy(self) -> Canvas:
        """An independent copy."""
        twin = copy.copy(self)
        twin._image = self._image.copy()
        twin._draw = self._draws.Draw(twin._image)
        return twin

    def finished(self) -> Image:
        """The image in its own size."""
        return self._image.reduce(SUPERSAMPLING)

    def saved(self, path: str | Path | None) -> np.ndarray:
        """The image `(height, width, 3)` uint8, also written as a PNG to `path` unless that is None."""
        image = self.finished()
        if path is not None:
            with atomic_path(path) as writing:
                image.save(writing, format="PNG")
        return np.asarray(image)

    def line(self, points: np.ndarray, colour: Colour, width: float) -> None:
        scaled = (np.asarray(points, dtype=np.float64) * SUPERSAMPLING).ravel().tolist()
        self._draw.line(scaled, fill=colour, width=max(1, round(width * SUPERSAMPLING)))

    def limb(self, start: np.ndarray, end: np.ndarray, colour: Colour, width: float) -> None:
        """A line with round ends."""
        self.line(np.stack([start, end]), colour, width)
        self.dot(start, colour, width / 2)
        self.dot(end, colour, width / 2)

    def dot(self, centre: np.ndarray, colour: Colour, radius: float) -> None:
        x, y = np.asarray(centre) * SUPERSAMPLING
        r = radius * SUPERSAMPLING
        self._draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)

    def bar(self, box: Box, colour: Colour, radius: float = 0.0) -> None:
        """A filled rectangle; nothing when it is empty."""
        if box[2] > box[0] and box[3] > box[1]:
            scaled = [value * SUPERSAMPLING for value in box]
            self._draw.rounded_rectangle(scaled, radius=radius * SUPERSAMPLING, fill=colour)

    def text(self, x: float, y: float, text: str, size: float, colour: Colour = INK, anchor: str = "lm") -> None:
        """Text; `anchor` as in Pillow (first letter l, m, r; second t, m, b)."""
        position = (x * SUPERSAMPLING, y * SUPERSAMPLING)
        self._draw.text(position, text, font=self._font(size), fill=colour, anchor=anchor.replace("t", "a", 1))

    def text_width(self, text: str, size: float) -> float:
        return float(self._draw.textlength(text, font=self._font(size)) / SUPERSAMPLING)

    def shortened(self, text: str, size: float, width: float) -> str:
        """The text, cut with an ellipsis where it is wider than `width`."""
        if self.text_width(text, size) <= width:
            return text
        while text and self.text_width(text + "…", size) > width:
            text = text[:-1]
        return text.rstrip() + "…"

    def floor(self, left: float, right: float, y: float, view: View, num_dims: int) -> None:
        """A line at `y`, for 3-D views without elevation; nothing where `y` is NaN."""
        if num_dims == 3 and abs(view_angles(view)[1]) <= 1 and np.isfinite(y):
            self.line(np.array([[left, y], [right, y]]), FLOOR, 2)

    def _font(self, size: float) -> Any:
        return self._fonts.load_default(round(size * SUPERSAMPLING))


def draw_body(
    canvas: Canvas, points: np.ndarray, depth: np.ndarray, layout: SkeletonLayout, size: float, person: int = 0
) -> None:
    """One person in one frame, the nearest limbs last: `points (joints, 2)` in pixels, NaN where missing.

    `size` is the body's height in pixels (`body_size`) and sets widths.
    """
    width = float(np.clip(size * 0.03, 1.6, 14.0))
    valid = np.isfinite(points).all(axis=-1)
    bones = [(child, parent) for child, parent in layout.bone_indices if child != parent]
    drawn = [(child, parent) for child, parent in bones if valid[child] and valid[parent]]
    # With equal depths (2-D) the trunk is below the limbs.
    drawn.sort(key=lambda bone: (-(depth[bone[0]] + depth[bone[1]]), layout.joints[bone[0]] > "m"))
    for child, parent in drawn:
        canvas.limb(points[parent], points[child], side_colour(layout.joints[child], person), width)
    head = next((layout.joints.index(name) for name in ("head", "nose") if name in layout.joints), -1)
    for joint in np.flatnonzero(valid):
        colour = side_colour(layout.joints[joint], person)
        canvas.dot(points[joint], colour, size * 0.055 if joint == head else width * 0.72)
        if joint != head:
            canvas.dot(points[joint], mixed(colour, PAPER, 0.75), width * 0.3)


def missing_text(sequence: SkeletonSequence) -> str:
    """The text of an image without joints."""
    return "no joints detected" if sequence.num_people else "no people"
