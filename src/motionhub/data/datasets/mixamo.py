"""Mixamo motions as stored by Aberman et al. and LAC: `CHARACTER/ANIMATION/motions/NUMBER.npy`, (15, 3, T)."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, Published, label_called
from motionhub.data.datasets.protocols import Protocol, by_value
from motionhub.data.formats.arrays import array_of
from motionhub.data.formats.files import bad_file, read_bytes
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("mixamo")
# As in the official code.
TRAIN_CHARACTERS = tuple(
    ["Aj", "BigVegas", "Claire", "Jasper", "Lola", "Malcolm", "Pearl", "Warrok", "Globin", "Kaya", "PeanutMan"]
)
TEST_CHARACTERS = ("Ty", "Andromeda", "Pumpkinhulk", "SportyGranny")
CHARACTERS = (*TRAIN_CHARACTERS, *TEST_CHARACTERS)
FPS = 30.0
LAYOUT = get_layout("lac-15")
_MIDDLES = {"neck": ("right_shoulder", "left_shoulder"), "mid_hip": ("right_hip", "left_hip")}


def read(path: Path) -> list[SkeletonSequence]:
    """`(1, num_frames, 15, 3)` metres, z up; neck and mid-hip at the midpoints of shoulders and hips."""
    return [SkeletonSequence(with_middles(load(path))[None], layout=LAYOUT, fps=FPS, unit="metre")]


def load(path: Path) -> np.ndarray:
    """`(frames, 15, 3)` float32 as stored, approximately metres. Raises ValueError when the file is no motion."""
    motion = array_of(path, "array", read_bytes(path))
    if motion.ndim != 3 or motion.shape[:2] != (15, 3) or not motion.shape[2] or motion.dtype.kind != "f":
        reason = f"expected floats of shape (15 joints, 3 coordinates, frames), got {motion.dtype} {motion.shape}."
        raise bad_file(path, "array", reason)
    if not np.isfinite(motion).all():
        raise bad_file(path, "array", "expected finite numbers; export it again.")
    return motion.transpose(2, 0, 1).astype(np.float32)


def with_middles(motion: np.ndarray) -> np.ndarray:
    """A copy with neck and mid-hip between both sides, as in the official code."""
    moved = motion.copy()
    for joint, sides in _MIDDLES.items():
        moved[:, LAYOUT.index(joint)] = moved[:, [LAYOUT.index(side) for side in sides]].mean(1)
    return moved


def is_clip(path: Path) -> bool:
    """Whether a file lies where the clips lie."""
    return path.parent.name == "motions"


def annotate(path: Path) -> ClipFacts:
    """Character (`subject`, the position in `CHARACTERS`) and animation from the folders."""
    if not is_clip(path) or len(path.parents) < 4:
        raise bad_file(path, "name", "expected CHARACTER/ANIMATION/motions/NUMBER.npy; restore the folders.")
    character, animation = path.parents[2].name, path.parents[1].name
    subject, names = label_called(path, "name", character, CHARACTERS), animations(path.parents[3])
    if animation not in names:  # added after `animations` ran
        raise bad_file(path, "name", f"expected one of the animations {names[:20]}, got {animation!r}; start anew.")
    return ClipFacts(names.index(animation), subject, None, None, clip_id=f"{character}/{animation}/{path.stem}")


@lru_cache(maxsize=4)
def animations(root: Path) -> tuple[str, ...]:
    """The names of all animations, sorted. Raises ValueError when there are none."""
    found = {folder.parent.name for folder in root.glob("**/motions")}
    if not found:
        raise bad_file(root, "folder", "expected files CHARACTER/ANIMATION/motions/NUMBER.npy, found none.")
    return tuple(sorted(found))


def look_into(root: Path) -> FolderFacts:
    """The animations are the classes."""
    return FolderFacts(animations(root), LAYOUT.name, FPS, "metre")


def matches(path: Path, head: bytes) -> bool:
    """An array (15, 3, frames) in a folder called motions."""
    return path.parent.name == "motions" and head.startswith(b"\x93NUMPY") and b"(15, 3, " in head[:256]


DATASET = Dataset(
    format=PUBLISHED.format(matches, read),
    pattern="*.npy",
    annotate_clip=annotate,
    is_clip=is_clip,
    fps=FPS,
    class_names=(),
    protocols=(
        Protocol(
            "characters",
            f"Test on the characters {', '.join(TEST_CHARACTERS)}, train on {len(TRAIN_CHARACTERS)} others (Aberman "
            "et al., SIGGRAPH 2019, official code).",
            by_value("subject", range(len(TRAIN_CHARACTERS)), None),
        ),
    ),
    column_notes={
        "subject": "character: " + ", ".join(f"{number} {name}" for number, name in enumerate(CHARACTERS)),
        "camera": "3-D characters without a view (-1)",
    },
    look_into=look_into,
    **PUBLISHED.fields(),
)
