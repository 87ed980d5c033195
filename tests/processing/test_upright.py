"""Which way is up: the same person, whatever axes the data has."""

import numpy as np
import pytest
import torch

import motionhub
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.processing.steps import HEIGHTS, align_gravity
from motionhub.skeletons.convert import with_up
from motionhub.skeletons.layouts import LAYOUTS


def walker() -> motionhub.SkeletonSequence:
    return generate("walk around", seed=0, num_frames=20)  # metres, y up


def test_up_becomes_minus_y_from_any_axis_without_mirroring():
    clip = walker()
    first = torch.tensor(clip.keypoints)
    x, y, z = first.unbind(-1)
    wanted = torch.stack([x, -y, -z], dim=-1)
    data = {
        "y up": first,
        "y down": wanted,
        "z up": torch.stack([x, -z, y], -1),
        "z down": torch.stack([x, z, -y], -1),
    }
    for name, points in data.items():
        assert torch.equal(align_gravity(points, clip.layout), wanted), name


def test_an_image_is_flipped_only_when_its_y_points_up():
    clip = walker()
    up = torch.tensor(clip.keypoints)[..., :2]
    down = up * torch.tensor([1.0, -1.0])
    assert torch.equal(align_gravity(up, clip.layout), down)
    assert torch.equal(align_gravity(down, clip.layout), down)


@pytest.mark.parametrize("heading", [0, 60, 90, 180, 270])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("axes", ["y", "-y", "z", "-z"])
def test_a_fall_towards_or_away_from_the_camera_keeps_its_floor(heading, seed, axes):
    clip = generate("fall", seed=seed, scene=Scene(heading=heading), num_frames=150)
    wanted = with_up(clip, "-y").keypoints
    stated = with_up(clip, axes)
    found = align_gravity(torch.tensor(stated.keypoints), clip.layout)
    torch.testing.assert_close(found, align_gravity(torch.tensor(stated.keypoints), clip.layout, axes))
    np.testing.assert_allclose(found[..., 1].numpy(), wanted[..., 1], atol=1e-5)


def test_a_stated_axis_decides():
    points = torch.tensor(walker().keypoints)
    assert torch.equal(align_gravity(points, walker().layout, "-y"), points)
    torch.testing.assert_close(align_gravity(points, walker().layout, "x")[..., 1], -points[..., 0])


def test_no_person_and_a_single_joint_are_left_alone():
    layout = walker().layout
    nothing = torch.full((1, 3, 20, 3), float("nan"))
    assert align_gravity(nothing, layout).isnan().all()
    nothing[0, 0, 3] = 1.0
    assert torch.equal(align_gravity(nothing, layout).nan_to_num(), nothing.nan_to_num())


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
