"""Documents of pose programs as frames: JSON, JSON lines, or one file of a folder -> frames of people as written.

A recording is a list of frames, or an object with such a list and with facts (`fps`, `width`, `height`, joint names).
A frame is a list of people, or an object with one and with a frame number or time stamp.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from motionhub.data.formats.clock import clock_seconds
from motionhub.data.formats.facts import FACTS, Facts, facts_of, joint_names
from motionhub.data.formats.files import MAX_JSON_BYTES, bad_file, load_json, note, read_head, read_text
from motionhub.data.formats.folders import first_files, number_in, video_of
from motionhub.data.formats.format import is_number


# Keys in the order in which they are looked for.
FRAME_LISTS = ("frames", "instance_info", "results", "data", "recording", "sequence")
PEOPLE = (
    *("predictions", "instances", "poses", "people", "persons", "bodies", "body_list", "skeletons", "Skeletons"),
    *("detections", "objects", "annots", "results", "pose", "users", "object_list", "Bodies"),
)
NUMBERS = (
    *("frame", "frame_id", "frame_index", "frame_number", "frame_num", "frame_idx", "frameId", "frameIndex"),
    *("frameNumber", "frame_no", "frameno", "frameNum", "frame_nr", "image_id"),
)
IMAGES = ("image", "file_name", "filename", "image_path", "img_path", "image_name", "path")
STAMPS = (
    *(
        "timestamp_ms",
        "timestamp_usec",
        "timestamp_us",
        "timestamp_ns",
        "timestampMs",
        "timestamp",
        "time_ms",
        "msec",
        "timeMs",
    ),
    *("time", "time_s", "seconds", "t", "Timestamp", "ts", "pts_time", "frame_time", "timeStamp", "timestamps"),
    *("stamp", "ticks", "timestamp_ticks", "timestamp_100ns", "time_us", "time_ns"),
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
TRACKS = (
    *(
        "track_id",
        "tracking_id",
        "tracker_id",
        "object_id",
        "objectId",
        "obj_id",
        "global_id",
        "target_id",
        "identity",
    ),
    *("person_id", "personID", "body_id", "subject_id", "individual_id", "player_id"),
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
_PEOPLE, _STAMPS = frozenset(PEOPLE), frozenset(STAMPS)
_LOOK = 2**20


@dataclass(frozen=True)
class Frame:
    """One moment: its people as they were written, and where stated its number, time stamp, recording and image."""

    place: str
    people: list[Any]
    number: int | None = None
    stamp: float | None = None
    video: tuple[str, str] = ("", "")


class SeveralFrames(ValueError):
    """A file of a folder with one file per frame has several."""


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
    if isinstance(content, dict):
        _note_strides(path, content)
    listed = content
    if isinstance(content, dict):
        key = frames_key(content)
        if key is not None:
            listed = content[key]
        elif _keyed_by_person(content):
            note(path, "frames", f"the keys {list(content)[:4]} are read as people, whose entries state their frames.")
            listed = [{"track_id": name, **entry} for name, entries in content.items() for entry in entries]
        elif keyed_by_frame(keyed := without_facts(content)):
            listed = [with_key(name, frame) for name, frame in keyed.items()]
        else:
            listed = [content]
    elif isinstance(content, list) and _is_one_frame(content, alone):
        listed = [content]
    if not isinstance(listed, list) or not listed:
        raise bad_file(
            path, "frames", f"expected a list of frames of people, got {type(listed).__name__} without any."
        )
    moments = _moments(listed) if alone else 1
    if moments > 1:
        reason = f"expected one frame in a file of a folder, got {moments}; give the files of recordings one by one"
        raise SeveralFrames(str(bad_file(path, "frames", f"{reason}.")))
    listed = [_parsed(path, frame) for frame in listed]
    frames = [_frame(path, f"frame {index}", frame) for index, frame in enumerate(listed)]
    key = stamp_key(listed)
    if key and all(frame.stamp is None for frame in frames):
        shown = next(frame[key] for frame in listed if isinstance(frame, dict) and key in frame)
        note(path, key, f"time stamps such as {str(shown)[:40]!r} are not understood, so they place no frame.")
    _note_unread_moments(path, listed, frames)
    if facts.names is None:
        facts = replace(facts, names=_names_of_all(listed))
    return _joined(frames, listed), replace(facts, stamps=key)


def _names_of_all(listed: list[Any]) -> tuple[str, ...] | None:
    """The joint names, where all frames state the same."""
    first = joint_names(listed[0]) if isinstance(listed[0], dict) else None
    if first is None or not all(isinstance(frame, dict) and joint_names(frame) == first for frame in listed):
        return None
    return first


def _moments(listed: list[Any]) -> int:
    """How many frames the entries are: one of people in a list, whose numbers or time stamps do not differ."""
    people = listed[0] if len(listed) == 1 and isinstance(listed[0], list) else []
    return max(len(listed), len({moment_of(one) for one in people if isinstance(one, dict)}))


_STRIDE = re.compile(r"(frame|sampl|sub)\w*(stride|skip|step|interval)|stride|sample_?rate|every_?n", re.IGNORECASE)


def _note_strides(path: Path, content: dict[str, Any]) -> None:
    """Facts that say that frames of the video were left out; they may or may not be in the rate."""
    for key, value in content.items():
        if _STRIDE.fullmatch(key) and is_number(value) and abs(value) < 2**63 and value not in (0, 1):
            fix = "if the entries are every such frame of the video, give each its frame, or divide fps by it"
            note(path, key[:40], f"{value:g} is not read: {fix}.")


def _keyed_by_person(content: dict[str, Any]) -> bool:
    """Whether the values are lists of people who state different frames or times."""
    lists = [value for value in content.values() if isinstance(value, list)]
    if not lists or len(lists) < len(content) or not all(lists):
        return False
    for entries in lists:
        if not all(map(is_person, entries)):
            return False
        moments = {moment_of(entry) for entry in entries}
        if len(moments) < len(entries) or (None, None) in moments or len(entries) < 2:
            return False
    return True


def _note_unread_moments(path: Path, listed: list[Any], frames: list[Frame]) -> None:
    """Numbers that ascend from entry to entry, other than one by one, where no known number or time places frames."""
    if any(frame.number is not None or frame.stamp is not None for frame in frames):
        return
    entries = listed[0] if len(listed) == 1 and isinstance(listed[0], list) else listed
    if len(entries) < 3 or not all(isinstance(entry, dict) for entry in entries):
        return
    for key in entries[0]:
        values = [entry.get(key) for entry in entries]
        if key in TRACKS or not all(is_number(value) and abs(value) < 2**63 for value in values):
            continue
        steps = {later - earlier for earlier, later in pairwise(values)}
        if min(steps) > 0 and steps != {1}:
            fix = 'rename it to "frame" or "timestamp" if it says when'
            note(
                path,
                key[:40],
                f"ascends from entry to entry ({values[0]:g}, {values[1]:g}, ...) but is not read; {fix}.",
            )


def _parsed(path: Path, value: Any) -> Any:
    """The value; JSON text inside the document is parsed (`json.dump([result.to_json() for ...])`)."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise bad_file(path, "text in the JSON", f"not valid JSON ({error}).") from None


def frames_key(content: dict[str, Any]) -> str | None:
    """The key of the list of frames."""
    for key in FRAME_LISTS:
        if isinstance(content.get(key), list) and not (key in PEOPLE and _is_one_moment(content[key])):
            return key
    lists = (key for key in PEOPLE if isinstance(content.get(key), list) and len(content[key]) > 1)
    return next((key for key in lists if _are_frames(content[key])), None)


def _is_one_moment(entries: list[Any]) -> bool:
    """Whether entries are people, who do not state different frames or times."""
    return all(map(is_person, entries)) and len({*map(moment_of, entries)}) < 2


def _are_frames(entries: list[Any]) -> bool:
    """Whether entries are lists of people, or people who state different frames or times."""
    if all(isinstance(entry, list) for entry in entries):
        return True
    return all(map(is_person, entries)) and not _is_one_moment(entries)


def stamp_key(frames: list[Any]) -> str:
    """The key of the time stamps, which may have their unit in it."""
    return next((key for frame in frames if isinstance(frame, dict) for key in STAMPS if key in frame), "")


def has_arrays(item: Any) -> bool:
    """Whether an object has the keypoints of several people: lists of people, of joints, of numbers."""
    for key in (*POINTS, *POINTS_3D):
        value = item.get(key) if isinstance(item, dict) else None
        if isinstance(value, list) and value and isinstance(value[0], list) and value[0]:
            return isinstance(value[0][0], list)
    return False


def _is_one_frame(content: list[Any], alone: bool) -> bool:
    """Whether a list is the people of one frame: none of them states a frame or time."""
    people = all(map(is_person, content)) and (alone or not any(map(has_arrays, content)))
    stated = [
        item for item in content if isinstance(item, dict) and any(k in item for k in (*NUMBERS, *STAMPS, *IMAGES))
    ]
    return people and (alone or not stated) and (bool(content) or alone)


def is_person(item: Any) -> bool:
    """Whether an object has keypoints, and no people in it."""
    return isinstance(item, dict) and any(key in item for key in (*POINTS, *POINTS_3D)) and not people_key(item)


def people_key(frame: dict[str, Any]) -> str | None:
    """The key of the people of a frame."""
    if _PEOPLE.isdisjoint(frame):
        return None
    listed = (key for key in PEOPLE if isinstance(frame.get(key), list))
    return next((key for key in listed if all(isinstance(one, dict) for one in frame[key])), None)


def keyed_by_frame(content: dict[str, Any]) -> bool:
    """Whether the keys are frame numbers, time stamps or image names, and the values frames."""
    several = any(content.values()) and all(isinstance(v, list | dict | None) for v in islice(content.values(), 100))
    return several and all(number_in(key, -1) >= 0 for key in islice(content, 100)) and people_key(content) is None


def without_facts(content: dict[str, Any]) -> dict[str, Any]:
    """The entries without those that are no frames: words and numbers under keys without a number, and known facts."""
    facts = (key for key, value in content.items() if not isinstance(value, list | dict | None) or key in FACTS)
    left_out = {key for key in facts if number_in(key, -1) < 0}
    return {key: value for key, value in content.items() if key not in left_out}


def with_key(name: str, frame: Any) -> Any:
    """A frame of an object with frames by number, with its number."""
    number, seconds = number_in(name, 0), re.fullmatch(r"\d+\.\d+", name)
    moment: dict[str, Any] = {"time": float(name)} if seconds else {"frame": number}
    if isinstance(frame, list):
        return {**moment, "people": frame}
    stated = isinstance(frame, dict) and any(key in frame for key in (*NUMBERS, *STAMPS))
    return frame if stated or not isinstance(frame, dict) else {**moment, **frame}


def _frame(path: Path, place: str, frame: Any) -> Frame:
    if frame is None:
        return Frame(place, [])
    if isinstance(frame, list):
        return Frame(place, frame)
    if not isinstance(frame, dict):
        raise bad_file(path, place, f"expected a list of people or an object, got {type(frame).__name__}.")
    frame = _with_people_by_name(frame)
    if isinstance(frame.get("pose"), dict) and not is_person(frame):  # ml5.js
        frame = {**frame, **frame["pose"]}
    key = people_key(frame)
    people = [frame] if key is None and is_person(frame) else frame.get(key, []) if key is not None else None
    if people is None and isinstance(frame.get("instances"), dict):  # detectron2
        people = [frame["instances"]]
    if people is None and isinstance(nested := frame.get("predictions"), list) and len(nested) == 1:  # MMPose
        people = nested[0] if isinstance(nested[0], list) else None
    if people is None and any(isinstance(value, list | dict) and value for value in frame.values()):
        raise bad_file(path, place, f"expected one of {list(PEOPLE[:6])}, got the keys {list(frame)[:8]}.")
    image = next((frame[key] for key in ("image_id", *IMAGES) if isinstance(frame.get(key), str)), "")
    return Frame(place, people or [], *moment_of(frame), video_of(frame, image))


def _with_people_by_name(frame: dict[str, Any]) -> dict[str, Any]:
    """The frame; people by number or name (`{"people": {"7": {...}}}`) as a list of people who state it."""
    for key in PEOPLE:
        value = frame.get(key)
        if isinstance(value, dict) and value and all(map(is_person, value.values())):
            return {**frame, key: [{"track_id": name, **person} for name, person in value.items()]}
    return frame


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
    if isinstance(frame.get("header"), dict):  # ROS
        frame = {**frame["header"], **frame}
    if _STAMPS.isdisjoint(frame):
        return None
    for key in STAMPS:
        value = frame.get(key)
        if isinstance(value, str):
            value = _stamp_of_text(value)
        if isinstance(value, dict):
            value = _stamp_of_parts(value)
        if is_number(value) and abs(value) < 2**64:
            return value
    return None


def _stamp_of_parts(value: dict[str, Any]) -> float | None:
    """Seconds of a time stamp of ROS, `{"sec": 12, "nanosec": 500000000}`."""
    for whole, part in (("sec", "nanosec"), ("secs", "nsecs")):
        numbers = [value.get(whole), value.get(part)]
        if all(is_number(number) and abs(number) < 2**63 for number in numbers):
            return value[whole] + value[part] / 1e9
    return None


def _stamp_of_text(text: str) -> float | None:
    """A number, or a date and time, or a time of day, in seconds."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    if len(text) < 30 and re.fullmatch(r"\d{1,20}[.,]\d*", text):
        return float(text.replace(",", "."))
    return clock_seconds(text)


def _joined(frames: list[Frame], listed: list[Any]) -> list[Frame]:
    """Entries that are people, not frames, joined to frames by their number or time stamp."""
    if not listed or not all(map(is_person, listed)) or any(map(has_arrays, listed)):
        return frames
    joined: dict[Any, Frame] = {}
    for position, frame in enumerate(frames):
        folder = frame.video[1].replace("\\", "/").rpartition("/")[0]
        moment = (frame.number, frame.stamp, frame.video[0], folder)
        key = position if frame.number is frame.stamp is None else moment
        first = joined.setdefault(key, replace(frame, people=[]))
        first.people.extend(frame.people)
    return list(joined.values())


def is_one_frame_a_file(path: Path) -> bool:
    """Whether the first numbered JSON files of a folder are one frame each, as far as they can be read."""
    for file in first_files(path, most=2):
        try:
            frames_in(file, load_document(file), alone=True)
        except SeveralFrames:
            return False
        except ValueError:  # reading the folder says what is wrong
            continue
    return True


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
