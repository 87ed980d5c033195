"""Results of ultralytics' pose models as JSON (`Results.summary()`, `to_json()`): lists of frames, lines, a folder.

A person is `{"class", "confidence", "box", "track_id", "keypoints": {"x": [...], "y": [...], "visible": [...]}}`.
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


PROGRAM = Program(flat=True, layouts={17: "coco-17"}, default="noted")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)`, in pixels or, after `normalize=True`, in fractions of the image.

    A joint at (0, 0) is missing; `visible` is the confidence. Models of other than 17 keypoints need `layout`.
    """
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="ultralytics",
    title="ultralytics pose results (JSON)",
    matches=in_folder(lambda path, head: finds(path, head, r'"keypoints"\s*:\s*\{\s*"x"\s*:\s*\[')),
    read=read,
    container="json",
    signature='frames of people with "box" and "keypoints": {"x": [...], "y": [...], "visible": [...]}',
    needs=("fps",),
)
