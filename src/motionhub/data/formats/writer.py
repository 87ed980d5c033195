"""What a writer is, and what the formats for keypoints in an image have in common.

It does not know any format (each is a file of its own) nor the file system (`write` in `__init__.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence


class WriteOption(ValueError):
    """A sequence or a path that fits no format as it is, but would with another argument.

    Args:
        message: one line with the fix in Python.
        option: what would make it fit: another "format" or "layout", one "person", or to "project" it.
    """

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True)
class Writer:
    """One file format that a sequence can be written in.

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


def check_in_image(sequence: SkeletonSequence, format_name: str, layouts: tuple[str, ...]) -> None:
    """Refuses what a file of pixels in a fixed joint order cannot hold."""
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


def scored_keypoints(sequence: SkeletonSequence) -> np.ndarray:
    """`(people, frames, joints, 3)` float32: x, y and score; 0, 0, 0 where a joint is missing, score 1 if unknown."""
    seen = sequence.joint_mask
    scores = np.ones(seen.shape, np.float32) if sequence.confidence is None else np.nan_to_num(sequence.confidence)
    points = np.concatenate([sequence.keypoints, scores[..., None]], axis=-1)
    return np.where(seen[..., None], points, np.float32(0))


def file_tracks(sequence: SkeletonSequence) -> tuple[int, ...]:
    """The numbers of the people, as files allow them: not negative; otherwise by position."""
    tracks = sequence.track_ids or ()
    return tracks if all(track >= 0 for track in tracks) else tuple(range(len(tracks)))


def short(values: np.ndarray) -> list[float]:
    """float32 values as the shortest decimals that give them back: 0.1, not 0.10000000149."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]
