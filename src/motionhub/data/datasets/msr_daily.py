"""MSR DailyActivity3D: text of one or two people by the Kinect v1, in world and screen coordinates in turn."""

import re
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.protocols import odd_subjects
from motionhub.data.formats.files import bad_file, name_parts, origin_is_missing, read_text
from motionhub.data.formats.format import checked_size
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("msr-daily")
CLASS_NAMES = PUBLISHED.classes
FPS = 30.0
_JOINTS = 20
# Rows of a person in a frame: of each joint one in metres and one on the screen; four numbers each.
_ROWS, _COLUMNS = 2 * _JOINTS, 4
_NAME = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_skeleton")
_HEAD = re.compile(rb"\s*\d{1,6}\s+20\s+(?:0|40|80|120)\s")


def read(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 20, 3)` metres in the camera's frame, y up; who is not in a frame is missing there.

    People have no identity in the files: the first of every frame is the first person.
    """
    words = read_text(path).split()
    frames: list[np.ndarray] = []
    count, joints = _whole(path, words, 0), _whole(path, words, 1)
    if joints != _JOINTS:
        raise bad_file(path, "header", f"expected {_JOINTS} joints, got {joints}.")
    place = 2
    while place < len(words):
        rows = _whole(path, words, place)
        if rows % _ROWS:
            raise bad_file(path, f"frame {len(frames)}", f"expected rows in multiples of {_ROWS}, got {rows}.")
        end = place + 1 + rows * _COLUMNS
        if end > len(words):
            raise bad_file(path, f"frame {len(frames)}", "the file ends within it; is it cut off?")
        frames.append(_people(path, len(frames), words[place + 1 : end]))
        place = end
    if len(frames) != count or not count:
        raise bad_file(path, "frames", f"the file states {count} frames and has {len(frames)}.")
    most = max(map(len, frames))
    if not most:
        raise bad_file(path, "people", "nobody is in any frame.")
    checked_size(path, len(frames), most * _JOINTS, 3)
    points = np.full((most, len(frames), _JOINTS, 3), np.nan)
    for index, people in enumerate(frames):
        points[: len(people), index] = people
    return [SkeletonSequence(origin_is_missing(points), get_layout("kinect-20"), FPS, "metre", up="y")]


def _people(path: Path, index: int, words: list[str]) -> np.ndarray:
    """`(people, 20, 3)` world coordinates."""
    try:
        rows = np.array(words, dtype=np.float64).reshape(-1, _JOINTS, 2, _COLUMNS)
    except ValueError:
        raise bad_file(path, f"frame {index}", "expected numbers.") from None
    return rows[:, :, 0, :3]


def _whole(path: Path, words: list[str], place: int) -> int:
    word = words[place] if place < len(words) else ""
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise bad_file(path, f"number {place}", f"expected a whole number, got {word[:20]!r}.")
    return int(word)


def annotate(path: Path) -> ClipFacts:
    """Action, performer, and `setup` (1 on the sofa, 2 standing) from the name `aAA_sSS_eEE_skeleton`."""
    action, subject, setup = map(int, name_parts(path, _NAME, "aAA_sSS_eEE_skeleton.txt"))
    return ClipFacts(label_numbered(path, "name", action, len(CLASS_NAMES), first=1), subject, None, setup, path.stem)


DATASET = Dataset(
    format=PUBLISHED.format(lambda path, head: _HEAD.match(head) is not None, read),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(odd_subjects(", as many papers do", "the authors define none"),),
    **PUBLISHED.fields(),
)
