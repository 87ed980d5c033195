"""RetargetProcessor: rows written out by hand, and the way back."""

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor

import motionhub
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.skeletons.layouts import get_layout


LAYOUT = get_layout("lac-15")
ROOT = LAYOUT.index("mid_hip")
NAN = float("nan")


def walk(frames=10, people=1, seed=0, layout="lac-15", **changes):
    """A body that keeps its pose but for noise, and goes 3 pixels to the right a frame."""
    random = np.random.default_rng(seed)
    joints = get_layout(layout).num_joints
    pose = random.uniform(100, 300, size=(people, 1, joints, 2)) + random.normal(size=(people, frames, joints, 2))
    pose[..., 0] += 3 * np.arange(frames)[:, None]
    fields = {"layout": layout, "fps": 25, "unit": "pixel", "image_size": (640, 512)}
    return motionhub.SkeletonSequence(pose, **{**fields, **changes})


def plain(**changes):
    return RetargetProcessor(**{"smoothing": 0.0, "output_smoothing": 0.0, **changes})


def test_rows_are_joints_from_the_root_and_its_velocity():
    sequence = walk()
    rows = plain().process(sequence)["keypoints"][0].numpy()
    points = sequence.keypoints[0]
    joints = [joint for joint in LAYOUT.joints if joint != "mid_hip"]
    for row, joint in enumerate(joints):
        np.testing.assert_allclose(rows[:, row], points[:, LAYOUT.index(joint)] - points[:, ROOT], atol=1e-3)
    np.testing.assert_allclose(rows[1:, 14], points[1:, ROOT] - points[:-1, ROOT], atol=1e-3)
    assert (rows[0, 14] == 0).all()


def test_the_image_height_becomes_512_and_statistics_are_taken_off():
    sequence, mean, std = walk(image_size=(1280, 1024)), np.arange(30).reshape(15, 2), np.full((15, 2), 4.0)
    expected = (plain().process(walk(image_size=(640, 512)))["keypoints"] * 0.5 - torch.tensor(mean)) / 4
    result = plain(mean=mean, std=std).process(sequence)["keypoints"]
    torch.testing.assert_close(result, expected.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("scale", ["image", "body"])
def test_inverse_gives_the_sequence_back(scale):
    mean = np.random.default_rng(1).normal(scale=50, size=(15, 2))
    processor = plain(mean=mean, std=np.full((15, 2), 20.0), scale=scale)
    sequence = walk(people=2)
    back = processor.inverse(processor.process(sequence)["keypoints"], sequence)
    np.testing.assert_allclose(back, sequence.keypoints, atol=2e-3)


def test_placement_in_the_image_centre_starts_there_on_a_canvas_of_sixteens():
    sequence = walk(image_size=(700, 512))  # 700 -> 704 wide
    processor = plain(placement="image-centre")
    back = processor.inverse(processor.process(sequence)["keypoints"], sequence)
    np.testing.assert_allclose(back[0, 0, ROOT], [352, 256], atol=1e-3)


def test_body_scale_makes_a_person_near_and_far_the_same_and_takes_any_unit():
    near = walk(image_size=None)
    far = near.replace(keypoints=near.keypoints * 0.01, unit="normalised")
    processor = plain(scale="body", mean=np.full((15, 2), 30.0))
    first, second = (processor.process(sequence)["keypoints"] for sequence in (near, far))
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-3)
    trunk = (first + 30)[0, :, LAYOUT.joints.index("neck")].norm(dim=-1).median()
    assert float(trunk) == pytest.approx(np.hypot(30, 30), rel=0.01)


def test_smoothing_keeps_a_straight_line_inside_and_calms_a_jump():
    line = walk(40)
    rows = RetargetProcessor(output_smoothing=0).process(line)["keypoints"]
    # Reflected borders stop the walk at both ends; far from them it continues at three pixels a frame.
    np.testing.assert_allclose(rows[0, 12:28, 14, 0], 3, atol=0.5)
    jump = line.keypoints.copy()
    jump[:, 20:, :, 0] += 100
    calmed = RetargetProcessor().process(line.replace(keypoints=jump))["keypoints"][0, :, 14, 0]
    assert float(calmed.max()) < 30


def test_a_gap_takes_the_frame_before_and_the_first_frames_the_next():
    sequence = walk(6)
    points = sequence.keypoints.copy()
    points[:, 3, 0], points[:, 0, 0] = NAN, NAN
    sample = plain().process(sequence.replace(keypoints=points))
    expected = points.copy()
    expected[:, 3, 0], expected[:, 0, 0] = points[:, 2, 0], points[:, 1, 0]
    torch.testing.assert_close(
        sample["keypoints"], plain().process(sequence.replace(keypoints=expected))["keypoints"], rtol=0, atol=1e-4
    )
    assert sample["joint_mask"][0, :, 0].tolist() == [False, True, True, False, True, True]


def test_a_joint_never_seen_is_the_mean_pose():
    points = walk().keypoints.copy()
    points[:, :, LAYOUT.index("left_wrist")] = NAN
    sample = plain(mean=np.full((15, 2), 7.0)).process(walk().replace(keypoints=points))
    row = plain().rows.index("left_wrist")
    assert bool((sample["keypoints"][:, :, row] == 0).all()) and not bool(sample["joint_mask"][:, :, row].any())


def test_another_layout_is_converted_by_names():
    coco = walk(layout="coco-17")
    hips = [get_layout("coco-17").index(f"{side}_hip") for side in ("left", "right")]
    wrist = get_layout("coco-17").index("left_wrist")
    rows = plain().process(coco)["keypoints"]
    expected = coco.keypoints[:, :, wrist] - coco.keypoints[:, :, hips].mean(axis=2)
    np.testing.assert_allclose(rows[:, :, plain().rows.index("left_wrist")], expected, atol=1e-3)


def test_a_single_frame_stands_still():
    rows = RetargetProcessor().process(walk(1))["keypoints"]
    assert rows.shape == (1, 1, 15, 2) and bool((rows[:, :, 14] == 0).all())


def test_people_never_seen_are_masked_and_come_back_missing():
    points = walk(people=2).keypoints.copy()
    points[1] = NAN
    sequence = walk(people=2).replace(keypoints=points)
    sample = plain().process(sequence)
    assert sample["attention_mask"].all(dim=1).tolist() == [True, False]
    assert bool((sample["keypoints"][1] == 0).all())
    back = plain().inverse(sample["keypoints"], sequence)
    assert bool(back[1].isnan().all()) and not bool(back[0].isnan().any())


def test_an_empty_clip_is_one_masked_frame():
    empty = motionhub.SkeletonSequence(np.zeros((1, 0, 15, 2)), layout="lac-15", fps=30, unit="pixel")
    assert not RetargetProcessor().process(empty)["attention_mask"].any()


def test_a_batch_pads_with_masked_zeros():
    batch = plain()([walk(4), walk(9, people=2)])
    assert batch["keypoints"].shape == (2, 2, 9, 15, 2)
    assert batch["attention_mask"][0].sum() == 4 and not batch["keypoints"][0, :, 4:].any()


@pytest.mark.parametrize(
    ("sequence", "fields", "told"),
    [
        (lambda: walk(image_size=None), {}, "image_size"),
        (lambda: walk(unit="normalised"), {}, 'scale="body"'),
        (lambda: motionhub.SkeletonSequence(np.zeros((4, 15, 3)), "lac-15", 30, "metre"), {}, "got 3-D"),
        (lambda: walk(image_size=None), {"scale": "body", "placement": "image-centre"}, 'placement="source"'),
        (lambda: np.zeros((4, 15, 2)), {}, "motionhub.read"),
    ],
    ids=["no image size", "no pixels", "3-D", "no image", "array"],
)
def test_what_cannot_be_processed_says_what_to_do(sequence, fields, told):
    processor = plain(**fields)
    with pytest.raises(ValueError, match=told):
        processor.inverse(np.zeros((1, 10, 15, 2)), sequence())


def test_without_the_root_nothing_can_be_measured():
    points = walk().keypoints.copy()
    points[:, :, ROOT] = NAN
    with pytest.raises(ValueError, match=r"\['mid_hip'\] of person 0"):
        plain().process(walk().replace(keypoints=points))
    hidden = walk().keypoints.copy()
    hidden[:, :, LAYOUT.index("neck")] = NAN
    with pytest.raises(ValueError, match=r"\['neck'\] of person 0"):
        plain(scale="body").process(walk().replace(keypoints=hidden))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"scale": "person"}, "scale must be one of"),
        ({"fill": "zero"}, "fill must be one of"),
        ({"smoothing": -1}, "0 or more frames"),
        ({"mean": [[0, 0]]}, r"shape \(15, 2\)"),
        ({"std": np.zeros((15, 2))}, "positive"),
        ({"canvas_heigth": 3}, "did you mean canvas_height"),
    ],
)
def test_fields_that_cannot_be(fields, told):
    with pytest.raises(ValueError, match=told):
        RetargetProcessor(**fields)


def test_saving_and_loading_keeps_every_field_to_the_last_bit(tmp_path):
    random = np.random.default_rng(0)
    processor = RetargetProcessor(
        mean=random.normal(size=(15, 2)), std=random.uniform(1, 2, size=(15, 2)), scale="body"
    )
    processor.save_pretrained(tmp_path)
    loaded = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert type(loaded) is RetargetProcessor and loaded.to_dict() == processor.to_dict()
    assert AutoFeatureExtractor.from_pretrained(tmp_path, fill="interpolate").fill == "interpolate"
