"""What datasets of LCR-Net poses share (Smarthome, trimmed and untrimmed, and Posetics)."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from motionhub.data.datasets.dataset import Dataset, says_all
from motionhub.data.formats import lcrnet
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


IMAGE_SIZE = (640, 480)
PROVENANCE = (
    "Read from the authors' files, poses that LCR-Net estimated; coordinates are theirs, who is who from frame to "
    "frame is motionhub's finding"
)
MISSING = "a joint at exactly the origin, or of a person absent from the frame, becomes missing"
UNIT_REMARK = "LCR-Net's unit is not documented with the files: metres were assumed"


def image_poses(fps: float) -> Callable[[Path], list[SkeletonSequence]]:
    """A reader of `(people, num_frames, 13, 2)` pixels of 640 x 480; people are followed on keypoints alone."""
    return lambda path: lcrnet.read(path, ReadOptions(fps=fps, unit="pixel", image_size=IMAGE_SIZE))


def space_poses(fps: float) -> Callable[[Path], list[SkeletonSequence]]:
    """A reader of `(people, num_frames, 13, 3)` as LCR-Net estimates it, relative to the body, taken for metres."""
    return lambda path: lcrnet.read(path, ReadOptions(fps=fps, unit="metre"))


def named_format(name: str, title: str, stem: re.Pattern[str], pattern: str, called: str, fps: float) -> Format:
    """LCR-Net's JSON in files called like the dataset's: the content alone does not tell them apart.

    Args:
        stem: the files' names without their extension.
        pattern: their whole names (`fnmatch`).
        called: the same in words.
    """

    def matches(path: Path, head: bytes) -> bool:
        return stem.fullmatch(path.stem) is not None and lcrnet.matches(path, head)

    signature = f'LCR-Net JSON ("frames" of people with "pose2d", "pose3d") called {called}'
    return Format(name, title, matches, says_all(image_poses(fps)), "json", signature, pattern)


def in_space(
    dataset: Dataset,
    remarks: str,
    aliases: tuple[str, ...] = (),
    read: Callable[[Path], list[SkeletonSequence]] | None = None,
) -> Dataset:
    """The 3-D poses of the same files, by default as `space_poses` reads them."""
    assert dataset.format is not None
    name, title = f"{dataset.name}-3d", dataset.title.replace("in the image", "in space")
    form = replace(dataset.format, name=name, title=title, read=says_all(read or space_poses(dataset.fps)))
    return replace(dataset, format=form, name=name, title=title, unit="metre", remarks=remarks, aliases=aliases)
