"""Quick checks: silent about real motion, one finding about each mistake that is formally right."""

import numpy as np
import pytest

from motionhub.data.synthetic.generate import generate
from motionhub.skeletons.checks import quick_checks
from motionhub.skeletons.sequence import SkeletonSequence


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 700, size=shape).astype(np.float32)


@pytest.mark.parametrize("motion", ["sit down", "throw"])
def test_nothing_is_found_about_a_body_in_metres_or_pixels(motion: str) -> None:
    assert quick_checks(generate(motion, seed=1)) == []
    assert quick_checks(SkeletonSequence(pixels(2, 5, 17, 2), layout="coco-17", fps=30, unit="pixel")) == []


@pytest.mark.parametrize(("factor", "shown"), [(1000, "millimetres"), (1e-3, "normalised")])
def test_a_body_of_no_human_size_is_found(factor: float, shown: str) -> None:
    clip = generate("sit down", seed=1)
    (finding,) = quick_checks(clip.replace(keypoints=clip.keypoints * factor))
    assert shown in str(finding)


def test_joints_at_the_origin_are_found_and_missing_ones_are_not() -> None:
    array = pixels(1, 10, 17, 2)
    array[:, :5, 3] = 0
    (finding,) = quick_checks(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel"))
    assert finding.seen.startswith("2.9% of the joints")  # 5 of 170
    array[(array == 0).all(-1)] = np.nan
    assert quick_checks(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel")) == []


def test_a_score_in_the_place_of_depth_is_found() -> None:
    array = pixels(1, 10, 17, 3)
    assert quick_checks(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel")) == []
    array[..., 2] /= 700
    (finding,) = quick_checks(SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel"))
    assert "confidence" in str(finding)


def test_a_sequence_in_which_nothing_is_seen_has_no_finding() -> None:
    nothing = np.full((1, 4, 17, 2), np.nan)
    assert quick_checks(SkeletonSequence(nothing, layout="coco-17", fps=30, unit="pixel")) == []
    assert quick_checks(SkeletonSequence(nothing[:, :0], layout="coco-17", fps=30, unit="metre")) == []
    nothing[0, 0, 0] = 1.0
    assert quick_checks(SkeletonSequence(nothing, layout="coco-17", fps=30, unit="metre")) == []
