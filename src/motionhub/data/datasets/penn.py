"""Penn Action label files: one `.mat` per video with `x`, `y`, `visibility`, `action`, `pose`, `train` and more.

Joints with visibility 0 (22 % in the 1,258 official training files) are missing (NaN): a third hold a placeholder (x =
y < 2), the others an annotator's guess. Visible coordinates are as published, some slightly outside the image.

The joint order is as published, but its "left" is the person's right, so penn-13 names it right: in front views of
jumping jacks 0 of 50 clips have the "left" shoulder at the larger x, in back views of bowling 127 of 127 do, and the
"left" wrist is the faster one in 81 % of the tennis serves.
"""

from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_called
from motionhub.data.datasets.protocols import by_setup, random_80_20
from motionhub.data.formats.files import bad_file
from motionhub.data.formats.matlab import MAGIC, as_numbers, load_variables, variable_names
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("penn-action")
CLASS_NAMES = PUBLISHED.classes
CAMERA_SIDES = {"back": 0, "front": 1, "left": 2, "right": 3}
FPS = 30.0


def read(path: Path) -> list[SkeletonSequence]:
    """One person, `(1, num_frames, 13, 2)` pixels, x to the right and y down; visibility 0 is missing (NaN)."""
    content = load_variables(path, ("x", "y", "visibility", "dimensions"))
    x, y, visibility = (as_numbers(path, name, content[name]) for name in ("x", "y", "visibility"))
    if not x.shape == y.shape == visibility.shape or x.ndim != 2 or x.shape[1] != 13 or len(x) == 0:
        shapes = f"x {x.shape}, y {y.shape}, visibility {visibility.shape}"
        raise bad_file(path, "x, y, visibility", f"expected three arrays (frames, 13), got {shapes}.")
    if not np.isin(visibility, (0, 1)).all():
        raise bad_file(path, "visibility", "expected only 0 and 1.")
    valid = visibility[..., None] == 1
    with np.errstate(over="ignore", invalid="ignore"):
        keypoints = np.where(valid, np.stack([x, y], axis=-1), np.nan).astype(np.float32)
    size = _image_size(path, content["dimensions"])
    return [SkeletonSequence(keypoints, layout=get_layout("penn-13"), fps=FPS, unit="pixel", image_size=size)]


def _image_size(path: Path, dimensions: np.ndarray | str) -> tuple[int, int]:
    numbers = as_numbers(path, "dimensions", dimensions).ravel()
    if numbers.size < 2 or not all(1 <= side <= 1e9 for side in numbers[:2]):
        raise bad_file(path, "dimensions", f"expected (height, width, frames), got {numbers[:4].tolist()}.")
    return int(numbers[1]), int(numbers[0])


def annotate(path: Path) -> ClipFacts:
    """Action, camera side and official split from the content; the clip id from the name."""
    content = load_variables(path, ("action", "pose", "train"))
    action, side = str(content["action"])[:60], str(content["pose"])[:60]
    label = label_called(path, "action", action, CLASS_NAMES)
    camera = label_called(path, "pose", side, tuple(CAMERA_SIDES)) if side else None
    train = as_numbers(path, "train", content["train"]).ravel()
    if train.size != 1 or train[0] not in (-1, 0, 1):
        raise bad_file(path, "train", f"expected 1 (training) or -1 (test), got {train[:4].tolist()}.")
    return ClipFacts(label, subject=None, camera=camera, setup=int(train[0] == 1), clip_id=path.stem)


def matches(path: Path, head: bytes) -> bool:
    """Whether a MATLAB file holds the variables of Penn Action."""
    return head.startswith(MAGIC) and {"x", "y", "visibility", "action"} <= set(variable_names(path))


DATASET = Dataset(
    format=PUBLISHED.format(matches, read),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        by_setup("official", "The files' own train flag (Zhang et al., ICCV 2013): 1,258 clips train, 1,068 test."),
        random_80_20(seed=0),
    ),
    **PUBLISHED.fields(),
)
