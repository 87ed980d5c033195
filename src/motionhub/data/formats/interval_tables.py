"""Rows of labelled intervals in tables (plain, BORIS, Datavyu) and in JSON (BORIS projects, BABEL, our own)."""

import csv
import io
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from motionhub.data.formats.files import bad_file, note


Row = dict[str, Any]

# Names of columns, in lower case, letters and digits only.
_START = (
    *("starts", "start", "starttime", "begin", "begintime", "begins", "onset", "from", "startsec", "startseconds"),
    *("begintimessmsec", "begintimehhmmssms", "tstart", "timestart", "starttimesec"),
)
_START_MS = ("startms", "startmsec", "onsetms", "beginms", "begintimemsec")
_END = (
    *("ends", "end", "endtime", "stop", "stops", "stoptime", "offset", "to", "endsec", "endseconds"),
    *("endtimessmsec", "endtimehhmmssms", "tend", "timeend", "tstop", "endtimesec"),
)
_END_MS = ("endms", "endmsec", "stopms", "offsetms", "endtimemsec")
_LENGTH = ("durations", "duration", "durationsec", "durationseconds", "length", "durationssmsec")
_LENGTH_MS = ("durationms", "durationmsec")
_LABEL = (
    "label",
    "behavior",
    "behaviour",
    "action",
    "class",
    "event",
    "code",
    "annotation",
    "activity",
    "tag",
    "text",
)
_TIER = ("person", "subject", "trackid", "track", "tier", "actor", "participant", "personid", "subjectid", "speaker")
_SCORE = ("score", "confidence", "probability")
_RECORDING = ("observationid", "recording", "video", "file", "filename", "mediafile", "mediafilename")
_KIND = ("behaviortype", "status", "eventtype")
# Columns of BORIS tables that repeat others.
_KNOWN = {
    *("observationdate", "description", "observationduration", "observationtype", "source", "fps", "comment"),
    *("mediadurations", "timeoffsets", "behavioralcategory", "imageindex", "imagefilepath", "commentstart"),
    *("commentstop", "totallength", "observationdurationbysubjectbyobservation", "imageindexstart", "imageindexstop"),
    *("imagefilepathstart", "imagefilepathstop", "mediafile", "mediafilename"),
}
# The subject of BORIS where none is chosen.
_NOBODY = "No focal subject"
_PERSON = re.compile(r"(?:person|subject|track|p|id)?[ _#-]*(\d{1,9})(?: \(\d+\))?", re.IGNORECASE)
# Datavyu's database: its version, a column, a cell.
_DATABASE = re.compile(r"#\d+")
_DATABASE_COLUMN = re.compile(r"(.{1,200}?) \([A-Z]+,.*\)-.*")
_STAMP = r"(\d{1,6}:\d{1,2}:\d{1,2}:\d{1,3})"
_CELL = re.compile(rf"{_STAMP},{_STAMP},\(?(.*?)\)?")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d*)?)")


def new_row(
    path: Path,
    place: str,
    label: str,
    start: float,
    end: float,
    tier: str | None = None,
    score: float = 1.0,
    recording: str | None = None,
) -> Row:
    """A row of `read_intervals`. Raises ValueError unless 0 <= start <= end and there is a label."""
    if not label:
        raise bad_file(path, place, f"the interval from {start:g} s has no label.")
    if not (math.isfinite(start) and 0 <= start <= end):
        raise bad_file(path, place, f"{label[:40]!r} starts at {start:g} s and ends at {end:g} s.")
    times = {"track_id": person_of(tier), "start_s": start, "end_s": end}
    return {**times, "label": label, "score": score, "tier": tier, "recording": recording}


def person_of(tier: str | None) -> int | None:
    """2 of the names "2", "person 2", "P2" and "person 2 (3)", None of others."""
    named = None if tier is None else _PERSON.fullmatch(tier.strip())
    return None if named is None else int(named[1])


def seconds_of(path: Path, place: str, text: str) -> float:
    """Seconds of "12.5", "12,5" or "0:01:02.500". Raises ValueError for other texts."""
    clock = _CLOCK.fullmatch(text.strip())
    try:
        if clock is not None:
            hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in clock.groups())
            return 3600 * hours + 60 * minutes + seconds
        number = float(text.strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise bad_file(path, place, f"expected a time in seconds or as 0:01:02.500, got {text[:40]!r}.")
    return number


def table_rows(path: Path, text: str) -> Iterator[Row]:
    """The rows of a table with a header; lines before the header (of BORIS) are skipped."""
    lines = text.splitlines()
    if lines and _DATABASE.fullmatch(lines[0].strip("\ufeff ")):
        yield from database_rows(path, lines)
        return
    for first, line in enumerate(lines[:60]):
        separator = max("\t;,", key=line.count)
        names = [_plain(name) for name in next(csv.reader([line], delimiter=separator), [])]
        if _is_header(names):
            content = csv.reader(io.StringIO("\n".join(lines[first:])), delimiter=separator)
            header = next(content)
            rows = [(number, cells) for number, cells in enumerate(content, start=first + 2) if any(cells)]
            yield from _read_table(path, header, names, rows)
            return
    got = lines[0][:80] if lines else ""
    framed = "frame" in got.lower() and any(name in got.lower() for name in ("start", "begin", "onset"))
    fix = "; frame numbers become seconds by dividing them by the frame rate" if framed else ""
    raise bad_file(path, "line 1", f"expected columns such as start, end, label (in seconds), got {got!r}{fix}.")


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9.]", "", name.lower())
    return plain if plain.endswith((".onset", ".offset")) else plain.replace(".", "")


def _is_header(names: list[str]) -> bool:
    datavyu = any(name.endswith(".onset") for name in names) and any(name.endswith(".offset") for name in names)
    starts = any(name in names for name in (*_START, *_START_MS))
    labelled = any(name in names for name in _LABEL)
    return datavyu or (labelled and (starts or "time" in names))


def _read_table(path: Path, header: list[str], names: list[str], rows: list[tuple[int, list[str]]]) -> Iterator[Row]:
    if any(name.endswith(".onset") for name in names):
        yield from _datavyu(path, header, rows)
        return
    columns = {
        "start": _column(names, (*_START, *_START_MS)),
        "end": _column(names, (*_END, *_END_MS)),
        "length": _column(names, (*_LENGTH, *_LENGTH_MS)),
        "time": _column(names, ("time",)),
        "label": _column(names, _LABEL),
        "tier": _column(names, _TIER),
        "score": _column(names, _SCORE),
        "recording": _column(names, _RECORDING),
        "kind": _column(names, _KIND),
        "modifiers": _column(names, ("modifiers", "modifier", "modifier1")),
    }
    used = {place for place in columns.values() if place is not None}
    unused = [header[place] for place, name in enumerate(names) if place not in used and name and name not in _KNOWN]
    if unused:
        note(path, "header", f"columns that are not read: {unused[:12]}.")
    cells = [(number, _Cells(path, number, line, columns)) for number, line in rows]
    if columns["start"] is None:
        yield from _switched(path, [row for _, row in cells])
        return
    scales = {name: _scale(names, columns[name]) for name in ("start", "end", "length")}
    for number, row in cells:
        start = scales["start"] * row.seconds("start")
        if row.text("end"):
            end = scales["end"] * row.seconds("end")
        elif row.text("length"):
            end = start + scales["length"] * row.seconds("length")
        elif row.text("kind").upper() == "POINT":
            end = start
        else:
            raise bad_file(path, f"line {number}", "expected an end or a duration.")
        yield row.interval(start, end)


class _Cells:
    """The cells of a line by the meaning of their column."""

    def __init__(self, path: Path, number: int, cells: list[str], columns: dict[str, int | None]) -> None:
        self.path, self.place, self.cells, self.columns = path, f"line {number}", cells, columns

    def text(self, name: str) -> str:
        place = self.columns[name]
        value = "" if place is None or place >= len(self.cells) else self.cells[place].strip()
        return "" if value.upper() in ("NA", "N/A", "NAN", "NONE", "NULL") else value

    def seconds(self, name: str) -> float:
        return seconds_of(self.path, self.place, self.text(name))

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(self.text(name) for name in ("recording", "tier", "label", "modifiers"))

    def interval(self, start: float, end: float) -> Row:
        tier = self.text("tier") or None
        tier = None if tier == _NOBODY else tier
        score = self.seconds("score") if self.text("score") else 1.0
        label = self.text("label") + f" ({self.text('modifiers')})" * bool(self.text("modifiers"))
        recording = self.text("recording") or None
        return new_row(self.path, self.place, label, start, end, tier, min(max(score, 0.0), 1.0), recording)


def _switched(path: Path, rows: list[_Cells]) -> Iterator[Row]:
    """BORIS events: a line when a state starts and one when it stops; a point event has one line."""
    if not rows or rows[0].columns["kind"] is None:
        raise bad_file(
            path, "header", "expected start and end, or time and a column 'Behavior type' of START and STOP."
        )
    begun: dict[tuple[str, ...], _Cells] = {}
    for row in sorted(rows, key=lambda row: row.seconds("time")):
        kind = row.text("kind").upper()
        if kind == "POINT":
            yield row.interval(row.seconds("time"), row.seconds("time"))
        elif kind == "START" and row.key not in begun:
            begun[row.key] = row
        elif kind == "STOP" and row.key in begun:
            yield row.interval(begun.pop(row.key).seconds("time"), row.seconds("time"))
        else:
            raise bad_file(
                path, row.place, f"{kind[:20]!r} of {row.text('label')[:40]!r} does not follow its partner."
            )
    for row in begun.values():
        raise bad_file(path, row.place, f"{row.text('label')[:40]!r} starts and never stops.")


def _datavyu(path: Path, header: list[str], rows: list[tuple[int, list[str]]]) -> Iterator[Row]:
    """Columns of cells side by side: `name.onset`, `name.offset` in milliseconds, and the codes of a cell."""
    groups: dict[str, dict[str, int]] = defaultdict(dict)
    for place, title in enumerate(header):
        name, _, part = title.strip().strip("\ufeff").rpartition(".")
        groups[name][part.lower()] = place
    for name, parts in groups.items():
        if not {"onset", "offset"} <= set(parts):
            note(path, "header", f"columns that are not read: {[f'{name}.{part}'.strip('.') for part in parts][:12]}.")
            continue
        codes = [place for part, place in parts.items() if part not in ("ordinal", "onset", "offset")]
        for number, cells in rows:
            cell = [cells[place].strip() if place < len(cells) else "" for place in range(len(header))]
            if not cell[parts["onset"]]:
                continue  # this column has fewer cells than others
            ends = [
                seconds_of(path, f"line {number}", cell[parts[part]] or "0") / 1000 for part in ("onset", "offset")
            ]
            label = "/".join(filter(None, (cell[place] for place in codes))) or name
            yield new_row(path, f"line {number}", label, ends[0], ends[1] or ends[0], name)


def _scale(names: list[str], place: int | None) -> float:
    """Seconds per unit of a column."""
    milliseconds = place is not None and names[place] in (*_START_MS, *_END_MS, *_LENGTH_MS)
    return 0.001 if milliseconds else 1.0


def database_rows(path: Path, lines: list[str]) -> Iterator[Row]:
    """The file `db` of Datavyu: a line for each column, followed by the lines of its cells."""
    tier = None
    for number, line in enumerate(lines[1:], start=2):
        cell, column = _CELL.fullmatch(line.strip()), _DATABASE_COLUMN.fullmatch(line.strip())
        if cell is not None and tier is not None:
            start, end = (_stamp(text) for text in cell.groups()[:2])
            codes = "/".join(filter(None, (code.strip() for code in cell[3].split(","))))
            yield new_row(path, f"line {number}", codes or tier, start, end or start, tier)
        elif column is not None:
            tier = column[1]
        elif line.strip():
            raise bad_file(path, f"line {number}", f"expected a column or a cell of Datavyu, got {line[:60]!r}.")


def _stamp(text: str) -> float:
    """Seconds of hours:minutes:seconds:milliseconds."""
    hours, minutes, seconds, thousandths = map(int, text.split(":"))
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000


def _column(names: list[str], known: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def json_rows(path: Path, text: str) -> Iterator[Row]:
    """A list of rows as `write_intervals` writes it, a BORIS project, or BABEL."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_file(path, "JSON", f"not valid JSON ({error}).") from None
    if isinstance(content, list):
        return _listed(path, content)
    if isinstance(content, dict) and isinstance(content.get("observations"), dict):
        return _boris(path, content)
    if isinstance(content, dict) and content and all(isinstance(item, dict) for item in content.values()):
        return _babel(path, content)
    raise bad_file(path, "JSON", "expected a list of intervals, a BORIS project, or the labels of BABEL.")


def _listed(path: Path, content: list[Any]) -> Iterator[Row]:
    """Objects with the keys that columns of tables have; unknown keys are noted."""
    groups = {"start": _START, "end": _END, "length": _LENGTH, "label": _LABEL, "tier": _TIER, "score": _SCORE}
    unknown: set[str] = set()
    for number, item in enumerate(content):
        place = f"[{number}]"
        keys = {_plain(str(key)): key for key in item} if isinstance(item, dict) else {}
        named = {name: next((keys[each] for each in group if each in keys), None) for name, group in groups.items()}
        start, end, label, tier, score = (named[name] for name in ("start", "end", "label", "tier", "score"))
        if start is None or label is None or (end is None and named["length"] is None):
            raise bad_file(path, place, f"expected an object with start, end and label, got {str(item)[:60]}.")
        unknown |= set(map(str, item)) - set(map(str, named.values()))
        first = _real(path, place, item[start])
        last = first + _real(path, place, item[named["length"]]) if end is None else _real(path, place, item[end])
        who = None if tier is None or item[tier] is None else str(item[tier])
        certain = 1.0 if score is None else min(max(_real(path, place, item[score]), 0.0), 1.0)
        yield new_row(path, place, str(item[label]), first, last, who, certain)
    if unknown:
        note(path, "keys", f"that are not read: {sorted(unknown)[:12]}.")


def _real(path: Path, place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise bad_file(path, place, f"expected a number, got {str(value)[:40]!r}.")
    return float(value)


def _boris(path: Path, content: dict[str, Any]) -> Iterator[Row]:
    """Events are lists [time, subject, behaviour, modifier, comment]; the events of a state start and stop in turn."""
    listed = content.get("behaviors_conf")
    kinds = {
        str(item.get("code")): str(item.get("type", ""))
        for item in (listed.values() if isinstance(listed, dict) else ())
        if isinstance(item, dict)
    }
    for name, observation in content["observations"].items():
        events = observation.get("events") if isinstance(observation, dict) else None
        if not isinstance(events, list):
            raise bad_file(path, f"observations.{name}"[:60], "expected a list of events.")
        yield from _events(path, str(name), events, kinds)


def _events(path: Path, recording: str, events: list[Any], kinds: dict[str, str]) -> Iterator[Row]:
    begun: dict[tuple[str, str, str], float] = {}
    for number, event in enumerate(events):
        place = f"observations.{recording}.events[{number}]"[:80]
        if not isinstance(event, list) or len(event) < 3:
            raise bad_file(path, place, f"expected [time, subject, behaviour, ...], got {str(event)[:60]}.")
        time, modifier = _real(path, place, event[0]), str(event[3]) if len(event) > 3 and event[3] else ""
        key = (str(event[1]), str(event[2]), modifier)
        label, tier = (
            key[1] + f" ({modifier})" * bool(modifier),
            None if key[0] in ("", "No focal subject") else key[0],
        )
        if kinds.get(key[1], "").lower().startswith("point"):
            yield new_row(path, place, label, time, time, tier, recording=recording)
        elif key in begun:
            yield new_row(path, place, label, begun.pop(key), time, tier, recording=recording)
        else:
            begun[key] = time
    for key in begun:
        raise bad_file(path, f"observations.{recording}"[:60], f"{key[1][:40]!r} starts and never stops.")


def _babel(path: Path, content: dict[str, Any]) -> Iterator[Row]:
    """`{sequence: {"feat_p", "dur", "seq_ann", "frame_ann"}}`: labels of parts, or of the whole sequence."""
    for sequence, item in content.items():
        if not {"seq_ann", "frame_ann", "seq_anns", "frame_anns"}.intersection(item):
            reason = f"expected a sequence of BABEL with seq_ann or frame_ann, got the keys {list(item)[:8]}."
            raise bad_file(path, str(sequence)[:40], reason)
        parts = [item.get("frame_ann"), *(item.get("frame_anns") or [])]
        whole = [item.get("seq_ann"), *(item.get("seq_anns") or [])]
        timed = [label for part in parts if isinstance(part, dict) for label in part.get("labels") or []]
        length = _real(path, str(sequence)[:40], item["dur"]) if item.get("dur") is not None else math.inf
        untimed = [label for part in whole if isinstance(part, dict) for label in part.get("labels") or []]
        for label in timed or untimed:
            place = f"{sequence}.labels"[:60]
            if not isinstance(label, dict):
                raise bad_file(path, place, f"expected an object, got {str(label)[:40]}.")
            start = _real(path, place, label.get("start_t", 0.0))
            end = _real(path, place, label["end_t"]) if "end_t" in label else length
            text = str(label.get("proc_label") or label.get("raw_label") or "")
            row = new_row(path, place, text, start, end, recording=str(sequence))
            yield {**row, "categories": label.get("act_cat")}
