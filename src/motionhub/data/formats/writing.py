"""`Writer`, and the checks and conversions that writers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from motionhub.data.formats.files import OptionError
from motionhub.skeletons.sequence import SkeletonSequence


class WriteOption(OptionError):
    """A sequence or path does not fit the format; `option` is "format", "layout", "person" or "project"."""


@dataclass(frozen=True)
class Writer:
    """Encodes sequences in one format.

    Args:
        name: key in `WRITERS`.
        title: full name.
        suffix: of the files; "" for a folder.
        encode: sequence -> the bytes of the file; for a folder, the bytes of each file by name. Raises a one-line
            ValueError with the fix for a sequence the format cannot hold.
        encode_all: the same for several sequences in one file; None where a file is one clip.
    """

    name: str
    title: str
    suffix: str
    encode: Callable[[SkeletonSequence], bytes | dict[str, bytes]]
    encode_all: Callable[[Sequence[SkeletonSequence]], bytes] | None = None


def scored_keypoints(sequence: SkeletonSequence, format_name: str, layouts: tuple[str, ...]) -> np.ndarray:
    """`(people, frames, joints, 3)` float32: x, y and score; 0, 0, 0 where a joint is missing, score 1 if unknown.

    Raises ValueError unless the sequence is in 2-D pixels of one of the layouts.
    """
    if sequence.num_dims != 2:
        call = "motionhub.data.views.cameras.project_to_pixels(sequence, azimuth)"
        reason = f"{format_name} holds 2-D keypoints, got 3-D; write {call}, or .npz, .csv, .trc or .bvh"
        raise WriteOption(f"{reason}.", "project")
    if sequence.unit != "pixel":
        fix = 'sequence.replace(keypoints=..., unit="pixel") with pixels, or write .npz'
        raise ValueError(f"{format_name} holds pixels, got {sequence.unit!r}; call {fix}.")
    if sequence.layout.name not in layouts:
        call = " or ".join(f'motionhub.convert_layout(sequence, "{name}")' for name in layouts)
        reason = f"{format_name} holds the joints of {' or '.join(layouts)}, got layout {sequence.layout.name!r}"
        raise WriteOption(f"{reason}; call {call} first.", "layout")
    valid = sequence.joint_mask
    scores = np.ones(valid.shape, np.float32) if sequence.confidence is None else np.nan_to_num(sequence.confidence)
    points = np.concatenate([sequence.keypoints, scores[..., None]], axis=-1)
    return np.where(valid[..., None], points, np.float32(0))


def check_body_in_metres(sequence: SkeletonSequence, format_name: str) -> None:
    """Raises ValueError unless the sequence is one person in 3-D metres."""
    if sequence.num_dims != 3:
        raise ValueError(f"{format_name} holds 3-D positions, got 2-D keypoints; write .npz, .csv or .json.")
    if sequence.unit != "metre":
        fix = 'sequence.replace(keypoints=..., unit="metre") with metres, or write .npz'
        raise ValueError(f"{format_name} holds lengths, got {sequence.unit!r}; call {fix}.")
    if sequence.num_people != 1:
        fix = "write each sequence.person(index) to its own file"
        raise WriteOption(f"{format_name} holds one person, got {sequence.num_people}; {fix}.", "person")
    if not sequence.num_frames:
        raise ValueError(f"a {format_name} file needs a frame, got an empty sequence; write .npz.")


def file_tracks(sequence: SkeletonSequence) -> tuple[int, ...]:
    """The track ids where none is negative, else positions."""
    tracks = sequence.track_ids or ()
    return tracks if all(track >= 0 for track in tracks) else tuple(range(len(tracks)))


def short(values: np.ndarray) -> list[float]:
    """float32 values as the shortest exact decimals: 0.1, not 0.10000000149."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]
