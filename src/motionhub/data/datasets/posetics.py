"""Posetics poses: one LCR-Net JSON a clip of Kinetics, in the image or in space, with two label lists.

What the 320 classes are called is not published.
"""

import re
from pathlib import Path
from typing import Any

from motionhub.data.datasets.dataset import ClipFacts, Dataset, PaperCounts
from motionhub.data.datasets.lcrnet_poses import MISSING, PROVENANCE, UNIT_REMARK, in_space, named_format
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, load_object, name_parts


NUM_CLASSES = 320
CLASS_NAMES = tuple(f"action {number}" for number in range(NUM_CLASSES))
FPS = 30.0
# List -> whether its clips train.
LISTS = {"posetics_train_label.json": 1, "posetics_val_label.json": 0}
# A video's id of 11 characters, then the cut in seconds: 19 characters with the extension.
_NAME = re.compile(r".*?([\w-]{11})_\d{6}_\d{6}", re.DOTALL)


def annotate(path: Path) -> ClipFacts:
    """Label and `setup` (1 train, 0 validation) from `posetics_{train,val}_label.json` beside or above the clip."""
    clip_id, lists = _clip_id(path), _lists_of(path)
    if not lists:
        expected = f"expected {' and '.join(LISTS)} beside the clips or above them"
        raise bad_file(path, "labels", f"{expected}, found neither.")
    for found in lists:
        entry = _entries(found).get(clip_id)
        if entry is not None:
            label = entry.get("label_index") if isinstance(entry, dict) else None
            if type(label) is not int or not 0 <= label < NUM_CLASSES:
                expected = f"expected a label_index in 0..{NUM_CLASSES - 1}"
                raise bad_file(found, clip_id, f"{expected}, got {str(label)[:40]}.")
            return ClipFacts(label, None, None, LISTS[found.name], clip_id)
    raise bad_file(path, "labels", f"{clip_id} is in none of {[found.name for found in lists]}.")


def has_skeleton(path: Path) -> bool:
    """False for the clips that the lists mark as empty: the authors leave them out."""
    try:
        clip_id = _clip_id(path)
        entries = [_entries(found).get(clip_id) for found in _lists_of(path)]
    except ValueError:
        return True  # `annotate` says what is wrong
    return all(not isinstance(entry, dict) or entry.get("has_skeleton") is not False for entry in entries)


def _clip_id(path: Path) -> str:
    return name_parts(path, _NAME, "...ID_SSSSSS_EEEEEE.json (11 characters, start, end)")[0]


def _lists_of(path: Path) -> list[Path]:
    first = next(filter(None, (find_above(path, name) for name in LISTS)), None)
    return [] if first is None else [first.with_name(name) for name in LISTS if first.with_name(name).is_file()]


@kept_until_changed
def _entries(path: Path) -> dict[str, Any]:
    """A label list, read once until the file changes."""
    return load_object(path)


DATASET = Dataset(
    format=named_format(
        "posetics",
        "Posetics, poses in the image",
        _NAME,
        "*_[0-9][0-9][0-9][0-9][0-9][0-9]_[0-9][0-9][0-9][0-9][0-9][0-9].json",
        "...ID_SSSSSS_EEEEEE.json",
        FPS,
    ),
    aliases=("posetics2d",),
    annotate_clip=annotate,
    is_clip=has_skeleton,
    sidecars=tuple(LISTS),
    layout="lcrnet-13",
    fps=FPS,
    fps_source="assumed: the videos come from the web at mixed rates, 30 frames per second is nominal",
    unit="pixel",
    class_names=CLASS_NAMES,
    protocols=(
        by_setup(
            "official", "Train on the authors' training list, test on their validation list (Yang et al., BMVC 2021)."
        ),
    ),
    counts=(
        PaperCounts(
            "all clips",
            "thesis, sections 3.5 and 3.7 (142,000 in round numbers)",
            131_268 + 10_669,
            320,
            splits={"official": (131_268, 10_669)},
        ),
    ),
    missing_joints=MISSING,
    licence="research use; poses estimated on videos from the web, see the home page before redistributing",
    homepage="https://github.com/YangDi666/UNIK",
    citation="Yang, Wang, Dantcheva, Garattoni, Francesca, Bremond: UNIK: A Unified Framework for Real-world "
    "Skeleton-based Action Recognition. BMVC 2021.",
    provenance=PROVENANCE,
    remarks="The authors' code takes every video for 640 x 480 pixels, and so does this; the class titles are not "
    "published with the labels",
    column_notes={
        "setup": "1 training clip, 0 validation clip, by the list that names it",
        "subject": "unknown in this dataset (-1)",
        "camera": "unknown in this dataset (-1)",
    },
)
DATASET_3D = in_space(DATASET, f"{UNIT_REMARK}; the class titles are not published with the labels")
