"""Which way is up: the same person, whatever axes the data has."""

import numpy as np
import pytest
import torch

import motionhub
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.runtime.steps import HEIGHTS, align_gravity
from motionhub.skeletons.convert import with_up
from motionhub.skeletons.layouts import LAYOUTS


def walker() -> motionhub.SkeletonSequence:
    return generate("walk around", seed=0, num_frames=20)  # metres, y up


def test_up_becomes_minus_y_from_any_axis_without_mirroring():
    clip = walker()
    first = clip.keypoints
    x, y, z = np.moveaxis(first, -1, 0)
    wanted = np.stack([x, -y, -z], -1)
    data = {
        "y up": first,
        "y down": wanted,
        "z up": np.stack([x, -z, y], -1),
        "z down": np.stack([x, z, -y], -1),
    }
    for name, points in data.items():
        assert np.array_equal(align_gravity(points, clip.layout), wanted), name


def test_an_image_is_flipped_only_when_its_y_points_up():
    clip = walker()
    up = clip.keypoints[..., :2]
    down = up * np.float32([1.0, -1.0])
    assert np.array_equal(align_gravity(up, clip.layout), down)
    assert np.array_equal(align_gravity(down, clip.layout), down)


@pytest.mark.parametrize("heading", [0, 60, 90, 180, 270])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("axes", ["y", "-y", "z", "-z"])
def test_a_fall_towards_or_away_from_the_camera_keeps_its_floor(heading, seed, axes):
    clip = generate("fall", seed=seed, scene=Scene(heading=heading), num_frames=150)
    wanted = with_up(clip, "-y").keypoints
    stated = with_up(clip, axes)
    found = align_gravity(stated.keypoints, clip.layout)
    np.testing.assert_allclose(found, align_gravity(stated.keypoints, clip.layout, axes))
    np.testing.assert_allclose(found[..., 1], wanted[..., 1], atol=1e-5)


def test_a_stated_axis_decides():
    points = walker().keypoints
    assert np.array_equal(align_gravity(points, walker().layout, "-y"), points)
    np.testing.assert_allclose(align_gravity(points, walker().layout, "x")[..., 1], -points[..., 0], atol=1e-6)


def test_no_person_and_a_single_joint_are_left_alone():
    layout = walker().layout
    nothing = np.full((1, 3, 20, 3), np.nan, np.float32)
    assert np.isnan(align_gravity(nothing, layout)).all()
    nothing[0, 0, 3] = 1.0
    assert np.array_equal(align_gravity(nothing, layout), nothing, equal_nan=True)


def test_the_processor_makes_one_image_of_all_axes_and_saves_the_choice(tmp_path):
    clip = walker()
    options = {"layout": "smarthome-15", "normalization": "centre", "scale": "extent", "num_people": 1}
    processor = SkeletonProcessor(**options, upright=True)
    x, y, z = np.moveaxis(clip.keypoints, -1, 0)
    made = processor(clip)["keypoints"]
    for points in (np.stack([x, -y, -z], -1), np.stack([x, -z, y], -1), np.stack([x, y], -1)):
        torch.testing.assert_close(processor(clip.replace(keypoints=points, up=None))["keypoints"], made)
    head, hip = (
        motionhub.get_layout("smarthome-15").index("head"),
        motionhub.get_layout("smarthome-15").index("mid_hip"),
    )
    assert float((made[..., head, 1] - made[..., hip, 1]).max()) < 0
    processor.save_pretrained(tmp_path)
    assert SkeletonProcessor.from_pretrained(tmp_path).upright


def test_every_layout_has_high_and_low_joints():
    for layout in LAYOUTS.values():
        known = [joint for joint in layout.joints if any(word in joint for word in HEIGHTS)]
        assert len(known) >= 0.8 * layout.num_joints, layout.name
