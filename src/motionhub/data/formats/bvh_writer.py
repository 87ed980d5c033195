"""Writes BVH motion capture of one person in space: the layout's bones as the hierarchy, rotations per frame, in cm.

It does not know a rest pose: that is the first frame's directions with the median bone lengths. Positions do not tell
how a bone turns about itself; the smallest turn is taken. A joint whose rotated bone is off by more than `TOLERANCE`
in any frame (a bone that changes its length, or moves against its siblings) has position channels besides, as in
Bandai-Namco's files, so that every motion reads back as it was.
"""

import io
import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from motionhub.data.formats.format import WriteOption, Writer
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# Metres, for one bone; those further up the chain do not add to it.
TOLERANCE = 1e-4
# How much the turn of the frame before counts where the bones leave one open: enough to choose, too little to bend.
_STEADINESS = 1e-6
_ROTATIONS: Final = "ZXY"


@dataclass
class _Node:
    """One joint of the file: `parent` and `children` are positions in the file's order, `joint` that in the layout."""

    joint: int
    parent: int
    children: list[int]


def encode(sequence: SkeletonSequence) -> bytes:
    """The text of the file. Joints are in the order of the hierarchy, under the layout's names.

    Reading gives them back by name: `motionhub.read(path, layout=...)`.
    """
    _check(sequence)
    nodes = _hierarchy(sequence.layout)
    places = sequence.keypoints[0].astype(np.float64)[:, [node.joint for node in nodes]]
    offsets = _rest(nodes, places)
    locals_, moved, turns = _solve(nodes, places, offsets)
    columns: list[np.ndarray] = []
    for row, node in enumerate(nodes):
        if moved[row]:
            columns.append(100 * locals_[row])
        own = turns[row] if node.parent < 0 else turns[node.parent].inv() * turns[row]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # gimbal lock: one of the equal answers is as good as another
            columns.append(own.as_euler(_ROTATIONS, degrees=True))
    text = io.StringIO()
    text.write("HIERARCHY\n" + "\n".join(_lines(nodes, sequence.layout, 100 * offsets, moved, 0, "")) + "\n")
    text.write(f"MOTION\nFrames: {len(places)}\nFrame Time: {1 / sequence.fps}\n")
    np.savetxt(text, np.concatenate(columns, axis=1), fmt="%.6f")
    return text.getvalue().encode()


def _check(sequence: SkeletonSequence) -> None:
    if sequence.num_dims != 3:
        raise ValueError("BVH holds rotations in space, which 2-D keypoints do not tell; write .npz, .csv or .json.")
    if sequence.unit != "metre":
        raise ValueError(f"BVH holds lengths, got {sequence.unit!r}; scale to metres, or write .npz or .csv.")
    if sequence.num_people != 1:
        reason = f"BVH holds one person, got {sequence.num_people}"
        raise WriteOption(f"{reason}; write sequence.person(0), sequence.person(1), ... each.", "person")
    if not sequence.num_frames:
        raise ValueError("BVH needs a frame, got an empty sequence; write .npz.")
    share = np.mean(~sequence.joint_mask, axis=(0, 1))
    if share.any():
        worst = [sequence.layout.joints[row] for row in np.argsort(-share, kind="stable") if share[row]]
        reason = f"BVH cannot leave a joint out of a frame, but {len(worst)} are missing in some ({worst[:4]})"
        raise ValueError(f"{reason}; convert to a layout without them, fill the gaps, or write .npz or .csv.")


def _hierarchy(layout: SkeletonLayout) -> list[_Node]:
    """The bones as a tree from the layout's root, depth first; joints without a way to it hang on the root."""
    near: list[list[int]] = [[] for _ in layout.joints]
    for child, parent in layout.bone_indices.tolist():
        near[child].append(parent)
        near[parent].append(child)
    nodes: list[_Node] = []
    seen: set[int] = set()
    root = layout.index(layout.root)
    for start in (root, *range(layout.num_joints)):
        pending = [(start, 0 if nodes else -1)]
        while pending:
            joint, parent = pending.pop()
            if joint in seen:
                continue
            seen.add(joint)
            if parent >= 0:
                nodes[parent].children.append(len(nodes))
            nodes.append(_Node(joint, parent, []))
            pending += [(other, len(nodes) - 1) for other in sorted(near[joint], reverse=True)]
    return nodes


def _rest(nodes: list[_Node], places: np.ndarray) -> np.ndarray:
    """`(joints, 3)`: each bone in its first direction, with its median length; zero for the root."""
    offsets = np.zeros((len(nodes), 3))
    for row, node in enumerate(nodes):
        if node.parent >= 0:
            bone = places[:, row] - places[:, node.parent]
            lengths = np.linalg.norm(bone, axis=-1)
            first = int(np.argmax(lengths > 0))
            offsets[row] = bone[first] * np.median(lengths) / max(lengths[first], 1e-12)
    return offsets


def _solve(
    nodes: list[_Node], places: np.ndarray, offsets: np.ndarray
) -> tuple[list[np.ndarray], list[bool], list[Rotation]]:
    """Of each joint: place relative to its parent, whether it has position channels, and turn in space, per frame."""
    reached, locals_, moved = np.array(places), [], []
    turns: list[Rotation] = []
    for row, node in enumerate(nodes):
        if node.parent < 0:
            local, before, positioned = places[:, row], Rotation.identity(len(places)), True
        else:
            before = turns[node.parent]
            # From where the file puts the parent, not from where it was: no error is handed on.
            local = before.inv().apply(places[:, row] - reached[:, node.parent])
            positioned = bool(np.linalg.norm(local - offsets[row], axis=-1).max() > TOLERANCE)
            local = local if positioned else np.tile(offsets[row], (len(places), 1))
            reached[:, row] = reached[:, node.parent] + before.apply(local)
        locals_.append(local)
        moved.append(positioned)
        bones = places[:, node.children] - reached[:, row, None]
        turns.append(_turn(before, offsets[node.children], bones))
    return locals_, moved, turns


def _turn(before: Rotation, rest: np.ndarray, bones: np.ndarray) -> Rotation:
    """The turn of a joint in each frame, which takes `rest` `(children, 3)` to `bones` `(frames, children, 3)`."""
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


def _smallest(start: np.ndarray, end: np.ndarray) -> Rotation:
    """The smallest turns from the directions `start` to `end` `(frames, 3)`; none where one has no length."""
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis, axis=-1), (start * end).sum(axis=-1)
    # Half a turn has no axis of its own: any at right angles to the bone will do.
    aside = np.cross(start, np.eye(3)[np.abs(start).argmin(axis=-1)])
    opposite = (sine <= 1e-12 * lengths) & (cosine < 0)
    axis = np.where(opposite[:, None], aside, axis)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-300)
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)[:, None])


def _lines(
    nodes: list[_Node], layout: SkeletonLayout, offsets: np.ndarray, moved: list[bool], row: int, indent: str
) -> list[str]:
    """The lines of one joint and of those below it."""
    node, inner = nodes[row], indent + "  "
    name = "_".join(layout.joints[node.joint].split())
    channels = (["Xposition", "Yposition", "Zposition"] if moved[row] else []) + [f"{a}rotation" for a in _ROTATIONS]
    lines = [
        f"{indent}{'ROOT' if node.parent < 0 else 'JOINT'} {name}",
        f"{indent}{{",
        f"{inner}OFFSET {' '.join(f'{number:.6f}' for number in offsets[row])}",
        f"{inner}CHANNELS {len(channels)} {' '.join(channels)}",
    ]
    for child in node.children:
        lines += _lines(nodes, layout, offsets, moved, child, inner)
    if not node.children:
        lines += [f"{inner}End Site", f"{inner}{{", f"{inner}  OFFSET 0.000000 0.000000 0.000000", f"{inner}}}"]
    return [*lines, f"{indent}}}"]


WRITER = Writer(name="bvh", title="BVH motion capture", suffix=".bvh", encode=encode)
