"""`SkeletonLayout`: joints by name, bones by name, a root; and its YAML files.

    name: hand-7
    description: thumb and index finger of both hands
    dims: 2
    root: neck
    joints: [neck, left_wrist, left_thumb, left_index, right_wrist, right_thumb, right_index]
    bones: [[left_wrist, neck], [left_thumb, left_wrist], ...]  # child, parent
    names: {B12: left_wrist, B17: right_wrist}  # in files -> joint, where the rules of joint_names.py do not help

`bones`, `dims`, `names` and `description` are optional; the bone stream and drawings need bones. With `names`,
`joints` and `root` may be left out: they are the joints that the names lead to. In a file bones must form no circle
and both sides must have the same joints; `SkeletonLayout` also holds published lists that break these rules.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.bounded import refuse_tricks


SUFFIXES = (".yaml", ".yml")
# A body with hands and face has about 150 joints.
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
            without a parent keeps its raw coordinates, and one paired with itself is zero.
        root: the joint that `centre` normalisation and drawing start from.
        dims: 2 or 3 when every sequence of this layout has that many coordinates a joint; None when both occur.
        description: free text; ignored when layouts are compared.
        num_file_joints: joints of a person in files that have face and hands too; None: `num_joints`.
        kept: positions of `joints` among these; None: the first.
        names: names in files -> joints, where no rule knows them. These three are ignored when layouts are compared.

    Raises:
        ValueError: more than `MAX_JOINTS` joints, a repeated joint name, a bone or root that names no joint, dims
            other than 2, 3 or None, or `kept` that does not fit.

    Examples:
        >>> joints = ("hip", "knee", "ankle")
        >>> leg = motionhub.SkeletonLayout("leg", joints, (("knee", "hip"), ("ankle", "knee")), root="hip")
        >>> leg.num_joints, leg.index("ankle")
        (3, 2)
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    root: str
    dims: int | None = None
    description: str = field(default="", compare=False)
    num_file_joints: int | None = field(default=None, compare=False)
    kept: tuple[int, ...] | None = field(default=None, compare=False)
    names: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if len(self.joints) > MAX_JOINTS:
            raise ValueError(f"Layout {self.name!r}: at most {MAX_JOINTS} joints, got {len(self.joints)}.")
        repeated = sorted(joint for joint, times in Counter(self.joints).items() if times > 1)
        if repeated:
            raise ValueError(f"Layout {self.name!r}: joint names must differ, but {repeated} occur more than once.")
        named = [self.root, *(joint for bone in self.bones for joint in bone)]
        unknown = sorted(set(named) - set(self.joints))
        if unknown:
            raise ValueError(
                f"Layout {self.name!r}: bones and root must use names from joints, but got {unknown}; "
                f"the joints are {list(self.joints)}."
            )
        if foreign := sorted({*self.names.values()} - {*self.joints}):
            raise ValueError(f"Layout {self.name!r}: names must lead to joints, but {foreign} are none of them.")
        if self.dims not in (None, 2, 3):
            raise ValueError(f"Layout {self.name!r}: dims must be 2 or 3 (or be left out), got {self.dims!r}.")
        kept, most = self.kept_positions, self.num_file_joints or len(self.joints)
        if len(kept) != len(self.joints) or len({*kept}) < len(kept) or not all(0 <= place < most for place in kept):
            raise ValueError(
                f"Layout {self.name!r}: kept must be {len(self.joints)} different positions below {most}, got {kept}."
            )

    @property
    def num_joints(self) -> int:
        return len(self.joints)

    @property
    def kept_positions(self) -> tuple[int, ...]:
        """Positions of `joints` among the `num_file_joints` of a file."""
        return tuple(range(len(self.joints))) if self.kept is None else self.kept

    def fits(self, count: int) -> bool:
        """Whether arrays with that many joints have this layout: `num_joints`, or `num_file_joints`."""
        return count in (self.num_joints, self.num_file_joints)

    def body_part(self, values: np.ndarray, axis: int = -2) -> np.ndarray:
        """Arrays of `num_file_joints` along `axis` cut to `joints`; other arrays as they are.

        Examples:
            >>> import numpy as np
            >>> motionhub.get_layout("halpe-136").body_part(np.zeros((30, 136, 2))).shape
            (30, 26, 2)
        """
        if self.num_file_joints in (None, self.num_joints) or values.shape[axis] != self.num_file_joints:
            return values
        return np.take(values, self.kept_positions, axis=axis)

    def index(self, joint: str) -> int:
        """Position of a joint on the joint axis."""
        if joint not in self.joints:
            raise ValueError(f"Layout {self.name!r} has no joint {joint!r}; it has {list(self.joints)}.")
        return self.joints.index(joint)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, as in a layout file; `from_dict` gives the same layout back."""
        bones = [list(bone) for bone in self.bones]
        plain = {"name": self.name, "joints": list(self.joints), "bones": bones, "root": self.root}
        optional = {"dims": self.dims, "description": self.description, "names": dict(self.names)}
        return {**plain, **{key: value for key, value in optional.items() if value}}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "SkeletonLayout":
        """The layout of plain lists and strings, as in a layout file.

        Raises:
            ValueError: unknown or absent keys, values of another type, or an invalid layout; one sentence.
        """
        keys = {"name", "joints", "root", "bones", "dims", "description", "names"}
        unknown = [key for key in content if key not in keys]
        if unknown:
            raise ValueError(f"unknown keys {unknown}; a layout has {', '.join(sorted(keys))}.")
        names = content.get("names") or {}
        if not isinstance(names, Mapping):
            raise ValueError(f"names must map names in files to joints, my_left_knee: left_knee, got {names!r}.")
        names = {_text(name, "names"): _text(joint, "names") for name, joint in names.items()}
        if names and content.get("joints") is None:
            own = list(dict.fromkeys(names.values()))
            content = {"root": "mid_hip" if "mid_hip" in own else own[0], **content, "joints": own}
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
        return cls(
            content["name"], joints, tuple(bones), content["root"], content.get("dims"), description, names=names
        )

    @cached_property
    def bone_indices(self) -> np.ndarray:
        """`(num_bones, 2)` int array of (child, parent) positions."""
        return np.array(
            [(self.index(child), self.index(parent)) for child, parent in self.bones], dtype=np.int64
        ).reshape(-1, 2)

    @cached_property
    def mirror(self) -> np.ndarray:
        """`(num_joints,)` permutation that swaps `left_*` and `right_*`; joints without a partner stay."""
        places = {joint: row for row, joint in enumerate(self.joints)}
        return np.array([places[mirror_name(joint, places)] for joint in self.joints], dtype=np.int64)


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{key} must be text, got {value!r}; put it in quotes: "{value}".')
    return value


def _list(value: Any, key: str) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} must be a list, got {value!r}.")
    return value


def mirror_name(joint: str, joints: Collection[str]) -> str:
    """The joint's partner on the other side, or the joint itself when it has none among `joints`."""
    swapped = {"left_": "right_", "right_": "left_"}
    for side, other in swapped.items():
        if joint.startswith(side) and other + joint.removeprefix(side) in joints:
            return other + joint.removeprefix(side)
    return joint


def read_layout(path: str | Path) -> SkeletonLayout:
    """The layout that a YAML file declares; a ValueError of one sentence states the file and the line."""
    path = Path(path)
    try:
        return _checked(SkeletonLayout.from_dict(_content(path)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    import yaml

    text = _read(path)
    try:
        refuse_tricks(yaml.parse(text, Loader=yaml.SafeLoader), MAX_DEPTH, "; bones are a list of pairs")
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
    if repeated:  # YAML would silently keep the last one
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


def _checked(layout: SkeletonLayout) -> SkeletonLayout:
    known = {*layout.joints}
    for joint in layout.joints:
        side, _, part = joint.partition("_")
        if side in ("left", "right") and mirror_name(joint, known) == joint:
            other = {"left": "right", "right": "left"}[side]
            raise ValueError(
                f"joint {joint!r} has no {other}_{part!s}, so mirroring would leave it on its side; add the partner, "
                "or give it a name without left_ and right_."
            )
    children = Counter(child for child, _ in layout.bones)
    twice = sorted(child for child, times in children.items() if times > 1)
    if twice:
        raise ValueError(f"{twice} are the child of several bones; a bone is [child, parent], one per child.")
    try:
        TopologicalSorter({child: [parent] for child, parent in layout.bones}).prepare()
    except CycleError as error:
        way = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"the bones form a circle: {way}; the root is no joint's child.") from None
    return layout
