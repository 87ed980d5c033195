"""Every layout on one drawn body: each joint has its place, sides are on their sides, limbs are chains."""

import itertools

import numpy as np
import pytest

from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.measures import handedness, rank_layouts
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.skeletons.standing import STANDING, standing


each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
CHAINS = [("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")]


@each_layout
def test_every_joint_of_every_layout_has_a_place_on_the_body(layout):
    assert np.isfinite(standing(layout)).all()


def test_left_is_left_and_the_sides_are_mirror_images():
    for joint, (x, y, z) in STANDING.items():
        side, _, part = joint.partition("_")
        if side == "left":
            assert x > 0 and STANDING[f"right_{part}"] == (-x, y, z)
        elif side != "right":
            assert x == 0


@each_layout
def test_limbs_are_chains_of_bones_on_one_side(layout):
    pairs = {frozenset(bone) for bone in layout.bones}
    for side in ("left", "right"):
        for chain in CHAINS:
            for first, second in itertools.pairwise(chain):
                ends = {f"{side}_{first}", f"{side}_{second}"}
                if ends <= set(layout.joints):
                    assert ends in pairs


@each_layout
def test_no_bone_is_longer_than_the_trunk_with_the_head(layout):
    points = dict(zip(layout.joints, standing(layout), strict=True))
    for child, parent in layout.bones:
        assert np.linalg.norm(points[child] - points[parent]) < 0.85, (child, parent)


@each_layout
def test_the_measures_take_the_standing_body_for_one_in_every_layout(layout):
    points = np.tile(standing(layout), (1, 3, 1, 1))
    clip = SkeletonSequence(points, layout, 30, "metre")
    fits = {fit.layout: fit.misfit for fit in rank_layouts(clip)}
    assert fits[layout.name] < 0.15
    facing = handedness(clip)
    assert facing is None or facing > 0.5
