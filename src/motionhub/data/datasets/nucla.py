"""Northwestern-UCLA skeleton clips: one JSON object per clip with `file_name`, `skeletons` and `label`."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.protocols import by_value, odd_subjects
from motionhub.data.formats.files import bad_file, load_object, number_array, origin_is_missing
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("n-ucla")
CLASS_NAMES = PUBLISHED.classes
FPS = 30.0
_NAME = re.compile(r"a(\d{1,9})_s(\d{1,9})_e(\d{1,9})_v(\d{1,9})")


def _frame(path: Path, index: int, frame: Any) -> np.ndarray:
    points = number_array(path, f"skeletons[{index}]", frame)
    if points.shape != (20, 3):
        raise bad_file(path, f"skeletons[{index}]", f"expected 20 joints x 3 coordinates, got shape {points.shape}.")
    return points


def read(path: Path) -> list[SkeletonSequence]:
    """One person, `(1, num_frames, 20, 3)` metres in the camera's frame, Kinect v1 SDK order.

    Joints at exactly (0, 0, 0) are missing (NaN), and so are joints with a null.
    """
    frames = load_object(path, "skeletons")["skeletons"]
    if not isinstance(frames, list) or not frames:
        raise bad_file(path, "skeletons", "expected a non-empty list of frames.")
    points = np.stack([_frame(path, index, frame) for index, frame in enumerate(frames)])
    return [SkeletonSequence(origin_is_missing(points), layout=get_layout("kinect-20"), fps=FPS, unit="metre")]


def annotate(path: Path) -> ClipFacts:
    """Label from the content (1..10 there, 0..9 here), subject and view from the name `aAA_sSS_eEE_vVV`."""
    clip = load_object(path, "skeletons")
    label = label_numbered(path, "label", clip.get("label"), len(CLASS_NAMES), first=1)
    named = _NAME.fullmatch(path.stem) or _NAME.fullmatch(str(clip.get("file_name", "")))
    if named is None:
        raise bad_file(path, "name", "expected aAA_sSS_eEE_vVV.json (action, subject, episode, view); rename it back.")
    _, subject, _, view = (int(number) for number in named.groups())
    return ClipFacts(label, subject, camera=view, setup=None, clip_id=named.group())


DATASET = Dataset(
    format=PUBLISHED.format(
        lambda path, head: head.lstrip().startswith(b"{") and b'"skeletons"' in head and b'"frames"' not in head, read
    ),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        PUBLISHED.protocol("cross-view", by_value("camera", {1, 2}, {3})),
        PUBLISHED.protocol("cross-view-1-to-2", by_value("camera", {1}, {2})),
        PUBLISHED.protocol("cross-view-2-to-1", by_value("camera", {2}, {1})),
        odd_subjects(", all views", "the authors leave one out"),
    ),
    **PUBLISHED.fields(),
)
