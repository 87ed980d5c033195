"""BVH motion capture, read and written: a hierarchy of joints, rotations (and positions) per frame.

The format has no unit: numbers are centimetres, as nearly all exporters write them, unless the caller gives another
unit. End sites have no name and are not joints. A position channel replaces the joint's OFFSET on its axis, on any
joint, not only the root (Bandai-Namco files have six channels on every joint). Rotations are applied in the order in
which the file lists their channels.

Written files hold one person, the layout's bones as the hierarchy. The rest pose is the first frame's directions with
the median bone lengths. Positions do not tell how a bone turns about itself; the smallest turn is taken. A joint whose
rotated bone is off by more than `TOLERANCE` in any frame (it changes its length, or moves against its siblings) has
position channels besides, so that every motion reads back as it was.
"""

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from motionhub.data.formats.files import bad_file, read_text
from motionhub.data.formats.format import Format, ReadOptions, checked_size, joint_name, rate_of
from motionhub.data.formats.writing import Writer, check_body_in_metres
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation


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
# Metres, for one bone; those further up the chain do not add to it.
TOLERANCE = 1e-4
# How much the turn of the frame before counts where the bones leave one open: enough to choose, too little to bend.
_STEADINESS = 1e-6
_ROTATIONS: Final = "ZXY"


@dataclass
class Joint:
    """One joint of the hierarchy: its place relative to its parent, and what the motion has of it."""

    name: str
    parent: int
    offset: np.ndarray
    channels: list[str] = field(default_factory=list)


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

    The layout is bandai-22 for that dataset's names. Other files get a layout made of their own hierarchy, in which
    Mixamo's names (also LAFAN1's, CMU's) are turned into the library's; a layout given as an option must have the
    same joints by name, in any order, or the same number of joints in the file's order.
    """
    motion = load(path)
    names = tuple(joint.name for joint in motion.joints)
    stated = "bandai-22" if names == _BANDAI else None
    layout = options.layout_of(path, stated, assumed=own_layout(motion.joints))
    if layout.num_joints != len(names):
        has = f"the file has {len(names)}: {list(names)[:40]}"
        raise bad_file(path, "layout", f"layout {layout.name!r} has {layout.num_joints} joints, but {has}.")
    order = [names.index(joint) for joint in layout.joints] if {*names} == {*layout.joints} else slice(None)
    points, unit = positions(motion)[:, order], options.unit_of(path, assumed="centimetre")
    return [options.sequence(path, points, layout, fps=rate_of(motion.frame_time), unit=unit)]


def own_layout(joints: list[Joint]) -> SkeletonLayout:
    """The hierarchy as a layout; names keep the file's spelling unless they are Mixamo's."""
    spelled = [joint_name(joint.name) for joint in joints]
    names = [_MIXAMO.get(name, name) for name in spelled]
    if not set(_MIXAMO_LIMBS) <= set(spelled) or len({*names}) < len(names):
        names = [joint.name for joint in joints]
    bones = tuple((names[row], names[joint.parent]) for row, joint in enumerate(joints) if joint.parent >= 0)
    return SkeletonLayout(f"bvh-{len(names)}", tuple(names), bones, root=names[0])


def positions(motion: Motion) -> np.ndarray:
    """`(frames, joints, 3)` by forward kinematics, in the file's unit of length; NaN where a number is broken."""
    from scipy.spatial.transform import Rotation  # takes 0.3 s, more than the help of a command may

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
        reason = f"expected {frames} frames of {width} channels, got {len(rows)} lines"
        raise bad_file(path, f"line {len(lines)}", f"{reason}; the file is cut off or corrupt.")
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


def encode(sequence: SkeletonSequence) -> bytes:
    """The text of the file. Joints are in the order of the hierarchy, under the layout's names.

    Reading gives them back by name: `motionhub.read(path, layout=...)`.
    """
    check_body_in_metres(sequence, "BVH")
    share = np.mean(~sequence.joint_mask, axis=(0, 1))
    if share.any():
        worst = [sequence.layout.joints[row] for row in np.argsort(-share, kind="stable") if share[row]]
        reason = f"BVH cannot leave a joint out of a frame, but {len(worst)} are missing in some ({worst[:4]})"
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
            warnings.simplefilter("ignore")  # gimbal lock: one of the equal answers is as good as another
            columns.append(own.as_euler(_ROTATIONS, degrees=True))
    text = io.StringIO()
    text.write("HIERARCHY\n" + "\n".join(_lines(joints, 0, "")) + "\n")
    text.write(f"MOTION\nFrames: {len(places)}\nFrame Time: {1 / sequence.fps}\n")
    np.savetxt(text, np.concatenate(columns, axis=1), fmt="%.6f")
    return text.getvalue().encode()


def _tree(layout: SkeletonLayout) -> tuple[list[int], list[int]]:
    """The joints depth first, and the place of each one's parent; joints without a way to the root hang on it."""
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
    """`(joints, 3)`: each bone in its first direction, with its median length; zero for the root."""
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
    """Of each joint: place relative to its parent, whether it has position channels, and turn in space, per frame."""
    from scipy.spatial.transform import Rotation

    reached, locals_, moved = np.array(places), [], []
    turns: list[Rotation] = []
    for row, parent in enumerate(parents):
        if parent < 0:
            local, before, positioned = places[:, row], Rotation.identity(len(places)), True
        else:
            before = turns[parent]
            # From where the file puts the parent, not from where it was: no error is handed on.
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
    """The turn of a joint in each frame, which takes `rest` `(children, 3)` to `bones` `(frames, children, 3)`."""
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
    """The smallest turns from the directions `start` to `end` `(frames, 3)`; none where one has no length."""
    from scipy.spatial.transform import Rotation

    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis, axis=-1), (start * end).sum(axis=-1)
    # Half a turn has no axis of its own: any at right angles to the bone will do.
    aside = np.cross(start, np.eye(3)[np.abs(start).argmin(axis=-1)])
    opposite = (sine <= 1e-12 * lengths) & (cosine < 0)
    axis = np.where(opposite[:, None], aside, axis)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-300)
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)[:, None])


def _lines(joints: list[Joint], row: int, indent: str) -> list[str]:
    """The lines of one joint and of those below it."""
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
    return head.lstrip().startswith(b"HIERARCHY")


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
