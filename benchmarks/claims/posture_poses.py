"""The poses that CV-MIM's claim trains on, searches and classifies; the same for every arm and seed.

Motions of Bandai-Namco and UTD-MHAD in 3-D, clips of Penn Action in pixels, all as 13 joints in torso units.
"""

from dataclasses import dataclass
from pathlib import Path

import motions
import torch
from motions import Clips
from torch import Generator, Tensor

from motionhub.augment.views import CameraRanges, draw_cameras, images_of
from motionhub.data.datasets.penn import CLASS_NAMES as PENN_CLASSES
from motionhub.geometry.torso import in_torso_units
from motionhub.objectives.pose_views import torso_joints
from motionhub.skeletons.layouts import get_layout


LAYOUT = get_layout("cv-mim-13")
COLUMNS = [motions.LAYOUT.index(name) for name in LAYOUT.joints]
FRAMES = 32
QUERIES = 1500
TEST_SUBJECT = 6
ANY, FRONT = CameraRanges(), CameraRanges(azimuth=15.0, elevation=0.0, roll=0.0)


@dataclass(frozen=True)
class Images:
    """Images `(clips, frames, joints, 2)` in torso units, which joints are seen, labels and camera sides."""

    points: Tensor
    seen: Tensor
    labels: Tensor
    sides: Tensor

    def of(self, rows: Tensor) -> "Images":
        return Images(*(value[rows] for value in vars(self).values()))


class Data:
    """What trains without labels, what is searched, and the two tasks; the same for every arm and seed.

    Args:
        develop: for choosing numbers: no style, subject or clip of Penn's last fifth; "elderly" and subject 5 test.
        most: clips of a dataset, for a quick look.
    """

    def __init__(self, folder: Path, cache: Path | None, develop: bool = False, most: int | None = None) -> None:
        bandai, utd, penn = (motions.load(name, folder, cache) for name in ("bandai-namco", "utd-mhad", "penn-action"))
        subject = TEST_SUBJECT - 1 if develop else TEST_SUBJECT
        trains, others = utd.subjects < subject, utd.subjects == subject
        bandai_train, bandai_test = (bandai.of(part) for part in motions.style_parts(bandai.setups, develop))
        self.unlabelled = motions.thinned(motions.joined(bandai_train, utd.of(trains)), most)
        self.searched = motions.joined(bandai_test, utd.of(others))
        self.queries, self.gallery, self.poses, self.visible = retrieval_set(self.searched, 200 if most else QUERIES)
        clips = [
            motions.thinned(bandai_train, most),
            motions.thinned(bandai_test, most),
            motions.thinned(bandai_test, most),
        ]
        looks = zip(clips, (FRONT, FRONT, ANY), (11, 12, 13), strict=True)
        self.front, self.front_test, self.any_test = (seen_clips(one, ranges, seed) for one, ranges, seed in looks)
        points, seen = in_torso_units(*thirteen(penn), *torso_joints(LAYOUT))
        kept = penn.labels != PENN_CLASSES.index("strum_guitar")  # as the paper
        images = Images(points, seen, penn.labels, penn.cameras).of(kept & seen.any(-1).any(1))
        first = first_part(images)
        if develop:
            images = images.of(first)
            first = first_part(images)
        self.penn_train, self.penn_test = images.of(first), images.of(~first)


def thirteen(clips: Clips) -> tuple[Tensor, Tensor]:
    """`(clips, FRAMES, 13, dims)` and which joints are seen."""
    places = slice(None, None, motions.STORED // FRAMES)
    return clips.keypoints[:, places, COLUMNS], clips.seen[:, places, COLUMNS]


def first_part(images: Images) -> Tensor:
    """Bool per clip: the first 80 % of every class and side."""
    return motions.first_of_each(16 * images.labels + images.sides, 0.8)


def seen_clips(clips: Clips, ranges: CameraRanges, seed: int) -> Images:
    """Every clip by one camera, decided by its row."""
    points, seen = in_torso_units(*thirteen(clips), *torso_joints(LAYOUT))
    angles = draw_cameras(torch.rand(len(points), 3, generator=Generator().manual_seed(seed)), ranges)
    angles = angles[:, None].expand(-1, points.shape[1], -1)
    made = in_torso_units(*images_of(points, seen, angles, ranges), *torso_joints(LAYOUT))
    return Images(*made, clips.labels, clips.cameras)


def retrieval_set(clips: Clips, count: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor, Tensor]:
    """`count` poses, each before two cameras: queries, gallery, and the poses."""
    generator = Generator().manual_seed(21)
    points, seen = (value.flatten(0, 1) for value in thirteen(clips))
    points, seen = in_torso_units(points, seen, *torso_joints(LAYOUT))
    whole = seen.all(-1).nonzero().squeeze(1)
    rows = whole[torch.randperm(len(whole), generator=generator)[:count]]
    points, seen = points[rows], seen[rows]
    views = []
    for _ in range(2):
        angles = draw_cameras(torch.rand(count, 3, generator=generator), ANY)
        views.append(in_torso_units(*images_of(points, seen, angles, ANY), *torso_joints(LAYOUT)))
    return views[0], views[1], points, seen
