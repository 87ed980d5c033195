"""CSV tables: pose files with labels (`labels.csv` of a user's folder, `posecap.csv`), and labels merged into classes.

Posetics (320 classes) and PoseCap-1M (811) merge labels of their sources, but publish no list: `label_merging.csv`
beside this file holds the example in the thesis, and a table of the user completes it.
"""

import math
import os
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from motionhub.data.datasets.dataset import ClipFacts
from motionhub.data.formats.files import bad_file, find_above, is_too_long, kept_until_changed, note, table_lines


COLUMNS = ("file", "label", "split", "subject", "camera", "start_s", "end_s", "source", "caption", "licence")
SPLITS = {"train": 1, "test": 0, "": None}
MAX_BYTES = 2**29
_SHOWN = 5
MERGING_COLUMNS = ("merging", "source", "label", "class", "description", "stated_in")
STATED = Path(__file__).with_name("label_merging.csv")
# Yang, thesis 2024: sections 3.5 and 6.3.1, table 6.1.
NUM_CLASSES = {"posetics": 320, "posecap": 811}
MAX_MERGING_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line: a clip, or with times a part of one.

    Args:
        file: relative to the table, with slashes.
        trains: 1 in the training split, 0 in the test split, None in neither.
        times: `(start, end)` in seconds, or None for the whole file.
        source: original dataset of the clip; may be empty.
        licence: of the clip, where it differs from that of the dataset; may be empty.
    """

    file: str
    label: str
    trains: int | None
    subject: int | None
    camera: int | None
    times: tuple[float, float] | None
    source: str
    caption: str
    licence: str

    def facts(self, label: int, clip_id: str) -> ClipFacts:
        return ClipFacts(
            label, self.subject, self.camera, self.trains, clip_id, caption=self.caption, licence=self.licence
        )


def rows_of(path: Path, table: str) -> tuple[Path | None, tuple[TableRow, ...]]:
    """The table called `table` beside a file or above it, if any, and its lines about the file."""
    found = find_above(path, table)
    if found is None:
        return None, ()
    return found, load_table(found).get(path.absolute().relative_to(found.parent).as_posix(), ())


@kept_until_changed
def load_table(found: Path) -> dict[str, tuple[TableRow, ...]]:
    """File -> its lines, in order. Raises ValueError for broken lines, absent files, and repeats without times."""
    rows = read_lines(found)
    _check_files(found, rows)
    return rows


def read_lines(found: Path) -> dict[str, tuple[TableRow, ...]]:
    """As `load_table`, of a table whose files lie elsewhere: they are not looked for."""
    rows: dict[str, list[TableRow]] = {}
    lines = list(table_lines(found, COLUMNS, ("file", "label"), MAX_BYTES))
    subjects = _numbered_names([fields.get("subject", "") for _, fields in lines])
    if subjects:
        named = ", ".join(f"{name} = {number}" for name, number in list(subjects.items())[:8])
        note(found, "subject", f"{len(subjects)} names are numbered in their order: {named}.")
    for number, fields in lines:
        row = _row(found, f"line {number}", {**fields, "subject": _number_of(fields.get("subject", ""), subjects)})
        rows.setdefault(row.file, []).append(row)
    if not rows:
        raise bad_file(found, "content", "lists no clip; write a line such as clips/001.json,walk.")
    twice = [file for file, own in rows.items() if len(own) > 1 and any(row.times is None for row in own)]
    if twice:
        raise bad_file(found, "file", f"{twice[:_SHOWN]} occur more than once, and not with times each time.")
    return {file: tuple(own) for file, own in rows.items()}


@kept_until_changed
def subject_names(found: Path) -> dict[str, int]:
    """The names of subjects in a table, and the number of each; none where they are numbers."""
    return _numbered_names([fields.get("subject", "") for _, fields in table_lines(found, COLUMNS, (), MAX_BYTES)])


def _numbered_names(texts: list[str]) -> dict[str, int]:
    names = [text for text in dict.fromkeys(texts) if text]
    if all(text.isascii() and text.isdigit() for text in names):
        return {}
    return {name: number for number, name in enumerate(names)}


def _number_of(text: str, subjects: dict[str, int]) -> str:
    return str(subjects[text]) if text in subjects else text


def _row(found: Path, place: str, fields: dict[str, str]) -> TableRow:
    if ("start_s" in fields) != ("end_s" in fields):
        raise bad_file(found, "line 1", "start_s and end_s belong together; add the other one.")
    file = PurePosixPath(fields["file"].replace("\\", "/"))
    if not fields["file"] or file.is_absolute() or ".." in file.parts or is_too_long(file):
        raise bad_file(found, place, f"expected a file below the table's folder, got {fields['file'][:60]!r}.")
    if not fields["label"]:
        raise bad_file(found, place, f"{file} has no label.")
    if fields.get("split", "") not in SPLITS:
        raise bad_file(found, place, f"expected the split train, test or none, got {fields['split'][:40]!r}.")
    return TableRow(
        file=file.as_posix(),
        label=sys.intern(fields["label"]),
        trains=SPLITS[fields.get("split", "")],
        subject=_whole_number(found, place, "subject", fields),
        camera=_whole_number(found, place, "camera", fields),
        times=_times(found, place, fields),
        source=sys.intern(fields.get("source", "")),
        caption=fields.get("caption", ""),
        licence=sys.intern(fields.get("licence", "")),
    )


def _whole_number(found: Path, place: str, name: str, fields: dict[str, str]) -> int | None:
    text = fields.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise bad_file(found, place, f"expected a whole number for {name}, got {text[:40]!r}.")
    return int(text) if text else None


def _times(found: Path, place: str, fields: dict[str, str]) -> tuple[float, float] | None:
    texts = [fields.get(name, "") for name in ("start_s", "end_s")]
    if not any(texts):
        return None
    try:
        start, end = (float(text) for text in texts)
    except ValueError:
        start, end = math.nan, math.nan
    if not 0 <= start < end < math.inf:
        raise bad_file(found, place, f"expected seconds with 0 <= start_s < end_s, got {texts[0]!r} and {texts[1]!r}.")
    return start, end


def _check_files(found: Path, rows: Collection[str]) -> None:
    no_files = [file for file in rows if not os.path.isfile(f"{found.parent}/{file}")]
    folders = [file for file in no_files if (found.parent / file).is_dir()]
    absent = [file for file in no_files if file not in folders]
    if absent:
        reason = f"{len(absent)} of {len(rows)} files are absent, the first {absent[:_SHOWN]}; correct the table."
        raise bad_file(found, "file", reason)
    if folders:
        reason = f"{folders[:_SHOWN]} are folders; convert them to files: motionhub convert {folders[0]} CLIP.npz"
        raise bad_file(found, "file", reason)


@dataclass(frozen=True)
class LabelMerging:
    """`(source, label)` -> class, where the source "" means any, and class -> description, where there is one."""

    name: str
    classes: dict[tuple[str, str], str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)

    def class_of(self, label: str, source: str = "") -> str:
        """The class of a label; a label in no table keeps its name, as most do in the thesis."""
        return self.classes.get((source, label), self.classes.get(("", label), label))

    def class_names(self, labels: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The classes of `(source, label)` pairs: those of the tables in their order, then the others by name."""
        found = {self.class_of(label, source) for source, label in labels}
        listed = [name for name in dict.fromkeys(self.classes.values()) if name in found]
        return (*listed, *sorted(found - set(listed)))


def read_label_merging(name: str, table: str | Path | None = None) -> LabelMerging:
    """The merging of "posetics" or "posecap": the user's table, completed by the thesis.

    Args:
        table: CSV with the columns source, label, class, and optionally description, merging and stated_in. Lines of
            another `merging` are skipped.

    Raises:
        ValueError: unknown name; the table is absent, broken, or gives a label two classes or a class two texts.
    """
    if name not in NUM_CLASSES:
        raise ValueError(f"No label merging is called {name!r}; there are {list(NUM_CLASSES)}.")
    merging, stated = LabelMerging(name), LabelMerging(name)
    if table is not None:
        _add(merging, Path(table))
    _add(stated, STATED)
    for pair, title in stated.classes.items():
        merging.classes.setdefault(pair, title)
    return merging


def _add(merging: LabelMerging, path: Path) -> None:
    for number, line in table_lines(path, MERGING_COLUMNS, MERGING_COLUMNS[1:4], MAX_MERGING_BYTES):
        place = f"line {number}"
        if line.get("merging") not in (None, "", merging.name):
            continue
        pair, title, description = (line["source"], line["label"]), line["class"], line.get("description") or ""
        if not pair[1] or not title:
            raise bad_file(path, place, f"expected a label and a class, got {pair[1]!r} and {title!r}.")
        if merging.classes.setdefault(pair, title) != title:
            raise bad_file(path, place, f"{pair} is {merging.classes[pair]!r} in an earlier line, here {title!r}.")
        if description and merging.descriptions.setdefault(title, description) != description:
            raise bad_file(path, place, f"class {title!r} has another description in an earlier line.")
