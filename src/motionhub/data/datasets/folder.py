"""A user's own dataset: a folder of pose files per class, a `labels.csv`, or a file of labels beside each recording.

Labels beside a recording are made by hand in another program (`motionhub.read_intervals`): `walk01.eaf` has those of
`walk01.npz`. They become the segments of the clip, and may overlap. Where they name people of the recording, each of
these people is a clip with their own labels and those of nobody.
"""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

from motionhub.data.datasets.clip_table import load_table, rows_of, subject_names
from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, label_called
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
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, note
from motionhub.data.formats.interval_files import SUFFIXES, holds_intervals, read_intervals
from motionhub.data.formats.interval_tables import Row
from motionhub.skeletons.convert import cut, frames_between
from motionhub.skeletons.sequence import SkeletonSequence


TABLE = "labels.csv"
_SHOWN = 5
_COLUMN_NOTES = {
    "setup": f"1 train, 0 test in {TABLE}, else -1",
    "subject": f"from {TABLE}",
    "camera": f"from {TABLE}",
}
# Between the name of a recording and the suffix of its labels.
_MIDDLES = (".labels", "_labels")
# HumanML3D has the captions of its joints in a folder beside theirs.
_TEXTS = {"new_joints": "texts", "new_joint_vecs": "texts"}
_ARRANGED = (
    f"expected {TABLE} (file,label), a folder of files for each class, or labels (.eaf, .srt, ...) beside each file"
)


def read(path: Path) -> list[SkeletonSequence]:
    """The clips of a file; with times in the table, the parts from `start_s` (inclusive) to `end_s` (exclusive)."""
    found, rows = rows_of(path, TABLE)
    beside = labels_beside(path) if found is None else None
    if beside is not None:
        whole = read_one_clip(path)
        return [whole if person is None else whole.person(person) for person in _people(whole, intervals_of(beside))]
    if not any(row.times for row in rows):
        return read_poses(path)
    whole = read_one_clip(path)
    return [_part(path, whole, *row.times) for row in rows if row.times]


def _part(path: Path, whole: SkeletonSequence, start_s: float, end_s: float) -> SkeletonSequence:
    _frames(path, TABLE, whole, start_s, end_s)
    return cut(whole, start_s, end_s)


def _frames(path: Path, place: str, whole: SkeletonSequence, start_s: float, end_s: float) -> tuple[int, int]:
    """The first frame of an interval, and the one after its last. Raises ValueError where it goes beyond."""
    start, end = frames_between(start_s, max(start_s, end_s), whole.fps, whole.num_frames)
    # Tolerates rounded decimals of the table.
    if start == end or end_s * whole.fps > whole.num_frames + 1e-3:
        reason = f"{start_s:g} s to {end_s:g} s is no part of {whole.num_frames} frames at {whole.fps:g} per second"
        raise bad_file(path, place, f"{reason}; correct start_s and end_s.")
    return start, end


def _people(whole: SkeletonSequence, rows: list[Row]) -> list[int | None]:
    """Positions of the people that labels name; None alone: the labels are of the whole recording."""
    named = {row["track_id"] for row in rows}
    found = [place for place, track in enumerate(whole.track_ids or ()) if track in named]
    return [*found] if found and whole.num_people > 1 else [None]


def _segments_facts(path: Path, beside: Path, names: tuple[str, ...]) -> list[ClipFacts]:
    """The segments of each clip of a recording, in the order of `read`."""
    whole, rows = read_one_clip(path), intervals_of(beside)
    people = _people(whole, rows)
    tracks = [None if person is None else (whole.track_ids or ())[person] for person in people]
    absent = sorted({row["track_id"] for row in rows} - {None, *(whole.track_ids or ())})
    if absent and whole.num_people > 1:
        what = "of everybody" if people == [None] else "left out"
        note(beside, "labels", f"the recording lacks the people {absent[:_SHOWN]}; their labels are {what}.")
    facts = []
    for track in tracks:
        own = [row for row in rows if track is None or row["track_id"] in (None, track)]
        segments = [
            (label_called(path, "labels", row["label"], names), *_segment(path, beside, whole, row)) for row in own
        ]
        captions = "\n".join(row["caption"] for row in own if "caption" in row and row["end_s"] == math.inf)
        name = path.name if track is None else f"{path.name}_{track}"
        facts.append(ClipFacts(None, None, None, None, name, segments=tuple(segments), caption=captions))
    return facts


def _segment(path: Path, beside: Path, whole: SkeletonSequence, row: Row) -> tuple[int, int]:
    """The frames of a label, which may end after the recording."""
    end = whole.duration if row["end_s"] == math.inf else row["end_s"]
    if row["start_s"] < whole.duration < end:
        text = f"{row['label']!r} ends at {end:g} s and is cut at the end of the recording, {whole.duration:g} s."
        note(beside, "labels", text)
        end = whole.duration
    return _frames(path, beside.name, whole, row["start_s"], end)


def labels_beside(path: Path) -> Path | None:
    """The file of labels with the name of a recording, in its folder. Raises ValueError for two of them."""
    names = [f"{path.stem}{middle}{suffix}" for suffix in SUFFIXES for middle in ("", *_MIDDLES)]
    folder = path.absolute().parent
    folders = [folder, *(folder.with_name(texts) for joints, texts in _TEXTS.items() if folder.name == joints)]
    candidates = [
        each / name
        for each in folders
        if each.is_dir()
        for name in names
        if each / name != path.absolute() and name in _names_in(each)[0]
    ]
    found = [entry for entry in candidates if entry.is_file() and holds_intervals(entry)]
    if len(found) > 1:
        names = [entry.name for entry in found]
        raise bad_file(path, "labels", f"several files of labels: {names[:_SHOWN]}; keep one.")
    return found[0] if found else None


@kept_until_changed
def intervals_of(path: Path) -> list[Row]:
    """The labels of a recording; points are left out with a note. Raises ValueError where there are no others."""
    rows = read_intervals(path)
    kept = [row for row in rows if row["end_s"] > row["start_s"]]
    if len(kept) < len(rows):
        names = sorted({row["label"] for row in rows if row["end_s"] == row["start_s"]})
        note(path, "labels", f"{len(rows) - len(kept)} point events without duration are left out: {names[:_SHOWN]}.")
    if not kept:
        raise bad_file(path, "labels", "holds no interval with a label.")
    return kept


@kept_until_changed
def _labelled(folder: Path) -> tuple[dict[Path, Path], tuple[str, ...]]:
    """Recordings in a folder -> their files of labels; and all labels in these, sorted.

    Kept until a file is added to the folder or removed.
    """
    files = [entry for entry in sorted(folder.iterdir()) if entry.is_file() and is_pose_file(entry)]
    beside = {entry: labels_beside(entry) for entry in files if not _is_labels(entry)}
    found = {entry: labels for entry, labels in beside.items() if labels is not None}
    names = {row["label"] for labels in found.values() for row in intervals_of(labels)}
    return found, tuple(sorted(names))


def _is_labels(path: Path) -> bool:
    """Whether a file is the labels of another in its folder."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    stems = _names_in(path.absolute().parent)[1]
    shortened = {path.stem.removesuffix(middle) for middle in _MIDDLES} - {path.stem}
    named = stems[path.stem] > 1 or any(stems[stem] for stem in shortened)
    return named and holds_intervals(path)


@kept_until_changed
def _names_in(folder: Path) -> tuple[frozenset[str], Counter[str]]:
    """The names of the files in a folder, and how many have each stem."""
    names = [entry.name for entry in folder.iterdir()]
    return frozenset(names), Counter(Path(name).stem for name in names)


def annotate_all(path: Path) -> list[ClipFacts]:
    """Label, split (`setup`), subject and camera of every clip of a file, in the order of `read`."""
    found, rows = rows_of(path, TABLE)
    beside = labels_beside(path) if found is None else None
    if beside is not None:
        return _segments_facts(path, beside, _labelled(path.absolute().parent)[1])
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
    """The files in the table, where there is one; else all files but the options, hidden ones and labels."""
    found, rows = rows_of(path, TABLE)
    return is_pose_file(path) and not _is_labels(path) if found is None else bool(rows)


@kept_until_changed
def table_classes(found: Path) -> tuple[str, ...]:
    """The labels of the table, sorted by number where all are numbers, else by name."""
    labels = {row.label for rows in load_table(found).values() for row in rows}
    numbered = all(label.isascii() and label.isdigit() and len(label) < 20 for label in labels)
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
        facts = folder_facts(classes, _first_clip([root / name for name in load_table(root / TABLE)]))
        subjects = subject_names(root / TABLE)
        if not subjects:
            return facts
        named = ", ".join(f"{number} {name}" for name, number in subjects.items())
        return replace(facts, column_notes={**_COLUMN_NOTES, "subject": f"from {TABLE}, numbered: {named}"})
    above = find_above(root / "class" / "file", TABLE)
    if above is not None:
        raise bad_file(above, "folder", f"lies above {root} and would be used as its table; build from there.")
    labelled, names = _labelled(root)
    if labelled:
        alone = [entry.name for entry in sorted(root.iterdir()) if entry not in labelled and _is_recording(entry)]
        if alone:
            raise bad_file(root, "folder", f"recordings without labels beside them: {alone[:_SHOWN]}; move them away.")
        nested = class_folders(root)
        if nested:
            reason = f"folders {list(nested[:_SHOWN])} beside recordings with labels"
            raise bad_file(root, "folder", f"{reason}; build a dataset of each folder, or move them away.")
        notes = {"label": "-1: several actions, see the segments", **_COLUMN_NOTES}
        return replace(folder_facts(names, _first_clip(list(labelled))), column_notes=notes)
    return folder_facts(class_folders(root), _first_clip(_files_of_classes(root)))


def _is_recording(entry: Path) -> bool:
    return entry.is_file() and is_pose_file(entry) and not _is_labels(entry)


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
    twofold = [name for name in classes if _labelled(root / name)[0]]
    if twofold:
        reason = f"the class folders {twofold[:_SHOWN]} have labels beside their files"
        raise bad_file(root, "folder", f"{reason}; build from one of these folders, or remove the labels.")
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
    sidecars=(f"*{TABLE}", OPTIONS_FILE, "*.eaf", "*.srt", "*.vtt", "*.boris", "*.opf"),
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
    column_notes=_COLUMN_NOTES,
    look_into=look_into,
    owned_by_user=True,
    provenance="Read from the owner's pose files, each in the format of its content; metadata that a file lacks come "
    f"from {OPTIONS_FILE}",
)
