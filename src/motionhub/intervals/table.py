"""Tables of action intervals, `{"track_id", "start_s", "end_s", "label", "score"}`: files and summaries.

`track_id` is None for labels of a whole clip.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import numpy as np

from motionhub.atomic import write_text


COLUMNS = ("track_id", "start_s", "end_s", "label", "score")


def write_intervals(rows: Iterable[Mapping[str, Any]], path: str | Path, *, media: str | Path | None = None) -> Path:
    """Write rows in the format of the suffix of `path`, which is returned.

    `.csv`: the columns `track_id,start_s,end_s,label,score`. `.json`: a list of objects. `.srt`: subtitles of a
    video. `.eaf`: ELAN, a tier per person, and more where actions of a person overlap.

    Args:
        media: for `.eaf`, the annotated video.

    Raises:
        WriteError: the disk is full or read-only; an earlier file is intact.
        ValueError: another suffix, a row that lacks a column or whose times are no interval.

    Examples:
        >>> rows = [{"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9}]
        >>> path = motionhub.write_intervals(rows, "actions.srt")
    """
    path, rows = Path(path), [_checked(row) for row in rows]
    renderers = {".csv": as_csv, ".json": as_json, ".srt": as_srt, ".eaf": lambda rows: as_eaf(rows, media)}
    if path.suffix.lower() not in renderers:
        raise ValueError(f"{path}: intervals are written as {sorted(renderers)}, got {path.suffix!r}.")
    write_text(path, renderers[path.suffix.lower()](rows))
    return path


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A comma-separated table with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        times = {name: f"{float(row[name]):.3f}" for name in ("start_s", "end_s")}
        writer.writerow({**row, **times, "score": f"{float(row['score']):.4f}"})
    return text.getvalue()


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """A JSON list, a row per line."""
    lines = ",\n".join(json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n" if rows else "[]\n"


def as_srt(rows: Sequence[Mapping[str, Any]]) -> str:
    """SubRip subtitles in order of time, one per row."""
    blocks = []
    for number, row in enumerate(sorted(rows, key=lambda row: (row["start_s"], row["end_s"])), start=1):
        person = "" if row["track_id"] is None else f"person {row['track_id']}: "
        times = f"{_clock(row['start_s'])} --> {_clock(row['end_s'])}"
        label = " ".join(str(row["label"]).split())  # an empty line would end the subtitle
        blocks.append(f"{number}\n{times}\n{person}{label} ({float(row['score']):.2f})\n")
    return "\n".join(blocks)


def as_eaf(rows: Sequence[Mapping[str, Any]], media: str | Path | None = None) -> str:
    """An ELAN document (annotation format 3.0)."""
    # ELAN requires a date; a fixed one keeps files reproducible.
    document = xml.Element(
        "ANNOTATION_DOCUMENT", AUTHOR="motionhub", DATE="1970-01-01T00:00:00+00:00", FORMAT="3.0", VERSION="3.0"
    )
    header = xml.SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if media is not None:
        path = Path(media)
        kind = "audio/x-wav" if path.suffix.lower() == ".wav" else "video/mp4"
        xml.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=path.absolute().as_uri(), MIME_TYPE=kind)
    order = xml.SubElement(document, "TIME_ORDER")

    def slot(seconds: float) -> str:
        name, value = f"ts{len(order) + 1}", str(round(1000 * float(seconds)))
        xml.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=name, TIME_VALUE=value)
        return name

    for name, tier_rows in _tiers(rows).items():
        tier = xml.SubElement(document, "TIER", TIER_ID=name, LINGUISTIC_TYPE_REF="action")
        for row in tier_rows:
            times = {"TIME_SLOT_REF1": slot(row["start_s"]), "TIME_SLOT_REF2": slot(row["end_s"])}
            holder = xml.SubElement(tier, "ANNOTATION")
            number = {"ANNOTATION_ID": f"a{len(order) // 2}"}
            annotation = xml.SubElement(holder, "ALIGNABLE_ANNOTATION", number | times)
            xml.SubElement(annotation, "ANNOTATION_VALUE").text = str(row["label"])
    xml.SubElement(document, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="action", TIME_ALIGNABLE="true")
    xml.indent(document)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(document, encoding="unicode") + "\n"


def summarise_intervals(rows: Iterable[Mapping[str, Any]], duration: float | None = None) -> list[dict[str, Any]]:
    """Count, durations and first start of each person's actions; overlapping time of an action counts once.

    Args:
        duration: seconds of the recording, which adds the `share` of it.

    Returns:
        `{"track_id", "label", "count", "total_s", "mean_s", "longest_s", "first_start_s"(, "share")}`, the longest
        action of each person first.

    Examples:
        >>> rows = [{"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9}]
        >>> motionhub.summarise_intervals(rows, duration=3.0)[0]["share"]
        0.5
    """
    groups: dict[tuple[Any, str], list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        checked = _checked(row)
        groups[checked["track_id"], checked["label"]].append((float(checked["start_s"]), float(checked["end_s"])))
    if duration is not None and not duration > 0:
        raise ValueError(f"duration must be seconds above 0, got {duration!r}.")
    entries = []
    for (person, label), intervals in groups.items():
        lengths = [end - start for start, end in intervals]
        total = _covered(intervals)
        entry = {
            "track_id": person,
            "label": label,
            "count": len(intervals),
            "total_s": total,
            "mean_s": float(np.mean(lengths)),
            "longest_s": max(lengths),
            "first_start_s": min(start for start, _ in intervals),
        }
        entries.append(entry if duration is None else {**entry, "share": total / duration})
    return sorted(entries, key=lambda entry: (_person_order(entry["track_id"]), -entry["total_s"], entry["label"]))


def _covered(intervals: Sequence[tuple[float, float]]) -> float:
    """Length of the union."""
    total, reached = 0.0, -np.inf
    for start, end in sorted(intervals):
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return float(total)


def _tiers(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by person, in as many lists as needed for none to overlap."""
    tiers: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (_person_order(row["track_id"]), row["start_s"], row["end_s"])):
        person = "clip" if row["track_id"] is None else f"person {row['track_id']}"
        for number in count(1):
            name = person if number == 1 else f"{person} ({number})"
            # ELAN's times are whole milliseconds.
            if name not in tiers or round(1000 * tiers[name][-1]["end_s"]) <= round(1000 * row["start_s"]):
                tiers.setdefault(name, []).append(row)
                break
    return tiers


def _person_order(track_id: Any) -> tuple[bool, Any]:
    return (track_id is not None, track_id or 0)


def _checked(row: Mapping[str, Any]) -> dict[str, Any]:
    if any(name not in row for name in COLUMNS):
        raise ValueError(f"A row of actions needs {list(COLUMNS)}, got {list(row)}.")
    start, end = row["start_s"], row["end_s"]
    if not (np.isfinite([start, end]).all() and 0 <= start < end):
        raise ValueError(f"A row of actions needs 0 <= start_s < end_s, got {dict(row)}.")
    return dict(row)


def _clock(seconds: float) -> str:
    milliseconds = round(1000 * float(seconds))
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"
