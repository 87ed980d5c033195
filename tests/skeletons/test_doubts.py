"""Doubts: silent about real motion, one sentence about each mistake that is formally right."""

import numpy as np
import pytest

from motionhub.data.synthetic.generate import generate
from motionhub.skeletons.doubts import doubts
from motionhub.skeletons.sequence import SkeletonSequence


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 700, size=shape).astype(np.float32)


@pytest.mark.parametrize("motion", ["sit down", "throw"])
def test_nothing_is_doubted_about_a_body_in_metres_or_pixels(motion: str) -> None:
    assert doubts(generate(motion, seed=1)) == []
    assert doubts(SkeletonSequence(pixels(2, 5, 17, 2), layout="coco-17", fps=30, unit="pixel")) == []


@pytest.mark.parametrize(("factor", "shown"), [(1000, "millimetres"), (1e-3, "normalised")])
def test_a_body_of_no_human_size_is_doubted(factor: float, shown: str) -> None:
    clip = generate("sit down", seed=1)
    (doubt,) = doubts(clip.replace(keypoints=clip.keypoints * factor))
    assert shown in doubt


def test_joints_at_the_origin_are_doubted_and_missing_ones_are_not() -> None:
    array = pixels(1, 10, 17, 2)
    array[:, :5, 3] = 0
    (doubt,) = doubts(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel"))
    assert doubt.startswith("2.9% of the joints")  # 5 of 170
    array[(array == 0).all(-1)] = np.nan
    assert doubts(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel")) == []


def test_a_score_in_the_place_of_depth_is_doubted() -> None:
    array = pixels(1, 10, 17, 3)
    assert doubts(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel")) == []
    array[..., 2] /= 700
    (doubt,) = doubts(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel"))
    assert "confidence" in doubt


def test_a_sequence_in_which_nothing_is_seen_raises_no_doubt() -> None:
    nothing = np.full((1, 4, 17, 2), np.nan)
    assert doubts(SkeletonSequence(nothing, layout="coco-17", fps=30, unit="pixel")) == []
    assert doubts(SkeletonSequence(nothing[:, :0], layout="coco-17", fps=30, unit="metre")) == []
    nothing[0, 0, 0] = 1.0
    assert doubts(SkeletonSequence(nothing, layout="coco-17", fps=30, unit="metre")) == []
