"""Reads training arrays of graph networks: many clips in one file, padded with zeros to one length.

2s-AGCN and ST-GCN write `train_data_joint.npy` (clips, dims, frames, joints, people), CTR-GCN `NTU60_CS.npz` with
`x_train` and `x_test` (clips, frames, 150 = 2 people x 25 joints x 3). Zeros are missing; the labels are not read.
"""

from pathlib import Path

import numpy as np

from motionhub.data.formats.arrays import NPY_MAGIC, archive_of, array_of, names_in, shape_of
from motionhub.data.formats.files import bad_file, nan_at_origin, note, read_bytes
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


_PARTS = ("x_train", "x_val", "x_test")
# NTU RGB+D: joints, coordinates, people.
_NTU = (25, 3, 2)
_NTU_RATE = 30.0
_MOST_PEOPLE = 10
# The other streams of the same networks.
_DERIVED = ("bone", "motion", "velocity")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """The clips, `(people, frames, joints, dims)`, without the frames and people that are padding.

    Arrays of 2 people x 25 joints x 3 are NTU RGB+D's, unless the caller states another layout: ntu-25, metres, 30
    frames per second. Others need layout, fps and unit.
    """
    derived = next((word for word in _DERIVED if word in path.stem.lower()), None)
    if derived is not None:
        raise bad_file(path, "name", f"holds the {derived} stream, not joints; give the file of joints.")
    content = read_bytes(path)
    if content.startswith(NPY_MAGIC):
        groups = {"array": array_of(path, "array", content)}
    else:
        arrays = archive_of(path, content, _PARTS)
        groups = {name: arrays[name] for name in _PARTS if name in arrays}
        counts = ", ".join(f"{array.shape[0] if array.ndim else 1} of {name}" for name, array in groups.items())
        note(path, "arrays", f"clips in this order: {counts}; their labels (y) are not read.")
    batches = [_batch(path, name, array) for name, array in groups.items()]
    if options.layout is None and all(_is_ntu(batch) for batch in batches):
        text = "2 people of 25 joints and 3 coordinates, as NTU RGB+D: read as ntu-25 in metres at"
        note(path, "arrays", f"{text} {options.fps or _NTU_RATE:g} frames per second; the clips' padding is cut.")
    return [clip for batch in batches for clip in _clips(path, batch, options)]


def _batch(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """`(clips, people, frames, joints, dims)`."""
    if array.dtype.kind not in "iuf":
        raise bad_file(path, name, f"expected numbers, got {array.dtype}.")
    checked_size(path, *array.shape)
    if array.ndim == 5:
        return array.transpose(0, 4, 2, 3, 1)
    joints, dims, people = _NTU
    if array.ndim != 3 or array.shape[2] != joints * dims * people:
        fix = "array.reshape(clips, frames, people, joints, dims).transpose(0, 2, 1, 3, 4), clip by clip"
        reason = f"expected (clips, frames, 150), got {array.shape}; save keypoints={fix}"
        raise bad_file(path, name, f"{reason}.")
    return array.reshape(*array.shape[:2], people, joints, dims).transpose(0, 2, 1, 3, 4)


def _is_ntu(batch: np.ndarray) -> bool:
    return (batch.shape[3], batch.shape[4], batch.shape[1]) == _NTU


def _clips(path: Path, batch: np.ndarray, options: ReadOptions) -> list[SkeletonSequence]:
    _, _, joints, dims = batch.shape[1:]
    if options.layout is not None and not options.layout_of(path).fits(joints):
        given = options.layout_of(path)
        reason = f"layout {given.name!r} has {given.num_joints} joints, but the array {batch.shape} has {joints}"
        raise bad_file(path, "layout", f"{reason}; leave layout out, or give the true one.")
    ntu = _is_ntu(batch) and options.layout in (None, get_layout("ntu-25"))
    layout = options.layout_of(path, assumed="ntu-25" if ntu else None)
    unit = options.unit_of(path, assumed="metre" if ntu else None)
    fps = (options.fps or _NTU_RATE) if ntu else None
    if dims == 3 and unit != "metre" and options.unit not in ("centimetre", "millimetre"):
        fix = "if it is a score, save keypoints=array[..., :2] and confidence=array[..., 2] of each clip as .npz"
        raise bad_file(path, "array", f"three columns in {unit}, and the third is ambiguous; {fix}.")
    clips = []
    for clip in batch:
        seen = (clip != 0).any(axis=(2, 3))
        length = int(np.flatnonzero(seen.any(axis=0)).max(initial=-1)) + 1 or seen.shape[1]
        present = np.flatnonzero(seen.any(axis=1))
        kept = nan_at_origin(clip[present, :length].astype(np.float64))
        clips.append(options.sequence(path, kept, layout, unit=unit, fps=fps))
    return clips


def matches(path: Path, head: bytes) -> bool:
    """`x_train` or `x_test` in an archive, or an array (clips, 2 or 3, frames, joints, people)."""
    shape = shape_of(path, head)
    if shape:
        return len(shape) == 5 and shape[1] in (2, 3) and 1 <= shape[4] <= _MOST_PEOPLE and shape[3] > 5
    return bool(names_in(path, head).intersection(_PARTS))


FORMAT = Format(
    name="training-arrays",
    title="Training arrays of graph networks (ST-GCN, 2s-AGCN, CTR-GCN)",
    matches=matches,
    read=read,
    container="binary",
    signature="train_data_joint.npy (clips, dims, frames, joints, people), or .npz with x_train (clips, frames, 150)",
    needs=("layout", "fps", "unit"),
)
