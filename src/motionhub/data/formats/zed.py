"""ZED body tracking as JSON, as the export sample of its SDK writes it: time stamps with a `body_list`.

A body is `{"id", "keypoint": [[x, y, z], ...], "keypoint_confidence": 0..100}`; the frames are keyed by milliseconds.
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


PROGRAM = Program(layouts={18: "zed-18", 34: "zed-34", 38: "zed-38"}, points=("keypoint",), three=True, scale=0.01)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of BODY_18, BODY_34 or BODY_38, `(people, frames, joints, 3)`.

    Unit and axes are settings of the camera that the file does not state: give `unit`; `up` is unknown.
    """
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="zed",
    title="ZED body tracking (JSON)",
    matches=in_folder(lambda path, head: finds(path, head, r'"(body|object)_list"', r'"keypoint"')),
    read=read,
    container="json",
    signature='object of time stamps with "body_list", bodies with "keypoint" and "keypoint_confidence"',
    needs=("unit",),
)
