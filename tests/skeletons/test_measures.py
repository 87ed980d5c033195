"""The lengths that a body is expected to have, against real skeletons of four recording systems."""

import numpy as np
import pytest

from motionhub.data.datasets.reading import read
from motionhub.skeletons.measures import _SEGMENTS, _SOFTENING, rank_layouts


LIMBS = ("*_shoulder", "*_elbow", "*_hip", "*_knee")


def clips_of(source, shared, unzipped):
    if source == "ui-prmd":
        return read(shared("data/uiprmd_kinect_s1-7.npz"))[::200]
    archives = {
        "bandai-namco": ("data/bandai_namco_2_subset.zip", "**/*_normal_00*.bvh"),
        "precog": ("data/precog2016_s1-8.zip", "**/Seq1_*.csv"),
        "n-ucla": ("data/nucla_views12.zip", "**/a01_s*_e00_v01.json"),
    }
    archive, pattern = archives[source]
    return [read(path)[0] for path in sorted(unzipped(archive).glob(pattern))[:6]]


@pytest.mark.parametrize("source", ["bandai-namco", "ui-prmd", "precog", "n-ucla"])
def test_real_bodies_are_about_as_long_as_expected_in_every_segment(source, shared, unzipped):
    clips = clips_of(source, shared, unzipped)
    layout = clips[0].layout

    def median_length(ends):
        points = [clip.keypoints[..., [[layout.index(joint) for joint in end] for end in ends], :] for clip in clips]
        first, second = np.moveaxis(np.concatenate([each.mean(-2).reshape(-1, 2, 3) for each in points]), 1, 0)
        return np.nanmedian(np.linalg.norm(first - second, axis=-1))

    shoulders, hips = ([f"{side}_{part}" for side in ("left", "right")] for part in ("shoulder", "hip"))
    trunk, checked = median_length((shoulders, hips)), 0
    for first, second, expected in _SEGMENTS:
        ends = [[joint.replace("*", "left") for joint in end] for end in (first, second)]
        if len(ends[0]) != len(ends[1]):  # a mean of one joint and of two have no common array
            ends = [end * (2 // len(end)) for end in ends]
        if not {*ends[0], *ends[1]} <= set(layout.joints):
            continue
        off = abs(np.log((median_length(ends) / trunk + _SOFTENING) / (expected + _SOFTENING)))
        assert off < (0.4 if first[0] in LIMBS else 0.6), (first, second, off)
        checked += 1
    assert checked >= 8


@pytest.mark.parametrize("source", ["bandai-namco", "ui-prmd", "precog", "n-ucla"])
def test_the_declared_layout_of_real_clips_fits_best(source, shared, unzipped):
    for clip in clips_of(source, shared, unzipped):
        assert rank_layouts(clip)[0].layout in (clip.layout.name, "utd-mhad-20")  # which is kinect-20 in other order
