"""Poses of tfjs pose-detection (MoveNet, PoseNet, BlazePose) as JSON: frames of poses with named keypoints.

A pose is `{"score", "keypoints": [{"x", "y", "score", "name"}, ...], "keypoints3D": [...]}`; a frame is a list of
poses, or an object with `poses` and a time (`t`, `timestamp`).
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


PROGRAM = Program(flat=True, layouts={17: "coco-17", 33: "mediapipe-33"}, unit="metre", up="-y")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels; with `unit="metre"` the `keypoints3D` of BlazePose, y down.

    Names decide which joint is which; a joint that a pose lacks is missing.
    """
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="tfjs",
    title="tfjs pose-detection (MoveNet, PoseNet, BlazePose; JSON)",
    matches=in_folder(lambda path, head: finds(path, head, r'"keypoints"\s*:\s*\[\s*\{', r'"(name|part)"')),
    read=read,
    container="json",
    signature='frames of poses with "keypoints", objects with x, y, score and name',
    needs=("fps",),
)
