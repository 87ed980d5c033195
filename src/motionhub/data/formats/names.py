"""Joint names as files spell them, in the library's spelling; and the layout of a file that names its joints.

It does not know what a name means: "RShoulder", "Shoulder_R" and "right shoulder" are one name, but whether a capture
system's "LeftShoulder" is the shoulder or the collar bone only its own reader can tell.
"""

import re
from collections import Counter
from pathlib import Path

from motionhub.data.formats.options import ReadOptions
from motionhub.data.formats.reader import bad_file
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS


_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_SAME = {
    **dict.fromkeys(("hip", "hips", "pelvis", "midhip", "hip_center", "hip_centre", "c_hip", "center_hip"), "mid_hip"),
    "shoulder_center": "shoulder_centre",
}


def joint_name(text: str) -> str:
    """`right_shoulder` for RShoulder, Shoulder_R, "right shoulder" or ns:RightShoulder; `mid_hip` for Hip, Pelvis."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text.rsplit(":", 1)[-1].strip())
    parts = [part for part in re.split(r"[^a-z0-9]+", words.lower()) if part]
    if len(parts) > 1 and parts[-1] in _SIDES and parts[0] not in _SIDES:
        parts = [parts[-1], *parts[:-1]]
    if len(parts) > 1 and parts[0] in _SIDES:
        parts[0] = _SIDES[parts[0]]
    name = "_".join(parts)
    return _SAME.get(name, name)


def layout_of_names(path: Path, names: list[str], options: ReadOptions) -> tuple[SkeletonLayout, list[int]]:
    """The layout, and for each of its joints the position of its name in the file.

    A layout given by the caller takes its joints out of those of the file. Otherwise a known layout with the same
    names in the same order is it, and else one is made of the names, without bones. Names that are only numbers say
    nothing: then the caller must give the layout.

    Raises:
        ValueError: a name occurs twice, or the given layout has a joint that the file lacks.
    """
    if all(name.strip().isdigit() for name in names):
        layout = options.layout_of(path)
        if len(names) != layout.num_joints:
            reason = f"layout {layout.name!r} has {layout.num_joints} joints, but the file has {len(names)}."
            raise bad_file(path, "joints", reason)
        return layout, list(range(len(names)))
    own = [joint_name(name) for name in names]
    repeated = sorted(name for name, times in Counter(own).items() if times > 1 or not name)
    if repeated:
        raise bad_file(path, "joints", f"expected different names, but got {repeated[:5]} more than once, or empty.")
    if options.layout is not None:
        layout = options.layout_of(path)
        lacking = [joint for joint in layout.joints if joint not in own]
        if lacking:
            reason = f"layout {layout.name!r} was given, but the file lacks its {lacking[:8]}; it has {own[:30]}."
            raise bad_file(path, "layout", reason)
        return layout, [own.index(joint) for joint in layout.joints]
    known = next((layout for layout in LAYOUTS.values() if layout.joints == tuple(own)), None)
    layout = known or SkeletonLayout(f"named-{len(own)}", tuple(own), (), root=own[0])
    return layout, list(range(len(own)))
