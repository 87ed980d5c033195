"""SBU Kinect Interaction clips: one `skeleton_pos.txt` per clip, two people of 15 joints per line."""

import re
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.protocols import Protocol, Row, Split
from motionhub.data.formats.files import bad_file, number_rows, origin_is_missing
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("sbu")
CLASS_NAMES = PUBLISHED.classes
FPS = 15.0
NUM_JOINTS = 15
# A frame number, then x, y, z of each joint of both people.
NUM_VALUES = 1 + 2 * NUM_JOINTS * 3
MAX_BYTES = 2**28
# The five folds of the authors' cross-validation, by the folders of performer pairs (first, second).
SBU_FOLDS = (
    frozenset({(1, 2), (3, 4), (5, 2), (6, 4)}),
    frozenset({(2, 3), (2, 7), (3, 5), (5, 3)}),
    frozenset({(1, 3), (1, 7), (7, 1), (7, 3)}),
    frozenset({(2, 1), (2, 6), (3, 2), (3, 6)}),
    frozenset({(4, 2), (4, 3), (4, 6), (6, 2), (6, 3)}),
)
_PAIR = re.compile(r"s(\d\d)s(\d\d)")


def read(path: Path) -> list[SkeletonSequence]:
    """Two people, `(2, num_frames, 15, 3)`, normalised as published (y grows downwards), in the order of the file.

    The track ids are 0 and 1. Joints at exactly (0, 0, 0) are missing.
    """
    values = number_rows(path, NUM_VALUES, MAX_BYTES)
    steps = np.flatnonzero(np.diff(values[:, 0]) != 1)
    if len(steps):
        before, after = values[steps[0] : steps[0] + 2, 0]
        raise bad_file(path, f"frame {after:g}", f"expected consecutive frame numbers, but it follows {before:g}.")
    people = values[:, 1:].reshape(-1, 2, NUM_JOINTS, 3).transpose(1, 0, 2, 3)
    return [SkeletonSequence(origin_is_missing(people), get_layout("kinect-15"), FPS, "normalised")]


def annotate(path: Path) -> ClipFacts:
    """Everything from the folders `sXXsYY/CC/NNN` above the file: two performers, class 1..8, repetition."""
    repetition, label, pair = (parent.name for parent in path.absolute().parents[:3])
    named = _PAIR.fullmatch(pair)
    if named is None or not re.fullmatch(r"\d\d", label) or not re.fullmatch(r"\d{3}", repetition):
        got = "/".join((pair, label, repetition, path.name))
        raise bad_file(path, "folders", f"expected sXXsYY/CC/NNN/skeleton_pos.txt, got {got}; restore the folders.")
    number = label_numbered(path, "folders", int(label), len(CLASS_NAMES), first=1)
    first, second = map(int, named.groups())
    return ClipFacts(number, subject=first, camera=None, setup=second, clip_id=f"{pair}_{label}_{repetition}")


def matches(path: Path, head: bytes) -> bool:
    """A line of 91 numbers with commas, the first a whole one."""
    words = head.split(b"\n")[0].strip().rstrip(b",").split(b",")
    return len(words) == NUM_VALUES and words[0].strip().isdigit()


def _fold(number: int) -> Protocol:
    """Tests fold `number` and trains on the other folds; other pairs of performers take no part."""

    def split(row: Row) -> Split:
        pair = (int(row["subject"]), int(row["setup"]))
        if pair in SBU_FOLDS[number - 1]:
            return "test"
        return "train" if any(pair in fold for fold in SBU_FOLDS) else None

    source = (
        f"Test on fold {number} of the authors' 5-fold cross-validation, train on the other available folds; folds by "
        "performer pair, as listed in public code for this dataset (Yun et al., CVPR Workshops 2012)."
    )
    return Protocol(f"folds-test-{number}", source, lambda rows: [split(row) for row in rows])


DATASET = Dataset(
    format=PUBLISHED.format(matches, read),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=tuple(map(_fold, range(1, len(SBU_FOLDS) + 1))),
    **PUBLISHED.fields(),
)
