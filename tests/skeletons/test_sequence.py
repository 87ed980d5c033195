"""`SkeletonSequence`: what it accepts, what it turns into NaN, and what it refuses with which advice."""

import numpy as np
import pytest

from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


def sequence(keypoints=None, **changes):
    facts = {"layout": "penn-13", "fps": 30, "unit": "pixel", **changes}
    return SkeletonSequence(np.ones((2, 5, 13, 2)) if keypoints is None else keypoints, **facts)


def test_shapes_and_defaults():
    clip = sequence()
    assert (clip.num_people, clip.num_frames, clip.num_joints, clip.num_dims) == (2, 5, 13, 2)
    assert clip.keypoints.dtype == np.float32 and clip.joint_mask.all()
    assert clip.layout is get_layout("penn-13") and clip.track_ids == (0, 1) and clip.duration == pytest.approx(5 / 30)


def test_one_person_may_come_without_the_axis_of_people():
    clip = sequence(np.ones((5, 13, 3)), confidence=np.ones((5, 13)), unit="metre")
    assert clip.keypoints.shape == (1, 5, 13, 3) and clip.confidence.shape == (1, 5, 13)


@pytest.mark.parametrize("shape", [(0, 5, 13, 2), (1, 1, 13, 2), (2, 0, 13, 3)])
def test_no_person_no_frame_or_one_frame_is_a_sequence(shape):
    assert sequence(np.zeros(shape)).keypoints.shape == shape


def test_all_missing_is_a_sequence():
    assert not sequence(np.full((1, 4, 13, 2), np.nan)).joint_mask.any()


def test_infinite_coordinates_and_half_known_joints_become_missing():
    keypoints = np.ones((1, 3, 13, 2))
    keypoints[0, 0, 2, 1] = np.inf
    keypoints[0, 1, 3, 0] = np.nan
    clip = sequence(keypoints)
    assert np.argwhere(~clip.joint_mask[0]).tolist() == [[0, 2], [1, 3]]
    assert np.isnan(clip.keypoints[0, 0, 2]).all() and np.isnan(clip.keypoints[0, 1, 3]).all()


def test_the_array_given_is_left_alone():
    keypoints = np.ones((1, 3, 13, 2), dtype=np.float32)
    keypoints[0, 0, 0, 0] = np.inf
    clip = sequence(keypoints)
    clip.keypoints[0, 1] = 5.0
    assert np.isinf(keypoints[0, 0, 0, 0]) and keypoints[0, 0, 0, 1] == 1 and np.all(keypoints[0, 1] == 1)


@pytest.mark.parametrize("shape", [(13, 2), (5,), (2, 5, 13, 1), (2, 5, 13, 4), (1, 2, 5, 13, 2)])
def test_wrong_dimensions_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(num_people, num_frames, 13, 2 or 3\)"):
        sequence(np.zeros(shape))


def test_a_wrong_layout_is_refused_with_both_counts():
    with pytest.raises(ValueError, match="'ntu-25' has 25 joints, but keypoints have 13"):
        sequence(layout="ntu-25")
    with pytest.raises(ValueError, match="Unknown layout"):
        sequence(layout="pen")
    with pytest.raises(ValueError, match="Unknown layout"):
        sequence(layout=13)


@pytest.mark.parametrize("keypoints", [[[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]], "walk", [["a", "b"]]])
def test_ragged_lists_and_text_are_refused(keypoints):
    with pytest.raises(ValueError, match="rectangular array of numbers"):
        sequence(keypoints)


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf"), None, "30", True, 10**400])
def test_a_bad_frame_rate_is_refused(fps):
    with pytest.raises(ValueError, match="fps must be a positive number"):
        sequence(fps=fps)


@pytest.mark.parametrize("unit", ["", "pixels", "mm", None])
def test_a_bad_unit_is_refused(unit):
    with pytest.raises(ValueError, match="unit must be one of"):
        sequence(unit=unit)


@pytest.mark.parametrize(
    "image_size", [(640,), (640, 0), (-1, 480), 640, (640, float("nan")), (10**30, 480), (0.5, 9)]
)
def test_a_bad_image_size_is_refused(image_size):
    with pytest.raises(ValueError, match=r"image_size must be \(width, height\)"):
        sequence(image_size=image_size)


@pytest.mark.parametrize("track_ids", [(1,), (3, 3), (0, 1, 1), ()])
def test_track_ids_that_do_not_tell_people_apart_are_refused(track_ids):
    with pytest.raises(ValueError, match="track_ids must be 2 different integers"):
        sequence(track_ids=track_ids)


def test_confidence_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"confidence must have shape \(2, 5, 13\)"):
        sequence(confidence=np.ones((2, 4, 13)))


def test_person_is_taken_with_everything_that_is_theirs():
    keypoints = np.ones((2, 5, 13, 2)) * np.array([10.0, 20.0])[:, None, None, None]
    confidence = np.ones((2, 5, 13)) * np.array([0.1, 0.2])[:, None, None]
    person = sequence(keypoints, confidence=confidence, track_ids=(7, 9), image_size=(640, 480)).person(1)
    assert np.all(person.keypoints == 20) and np.all(person.confidence == np.float32(0.2))
    assert person.track_ids == (9,) and person.image_size == (640, 480) and person.num_people == 1
    with pytest.raises(ValueError, match=r"0\.\.1, got 2"):
        sequence().person(2)


def test_a_sequence_prints_as_one_line():
    clip = SkeletonSequence(np.zeros((90, 17, 3)), "coco-17", 30, "metre")
    assert repr(clip) == "SkeletonSequence(people 1, frames 90 at 30 fps, 3-D in metres, layout coco-17)"
    clip = clip.replace(keypoints=clip.keypoints[..., :2], unit="normalised", fps=29.97)
    assert str(clip).endswith("at 29.97 fps, 2-D in normalised units, layout coco-17)")


def test_replace_checks_the_new_values():
    assert sequence().replace(fps=25).fps == 25
    with pytest.raises(ValueError, match="fps"):
        sequence().replace(fps=-1)


@pytest.mark.parametrize("up", ["up", "Y", "z", ""])
def test_the_axis_that_points_up_is_one_of_the_keypoints(up):
    assert sequence(up="-y").up == "-y"
    with pytest.raises(ValueError, match="up must be None or one of"):
        sequence(up=up)
