"""The columns of a table of poses, understood by their names: recording, person, frame, time, joint, coordinates.

A column of a joint is `nose_x`, `x_nose`, `nose.x`, `noseX`, `nose_x_mm` or `nose_position_x`; one of a numbered joint
is `x1`, `landmark_1_x` or `x_1`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from motionhub.skeletons.joint_names import VOCABULARY, joint_name


AXES = ("x", "y", "z")
_CONFIDENCE = (
    *("confidence", "conf", "score", "scores", "likelihood", "visibility", "vis", "v", "c", "p", "prob"),
    *("probability", "visible", "tracking_state", "trackingstate", "state"),
)
UNITS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "metre"),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), "centimetre"),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), "millimetre"),
    **dict.fromkeys(("px", "pixel", "pixels"), "pixel"),
}
_NUMBERING = {"id", "ids", "idx", "index", "num", "number", "no", "nr", "#", "name", "label"}
_THING = {
    "frame": {"frame", "frames", "framenumber", "frameid", "frameindex", "frameidx", "image", "img", "fnum"},
    "person": {
        *(
            "person",
            "people",
            "track",
            "tracker",
            "tracking",
            "trackingid",
            "subject",
            "body",
            "individual",
            "individuals",
            "instance",
            "player",
        ),
        *("participant", "animal", "skeleton", "user", "human", "actor", "dancer", "pid", "personid", "trackid"),
        *("bodyid", "object", "obj", "patient", "identity", "agent", "ped", "pedestrian", "athlete", "tracklet"),
    },
    "joint": {
        *("joint", "joints", "keypoint", "keypoints", "landmark", "landmarks", "marker", "bodypart", "bodyparts"),
        *("part", "kp", "kpt", "node", "jointname", "jointtype", "landmarkname"),
    },
    "recording": {
        *("video", "vid", "clip", "recording", "session", "trial", "take", "sequence", "seq", "camera", "cam", "view"),
        "scene",
    },
}
# Names that are understood only as a whole.
_WHOLE = {
    **dict.fromkeys(("frame#", "frame_count", "file_name", "filename", "image_path", "img_path", "file"), "frame"),
    **dict.fromkeys(("f", "timestep", "time_step"), "frame"),
    **dict.fromkeys(("id", "uid", "target_id", "body_index"), "person"),
    **dict.fromkeys(("body_part", "body_part_name", "joint_type", "name"), "joint"),
    **dict.fromkeys(("t", "sec", "secs", "seconds", "ms", "millis", "milliseconds", "usec", "elapsed"), "time"),
    **dict.fromkeys(("ts", "msec", "epoch", "datetime", "date_time", "clock", "timecode", "time_code"), "time"),
    **dict.fromkeys(("unixtime", "ticks", "t_s", "t_sec", "t_ms", "t_us", "t_ns"), "time"),
}
_OF_TIMES = {"frame", "video", "elapsed", "unix", "system", "wall", "world", "capture", "media", "camera"}
_TIMES = {"time", "times", "timestamp", "timestamps", "elapsed"}
# Groups of columns with x, y and z that are no positions.
_NO_POSITION = {
    *("rotation", "rot", "quaternion", "quat", "orientation", "euler", "angle", "velocity", "vel", "acceleration"),
    *("acc", "angular", "magnetic", "gyro"),
    *("bbox", "box", "bb", "rect", "roi", "crop", "min", "max", "centroid"),
}
_FILES = {"file", "filename", "path", "name", "image", "img"}
_LABELS = {"class", "label", "action", "activity", "category", "exercise", "target", "split"}
_POSITION = {"position", "pos", "coord", "coords", "coordinate", "location", "loc"}
_KINDS = "|".join((*AXES, *sorted(_CONFIDENCE, key=len, reverse=True)))
_SUFFIXED = re.compile(rf"(.+?)[_. :/|-]({_KINDS})", re.IGNORECASE)
_PREFIXED = re.compile(rf"({_KINDS})[_. -](.+)", re.IGNORECASE)
# nose(x), nose[x], x(nose); ('nose', 'x') as pandas writes it; nose_x_pos, nose_xcoord, nose_x2d.
_BRACKETED = re.compile(r"([^()\[\]]+?)[ _]*[(\[]([^()\[\]]+)[)\]]")
_PAIR = re.compile(r"\(['\"](.+?)['\"], *['\"](.+?)['\"]\)")
_AFTER_AXIS = re.compile(r"(.*[_. ][xyz])[_ ]?(?:pos|position|coord|coordinate|2d|3d)", re.IGNORECASE)
# Of one of several people: nose_x_1, or nose_x.1 where pandas found a name again.
_AGAIN = re.compile(r"(.+)[_.](\d{1,3})")
_NUMBERED = re.compile(r"([xyzvcps])_?(\d{1,4})", re.IGNORECASE)
_CAMEL = re.compile(r"(.*[a-z0-9])([XYZ])")
_UNIT = re.compile(rf"(.+?)(?:[_ .]({'|'.join(UNITS)})|[ _]*[(\[] *({'|'.join(UNITS)}) *[)\]])", re.IGNORECASE)
_JOINT_NUMBER = re.compile(r"(?:joint|keypoint|landmark|marker|kpt?|point|pt|lm|j|p)?[_ .-]?(\d{1,4})", re.IGNORECASE)
OF_PERSON = re.compile(
    r"(?:person|people|subject|body|player|individual|skeleton|track|human)[_ ]?(\d{1,6})[_. :](.+)", re.IGNORECASE
)


# Joints of a person that others have too, where a part of the names says who.
_FEWEST_JOINTS = 4
_LONGEST_NAME, _MOST_SEPARATORS = 200, 12
_SIDES = {"left", "right", "l", "r"}


@dataclass(frozen=True)
class Columns:
    """Column numbers of a table of poses.

    `values`: joint name ("" in a table with a row per joint) -> columns of coordinates (and confidence); `people`: the
    same for each person where columns name people. `doubtful`: names that look like a person, frame or time and are
    not understood. `left_out`: columns with axes that are no positions; `unread`: those of joints that lack x or y, or
    that only some joints have; `repeated`: coordinates that occur twice.
    """

    values: dict[str, list[int]]
    dims: int
    scored: bool
    recording: list[int] = field(default_factory=list)
    person: int | None = None
    frame: int | None = None
    time: int | None = None
    joint: int | None = None
    units: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    score_name: str = ""

    @property
    def unit(self) -> str | None:
        """The unit in the names of the columns."""
        return self.units[0] if self.units else None

    @property
    def coordinates(self) -> list[int]:
        return [column for group in self.values.values() for column in group]

    @property
    def special(self) -> list[int]:
        named = (self.person, self.frame, self.time, self.joint)
        return [*self.recording, *(column for column in named if column is not None)]


def words_of(name: str) -> list[str]:
    """`["frame", "number"]` for frame_number, FrameNumber or "Frame number"."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip())
    return [word for word in re.split(r"[^a-z0-9#]+", split.lower()) if word]


def role_of(name: str) -> str | None:
    """What a column says: "frame", "person", "time", "joint" or "recording"; None for any other column."""
    words = words_of(name)
    whole = "_".join(words)
    if whole in _WHOLE:
        return _WHOLE[whole]
    if not words:
        return None
    if words[0] in _TIMES or (len(words) > 1 and words[1] in _TIMES and words[0] in _OF_TIMES):
        return "time"
    numbered = [word for word in words if word not in _NUMBERING]
    if len(numbered) != 1:
        return None
    return next((role for role, names in _THING.items() if numbered[0] in names), None)


def _looks_special(name: str) -> bool:
    """Whether a column seems to number people, frames or moments."""
    words = words_of(name)
    things = _THING["frame"] | _THING["person"] | _TIMES
    if not words or _LABELS & {*words}:
        return False
    return words[-1] in {"id", "ids", "idx", "index"} or bool(things & {*words})


def columns_of(names: Sequence[str]) -> Columns | None:
    """The meaning of the columns, or None when they are no poses."""
    roles: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        role = role_of(name)
        if role is not None:
            roles.setdefault(role, []).append(column)
    roles.get("person", []).sort(key=lambda column: words_of(names[column]) == ["id"])  # "id" may be of the row
    _sort_frames(names, roles)
    found = _coordinates(names) if "joint" in roles else None
    if found is None:
        roles.pop("joint", None)
        found = _joints(names, {column for columns in roles.values() for column in columns})
    taken = {column for columns in roles.values() for column in columns}
    parts = {who: kinds for who, kinds in found.parts.items() if {"x", "y"} <= kinds.keys()}
    if not parts:
        return None
    dims = 3 if all("z" in kinds for kinds in parts.values()) else 2
    scored = all("confidence" in kinds for kinds in parts.values())
    wanted = [*AXES[:dims], *(["confidence"] if scored else [])]
    used = taken | {column for kinds in found.parts.values() for column in kinds.values()}
    left_out = {*found.left_out}
    others = [name for column, name in enumerate(names) if column not in used and name not in left_out]
    extra = [names[column] for role in ("person", "frame") for column in roles.get(role, [])[1:]]
    first = {role: columns[0] for role, columns in roles.items() if role != "recording"}
    unread = [
        names[column]
        for who, kinds in found.parts.items()
        for kind, column in kinds.items()
        if (kind not in wanted or who not in parts) and (who in parts or {*kinds} & {*AXES})
    ]
    return Columns(
        {who: [kinds[kind] for kind in wanted] for who, kinds in parts.items()},
        dims,
        scored,
        recording=roles.get("recording", []),
        **first,
        units=tuple(sorted(found.units)),
        doubtful=(*extra, *(name for name in others if _looks_special(name))),
        left_out=tuple(found.left_out),
        unread=tuple(unread),
        repeated=tuple(found.repeated),
        score_name=names[next(iter(parts.values()))["confidence"]] if scored else "",
    )


def _sort_frames(names: Sequence[str], roles: dict[str, list[int]]) -> None:
    """Beside a number of a frame, the name of a file is that of a recording."""
    files = {column for column in roles.get("frame", []) if _FILES & {*words_of(names[column])}}
    if 0 < len(files) < len(roles.get("frame", [])):
        roles["frame"] = [column for column in roles["frame"] if column not in files]
        roles.setdefault("recording", []).extend(sorted(files))


@dataclass
class _Found:
    """Columns by joint and coordinate, units in their names, columns of rotations, and columns that occur twice."""

    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    units: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


def _coordinates(names: Sequence[str]) -> _Found | None:
    """The columns x, y, z and confidence of a table with a row per joint; None in any other."""
    found = _Found({"": {}})
    for column, name in enumerate(names):
        kind = _single(name)
        if kind is not None and kind not in found.parts[""]:
            found.parts[""][kind] = column
            found.units |= {unit for unit in (_unit_of(name)[1],) if unit}
        elif kind in AXES:
            found.repeated.append(name)
    return found if {"x", "y"} <= found.parts[""].keys() else None


def _joints(names: Sequence[str], taken: set[int]) -> _Found:
    """The columns of each joint in a table with a row per frame, without those `taken` by people, frames and times."""
    found = _Found()
    for column, name in enumerate(names):
        plain, unit = _unit_of(name)
        part = None if column in taken else _part(plain)
        if part is None:
            continue
        who, kind = part
        if who is None:
            found.left_out.append(name)
        elif kind not in found.parts.setdefault(who, {}):
            found.parts[who][kind] = column
            found.units |= {unit} if unit else set()
        elif kind in AXES:
            found.repeated.append(name)
    return found


def _unit_of(name: str) -> tuple[str, str | None]:
    """The name without a unit at its end, and the unit."""
    found = None if len(name) > _LONGEST_NAME else _UNIT.fullmatch(name.strip())
    if found is None or not (_part(found[1]) or _single(found[1])):
        return name.strip(), None
    return found[1].strip(), UNITS[(found[2] or found[3]).lower()]


def _single(name: str) -> str | None:
    """The coordinate that a column of a table with one row per joint holds."""
    if len(name) > _LONGEST_NAME:
        return None
    words = [word for word in words_of(_UNIT.sub(r"\1", name)) if word not in _POSITION]
    whole = "_".join(words)
    return whole if whole in AXES else "confidence" if whole in _CONFIDENCE else None


def _part(name: str) -> tuple[str | None, str] | None:
    """The joint and the coordinate of a column; joint None for rotations and the like; None for any other column."""
    if len(name) > _LONGEST_NAME:
        return None
    if numbered := _NUMBERED.fullmatch(name):
        return numbered[2], _kind(numbered[1])
    if written := _PAIR.fullmatch(name) or _BRACKETED.fullmatch(name):
        name = f"{written[1]}_{written[2]}"
    if after := _AFTER_AXIS.fullmatch(name):
        name = after[1]
    suffixed, camel, prefixed = _SUFFIXED.fullmatch(name), _CAMEL.fullmatch(name), _PREFIXED.fullmatch(name)
    if suffixed or camel:
        who, kind = (suffixed or camel).groups()  # type: ignore[union-attr]
    elif prefixed:
        kind, who = prefixed.groups()
    elif name[-1:] in AXES and joint_name(name[:-1]) in VOCABULARY:  # nosex
        who, kind = name[:-1], name[-1]
    elif (again := _AGAIN.fullmatch(name)) and (part := _part(again[1])) is not None and part[0]:
        return f"person{again[2]}_{part[0]}", part[1]
    else:
        return None
    words = re.split(r"[_. :]", who.lower())
    if _NO_POSITION & {*words, *words_of(who)}:
        return None, _kind(kind)
    if words[-1] in _POSITION and len(words) > 1:
        who = who[: -len(words[-1]) - 1]
    number = _JOINT_NUMBER.fullmatch(who)
    return (number[1] if number else who), _kind(kind)


def _kind(name: str) -> str:
    return name.lower() if name.lower() in AXES else "confidence"


def by_person(values: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Joint columns called `person1_nose`, `Ann_nose` or `nose_2`, by person and joint; None where they are of one.

    Without a number they are of the first one, if others have one. All people have the same joints.
    """
    named = [OF_PERSON.fullmatch(name) for name in values]
    found = [None if each is None else (each[1], each[2]) for each in named]
    if not any(found):
        found = []
        for name in values:
            found.append(_known_part(name))
            if found[-1] is None:
                return None
    people: dict[str, dict[str, Any]] = {}
    for part, (name, columns) in zip(found, values.items(), strict=True):
        who, joint = part or ("", name)
        people.setdefault(who, {})[joint] = columns
    same = {frozenset(joints) for joints in people.values()}
    several = len(people) > 1 and len(same) == 1 and len(next(iter(same))) >= _FEWEST_JOINTS
    return people if several or (people and all(named)) else None


def _known_part(name: str) -> tuple[str, str] | None:
    """Who and joint of `Ann_left_eye` or `left_eye_2`; None where no part of the name is a joint that has a name."""
    pieces = re.split(r"([_. :-])", name, maxsplit=_MOST_SEPARATORS)
    for cut in range(2, len(pieces), 2):
        before, after = "".join(pieces[: cut - 1]), "".join(pieces[cut:])
        if joint_name(after) in VOCABULARY and before.lower() not in _SIDES:
            return before, after
        if joint_name(before) in VOCABULARY and after.isdigit():
            return after, before
    return None
