"""The types of the columns of a dataset. Lists are flat, because nested ones decode about a hundred times slower."""

from collections.abc import Sequence
from typing import Any

from datasets import ClassLabel, Features, List, Value

from motionhub.skeletons.rows import COLUMNS


def features(class_names: Sequence[str] | None) -> Features:
    """The types of the columns; `label` is a ClassLabel of `class_names`, or an integer without them."""
    texts = ("layout", "unit", "up", "clip_id", "source", "licence", "caption", "class_descriptions")
    frames = ("frame_labels", "segment_labels", "segment_starts", "segment_ends")
    types: dict[str, Any] = dict.fromkeys(COLUMNS, Value("int32"))
    types |= {name: Value("string") for name in texts} | {name: List(Value("int32")) for name in frames}
    types |= {"keypoints": List(Value("float32")), "confidence": List(Value("float32"))}
    types |= {"fps": Value("float64"), "track_ids": List(Value("int64"))}
    types["label"] = ClassLabel(names=list(class_names)) if class_names else Value("int64")
    return Features(types)
