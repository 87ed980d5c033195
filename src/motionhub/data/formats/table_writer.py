"""Writes a wide CSV table: a row a person and frame, columns `frame time person nose_x nose_y (nose_z) ...`.

It does not know units nor image sizes: a table has no place for them, so they are options on reading. The frame rate
is in the `time` column (so a single frame has none); bones are those of the known layout with these joints.
"""

import csv
import io

import numpy as np

from motionhub.data.formats.writer import Writer, file_tracks
from motionhub.skeletons.sequence import SkeletonSequence


def encode(sequence: SkeletonSequence) -> bytes:
    """UTF-8 text. An empty cell is missing; a confidence is a column `nose_confidence`."""
    if not sequence.num_people or not sequence.num_frames:
        raise ValueError("a CSV table needs a person and a frame, got an empty sequence; write .npz.")
    values, parts = sequence.keypoints, ["x", "y", "z"][: sequence.num_dims]
    if sequence.confidence is not None:
        values = np.concatenate([values, sequence.confidence[..., None]], axis=-1)
        parts.append("confidence")
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(
        ["frame", "time", "person", *(f"{name}_{part}" for name in sequence.layout.joints for part in parts)]
    )
    for frame in range(sequence.num_frames):
        for person, track in enumerate(file_tracks(sequence)):
            cells = ["" if np.isnan(value) else str(value) for value in values[person, frame].ravel()]
            rows.writerow([frame, frame / sequence.fps, track, *cells])
    return stream.getvalue().encode()


WRITER = Writer(name="csv", title="CSV table, a row a person and frame", suffix=".csv", encode=encode)
