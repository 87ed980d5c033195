"""PoseCap-1M: pose files of any format and `posecap.csv` with their labels, sources and captions.

The dataset is not released: the arrangement is the library's own, the content follows the thesis (3.5 and 6.3.1).
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from motionhub.data.datasets.class_phrases import find_action
from motionhub.data.datasets.clip_table import LabelMerging, load_table, read_label_merging, rows_of
from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, Published
from motionhub.data.datasets.pose_files import ANY_POSE_FILE, OPTIONS_FILE, folder_facts, read_one_clip
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats.files import bad_file, kept_until_changed
from motionhub.skeletons.sequence import SkeletonSequence


TABLE = "posecap.csv"
MERGING_TABLE = "label_merging.csv"
MIN_SHARE = 0.5
# Separates descriptions of a class in the merging table.
PHRASING_MARK = "|"
LCRNET_UNITS = {2: "pixel", 3: "metre"}


def pose_share(sequence: SkeletonSequence) -> float:
    """The fraction of frames with a valid joint of any person; 0 for a clip without frames."""
    valid = np.isfinite(sequence.keypoints).all(axis=-1).any(axis=(0, 2))
    return float(valid.mean()) if valid.size else 0.0


def read_dims(path: Path, dims: int) -> list[SkeletonSequence]:
    """The clip of a file, or none where at most half of the frames have a pose."""
    clip = read_one_clip(path, LCRNET_UNITS[dims])
    if clip.num_dims != dims:
        other = "posecap-3d" if dims == 2 else "posecap"
        raise bad_file(path, "content", f"expected {dims}-D poses, got {clip.num_dims}-D; use the reader {other!r}.")
    return [clip] if pose_share(clip) > MIN_SHARE else []


def annotate(path: Path) -> ClipFacts:
    """Merged class, split (`setup`), class descriptions, and captions, by default the descriptions of the table."""
    found, rows = rows_of(path, TABLE)
    if found is None:
        raise bad_file(path, "labels", f"expected {TABLE} (file,label,source,caption) beside the clips or above them.")
    if not rows:
        raise bad_file(path, "labels", f"{found} does not list it.")
    if len(rows) > 1 or rows[0].times:
        raise bad_file(found, rows[0].file, "parts of files (start_s, end_s) are not supported here; cut the clips.")
    row, own = rows[0], found.with_name(MERGING_TABLE)
    merging = merging_of(own)
    title = merging.class_of(row.label, row.source)
    caption = row.caption or "\n".join(merging.descriptions.get(title, "").split(PHRASING_MARK))
    facts = row.facts(class_names(found, own).index(title), row.file)
    return replace(facts, caption=caption, class_descriptions="\n".join(descriptions_of(title, merging)))


def descriptions_of(title: str, merging: LabelMerging) -> list[str]:
    """The descriptions of a class: those of the table, then the phrases of `class_phrases`."""
    stated = [text.strip() for text in merging.descriptions.get(title, "").split(PHRASING_MARK)]
    action = find_action(title)
    own = [] if action is None else [action.phrase, *action.paraphrases]
    return [text for text in dict.fromkeys([*stated, *own]) if text]


def is_clip(path: Path) -> bool:
    """The files in the table; without a table all, so that reading reports it."""
    found, rows = rows_of(path, TABLE)
    return found is None or bool(rows)


@kept_until_changed
def merging_of(own: Path) -> LabelMerging:
    """The merging of the thesis, with the user's table where that exists."""
    return read_label_merging("posecap", own if own.is_file() else None)


@kept_until_changed
def class_names(found: Path, own: Path) -> tuple[str, ...]:
    """The merged classes of the labels in the table `found`."""
    rows = (row for lines in load_table(found).values() for row in lines)
    return merging_of(own).class_names({(row.source, row.label) for row in rows})


def look_into(root: Path, dims: int) -> FolderFacts:
    """The merged classes, and layout, frame rate and unit of the first clip. Raises ValueError without a table."""
    found = root / TABLE
    if not found.is_file():
        raise bad_file(root, "folder", f"expected {TABLE} (file,label,source,caption) in it, found none.")
    clip = read_one_clip(root / next(iter(load_table(found))), LCRNET_UNITS[dims])
    return folder_facts(class_names(found, root / MERGING_TABLE), clip)


DATASET = Dataset(
    name="posecap",
    title="PoseCap-1M, poses in the image",
    pattern=ANY_POSE_FILE,
    read_any=partial(read_dims, dims=2),
    annotate_clip=annotate,
    is_clip=is_clip,
    sidecars=(TABLE, MERGING_TABLE, OPTIONS_FILE),
    # Replaced by `at(root)`.
    layout="lcrnet-13",
    fps=30.0,
    unit="pixel",
    class_names=(),
    protocols=(by_setup("split", f"By the column split of {TABLE} (the owner of the data)."),),
    look_into=partial(look_into, dims=2),
    **Published("posecap").fields(),
)
DATASET_3D = replace(
    DATASET,
    name="posecap-3d",
    title="PoseCap-1M, poses in space",
    aliases=("posecap1m3d",),
    read_any=partial(read_dims, dims=3),
    unit="metre",
    look_into=partial(look_into, dims=3),
)
