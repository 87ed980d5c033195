"""Layout conversion against the published index lists, and the laws that hold between all layouts."""

import itertools
import warnings

import numpy as np
import pytest

from motionhub.skeletons.convert import check_conversion, conversion_weights, convert_layout, with_up
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout
from motionhub.skeletons.sequence import DIRECTIONS, SkeletonSequence


PAIRS = list(itertools.product(LAYOUTS, LAYOUTS))


def numbered(layout, **changes):
    """One person, one frame; joint i lies at (i, i * i), so that no mean of joints can be mistaken for another."""
    index = np.arange(get_layout(layout).num_joints, dtype=np.float32)
    points = np.stack([index, index * index], axis=-1)[None, None]
    return SkeletonSequence(points, **{"layout": layout, "fps": 30, "unit": "pixel", **changes})


def place(*indices):
    """Where the mean of some numbered joints lies; an entry may itself be a place."""
    points = [np.array([i, i * i], dtype=float) if isinstance(i, int) else i for i in indices]
    return np.mean(points, axis=0)


UNKNOWN = np.full(2, np.nan)
# target joints in order, as SPECS' sources print them: an index of the source, or a mean.
GOLDEN = {
    ("posetics-17", "lac-17"): [0, 2, 6, 8, 10, 5, 7, 9, 4, 12, 14, 16, 11, 13, 15, 1, 3],
    ("posetics-17", "lac-15"): [0, 2, 6, 8, 10, 5, 7, 9, 4, 12, 14, 16, 11, 13, 15],
    ("lac-15", "posetics-17"): [0, place(0, 1), 1, place(8, 1), 8, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11],
    ("lac-17", "posetics-17"): [0, place(0, 1), 1, place(8, 1), 8, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11],
    ("lac-15", "lac-17"): [*range(15), place(0, 1), place(1, 8)],
    ("lcrnet-13", "posetics-17"): [
        *(12, place(12, place(10, 11)), place(10, 11), place(10, 11, 4, 5), place(4, 5)),
        *(11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
    ],
    ("lcrnet-13", "coco-17"): [12, 12, 12, 12, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ("lcrnet-13", "smarthome-15"): [*range(12, -1, -1), place(10, 11), place(4, 5)],
    ("poem-17", "cv-mim-13"): [1, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16],
    ("h36m-17", "cv-mim-13"): [10, 11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3],
    ("poem-17", "h36m-17"): [0, 12, 14, 16, 11, 13, 15, 10, 3, 2, 1, 4, 6, 8, 5, 7, 9],
    ("body-25b", "coco-17"): list(range(17)),
    ("halpe-26", "body-25"): [
        *(0, 18, 6, 8, 10, 5, 7, 9, 19, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3),
        *(20, 22, 24, 21, 23, 25),
    ],
    ("smpl-22", "kinect-20"): [
        *(0, 3, place(16, 17), 15, 16, 18, 20, UNKNOWN, 17, 19, 21, UNKNOWN),
        *(1, 4, 7, 10, 2, 5, 8, 11),
    ],
    ("ntu-25", "posetics-17"): [3, place(3, 2), 2, 1, 0, 4, 8, 5, 9, 6, 10, 12, 16, 13, 17, 14, 18],
    ("coco-17", "posetics-17"): [
        *(0, place(0, place(5, 6)), place(5, 6), place(5, 6, 11, 12), place(11, 12)),
        *range(5, 17),
    ],
    ("penn-13", "posetics-17"): [
        *(0, place(0, place(1, 2)), place(1, 2), place(1, 2, 7, 8), place(7, 8)),
        *(2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11),
    ],
    ("kinect-20", "posetics-17"): [3, place(3, 2), 2, place(2, 0), 0, 4, 8, 5, 9, 6, 10, 12, 16, 13, 17, 14, 18],
    ("utd-mhad-20", "posetics-17"): [0, place(0, 1), 1, place(1, 3), 3, 4, 8, 5, 9, 6, 10, 12, 16, 13, 17, 14, 18],
    ("utd-mhad-20", "kinect-20"): [3, 2, 1, 0, *range(4, 20)],
    ("body-25", "coco-17"): [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11],
    ("body-25", "openpose-18"): [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
    ("body-25", "lac-15"): list(range(15)),
}


@pytest.mark.parametrize(("source", "target"), GOLDEN, ids="->".join)
def test_conversion_takes_the_published_indices(source, target):
    expected = np.stack([place(entry) if isinstance(entry, int) else entry for entry in GOLDEN[source, target]])
    np.testing.assert_allclose(convert_layout(numbered(source), target).keypoints[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", LAYOUTS)
def test_conversion_to_the_same_layout_is_identity(name):
    keypoints = np.random.default_rng(0).normal(size=(2, 3, LAYOUTS[name].num_joints, 3)).astype(np.float32)
    keypoints[0, 1, 2] = np.nan
    clip = SkeletonSequence(keypoints, name, 30, "metre", confidence=np.abs(keypoints[..., 0]).clip(0, 1))
    converted, report = convert_layout(clip, name, return_report=True)
    np.testing.assert_array_equal(converted.keypoints, clip.keypoints)
    np.testing.assert_array_equal(converted.confidence, clip.confidence)
    assert report.copied == LAYOUTS[name].joints and not report.interpolated and not report.missing


@pytest.mark.parametrize(("source", "target"), PAIRS, ids="->".join)
def test_every_pair_converts_and_what_cannot_be_told_is_nan_and_reported(source, target):
    layout = LAYOUTS[source]
    shift = np.array([100.0, 200.0, 300.0])
    keypoints = shift + np.random.default_rng(3).uniform(-1, 1, size=(2, 2, layout.num_joints, 3))
    converted, report = convert_layout(SkeletonSequence(keypoints, source, 30, "metre"), target, return_report=True)
    joints = LAYOUTS[target].joints
    assert sorted((*report.copied, *report.interpolated, *report.missing)) == sorted(joints)
    for index, joint in enumerate(joints):
        points = converted.keypoints[:, :, index]
        if joint in report.missing:
            assert np.isnan(points).all()
        else:  # a mean of body joints lies among them: never zero, never outside
            assert np.abs(points - shift).max() <= 1.001
    assert set(report.copied) >= set(joints) & set(layout.joints) - {"mouth", "chest", "head"}


@pytest.mark.parametrize(("source", "target"), PAIRS, ids="->".join)
def test_conversion_and_mirroring_commute(source, target):
    weights, _ = conversion_weights(source, target)
    mirrored = weights[np.ix_(LAYOUTS[target].mirror, LAYOUTS[source].mirror)]
    np.testing.assert_array_equal(weights, mirrored)
    assert weights.dtype == np.float32 and weights.min() >= 0
    assert set(np.round(weights.sum(axis=1), 6)) <= {0.0, 1.0}


@pytest.mark.parametrize("source", LAYOUTS)
def test_every_layout_fills_posetics(source):
    """Posetics-17 is the layout of the published checkpoints: every dataset must reach it whole."""
    assert conversion_weights(source, "posetics-17")[1].missing == ()


def test_report_tells_copies_means_substitutions_and_gaps_apart():
    report = conversion_weights("coco-17", "kinect-20")[1]
    assert report.substituted == {"head": "nose"}
    assert report.interpolated["shoulder_centre"] == ("left_shoulder", "right_shoulder")
    assert report.missing == ("left_hand", "right_hand", "left_foot", "right_foot")
    lines = str(report).splitlines()
    assert lines[0] == "coco-17 -> kinect-20" and len(lines) == 21
    assert any(line.split() == ["head", "played", "by", "nose"] for line in lines)
    assert any(line.split() == ["left_wrist", "copied"] for line in lines)
    assert any(line.startswith("left_foot") and "missing" in line for line in lines)


def test_a_joint_is_missing_where_any_of_its_sources_is_and_only_there():
    clip = numbered("lcrnet-13")
    keypoints = np.repeat(clip.keypoints, 2, axis=1)
    keypoints[0, 1, 11] = np.nan  # left shoulder, second frame
    mask = convert_layout(clip.replace(keypoints=keypoints), "posetics-17").joint_mask[0]
    absent = [get_layout("posetics-17").joints[index] for index in np.flatnonzero(~mask[1])]
    assert mask[0].all() and absent == ["mouth", "neck", "chest", "left_shoulder"]


def test_a_missing_person_stays_missing_and_no_person_stays_none():
    unseen = SkeletonSequence(np.full((1, 3, 17, 2), np.nan), "coco-17", 30, "pixel")
    assert not convert_layout(unseen, "posetics-17").joint_mask.any()
    empty = SkeletonSequence(np.zeros((0, 3, 17, 2)), "coco-17", 30, "pixel", confidence=np.zeros((0, 3, 17)))
    converted = convert_layout(empty, "ntu-25")
    assert converted.keypoints.shape == (0, 3, 25, 2) and converted.confidence.shape == (0, 3, 25)


def test_confidence_is_that_of_the_weakest_source_and_zero_without_one():
    confidence = np.linspace(0.2, 0.8, 13, dtype=np.float32)[None, None]
    converted = convert_layout(numbered("lcrnet-13", confidence=confidence), "kinect-20")
    of = dict(zip(converted.layout.joints, converted.confidence[0, 0], strict=True))
    assert of["head"] == confidence[0, 0, 12]
    assert of["shoulder_centre"] == min(confidence[0, 0, 10], confidence[0, 0, 11])
    assert of["mid_hip"] == min(confidence[0, 0, 4], confidence[0, 0, 5])
    assert of["left_hand"] == 0


def test_everything_but_the_joints_stays():
    clip = numbered("coco-17", fps=24, unit="normalised", image_size=(640, 480), track_ids=(5,))
    converted = convert_layout(clip, get_layout("posetics-17"))
    assert (converted.fps, converted.unit, converted.image_size, converted.track_ids) == (
        24,
        "normalised",
        (640, 480),
        (5,),
    )
    assert converted.layout is get_layout("posetics-17")


def test_ones_own_layout_converts_by_its_names():
    arm = SkeletonLayout("arm", ("left_wrist", "left_elbow"), (("left_wrist", "left_elbow"),), root="left_elbow")
    weights, report = conversion_weights("coco-17", arm)
    assert weights.argmax(axis=1).tolist() == [9, 7] and report.copied == arm.joints
    back = conversion_weights(arm, "coco-17")[1]
    assert back.copied == ("left_elbow", "left_wrist") and len(back.missing) == 15


def test_an_unknown_target_is_refused_with_its_neighbours():
    with pytest.raises(ValueError, match="posetics-17"):
        convert_layout(numbered("coco-17"), "posetic")


@pytest.mark.parametrize("before", DIRECTIONS)
@pytest.mark.parametrize("after", DIRECTIONS)
def test_another_axis_up_is_a_rotation_that_keeps_left_left(before, after):
    axes = {name: np.eye(3)["xyz".index(name[-1])] * (-1 if "-" in name else 1) for name in DIRECTIONS}
    points = np.zeros((1, 1, 13, 3))
    points[0, 0, :4] = [axes[before], *np.eye(3)]
    turned = with_up(SkeletonSequence(points, "penn-13", 30, "metre", up=before), after)
    assert turned.up == after
    np.testing.assert_array_equal(turned.keypoints[0, 0, 0], axes[after])
    assert np.linalg.det(turned.keypoints[0, 0, 1:4]) == pytest.approx(1)


def test_an_unknown_axis_is_not_guessed():
    clip = SkeletonSequence(np.zeros((1, 1, 13, 3)), "penn-13", 30, "metre")
    with pytest.raises(ValueError, match=r'state it: sequence.replace\(up="y"\)'):
        with_up(clip, "y")


# What a conversion must not do silently.

RIG = SkeletonLayout("rig", ("bone_1", "bone_2", "hat"), (("bone_2", "bone_1"),), root="bone_1")
FACE = SkeletonLayout("face", ("nose", "left_eye", "right_eye"), (("left_eye", "nose"), ("right_eye", "nose")), "nose")


def still(layout):
    return SkeletonSequence(np.zeros((1, 2, layout.num_joints, 2)), layout, 30, "pixel")


@pytest.mark.parametrize("target", ["coco-17", "ntu-25", "posetics-17", "smpl-22"])
def test_a_conversion_that_maps_no_joint_is_an_error_with_both_layouts_and_the_fix(target):
    with pytest.raises(
        ValueError, match=f"No joint of layout 'rig' .bone_1, bone_2, hat.*{target}.*names: {{bone_1: "
    ):
        convert_layout(still(RIG), target)


@pytest.mark.parametrize("target", ["coco-17", "posetics-17", "mediapipe-33"])
def test_a_conversion_that_loses_all_limbs_is_an_error(target):
    with pytest.raises(ValueError, match=f"No limb joint of layout 'face'.*'{target}'"):
        convert_layout(still(FACE), target)


def test_a_conversion_between_layouts_without_limbs_is_none(recwarn):
    ears = SkeletonLayout("nose-only", ("nose",), (), "nose")
    assert convert_layout(still(FACE), ears).joint_mask.all() and not recwarn.list


def test_below_half_of_the_joints_a_warning_lists_those_that_are_lost_once_per_pair(monkeypatch):
    monkeypatch.setattr("motionhub.skeletons.convert._WARNED", set())
    arm = SkeletonLayout("arm", ("left_shoulder", "left_elbow", "left_wrist"), (), "left_shoulder")
    with pytest.warns(UserWarning, match="arm -> coco-17: 3 of 17 joints copied.*14 lost: nose, .*right_ankle"):
        convert_layout(still(arm), "coco-17")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert_layout(still(arm), "coco-17")
        convert_layout(still(LAYOUTS["coco-17"]), "kinect-20")


@pytest.mark.parametrize("source", LAYOUTS)
def test_no_pair_of_the_librarys_layouts_loses_its_limbs(source):
    for target in LAYOUTS.values():
        _, report = conversion_weights(source, target)
        check_conversion(LAYOUTS[source], target, report)
        assert 2 * report.made >= target.num_joints
