"""Writes `.npz`: everything a `SkeletonSequence` holds, so that reading gives the same sequence.

It does not know pickles: every entry is a plain array. A layout of the caller's own goes along, joints and bones.
"""

import io
from typing import Any

import numpy as np

from motionhub.data.formats.writer import Writer
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.sequence import SkeletonSequence


def encode(sequence: SkeletonSequence) -> bytes:
    """Arrays `keypoints`, `layout`, `fps`, `unit`, `track_ids`, `num_dims`, and what is known of the others."""
    layout = sequence.layout
    arrays: dict[str, Any] = {
        "keypoints": sequence.keypoints,
        "layout": np.array(layout.name),
        "fps": np.array(sequence.fps),
        "unit": np.array(sequence.unit),
        "track_ids": np.array(sequence.track_ids, dtype=np.int64),
        "num_dims": np.array(sequence.num_dims),  # says that a third column of pixels is no score
    }
    if sequence.confidence is not None:
        arrays["confidence"] = sequence.confidence
    if sequence.image_size is not None:
        arrays["image_size"] = np.array(sequence.image_size, dtype=np.int64)
    if LAYOUTS.get(layout.name) != layout:
        arrays["joints"] = np.array(layout.joints)
        arrays["bones"] = np.array(layout.bones, dtype=arrays["joints"].dtype).reshape(-1, 2)
        arrays["root"] = np.array(layout.root)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


WRITER = Writer(name="npz", title="NumPy archive, without loss", suffix=".npz", encode=encode)
