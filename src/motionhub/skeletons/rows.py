"""A `SkeletonSequence` as a flat row of a dataset and back: plain numbers, flat lists, shape columns.

The columns' types of `datasets` are in `data/formats/schema.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from motionhub.skeletons.layouts import layout_text, stated_layout
from motionhub.skeletons.sequence import SkeletonSequence


# 1: without frame_labels. 2: without segments and caption. 3: without class_descriptions. 4: without up.
SCHEMA_VERSION = 5
COLUMNS: dict[str, str] = {
    "schema_version": f"version of these columns, {SCHEMA_VERSION}",
    "keypoints": "flat float32 of shape (num_people, num_frames, num_joints, num_dims), row-major; NaN = not seen",
    "confidence": "flat float32 of shape (num_people, num_frames, num_joints) in 0..1; empty when there is none",
    "num_people": "tracked people",
    "num_frames": "frames",
    "num_joints": "joints of the layout",
    "num_dims": "2 (x, y) or 3 (x, y, z)",
    "layout": "name of the joint layout; where the library has none of that name, the layout itself as JSON",
    "fps": "frames per second",
    "unit": "pixel, metre or normalised",
    "image_width": "pixels, 0 = unknown",
    "image_height": "pixels, 0 = unknown",
    "track_ids": "one identity per person",
    "up": "the coordinate axis that points up, such as y or -y; empty when unknown",
    "label": "action class, -1 = unknown",
    "frame_labels": "the action class of every frame, -1 = unknown; empty when the clip has one label or none",
    "segment_labels": "the class of every annotated action, where several may happen at once; empty otherwise",
    "segment_starts": "the first frame of each of these actions",
    "segment_ends": "the frame after the last one of each of these actions",
    "subject": "performer, -1 = unknown",
    "camera": "view, -1 = unknown",
    "setup": "recording set-up, -1 = unknown",
    "clip_id": "name of the clip in its dataset",
    "caption": "the clip in words, one caption a line; empty when there is none",
    "class_descriptions": "the clip's class in words, one phrasing a line; empty when there are none",
    "source": "the dataset",
    "licence": "terms of the dataset's authors",
}

# Columns that a row may lack: facts about the motion, and columns of newer versions.
# fmt: off
_OPTIONAL = frozenset({
    "label", "subject", "camera", "setup", "clip_id", "caption", "class_descriptions", "source", "licence",
    "confidence", "track_ids", "up", "frame_labels", "segment_labels", "segment_starts", "segment_ends",
})
# fmt: on


def to_row(
    sequence: SkeletonSequence,
    *,
    label: int | None = None,
    frame_labels: Sequence[int] | None = None,
    segments: Sequence[tuple[int, int, int]] | None = None,
    subject: int | None = None,
    camera: int | None = None,
    setup: int | None = None,
    clip_id: str = "",
    caption: str = "",
    class_descriptions: str = "",
    source: str = "",
    licence: str = "",
) -> dict[str, Any]:
    """One clip as a row of `COLUMNS`; `from_row` gives the same sequence back. None means unknown.

    Args:
        frame_labels: one class per frame.
        segments: `(class, first frame, frame after the last)` of every action, which may overlap. Without actions the
            clip gets frame labels of -1.
    """
    labels = () if frame_labels is None else frame_labels
    if segments is not None and not len(segments) and not len(labels):
        labels = [-1] * sequence.num_frames
    if len(labels) not in (0, sequence.num_frames):
        raise ValueError(f"frame_labels must be {sequence.num_frames} classes, one per frame, got {len(labels)}.")
    actions = _segment_array(() if segments is None else segments, sequence.num_frames)
    layout, size, confidence = sequence.layout, sequence.image_size or (0, 0), sequence.confidence
    row = {
        "schema_version": SCHEMA_VERSION,
        "keypoints": np.ascontiguousarray(sequence.keypoints).reshape(-1),
        "confidence": np.zeros(0, np.float32) if confidence is None else confidence.reshape(-1),
        "num_people": sequence.num_people,
        "num_frames": sequence.num_frames,
        "num_joints": sequence.num_joints,
        "num_dims": sequence.num_dims,
        "layout": layout_text(layout),
        "fps": float(sequence.fps),
        "unit": sequence.unit,
        "image_width": size[0],
        "image_height": size[1],
        "track_ids": list(sequence.track_ids or ()),
        "up": sequence.up or "",
        "frame_labels": np.asarray(labels, dtype=np.int32).reshape(-1),
        "segment_labels": actions[:, 0],
        "segment_starts": actions[:, 1],
        "segment_ends": actions[:, 2],
        "clip_id": clip_id,
        "caption": caption,
        "class_descriptions": class_descriptions,
        "source": source,
        "licence": licence,
    }
    facts = {"label": label, "subject": subject, "camera": camera, "setup": setup}
    row |= {name: -1 if value is None else int(value) for name, value in facts.items()}
    return {name: row[name] for name in COLUMNS}


def from_row(row: Mapping[str, Any]) -> SkeletonSequence:
    """The clip of a row in any format of the dataset: lists, NumPy or torch (where `datasets` rounds fps to float32).

    The layout must be a name or JSON: a row never opens a file.
    """
    absent = [name for name in COLUMNS if name not in row and name not in _OPTIONAL]
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
    confidence = row.get("confidence", ())
    size = (int(row["image_width"]), int(row["image_height"]))
    track_ids = row.get("track_ids")
    return SkeletonSequence(
        keypoints=_shaped(row["keypoints"], shape, "keypoints"),
        layout=stated_layout(str(row["layout"])),
        fps=float(row["fps"]),
        unit=str(row["unit"]),
        confidence=_shaped(confidence, shape[:3], "confidence") if len(confidence) else None,
        image_size=size if min(size) > 0 else None,
        track_ids=None if track_ids is None else tuple(int(track) for track in track_ids),
        up=str(row.get("up") or "") or None,
    )


def frame_labels_of(row: Mapping[str, Any], num_classes: int | None = None) -> np.ndarray | None:
    """The classes of every frame of a row, or None when it has none (as in rows of schema version 1).

    Args:
        row: in any format of the dataset.
        num_classes: None for `(frames,)` int64 as stored, -1 = unknown; a number for `(frames, num_classes)` float32
            with 1 at the classes of the frame, as `SkeletonProcessor.process(frame_labels=...)` takes it; required for
            segments, which may overlap.
    """
    num_frames, segments = int(row["num_frames"]), segments_of(row)
    labels = np.asarray(row.get("frame_labels", ()), dtype=np.int64).reshape(-1)
    if segments and num_classes is None:
        raise ValueError("This row has segments, which may overlap: call frame_labels_of(row, num_classes=...).")
    if not labels.size and not segments:
        return None
    if labels.size not in ((0, num_frames) if segments else (num_frames,)):
        raise ValueError(f"Column 'frame_labels' must hold {num_frames} classes, got {labels.size}.")
    if num_classes is None:
        return labels
    highest = max([*labels.tolist(), *(label for label, _, _ in segments)], default=-1)
    if highest >= num_classes:
        raise ValueError(f"frame_labels must be below num_classes={num_classes}, got {highest}.")
    classes = np.zeros((num_frames, num_classes), np.float32)
    if labels.size:
        classes[:] = labels[:, None] == np.arange(num_classes)
    for label, start, end in segments:
        classes[start:end, label] = 1
    return classes


def segments_of(row: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """`(class, first frame, frame after the last)` of every action of a row; none in schema version 1 or 2."""
    names = ("segment_labels", "segment_starts", "segment_ends")
    columns = [np.asarray(row.get(name, ()), dtype=np.int64).reshape(-1) for name in names]
    if len({column.size for column in columns}) > 1:
        raise ValueError(f"Columns {names} must be equally long, got {[column.size for column in columns]}.")
    segments = _segment_array(np.stack(columns, axis=-1), int(row["num_frames"]))
    return [(int(label), int(start), int(end)) for label, start, end in segments]


def classes_of(row: Mapping[str, Any]) -> set[int]:
    """Every class in the row's label, frame labels and segments; unknown (-1) is none."""
    found = {int(row.get("label", -1))}
    for name in ("frame_labels", "segment_labels"):
        labels = row.get(name, ())
        if len(labels):
            found.update(np.unique(np.asarray(labels, dtype=np.int64)).tolist())
    return {label for label in found if label >= 0}


def _segment_array(segments: Any, num_frames: int) -> np.ndarray:
    """`(segments, 3)` int32."""
    array = np.asarray(segments, dtype=np.int32).reshape(-1, 3)
    broken = (array[:, 0] < 0) | (array[:, 1] < 0) | (array[:, 1] >= array[:, 2]) | (array[:, 2] > num_frames)
    if broken.any():
        got = tuple(array[broken][0].tolist())
        raise ValueError(f"segments must be (class, start, end) with 0 <= start < end <= {num_frames}, got {got}.")
    return array


def _shaped(values: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float32).reshape(-1)
    if array.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"Column {name!r} must hold {'*'.join(map(str, shape))} numbers, got {array.size}.")
    return array.reshape(shape)
