"""Posetics poses: one LCR-Net JSON per clip of Kinetics, 2-D or 3-D, and two label lists without class titles."""

import re
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.lcrnet_poses import UNIT_REMARK, image_poses, in_space, named_format
from motionhub.data.datasets.protocols import by_value
from motionhub.data.formats.files import bad_file, cached_object, find_above, name_parts


PUBLISHED = Published("posetics")
NUM_CLASSES = 320
CLASS_NAMES = tuple(f"action {number}" for number in range(NUM_CLASSES))
FPS = 30.0
# List -> whether its clips train.
LISTS = {"posetics_train_label.json": 1, "posetics_val_label.json": 0}
# A video id of 11 characters, then start and end in seconds.
_NAME = re.compile(r".*?([\w-]{11})_\d{6}_\d{6}", re.DOTALL)


def annotate(path: Path) -> ClipFacts:
    """Label and `setup` (1 train, 0 validation) from `posetics_{train,val}_label.json` beside or above the clip."""
    clip_id, lists = _clip_id(path), _lists_of(path)
    if not lists:
        reason = f"expected {' and '.join(LISTS)} beside the clips or above them, found neither."
        raise bad_file(path, "labels", reason)
    for found in lists:
        entry = cached_object(found).get(clip_id)
        if entry is not None:
            number = entry.get("label_index") if isinstance(entry, dict) else None
            label = label_numbered(found, f"{clip_id}, label_index", number, NUM_CLASSES)
            return ClipFacts(label, None, None, LISTS[found.name], clip_id)
    raise bad_file(path, "labels", f"{clip_id} is in none of {[found.name for found in lists]}.")


def has_skeleton(path: Path) -> bool:
    """False for clips that the lists mark as empty, as the authors leave them out."""
    try:
        entries = [cached_object(found).get(_clip_id(path)) for found in _lists_of(path)]
    except ValueError:
        return True  # `annotate` reports it
    return all(not isinstance(entry, dict) or entry.get("has_skeleton") is not False for entry in entries)


def _clip_id(path: Path) -> str:
    return name_parts(path, _NAME, "...ID_SSSSSS_EEEEEE.json (11 characters, start, end)")[0]


def _lists_of(path: Path) -> list[Path]:
    first = next(filter(None, (find_above(path, name) for name in LISTS)), None)
    return [] if first is None else [first.with_name(name) for name in LISTS if first.with_name(name).is_file()]


DATASET = Dataset(
    format=named_format(PUBLISHED, _NAME, image_poses(FPS)),
    annotate_clip=annotate,
    is_clip=has_skeleton,
    sidecars=tuple(LISTS),
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(PUBLISHED.protocol("official", by_value("setup", {1}, {0})),),
    **PUBLISHED.fields(),
)
DATASET_3D = in_space(DATASET, f"{UNIT_REMARK}; the class titles are not published with the labels")
