"""UTD-MHAD skeleton clips: one `.mat` per clip with `d_skel` (20 joints, 3, frames)."""

import re
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.protocols import EVEN, ODD, by_value
from motionhub.data.formats.files import bad_file, name_parts, origin_is_missing
from motionhub.data.formats.matlab import MAGIC, as_numbers, load_variables, variable_names
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("utd-mhad")
CLASS_NAMES = PUBLISHED.classes
FPS = 30.0
_NAME = re.compile(r"a(\d+)_s(\d+)_t(\d+)_skeleton")


def read(path: Path) -> list[SkeletonSequence]:
    """One person, `(1, num_frames, 20, 3)` metres in the camera's frame, in UTD-MHAD's joint order."""
    points = as_numbers(path, "d_skel", load_variables(path, ("d_skel",))["d_skel"])
    if points.ndim == 2:  # MATLAB drops the last axis of a one-frame clip
        points = points[..., None]
    if points.ndim != 3 or points.shape[:2] != (20, 3) or points.shape[2] == 0:
        raise bad_file(path, "d_skel", f"expected shape (20, 3, frames), got {points.shape}.")
    keypoints = origin_is_missing(points.transpose(2, 0, 1))
    return [SkeletonSequence(keypoints, layout=get_layout("utd-mhad-20"), fps=FPS, unit="metre")]


def annotate(path: Path) -> ClipFacts:
    """Everything from the name `aA_sS_tT_skeleton.mat` (action 1..27, subject, trial)."""
    action, subject, _ = map(int, name_parts(path, _NAME, "aA_sS_tT_skeleton.mat (action, subject, trial)"))
    label = label_numbered(path, "name", action, len(CLASS_NAMES), first=1)
    return ClipFacts(label, subject, camera=None, setup=None, clip_id=path.stem.removesuffix("_skeleton"))


DATASET = Dataset(
    format=PUBLISHED.format(lambda path, head: head.startswith(MAGIC) and "d_skel" in variable_names(path), read),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(PUBLISHED.protocol("cross-subject", by_value("subject", ODD, EVEN)),),
    **PUBLISHED.fields(),
)
