"""What a skeleton layout is: joints by name, bones by name, a root; everything else is derived.

It does not know any particular layout (those are in `layouts.py`) nor any coordinates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np


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
        """`(num_joints,)` permutation that exchanges `left_*` and `right_*`; joints without a partner stay."""
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
