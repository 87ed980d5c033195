"""People as pose programs write them -> points, scores, joint names and person numbers.

The `keypoints` of a person are [[x, y], ...], [[x, y, score], ...], flat, {"x": [...], "y": [...]}, or objects with
names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from motionhub.data.formats.detections import MAX_PEOPLE
from motionhub.data.formats.facts import NAME_LISTS, joint_names
from motionhub.data.formats.files import bad_file, nan_at_origin, number_array
from motionhub.data.formats.format import ReadOptions, is_number
from motionhub.data.formats.frames import POINTS, POINTS_3D, TRACKS, Frame, has_arrays
from motionhub.skeletons.layout import MAX_JOINTS


SCORES = (
    *("keypoint_scores", "keypoints_scores", "keypoint_confidence", "keypoint_confidences", "keypoints_confidence"),
    *("keypoints_conf", "scores", "visible", "conf", "confidence", "confidences", "visibility", "score"),
    *("inFrameLikelihood", "likelihood"),
)
NAMES = ("name", "landmarkType", "part", "label", "joint", "bodyPart", "type", "jointType", "joint_type", "Type", "i")
KINDS = ("name", "class_name", "category_name", "class", "class_id", "category_id", "label")
_SCORES, _KINDS = frozenset(SCORES), frozenset(KINDS)
# Fewer people are read one by one; these keys need it.
_FEW, _PLAIN = 64, frozenset(("labels", "pose", *NAME_LISTS))
PLACES = ("position", "real", "Real", "worldPosition", "world_position", "Position", "pos")


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
        lifted: as `layouts`, of 3-D keypoints.
        default: what becomes of a layout that only the number of keypoints suggests: taken (the format has no other),
            checked against the bodies, or checked and noted (people run models of other joints with the program).
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
    lifted: dict[int, str] = field(default_factory=dict)
    default: Literal["taken", "checked", "noted"] = "taken"


@dataclass(frozen=True)
class Person:
    """`points (joints, 2 or 3)`, NaN where missing; `scores (joints,)`, joint names and person number where stated."""

    points: np.ndarray
    scores: np.ndarray | None = None
    names: tuple[str, ...] | None = None
    track: int | str | None = None
    partial: bool = False  # joints at the end may have been left out


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
        for part in each_of(entry, program) if isinstance(entry, dict) else [entry]:
            person = person_of(path, place, part, program)
            if person is not None:
                people.append(person)
    return people


def each_of(entry: dict[str, Any], program: Program) -> Iterator[dict[str, Any]]:
    """The entry, or one for each person of its arrays (people, joints, columns)."""
    key = next((key for key in (*program.points, *POINTS_3D) if entry.get(key)), None)
    values = None if key is None else entry[key]
    if not isinstance(values, list) or not has_arrays({POINTS[0]: values}):
        yield entry
        return
    lists = {name: value for name, value in entry.items() if isinstance(value, list) and len(value) == len(values)}
    if not isinstance(next(iter(lists.get("scores") or [None])), list):
        lists.pop("scores", None)  # of the people, not of their keypoints
    own = {name: entry[name] for name in TRACKS if name in entry and name not in lists}
    for row in range(len(values)):
        yield {**own, str(key): values[row], **{name: value[row] for name, value in lists.items()}}


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
    points, scores = _parts(table, scores, axes, key in POINTS_3D, program)
    if names is None and (listed := joint_names(entry)) is not None and len(listed) == len(table):
        names = tuple(program.joint_types.get(name, name) for name in listed)
    return with_labels(path, place, Person(points, scores, names, track_of(entry)), entry.get("labels"))


def _parts(
    table: np.ndarray, scores: np.ndarray | None, axes: int, deep: bool, program: Program
) -> tuple[np.ndarray, np.ndarray | None]:
    """Points `(..., joints, 2 or 3)` and scores of a `(..., joints, columns)` table; `axes`: coordinates by name."""
    three = program.three or deep or scores is not None or table.shape[-1] == 4 or axes == 3
    dims = 3 if three and table.shape[-1] >= 3 else 2
    if program.flat and not deep:
        table, dims = (table[..., :2] if axes else table), 2
    if scores is None and table.shape[-1] > dims:
        scores = table[..., dims]
    points = table[..., :dims]
    at_origin = (points == 0).all(axis=-1).sum(axis=-1) > 1  # one joint there may be the root
    gone = nan_at_origin(points, None if dims == 2 else scores)
    points = gone if dims == 2 or scores is not None else np.where(at_origin[..., None, None], gone, points)
    return points, None if scores is None else np.nan_to_num(scores) * program.scale


def people_of(path: Path, frames: Sequence[Frame], program: Program) -> list[list[Person]]:
    """The people of each frame, as `people_in`; people of one form are read at once, which is faster."""
    found = _at_once(path, frames, program)
    return [people_in(path, frame, program) for frame in frames] if found is None else found


def _at_once(path: Path, frames: Sequence[Frame], program: Program) -> list[list[Person]] | None:
    """None where people are no objects with the same lists of numbers, or of keypoints with the same names."""
    entries = [entry for frame in frames for entry in frame.people]
    if len(entries) < _FEW or any(len(frame.people) > MAX_PEOPLE for frame in frames):
        return None
    if not all(type(entry) is dict and _PLAIN.isdisjoint(entry) for entry in entries):
        return None
    keys = (*program.points, *POINTS_3D)
    key = next((key for key in keys if entries[0].get(key)), None)
    if key is None or any(name in entry for entry in entries for name in keys[: keys.index(key)]):
        return None
    lists = [entry.get(key) for entry in entries]
    if not all(type(each) is list and each for each in lists):
        return None
    read = _objects_at_once if type(lists[0][0]) is dict else _numbers_at_once
    try:
        found = read(path, key, entries, lists, program)
    except ValueError:
        return None
    if found is None:
        return None
    table, scores, names, axes = found
    points, values = _parts(table, scores, axes, key in POINTS_3D, program)
    tracked = any(not entry.keys().isdisjoint(TRACKS) for entry in entries)
    people = iter(
        [
            Person(points[row], None if values is None else values[row], names, track_of(entry) if tracked else None)
            for row, entry in enumerate(entries)
        ]
    )
    return [[next(people) for _ in frame.people] for frame in frames]


# `(people, joints, columns)`, the scores beside them, the names, and how many columns are coordinates (0: not said).
_Table = tuple[np.ndarray, np.ndarray | None, tuple[str, ...] | None, int]


def _numbers_at_once(
    path: Path, key: str, entries: list[dict[str, Any]], lists: list[Any], program: Program
) -> _Table | None:
    """Of keypoints that are lists of numbers."""
    scored = next((name for name in SCORES if isinstance(entries[0].get(name), list)), None)
    if not all(type(each[0]) is list for each in lists):
        return None
    for name in {name for names in {tuple(entry) for entry in entries} for name in names}.intersection(SCORES):
        if any((type(entry.get(name)) is list) != (name == scored) for entry in entries):
            return None
    table = number_array(path, key, lists)
    scores = None if scored is None else number_array(path, scored, [entry[scored] for entry in entries])
    if table.ndim != 3 or not 2 <= table.shape[2] <= 4 or (scores is not None and scores.shape != table.shape[:2]):
        return None
    return table, scores, None, 0


def _objects_at_once(
    path: Path, key: str, entries: list[dict[str, Any]], lists: list[Any], program: Program
) -> _Table | None:
    """Of keypoints that are objects with the same keys, and with the same names in everybody."""
    joints, first = len(lists[0]), lists[0][0]
    flat = [one for each in lists for one in each]
    if not 0 < joints <= 4 * MAX_JOINTS or any(len(each) != joints for each in lists):
        return None
    if not all(type(one) is dict and one.keys() == first.keys() for one in flat):
        return None
    if not first.keys().isdisjoint(PLACES) or any(
        type(entry.get(name)) is list for entry in entries for name in SCORES
    ):
        return None
    axes = next((axes for axes in ("xyz", "xy", "XYZ", "XY") if first.keys() >= {*axes}), None)
    for name in first.keys() & {*NAMES}:
        named = [one[name] for one in flat]
        if named != named[:joints] * len(lists):
            return None
    if axes is None:
        return None
    table = number_array(path, key, [[one[axis] for axis in axes] for one in flat]).reshape(len(lists), joints, -1)
    scored = next((name for name in SCORES if name in first), None)
    scores = None
    if scored is not None:
        scores = np.nan_to_num(number_array(path, key, [one[scored] for one in flat])).reshape(len(lists), joints)
    return table, scores, _names(lists[0], program), len(axes)


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


def filled(people: list[Person], options: ReadOptions, program: Program) -> list[Person]:
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
        names = tuple(str(program.joint_types.get(name, name)) for name in value)
        value = list(value.values())
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
    if None in value and (width := max((len(one) for one in value if isinstance(one, list)), default=0)):
        value = [[None] * width if one is None else one for one in value]
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


def kind_of(entry: dict[str, Any]) -> str:
    """The class that a detector states of a person, or ""."""
    if _KINDS.isdisjoint(entry):
        return ""
    for key in KINDS:
        if isinstance(entry.get(key), str | int) and not isinstance(entry[key], bool):
            return str(entry[key])[:40] if isinstance(entry[key], str) else f"{key} {entry[key]}"
    return ""


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
