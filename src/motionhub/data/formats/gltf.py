"""Reads skeletal animations of glTF 2 (.glb, .gltf): metres, y up; the joints of skins, or the nodes that move.

Buffers are in the file, or files beside a .gltf; addresses on other machines, absolute paths and paths out of the
folder are refused. An animation is curves, not frames: it is sampled at the rate of its key frames, or at `fps=`. Each
animation is a clip.
"""

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from motionhub.data.formats.files import bad_file, note, read_bytes
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.data.formats.rigs import layout_of_rig
from motionhub.data.formats.upright import up_of
from motionhub.skeletons.sequence import SkeletonSequence


_MAGIC = b"glTF"
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_MOST_NODES = 10_000
_MOST_CLIPS = 1_000
# Of key frames closer or farther apart than these rates, the curves are sampled at 30 per second.
_SLOWEST, _FASTEST, _USUAL = 8.0, 300.0, 30.0
_PATHS = ("translation", "rotation", "scale")


@dataclass(frozen=True)
class _Scene:
    """The document and its buffers; `parents`: of each node, -1 for none."""

    path: Path
    content: dict[str, Any]
    buffers: list[bytes]
    parents: list[int]

    def entry(self, key: str, index: Any) -> dict[str, Any]:
        """One object of a list of the document. Raises ValueError that names it."""
        entries, place = self.content.get(key), _whole(index)
        if not isinstance(entries, list) or not 0 <= place < len(entries) or not isinstance(entries[place], dict):
            raise bad_file(self.path, f"{key}[{str(index)[:20]}]", "there is none; the file is damaged.")
        return entries[place]

    def values(self, index: Any) -> np.ndarray:
        """`(count, width)` float64 of an accessor."""
        accessor, place = self.entry("accessors", index), f"accessors[{index}]"
        kind, width = _TYPES.get(_whole(accessor.get("componentType"))), _WIDTHS.get(str(accessor.get("type")))
        count = _whole(accessor.get("count"))
        if kind is None or width is None or count < 0 or "sparse" in accessor or "bufferView" not in accessor:
            raise bad_file(self.path, place, "expected plain numbers in a buffer; export without sparse accessors.")
        view = self.entry("bufferViews", accessor["bufferView"])
        if any("compression" in name for name in view.get("extensions") or {}):
            raise bad_file(self.path, place, "the buffer is compressed; export without compression.")
        number = _whole(view.get("buffer"))
        buffer = self.buffers[number] if 0 <= number < len(self.buffers) else b""
        size = np.dtype(kind).itemsize * width
        start = _whole(view.get("byteOffset", 0)) + _whole(accessor.get("byteOffset", 0))
        stride = _whole(view.get("byteStride", size)) or size
        last = start + stride * (count - 1) + size if count else start
        if start < 0 or stride < size or last > len(buffer):
            raise bad_file(self.path, place, f"expected {count} values, but the buffer ends before; is it cut off?")
        checked_size(self.path, count, width)
        strides = (stride, np.dtype(kind).itemsize)
        with np.errstate(invalid="ignore"):  # signalling NaN
            found = np.ndarray((count, width), kind, buffer, start, strides).astype(np.float64)
        if accessor.get("normalized") and kind != "<f4":
            found = np.maximum(found / np.iinfo(kind).max, -1.0)
        return found


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One person for each animation, `(1, frames, joints, 3)` metres, in the axes of the scene."""
    scene = _scene(path)
    animations = [each for each in scene.content.get("animations") or [] if isinstance(each, dict)]
    clips = []
    for number, animation in enumerate(islice(animations, _MOST_CLIPS)):
        curves = _curves(scene, number, animation)
        if curves:
            clips.append(_clip(scene, number, curves, options))
    if not clips:
        reason = "the scene has no animation of joints; export it with its animation"
        raise bad_file(path, "animations", f"{reason} (in Blender: Animation, Sampling).")
    return clips


Curves = dict[tuple[int, str], tuple[np.ndarray, np.ndarray, str]]


def _clip(scene: _Scene, number: int, curves: Curves, options: ReadOptions) -> SkeletonSequence:
    path = scene.path
    joints = _joints(scene, curves)
    times, rate = _times(path, number, curves, options)
    checked_size(path, len(times), len(scene.parents), 16)
    places = _places(scene, curves, times)[:, joints]
    names = [str(scene.entry("nodes", joint).get("name") or f"node {joint}") for joint in joints]
    layout, order = layout_of_rig(path, "gltf", names, [_nearest(scene, joint, joints) for joint in joints], options)
    points = places[:, order]
    up = up_of(path, layout.joints, points, "y")
    unit = options.unit_of(path, "metre")
    return options.sequence(path, points, layout, fps=rate, unit=unit, up=up)


def _joints(scene: _Scene, curves: Curves) -> list[int]:
    """The nodes of the skins that move, else the nodes that move; parents first."""
    moving = {node for node, _ in curves}
    skins = [skin for skin in scene.content.get("skins") or [] if isinstance(skin, dict)]
    groups: list[set[int]] = []
    for skin in skins:
        listed = skin.get("joints")
        own = {_whole(joint) for joint in listed} if isinstance(listed, list) else set()
        if own & moving:
            touching = [group for group in groups if group & own]
            groups = [*(group for group in groups if not group & own), own.union(*touching)]
    chosen = max(groups, key=lambda group: len(group & moving)) if groups else moving
    if len(groups) > 1:
        note(scene.path, "skins", f"{len(groups)} skeletons move; only the one of {len(chosen)} joints is read.")
    order = _parents_first(scene.parents)
    joints = [node for node in order if node in chosen]
    if not joints:
        raise bad_file(scene.path, "skins", "the joints are no nodes of the scene; the file is damaged.")
    return joints


def _nearest(scene: _Scene, joint: int, joints: list[int]) -> int:
    """The place among the joints of the nearest one above, or -1."""
    place = {node: row for row, node in enumerate(joints)}
    above = scene.parents[joint]
    while above >= 0 and above not in place:
        above = scene.parents[above]
    return place.get(above, -1)


def _times(path: Path, number: int, curves: Curves, options: ReadOptions) -> tuple[np.ndarray, float]:
    """The times of the frames, in seconds, and their rate."""
    keys = np.unique(np.concatenate([times for times, _, _ in curves.values()]))
    first, last = float(keys[0]), float(keys[-1])
    steps = np.diff(keys)
    steps = steps[steps > 1e-5]
    rate = options.fps
    if rate is None:
        rate = 1 / float(np.median(steps)) if len(steps) else _USUAL
        if not _SLOWEST <= rate <= _FASTEST:
            text = f"key frames are {1 / rate:.3g} s apart; the curves are sampled at {_USUAL:g} per second"
            note(path, f"animations[{number}]", f"{text}; fps= chooses another rate.")
            rate = _USUAL
        rate = float(round(rate)) if abs(rate - round(rate)) < 2e-3 * rate else rate
    length = (last - first) * rate
    if not length < 1e8:
        raise bad_file(path, f"animations[{number}]", f"expected times in seconds, got {first:g} to {last:g}.")
    return first + np.arange(round(length) + 1) / rate, rate


def _places(scene: _Scene, curves: Curves, times: np.ndarray) -> np.ndarray:
    """`(frames, nodes, 3)`: where each node is in the scene."""
    frames = len(times)
    turned = np.empty((frames, len(scene.parents), 3, 3))
    places = np.empty((frames, len(scene.parents), 3))
    with np.errstate(over="ignore", invalid="ignore"):
        for node in _parents_first(scene.parents):
            translation, matrix = _local(scene, node, curves, times)
            parent = scene.parents[node]
            if parent < 0:
                places[:, node], turned[:, node] = translation, matrix
            else:
                places[:, node] = places[:, parent] + np.einsum("tij,tj->ti", turned[:, parent], translation)
                turned[:, node] = turned[:, parent] @ matrix
    return places


def _local(scene: _Scene, node: int, curves: Curves, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The translation `(frames, 3)` of a node, and its rotation and scale as a matrix `(frames, 3, 3)`."""
    entry = scene.entry("nodes", node)
    if "matrix" in entry:
        whole = _vector(scene.path, node, entry["matrix"], 16).reshape(4, 4).T
        return np.tile(whole[:3, 3], (len(times), 1)), np.tile(whole[:3, :3], (len(times), 1, 1))
    parts = {}
    for name, rest in zip(_PATHS, ((0, 0, 0), (0, 0, 0, 1), (1, 1, 1)), strict=True):
        if (node, name) in curves:
            parts[name] = _sampled(curves[node, name], times, name == "rotation")
        else:
            parts[name] = np.tile(_vector(scene.path, node, entry.get(name, rest), len(rest)), (len(times), 1))
    return parts["translation"], _matrices(parts["rotation"]) * parts["scale"][:, None, :]


def _matrices(turns: np.ndarray) -> np.ndarray:
    """`(frames, 3, 3)` of quaternions `(frames, 4)`, x y z w; the identity for those of length 0."""
    length = np.linalg.norm(turns, axis=1, keepdims=True)
    x, y, z, w = np.where(length > 1e-12, turns / np.maximum(length, 1e-12), [0.0, 0.0, 0.0, 1.0]).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _sampled(curve: tuple[np.ndarray, np.ndarray, str], times: np.ndarray, turns: bool) -> np.ndarray:
    """The curve at some times; before its first key and after its last it stays."""
    keys, values, kind = curve
    after = np.clip(np.searchsorted(keys, times + 1e-9, side="right"), 1, max(len(keys) - 1, 1))
    if len(keys) == 1:
        return np.tile(values[0, 1] if kind == "CUBICSPLINE" else values[0], (len(times), 1))
    start, end = keys[after - 1], keys[after]
    span = np.maximum(end - start, 1e-9)
    share = np.clip((times - start) / span, 0, 1)[:, None]
    if kind == "STEP":
        return np.where(share >= 1, values[after], values[after - 1])
    if kind == "CUBICSPLINE":  # tangent in, value, tangent out
        s, width = share, span[:, None]
        first, last = values[after - 1], values[after]
        return (
            (2 * s**3 - 3 * s**2 + 1) * first[:, 1]
            + (s**3 - 2 * s**2 + s) * width * first[:, 2]
            + (3 * s**2 - 2 * s**3) * last[:, 1]
            + (s**3 - s**2) * width * last[:, 0]
        )
    first, last = values[after - 1], values[after]
    if not turns:
        return first + share * (last - first)
    cosine = (first * last).sum(axis=1, keepdims=True)
    last, cosine = np.where(cosine < 0, -last, last), np.minimum(np.abs(cosine), 1)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    near = sine < 1e-6
    safe = np.where(near, 1, sine)
    before, later = np.sin((1 - share) * angle) / safe, np.sin(share * angle) / safe
    return np.where(near, 1 - share, before) * first + np.where(near, share, later) * last


def _curves(scene: _Scene, number: int, animation: dict[str, Any]) -> Curves:
    """The curves of an animation by node and property: key times, values and the way between."""
    curves: Curves = {}
    place = f"animations[{number}]"
    samplers, channels = animation.get("samplers"), animation.get("channels")
    if not isinstance(samplers, list) or not isinstance(channels, list):
        raise bad_file(scene.path, place, "expected channels and samplers; the file is damaged.")
    for channel in channels:
        target = channel.get("target") if isinstance(channel, dict) else None
        name = target.get("path") if isinstance(target, dict) else None
        if name not in _PATHS or not isinstance(target, dict) or "node" not in target:
            continue  # weights of morph targets
        node, index = _whole(target["node"]), _whole(channel.get("sampler"))
        scene.entry("nodes", node)
        if not 0 <= index < len(samplers) or not isinstance(samplers[index], dict):
            raise bad_file(scene.path, place, f"expected sampler {index}; the file is damaged.")
        sampler = samplers[index]
        kind = str(sampler.get("interpolation", "LINEAR"))
        keys, values = scene.values(sampler.get("input"))[:, 0], scene.values(sampler.get("output"))
        each = 3 if kind == "CUBICSPLINE" else 1
        width = 4 if name == "rotation" else 3
        if values.shape != (each * len(keys), width) or not len(keys):
            raise bad_file(scene.path, place, f"expected {each * len(keys)} x {width} numbers, got {values.shape}.")
        if not np.isfinite(keys).all() or (np.diff(keys) < 0).any():
            raise bad_file(scene.path, place, "expected key times that ascend.")
        values = values.reshape(len(keys), each, width) if each == 3 else values
        curves[node, name] = keys, values, kind
    return curves


def _scene(path: Path) -> _Scene:
    content = read_bytes(path)
    binary = None
    if content.startswith(_MAGIC):
        content, binary = _chunks(path, content)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise bad_file(path, "JSON", f"cannot be parsed ({error}).") from None
    nodes = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(nodes, list) or not nodes or len(nodes) > _MOST_NODES:
        raise bad_file(path, "nodes", f"expected 1 to {_MOST_NODES} nodes.")
    buffers = [_buffer(path, row, each, binary) for row, each in enumerate(document.get("buffers") or [])]
    return _Scene(path, document, buffers, _parents(path, nodes))


def _chunks(path: Path, content: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a .glb file."""
    if len(content) < 20:
        raise bad_file(path, "header", f"expected at least 20 bytes, got {len(content)}; is the file cut off?")
    version, length = struct.unpack_from("<II", content, 4)
    if version != 2:
        raise bad_file(path, "header", f"expected version 2 of glTF, got {version}; export it as glTF 2.0.")
    if length != len(content):
        raise bad_file(path, "header", f"expected {length} bytes, got {len(content)}; is the file cut off?")
    parts: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= len(content):
        size = struct.unpack_from("<I", content, place)[0]
        parts.setdefault(content[place + 4 : place + 8], content[place + 8 : place + 8 + size])
        place += 8 + size
    if b"JSON" not in parts:
        raise bad_file(path, "header", "expected a JSON chunk; the file is damaged.")
    return parts[b"JSON"], parts.get(b"BIN\0")


def _buffer(path: Path, row: int, entry: Any, binary: bytes | None) -> bytes:
    """The bytes of one buffer: the chunk of a .glb, in the text, or a file in the folder of the .gltf."""
    place = f"buffers[{row}]"
    if not isinstance(entry, dict):
        raise bad_file(path, place, "expected an object; the file is damaged.")
    uri = entry.get("uri")
    if uri is None and row == 0 and binary is not None:
        return binary
    if not isinstance(uri, str):
        raise bad_file(path, place, "has no content; is the file cut off?")
    if uri.startswith("data:"):
        try:
            return base64.b64decode(uri.partition(",")[2], validate=True)
        except (binascii.Error, ValueError):
            raise bad_file(path, place, "not valid base64; the file is damaged.") from None
    name = Path(unquote(uri))
    remote = ":" in uri or uri.startswith(("/", "\\")) or "\\" in uri or "\0" in unquote(uri)
    if remote or name.is_absolute() or ".." in name.parts:
        reason = f"refused: {uri[:60]!r} is no file in this folder"
        raise bad_file(path, place, f"{reason}; export as .glb, which holds its buffers.")
    folder, beside = path.absolute().parent.resolve(), (path.absolute().parent / name).resolve()
    if not beside.is_relative_to(folder):
        raise bad_file(path, place, f"refused: {uri[:60]!r} leads out of this folder; export as .glb.")
    try:
        return read_bytes(beside)
    except ValueError as error:
        raise bad_file(path, place, str(error)) from None


def _parents(path: Path, nodes: list[Any]) -> list[int]:
    parents = [-1] * len(nodes)
    for row, node in enumerate(nodes):
        children = node.get("children", []) if isinstance(node, dict) else None
        if not isinstance(children, list):
            raise bad_file(path, f"nodes[{row}]", "expected an object with a list of children; the file is damaged.")
        for child in map(_whole, children):
            if not 0 <= child < len(nodes) or parents[child] >= 0 or child == row:
                raise bad_file(path, f"nodes[{row}]", f"expected children with one parent, got {child}.")
            parents[child] = row
    if len(_parents_first(parents)) < len(nodes):
        raise bad_file(path, "nodes", "the hierarchy goes in a circle; the file is damaged.")
    return parents


def _parents_first(parents: list[int]) -> list[int]:
    """The nodes depth first; those in a circle are absent."""
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(parents):
        children.setdefault(parent, []).append(node)
    order: list[int] = []
    pending = children.get(-1, [])[::-1]
    while pending:
        node = pending.pop()
        order.append(node)
        pending += children.get(node, [])[::-1]
    return order


def _vector(path: Path, node: int, value: Any, width: int) -> np.ndarray:
    numbers = isinstance(value, list | tuple) and all(isinstance(each, int | float) for each in value)
    if not numbers or len(value) != width:
        raise bad_file(path, f"nodes[{node}]", f"expected {width} numbers, got {str(value)[:40]}.")
    try:
        return np.array(value, np.float64)
    except OverflowError:
        raise bad_file(path, f"nodes[{node}]", "expected numbers of usual size.") from None


def _whole(value: Any) -> int:
    """A whole number of the document; -1 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else -1


def matches(path: Path, head: bytes) -> bool:
    """Whether a file has the mark of .glb, or is JSON of a .gltf."""
    if head.startswith(_MAGIC):
        return True
    return head.lstrip()[:1] == b"{" and (
        path.suffix.lower() == ".gltf" or (b'"asset"' in head and b'"scenes"' in head)
    )


FORMAT = Format(
    name="gltf",
    title="glTF animation",
    matches=matches,
    read=read,
    pattern="*.glb",
    container="binary",
    signature="glTF 2 (.glb, .gltf) with joints and an animation",
)
