"""Shared by the datasets of LCR-Net poses: Smarthome, trimmed and untrimmed, and Posetics."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from motionhub.data.datasets.dataset import Dataset, Published, checked
from motionhub.data.formats import lcrnet
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


Reader = Callable[[Path], list[SkeletonSequence]]
IMAGE_SIZE = (640, 480)
UNIT_REMARK = "LCR-Net's unit is not documented with the files: metres are assumed"


def image_poses(fps: float) -> Reader:
    """A reader of `(people, num_frames, 13, 2)` pixels of 640 x 480; people are tracked by keypoints alone."""
    return lambda path: lcrnet.read(path, ReadOptions(fps=fps, unit="pixel", image_size=IMAGE_SIZE))


def space_poses(fps: float) -> Reader:
    """A reader of `(people, num_frames, 13, 3)` relative to the body, assumed to be metres."""
    return lambda path: lcrnet.read(path, ReadOptions(fps=fps, unit="metre"))


def named_format(published: Published, stem: re.Pattern[str], read: Reader) -> Format:
    """LCR-Net's JSON in files whose names without extension fit `stem`: the content identifies no dataset."""

    def matches(path: Path, head: bytes) -> bool:
        return stem.fullmatch(path.stem) is not None and lcrnet.matches(path, head)

    return published.format(matches, read)


def in_space(dataset: Dataset, remarks: str, aliases: tuple[str, ...] = (), read: Reader | None = None) -> Dataset:
    """The dataset of the 3-D poses in the same files; `read` is `space_poses` by default."""
    assert dataset.format is not None
    name, title = f"{dataset.name}-3d", dataset.title.replace("in the image", "in space")
    form = replace(dataset.format, name=name, title=title, read=checked(read or space_poses(dataset.fps)))
    return replace(dataset, format=form, name=name, title=title, unit="metre", remarks=remarks, aliases=aliases)
