"""The overlay of `overlay.py` drawn by the package supervision: its boxes, labels, edges and vertices.

It does not know where frames or keypoints come from. Needs the extra `overlay`.
"""

import importlib
from typing import Any

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import Colour, need, side_colour


def is_installed() -> bool:
    """Whether supervision can be imported, with all that it needs itself."""
    try:
        importlib.import_module("supervision")
    except ImportError:
        return False
    return True


def draw(
    image: np.ndarray,
    sequence: SkeletonSequence,
    frame: int,
    boxes: np.ndarray,
    colours: tuple[Colour, ...],
    named: np.ndarray,
) -> np.ndarray:
    """One picture with the people of one frame over it.

    Args:
        image: `(height, width, 3)` uint8 RGB; it is not changed.
        sequence, frame: in pixels of this picture.
        boxes: `(people, 4)` left, top, right, bottom; NaN for who is not there.
        colours: of the people, by track number.
        named: `(people, joints)` bool: joints whose name is written.

    Returns:
        `(height, width, 3)` uint8.
    """
    supervision = need("supervision", "overlay")
    points = sequence.keypoints[:, frame]
    seen = np.isfinite(points).all(-1)
    there = seen.any(-1)
    picture = np.ascontiguousarray(image[..., ::-1])  # BGR, as OpenCV draws
    width = max(2, round(min(image.shape[:2]) / 200))
    names, layout = sequence.layout.joints, sequence.layout
    for person in np.flatnonzero(there):
        for child, parent in layout.bone_indices:
            if seen[person, child] and seen[person, parent]:
                # One bone at a time: supervision has one colour for all edges, and ours says which side it is.
                picture = supervision.EdgeAnnotator(
                    color=supervision.Color(*side_colour(names[child])), thickness=width, edges=[(1, 2)]
                ).annotate(picture, _keypoints(points[person, [child, parent]]))
        for joint in np.flatnonzero(seen[person]):
            colour = supervision.Color(*side_colour(names[joint]))
            dot = _keypoints(points[person, [joint]])
            picture = supervision.VertexAnnotator(color=colour, radius=width + 1).annotate(picture, dot)
            if named[person, joint]:
                labeller = supervision.VertexLabelAnnotator(color=colour, text_scale=0.35, text_padding=2)
                picture = labeller.annotate(picture, dot, labels=[names[joint]])
    if there.any():
        numbers = np.array(sequence.track_ids or range(sequence.num_people))[there]
        palette = supervision.ColorPalette([supervision.Color(*colour) for colour in colours])
        found = supervision.Detections(xyxy=boxes[there].astype(np.float32), class_id=numbers % len(colours))
        picture = supervision.BoxAnnotator(color=palette, thickness=width).annotate(picture, found)
        labels = [f"person {number}" for number in numbers]
        size = min(0.5, min(image.shape[:2]) / 700)
        black = supervision.Color(0, 0, 0)
        labeller = supervision.LabelAnnotator(color=palette, text_color=black, text_scale=size, text_padding=4)
        picture = labeller.annotate(picture, found, labels=labels)
    return np.ascontiguousarray(picture[..., ::-1])


def _keypoints(points: np.ndarray) -> Any:
    """supervision's own type, of one thing with these points."""
    return need("supervision", "overlay").KeyPoints(xy=points[None].astype(np.float32))
