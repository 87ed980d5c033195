"""Reads Acclaim motion capture (ASF/AMC, as CMU's): a skeleton file and motions of it, by forward kinematics.

A joint is the end of a bone: `lfemur` ends at the knee. The skeleton of an .amc file is the .asf file beside it: of
the same name, of the name before the last underscore (01.asf of 01_05.amc), or the only one there. The frame rate is
not in the files (CMU: 120 for most).
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file, note, read_text
from motionhub.data.formats.format import FILE_UNITS, Format, ReadOptions, checked_size
from motionhub.data.formats.rigs import layout_of_rig
from motionhub.data.formats.upright import up_of
from motionhub.skeletons.sequence import SkeletonSequence


_INCH = 0.0254
# Of the factor between two units.
_SAME_UNIT = 0.01
_MOST_BONES = 1000
# Where the bones of one side end; the middle ones by name.
_ENDS = {
    **{"hipjoint": "hip", "femur": "knee", "tibia": "ankle", "foot": "foot", "toes": "toe_tip"},
    **{"clavicle": "shoulder", "humerus": "elbow", "radius": "wrist", "wrist": "hand_base", "hand": "hand"},
    **{"fingers": "finger_tip", "thumb": "thumb"},
}
_MIDDLE = {
    **{"root": "mid_hip", "lowerback": "spine", "upperback": "chest", "thorax": "shoulder_centre"},
    **{"lowerneck": "neck", "upperneck": "upper_neck", "head": "head"},
}


@dataclass
class _Bone:
    """A bone: its parent's row, the vector to its end in the units of the file, its axes, and its free channels."""

    name: str
    parent: int
    vector: np.ndarray
    axis: tuple[str, np.ndarray]
    channels: list[str]


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One person, `(1, frames, joints, 3)` metres; the root and the end of every bone."""
    text = read_text(path)
    if not _is_motion(text[:4000]):
        reason = "a skeleton without motion (ASF); give an .amc file of it, in the same folder"
        raise bad_file(path, "file", f"{reason}.")
    skeleton = _skeleton_file(path)
    try:
        bones, factor, radians = _skeleton(skeleton)
    except ValueError as error:
        raise ValueError(f"{path}: the skeleton {error}") from None
    values, numbers = _motion(path, text, bones)
    if numbers != [*range(numbers[0], numbers[0] + len(numbers))]:
        raise bad_file(path, "frames", "expected frames numbered without gaps; is the file damaged?")
    checked_size(path, len(values), len(bones), 16)
    if radians or re.search(r"^:RADIANS", text[:4000], re.IGNORECASE | re.MULTILINE):
        values[:, [channel[0] == "r" for bone in bones for channel in bone.channels]] *= 180 / np.pi
    points = _positions(bones, values)
    names = [_end_of(bone.name) for bone in bones]
    layout, order = layout_of_rig(path, "asf", names, [bone.parent for bone in bones], options)
    if options.unit is not None and abs(FILE_UNITS[options.unit][1] / factor - 1) > _SAME_UNIT:
        reason = f"the skeleton states that one unit is {factor:.4g} metres, but unit {options.unit} was given"
        raise bad_file(path, "unit", f"{reason}; leave unit out, and scale the sequence if the file is wrong.")
    points = factor * points[:, order]
    return [options.sequence(path, points, layout, unit="metre", up=up_of(path, layout.joints, points, "y"))]


def _skeleton_file(path: Path) -> Path:
    beside = sorted(each for each in path.absolute().parent.iterdir() if each.suffix.lower() == ".asf")
    stems = (path.stem.lower(), path.stem.lower().rpartition("_")[0])
    named = [each for stem in stems for each in beside if each.stem.lower() == stem]
    if named:
        return named[0]
    if len(beside) != 1:
        found = f"the folder has {len(beside)}: {[each.name for each in beside[:5]]}"
        reason = f"expected the skeleton {path.stem}.asf or {stems[1] or path.stem}.asf beside the motion; {found}"
        raise bad_file(path, "skeleton", f"{reason}. Copy it there.")
    note(path, "skeleton", f"{beside[0].name} is taken, the only skeleton in the folder.")
    return beside[0]


def _end_of(name: str) -> str:
    if name in _MIDDLE:
        return _MIDDLE[name]
    side = {"l": "left", "r": "right"}.get(name[:1])
    return f"{side}_{_ENDS[name[1:]]}" if side and name[1:] in _ENDS else name


def _sections(path: Path) -> dict[str, list[tuple[int, list[str]]]]:
    """The numbered lines of each section of a skeleton, in words."""
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    key = ""
    for line, text in enumerate(read_text(path).splitlines(), 1):
        words = text.split("#")[0].replace("(", " ").replace(")", " ").split()
        if words and words[0].startswith(":"):
            key = words[0][1:].lower()
            sections[key] = [(line, words[1:])] if words[1:] else []
        elif words and key:
            sections[key].append((line, words))
    return sections


def _skeleton(path: Path) -> tuple[list[_Bone], float, bool]:
    """The bones, parents first, metres per unit, and whether angles are radians."""
    sections = _sections(path)
    for needed in ("root", "bonedata", "hierarchy"):
        if not sections.get(needed):
            raise bad_file(path, f":{needed}", f"expected this section, got {[*sections][:10]}; is the file cut off?")
    units = {words[0].lower(): words[1:] for _, words in sections.get("units", []) if len(words) > 1}
    length = _numbers(path, 0, units.get("length", ["1"]), 1)[0]
    if not 1e-6 < length < 1e6:
        raise bad_file(path, ":units", f"expected a positive length, got {length:g}.")
    radians = units.get("angle", ["deg"])[0].lower().startswith("rad")
    found = {bone.name: bone for bone in (_bone(path, lines) for lines in _blocks(path, sections["bonedata"]))}
    if len(found) > _MOST_BONES:
        raise bad_file(path, ":bonedata", f"expected at most {_MOST_BONES} bones, got {len(found)}.")
    found["root"] = _root(path, sections["root"])
    if radians:
        for bone in found.values():
            bone.axis = (bone.axis[0], np.degrees(bone.axis[1]))
    bones, row_of = [found["root"]], {"root": 0}
    for line, words in sections["hierarchy"]:
        if words[0].lower() in ("begin", "end"):
            continue
        if words[0] not in row_of:
            raise bad_file(path, f"line {line}", f"expected a parent that stands above, got {words[0][:40]!r}.")
        for name in words[1:]:
            if name not in found or name in row_of:
                raise bad_file(path, f"line {line}", f"expected a bone of :bonedata once, got {name[:40]!r}.")
            found[name].parent, row_of[name] = row_of[words[0]], len(bones)
            bones.append(found[name])
    return bones, _INCH / length, radians


def _blocks(path: Path, lines: list[tuple[int, list[str]]]) -> list[list[tuple[int, list[str]]]]:
    blocks: list[list[tuple[int, list[str]]]] = []
    for line, words in lines:
        if words[0].lower() == "begin":
            blocks.append([])
        elif words[0].lower() != "end":
            if not blocks:
                raise bad_file(path, f"line {line}", "expected begin before a bone.")
            blocks[-1].append((line, words))
    return blocks


def _bone(path: Path, lines: list[tuple[int, list[str]]]) -> _Bone:
    facts = {words[0].lower(): (line, words[1:]) for line, words in lines}
    line = lines[0][0] if lines else 0
    for needed in ("name", "direction", "length"):
        if needed not in facts or not facts[needed][1]:
            raise bad_file(path, f"line {line}", f"expected {needed} of a bone.")
    name = facts["name"][1][0]
    direction = _numbers(path, facts["direction"][0], facts["direction"][1], 3)
    vector = direction * _numbers(path, facts["length"][0], facts["length"][1], 1)[0]
    axis_line, axis = facts.get("axis", (line, ["0", "0", "0", "XYZ"]))
    order = axis[3].lower() if len(axis) > 3 else "xyz"
    channels = [channel.lower() for channel in facts.get("dof", (line, []))[1]]
    return _Bone(name, -1, vector, (_order(path, axis_line, order), _numbers(path, axis_line, axis[:3], 3)), channels)


def _root(path: Path, lines: list[tuple[int, list[str]]]) -> _Bone:
    facts = {words[0].lower(): (line, words[1:]) for line, words in lines}
    line, order = facts.get("order", (0, ["TX", "TY", "TZ", "RX", "RY", "RZ"]))
    axis = facts.get("axis", (line, ["XYZ"]))[1]
    turn = facts.get("orientation", (line, ["0", "0", "0"]))
    channels = [channel.lower() for channel in order]
    frame = _order(path, line, (axis or ["xyz"])[0].lower()), _numbers(path, turn[0], turn[1], 3)
    return _Bone("root", -1, np.zeros(3), frame, channels)


def _order(path: Path, line: int, order: str) -> str:
    if sorted(order) != ["x", "y", "z"]:
        raise bad_file(path, f"line {line}", f"expected an order of axes such as XYZ, got {order[:20]!r}.")
    return order


def _numbers(path: Path, line: int, words: list[str], count: int) -> np.ndarray:
    try:
        values = np.array([float(word) for word in words[:count]])
    except ValueError:
        values = np.empty(0)
    if len(values) != count or not np.isfinite(values).all() or (np.abs(values) > 1e9).any():
        raise bad_file(path, f"line {line}", f"expected {count} numbers, got {words[:6]}.")
    return values


def _motion(path: Path, text: str, bones: list[_Bone]) -> tuple[np.ndarray, list[int]]:
    """`(frames, channels)` of all bones in their order, and the frame numbers."""
    for bone in bones:
        unknown = [each for each in bone.channels if each not in ("tx", "ty", "tz", "rx", "ry", "rz", "l")]
        if unknown or len({*bone.channels}) < len(bone.channels):
            raise bad_file(
                path, "skeleton", f"expected channels such as rx of {bone.name!r}, got {bone.channels[:8]}."
            )
    first = {bone.name: sum(len(each.channels) for each in bones[:row]) for row, bone in enumerate(bones)}
    width = sum(len(bone.channels) for bone in bones)
    by_name = {bone.name: bone for bone in bones}
    frames: list[int] = []
    rows: list[list[float]] = []
    seen: list[int] = []
    for line, words in enumerate((each.split() for each in text.splitlines()), 1):
        if not words or words[0].startswith(("#", ":")):
            continue
        if len(words) == 1 and words[0].isascii() and words[0].isdigit() and len(words[0]) < 10:
            frames.append(int(words[0]))
            rows.append([0.0] * width)
            seen.append(0)
            continue
        if words[0] not in by_name or not rows:
            reason = f"expected a frame number or a bone of the skeleton, got {words[0][:40]!r}."
            raise bad_file(path, f"line {line}", reason)
        bone = by_name[words[0]]
        count = len(bone.channels)
        if len(words) != count + 1:
            raise bad_file(path, f"line {line}", f"expected {count} numbers of {bone.name!r}, got {len(words) - 1}.")
        try:
            rows[-1][first[bone.name] : first[bone.name] + count] = [float(word) for word in words[1:]]
        except ValueError:
            raise bad_file(path, f"line {line}", f"expected {count} numbers, got {words[1:7]}.") from None
        seen[-1] += count
    if not rows or {*seen} != {width}:
        short = next((frame for frame, count in zip(frames, seen, strict=True) if count != width), 0)
        raise bad_file(path, f"frame {short}", f"expected the {width} channels of the skeleton; is the file cut off?")
    values = np.array(rows)
    wrong = ~(np.abs(values) <= 1e9).all(axis=1)
    if wrong.any():
        raise bad_file(path, f"frame {frames[int(wrong.argmax())]}", "expected angles and lengths, got other numbers.")
    return values, frames


def _positions(bones: list[_Bone], values: np.ndarray) -> np.ndarray:
    """`(frames, bones, 3)`: the root, and the end of each bone; an angle turns about the axes of its bone."""
    from scipy.spatial.transform import Rotation  # imports in 0.3 s, too slow for `--help`

    frames = len(values)
    places = np.zeros((frames, len(bones), 3))
    turns: list[Rotation] = []
    column = 0
    for row, bone in enumerate(bones):
        own = Rotation.from_euler(bone.axis[0], bone.axis[1], degrees=True)
        turn, moved, vector = Rotation.identity(frames), np.zeros((frames, 3)), np.tile(bone.vector, (frames, 1))
        for channel in bone.channels:
            value = values[:, column]
            column += 1
            if channel[0] == "r":  # about fixed axes, the first channel first
                turn = Rotation.from_euler(channel[1], value[:, None], degrees=True) * turn
            elif channel[0] == "t":
                moved[:, "xyz".index(channel[1])] = value
            else:
                size = np.linalg.norm(bone.vector)
                vector = vector * ((size + value) / max(size, 1e-12))[:, None]
        local = own * turn * own.inv()
        if bone.parent < 0:
            turns.append(local)
            places[:, row] = moved
        else:
            turns.append(turns[bone.parent] * local)
            places[:, row] = places[:, bone.parent] + turns[row].apply(vector + moved)
    return places


def _is_motion(head: str) -> bool:
    first = r"^[^\S\n]*(#!OML:ASF|:FULLY-SPECIFIED|:DEGREES|:RADIANS)"
    return bool(re.search(first, head, re.IGNORECASE | re.MULTILINE))


def matches(path: Path, head: bytes) -> bool:
    """Whether a text begins as a motion (AMC) or a skeleton (ASF)."""
    text = head.decode(errors="replace")
    return _is_motion(text) or all(re.search(rf"^:({keys})", text, re.MULTILINE) for keys in ("version", "units|name"))


FORMAT = Format(
    name="acclaim",
    title="Acclaim ASF/AMC",
    matches=matches,
    read=read,
    pattern="*.amc",
    container="text",
    signature="text with :FULLY-SPECIFIED and :DEGREES, then frame numbers and bones (AMC), beside its .asf",
    needs=("fps",),
)
