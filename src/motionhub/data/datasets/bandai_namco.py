"""The Bandai-Namco motion dataset 2: one BVH file per clip, named by content and style."""

import re
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_called
from motionhub.data.datasets.protocols import Protocol, by_value, leave_one_out
from motionhub.data.formats import bvh
from motionhub.data.formats.files import name_parts
from motionhub.data.formats.format import ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("bandai-namco")
# The contents of dataset 2, in alphabetical order: the authors number neither these nor the styles.
CLASS_NAMES = PUBLISHED.classes
STYLES = ("active", "elderly", "exhausted", "feminine", "masculine", "normal", "youthful")
BANDAI_TEST_STYLES = frozenset({"exhausted", "masculine", "youthful"})
FPS = 30.0
_NAME = re.compile(r"dataset-2_([a-z-]{1,40})_([a-z]{1,20})_(\d{1,5})")


def read(path: Path) -> list[SkeletonSequence]:
    """`(1, num_frames, 22, 3)` metres, y up."""
    return bvh.read(path, ReadOptions(layout="bandai-22", fps=FPS))


def annotate(path: Path) -> ClipFacts:
    """Content and style (`setup`, the position in `STYLES`) from the name `dataset-2_CONTENT_STYLE_NNN`."""
    content, style, _ = name_parts(path, _NAME, "dataset-2_CONTENT_STYLE_NNN.bvh")
    label, setup = label_called(path, "name", content, CLASS_NAMES), label_called(path, "name", style, STYLES)
    return ClipFacts(label, None, None, setup, clip_id=path.stem)


def matches(path: Path, head: bytes) -> bool:
    """BVH with the first joint and file names of the dataset."""
    return _NAME.fullmatch(path.stem) is not None and bvh.matches(path, head) and b"ROOT joint_Root" in head


DATASET = Dataset(
    format=PUBLISHED.format(matches, read),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        Protocol(
            "cross-style",
            f"Train on the styles {', '.join(style for style in STYLES if style not in BANDAI_TEST_STYLES)}, test on "
            f"{', '.join(sorted(BANDAI_TEST_STYLES))} (motionhub; the authors define no split).",
            by_value("setup", None, {STYLES.index(style) for style in BANDAI_TEST_STYLES}),
        ),
        *leave_one_out("setup", dict(enumerate(STYLES)), "the style"),
    ),
    column_notes={
        "setup": "style: " + ", ".join(f"{number} {style}" for number, style in enumerate(STYLES)),
        "subject": "not in the files (-1); three actors",
        "camera": "motion capture without a view (-1)",
    },
    **PUBLISHED.fields(),
)
