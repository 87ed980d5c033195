"""Reads and writes BVH motion capture: a hierarchy of joints, rotations (and positions) per frame; y is up.

Numbers are centimetres unless `unit` is given, or only metres or millimetres make a body. End sites, named or not,
are not joints. A position channel replaces the OFFSET of any joint on its axis (Bandai-Namco files have six channels
on every joint). Rotations apply in the order of the channels. Channels of scale are left out, with a note, while they
stay the same; others are an error.

Written files hold one person, with the bones of the layout as hierarchy. The rest pose has the directions of the first
frame and the median bone lengths; twist about a bone is minimal. A joint whose rotated bone is off by more than
`TOLERANCE` in any frame also gets position channels, so that every motion reads back unchanged.
"""

import io
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from motionhub.data.formats.cells import decimal_points
from motionhub.data.formats.files import bad_file, note, numbers_of, read_text
from motionhub.data.formats.format import Format, ReadOptions, checked_joints, checked_size, rate_of
from motionhub.data.formats.upright import up_of, y_up
from motionhub.data.formats.writing import Writer, check_body_in_metres
from motionhub.skeletons.joint_names import VOCABULARY, joint_name, named_joints, record_names
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation


# fmt: off
_BANDAI = (
    "joint_Root", "Hips", "Spine", "Chest", "Neck", "Head", "Shoulder_L", "UpperArm_L", "LowerArm_L", "Hand_L",
    "Shoulder_R", "UpperArm_R", "LowerArm_R", "Hand_R", "UpperLeg_L", "LowerLeg_L", "Foot_L", "Toes_L", "UpperLeg_R",
    "LowerLeg_R", "Foot_R", "Toes_R",
)
# fmt: on
_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation", "scale")}
_FACTS = {
    "Frames": re.compile(r"frames\s*:\s*(\S+)", re.IGNORECASE),
    "Frame Time": re.compile(r"frame\s+time\s*:\s*(\S+)", re.IGNORECASE),
}
# Joints of a skeleton whose size tells its unit.
_FEWEST_OF_A_BODY = 10
# Larger numbers are no valid angles or positions.
_LARGEST = 1e12
# Metres per bone; errors do not add up along the chain.
TOLERANCE = 1e-4
# Weight of the previous rotation, which decides where the bones leave a degree of freedom.
_STEADINESS = 1e-6
_ROTATIONS: Final = "ZXY"


@dataclass
class Joint:
    """One joint of the hierarchy: parent, offset from the parent, and channels."""

    name: str
    parent: int
    offset: np.ndarray
    channels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Motion:
    """Joints (parents first), `(frames, channels)` in degrees and the file's unit of length, and seconds per frame."""

    joints: list[Joint]
    values: np.ndarray
    frame_time: float


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One person, `(1, frames, joints, 3)` metres, in the axes of the file; y is up unless the body stands otherwise.

    Bandai-Namco files have layout bandai-22. Others get a layout from their hierarchy, whose names are translated
    where `named_joints` knows them. A layout given as an option selects its joints by name, in the spelling of the
    file, by its own `names` or as translated; or it has as many joints, in the order of the file.
    """
    motion = load(path)
    names = tuple(joint.name for joint in motion.joints)
    own = own_layout(motion.joints)
    layout = options.layout_of(path, "bandai-22" if names == _BANDAI else None, assumed=own)
    order = _order(layout, names, own.joints)
    if order is None and layout.num_joints != len(names):
        lacking = [joint for joint in layout.joints if joint not in own.joints]
        reason = f"layout {layout.name!r} has {layout.num_joints} joints, but the file has {len(names)}: {names[:40]}"
        raise bad_file(path, "layout", f"{reason}, without {lacking[:8]}.")
    made = dict(zip(order or range(len(names)), layout.joints, strict=True))
    record_names(names, [made.get(row, "") for row in range(len(names))])
    points = positions(motion)
    rest = positions(Motion(motion.joints, np.zeros((1, motion.values.shape[1])), 1.0))
    if order is not None:
        points, rest = points[:, order], rest[:, order]
    up = up_of(path, layout.joints, points, "y", rest)
    unit = options.unit_of(path, assumed=_assumed_unit(path, rest))
    if motion.frame_time > 1:
        text = f"Frame Time is {motion.frame_time:g} seconds; if these are milliseconds"
        note(path, "Frame Time", f"{text}, sequence.replace(fps={1000 / motion.frame_time:.4g}) states the rate.")
    return [options.sequence(path, points, layout, fps=rate_of(motion.frame_time), unit=unit, up=up)]


def _assumed_unit(path: Path, rest: np.ndarray) -> str:
    """Centimetres, as most programs write; metres or millimetres, with a note, where only they make a body."""
    if rest.shape[1] < _FEWEST_OF_A_BODY:
        return "centimetre"
    size = float(np.ptp(rest[0], axis=0).max())
    unit = next((unit for unit, factor in (("metre", 1), ("millimetre", 1000)) if 0.6 <= size / factor <= 3), None)
    if unit is not None:
        text = f"no unit is stated; a body of {size:.4g} is read in {unit}s, not centimetres"
        note(path, "unit", f'{text}; unit="centimetre" reads it so.')
    return unit or "centimetre"


def _order(layout: SkeletonLayout, names: tuple[str, ...], own: tuple[str, ...]) -> list[int] | None:
    """The position in the file of each joint of the layout; None where the names do not tell."""
    stated = [layout.names.get(name, joint) for name, joint in zip(names, own, strict=True)]
    known = next((each for each in (list(names), stated) if {*layout.joints} <= {*each}), None)
    places = {joint: row for row, joint in enumerate(known or ())}
    return None if known is None else [places[joint] for joint in layout.joints]


def own_layout(joints: list[Joint]) -> SkeletonLayout:
    """The hierarchy as a layout; names of joints are translated where any limb is known.

    A name whose joint another name has already, such as Neck1 beside Neck, stays as it is.
    """
    given = [joint.name for joint in joints]
    found, spelled = named_joints(given), [joint_name(name) for name in given]
    names = given
    if any(joint and "_" in joint for joint in found.values()):
        names = [found[name] or (name if own in VOCABULARY else own) for name, own in zip(given, spelled, strict=True)]
    names = names if len({*names}) == len(names) else given
    bones = tuple((names[row], names[joint.parent]) for row, joint in enumerate(joints) if joint.parent >= 0)
    return SkeletonLayout(f"bvh-{len(names)}", tuple(names), bones, root=names[0])


def positions(motion: Motion) -> np.ndarray:
    """`(frames, joints, 3)` by forward kinematics, in the file's unit of length; NaN where a number is invalid."""
    from scipy.spatial.transform import Rotation  # imports in 0.3 s, too slow for `--help`

    frames, broken = len(motion.values), ~(np.abs(motion.values) < _LARGEST).all(axis=1)
    values = np.where(broken[:, None], 0.0, motion.values)
    places = np.empty((frames, len(motion.joints), 3))
    turns: list[Rotation] = []
    columns = iter(range(values.shape[1]))
    with np.errstate(invalid="ignore", over="ignore"):
        for row, joint in enumerate(motion.joints):
            local, turn = np.tile(joint.offset, (frames, 1)), Rotation.identity(frames)
            for channel in joint.channels:
                column, axis = next(columns), channel[0]
                if channel.endswith("position"):
                    local[:, "XYZ".index(axis)] = values[:, column]
                elif channel.endswith("rotation"):
                    turn = turn * Rotation.from_euler(axis, values[:, column : column + 1], degrees=True)
            if joint.parent < 0:
                places[:, row] = local
                turns.append(turn)
            else:
                places[:, row] = places[:, joint.parent] + turns[joint.parent].apply(local)
                turns.append(turns[joint.parent] * turn)
    places[broken] = np.nan
    return places


class _Tokens:
    """Tokens of the hierarchy one by one, with errors that name the line."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path = path
        self.tokens = [(number, word) for number, line in enumerate(lines, 1) for word in line.split()]
        self.position = 0

    def take(self, what: str) -> str:
        if self.position == len(self.tokens):
            raise bad_file(self.path, "hierarchy", f"ends where {what} should follow; the file is cut off.")
        self.position += 1
        return self.tokens[self.position - 1][1]

    def error(self, reason: str) -> ValueError:
        return bad_file(self.path, f"line {self.tokens[self.position - 1][0]}", reason)

    def expect(self, word: str) -> None:
        got = self.take(word)
        if got.upper() != word.upper():
            raise self.error(f"expected {word}, got {got[:40]!r}.")

    def name(self, what: str) -> str:
        """The words up to the end of the line or the brace that opens the joint."""
        words = [self.take(what)]
        line = self.tokens[self.position - 1][0]
        while self.position < len(self.tokens) and self.tokens[self.position] != (line, "{"):
            if self.tokens[self.position][0] != line:
                break
            words.append(self.take(what))
        return " ".join(words)

    def number(self, what: str) -> float:
        word = self.take(what)
        try:
            return float(decimal_points(word))
        except ValueError:
            raise self.error(f"expected {what} (a number), got {word[:40]!r}.") from None


def load(path: Path) -> Motion:
    """The hierarchy and motion of a BVH file. Raises a one-line ValueError that names file and line."""
    lines = read_text(path).splitlines()
    start = next((row for row, line in enumerate(lines) if line.strip().upper() == "MOTION"), None)
    if start is None:
        raise bad_file(path, f"line {len(lines)}", "the file ends without MOTION; it is cut off, or is no BVH.")
    joints = _hierarchy(_Tokens(path, lines[:start]))
    width = sum(len(joint.channels) for joint in joints)
    filled = [(number, line) for number, line in enumerate(lines[start + 1 :], start + 2) if line.strip()]
    facts, rows = [*filled[:2], *[(len(lines), "")] * 2], filled[2:]
    frames = int(_fact(path, *facts[0], "Frames"))
    frame_time = _fact(path, *facts[1], "Frame Time")
    if len(rows) != frames or width == 0:
        reason = f"expected {frames} frames of {width} channels, got {len(rows)} lines"
        raise bad_file(path, f"line {len(lines)}", f"{reason}; the file is cut off or corrupt.")
    checked_size(path, frames, len(joints), 6)  # positions and orientations
    values = np.array([numbers_of(path, number, decimal_points(line), width) for number, line in rows])
    _check_scales(path, joints, values)
    return Motion(joints, values, frame_time)


def _check_scales(path: Path, joints: list[Joint], values: np.ndarray) -> None:
    channels = [(joint.name, channel) for joint in joints for channel in joint.channels]
    scales = [column for column, (_, channel) in enumerate(channels) if channel.endswith("scale")]
    if not scales:
        return
    changes = [column for column in scales if not np.allclose(values[:, column], values[0, column], atol=1e-3)]
    if changes:
        reason = f"the scale of joint {channels[changes[0]][0]!r} changes over time; export without scale channels."
        raise bad_file(path, "channels", reason)
    if not np.allclose(values[:, scales], 1, atol=1e-3):
        text = "constant channels of scale other than 1 are left out; bone lengths are those of OFFSET."
        note(path, "channels", text)


def _fact(path: Path, number: int, line: str, key: str) -> float:
    text = line.strip()
    found = _FACTS[key].fullmatch(text)
    try:
        value = float(decimal_points(found[1])) if found else 0.0
    except ValueError:
        value = 0.0
    if not 1e-6 < value < 1e9:
        raise bad_file(path, f"line {number}", f"expected '{key}:' and a positive number, got {text[:40]!r}.")
    return value


def _hierarchy(tokens: _Tokens) -> list[Joint]:
    """The joints in the order of the file. No recursion, so that deep nesting does not overflow the stack."""
    tokens.expect("HIERARCHY")
    tokens.expect("ROOT")
    joints, opened = [_joint(tokens, -1)], [0]
    while opened:
        word = tokens.take("'}'")
        keyword = word.upper()
        if word == "}":
            opened.pop()
        elif keyword == "JOINT":
            joints.append(_joint(tokens, opened[-1]))
            checked_joints(tokens.path, len(joints))
            opened.append(len(joints) - 1)
        elif keyword == "END":
            if not tokens.name("Site").upper().startswith("SITE"):
                raise tokens.error("expected End Site.")
            tokens.expect("{")
            _offset(tokens)
            tokens.expect("}")
        elif keyword == "CHANNELS" and not joints[opened[-1]].channels:
            joints[opened[-1]].channels = _channels(tokens)
        else:
            raise tokens.error(f"expected JOINT, End Site, CHANNELS or '}}', got {word[:40]!r}.")
    if tokens.position < len(tokens.tokens):
        raise tokens.error("expected MOTION after the root; several roots in a file are not read.")
    names = [joint.name for joint in joints]
    if len(set(names)) < len(names):
        raise tokens.error("several joints have the same name.")
    return joints


def _joint(tokens: _Tokens, parent: int) -> Joint:
    name = tokens.name("a joint's name")
    tokens.expect("{")
    return Joint(name, parent, _offset(tokens))


def _offset(tokens: _Tokens) -> np.ndarray:
    tokens.expect("OFFSET")
    return np.array([tokens.number("an offset") for _ in range(3)])


def _channels(tokens: _Tokens) -> list[str]:
    count = tokens.number("the number of channels")
    if count not in range(0, 13):
        raise tokens.error(f"expected 0 to 12 channels, got {count:g}.")
    channels = [tokens.take("a channel").capitalize() for _ in range(int(count))]
    unknown = sorted({*channels} - _CHANNELS)
    if unknown:
        raise tokens.error(f"expected channels such as Xposition or Zrotation, got {unknown[:3]}.")
    return channels


def encode(sequence: SkeletonSequence) -> bytes:
    """The text of the file. Joints are in the order of the hierarchy, under the layout's names.

    Reading gives them back by name: `motionhub.read(path, layout=...)`.
    """
    check_body_in_metres(sequence, "BVH")
    sequence = y_up(sequence, "BVH")
    share = np.mean(~sequence.joint_mask, axis=(0, 1))
    if share.any():
        worst = [sequence.layout.joints[row] for row in np.argsort(-share, kind="stable") if share[row]]
        reason = f"BVH needs every joint in every frame, but {len(worst)} are missing in some ({worst[:4]})"
        raise ValueError(f"{reason}; convert to a layout without them, fill the gaps, or write .npz or .csv.")
    order, parents = _tree(sequence.layout)
    places = sequence.keypoints[0].astype(np.float64)[:, order]
    offsets = _rest(parents, places)
    locals_, moved, turns = _solve(parents, places, offsets)
    joints: list[Joint] = []
    columns: list[np.ndarray] = []
    for row, parent in enumerate(parents):
        name = "_".join(sequence.layout.joints[order[row]].split())
        channels = [f"{axis}position" for axis in "XYZ" if moved[row]] + [f"{axis}rotation" for axis in _ROTATIONS]
        joints.append(Joint(name, parent, 100 * offsets[row], channels))
        columns += [100 * locals_[row]] if moved[row] else []
        own = turns[row] if parent < 0 else turns[parent].inv() * turns[row]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # gimbal lock: any of the equal solutions will do
            columns.append(own.as_euler(_ROTATIONS, degrees=True))
    text = io.StringIO()
    text.write("HIERARCHY\n" + "\n".join(_lines(joints, 0, "")) + "\n")
    text.write(f"MOTION\nFrames: {len(places)}\nFrame Time: {1 / sequence.fps}\n")
    np.savetxt(text, np.concatenate(columns, axis=1), fmt="%.6f")
    return text.getvalue().encode()


def _tree(layout: SkeletonLayout) -> tuple[list[int], list[int]]:
    """The joints depth first, and the position of each one's parent; unconnected joints are children of the root."""
    near: list[list[int]] = [[] for _ in layout.joints]
    for child, parent in layout.bone_indices.tolist():
        near[child].append(parent)
        near[parent].append(child)
    order: list[int] = []
    parents: list[int] = []
    for start in (layout.index(layout.root), *range(layout.num_joints)):
        pending = [(start, 0 if order else -1)]
        while pending:
            joint, parent = pending.pop()
            if joint not in order:
                order.append(joint)
                parents.append(parent)
                pending += [(other, len(order) - 1) for other in sorted(near[joint], reverse=True)]
    return order, parents


def _rest(parents: list[int], places: np.ndarray) -> np.ndarray:
    """`(joints, 3)`: first direction and median length of each bone; zero for the root."""
    offsets = np.zeros((len(parents), 3))
    for row, parent in enumerate(parents):
        if parent >= 0:
            bone = places[:, row] - places[:, parent]
            lengths = np.linalg.norm(bone, axis=-1)
            first = int(np.argmax(lengths > 0))
            offsets[row] = bone[first] * np.median(lengths) / max(lengths[first], 1e-12)
    return offsets


def _solve(
    parents: list[int], places: np.ndarray, offsets: np.ndarray
) -> tuple[list[np.ndarray], list[bool], list["Rotation"]]:
    """Of each joint: local positions, whether it has position channels, and global rotations, per frame."""
    from scipy.spatial.transform import Rotation

    reached, locals_, moved = np.array(places), [], []
    turns: list[Rotation] = []
    for row, parent in enumerate(parents):
        if parent < 0:
            local, before, positioned = places[:, row], Rotation.identity(len(places)), True
        else:
            before = turns[parent]
            # Relative to the written parent, so that errors do not add up.
            local = before.inv().apply(places[:, row] - reached[:, parent])
            positioned = bool(np.linalg.norm(local - offsets[row], axis=-1).max() > TOLERANCE)
            local = local if positioned else np.tile(offsets[row], (len(places), 1))
            reached[:, row] = reached[:, parent] + before.apply(local)
        locals_.append(local)
        moved.append(positioned)
        children = [child for child, above in enumerate(parents) if above == row]
        turns.append(_turn(before, offsets[children], places[:, children] - reached[:, row, None]))
    return locals_, moved, turns


def _turn(before: "Rotation", rest: np.ndarray, bones: np.ndarray) -> "Rotation":
    """The rotation of a joint in each frame from `rest` `(children, 3)` to `bones` `(frames, children, 3)`."""
    from scipy.spatial.transform import Rotation

    if len(rest) == 0:
        return before
    if len(rest) == 1:
        return _smallest(before.apply(np.tile(rest, (len(bones), 1))), bones[:, 0]) * before
    turns, last = [], np.eye(3)
    weights = [*np.ones(len(rest)), *3 * [_STEADINESS]]
    for bone in bones:
        turn, _ = Rotation.align_vectors(np.concatenate([bone, last.T]), np.concatenate([rest, np.eye(3)]), weights)
        last = turn.as_matrix()
        turns.append(last)
    return Rotation.from_matrix(np.array(turns))


def _smallest(start: np.ndarray, end: np.ndarray) -> "Rotation":
    """The smallest rotations from directions `start` to `end` `(frames, 3)`; identity where a length is zero."""
    from scipy.spatial.transform import Rotation

    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis, axis=-1), (start * end).sum(axis=-1)
    # For half a turn any axis perpendicular to the bone will do.
    aside = np.cross(start, np.eye(3)[np.abs(start).argmin(axis=-1)])
    opposite = (sine <= 1e-12 * lengths) & (cosine < 0)
    axis = np.where(opposite[:, None], aside, axis)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-300)
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)[:, None])


def _lines(joints: list[Joint], row: int, indent: str) -> list[str]:
    """The lines of a joint and its descendants."""
    joint, inner = joints[row], indent + "  "
    lines = [
        f"{indent}{'ROOT' if joint.parent < 0 else 'JOINT'} {joint.name}",
        f"{indent}{{",
        f"{inner}OFFSET {' '.join(f'{number:.6f}' for number in joint.offset)}",
        f"{inner}CHANNELS {len(joint.channels)} {' '.join(joint.channels)}",
    ]
    children = [child for child, other in enumerate(joints) if other.parent == row]
    for child in children:
        lines += _lines(joints, child, inner)
    if not children:
        lines += [f"{inner}End Site", f"{inner}{{", f"{inner}  OFFSET 0.000000 0.000000 0.000000", f"{inner}}}"]
    return [*lines, f"{indent}}}"]


def matches(path: Path, head: bytes) -> bool:
    """Whether a file begins with the hierarchy of a BVH."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].upper() == b"HIERARCHY"


FORMAT = Format(
    name="bvh",
    title="BVH motion capture",
    matches=matches,
    read=read,
    pattern="*.bvh",
    container="text",
    signature="text that starts with HIERARCHY, joints with OFFSET and CHANNELS, then MOTION",
    writer=Writer("bvh", "BVH motion capture", ".bvh", encode),
)
