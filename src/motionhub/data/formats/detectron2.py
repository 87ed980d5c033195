"""Instances of detectron2 dumped as JSON: frames with `pred_keypoints` (people, joints, 3) and `scores`.

Its `coco_instances_results.json` is a list of COCO results, see `coco.py`.
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


PROGRAM = Program(flat=True, layouts={17: "coco-17"}, default="noted")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels. 17 keypoints are coco-17; other models need `layout`."""
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="detectron2",
    title="detectron2 instances (JSON)",
    matches=in_folder(lambda path, head: finds(path, head, r'"pred_keypoints"')),
    read=read,
    container="json",
    signature='frames of instances with "pred_keypoints" (people, joints, 3)',
    needs=("fps",),
)
