"""Keypoints of EasyMocap: a folder with one JSON file per frame, 3-D (`keypoints3d/`) or 2-D (`annots/`).

A person is `{"id": 0, "keypoints3d": [[x, y, z, confidence], ...]}`, or in the `annots` of an image
`{"personID": 0, "keypoints": [[x, y, confidence], ...]}`.
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


PROGRAM = Program(
    layouts={25: "body-25", 17: "coco-17", 15: "openpose-15"},
    points=("keypoints3d", "keypoints"),
    unit="metre",
    first={67: 25, 117: 25, 137: 25},  # body, hands, face
    default="noted",
)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of body-25 (if there are 25 joints): `(people, frames, joints, 3)` metres, or 2-D pixels.

    The axes are those of the calibration, so `up` is unknown. `id` is the person number.
    """
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="easymocap",
    title="EasyMocap keypoints (a folder with one file per frame)",
    matches=in_folder(lambda path, head: finds(path, head, r'"keypoints3d"|"annots"')),
    read=read,
    container="json",
    signature='folder of lists of people with "id" and "keypoints3d" [[x, y, z, c], ...]',
    needs=("fps",),
)
