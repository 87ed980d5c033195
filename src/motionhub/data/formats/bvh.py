"""Reads BVH motion capture: a hierarchy of joints, rotations (and positions) per frame, forward kinematics.

It does not know meshes nor units: the format has none. Numbers are taken for centimetres, as nearly all exporters
write them, unless the caller gives another unit. End sites have no name and are not joints.

A position channel replaces the joint's OFFSET on its axis, on any joint, not only the root (Bandai-Namco files have
six channels on every joint). Rotations are applied in the order in which the file lists their channels.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from motionhub.data.formats import bvh_writer
from motionhub.data.formats.files import bad_file, read_text
from motionhub.data.formats.format import Format, ReadOptions, checked_size, joint_name, rate_of
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


_SIDED = {
    "up_leg": "hip",
    "leg": "knee",
    "foot": "ankle",
    "toe_base": "foot",
    "toe": "foot",
    "shoulder": "collar",
    "arm": "shoulder",
    "fore_arm": "elbow",
    "hand": "wrist",
}
# A joint is where its part begins: what Mixamo, LAFAN1 and CMU call LeftArm turns at the left shoulder.
_MIXAMO = {f"{side}_{part}": f"{side}_{joint}" for side in ("left", "right") for part, joint in _SIDED.items()}
_MIXAMO_LIMBS = tuple(name for name in _MIXAMO if not name.endswith(("toe", "toe_base", "shoulder")))
# fmt: off
_BANDAI = (
    "joint_Root", "Hips", "Spine", "Chest", "Neck", "Head", "Shoulder_L", "UpperArm_L", "LowerArm_L", "Hand_L",
    "Shoulder_R", "UpperArm_R", "LowerArm_R", "Hand_R", "UpperLeg_L", "LowerLeg_L", "Foot_L", "Toes_L", "UpperLeg_R",
    "LowerLeg_R", "Foot_R", "Toes_R",
)
# fmt: on
_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}

# Beyond it a number is no angle and no place, and sines lose their meaning.
_LARGEST = 1e12


@dataclass
class Joint:
    """One joint of the hierarchy: its place relative to its parent, and its columns in the motion."""

    name: str
    parent: int
    offset: np.ndarray
    channels: list[str] = field(default_factory=list)
    first: int = 0


@dataclass(frozen=True)
class Motion:
    """A BVH file's content.

    Args:
        joints: parents before children.
        values: `(frames, channels)`, degrees and the file's unit of length.
        frame_time: seconds.
    """

    joints: list[Joint]
    values: np.ndarray
    frame_time: float


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One person, `(1, frames, joints, 3)` metres, in the file's axes (usually y up).

    The layout is bandai-22 for that data set's names. Other files get a layout made of their own hierarchy, in which
    Mixamo's names (also LAFAN1's, CMU's) are turned into the library's; a layout given as an option must have the
    same joints by name, in any order, or the same number of joints in the file's order.
    """
    motion = load(path)
    names = tuple(joint.name for joint in motion.joints)
    stated = "bandai-22" if names == _BANDAI else None
    layout = options.layout_of(path, stated, assumed=own_layout(motion.joints))
    if layout.num_joints != len(names):
        reason = (
            f"layout {layout.name!r} has {layout.num_joints} joints, but the file {len(names)}: {list(names)[:40]}."
        )
        raise bad_file(path, "layout", reason)
    order = [names.index(joint) for joint in layout.joints] if {*names} == {*layout.joints} else slice(None)
    points, unit = positions(motion)[:, order], options.unit_of(path, assumed="centimetre")
    return [options.sequence(path, points, layout, fps=rate_of(motion.frame_time), unit=unit)]


def own_layout(joints: list[Joint]) -> SkeletonLayout:
    """The hierarchy as a layout; names keep the file's spelling unless they are Mixamo's."""
    spelled = [joint_name(joint.name) for joint in joints]
    if set(_MIXAMO_LIMBS) <= set(spelled) and len({*map(_mixamo, spelled)}) == len(spelled):
        names = [_mixamo(name) for name in spelled]
    else:
        names = [joint.name for joint in joints]
    bones = tuple((names[row], names[joint.parent]) for row, joint in enumerate(joints) if joint.parent >= 0)
    return SkeletonLayout(f"bvh-{len(names)}", tuple(names), bones, root=names[0])


def _mixamo(name: str) -> str:
    return _MIXAMO.get(name, name)


def positions(motion: Motion) -> np.ndarray:
    """`(frames, joints, 3)` by forward kinematics, in the file's unit of length; NaN where a number is broken."""
    frames, broken = len(motion.values), ~(np.abs(motion.values) < _LARGEST).all(axis=1)
    values = np.where(broken[:, None], 0.0, motion.values)
    places = np.empty((frames, len(motion.joints), 3))
    turns: list[Rotation] = []
    with np.errstate(invalid="ignore", over="ignore"):
        for row, joint in enumerate(motion.joints):
            local, turn = np.tile(joint.offset, (frames, 1)), Rotation.identity(frames)
            for column, channel in enumerate(joint.channels, joint.first):
                axis = channel[0]
                if channel.endswith("position"):
                    local[:, "XYZ".index(axis)] = values[:, column]
                else:
                    turn = turn * Rotation.from_euler(axis, values[:, column : column + 1], degrees=True)
            if joint.parent < 0:
                places[:, row] = local
                turns.append(turn)
            else:
                places[:, row] = places[:, joint.parent] + turns[joint.parent].apply(local)
                turns.append(turns[joint.parent] * turn)
    places[broken] = np.nan
    return places


class _Words:
    """The words of the hierarchy one by one, with errors that name the line."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path = path
        self.words = [(number, word) for number, line in enumerate(lines, 1) for word in line.split()]
        self.position = 0

    def take(self, what: str) -> str:
        if self.position == len(self.words):
            raise bad_file(self.path, "hierarchy", f"ends where {what} should follow; the file is cut off.")
        self.position += 1
        return self.words[self.position - 1][1]

    def error(self, reason: str) -> ValueError:
        return bad_file(self.path, f"line {self.words[self.position - 1][0]}", reason)

    def expect(self, word: str) -> None:
        got = self.take(word)
        if got != word:
            raise self.error(f"expected {word}, got {got[:40]!r}.")

    def number(self, what: str) -> float:
        word = self.take(what)
        try:
            return float(word)
        except ValueError:
            raise self.error(f"expected {what} (a number), got {word[:40]!r}.") from None


def load(path: Path) -> Motion:
    """The hierarchy and the motion in a BVH file. Raises a one-line ValueError that names file and line."""
    lines = read_text(path).splitlines()
    start = next((row for row, line in enumerate(lines) if line.strip() == "MOTION"), None)
    if start is None:
        raise bad_file(path, f"line {len(lines)}", "the file ends without MOTION; it is cut off, or is no BVH.")
    joints = _hierarchy(_Words(path, lines[:start]))
    width = sum(len(joint.channels) for joint in joints)
    frames = int(_fact(path, lines, start + 1, "Frames:"))
    frame_time = _fact(path, lines, start + 2, "Frame Time:")
    rows = [(number, line) for number, line in enumerate(lines[start + 3 :], start + 4) if line.strip()]
    if len(rows) != frames or width == 0:
        reason = (
            f"expected {frames} frames of {width} channels, got {len(rows)} lines; the file is cut off or corrupt."
        )
        raise bad_file(path, f"line {len(lines)}", reason)
    checked_size(path, frames, len(joints), 6)  # positions, and the orientations on the way to them
    values = np.stack([_row(path, number, line, width) for number, line in rows])
    return Motion(joints, values, frame_time)


def _fact(path: Path, lines: list[str], row: int, key: str) -> float:
    text = lines[row].strip() if row < len(lines) else ""
    try:
        value = float(text.removeprefix(key)) if text.startswith(key) else 0.0
    except ValueError:
        value = 0.0
    if not 1e-6 < value < 1e9:
        raise bad_file(path, f"line {row + 1}", f"expected '{key}' and a positive number, got {text[:40]!r}.")
    return value


def _row(path: Path, number: int, line: str, width: int) -> np.ndarray:
    try:
        values = np.array([float(word) for word in line.split()])
    except ValueError as error:
        raise bad_file(path, f"line {number}", f"expected numbers ({error}).") from None
    if len(values) != width:
        raise bad_file(path, f"line {number}", f"expected {width} numbers, got {len(values)}; cut off?")
    return values


def _hierarchy(words: _Words) -> list[Joint]:
    """The joints in the file's order. Nesting is followed by a list of open joints: its depth is unlimited."""
    words.expect("HIERARCHY")
    words.expect("ROOT")
    joints, opened = [_joint(words, -1)], [0]
    while opened:
        word = words.take("'}'")
        if word == "}":
            opened.pop()
        elif word == "JOINT":
            joints.append(_joint(words, opened[-1]))
            opened.append(len(joints) - 1)
        elif word == "End":
            words.expect("Site")
            words.expect("{")
            _offset(words)
            words.expect("}")
        elif word == "CHANNELS" and not joints[opened[-1]].channels:
            joints[opened[-1]].channels = _channels(words)
        else:
            raise words.error(f"expected JOINT, End Site, CHANNELS or '}}', got {word[:40]!r}.")
    if words.position < len(words.words):
        raise words.error("expected MOTION after the root; several roots in a file are not read.")
    names = [joint.name for joint in joints]
    if len(set(names)) < len(names):
        raise words.error("several joints have the same name.")
    first = 0
    for joint in joints:
        joint.first, first = first, first + len(joint.channels)
    return joints


def _joint(words: _Words, parent: int) -> Joint:
    name = words.take("a joint's name")
    words.expect("{")
    return Joint(name, parent, _offset(words))


def _offset(words: _Words) -> np.ndarray:
    words.expect("OFFSET")
    return np.array([words.number("an offset") for _ in range(3)])


def _channels(words: _Words) -> list[str]:
    count = words.number("the number of channels")
    if count not in range(0, 13):
        raise words.error(f"expected 0 to 12 channels, got {count:g}.")
    channels = [words.take("a channel") for _ in range(int(count))]
    unknown = sorted({*channels} - _CHANNELS)
    if unknown:
        raise words.error(f"expected channels such as Xposition or Zrotation, got {unknown[:3]}.")
    return channels


def matches(path: Path, head: bytes) -> bool:
    return head.lstrip().startswith(b"HIERARCHY")


FORMAT = Format(
    name="bvh",
    title="BVH motion capture",
    matches=matches,
    read=read,
    pattern="*.bvh",
    container="text",
    signature="text that starts with HIERARCHY, joints with OFFSET and CHANNELS, then MOTION",
    writer=bvh_writer.WRITER,
)
