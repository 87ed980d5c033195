"""What a skeleton layout is: joints by name, bones by name, a root; everything else is derived.

It does not know any particular layout (those are in `layouts.py`) nor any coordinates.
"""

from dataclasses import dataclass
from functools import cached_property

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

    Raises:
        ValueError: a name occurs twice, or a bone or the root names a joint that is not in `joints`.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    root: str

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

    @property
    def num_joints(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint on the joint axis."""
        if joint not in self.joints:
            raise ValueError(f"Layout {self.name!r} has no joint {joint!r}; it has {list(self.joints)}.")
        return self.joints.index(joint)

    @cached_property
    def bone_indices(self) -> np.ndarray:
        """`(num_bones, 2)` int array of (child, parent) positions."""
        return np.array(
            [(self.index(child), self.index(parent)) for child, parent in self.bones], dtype=np.int64
        ).reshape(-1, 2)

    @cached_property
    def mirror(self) -> np.ndarray:
        """`(num_joints,)` permutation that exchanges `left_*` and `right_*`; joints without a partner stay."""
        return np.array([self.joints.index(_mirror_name(joint, self.joints)) for joint in self.joints], dtype=np.int64)


def _mirror_name(joint: str, joints: tuple[str, ...]) -> str:
    swapped = {"left_": "right_", "right_": "left_"}
    for side, other in swapped.items():
        if joint.startswith(side) and other + joint.removeprefix(side) in joints:
            return other + joint.removeprefix(side)
    return joint
