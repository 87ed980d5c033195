"""PoseCap-1M: pose files of any format and `posecap.csv`, which names them with label, source and captions.

The authors have not released the dataset, so this arrangement is the library's own; what the thesis states is kept:
2-D and 3-D poses, texts, a pose in over half of the frames (sections 3.5 and 6.3.1).
"""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from motionhub.data.datasets.class_phrases import find_action
from motionhub.data.datasets.clip_table import load_table, rows_of
from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, PaperCounts
from motionhub.data.datasets.label_merging import LabelMerging, read_label_merging
from motionhub.data.datasets.pose_files import ANY_POSE_FILE, OPTIONS_FILE, folder_facts, read_one_clip
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats.files import bad_file, kept_until_changed
from motionhub.skeletons.sequence import SkeletonSequence


TABLE = "posecap.csv"
MERGING_TABLE = "label_merging.csv"
MIN_SHARE = 0.5
# Between the phrasings of a class in the column `description` of the merging table.
PHRASING_MARK = "|"
LCRNET_UNITS = {2: "pixel", 3: "metre"}


def pose_share(sequence: SkeletonSequence) -> float:
    """The share of frames in which at least one joint of at least one person is seen; 0 of a clip without frames."""
    if not sequence.num_frames:
        return 0.0
    seen = np.isfinite(sequence.keypoints).all(axis=-1).any(axis=(0, 2))
    return float(seen.mean())


def read_dims(path: Path, dims: int) -> list[SkeletonSequence]:
    """The clip of a file, or none where at most half of the frames have a pose: the dataset leaves those out."""
    clip = read_one_clip(path, LCRNET_UNITS[dims])
    if clip.num_dims != dims:
        other = "posecap-3d" if dims == 2 else "posecap"
        raise bad_file(path, "content", f"has {clip.num_dims}-D poses, expected {dims}-D; take the reader {other!r}.")
    return [clip] if pose_share(clip) > MIN_SHARE else []


def annotate(path: Path) -> ClipFacts:
    """The merged class, the part (`setup`), the captions, and the class's descriptions; without captions, these."""
    found, rows = rows_of(path, TABLE)
    if found is None:
        raise bad_file(path, "labels", f"expected {TABLE} (file,label,source,caption) beside the clips or above them.")
    if not rows:
        raise bad_file(path, "labels", f"{found} does not name it.")
    if len(rows) > 1 or rows[0].times:
        raise bad_file(found, rows[0].file, "parts of files (start_s, end_s) are not read here; cut the clips.")
    row, merging = rows[0], merging_of(found)
    title = merging.class_of(row.label, row.source)
    described = descriptions_of(title, merging)
    caption = row.caption or "\n".join(merging.descriptions.get(title, "").split(PHRASING_MARK))
    label = class_names(found).index(title)
    facts = ClipFacts(label, row.subject, row.camera, row.trains, row.file, caption=caption, licence=row.licence)
    return replace(facts, class_descriptions="\n".join(described))


def descriptions_of(title: str, merging: LabelMerging) -> list[str]:
    """Several ways to say a class: those of the table, then the library's own where its vocabulary has the class."""
    stated = [text.strip() for text in merging.descriptions.get(title, "").split(PHRASING_MARK)]
    action = find_action(title)
    own = [] if action is None else [action.phrase, *action.paraphrases]
    return [text for text in dict.fromkeys([*stated, *own]) if text]


def is_clip(path: Path) -> bool:
    """The files that the table names; all, where there is no table, so that reading says what is missing."""
    found, rows = rows_of(path, TABLE)
    return found is None or bool(rows)


def merging_of(found: Path) -> LabelMerging:
    """What becomes of the labels: the `label_merging.csv` beside the table, and what the thesis states."""
    own = found.with_name(MERGING_TABLE)
    return _merging(own) if own.is_file() else read_label_merging("posecap")


@kept_until_changed
def _merging(own: Path) -> LabelMerging:
    return read_label_merging("posecap", own)


def class_names(found: Path) -> tuple[str, ...]:
    """The classes of the table's labels after merging."""
    tables = (found, found.with_name(MERGING_TABLE))
    return _class_names(found, *(table.stat().st_mtime_ns for table in tables if table.is_file()))


@lru_cache(maxsize=4)
def _class_names(found: Path, *changed: int) -> tuple[str, ...]:
    rows = (row for lines in load_table(found).values() for row in lines)
    return merging_of(found).class_names({(row.source, row.label) for row in rows})


def look_into(root: Path, dims: int) -> FolderFacts:
    """The merged classes, and layout, frame rate and unit of the first clip. Raises ValueError without a table."""
    found = root / TABLE
    if not found.is_file():
        raise bad_file(root, "folder", f"expected {TABLE} (file,label,source,caption) in it, found none.")
    first = root / next(iter(load_table(found)))
    clip = read_one_clip(first, LCRNET_UNITS[dims])
    return folder_facts(class_names(found), clip)


DATASET = Dataset(
    name="posecap",
    title="PoseCap-1M, poses in the image",
    pattern=ANY_POSE_FILE,
    read_any=partial(read_dims, dims=2),
    aliases=("posecap1m",),
    annotate_clip=annotate,
    is_clip=is_clip,
    sidecars=(TABLE, MERGING_TABLE, OPTIONS_FILE),
    # Of the data once `at(root)` has looked into the folder.
    layout="lcrnet-13",
    fps=30.0,
    fps_source="the first clip's",
    unit="pixel",
    class_names=(),
    protocols=(by_setup("split", f"As the column split of {TABLE} says (the owner of the data)."),),
    counts=(
        PaperCounts("all clips", "thesis, table 6.1 (1,000,000 clips is a round number, not compared)", None, 811),
    ),
    missing_joints="as the pose files' format marks it",
    licence="of the datasets the clips come from: CAP, Kinetics-700 and Posetics; see their terms",
    homepage="https://theses.hal.science/tel-04558781",
    citation="Yang: Learning effective video representations for action recognition. PhD thesis, Universite Cote "
    "d'Azur, 2024, chapter 6.",
    provenance="Read from pose files and a table of whoever built this: the authors have not released theirs",
    remarks="Labels are merged as label_merging.csv beside the clips says (the thesis has 811 classes but prints no "
    "list). Clips with a pose in at most half of the frames are left out, as in the thesis",
    column_notes={
        "setup": f"1 where {TABLE} says train, 0 where it says test, else -1",
        "caption": "the clip in words, one caption a line; the description of its class where it has none",
        "class_descriptions": f"the class in words, one phrasing a line: those of {MERGING_TABLE} (between "
        f"{PHRASING_MARK!r}), then the library's own",
        "subject": f"as {TABLE} says",
        "camera": f"as {TABLE} says",
    },
    look_into=partial(look_into, dims=2),
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
