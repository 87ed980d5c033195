"""Other JSON with frames of people who have `keypoints`: scripts dump them in many forms, see `people.py`."""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


SIGN = r'"keypoints(3[dD]|_3d|2d|_2d)?"|"([jJ]oints(3[dD]|_3d)?)"\s*:\s*[\[{]'


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2 or 3)`; joint names define the layout, else it must be given."""
    return read_people(path, options, Program())


FORMAT = Format(
    name="keypoints",
    title="frames of people with keypoints (JSON)",
    matches=in_folder(lambda path, head: finds(path, head, SIGN)),
    read=read,
    container="json",
    signature='frames of people with "keypoints": [[x, y, score], ...], with a frame number or time stamp',
    needs=("layout", "fps"),
)
