"""The types of a dataset's columns, readable by every tool without this library.

Lists are flat, because nested ones decode about a hundred times slower.
"""

from collections.abc import Sequence
from typing import Any

from datasets import ClassLabel, Features, List, Value

from motionhub.skeletons.rows import COLUMNS


def features(class_names: Sequence[str] | None) -> Features:
    """The columns' types; `label` is a ClassLabel of `class_names`, or a plain integer when there are none."""
    small = {"schema_version", "num_people", "num_frames", "num_joints", "num_dims", "image_width", "image_height"}
    small |= {"subject", "camera", "setup"}
    types: dict[str, Any] = {name: Value("int32") for name in COLUMNS if name in small}
    types |= {name: Value("string") for name in ("layout", "unit", "clip_id", "source", "licence")}
    types |= {name: Value("string") for name in ("caption", "class_descriptions")}
    types |= {"keypoints": List(Value("float32")), "confidence": List(Value("float32"))}
    frames = ("frame_labels", "segment_labels", "segment_starts", "segment_ends")
    types |= {name: List(Value("int32")) for name in frames}
    types |= {"fps": Value("float64"), "track_ids": List(Value("int64"))}
    types["label"] = ClassLabel(names=list(class_names)) if class_names else Value("int64")
    return Features({name: types[name] for name in COLUMNS})
