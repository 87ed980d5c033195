"""Skeletons with a hierarchy of joints (ASF/AMC, glTF): their layout, and the joints that the caller asks for."""

from collections.abc import Sequence
from pathlib import Path

from motionhub.data.formats.files import bad_file
from motionhub.data.formats.format import ReadOptions, layout_of_names
from motionhub.skeletons.joint_names import own_names, record_names
from motionhub.skeletons.layout import SkeletonLayout


def layout_of_rig(
    path: Path, kind: str, names: Sequence[str], parents: Sequence[int], options: ReadOptions
) -> tuple[SkeletonLayout, list[int]]:
    """The layout `<kind>-<joints>` of the hierarchy (parent -1: none), or the caller's, and the place of its joints.

    Raises ValueError where the file lacks a joint of the caller's layout, or has a name twice.
    """
    if options.layout is not None:
        return layout_of_names(path, [*names], options)
    joints = own_names(names)
    joints = joints if len({*joints}) == len(joints) else [*names]
    if len({*joints}) < len(joints) or not all(joints):
        raise bad_file(path, "joints", "expected different names of joints; rename them and export again.")
    record_names(names, joints)
    bones = tuple((joints[row], joints[parent]) for row, parent in enumerate(parents) if parent >= 0)
    root = next((joint for joint, parent in zip(joints, parents, strict=True) if parent < 0), joints[0])
    return SkeletonLayout(f"{kind}-{len(joints)}", tuple(joints), bones, root), [*range(len(joints))]
