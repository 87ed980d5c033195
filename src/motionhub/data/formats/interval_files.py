"""`read_intervals`: labels made by hand, of ELAN, BORIS, Datavyu, Audacity, subtitles, tables, BABEL and HumanML3D.

What programs for annotation call a point event (an instant) is an interval of no length.
"""

import csv
import io
import math
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as xml

from motionhub.data.formats.files import FileNote, bad_file, note, read_bytes, read_text, text_of
from motionhub.data.formats.interval_tables import Row, json_rows, new_row, seconds_of, table_rows


MAX_BYTES = 2**26
SUFFIXES = (".eaf", ".srt", ".vtt", ".txt", ".csv", ".tsv", ".json", ".boris", ".opf")
_TIMES = re.compile(r"\s*([\d:]+[.,]\d+)\s*-->\s*([\d:]+[.,]\d+)(?:\s.*)?")
_SCORE = re.compile(r"(.*\S) \((0\.\d+|1\.0+)\)")
_SPEAKER = re.compile(r"(person \d+): (.*)")
# Without "<" inside, or a line of many would be searched to its end from each.
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)? ([^<>]*)>")
_MARKUP = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_ANNOTATIONS = ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION")
_CAPTION = re.compile(r"([^#]*)#([^#]*)#([^#]*)#([^#]*)")


def read_intervals(path: str | Path, *, recording: str | None = None) -> list[Row]:
    r"""The labelled intervals of one recording, by start.

    Formats: ELAN `.eaf`; BORIS projects (JSON) and tables of events; Datavyu tables and `.opf`; SubRip `.srt` and
    WebVTT `.vtt`; Audacity labels and HumanML3D captions `.txt`; BABEL `.json`; tables `.csv`, `.tsv` and lists of
    objects `.json` with start, end (or duration) and label, and perhaps a person, as `write_intervals` makes.

    Args:
        path: the file.
        recording: where a file has the labels of several recordings, the name of one.

    Returns:
        `{"track_id", "start_s", "end_s", "label", "score", "tier"}`, times in seconds. `tier` is the name of the tier,
        subject or speaker in the file, None without one; `track_id` is the number in names such as "person 2" or "2",
        else None. `score` is 1 where the file has none. A point event ends where it starts. A label of the whole
        recording, in a file that does not state how long that is, ends at infinity. HumanML3D has a `caption` too,
        BABEL `categories`.

    Raises:
        ValueError: an unknown or broken file, times that are no interval, or several recordings without `recording`;
            one line with file, place and reason.

    Examples:
        >>> from pathlib import Path
        >>> _ = Path("labels.csv").write_text("start,end,label,person\n0.5,2,wave,person 1\n")
        >>> [row] = motionhub.read_intervals("labels.csv")
        >>> row["label"], row["start_s"], row["end_s"], row["track_id"]
        ('wave', 0.5, 2.0, 1)
    """
    path = Path(path)
    found = _rows(path)
    names = list(dict.fromkeys(row["recording"] for row in found))
    if recording is not None and recording not in names:
        raise bad_file(path, "recording", f"has no labels of {recording!r}, but of {names[:8]}.")
    if recording is None and len(names) > 1:
        call = f'motionhub.read_intervals("{path}", recording={names[0]!r})'
        raise bad_file(path, "recording", f"{len(names)} recordings, {names[:8]}; call {call} for one of them.")
    rows = [row for row in found if recording in (None, row["recording"])]
    for row in rows:
        del row["recording"]
    return sorted(rows, key=lambda row: (row["start_s"], row["end_s"]))


def _rows(path: Path) -> list[Row]:
    """The rows of all recordings, in the order of the file."""
    readers: dict[str, Callable[[Path, str], Iterator[Row]]]
    readers = {".eaf": _elan, ".srt": _subtitles, ".vtt": _subtitles, ".txt": _lines, ".boris": json_rows}
    readers |= {".json": json_rows, ".csv": table_rows, ".tsv": table_rows, ".opf": table_rows}
    if path.suffix.lower() not in readers:
        raise bad_file(path, "name", f"labels are read from {sorted(readers)}, got {path.suffix!r}.")
    text = _database(path) if path.suffix.lower() == ".opf" else read_text(path, MAX_BYTES)
    try:
        return list(readers[path.suffix.lower()](path, text))
    except csv.Error as error:
        raise bad_file(path, "table", f"not a table: {error}.") from None


def _database(path: Path) -> str:
    """The text of the file `db` in a project of Datavyu."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path, MAX_BYTES))) as archive, archive.open("db") as file:
            content = file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise bad_file(path, "archive", f"not a readable project of Datavyu ({error}).") from None
    if len(content) > MAX_BYTES:
        raise bad_file(path, "db", f"unpacks to more than {MAX_BYTES} bytes; refused.")
    return text_of(content)


def _elan(path: Path, text: str) -> Iterator[Row]:
    """Annotations of every tier; those of a dependent tier have the times of the annotation they refer to."""
    root = _xml(path, text)
    header = root.find("HEADER")
    unit = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if unit != "milliseconds":
        raise bad_file(path, "TIME_UNITS", f"expected milliseconds, got {unit[:40]!r}.")
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    times: dict[str | None, tuple[float, float]] = {}
    waiting, unaligned, empty = [], 0, 0
    for tier in root.findall("TIER"):  # tiers in tiers would be read once for each
        for entry in tier.iter("ALIGNABLE_ANNOTATION"):
            name = entry.get("ANNOTATION_ID")
            start, end = (slots.get(entry.get(f"TIME_SLOT_REF{number}")) for number in (1, 2))
            if start is not None and end is not None:
                place = f"annotation {name}"
                times[name] = (seconds_of(path, place, start) / 1000, seconds_of(path, place, end) / 1000)
        waiting += [(tier, entry) for kind in _ANNOTATIONS for entry in tier.iter(kind)]
    referred = {entry.get("ANNOTATION_ID"): entry.get("ANNOTATION_REF") for _, entry in waiting}
    for tier, entry in waiting:
        label = (entry.findtext("ANNOTATION_VALUE") or "").strip()
        name = entry.get("ANNOTATION_ID")
        way = []
        while name not in times and referred.get(name) is not None:
            way.append(name)
            name = referred[name]
            referred[way[-1]] = None  # a circle ends, and nobody goes this way twice
        if name in times:
            times |= dict.fromkeys(way, times[name])
        empty, unaligned = empty + (not label), unaligned + (bool(label) and name not in times)
        if label and name in times:
            yield new_row(path, f"annotation {name}", label, *times[name], tier.get("TIER_ID"))
    if unaligned or empty:
        note(path, "annotations", f"left out: {unaligned} without a time, {empty} without a text.")


def media_of(path: str | Path) -> tuple[str, ...]:
    """Names of the files that an ELAN document says it annotates; empty for other formats, and if it does not say."""
    path = Path(path)
    if path.suffix.lower() != ".eaf":
        return ()
    header = _xml(path, read_text(path)).find("HEADER")
    described = () if header is None else header.iter("MEDIA_DESCRIPTOR")
    addresses = [unquote(each.get("RELATIVE_MEDIA_URL") or each.get("MEDIA_URL") or "") for each in described]
    return tuple(address.replace("\\", "/").rpartition("/")[2] for address in addresses if address)


def _xml(path: Path, text: str) -> xml.Element:
    """The root of a document. A document type declaration is refused: entities grow without bound."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise bad_file(path, "XML", "has a document type declaration, which is refused; save it without.")
    try:
        return xml.fromstring(text.encode())
    except (xml.ParseError, ValueError) as error:
        raise bad_file(path, "XML", f"not well formed ({error}); the file is corrupt or cut off.") from None


def _subtitles(path: Path, text: str) -> Iterator[Row]:
    """Blocks with a line of times; other blocks (a header, notes, styles) have none."""
    found = False
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip().splitlines()
        place = next((number for number, line in enumerate(lines) if "-->" in line), None)
        if place is None:
            continue
        times, found = _TIMES.fullmatch(lines[place]), True
        if times is None:
            raise bad_file(path, "times", f"expected 00:00:01,000 --> 00:00:02,500, got {lines[place][:60]!r}.")
        content = " ".join(" ".join(lines[place + 1 :]).split())
        voice = _VOICE.search(content)
        speaker, label, score = _spoken(_MARKUP.sub("", content).strip())
        if label:
            start, end = (seconds_of(path, "times", time) for time in times.groups())
            yield new_row(path, "times", label, start, end, voice[1].strip() if voice else speaker, score)
    if not found:
        raise bad_file(path, "content", "has no line of times such as 00:00:01,000 --> 00:00:02,500.")


def _spoken(text: str) -> tuple[str | None, str, float]:
    """Speaker, label and score of `person 2: wave (0.93)`, as `write_intervals` writes it."""
    scored = _SCORE.fullmatch(text)
    spoken = _SPEAKER.fullmatch(scored[1] if scored else text)
    label = spoken[2] if spoken else scored[1] if scored else text
    return spoken[1] if spoken else None, label, float(scored[2]) if scored else 1.0


def _lines(path: Path, text: str) -> Iterator[Row]:
    """Audacity: start, end, label, separated by tabs; HumanML3D: caption#words#start#end, zeros for the whole clip."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    captions = [_CAPTION.fullmatch(line) for _, line in lines]
    if captions and all(captions):
        for (number, _), caption in zip(lines, captions, strict=True):
            assert caption is not None
            start, end = (seconds_of(path, f"line {number}", time) for time in caption.groups()[2:])
            text = caption[1].strip()
            row = new_row(path, f"line {number}", text, start, end if end > 0 else math.inf)
            yield {**row, "caption": text}
        return
    if lines and not _is_number(lines[0][1].split("\t")[0]):
        yield from table_rows(path, text)
        return
    for number, line in lines:
        fields = line.split("\t")
        if fields[0].strip() == "\\":  # the frequencies of the label above
            continue
        if len(fields) < 2:
            reason = f"expected start, end and label with tabs between (Audacity), got {line[:60]!r}."
            raise bad_file(path, f"line {number}", reason)
        start, end = (seconds_of(path, f"line {number}", field) for field in fields[:2])
        yield new_row(path, f"line {number}", "\t".join(fields[2:]).strip(), start, end)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d+([.,]\d+)?\s*|\\", text) is not None


def holds_intervals(path: Path) -> bool:
    """Whether a file is one of labels, by its suffix, or where poses have it too, by its content."""
    if path.suffix.lower() in (".eaf", ".srt", ".vtt", ".boris", ".opf"):
        return True
    if path.suffix.lower() not in SUFFIXES:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileNote)  # it is for reading
            return bool(_rows(path))
    except ValueError:
        return False
