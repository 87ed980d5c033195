"""Which way is up: the same person, whatever axes the data has."""

import numpy as np
import torch

import motionhub
from motionhub.data.synthetic.generate import generate
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.processing.steps import HEIGHTS, align_gravity
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


def test_a_picture_is_flipped_only_when_its_y_points_up():
    clip = walker()
    up = torch.tensor(clip.keypoints)[..., :2]
    down = up * torch.tensor([1.0, -1.0])
    assert torch.equal(align_gravity(up, clip.layout), down)
    assert torch.equal(align_gravity(down, clip.layout), down)


def test_nobody_and_a_single_joint_are_left_alone():
    layout = walker().layout
    nothing = torch.full((1, 3, 20, 3), float("nan"))
    assert align_gravity(nothing, layout).isnan().all()
    nothing[0, 0, 3] = 1.0
    assert torch.equal(align_gravity(nothing, layout).nan_to_num(), nothing.nan_to_num())


def test_the_processor_makes_one_picture_of_all_axes_and_saves_the_choice(tmp_path):
    clip = walker()
    options = {"layout": "smarthome-15", "normalization": "centre", "scale": "extent", "num_people": 1}
    processor = SkeletonProcessor(**options, upright=True)
    x, y, z = np.moveaxis(clip.keypoints, -1, 0)
    made = processor(clip)["keypoints"]
    for points in (np.stack([x, -y, -z], -1), np.stack([x, -z, y], -1), np.stack([x, y], -1)):
        torch.testing.assert_close(processor(clip.replace(keypoints=points))["keypoints"], made)
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
