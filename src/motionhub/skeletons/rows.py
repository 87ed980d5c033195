"""A `SkeletonSequence` as a flat row of a dataset and back: plain numbers, flat lists, shape columns.

It does not know `datasets` (the columns' types are in `data/schema.py`) nor who wrote the row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from motionhub.skeletons.layouts import LAYOUTS, get_layout
from motionhub.skeletons.sequence import SkeletonSequence


# 1: without frame_labels.
SCHEMA_VERSION = 2
COLUMNS: dict[str, str] = {
    "schema_version": f"version of these columns, {SCHEMA_VERSION}",
    "keypoints": "flat float32 of shape (num_people, num_frames, num_joints, num_dims), row-major; NaN = not seen",
    "confidence": "flat float32 of shape (num_people, num_frames, num_joints) in 0..1; empty when there is none",
    "num_people": "tracked people",
    "num_frames": "frames",
    "num_joints": "joints of the layout",
    "num_dims": "2 (x, y) or 3 (x, y, z)",
    "layout": "name of the joint layout",
    "fps": "frames per second",
    "unit": "pixel, metre or normalised",
    "image_width": "pixels, 0 = unknown",
    "image_height": "pixels, 0 = unknown",
    "track_ids": "one identity per person",
    "label": "action class, -1 = unknown",
    "frame_labels": "the action class of every frame, -1 = unknown; empty when the clip has one label or none",
    "subject": "performer, -1 = unknown",
    "camera": "view, -1 = unknown",
    "setup": "recording set-up, -1 = unknown",
    "clip_id": "name of the clip in its data set",
    "source": "the data set",
    "licence": "terms of the data set's authors",
}


def to_row(
    sequence: SkeletonSequence,
    *,
    label: int | None = None,
    frame_labels: Sequence[int] | None = None,
    subject: int | None = None,
    camera: int | None = None,
    setup: int | None = None,
    clip_id: str = "",
    source: str = "",
    licence: str = "",
) -> dict[str, Any]:
    """One clip as a row of `COLUMNS`; `from_row` gives the same sequence back. None means unknown.

    Raises:
        ValueError: the sequence has a layout that cannot be found again by its name, or there is not one frame label
            per frame.
    """
    labels = () if frame_labels is None else frame_labels
    if len(labels) not in (0, sequence.num_frames):
        raise ValueError(f"frame_labels must be {sequence.num_frames} classes, one per frame, got {len(labels)}.")
    layout, size, confidence = sequence.layout, sequence.image_size or (0, 0), sequence.confidence
    if LAYOUTS.get(layout.name) != layout:
        raise ValueError(
            f"A row stores the layout by name, but {layout.name!r} is not (or differs from) a layout of LAYOUTS; "
            "convert first: motionhub.convert_layout(sequence, target)."
        )
    row = {
        "schema_version": SCHEMA_VERSION,
        "keypoints": np.ascontiguousarray(sequence.keypoints).reshape(-1),
        "confidence": np.zeros(0, np.float32) if confidence is None else confidence.reshape(-1),
        "num_people": sequence.num_people,
        "num_frames": sequence.num_frames,
        "num_joints": sequence.num_joints,
        "num_dims": sequence.num_dims,
        "layout": layout.name,
        "fps": float(sequence.fps),
        "unit": sequence.unit,
        "image_width": size[0],
        "image_height": size[1],
        "track_ids": list(sequence.track_ids or ()),
        "frame_labels": np.asarray(labels, dtype=np.int32).reshape(-1),
        "clip_id": clip_id,
        "source": source,
        "licence": licence,
    }
    facts = {"label": label, "subject": subject, "camera": camera, "setup": setup}
    row |= {name: -1 if value is None else int(value) for name, value in facts.items()}
    return {name: row[name] for name in COLUMNS}


def from_row(row: Mapping[str, Any]) -> SkeletonSequence:
    """The clip of a row, whatever format the dataset is set to (lists, NumPy or torch).

    A confidence without a single number (no people, no frames) comes back as None; and `datasets` itself rounds fps to
    float32 when the row was read in its torch format.

    Raises:
        ValueError: a column is absent, the row comes from a newer schema, or the lengths and the shape disagree.
    """
    absent = [name for name in COLUMNS if name not in row and name not in ("label", "subject", "camera", "setup")]
    optional = ("clip_id", "source", "licence", "confidence", "track_ids", "frame_labels")
    absent = [name for name in absent if name not in optional]
    if absent:
        raise ValueError(
            f"A row needs the columns {absent}; got {list(row)}. Make rows with motionhub.skeletons.rows.to_row."
        )
    if int(row["schema_version"]) > SCHEMA_VERSION:
        raise ValueError(
            f"This row has schema version {int(row['schema_version'])}, but this motionhub reads up to "
            f"{SCHEMA_VERSION}; upgrade motionhub."
        )
    shape = tuple(int(row[name]) for name in ("num_people", "num_frames", "num_joints", "num_dims"))
    confidence = (
        _shaped(row.get("confidence", ()), shape[:3], "confidence") if len(row.get("confidence", ())) else None
    )
    size = (int(row["image_width"]), int(row["image_height"]))
    track_ids = row.get("track_ids")
    return SkeletonSequence(
        keypoints=_shaped(row["keypoints"], shape, "keypoints"),
        layout=get_layout(str(row["layout"])),
        fps=float(row["fps"]),
        unit=str(row["unit"]),
        confidence=confidence,
        image_size=size if min(size) > 0 else None,
        track_ids=None if track_ids is None else tuple(int(track) for track in track_ids),
    )


def frame_labels_of(row: Mapping[str, Any], num_classes: int | None = None) -> np.ndarray | None:
    """The class of every frame of a row, or None when it has none (as in rows of schema version 1).

    Args:
        row: in whatever format the dataset is set to.
        num_classes: None for `(frames,)` int64 as stored, -1 = unknown; a number for `(frames, num_classes)` float32,
            1 at the class and 0 elsewhere, which is what `SkeletonProcessor.process(frame_labels=...)` takes.

    Raises:
        ValueError: the labels are not one per frame, or one is not below `num_classes`.
    """
    labels = np.asarray(row.get("frame_labels", ()), dtype=np.int64).reshape(-1)
    if not labels.size:
        return None
    if labels.size != int(row["num_frames"]):
        raise ValueError(f"Column 'frame_labels' must hold {int(row['num_frames'])} classes, got {labels.size}.")
    if num_classes is None:
        return labels
    if labels.max() >= num_classes:
        raise ValueError(f"frame_labels must be below num_classes={num_classes}, got {labels.max()}.")
    return (labels[:, None] == np.arange(num_classes)).astype(np.float32)


def _shaped(values: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float32).reshape(-1)
    if array.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"Column {name!r} must hold {'*'.join(map(str, shape))} numbers, got {array.size}.")
    return array.reshape(shape)
