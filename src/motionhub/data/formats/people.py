"""Frames of people as pose programs write them: JSON, JSON lines or a folder with one file per frame -> one clip.

A recording is a list of frames, or an object with such a list and with facts (`fps`, `width`, `height`, joint names).
A frame is a list of people, or an object with one and with a frame number or time stamp. The `keypoints` of a person
are [[x, y], ...], [[x, y, score], ...], flat, {"x": [...], "y": [...]}, or objects with names.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np

from motionhub.data.formats.clock import place_stamps, seconds_per_stamp
from motionhub.data.formats.detections import (
    MAX_PEOPLE,
    Detection,
    NumberedFrames,
    body_parts,
    clip_of,
    frame_positions,
    step_of,
)
from motionhub.data.formats.files import (
    MAX_JSON_BYTES,
    bad_file,
    load_json,
    nan_at_origin,
    note,
    number_array,
    read_head,
    read_text,
)
from motionhub.data.formats.folders import (
    beside,
    first_files,
    grouped,
    number_in,
    recording_keys,
    recordings,
    video_of,
)
from motionhub.data.formats.format import (
    FILE_UNITS,
    ReadOptions,
    UnstatedFact,
    is_number,
    layout_of_names,
)
from motionhub.skeletons.joint_names import own_names
from motionhub.skeletons.layout import MAX_JOINTS, SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.sequence import SkeletonSequence


# Keys in the order in which they are looked for.
FRAME_LISTS = ("frames", "instance_info", "results", "data", "recording", "sequence")
PEOPLE = (
    *("predictions", "instances", "poses", "people", "persons", "bodies", "body_list", "skeletons", "Skeletons"),
    *("detections", "objects", "annots", "results", "pose", "users", "object_list", "Bodies"),
)
NUMBERS = (
    *("frame", "frame_id", "frame_index", "frame_number", "frame_num", "frame_idx", "frameId", "frameIndex"),
    *("frameNumber", "frame_no", "image_id"),
)
IMAGES = ("image", "file_name", "filename", "image_path", "img_path", "image_name", "path")
STAMPS = (
    *("timestamp_ms", "timestamp_usec", "timestamp_us", "timestamp_ns", "timestampMs", "timestamp", "time_ms"),
    *("time", "time_s", "seconds", "t", "Timestamp", "ts"),
)
POINTS = (
    "keypoints",
    "pred_keypoints",
    "keypoint",
    "joint_positions",
    "keypoints2d",
    "keypoints_2d",
    "joints",
    "Joints",
)
POINTS_3D = ("keypoints3d", "keypoints3D", "keypoints_3d", "keypoint_3d", "joints3d", "joints_3d")
SCORES = (
    *("keypoint_scores", "keypoints_scores", "keypoint_confidence", "keypoint_confidences", "keypoints_confidence"),
    *("keypoints_conf", "scores", "visible", "conf", "confidence", "confidences", "visibility", "score"),
)
TRACKS = (
    *("track_id", "tracking_id", "person_id", "personID", "body_id", "subject_id", "individual_id", "player_id"),
    *("skeleton_id", "user_id", "instance_id", "trackId", "trackingId", "personId", "bodyId", "UserID", "userId"),
    *(
        "track",
        "person",
        "subject",
        "individual",
        "player",
        "athlete",
        "user",
        "body",
        "pid",
        "tid",
        "id",
        "ID",
        "idx",
    ),
)
NAMES = ("name", "part", "label", "joint", "bodyPart", "type", "jointType", "joint_type", "Type", "i")
PLACES = ("position", "real", "Real", "worldPosition", "world_position", "Position", "pos")
RATES = ("fps", "frame_rate", "framerate", "frameRate", "FPS")
_LOOK = 2**20


@dataclass(frozen=True)
class Program:
    """What the documents of a program do not state about its people.

    Args:
        layouts: number of keypoints of a person -> the layout that the program gives them.
        points: keys of the keypoints of a person.
        unit: of 3-D keypoints, a key of `FILE_UNITS`; None: the caller must state it.
        up: of 3-D keypoints, an axis as `SkeletonSequence.up` has it; None: unknown.
        scale: factor of the confidences.
        three: whether three columns are x, y, z rather than x, y, score.
        flat: whether `keypoints` are 2-D also where they have a z.
        joint_types: number of a joint (or a name of the program's own) -> its name.
        first: number of keypoints -> how many of the first ones are the body.
        joints: possible numbers of keypoints of a person, of the caller's layout.
    """

    layouts: dict[int, str] = field(default_factory=dict)
    points: tuple[str, ...] = POINTS
    unit: str | None = None
    up: str | None = None
    scale: float = 1.0
    three: bool = False
    flat: bool = False
    joint_types: dict[int | str, str] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    joints: tuple[int, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One moment: its people as they were written, and where stated its number, time stamp, recording and image."""

    place: str
    people: list[Any]
    number: int | None = None
    stamp: float | None = None
    video: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Person:
    """`points (joints, 2 or 3)`, NaN where missing; `scores (joints,)`, joint names and person number where stated."""

    points: np.ndarray
    scores: np.ndarray | None = None
    names: tuple[str, ...] | None = None
    track: int | str | None = None
    partial: bool = False  # joints at the end may have been left out


@dataclass(frozen=True)
class Facts:
    """What a document states for all frames; `stamps`: the key of the time stamps, which has their unit.

    `step`: how far the numbers of neighbouring frames are apart.
    """

    fps: float | None = None
    image_size: tuple[int, int] | None = None
    names: tuple[str, ...] | None = None
    layout: str | None = None
    stamps: str = ""
    step: int = 1


class Places(NamedTuple):
    """The place of each frame in the clip, the rate of their time stamps, and the step of their numbers."""

    positions: list[int]
    rate: float | None = None
    step: int = 1


# Documents


def read_people(path: Path, options: ReadOptions, program: Program) -> list[SkeletonSequence]:
    """The clips of a JSON file, one for each recording, or of a folder with one file per frame.

    Raises ValueError with file, place and reason: no people, people of different kinds, or metadata is unknown.
    """
    if not path.is_dir():
        return clips_in(path, load_document(path), options, program)
    clips = []
    for files in recordings(path).values():
        found = [(number, *frames_in(file, load_document(file), alone=True)) for number, file in files.items()]
        frames = [replace(frame, number=number, stamp=None, place=f"file {number}") for number, (frame,), _ in found]
        clips.append(clip_of_frames(path, frames, found[0][2], options, program))
    return clips


def clips_in(path: Path, content: Any, options: ReadOptions, program: Program) -> list[SkeletonSequence]:
    """The clips of a parsed document, one for each recording."""
    frames, facts = frames_in(path, content)
    if len(frames) == 1 and (others := beside(path)):
        text = f"is one frame; {others} more of this recording lie beside it"
        note(path, "file", f"{text}: give the folder {path.parent}.")
    rows = grouped(recording_keys([frame.video for frame in frames])).values()
    return [clip_of_frames(path, [frames[row] for row in each], facts, options, program) for each in rows]


def load_document(path: Path) -> Any:
    """The parsed JSON; of JSON lines the list of all. Raises ValueError with line and column."""
    try:
        return load_json(path)
    except ValueError as error:
        if "Extra data" not in str(error):
            raise
    lines = []
    for number, line in enumerate(read_text(path, MAX_JSON_BYTES).splitlines(), start=1):
        try:
            if line.strip():
                lines.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise bad_file(path, f"line {number}", f"not valid JSON ({error}).") from None
    return lines


def frames_in(path: Path, content: Any, *, alone: bool = False) -> tuple[list[Frame], Facts]:
    """The frames of a document, in its order, and what it states of them all.

    Args:
        alone: whether the document is one frame.
    """
    content = _parsed(path, content)
    facts = facts_of(content) if isinstance(content, dict) else Facts()
    listed = content
    if isinstance(content, dict):
        key = _frames_key(content)
        if key is not None:
            listed = content[key]
        elif keyed_by_frame(content):
            listed = [with_key(name, frame) for name, frame in content.items()]
        else:
            listed = [content]
    elif isinstance(content, list) and _is_one_frame(content, alone):
        listed = [content]
    if not isinstance(listed, list) or not listed:
        raise bad_file(
            path, "frames", f"expected a list of frames of people, got {type(listed).__name__} without any."
        )
    if alone and len(listed) > 1:
        raise bad_file(path, "frames", f"expected one frame in a file of a folder, got {len(listed)}.")
    listed = [_parsed(path, frame) for frame in listed]
    frames = [_frame(path, f"frame {index}", frame) for index, frame in enumerate(listed)]
    key = stamp_key(listed)
    if key and all(frame.stamp is None for frame in frames):
        shown = next(frame[key] for frame in listed if isinstance(frame, dict) and key in frame)
        note(path, key, f"time stamps such as {str(shown)[:40]!r} are not understood, so they place no frame.")
    return _joined(frames, listed), replace(facts, stamps=key)


def _parsed(path: Path, value: Any) -> Any:
    """The value; JSON text inside the document is parsed (`json.dump([result.to_json() for ...])`)."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise bad_file(path, "text in the JSON", f"not valid JSON ({error}).") from None


def _frames_key(content: dict[str, Any]) -> str | None:
    """The key of the list of frames."""
    for key in FRAME_LISTS:
        if isinstance(content.get(key), list) and not (key in PEOPLE and all(map(_is_person, content[key]))):
            return key
    lists = (key for key in PEOPLE if isinstance(content.get(key), list) and len(content[key]) > 1)
    return next((key for key in lists if all(isinstance(frame, list) for frame in content[key])), None)


def stamp_key(frames: list[Any]) -> str:
    """The key of the time stamps, which may have their unit in it."""
    return next((key for frame in frames if isinstance(frame, dict) for key in STAMPS if key in frame), "")


def _has_arrays(item: Any) -> bool:
    """Whether an object has the keypoints of several people: lists of people, of joints, of numbers."""
    for key in (*POINTS, *POINTS_3D):
        value = item.get(key) if isinstance(item, dict) else None
        if isinstance(value, list) and value and isinstance(value[0], list) and value[0]:
            return isinstance(value[0][0], list)
    return False


def _is_one_frame(content: list[Any], alone: bool) -> bool:
    """Whether a list is the people of one frame: none of them states a frame or time."""
    people = all(map(_is_person, content)) and (alone or not any(map(_has_arrays, content)))
    stated = [
        item for item in content if isinstance(item, dict) and any(k in item for k in (*NUMBERS, *STAMPS, *IMAGES))
    ]
    return people and (alone or not stated) and (bool(content) or alone)


def _is_person(item: Any) -> bool:
    return isinstance(item, dict) and any(key in item for key in (*POINTS, *POINTS_3D)) and not _people_key(item)


def _people_key(frame: dict[str, Any]) -> str | None:
    listed = (key for key in PEOPLE if isinstance(frame.get(key), list))
    return next((key for key in listed if all(isinstance(one, dict) for one in frame[key])), None)


def keyed_by_frame(content: dict[str, Any]) -> bool:
    """Whether the keys are frame numbers, time stamps or image names, and the values frames."""
    several = any(content.values()) and all(isinstance(v, list | dict | None) for v in islice(content.values(), 100))
    return several and all(number_in(key, -1) >= 0 for key in islice(content, 100)) and _people_key(content) is None


def with_key(name: str, frame: Any) -> Any:
    """A frame of an object with frames by number, with its number."""
    number = number_in(name, 0)
    if isinstance(frame, list):
        return {"frame": number, "people": frame}
    stated = isinstance(frame, dict) and any(key in frame for key in (*NUMBERS, *STAMPS))
    return frame if stated or not isinstance(frame, dict) else {"frame": number, **frame}


def facts_of(content: dict[str, Any]) -> Facts:
    """What the object around the frames states: rate, image size, joint names, and the layout of a known dataset."""
    inner = [content.get(key) for key in ("meta_info", "info", "metadata", "video", "meta")]
    every = {key: value for part in (*inner, content) if isinstance(part, dict) for key, value in part.items()}
    rate = next((every[key] for key in RATES if is_number(every.get(key)) and 0 < every[key] < 1e6), None)
    width, height = (
        next((every[key] for key in keys if type(every.get(key)) is int and 0 < every[key] < 1e9), None)
        for keys in (("width", "image_width", "frame_width"), ("height", "image_height", "frame_height"))
    )
    names = every.get("keypoint_id2name", every.get("joint_names", every.get("keypoint_names")))
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=lambda key: number_in(key, 0))]
    listed = names if isinstance(names, list) else []
    whole = 0 < len(listed) <= MAX_JOINTS and all(isinstance(name, str) for name in listed)
    named = every.get("dataset_name")
    return Facts(
        None if rate is None else float(rate),
        None if width is None or height is None else (width, height),
        tuple(listed) if whole else None,
        _LAYOUTS_OF_DATASETS.get(re.sub(r"[^a-z0-9]", "", named.lower())) if isinstance(named, str) else None,
    )


# `dataset_name` of MMPose's meta files.
_LAYOUTS_OF_DATASETS = {
    "coco": "coco-17",
    "h36m": "h36m-17",
    "halpe26": "halpe-26",
    "halpe": "halpe-136",
    "cocowholebody": "coco-wholebody-133",
    "mpii": "mpii-16",
    "crowdpose": "crowdpose-14",
}


def _frame(path: Path, place: str, frame: Any) -> Frame:
    if frame is None:
        return Frame(place, [])
    if isinstance(frame, list):
        return Frame(place, frame)
    if not isinstance(frame, dict):
        raise bad_file(path, place, f"expected a list of people or an object, got {type(frame).__name__}.")
    if isinstance(frame.get("pose"), dict) and not _is_person(frame):  # ml5.js
        frame = {**frame, **frame["pose"]}
    key = _people_key(frame)
    people = [frame] if key is None and _is_person(frame) else frame.get(key, []) if key is not None else None
    if people is None and isinstance(frame.get("instances"), dict):  # detectron2
        people = [frame["instances"]]
    if people is None and isinstance(nested := frame.get("predictions"), list) and len(nested) == 1:  # MMPose
        people = nested[0] if isinstance(nested[0], list) else None
    nested = any(isinstance(value, list | dict) and value for value in frame.values())
    if people is None and nested:
        raise bad_file(path, place, f"expected one of {list(PEOPLE[:6])}, got the keys {list(frame)[:8]}.")
    image = next((frame[key] for key in ("image_id", *IMAGES) if isinstance(frame.get(key), str)), "")
    return Frame(place, people or [], *moment_of(frame), video_of(frame, image))


def moment_of(frame: dict[str, Any]) -> tuple[int | None, float | None]:
    """The frame number and the time stamp of a frame, where it states them."""
    return _stated_number(frame), _stamp(frame)


def _stated_number(frame: dict[str, Any]) -> int | None:
    """The frame number, or the one in an image name."""
    for key in NUMBERS:
        value = frame.get(key)
        if is_number(value) and value == value and abs(value) < 2**53 and value == int(value):
            return int(value)
        if isinstance(value, str) and (number := number_in(value, -1)) >= 0:
            return number
    names = (frame.get(key) for key in IMAGES)
    numbers = (number_in(name, -1) for name in names if isinstance(name, str))
    return next((number for number in numbers if number >= 0), None)


def _stamp(frame: dict[str, Any]) -> float | None:
    for key in STAMPS:
        value = frame.get(key)
        if isinstance(value, str):
            value = _stamp_of_text(value)
        if is_number(value) and abs(value) < 2**64:
            return value
    return None


def _stamp_of_text(text: str) -> float | None:
    """A number, or a date and time in seconds."""
    try:
        if text.isascii() and text.isdigit() and len(text) < 20:
            return int(text)
        return (
            float(text)
            if len(text) < 30 and re.fullmatch(r"[0-9.]+", text)
            else datetime.fromisoformat(text).timestamp()
        )
    except (ValueError, OverflowError):
        return None


def _joined(frames: list[Frame], listed: list[Any]) -> list[Frame]:
    """Entries that are people, not frames, joined to frames by their number or time stamp."""
    if not listed or not all(map(_is_person, listed)) or any(map(_has_arrays, listed)):
        return frames
    joined: dict[Any, Frame] = {}
    for position, frame in enumerate(frames):
        moment = (frame.number, frame.stamp, frame.video[0], str(PurePath(frame.video[1]).parent))
        key = position if frame.number is frame.stamp is None else moment
        first = joined.setdefault(key, replace(frame, people=[]))
        first.people.extend(frame.people)
    return list(joined.values())


# People


def people_in(path: Path, frame: Frame, program: Program) -> list[Person]:
    """The people of a frame; an object with arrays of several people is each of them."""
    people = []
    if len(frame.people) > MAX_PEOPLE:
        reason = f"expected at most {MAX_PEOPLE} people, got {len(frame.people)} people"
        raise bad_file(path, frame.place, f"{reason}; frames are lists of people, or have a number.")
    for row, entry in enumerate(frame.people):
        place = f"{frame.place}, person {row}"
        if isinstance(entry, dict) and isinstance(entry.get("pose"), dict):  # ml5.js
            entry = entry["pose"]
        for part in _each(entry, program) if isinstance(entry, dict) else [entry]:
            person = person_of(path, place, part, program)
            if person is not None:
                people.append(person)
    return people


def _each(entry: dict[str, Any], program: Program) -> Iterator[dict[str, Any]]:
    """The entry, or one for each person of its arrays (people, joints, columns)."""
    key = next((key for key in (*program.points, *POINTS_3D) if entry.get(key)), None)
    values = None if key is None else entry[key]
    if not isinstance(values, list) or not _has_arrays({POINTS[0]: values}):
        yield entry
        return
    lists = {name: value for name, value in entry.items() if isinstance(value, list) and len(value) == len(values)}
    if not isinstance(next(iter(lists.get("scores") or [None])), list):
        lists.pop("scores", None)  # of the people, not of their keypoints
    for row in range(len(values)):
        yield {str(key): values[row], **{name: value[row] for name, value in lists.items()}}


def person_of(path: Path, place: str, entry: Any, program: Program) -> Person | None:
    """A person, or None for one without keypoints. Raises ValueError for what is no list of keypoints."""
    if not isinstance(entry, dict):
        raise bad_file(path, place, f"expected an object with keypoints, got {type(entry).__name__}.")
    key = next((key for key in (*program.points, *POINTS_3D) if entry.get(key)), None)
    if key is None:
        return None
    table, names, scores, axes = _columns(path, f"{place}.{key}", entry[key], program)
    if scores is None:
        scores = _scores(path, place, entry, len(table))
    three = program.three or key in POINTS_3D or scores is not None or table.shape[1] == 4 or axes == 3
    dims = 3 if three and table.shape[1] >= 3 else 2
    if program.flat and key not in POINTS_3D:
        table, dims = (table[:, :2] if axes else table), 2
    if scores is None and table.shape[1] > dims:
        scores = table[:, dims]
    points = table[:, :dims]
    if (
        dims == 2 or scores is not None or (points == 0).all(axis=-1).sum() > 1
    ):  # one joint at the origin may be the root
        points = nan_at_origin(points, None if dims == 2 else scores)
    scores = None if scores is None else np.nan_to_num(scores) * program.scale
    return with_labels(path, place, Person(points, scores, names, track_of(entry)), entry.get("labels"))


def with_labels(path: Path, place: str, person: Person, labels: Any) -> Person:
    """With missing joints where `labels` (of ViTPose after a threshold) leave some out."""
    joints = len(person.points)
    if not isinstance(labels, list) or len(labels) != joints or labels == list(range(joints)):
        return person
    if not all(type(label) is int and 0 <= label < MAX_JOINTS for label in labels) or len({*labels}) < joints:
        raise bad_file(
            path, f"{place}.labels", f"expected a different joint number for each keypoint, got {labels[:8]}."
        )
    points, scores = np.full((max(labels) + 1, person.points.shape[1]), np.nan), np.zeros(max(labels) + 1)
    points[labels] = person.points
    if person.scores is not None:
        scores[labels] = person.scores
    return replace(person, points=points, scores=None if person.scores is None else scores, partial=True)


def _filled(people: list[Person], options: ReadOptions, program: Program) -> list[Person]:
    """People of whom a threshold left joints out, all with the joints of the layout."""
    if not any(person.partial for person in people):
        return people
    most = max(len(person.points) for person in people)
    layout = options.layout and options.layout_of(Path())
    counts = [layout.num_file_joints or layout.num_joints] if layout else sorted(program.layouts)
    total = next((count for count in counts if count >= most), most)
    found = []
    for person in people:
        lacking = total - len(person.points)
        points = np.pad(person.points, ((0, lacking), (0, 0)), constant_values=np.nan)
        scores = None if person.scores is None else np.pad(person.scores, (0, lacking))
        found.append(replace(person, points=points, scores=scores))
    return found


def _columns(
    path: Path, place: str, value: Any, program: Program
) -> tuple[np.ndarray, tuple[str, ...] | None, np.ndarray | None, int]:
    """`(joints, 2 to 4)` of keypoints in any form, the names and scores that stand with them, and how many columns are
    coordinates, 0 where that is not said.
    """
    if isinstance(value, dict) and isinstance(value.get("x"), list):
        axes = [number_array(path, place, value[axis]) for axis in "xyz" if value.get(axis)]
        scored = next((number_array(path, place, value[key]) for key in SCORES if value.get(key)), None)
        if len(axes) < 2 or any(each.shape != axes[0].shape or each.ndim != 1 for each in [*axes, *_some(scored)]):
            raise bad_file(path, place, "expected the lists x and y of the same length, one number for each joint.")
        return np.stack(axes, axis=-1), None, scored, len(axes)
    names = None
    if isinstance(value, dict):
        names, value = tuple(value), list(value.values())
    if not isinstance(value, list) or not value or len(value) > 4 * MAX_JOINTS:
        raise bad_file(path, place, f"expected a list of keypoints, got {type(value).__name__}.")
    scored, axes_named = None, False
    if all(isinstance(one, dict) for one in value):
        names = names or _names(value, program)
        places = [next((one[key] for key in PLACES if isinstance(one.get(key), dict | list)), one) for one in value]
        if any(any(key in one for key in SCORES) for one in value):
            found = [next((one[key] for key in SCORES if key in one), None) for one in value]
            scored = np.nan_to_num(number_array(path, place, found))
        axes_named = not all(isinstance(one, list) for one in places)
        value = _by_axes(path, place, places) if axes_named else places
    table = number_array(path, place, value)
    if table.ndim == 1:
        table = table.reshape(-1, _width(table.size, program))
    if table.ndim != 2 or not 2 <= table.shape[1] <= 4 or (scored is not None and scored.shape != table.shape[:1]):
        raise bad_file(path, place, f"expected x and y (and a score, or z) of each joint, got shape {table.shape}.")
    return table, names, scored, table.shape[1] if axes_named else 0


def _width(size: int, program: Program) -> int:
    """Columns of a flat list: those with which the caller's layout fits, else 3, else 2."""
    widths = [width for width in (3, 2, 4) if size % width == 0]
    return next((width for width in widths if size // width in program.joints), next(iter(widths), 1))


def _by_axes(path: Path, place: str, places: list[Any]) -> list[list[Any]]:
    """The coordinates of objects with x and y, and with z where all have it."""
    for axes in ("xyz", "xy", "XYZ", "XY", ("cameraX", "cameraY", "cameraZ")):
        if all(isinstance(one, dict) and all(axis in one for axis in axes) for one in places):
            return [[one[axis] for axis in axes] for one in places]
    raise bad_file(path, place, f"expected x and y of each joint, got the keys {list(places[0])[:8]}.")


def _some(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _names(keypoints: list[dict[str, Any]], program: Program) -> tuple[str, ...] | None:
    for key in NAMES:
        stated = [one.get(key) for one in keypoints]
        names = [program.joint_types.get(name, name) if isinstance(name, int | str) else None for name in stated]
        if all(isinstance(name, str) for name in names):
            return tuple(names)  # type: ignore[arg-type]
    return None


def _scores(path: Path, place: str, entry: dict[str, Any], joints: int) -> np.ndarray | None:
    """The scores of the keypoints: the first list of that many numbers."""
    for key in SCORES:
        value = entry.get(key)
        if not isinstance(value, list):
            continue
        if len(value) == joints:
            values = number_array(path, f"{place}.{key}", value)
            if values.ndim == 2 and values.shape[1] == 1:
                values = values[:, 0]
            if values.ndim == 1:
                return values
        elif key.startswith("keypoint"):
            raise bad_file(path, f"{place}.{key}", f"expected {joints} numbers, one for each joint, got {len(value)}.")
    return None


def track_of(entry: dict[str, Any]) -> int | str | None:
    """A person's number or name: of a list of one its value; none for -1, true, null and fractions."""
    for key in TRACKS:
        if key not in entry:
            continue
        value = entry[key]
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and value:
            return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else value[:80]
        if is_number(value) and 0 <= value < 2**63 and value == int(value):
            return int(value)
    return None


# Clips


def clip_of_frames(
    path: Path, frames: list[Frame], facts: Facts, options: ReadOptions, program: Program
) -> SkeletonSequence:
    """One clip; frames are placed by time stamp, else by number, else in their order."""
    if options.unit is not None and FILE_UNITS[options.unit][0] == "metre":
        program = replace(program, points=(*POINTS_3D, *program.points))
    if options.layout is not None:
        layout = options.layout_of(path)
        program = replace(program, joints=(layout.num_joints, layout.num_file_joints or layout.num_joints))
    places = places_of(path, frames, facts, options)
    placed: list[list[Person]] = [[] for _ in range(max(places.positions) + 1)]
    for position, frame in zip(places.positions, frames, strict=True):
        placed[position].extend(people_in(path, frame, program))
    _note_left_out(path, frames, program)
    return clip_of_people(
        path, placed, replace(facts, fps=facts.fps or places.rate, step=places.step), options, program
    )


def _note_left_out(path: Path, frames: list[Frame], program: Program) -> None:
    """Entries without keypoints, and 3-D keypoints beside those that are read."""
    entries = [entry for frame in frames for entry in frame.people if isinstance(entry, dict)]
    without = sum(not any(key in entry for key in (*program.points, *POINTS_3D)) for entry in entries)
    if 0 < without < len(entries):
        note(path, "frames", f"{without} of {len(entries)} entries have no keypoints and are left out.")
    flat = next((key for key in program.points if any(entry.get(key) for entry in entries)), "")
    deep = next((key for key in POINTS_3D if any(entry.get(key) for entry in entries)), "")
    if flat and deep and flat not in POINTS_3D:
        note(path, "frames", f'{deep} are left out; unit= with a length ("metre") reads them instead of {flat}.')


def clip_of_people(
    path: Path, frames: list[list[Person]], facts: Facts, options: ReadOptions, program: Program
) -> SkeletonSequence:
    """One clip of the people in each frame; the layout is that of their names, the facts, the caller, the program."""
    people = [person for row in frames for person in row]
    if not people:
        if options.layout is None:
            reason = f"no person has keypoints in any of the {len(frames)} frames"
            raise bad_file(path, "frames", f"{reason}; with layout= that is a clip without people.")
        unit = options.unit_of(path, assumed="pixel")
        return clip_of(path, [[] for _ in frames], options, options.layout_of(path), unit=unit, fps=facts.fps)
    people = _filled(people, options, program)
    dims = {person.points.shape[1] for person in people}
    if len(dims) > 1:
        raise bad_file(path, "frames", "some people have 2 and others 3 coordinates a joint; split the recording.")
    layout, chosen = _layout(path, people, facts, options, program)
    numbers = _numbered(path, people, max(map(len, frames)))
    several = iter([Detection(*pair, number) for pair, number in zip(chosen, numbers, strict=True)])
    detected = NumberedFrames([next(several) for _ in row] for row in frames)
    detected.step = facts.step
    flat = dims == {2}
    if not flat and options.unit is None and program.unit is None:
        call = f'motionhub.read("{path}", unit="metre")'
        reason = f"the file does not state it; call {call}, or with the unit that it has."
        raise UnstatedFact(str(bad_file(path, "unit of 3-D keypoints", reason)), "unit")
    unit = options.unit_of(path, assumed=_pixels(path, people) if flat and options.unit is None else program.unit)
    size = facts.image_size if flat else None
    up = "-y" if flat else program.up
    return clip_of(
        path, detected, options, layout, unit=unit, fps=facts.fps, image_size=size, dims=min(dims), up=up
    )  # fmt: skip


def places_of(path: Path, frames: list[Frame], facts: Facts, options: ReadOptions) -> Places:
    """Of the frames: by their time stamps, else by their numbers, else in order."""
    stamps = [frame.stamp for frame in frames if frame.stamp is not None]
    numbers = [frame.number for frame in frames if frame.number is not None]
    if len(frames) > 1 and len({*stamps}) == len(frames):
        return _by_stamps(path, stamps, facts, options)
    if len(frames) > 1 and stamps:
        note(path, "time", "not every frame has its own time stamp, so their numbers or their order place them.")
    if len(numbers) < len(frames):
        if numbers:
            note(path, "frame numbers", f"{len(frames) - len(numbers)} frames have none, so their order places them.")
        return Places(list(range(len(frames))))
    if len({*numbers}) < len(numbers):
        again = Counter(numbers).most_common(1)[0][0]
        raise bad_file(path, f"frame {again}", "two frames have this number; a number is one moment of one recording.")
    places = frame_positions(path, numbers)
    return Places([places[number] for number in numbers], step=step_of(places))


def _by_stamps(path: Path, stamps: list[float], facts: Facts, options: ReadOptions) -> Places:
    """Of different time stamps in any order and unit."""
    order = sorted(stamps)
    elapsed = np.array([stamp - order[0] for stamp in order], np.float64)
    stated = replace(options, fps=options.fps_of(path, facts.fps)) if facts.fps else options
    places, rate = place_stamps(path, elapsed * seconds_per_stamp(elapsed, facts.stamps), stated)
    if places[-1] > 100 * len(places) + 10_000:
        reason = f"{len(places)} frames lie {elapsed[-1]:g} apart: these are not the frames of one recording"
        raise bad_file(path, "time", f"{reason}.")
    place_of = dict(zip(order, places.tolist(), strict=True))
    return Places([place_of[stamp] for stamp in stamps], None if facts.fps else rate)


def _layout(
    path: Path, people: list[Person], facts: Facts, options: ReadOptions, program: Program
) -> tuple[SkeletonLayout, list[tuple[np.ndarray, np.ndarray | None]]]:
    """The layout, and the points and scores of its joints of each person."""
    if all(person.names is not None for person in people):
        return _named_layout(path, people, options)
    counts = sorted({len(person.points) for person in people})
    if len(counts) > 1:
        raise bad_file(path, "frames", f"people have different numbers of keypoints: {counts[:8]}.")
    (count,) = counts
    if count in program.first and options.layout is None:
        kept = program.first[count]
        note(path, "joints", f"the first {kept} of {count} keypoints are read: the body, without face and hands.")
        people = [
            replace(p, points=p.points[:kept], scores=p.scores if p.scores is None else p.scores[:kept])
            for p in people
        ]
        count = kept
    known = facts.layout and LAYOUTS.get(facts.layout)
    stated = known if known and known.fits(count) else None
    if stated is None and facts.names is not None and len(facts.names) == count:
        layout, order = layout_of_names(path, list(facts.names), options)
        return layout, [(p.points[order], p.scores if p.scores is None else p.scores[order]) for p in people]
    layout = options.layout_of(path, stated, assumed=program.layouts.get(count), joints=count)
    if not layout.fits(count):
        reason = f"layout {layout.name!r} has {layout.num_joints} joints, but the people of the file have {count}"
        raise bad_file(path, "layout", f"{reason}; give the layout of their program.")
    if layout.num_joints < count:
        note(path, "joints", f"{layout.num_joints} of {count} keypoints are read: the body, without face and hands.")
    cut = body_parts(layout, [Detection(person.points, person.scores) for person in people])
    return layout, [(each.points, each.confidence) for each in cut]


def _named_layout(
    path: Path, people: list[Person], options: ReadOptions
) -> tuple[SkeletonLayout, list[tuple[np.ndarray, np.ndarray | None]]]:
    """By the names of all people; a joint that a person lacks is missing."""
    kinds = dict.fromkeys(person.names for person in people)
    names = list(dict.fromkeys(name for each in kinds for name in each or ()))
    if len(names) > MAX_JOINTS:
        raise bad_file(path, "joints", f"expected at most {MAX_JOINTS} different names, got {len(names)}.")
    for each in kinds:
        if each is not None and len({*each}) < len(each):
            raise bad_file(path, "joints", f"a person has several keypoints of one name: {list(each)[:8]}.")
    names = _in_known_order(names)
    layout, order = layout_of_names(path, names, options)
    rows = {each: [names.index(name) for name in each or ()] for each in kinds}
    chosen = []
    for person in people:
        points = np.full((len(names), person.points.shape[1]), np.nan)
        points[rows[person.names]] = person.points
        scores = None if person.scores is None else np.zeros(len(names))
        if scores is not None:
            scores[rows[person.names]] = person.scores
        chosen.append((points[order], None if scores is None else scores[order]))
    return layout, chosen


def _in_known_order(names: list[str]) -> list[str]:
    """The names in the order of a known layout that has just these joints."""
    own = dict(zip(own_names(names), names, strict=True))
    known = next((each for each in LAYOUTS.values() if len(own) == len(names) and {*each.joints} == {*own}), None)
    return names if known is None else [own[joint] for joint in known.joints]


def _numbered(path: Path, people: list[Person], most: int) -> list[int | None]:
    """The person numbers; names are numbered in the order of their appearance, with a note.

    Numbers that never occur twice identify nobody: `most` is the number of people in the fullest frame.
    """
    tracks = [person.track for person in people]
    if len(tracks) > 2 * most and None not in tracks and len({*tracks}) == len(tracks):
        text = "no person number occurs in two frames, so the numbers identify rows, not people"
        note(path, "people", f"{text}; people are followed by their keypoints.")
        return [None] * len(tracks)
    if not any(isinstance(track, str) for track in tracks):
        return tracks  # type: ignore[return-value]
    number_of = {name: number for number, name in enumerate(dict.fromkeys(t for t in tracks if t is not None))}
    shown = ", ".join(f"{name} is {number}" for name, number in islice(number_of.items(), 4))
    note(path, "people", f"names are numbered in the order of appearance: {shown}{' ...' * (len(number_of) > 4)}.")
    return [None if track is None else number_of[track] for track in tracks]


def _pixels(path: Path, people: list[Person]) -> str:
    """Pixels; or, with a note, fractions of the image where no coordinate is larger than 1.5."""
    largest = max((float(np.nanmax(np.abs(p.points))) for p in people if not np.isnan(p.points).all()), default=9.0)
    if largest > 1.5:
        return "pixel"
    note(path, "unit", f"no coordinate is larger than {largest:.3g}, so they are read as fractions of the image.")
    return "normalised"


# Recognition


def finds(path: Path, head: bytes, *signs: str) -> bool:
    """Whether JSON has all these patterns in its head, or in its first megabyte where it begins without people."""
    if path.is_dir() or not head.lstrip().startswith((b"[", b"{")):
        return False
    patterns = [re.compile(sign.encode()) for sign in signs]
    if all(pattern.search(head.replace(b'\\"', b'"')) for pattern in patterns):  # also JSON texts in JSON
        return True
    if len(head) < 4096:
        return False
    return all(pattern.search(wide) for wide in (read_head(path, _LOOK),) for pattern in patterns)


def in_folder(matches: Callable[[Path, bytes], bool]) -> Callable[[Path, bytes], bool]:
    """The test for a file extended to folders of numbered JSON files, of which one of the first has this format."""

    def either(path: Path, head: bytes) -> bool:
        if not path.is_dir():
            return matches(path, head)
        return any(matches(file, read_head(file)) for file in first_files(path))

    return either
