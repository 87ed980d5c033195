"""Writes TRC marker files: tab-separated positions in millimetres of one person, a marker a joint.

It does not know bones, confidences, image sizes nor identities: the format has no place for them. Axes stay as they
are; OpenSim expects y up.
"""

import numpy as np

from motionhub.data.formats.writer import WriteOption, Writer
from motionhub.skeletons.sequence import SkeletonSequence


_FACTS = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames".split()


def encode(sequence: SkeletonSequence) -> bytes:
    """Text. Empty cells are a joint that was not seen. Nine digits in millimetres give every float32 back."""
    _check(sequence)
    rate, length, names = repr(sequence.fps), str(sequence.num_frames), sequence.layout.joints
    facts = [rate, rate, length, str(len(names)), "mm", rate, "1", length]
    axes = [f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", "motionhub.trc"],
        _FACTS,
        facts,
        ["Frame#", "Time", *(cell for name in names for cell in (name, "", ""))],
        ["", "", *axes],
    ]
    # In double precision: the factor itself must not round the positions.
    millimetres = 1000.0 * sequence.keypoints[0].astype(np.float64)
    for frame, values in enumerate(millimetres.reshape(sequence.num_frames, -1).tolist()):
        cells = ["" if np.isnan(value) else f"{value:.9g}" for value in values]
        lines.append([str(frame + 1), f"{frame / sequence.fps:.6f}", *cells])
    return "".join("\t".join(line) + "\n" for line in lines).encode()


def _check(sequence: SkeletonSequence) -> None:
    if sequence.num_dims != 3:
        raise ValueError(
            "TRC holds 3-D marker positions, and 2-D keypoints do not tell the depth; write .npz, .csv or .json."
        )
    if sequence.unit != "metre":
        fix = 'sequence.replace(keypoints=..., unit="metre") with metres, or write .npz'
        raise ValueError(f"TRC holds lengths, got {sequence.unit!r}; call {fix}.")
    if sequence.num_people != 1:
        call = "write each sequence.person(index) to its own file"
        raise WriteOption(f"TRC holds one person, got {sequence.num_people}; {call}.", "person")
    if not sequence.num_frames:
        raise ValueError("a TRC file needs a frame, got an empty sequence; write .npz.")


WRITER = Writer(name="trc", title="TRC marker trajectories, millimetres", suffix=".trc", encode=encode)
