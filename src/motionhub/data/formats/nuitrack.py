"""Skeletons of Nuitrack and of Orbbec's body SDK as JSON: joints with a type (name or number) and a place in mm.

A skeleton is `{"id", "joints": [{"type", "confidence", "real": {"x", "y", "z"}}, ...]}`, `real` or `worldPosition`.
x points right in the image, y up, z away from the sensor.
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


_ARM = ("collar", "shoulder", "elbow", "wrist", "hand", "hand_tip")
_LEG = ("hip", "knee", "ankle", "foot")
_WAIST = ("Waist", "waist", "WAIST", "JOINT_WAIST")
# JointType of Nuitrack's SDK.
NUITRACK: dict[int | str, str] = dict(
    enumerate(
        (
            *("none", "head", "neck", "torso", "mid_hip"),
            *(f"{side}_{part}" for part_list in (_ARM, _LEG) for side in ("left", "right") for part in part_list),
        )
    )
)
PROGRAM = Program(unit="millimetre", up="y", three=True, joint_types={**NUITRACK, **dict.fromkeys(_WAIST, "mid_hip")})


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 3)` metres, y up; names or numbers of the joints define the layout."""
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="nuitrack",
    title="Nuitrack or Orbbec skeletons (JSON)",
    matches=in_folder(
        lambda path, head: finds(path, head, r'"[jJ]oints"', r'"(real|Real|worldPosition|world_position)"')
    ),
    read=read,
    container="json",
    signature='frames of skeletons with "joints", objects with a type, a confidence and "real" or "worldPosition"',
    needs=("fps",),
)
