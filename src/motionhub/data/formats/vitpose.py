"""ViTPose results of transformers as JSON: what `post_process_pose_estimation` returns for each frame.

A person is `{"keypoints": [[x, y], ...], "scores": [...], "labels": [...], "bbox": [...]}`.
"""

from pathlib import Path

from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, in_folder
from motionhub.data.formats.people import read_people
from motionhub.data.formats.persons import Program
from motionhub.skeletons.sequence import SkeletonSequence


SIGNS = (r'"keypoints"\s*:\s*\[\s*\[', r'"scores"\s*:\s*\[', r'"labels"|"bbox"')
PROGRAM = Program(flat=True, layouts={17: "coco-17", 133: "coco-wholebody-133"}, default="noted")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels. 17 keypoints are coco-17; other models need `layout`."""
    return read_people(path, options, PROGRAM)


FORMAT = Format(
    name="vitpose",
    title="ViTPose results of transformers (JSON)",
    matches=in_folder(
        lambda path, head: finds(path, head, r'"keypoints"\s*:\s*\[\s*\[', r'"scores"\s*:\s*\[', r'"labels"|"bbox"')
    ),
    read=read,
    container="json",
    signature='frames of people with "keypoints" [[x, y], ...], "scores", "labels" and "bbox"',
    needs=("fps",),
)
