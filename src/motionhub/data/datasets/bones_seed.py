"""BONES-SEED: motion capture on the SOMA skeleton in BVH, with sentences and timed descriptions in its metadata."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, Published
from motionhub.data.datasets.parts import Part, described, setup_of
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats import bvh
from motionhub.data.formats.files import bad_file, kept_until_changed, read_text, table_lines
from motionhub.data.formats.format import ReadOptions, is_number
from motionhub.skeletons.sequence import SkeletonSequence


TABLE, EVENTS = "seed_metadata_v*.csv", "seed_metadata_v*_temporal_labels.jsonl"
# Lists of paths that another repository publishes for the data.
LISTS = {
    "train": "train_split_paths.txt",
    "test": "test_content_split_paths.txt",
    "val": "test_repetition_split_paths.txt",
}
CAPTIONS = (
    *("content_short_description", "content_short_description_2"),
    *(f"content_natural_desc_{number}" for number in range(1, 5)),
)
KIND = "content_type_of_movement"
_NEEDED = ("filename", KIND)
_SHAPES = ("soma_uniform", "soma_proportional")
_LEVELS = 6
_MAX_TABLE_BYTES = 2**30
Row = dict[str, str]


@kept_until_changed  # it is read for its texts and for its poses
def read_recording(path: Path) -> SkeletonSequence:
    """`(1, frames, 26, 3)` metres, y up: the body of the 77 joints."""
    return bvh.read(path, ReadOptions(layout="soma-77"))[0]


def clips_of(path: Path) -> list[tuple[SkeletonSequence, ClipFacts]]:
    """The whole recording with its sentences, and every timed part with its own."""
    table = _found(path, TABLE)
    row = _table(table).get(path.stem) if table else None
    if table is None or row is None:
        where = f"{table} does not list it" if table else f"expected metadata/{TABLE} above it, found none"
        raise bad_file(path, "metadata", f"{where}.")
    texts = tuple(dict.fromkeys(text for name in CAPTIONS if (text := row.get(name, ""))))
    actor = re.search(r"\d{1,9}", row.get("actor_uid", ""))
    shape = next((f"{each}/" for each in _SHAPES[1:] if each in path.parts), "")
    facts = ClipFacts(
        _kinds(table).index(row[KIND]),
        int(actor.group()) if actor else None,
        None,
        setup_of(path.stem, {split: _found(path, name) for split, name in LISTS.items()}),
        shape + path.stem,
    )
    timed = _found(path, EVENTS)
    events = [] if timed is None else _events(timed).get(path.stem, [])
    return described(path, read_recording(path), [Part(texts), *events], facts)


def look_into(root: Path) -> FolderFacts:
    """The kinds of movement in the metadata. Raises ValueError without it."""
    table = _found(root / "file", TABLE)
    if table is None:
        raise bad_file(root, "folder", f"expected metadata/{TABLE} in it, found none.")
    return FolderFacts(_kinds(table), "soma-77", DATASET.fps, DATASET.unit)


def _found(path: Path, pattern: str) -> Path | None:
    """The newest file of that name in a folder above, or in the folder `metadata` of one."""
    for folder in path.absolute().parents[:_LEVELS]:
        for place in (folder / "metadata", folder):
            found = sorted(each for each in place.glob(pattern) if each.is_file())
            if found:
                return found[-1]
    return None


@kept_until_changed
def _table(path: Path) -> dict[str, Row]:
    kept = (KIND, "actor_uid", *CAPTIONS)  # of 50 columns
    lines = table_lines(path, None, _NEEDED, _MAX_TABLE_BYTES)
    return {row["filename"]: {name: row[name] for name in kept if name in row} for _, row in lines}


@kept_until_changed
def _kinds(path: Path) -> tuple[str, ...]:
    return tuple(sorted({row[KIND] for row in _table(path).values()}))


@kept_until_changed
def _events(path: Path) -> dict[str, list[Part]]:
    """The timed parts of each recording: lines of JSON with `filename` and `events`."""
    return dict(_lines(path))


def _lines(path: Path) -> Iterator[tuple[str, list[Part]]]:
    for number, line in enumerate(read_text(path, _MAX_TABLE_BYTES).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            parts = [_part(event) for event in entry["events"]]
            yield str(entry["filename"]), parts
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            reason = f"expected filename and events with start_time < end_time and description ({error})"
            raise bad_file(path, f"line {number}", f"{reason}.") from None


def _part(event: dict[str, Any]) -> Part:
    start, end, text = event["start_time"], event["end_time"], str(event["description"]).strip()
    if not (is_number(start) and is_number(end) and 0 <= start < end) or not text:
        raise ValueError(f"{start}, {end}, {text[:40]!r}")
    return Part((text,), float(start), float(end))


DATASET = Dataset(
    name="bones-seed",
    title="BONES-SEED, SOMA skeleton",
    pattern="*.bvh",
    read_any=lambda path: [clip for clip, _ in clips_of(path)],
    annotate_all=lambda path: [facts for _, facts in clips_of(path)],
    sidecars=(TABLE, EVENTS, *LISTS.values()),
    fps=120.0,
    class_names=(),
    protocols=(
        by_setup("content", f"Train on {LISTS['train']}, test on {LISTS['test']}; the lists must lie with the data."),
        by_setup("repetition", f"Train on {LISTS['train']}, test on {LISTS['val']}.", {1}, {2}),
    ),
    look_into=look_into,
    **Published("bones-seed").fields(),
)
