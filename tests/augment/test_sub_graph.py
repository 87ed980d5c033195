"""The six sub-graphs of OR-VPE: the index sets of NTU-25 and Posetics-17, and laws that hold in every layout."""

import pytest
import torch

from motionhub.augment.occlusion import PATTERNS, draw_patterns, hide, joints_of_part, visibility
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout


# SPECS 3.2, 0-based
EXPECTED = {
    "ntu-25": {
        "upper": {1, 2, 3, *range(4, 12), *range(20, 25)},
        "lower": {0, *range(12, 20)},
        "right": {*range(8, 12), *range(16, 20), 23, 24},
        "left": {*range(4, 8), *range(12, 16), 21, 22},
        "centre": {0, 1, 2, 3, 20},
    },
    "posetics-17": {
        "upper": {0, 1, 2, 3, *range(5, 11)},
        "lower": {4, *range(11, 17)},
        "left": {5, 7, 9, 11, 13, 15},
        "right": {6, 8, 10, 12, 14, 16},
        "centre": {0, 1, 2, 3, 4},
    },
}


@pytest.mark.parametrize("layout", list(EXPECTED))
def test_index_sets_of_the_two_layouts_of_the_paper(layout):
    found = {part: set(joints_of_part(get_layout(layout), part)) for part in PATTERNS}
    assert found == {**EXPECTED[layout], "none": set()}


@pytest.mark.parametrize("layout", list(LAYOUTS.values()), ids=list(LAYOUTS))
def test_two_halves_and_two_sides_with_a_centre_make_the_body_in_every_layout(layout):
    joints = {part: set(joints_of_part(layout, part)) for part in PATTERNS}
    everything = set(range(layout.num_joints))
    assert joints["upper"] | joints["lower"] == everything
    assert not joints["upper"] & joints["lower"]
    assert joints["left"] | joints["right"] | joints["centre"] == everything
    assert {layout.mirror[joint] for joint in joints["left"]} == joints["right"]
    for part in ("upper", "lower", "centre"):  # symmetric
        assert {layout.mirror[joint] for joint in joints[part]} == joints[part]
    # Nothing hides a whole body, or nothing at all.
    assert all(0 < len(joints[part]) < layout.num_joints for part in PATTERNS[:-1])


def test_a_layout_of_your_own_is_known_by_the_names_of_its_joints():
    layout = SkeletonLayout("mine", ("mid_hip", "left_knee", "right_knee", "head", "right_big_toe"), (), "mid_hip")
    assert joints_of_part(layout, "lower") == (0, 1, 2, 4)
    assert joints_of_part(layout, "upper") == (3,)
    with pytest.raises(ValueError, match="'arms'"):
        joints_of_part(layout, "arms")


def test_hidden_joints_are_zero_for_every_person_and_frame_and_marked():
    layout = get_layout("posetics-17")
    keypoints, mask = torch.ones(6, 2, 3, 17, 2), torch.ones(6, 2, 3, 17, dtype=torch.bool)
    mask[:, 1] = False
    hidden, seen = hide(keypoints, mask, visibility(layout))
    for number, part in enumerate(PATTERNS):
        away = list(joints_of_part(layout, part))
        assert not hidden[number, :, :, away].any()
        assert not seen[number, :, :, away].any()
        assert int(hidden[number].sum()) == (17 - len(away)) * 2 * 3 * 2
        assert int(seen[number].sum()) == (17 - len(away)) * 3
    assert bool((keypoints == 1).all())  # a copy


def test_patterns_are_uniform_and_each_decided_by_its_own_seed():
    seeds = torch.arange(6000) * 7919
    drawn = draw_patterns(seeds)
    counts = drawn.bincount(minlength=6)
    assert len(counts) == 6
    assert float((counts - 1000).abs().max()) < 130  # four and a half standard deviations
    assert torch.equal(draw_patterns(seeds[[17, 3]]), drawn[[17, 3]])
    assert draw_patterns(torch.empty(0, dtype=torch.long)).shape == (0,)
