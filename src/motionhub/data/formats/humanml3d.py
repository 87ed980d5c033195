"""Reads HumanML3D: joints (`new_joints/*.npy`), features (263 or KIT-ML's 251 columns), and generated `results.npy`.

A row of features (Guo et al., CVPR 2022, section 4) has the root's turn about the vertical until the next frame (half
the angle), its way until then along x and z in its own heading, and its height; the other joints from the ground below
the root, in its heading; and rotations, velocities and foot contacts, which repeat these. HumanML3D is in metres, y
up, at 20 frames per second; KIT-ML has 21 joints at 12.5.
"""

from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.arrays import NPY_MAGIC, array_of, object_of, shape_of
from motionhub.data.formats.files import bad_file, note, read_bytes
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.skeletons.sequence import SkeletonSequence


# Columns of the features -> joints.
_JOINTS = {263: 22, 251: 21}
_RATES = {22: 20.0, 21: 12.5}
_FOLDER = "new_joints"
# Columns before the joints: turn, way along x and z, height.
_ROOT = 4


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """The clip of a file of joints or features, or every clip of a generator's `results.npy`, `(1, frames, 22, 3)`.

    KIT-ML's 21 joints need a layout and a unit: its tools disagree about which side comes first.
    """
    content = read_bytes(path)
    shape = shape_of(path, content)
    if shape == ():
        return _generated(path, object_of(path, "array", content), options)
    rows = _real(path, array_of(path, "array", content))
    if rows.ndim == 3:
        return [_clip(path, rows, options)]
    if rows.ndim != 2 or rows.shape[1] not in _JOINTS:
        expected = f"(frames, joints, 3) joints, or features in {' or '.join(map(str, _JOINTS))} columns"
        raise bad_file(path, "array", f"expected {expected}, got shape {rows.shape}.")
    checked_size(path, len(rows), _JOINTS[rows.shape[1]], 3)
    return [_clip(path, joints_of_features(rows), options)]


def joints_of_features(features: np.ndarray) -> np.ndarray:
    """`(frames, joints, 3)` positions of `(frames, 263 or 251)` features, which must not be normalised.

    The first frame looks along z and stands at x = z = 0.
    """
    frames = len(features)
    joints = _JOINTS[features.shape[1]]
    turns, ways = np.zeros(frames), np.zeros((frames, 2))
    turns[1:], ways[1:] = features[:-1, 0], features[:-1, 1:3]  # a frame states the step to the next one
    with np.errstate(over="ignore", invalid="ignore"):
        angles = -2 * np.cumsum(turns)
        places = np.zeros((frames, joints, 3))
        places[:, 1:] = features[:, _ROOT : _ROOT + 3 * (joints - 1)].reshape(frames, joints - 1, 3)
        places = _turned(places, angles[:, None])
        steps = _turned(np.stack([ways[:, 0], np.zeros(frames), ways[:, 1]], axis=-1), angles)
        root = np.cumsum(steps, axis=0)
        places[:, :, [0, 2]] += root[:, None, [0, 2]]
        places[:, 0, 1] = features[:, 3]
    return places


def _turned(points: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turned about y by `angles` in radians."""
    cos, sin = np.cos(angles), np.sin(angles)
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def _generated(path: Path, content: Any, options: ReadOptions) -> list[SkeletonSequence]:
    """`results.npy` of motion diffusion models: `motion` (clips, joints, 3, frames), `lengths`, `text`."""
    if not isinstance(content, dict) or not {"motion", "lengths"} <= set(content):
        shown = list(content)[:8] if isinstance(content, dict) else type(content).__name__
        raise bad_file(path, "array", f"expected a pickled dict with motion and lengths, got {shown}.")
    motion = _real(path, np.asarray(content["motion"]))
    lengths = _real(path, np.asarray(content["lengths"])).ravel()
    if motion.ndim != 4 or motion.shape[2] != 3 or len(lengths) != len(motion):
        reason = (
            f"expected motion (clips, joints, 3, frames) and as many lengths, got {motion.shape} and {lengths.shape}"
        )
        raise bad_file(path, "motion", f"{reason}.")
    if not ((lengths >= 1) & (lengths <= motion.shape[3])).all():
        raise bad_file(path, "lengths", f"expected 1 to {motion.shape[3]} frames, got {lengths[:8].tolist()}.")
    return [
        _clip(path, clip.transpose(2, 0, 1)[: int(length)], options)
        for clip, length in zip(motion, lengths, strict=True)
    ]


def _clip(path: Path, joints: np.ndarray, options: ReadOptions) -> SkeletonSequence:
    whole = joints.shape[1] == 22
    if not whole and options.layout is None:
        text = 'its tools disagree about left and right; layout="kit-21" is that of its authors'
        note(path, "joints", f"KIT-ML: {text}.")
    layout = options.layout_of(path, "humanml3d-22" if whole else None)
    rate = _RATES.get(joints.shape[1])
    unit = options.unit_of(path, "metre" if whole else None)
    return options.sequence(path, joints, layout, fps=rate, unit=unit, up="y")


def _real(path: Path, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        raise bad_file(path, "array", f"expected numbers, got {array.dtype}.")
    return array.astype(np.float64)


def matches(path: Path, head: bytes) -> bool:
    """Features by their columns, joints by their folder, generated clips by the keys of the pickled dict."""
    if not head.startswith(NPY_MAGIC):
        return False
    shape = shape_of(path, head)
    if len(shape) == 2:
        return shape[1] in _JOINTS
    if len(shape) == 3:
        return shape[1:] == (22, 3) and path.absolute().parent.name == _FOLDER
    return shape == () and b"motion" in head and b"'descr': '|O'" in head


FORMAT = Format(
    name="humanml3d",
    title="HumanML3D joints or features, or clips generated in them",
    matches=matches,
    read=read,
    container="binary",
    signature="new_joints/*.npy (frames, 22, 3), features .npy (frames, 263), or results.npy of a motion generator",
)
