"""What a large extraction does, fixed at its first start: its videos, their labels, and the parts they are made in."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from motionhub.bounded import parse_json
from motionhub.data.build.shards import shortened
from motionhub.data.build.store import Store
from motionhub.data.datasets.clip_table import read_lines
from motionhub.data.datasets.folder import TABLE
from motionhub.data.datasets.licences import UNSTATED
from motionhub.data.video.reader import VIDEO_SUFFIXES
from motionhub.poses.video_dataset import LAYOUT, MIN_PRESENT
from motionhub.poses.windows import LONGEST, OVERLAP
from motionhub.skeletons.layouts import get_layout


PLAN = "state/plan.parquet"
PARTS = "state/parts"
# Larger files are shared among several workers, one for each of so many bytes.
SPLIT_BYTES = 2**26
_MOST_SHARES = 64
# Fields of a part's mark; the folder of an interrupted run may be another's, or damaged.
_MARK: dict[str, Any] = {
    **dict.fromkeys(("plan", "sha256"), str),
    **dict.fromkeys(("bytes", "rows", "arrow_bytes", "videos", "people", "frames"), int),
    **dict.fromkeys(("left_out", "versions", "seconds"), dict),
    "failures": list,
}
_READERS = 16  # of marks at once: a store answers in its time, not in ours


@dataclass(frozen=True)
class ExtractionOptions:
    """All that determines the rows of an extraction, beside its videos and the versions of packages.

    Args:
        experts: names with options (`mediapipe:num_people=2`), or `package.module:Class`.
        layout: of the output.
        min_present: a clip is kept when a person is detected in more than this share of its frames.
        min_confidence, min_frames: see `tracks.follow_people`.
        window, overlap: longer videos are cut into windows of so many seconds, see `windows.windows_of`.
        licence: of clips without one in the table.
        videos_per_part, shard_bytes: how the rows are divided; a shard is closed at the first part that reaches
            `shard_bytes` in memory (Arrow).

    Raises:
        ValueError: no such layout, or a number out of its range.

    Examples:
        >>> from motionhub.poses.extraction_plan import ExtractionOptions
        >>> ExtractionOptions(("mediapipe",), layout="coco").layout
        'coco-17'
    """

    experts: tuple[str, ...]
    layout: str = LAYOUT
    min_present: float = MIN_PRESENT
    min_confidence: float = 0.3
    min_frames: int = 5
    window: float = LONGEST
    overlap: float = OVERLAP
    licence: str = UNSTATED
    videos_per_part: int = 64
    shard_bytes: int = 2**29

    def __post_init__(self) -> None:
        if self.videos_per_part < 1 or self.shard_bytes < 1 or not 0 <= self.min_present < 1:
            got = f"{self.videos_per_part}, {self.shard_bytes} and {self.min_present}"
            raise ValueError(
                f"Expected videos_per_part and shard_bytes of at least 1 and min_present in 0..1, got {got}."
            )
        object.__setattr__(self, "layout", get_layout(self.layout).name)

    def to_json(self) -> dict[str, Any]:
        """The fields, as values of JSON."""
        return {**asdict(self), "experts": list(self.experts)}


@dataclass(frozen=True)
class PlannedVideo:
    """A video: its path below the input, which is also the id of its clip; size in bytes; mark of its content; class.

    `label` is -1 without classes.
    """

    name: str
    size: int
    mark: str
    label: int
    licence: str

    @property
    def shares(self) -> int:
        """Workers among which its windows are divided."""
        return min(_MOST_SHARES, max(1, -(-self.size // SPLIT_BYTES)))


@dataclass(frozen=True)
class Plan:
    """The videos in the order of the dataset, and all else that determines its rows.

    Args:
        table: columns name, size, mark, label, licence.
        options: JSON values, among them `videos_per_part` and `class_names`.
    """

    table: pa.Table
    options: Mapping[str, Any]

    @property
    def num_videos(self) -> int:
        return int(self.table.num_rows)

    @property
    def num_parts(self) -> int:
        return -(-self.num_videos // int(self.options["videos_per_part"]))

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.options["class_names"])

    def part(self, number: int) -> list[PlannedVideo]:
        """The videos of a part."""
        size = int(self.options["videos_per_part"])
        return [PlannedVideo(**row) for row in self.table.slice(number * size, size).to_pylist()]

    @property
    def fingerprint(self) -> str:
        """Changes with any input of the rows."""
        content = hashlib.sha256(json.dumps(dict(self.options), sort_keys=True).encode())
        for name in self.table.column_names:
            content.update(json.dumps(self.table.column(name).to_pylist()).encode())
        return content.hexdigest()[:32]

    def to_bytes(self) -> bytes:
        """A parquet file."""
        table = self.table.replace_schema_metadata({"options": json.dumps(dict(self.options), sort_keys=True)})
        file = io.BytesIO()
        pq.write_table(table, file)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Plan":
        """The inverse of `to_bytes`."""
        table = pq.read_table(io.BytesIO(content))
        options = json.loads(table.schema.metadata[b"options"])
        return cls(table.replace_schema_metadata(None), options)


def plan_of(videos: Store, options: Mapping[str, Any]) -> Plan:
    """The plan for all videos below an address.

    Classes are the lines of a `labels.csv` there (file, label, licence), which then names the videos; else the first
    folder of each video, if all lie in one; else there are none.

    Raises:
        ValueError: no video, or a line of the table without its file.
    """
    found = {name: file for name, file in videos.files().items() if _suffix(name) in VIDEO_SUFFIXES or name == TABLE}
    lines = _lines(videos) if found.pop(TABLE, None) is not None else None
    if lines is not None and (absent := sorted(set(lines) - set(found))):
        raise ValueError(f"{videos.address}: {TABLE} names files that are not there: {shortened(absent)}.")
    names = sorted(found if lines is None else lines)
    if not names:
        kinds = ", ".join(sorted(VIDEO_SUFFIXES))
        raise ValueError(f"{videos.address}: no videos there; expected files of {kinds}, in folders or not.")
    if outside := videos.links_outside(names):
        shown = shortened(outside)
        raise ValueError(
            f"{videos.address}: links to files elsewhere are not followed: {shown}; copy the files there."
        )
    if lines is not None:
        labels = {name: lines[name][0] for name in names}
    else:
        in_folders = all(len(PurePosixPath(name).parts) > 1 for name in names)
        labels = {name: PurePosixPath(name).parts[0] if in_folders else "" for name in names}
    classes = sorted({label for label in labels.values() if label})
    number = {label: index for index, label in enumerate(classes)}
    columns = {
        "name": pa.array(names, pa.string()),
        "size": pa.array([found[name].size for name in names], pa.int64()),
        "mark": pa.array([found[name].mark for name in names], pa.string()),
        "label": pa.array([number.get(labels[name], -1) for name in names], pa.int64()),
        "licence": pa.array(["" if lines is None else lines[name][1] for name in names], pa.string()),
    }
    return Plan(pa.table(columns), {**options, "class_names": classes})


def changes(before: Plan, now: Plan) -> list[str]:
    """What differs in the inputs, a few words each; empty if nothing."""
    old, new = dict(before.options), dict(now.options)
    found = [f"{name} (option)" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if before.table.equals(now.table):
        return found
    earlier = {row["name"]: row for row in before.table.to_pylist()}
    current = {row["name"]: row for row in now.table.to_pylist()}
    found += [f"{name} (new)" for name in current if name not in earlier]
    found += [f"{name} (gone)" for name in earlier if name not in current]
    return found + [f"{name} (changed)" for name in current if name in earlier and earlier[name] != current[name]]


def agreed_plan(out: Store, now: Plan) -> Plan:
    """The plan that an earlier run left in the output, which must be this one; else this one, written there.

    Raises:
        ValueError: the earlier run had other inputs.
    """
    try:
        differ = changes(Plan.from_bytes(out.read(PLAN)), now)
    except FileNotFoundError:
        out.write(PLAN, now.to_bytes())
        return now
    except (pa.ArrowException, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{out.address}/{PLAN}: is damaged ({reason}); remove {out.address}/state.") from None
    if differ:
        raise ValueError(
            f"{out.address}: was begun with other inputs ({shortened(differ)}); resume with those, or give another "
            "output."
        )
    return now  # equal, and in the order of a first start: reports have the same bytes


def part_name(number: int) -> str:
    """Where a part lies in the output, without its suffix."""
    return f"{PARTS}/{number:06d}"


def finished_parts(out: Store, plan: Plan, numbers: Iterable[int] | None = None) -> dict[int, dict[str, Any]]:
    """The marks of the parts that are complete: the mark is of this plan, and the file has the size it states.

    Args:
        out: the output.
        plan: of the run.
        numbers: of parts to look at; None: all.
    """
    files, fingerprint = out.files(PARTS), plan.fingerprint
    numbers = range(plan.num_parts) if numbers is None else numbers
    names = {number: part_name(number) for number in numbers}
    there = [number for number, name in names.items() if {f"{name}.json", f"{name}.parquet"} <= files.keys()]
    with ThreadPoolExecutor(_READERS) as pool:
        marks = pool.map(lambda number: read_mark(out, f"{names[number]}.json"), there)
        return {
            number: mark
            for number, mark in zip(there, marks, strict=True)
            if mark.get("plan") == fingerprint and mark["bytes"] == files[f"{names[number]}.parquet"].size
        }


def read_mark(out: Store, name: str) -> dict[str, Any]:
    """A mark; empty if it is absent or damaged."""
    try:
        mark: dict[str, Any] = parse_json(out.read(name), name)
    except (FileNotFoundError, ValueError):
        return {}
    if not all(isinstance(mark.get(field), kind) for field, kind in _MARK.items()):
        return {}
    numbers = all(isinstance(value, float | int) for value in mark["seconds"].values())
    kinds = all(isinstance(each, dict) and isinstance(each.get("kind"), str) for each in mark["failures"])
    return mark if numbers and kinds else {}


def shares(videos: Sequence[PlannedVideo]) -> list[tuple[PlannedVideo, int]]:
    """Each video and number of a share of it, the largest files first, so that none is begun when all others end."""
    return [(video, number) for video in sorted(videos, key=lambda one: -one.size) for number in range(video.shares)]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _lines(videos: Store) -> dict[str, tuple[str, str]]:
    """File -> label and licence, of the table."""
    with videos.local(TABLE) as path:
        table = read_lines(path)
        for file, rows in table.items():
            if len(rows) > 1 or rows[0].times:
                raise ValueError(f"{videos.address}/{TABLE}: {file} has start and end times; cut it into files first.")
        return {file: (rows[0].label, rows[0].licence) for file, rows in table.items()}
