"""Reads SBU Kinect Interaction clips: one `skeleton_pos.txt` a clip, two people of 15 joints a line.

It does not know the folds (`data/datasets/splits.py`), nor the colour and depth images beside the file.
"""

import re
from pathlib import Path

import numpy as np

from motionhub.data.formats.reader import ClipFacts, Reader, bad_file, origin_is_missing, read_text
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


CLASS_NAMES = (
    "approaching",
    "departing",
    "kicking",
    "pushing",
    "shaking hands",
    "hugging",
    "exchanging an object",
    "punching",
)
FPS = 15.0
NUM_JOINTS = 15
# A frame number, then x, y, z of each joint of both people.
NUM_VALUES = 1 + 2 * NUM_JOINTS * 3
MAX_BYTES = 2**28
_PAIR = re.compile(r"s(\d\d)s(\d\d)")


def read(path: Path) -> list[SkeletonSequence]:
    """Two people, `(2, num_frames, 15, 3)`, normalised as published (y grows downwards), in the order of the file.

    The people keep their order within a clip, so the track ids are 0 and 1. Joints at exactly (0, 0, 0) are missing.
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise bad_file(path, "file", f"is larger than {MAX_BYTES} bytes: that is no clip of this data set.")
    lines = read_text(path).splitlines()
    rows = [_numbers(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise bad_file(path, "content", "the clip has no frames.")
    values = np.array(rows)
    steps = np.flatnonzero(np.diff(values[:, 0]) != 1)
    if len(steps):
        before, after = values[steps[0] : steps[0] + 2, 0]
        raise bad_file(path, f"frame {after:g}", f"expected frame numbers one apart, but it follows {before:g}.")
    people = values[:, 1:].reshape(-1, 2, NUM_JOINTS, 3).transpose(1, 0, 2, 3)
    with np.errstate(over="ignore"):
        keypoints = origin_is_missing(people).astype(np.float32)
    return [SkeletonSequence(keypoints, get_layout("kinect-15"), FPS, "normalised")]


def _numbers(path: Path, number: int, line: str) -> list[float]:
    words = line.rstrip().rstrip(",").split(",")
    if len(words) != NUM_VALUES:
        raise bad_file(path, f"line {number}", f"expected {NUM_VALUES} numbers with commas, got {len(words)}.")
    try:
        return [float(word) for word in words]
    except ValueError:
        raise bad_file(path, f"line {number}", f"expected {NUM_VALUES} numbers, got {line[:40]!r}.") from None


def annotate(path: Path) -> ClipFacts:
    """Everything from the folders `sXXsYY/CC/NNN` above the file: two performers, class 1..8, repetition."""
    repetition, label, pair = (parent.name for parent in path.absolute().parents[:3])
    named = _PAIR.fullmatch(pair)
    if named is None or not re.fullmatch(r"\d\d", label) or not re.fullmatch(r"\d{3}", repetition):
        got = "/".join((pair, label, repetition, path.name))
        raise bad_file(path, "folders", f"expected sXXsYY/CC/NNN/skeleton_pos.txt, got {got}; restore the folders.")
    if not 1 <= int(label) <= len(CLASS_NAMES):
        raise bad_file(path, "folders", f"expected a class folder 01..{len(CLASS_NAMES):02d}, got {label}.")
    first, second = (int(number) for number in named.groups())
    clip_id = f"{pair}_{label}_{repetition}"
    return ClipFacts(label=int(label) - 1, subject=first, camera=None, setup=second, clip_id=clip_id)


def matches(path: Path, head: bytes) -> bool:
    """A line of 91 numbers with commas, the first a whole one."""
    words = head.split(b"\n")[0].strip().rstrip(b",").split(b",")
    return len(words) == NUM_VALUES and words[0].strip().isdigit()


READER = Reader(
    name="sbu",
    title="SBU Kinect Interaction",
    matches=matches,
    read=read,
    annotate=annotate,
    pattern="skeleton_pos.txt",
    container="text",
    signature="text: lines of a frame number and 90 numbers with commas (2 people x 15 joints x 3)",
    layout="kinect-15",
    fps=FPS,
    fps_source="the authors give 15 frames per second; the files carry no time stamps",
    unit="normalised",
    class_names=CLASS_NAMES,
    missing_joints="a joint at exactly (0, 0, 0) becomes missing",
    licence="research use; no licence text comes with the files, see the home page before redistributing",
    homepage="https://www3.cs.stonybrook.edu/~kyun/research/kinect_interaction/index.html",
    citation="Yun, Honorio, Chattopadhyay, Berg, Samaras: Two-person Interaction Detection Using Body-Pose Features "
    "and Multiple Instance Learning. CVPR Workshops 2012.",
    remarks="The numbers are normalised by the authors: x and y are about 0..1 across and down the image, z is a "
    "depth in a scale of its own, so lengths in space do not mean anything before they are undone",
    column_notes={
        "subject": "the performer named first in the folder's name",
        "setup": "the performer named second in the folder's name",
        "camera": "a single camera (-1)",
    },
)
