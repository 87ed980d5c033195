"""A user's own dataset: a folder of pose files per class, or a `labels.csv` of files and labels."""

import math
from pathlib import Path

from motionhub.data.datasets.clip_table import load_table, rows_of
from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts
from motionhub.data.datasets.licences import UNSTATED
from motionhub.data.datasets.pose_files import (
    ANY_POSE_FILE,
    OPTIONS_FILE,
    folder_facts,
    is_pose_file,
    read_one_clip,
    read_poses,
)
from motionhub.data.datasets.protocols import by_setup, odd_subjects, random_80_20
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed
from motionhub.skeletons.sequence import SkeletonSequence


TABLE = "labels.csv"
_SHOWN = 5
_ARRANGED = f"expected {TABLE} (file,label), or a folder of files for each class"


def read(path: Path) -> list[SkeletonSequence]:
    """The clips of a file; with times in the table, the parts from `start_s` (inclusive) to `end_s` (exclusive)."""
    rows = rows_of(path, TABLE)[1]
    if not any(row.times for row in rows):
        return read_poses(path)
    whole = read_one_clip(path)
    return [_part(path, whole, *row.times) for row in rows if row.times]


def _part(path: Path, whole: SkeletonSequence, start_s: float, end_s: float) -> SkeletonSequence:
    # Tolerates rounded decimals of the table.
    start, end = (math.ceil(seconds * whole.fps - 1e-3) for seconds in (start_s, end_s))
    if not start < end <= whole.num_frames:
        reason = f"{start_s:g} s to {end_s:g} s is no part of {whole.num_frames} frames at {whole.fps:g} per second"
        raise bad_file(path, TABLE, f"{reason}; correct start_s and end_s.")
    confidence = None if whole.confidence is None else whole.confidence[:, start:end]
    return whole.replace(keypoints=whole.keypoints[:, start:end], confidence=confidence)


def annotate_all(path: Path) -> list[ClipFacts]:
    """Label, split (`setup`), subject and camera of every clip of a file, in the order of `read`."""
    found, rows = rows_of(path, TABLE)
    if found is None:
        folder = path.absolute().parent
        classes = class_folders(folder.parent)
        if folder.name not in classes:
            raise bad_file(path, "folder", f"{_ARRANGED}.")
        return [ClipFacts(classes.index(folder.name), None, None, None, f"{folder.name}/{path.name}")]
    if not rows:
        raise bad_file(path, "labels", f"{found} does not list it.")
    classes, numbered = table_classes(found), len(rows) > 1
    return [
        row.facts(classes.index(row.label), f"{row.file}_{number}" if numbered else row.file)
        for number, row in enumerate(rows)
    ]


def is_clip(path: Path) -> bool:
    """The files in the table, where there is one; else all files but the options and hidden ones."""
    found, rows = rows_of(path, TABLE)
    return is_pose_file(path) if found is None else bool(rows)


@kept_until_changed
def table_classes(found: Path) -> tuple[str, ...]:
    """The labels of the table, sorted by number where all are numbers, else by name."""
    labels = {row.label for rows in load_table(found).values() for row in rows}
    numbered = all(label.isascii() and label.isdigit() for label in labels)
    return tuple(sorted(labels, key=(lambda label: (int(label), label)) if numbered else None))


@kept_until_changed
def class_folders(root: Path) -> tuple[str, ...]:
    """The names of the visible folders in `root`."""
    return tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")))


def look_into(root: Path) -> FolderFacts:
    """The classes of a folder, and layout, frame rate and unit of its first clip.

    Raises ValueError when the folder is not arranged as expected, or no clip can be read (error of the first file).
    """
    if (root / TABLE).is_file():
        classes = table_classes(root / TABLE)
        return folder_facts(classes, _first_clip([root / name for name in load_table(root / TABLE)]))
    above = find_above(root / "class" / "file", TABLE)
    if above is not None:
        raise bad_file(above, "folder", f"lies above {root} and would be used as its table; build from there.")
    return folder_facts(class_folders(root), _first_clip(_files_of_classes(root)))


def _first_clip(files: list[Path]) -> SkeletonSequence:
    """Of the first readable file: a build lists broken files and continues."""
    error = None
    for file in files:
        try:
            clips = read(file)
        except ValueError as broken:
            error = error or broken
            continue
        if clips:
            return clips[0]
    raise error or bad_file(files[0], "content", "holds no clip.")


def _files_of_classes(root: Path) -> list[Path]:
    classes = class_folders(root)
    loose = sorted(entry.name for entry in root.iterdir() if entry.is_file() and is_pose_file(entry))
    if loose and classes:
        got = f"files {loose[:_SHOWN]} beside class folders {list(classes[:_SHOWN])}"
        raise bad_file(root, "folder", f"{_ARRANGED}; got {got}. Move the files into a class.")
    if not classes:
        raise bad_file(root, "folder", f"{_ARRANGED}; got {loose[:_SHOWN] or 'an empty folder'}.")
    files = {name: [entry for entry in sorted((root / name).iterdir()) if is_pose_file(entry)] for name in classes}
    empty = [name for name, entries in files.items() if not entries]
    if empty:
        raise bad_file(root, "folder", f"the class folders {empty[:_SHOWN]} are empty; fill or remove them.")
    nested = [f"{name}/{entry.name}" for name, entries in files.items() for entry in entries if entry.is_dir()]
    if nested:
        reason = f"{_ARRANGED}; got folders in class folders: {nested[:_SHOWN]}. For a folder of JSON files"
        raise bad_file(root, "folder", f"{reason}: motionhub convert {nested[0]} CLIP.npz")
    return [entry for name in classes for entry in files[name]]


DATASET = Dataset(
    name="folder",
    title="A folder of pose files",
    pattern=ANY_POSE_FILE,
    read_any=read,
    annotate_all=annotate_all,
    is_clip=is_clip,
    sidecars=(TABLE, OPTIONS_FILE),
    # Replaced by `at(root)`.
    layout="coco-17",
    fps=30.0,
    fps_source="the first clip's",
    unit="pixel",
    class_names=(),
    protocols=(
        by_setup("split", f"By the column split of {TABLE} (the owner of the data)."),
        random_80_20(seed=0),
        odd_subjects(", by the column subject of labels.csv", ""),
    ),
    missing_joints="as marked in the format of the files",
    licence=UNSTATED,
    homepage="",
    citation="",
    remarks=f"Layout, frame rate and unit above are the first clip's. With {TABLE}, files that it does not list are "
    "left out, and a line with times gives the frames from start_s (inclusive) to end_s (exclusive)",
    column_notes={
        "setup": f"1 train, 0 test in {TABLE}, else -1",
        "subject": f"from {TABLE}",
        "camera": f"from {TABLE}",
    },
    look_into=look_into,
    owned_by_user=True,
    provenance="Read from the owner's pose files, each in the format of its content; metadata that a file lacks come "
    f"from {OPTIONS_FILE}",
)
