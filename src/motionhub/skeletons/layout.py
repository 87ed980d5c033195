"""What a skeleton layout is: joints by name, bones by name, a root; everything else is derived.

A layout can be declared in YAML. A file is stricter than `SkeletonLayout`, whose bones also hold published lists with
their quirks: here bones form no circle and both sides have the same joints.

    name: hand-7
    description: thumb and index finger of both hands
    dims: 2
    root: neck
    joints: [neck, left_wrist, left_thumb, left_index, right_wrist, right_thumb, right_index]
    bones:                     # child, parent
      - [left_wrist, neck]
      - [left_thumb, left_wrist]
      ...

`bones`, `dims` and `description` may be left out: UNIK learns which joints belong together and needs no bones; the
bone stream and drawings do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np


SUFFIXES = (".yaml", ".yml")
# A body with hands and face has about 150 joints; a file of more is not a layout.
MAX_BYTES, MAX_JOINTS = 65_536, 1_000
# The document, a list in it, a pair in the list.
MAX_DEPTH = 3


@dataclass(frozen=True)
class SkeletonLayout:
    """A named, ordered set of joints and the bones between them.

    Args:
        name: identifier written into datasets and `preprocessor_config.json`, for example `"ntu-25"`.
        joints: joint names in the order of the array axis; the two sides are called `left_*` and `right_*`.
        bones: `(child, parent)` pairs of joint names, each joint the child of at most one. In the bone stream a joint
            that is no bone's child keeps its raw coordinates, and one paired with itself is zero.
        root: the joint that `centre` normalisation and drawing start from.
        dims: 2 or 3 when every sequence of this layout has that many coordinates a joint; None when both occur.
        description: for people; two layouts that differ in it alone are equal.

    Raises:
        ValueError: a name occurs twice, a bone or the root names a joint that is not in `joints`, or dims is neither
            2, 3 nor None.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    root: str
    dims: int | None = None
    description: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        repeated = sorted({joint for joint in self.joints if self.joints.count(joint) > 1})
        if repeated:
            raise ValueError(f"Layout {self.name!r}: joint names must differ, but {repeated} occur more than once.")
        named = [self.root, *(joint for bone in self.bones for joint in bone)]
        unknown = sorted(set(named) - set(self.joints))
        if unknown:
            raise ValueError(
                f"Layout {self.name!r}: bones and root must use names from joints, but got {unknown}; "
                f"the joints are {list(self.joints)}."
            )
        if self.dims not in (None, 2, 3):
            raise ValueError(f"Layout {self.name!r}: dims must be 2 or 3 (or be left out), got {self.dims!r}.")

    @property
    def num_joints(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint on the joint axis."""
        if joint not in self.joints:
            raise ValueError(f"Layout {self.name!r} has no joint {joint!r}; it has {list(self.joints)}.")
        return self.joints.index(joint)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and texts, as in a layout file; `from_dict` gives the same layout back."""
        plain: dict[str, Any] = {
            "name": self.name,
            "joints": list(self.joints),
            "bones": [list(bone) for bone in self.bones],
            "root": self.root,
        }
        if self.dims is not None:
            plain["dims"] = self.dims
        if self.description:
            plain["description"] = self.description
        return plain

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "SkeletonLayout":
        """The layout of plain lists and texts, as in a layout file.

        Raises:
            ValueError: a key is unknown or absent, a value is no text (list of texts, list of pairs of texts), or what
                they say is no layout; one sentence.
        """
        keys = {"name", "joints", "root", "bones", "dims", "description"}
        unknown = [key for key in content if key not in keys]
        if unknown:
            raise ValueError(f"unknown keys {unknown}; a layout has name, joints, root, bones, dims, description.")
        absent = [key for key in ("name", "joints", "root") if content.get(key) in (None, "", [])]
        if absent:
            raise ValueError(f"a layout needs {', '.join(absent)}; give for example root: mid_hip (a joint's name).")
        for key in ("name", "root", "description"):
            _text(content.get(key, ""), key)
        joints = tuple(_text(joint, "joints") for joint in _list(content["joints"], "joints"))
        bones = []
        for bone in _list(content.get("bones") or [], "bones"):
            if not isinstance(bone, list | tuple) or len(bone) != 2:
                raise ValueError(f"bones must be pairs [child, parent] of joint names, got {bone!r}.")
            bones.append((_text(bone[0], "bones"), _text(bone[1], "bones")))
        description = content.get("description", "")
        return cls(content["name"], joints, tuple(bones), content["root"], content.get("dims"), description)

    @cached_property
    def bone_indices(self) -> np.ndarray:
        """`(num_bones, 2)` int array of (child, parent) positions."""
        return np.array(
            [(self.index(child), self.index(parent)) for child, parent in self.bones], dtype=np.int64
        ).reshape(-1, 2)

    @cached_property
    def mirror(self) -> np.ndarray:
        """`(num_joints,)` permutation that swaps `left_*` and `right_*`; joints without a partner stay."""
        return np.array([self.joints.index(mirror_name(joint, self.joints)) for joint in self.joints], dtype=np.int64)


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{key} must be text, got {value!r}; put it in quotes: "{value}".')
    return value


def _list(value: Any, key: str) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} must be a list, got {value!r}.")
    return value


def mirror_name(joint: str, joints: tuple[str, ...]) -> str:
    """The joint's partner on the other side, or itself when it has none among `joints`."""
    swapped = {"left_": "right_", "right_": "left_"}
    for side, other in swapped.items():
        if joint.startswith(side) and other + joint.removeprefix(side) in joints:
            return other + joint.removeprefix(side)
    return joint


def read_layout(path: str | Path) -> SkeletonLayout:
    """The layout that a YAML file declares.

    Raises:
        ValueError: the file is absent, too large, no plain YAML (anchors and tags are refused), or does not declare a
            layout; one sentence with the file and the place.
    """
    path = Path(path)
    try:
        return _checked(SkeletonLayout.from_dict(_content(path)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    import yaml

    text = _read(path)
    try:
        _refuse_tricks(yaml.parse(text, Loader=yaml.SafeLoader))
        node, content = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"not YAML{place}: {getattr(error, 'problem', None) or error}.") from None
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        raise ValueError(
            f"expected keys and values (name: ..., joints: [...], root: ...), got {type(content).__name__}."
        )
    keys = [key.value for key, _ in node.value]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:  # YAML itself would keep the last one, silently
        raise ValueError(f"keys {repeated} are given twice.")
    if isinstance(content.get("joints"), list) and len(content["joints"]) > MAX_JOINTS:
        raise ValueError(f"a layout has at most {MAX_JOINTS} joints, got {len(content['joints'])}.")
    return content


def _read(path: Path) -> str:
    if not path.is_file():
        raise ValueError("no such file; give the path of a YAML file that declares a layout.")
    with path.open("rb") as file:
        head = file.read(MAX_BYTES + 1)
    if len(head) > MAX_BYTES:
        raise ValueError(f"a layout file has at most {MAX_BYTES} bytes, this one has {path.stat().st_size}.")
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not text in UTF-8.") from None


def _refuse_tricks(events: Iterable[Any]) -> None:
    """Anchors, which make few bytes into gigabytes, and lists within lists within lists, before anything is built."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            raise ValueError(f"anchors (&, *) are refused, line {event.start_mark.line + 1}; write the names out.")
        depth += kind.endswith(("MappingStartEvent", "SequenceStartEvent"))
        depth -= kind.endswith(("MappingEndEvent", "SequenceEndEvent"))
        if depth > MAX_DEPTH:
            raise ValueError(f"nested too deeply, line {event.start_mark.line + 1}; bones are a list of pairs.")


def _checked(layout: SkeletonLayout) -> SkeletonLayout:
    for joint in layout.joints:
        side, _, part = joint.partition("_")
        if side in ("left", "right") and mirror_name(joint, layout.joints) == joint:
            other = {"left": "right", "right": "left"}[side]
            raise ValueError(
                f"joint {joint!r} has no {other}_{part!s}, so mirroring would leave it on its side; add the partner, "
                "or give it a name without left_ and right_."
            )
    children = [child for child, _ in layout.bones]
    twice = sorted({child for child in children if children.count(child) > 1})
    if twice:
        raise ValueError(f"{twice} are the child of several bones; a bone is [child, parent], one per child.")
    try:
        TopologicalSorter({child: [parent] for child, parent in layout.bones}).prepare()
    except CycleError as error:
        way = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"the bones go in a circle: {way}; the root is no joint's child.") from None
    return layout
