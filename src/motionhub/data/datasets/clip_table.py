"""CSV tables that name pose files and say what they show: `labels.csv` of a user's folder, `posecap.csv`."""

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, table_lines


COLUMNS = ("file", "label", "split", "subject", "camera", "start_s", "end_s", "source", "caption", "licence")
SPLITS = {"train": 1, "test": 0, "": None}
MAX_BYTES = 2**29
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line: a clip, or with times a part of one.

    Args:
        file: as the table names it, relative to the table, with slashes.
        trains: 1 in the training split, 0 in the test split, None in neither.
        times: `(start, end)` in seconds, or None for the whole file.
        source: the dataset the clip was taken from; may be empty.
        licence: terms of the clip, where they are others than those of the whole; may be empty.
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


def rows_of(path: Path, table: str) -> tuple[Path | None, tuple[TableRow, ...]]:
    """The table called `table` beside a file or above it, and its lines about the file; None and no lines without it.

    Raises:
        ValueError: as `load_table`.
    """
    found = find_above(path, table)
    if found is None:
        return None, ()
    return found, load_table(found).get(path.absolute().relative_to(found.parent).as_posix(), ())


@kept_until_changed
def load_table(found: Path) -> dict[str, tuple[TableRow, ...]]:
    """File -> its lines, in the order of the table.

    Raises:
        ValueError: a line is broken, names a file that is not there, or names one twice without times.
    """
    rows: dict[str, list[TableRow]] = {}
    for number, fields in table_lines(found, COLUMNS, ("file", "label"), MAX_BYTES):
        row = _row(found, f"line {number}", fields)
        rows.setdefault(row.file, []).append(row)
    if not rows:
        raise bad_file(found, "content", "names no clip; write a line such as clips/001.json,walk.")
    _check_files(found, rows)
    return {file: tuple(lines) for file, lines in rows.items()}


def _row(found: Path, place: str, fields: dict[str, str]) -> TableRow:
    if ("start_s" in fields) != ("end_s" in fields):
        raise bad_file(found, "line 1", "start_s and end_s belong together; add the other one.")
    file = PurePosixPath(fields["file"].replace("\\", "/"))
    if not fields["file"] or file.is_absolute() or ".." in file.parts:
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
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise bad_file(found, place, f"expected a whole number for {name}, got {text[:40]!r}.")
    return int(text)


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


def _check_files(found: Path, rows: dict[str, list[TableRow]]) -> None:
    twice = [file for file, lines in rows.items() if len(lines) > 1 and any(row.times is None for row in lines)]
    if twice:
        raise bad_file(found, "file", f"{twice[:_SHOWN]} stand there more than once, and not with times each time.")
    no_files = [file for file in rows if not os.path.isfile(f"{found.parent}/{file}")]
    folders = [file for file in no_files if (found.parent / file).is_dir()]
    absent = [file for file in no_files if file not in folders]
    if absent:
        reason = f"{len(absent)} of {len(rows)} files are not there, the first {absent[:_SHOWN]}; correct the table."
        raise bad_file(found, "file", reason)
    if folders:
        reason = f"{folders[:_SHOWN]} are folders; make files of them: motionhub convert {folders[0]} CLIP.npz"
        raise bad_file(found, "file", reason)
