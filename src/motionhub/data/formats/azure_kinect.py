"""Azure Kinect body tracking as JSON, as the offline processor of the SDK writes it: `frames` of `bodies`.

A body is `{"body_id", "joint_positions": 32 x [x, y, z], "joint_orientations"}`, a frame has `timestamp_usec`.
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


PROGRAM = Program(layouts={32: "kinect-azure-32"}, unit="millimetre", up="-y", three=True)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, 32, 3)` metres in camera axes (y down, z away); time stamps give the rate."""
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="azure-kinect",
    title="Azure Kinect body tracking (JSON)",
    matches=in_folder(lambda path, head: finds(path, head, r'"joint_positions"')),
    read=read,
    container="json",
    signature='object with "frames" of "bodies" with "body_id" and "joint_positions" in mm',
    needs=(),
)
