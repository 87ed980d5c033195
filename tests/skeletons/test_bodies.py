"""Bone lengths change as asked, directions not at all."""

import numpy as np
import pytest

from motionhub import LAYOUTS, SkeletonSequence
from motionhub.data.synthetic.generate import generate
from motionhub.skeletons.bodies import GROUPS, limb_group, with_bone_lengths


def bones(sequence: SkeletonSequence) -> np.ndarray:
    child, parent = sequence.layout.bone_indices.T
    return sequence.keypoints[:, :, child] - sequence.keypoints[:, :, parent]


@pytest.fixture(scope="module")
def walk() -> SkeletonSequence:
    return generate("walk around", seed=0, num_frames=20)


def test_every_joint_of_every_layout_has_a_limb() -> None:
    assert {limb_group(joint) for layout in LAYOUTS.values() for joint in layout.joints} == set(GROUPS)
    names = {"left_elbow": "arm", "right_hand_tip": "arm", "left_hip": "pelvis", "mid_hip": "torso"}
    names |= {"right_foot": "leg", "left_big_toe": "leg", "nose": "head", "left_shoulder": "shoulder"}
    names |= {"neck": "torso", "shoulder_centre": "torso", "head_tip": "head", "left_upper_arm": "shoulder"}
    assert {name: limb_group(name) for name in names} == names


def test_bones_keep_their_direction_and_take_their_limbs_factor(walk: SkeletonSequence) -> None:
    factors = {"arm": 1.3, "leg": 0.8, "torso": 1.1, "head": 0.9, "shoulder": 1.2, "pelvis": 0.7}
    changed = with_bone_lengths(walk, factors)
    wanted = [factors[limb_group(child)] for child, _ in walk.layout.bones]
    np.testing.assert_allclose(bones(changed), bones(walk) * np.array(wanted)[:, None], atol=1e-5)


def test_longer_legs_take_longer_steps(walk: SkeletonSequence) -> None:
    root = walk.layout.index("mid_hip")
    changed = with_bone_lengths(walk, {"leg": 1.5})
    np.testing.assert_allclose(changed.keypoints[:, :, root], 1.5 * walk.keypoints[:, :, root], rtol=1e-5)


def test_a_joint_goes_before_its_limb_and_ones_change_nothing(walk: SkeletonSequence) -> None:
    changed = with_bone_lengths(walk, {"arm": 1.0, "left_wrist": 2.0})
    lengths = [np.linalg.norm(bones(part), axis=-1) for part in (changed, walk)]
    ratio = dict(zip([child for child, _ in walk.layout.bones], (lengths[0] / lengths[1])[0, 0], strict=True))
    assert ratio.pop("left_wrist") == pytest.approx(2, rel=1e-4)
    np.testing.assert_allclose(list(ratio.values()), 1, atol=1e-4)
    np.testing.assert_allclose(with_bone_lengths(walk, {}).keypoints, walk.keypoints, atol=1e-6)


def test_a_missing_joint_hides_what_hangs_on_it(walk: SkeletonSequence) -> None:
    keypoints = walk.keypoints.copy()
    keypoints[0, 5, walk.layout.index("left_elbow")] = np.nan
    changed = with_bone_lengths(walk.replace(keypoints=keypoints), {"arm": 1.2})
    lost = [walk.layout.joints[index] for index in np.flatnonzero(np.isnan(changed.keypoints[0, 5, :, 0]))]
    assert lost == ["left_elbow", "left_wrist", "left_hand"]
    assert not np.isnan(changed.keypoints[0, 6]).any()


def test_bad_factors_are_refused(walk: SkeletonSequence) -> None:
    for factors in ({"tail": 1.0}, {"arm": 0.0}, {"leg": float("nan")}):
        with pytest.raises(ValueError, match="factors"):
            with_bone_lengths(walk, factors)
