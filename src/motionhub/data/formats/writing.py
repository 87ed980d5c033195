"""What writers share: the type, what a sequence must be for a format to hold it, and numbers as files have them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from motionhub.data.formats.files import OptionError
from motionhub.skeletons.sequence import SkeletonSequence


class WriteOption(OptionError):
    """A sequence or path fits no format; with another "format", "layout" or "person", or "project"ed, it would."""


@dataclass(frozen=True)
class Writer:
    """How a sequence becomes a file.

    Args:
        name: key in `WRITERS`.
        title: what it is, in words.
        suffix: what such files end in; "" for a folder.
        encode: sequence -> the bytes of the file; for a folder, the bytes of each file by name. Raises a one-line
            ValueError, that says what to do, for a sequence the format cannot hold.
        encode_all: the same for several sequences in one file; None where a file is one clip.
    """

    name: str
    title: str
    suffix: str
    encode: Callable[[SkeletonSequence], bytes | dict[str, bytes]]
    encode_all: Callable[[Sequence[SkeletonSequence]], bytes] | None = None


def scored_keypoints(sequence: SkeletonSequence, format_name: str, layouts: tuple[str, ...]) -> np.ndarray:
    """`(people, frames, joints, 3)` float32: x, y and score; 0, 0, 0 where a joint is missing, score 1 if unknown.

    Raises:
        ValueError: a file of pixels in a fixed joint order cannot hold the sequence.
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
    seen = sequence.joint_mask
    scores = np.ones(seen.shape, np.float32) if sequence.confidence is None else np.nan_to_num(sequence.confidence)
    points = np.concatenate([sequence.keypoints, scores[..., None]], axis=-1)
    return np.where(seen[..., None], points, np.float32(0))


def check_body_in_metres(sequence: SkeletonSequence, format_name: str) -> None:
    """Refuses what a file of one body in space cannot hold."""
    if sequence.num_dims != 3:
        reason = f"{format_name} holds positions in space, and 2-D keypoints do not tell the depth"
        raise ValueError(f"{reason}; write .npz, .csv or .json.")
    if sequence.unit != "metre":
        fix = 'sequence.replace(keypoints=..., unit="metre") with metres, or write .npz'
        raise ValueError(f"{format_name} holds lengths, got {sequence.unit!r}; call {fix}.")
    if sequence.num_people != 1:
        reason = f"{format_name} holds one person, got {sequence.num_people}"
        raise WriteOption(f"{reason}; write each sequence.person(index) to its own file.", "person")
    if not sequence.num_frames:
        raise ValueError(f"a {format_name} file needs a frame, got an empty sequence; write .npz.")


def file_tracks(sequence: SkeletonSequence) -> tuple[int, ...]:
    """The numbers of the people, as files allow them: not negative; otherwise by position."""
    tracks = sequence.track_ids or ()
    return tracks if all(track >= 0 for track in tracks) else tuple(range(len(tracks)))


def short(values: np.ndarray) -> list[float]:
    """float32 values as the shortest decimals that give them back: 0.1, not 0.10000000149."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]
