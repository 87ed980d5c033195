"""Experts that differ in layout, frame rate, image size, length and people become alike."""

import numpy as np
import pytest
from analytic_motions import straight_walk

from motionhub.poses.experts import reconcile
from motionhub.poses.refine import aggregate_experts
from motionhub.skeletons.convert import convert_layout, resample
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


POINT = SkeletonLayout("pair", ("root", "end"), (("end", "root"),), "root")


def standing(*places, frames=20, **facts):
    """People of one bone that stand at these x."""
    track = np.zeros((len(places), frames, 2, 2), np.float32)
    track[..., 0] = np.array(places, np.float32)[:, None, None]
    track[:, :, 1, 1] = 100
    return SkeletonSequence(track, POINT, 30, "pixel", **facts)


def test_layouts_and_frame_rates_become_the_firsts():
    walk = convert_layout(straight_walk(num_frames=61, fps=30), "coco-17")
    other = resample(convert_layout(straight_walk(num_frames=121, fps=60), "kinect-20"), 60)
    first, second = reconcile([walk, other])
    assert second.layout.name == "coco-17" and second.fps == 30 and second.num_frames == first.num_frames == 61
    limbs = [index for index, joint in enumerate(walk.layout.joints) if joint.endswith(("_wrist", "_knee", "_hip"))]
    np.testing.assert_allclose(second.keypoints[:, :, limbs], first.keypoints[:, :, limbs], atol=0.02)


def test_pixels_are_scaled_to_the_firsts_image_size():
    first, second = reconcile([standing(50, image_size=(640, 480)), standing(100, image_size=(1280, 960))])
    assert second.image_size == (640, 480)
    assert second.keypoints[0, 0].tolist() == [[50, 0], [50, 50]]
    assert first.keypoints[0, 0].tolist() == [[50, 0], [50, 100]]


def test_a_shorter_expert_misses_the_last_frames_and_a_much_shorter_one_is_said():
    _, second = reconcile([standing(5, frames=20), standing(5, frames=19)])
    assert second.joint_mask.all(axis=(0, 2)).tolist() == [True] * 19 + [False]
    with pytest.warns(UserWarning, match=r"\[20, 10\] frames; are they of the same video"):
        reconcile([standing(5, frames=20), standing(5, frames=10)])


def test_people_in_another_order_are_the_same_people():
    first, second = reconcile([standing(0, 300), standing(302, 1)])
    assert first.keypoints[:, 0, 0, 0].tolist() == [0, 300]
    assert second.keypoints[:, 0, 0, 0].tolist() == [1, 302]


def test_two_people_who_cross_keep_their_tracks():
    people = crossing(60)
    swapped = people.replace(keypoints=people.keypoints[::-1], track_ids=None)
    first, second = reconcile([people, swapped])
    np.testing.assert_array_equal(first.keypoints, second.keypoints)


def crossing(frames):
    """Two people of one bone who walk through each other."""
    people = standing(0, 300, frames=frames).keypoints.copy()
    people[0, :, :, 0] += np.linspace(0, 300, frames)[:, None]
    people[1, :, :, 0] -= np.linspace(0, 300, frames)[:, None]
    return SkeletonSequence(people, POINT, 30, "pixel")


def test_a_person_only_another_expert_detected_is_in_the_result():
    merged, confidence = aggregate_experts([standing(0), standing(900, 3)])
    assert merged.num_people == 2 and merged.track_ids == (0, 1)
    assert merged.keypoints[:, 0, 0, 0].tolist() == [0, 900]
    assert confidence[1] == pytest.approx(0.5)  # one of two experts


def test_a_person_tracked_in_pieces_is_one_again():
    whole = standing(0, frames=20)
    pieces = np.full((2, 20, 2, 2), np.nan, np.float32)
    pieces[0, :8], pieces[1, 12:] = whole.keypoints[0, :8], whole.keypoints[0, 12:]
    pieces = whole.replace(keypoints=pieces, track_ids=None)
    _, second = reconcile([whole, pieces])
    assert second.num_people == 1
    assert second.joint_mask[0].all(axis=1).tolist() == [True] * 8 + [False] * 4 + [True] * 8


def test_single_people_are_the_same_however_much_the_experts_disagree():
    first, second = reconcile([standing(0), standing(5000)])
    assert first.num_people == second.num_people == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="No expert was given"):
        reconcile([])
    with pytest.raises(ValueError, match="must be a SkeletonSequence, got ndarray"):
        reconcile([np.zeros((2, 2, 2))])
    with pytest.raises(ValueError, match="first has 2 dimensions in unit 'pixel', number 1 has 2 in 'normalised'"):
        reconcile([standing(0), standing(0).replace(unit="normalised")])
