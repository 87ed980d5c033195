"""The processor's promises: order of steps, masks, sampling, padding, files, errors."""

import numpy as np
import pytest
import torch
from helpers import read_json, seeded, write_json
from transformers import AutoProcessor

import motionhub  # noqa: F401
from motionhub.processing.collate import collate_skeletons
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


MASKS = ("joint_mask", "attention_mask")


def sequence(people: int = 1, frames: int = 12, layout: str = "kinect-20", seed: int = 0, **facts) -> SkeletonSequence:
    joints = get_layout(layout).num_joints
    keypoints = np.random.default_rng(seed).normal(size=(people, frames, joints, 3))
    return SkeletonSequence(keypoints, layout, **{"fps": 30, "unit": "metre", **facts})


def clock(frames: int) -> SkeletonSequence:
    """Every coordinate is its frame's index."""
    keypoints = np.broadcast_to(np.arange(frames)[None, :, None, None], (1, frames, 20, 3))
    return SkeletonSequence(keypoints, "kinect-20", fps=30, unit="metre")


def processor(**fields) -> SkeletonProcessor:
    return SkeletonProcessor(
        **{"layout": "kinect-20", "num_dims": 3, "normalization": "none", "num_people": 1, **fields}
    )


def frames_of(sample: dict) -> list[float]:
    return sample["keypoints"][0, :, 0, 0].tolist()


# ---- what comes out


def test_batch_has_the_promised_names_shapes_and_types():
    batch = processor(num_people=2)([sequence(1, 5), sequence(2, 8)])
    assert list(batch) == ["keypoints", "joint_mask", "attention_mask"]
    assert batch["keypoints"].shape == (2, 2, 8, 20, 3) and batch["keypoints"].dtype == torch.float32
    assert batch["joint_mask"].shape == (2, 2, 8, 20) and batch["joint_mask"].dtype == torch.bool
    assert batch["attention_mask"].shape == (2, 2, 8) and batch["attention_mask"].dtype == torch.bool
    assert batch["attention_mask"].sum((1, 2)).tolist() == [5, 16]
    arrays = processor(num_people=2)([sequence(1, 5), sequence(2, 8)], return_tensors="np")
    assert isinstance(arrays["keypoints"], np.ndarray)
    np.testing.assert_array_equal(arrays["keypoints"], batch["keypoints"])


def test_ragged_batch_equals_one_by_one_and_the_collate():
    clips = [sequence(1, 5), sequence(3, 8, seed=1), sequence(2, 1, seed=2)]
    process = processor(num_people=None, normalization="agcn-3d")
    batch = process(clips)
    collated = collate_skeletons([process.process(clip) for clip in clips])
    for name, value in collated.items():
        assert torch.equal(batch[name], value)
    for index, clip in enumerate(clips):
        alone = process(clip)
        people, frames = clip.num_people, clip.num_frames
        for name in batch:
            assert torch.equal(batch[name][index, :people, :frames], alone[name][0])
        assert int(batch["attention_mask"][index].sum()) == people * frames


@pytest.mark.parametrize("fill", ["zero", "interpolate", "previous"])
@pytest.mark.parametrize("normalization", ["none", "centre", "agcn-3d", "unik-3d"])
def test_mask_is_false_exactly_where_joints_are_missing_and_no_nan_is_left(fill, normalization):
    clip = sequence(2, 9)
    keypoints = clip.keypoints.copy()
    keypoints[np.random.default_rng(1).random(keypoints.shape[:3]) < 0.3] = np.nan
    sample = processor(num_people=2, people_selection="first", fill=fill, normalization=normalization).process(
        clip.replace(keypoints=keypoints)
    )
    np.testing.assert_array_equal(sample["joint_mask"], ~np.isnan(keypoints[..., 0]))
    assert bool(sample["keypoints"].isfinite().all())
    if fill == "zero":
        assert not bool(sample["keypoints"][~sample["joint_mask"]].any())


def test_bone_is_masked_where_either_end_is_missing_and_velocity_where_either_frame_is():
    layout, clip = get_layout("kinect-20"), sequence()
    keypoints = clip.keypoints.copy()
    keypoints[0, 3, layout.index("left_elbow")] = np.nan
    clip = clip.replace(keypoints=keypoints)
    bone = processor(stream="bone").process(clip)["joint_mask"]
    expected = torch.ones(1, 12, 20, dtype=torch.bool)
    expected[0, 3, [layout.index("left_elbow"), layout.index("left_wrist")]] = False
    assert torch.equal(bone, expected)
    velocity = processor(stream="velocity").process(clip)["joint_mask"]
    expected = torch.ones(1, 12, 20, dtype=torch.bool)
    expected[0, [2, 3], layout.index("left_elbow")] = False
    assert torch.equal(velocity, expected)


def test_bone_and_velocity_values():
    layout, clip = get_layout("kinect-20"), sequence()
    bone = processor(stream="bone").process(clip)["keypoints"][0].numpy()
    child, parent = layout.index("left_elbow"), layout.index("left_shoulder")
    np.testing.assert_allclose(bone[:, child], clip.keypoints[0, :, child] - clip.keypoints[0, :, parent], atol=1e-6)
    velocity = processor(stream="velocity").process(clip)["keypoints"][0].numpy()
    np.testing.assert_allclose(velocity[:-1], np.diff(clip.keypoints[0], axis=0), atol=1e-6)
    assert not velocity[-1].any()


def test_the_caller_s_array_is_not_changed():
    clip = sequence(2)
    before = clip.keypoints.copy()
    everything = processor(
        normalization="agcn-3d", mirror_probability=1.0, joint_drop_probability=0.5, random_move=True, fill="previous"
    )
    everything.process(clip, training=True, generator=seeded())
    np.testing.assert_array_equal(clip.keypoints, before)


# ---- people, dims, layout, frame rate


def test_the_people_who_move_most_are_kept_most_first():
    clip = sequence(3)
    keypoints = clip.keypoints * np.float32([1, 3, 2])[:, None, None, None]
    sample = processor(num_people=2).process(clip.replace(keypoints=keypoints))
    np.testing.assert_array_equal(sample["keypoints"], keypoints[[1, 2]])


def test_an_absent_person_comes_last_and_is_masked():
    clip = sequence(2)
    keypoints = clip.keypoints.copy()
    keypoints[0] = np.nan
    sample = processor(num_people=3).process(clip.replace(keypoints=keypoints))
    assert sample["attention_mask"].any(1).tolist() == [True, False, False]
    np.testing.assert_array_equal(sample["keypoints"][0], keypoints[1])
    assert not bool(sample["keypoints"][1:].any())


def test_two_dims_are_the_first_two():
    clip = sequence()
    np.testing.assert_array_equal(processor(num_dims=2).process(clip)["keypoints"], clip.keypoints[..., :2])


def test_layout_is_converted_as_convert_layout_does_with_missing_joints_missing():
    clip = sequence(layout="lcrnet-13")
    keypoints = clip.keypoints.copy()
    keypoints[0, 4, get_layout("lcrnet-13").index("left_shoulder")] = np.nan
    clip = clip.replace(keypoints=keypoints)
    for target in ("posetics-17", "coco-17", "cv-mim-13"):
        expected = convert_layout(clip, target)
        sample = processor(layout=target).process(clip)
        np.testing.assert_array_equal(sample["joint_mask"], expected.joint_mask)
        np.testing.assert_allclose(sample["keypoints"], np.nan_to_num(expected.keypoints), atol=1e-6)


def test_other_frame_rate_is_interpolated_in_time():
    assert frames_of(processor(fps=15).process(clock(5))) == [0, 2, 4]
    assert frames_of(processor(fps=60).process(clock(3))) == [0, 0.5, 1, 1.5, 2]
    assert frames_of(processor(fps=30).process(clock(3))) == [0, 1, 2]


# ---- frames


@pytest.mark.parametrize(
    ("fields", "frames", "expected"),
    [
        ({}, 4, [0, 1, 2, 3]),
        ({"num_frames": 3}, 5, [0, 1, 2, 3, 4]),
        ({"test_sampling": "centre-window", "num_frames": 3}, 7, [2, 3, 4]),
        ({"test_sampling": "uniform", "num_frames": 2}, 8, [2, 6]),
        ({"test_sampling": "resize", "num_frames": 3}, 4, [0, 1.5, 3]),
        ({"test_sampling": "resize", "num_frames": 9, "test_num_frames": 2}, 4, [0, 3]),
        ({"padding": "replay", "test_num_frames": 7}, 3, [0, 1, 2, 0, 1, 2, 0]),
        ({"padding": "replay", "test_num_frames": 2}, 3, [0, 1, 2]),
    ],
)
def test_test_sampling(fields, frames, expected):
    sample = processor(**fields).process(clock(frames))
    assert frames_of(sample) == expected
    assert bool(sample["attention_mask"].all())


@pytest.mark.parametrize("sampling", ["random-window", "all"])
def test_short_clips_are_padded_at_the_end_in_training(sampling):
    sample = processor(num_frames=5, train_sampling=sampling).process(clock(3), training=True, generator=seeded())
    assert frames_of(sample) == [0, 1, 2, 0, 0]
    assert sample["attention_mask"].tolist() == [[True, True, True, False, False]]
    assert sample["joint_mask"][0, :, 0].tolist() == [True, True, True, False, False]


def test_random_windows_are_consecutive_and_differ():
    windows = {
        tuple(frames_of(processor(num_frames=4).process(clock(10), training=True, generator=seeded(seed))))
        for seed in range(30)
    }
    assert len(windows) > 3
    assert all(window == tuple(range(int(window[0]), int(window[0]) + 4)) for window in windows)


def test_cropped_resize_keeps_at_least_the_asked_share():
    process = processor(num_frames=5, train_sampling="resize", train_crop_fraction=0.5)
    spans = []
    for seed in range(60):
        frames = frames_of(process.process(clock(41), training=True, generator=seeded(seed)))
        assert np.allclose(np.diff(frames, 2), 0, atol=1e-4) and frames[0] >= 0 and frames[-1] <= 40
        spans.append(frames[-1] - frames[0] + 1)
    assert 20 <= min(spans) < 28 and 34 < max(spans) <= 41


def test_frame_labels_follow_their_frames():
    labels = np.eye(6)
    windowed = processor(num_frames=4).process(clock(6), training=True, generator=seeded(), frame_labels=labels)
    assert windowed["labels"].argmax(1).tolist() == frames_of(windowed)
    halved = processor(fps=15, test_num_frames=4).process(clock(6), frame_labels=labels)
    assert halved["labels"].shape == (4, 6)
    assert halved["labels"][:3].argmax(1).tolist() == [0, 2, 4] and not bool(halved["labels"][3].any())


# ---- randomness


AUGMENTED = {
    "num_frames": 6,
    "random_move": True,
    "rotation_degrees": [10, 20, 30],
    "scale_jitter": 0.1,
    "shear": 0.1,
    "joint_drop_probability": 0.2,
    "mirror_probability": 0.5,
}


def test_same_generator_same_result_and_another_seed_another():
    process, clip = processor(**AUGMENTED), sequence(frames=20)
    first, again, other = (process.process(clip, training=True, generator=seeded(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["keypoints"], other["keypoints"])


@pytest.mark.parametrize("name", [name for name in AUGMENTED if name != "num_frames"])
def test_each_augmentation_acts_in_training_only(name):
    process, plain, clip = processor(**{name: AUGMENTED[name]}), processor(), sequence()
    expected = plain.process(clip)["keypoints"]
    assert torch.equal(process.process(clip)["keypoints"], expected)
    changed = [process.process(clip, training=True, generator=seeded(seed))["keypoints"] for seed in range(5)]
    assert any(not torch.equal(keypoints, expected) for keypoints in changed)


def test_dropped_joints_are_masked():
    sample = processor(joint_drop_probability=0.5).process(sequence(), training=True, generator=seeded())
    hidden = ~sample["joint_mask"]
    assert 0 < int(hidden[0, 0].sum()) < 20
    assert not bool(sample["keypoints"][hidden].any())


# ---- inverse


@pytest.mark.parametrize("normalization", ["none", "centre", "agcn-3d", "unik-3d"])
def test_process_then_inverse_is_identity(normalization):
    clip = sequence()
    process = processor(normalization=normalization, scale="extent" if normalization == "centre" else "none")
    restored = process.inverse(process.process(clip)["keypoints"], clip)
    np.testing.assert_allclose(restored, clip.keypoints, atol=1e-5)


def test_screen_then_inverse_gives_pixels_back():
    pixels = np.random.default_rng(0).uniform(0, 480, size=(1, 4, 17, 2))
    clip = SkeletonSequence(pixels, "coco-17", fps=30, unit="pixel", image_size=(640, 480))
    process = SkeletonProcessor(layout="coco-17", num_people=1)
    np.testing.assert_allclose(process.inverse(process.process(clip)["keypoints"], clip), pixels, atol=1e-3)


def test_only_the_joint_stream_has_an_inverse():
    with pytest.raises(ValueError, match="joint stream"):
        processor(stream="bone").inverse(torch.zeros(1, 12, 20, 3), sequence())


# ---- files


def test_save_and_load_is_exact(tmp_path):
    saved = processor(
        **AUGMENTED, normalization="agcn-3d", default_image_size=(640, 480), lateral_bone=("head", "spine")
    )
    saved.save_pretrained(tmp_path)
    loaded = SkeletonProcessor.from_pretrained(tmp_path)
    assert loaded.to_dict() == saved.to_dict()
    loaded.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again/preprocessor_config.json").read_bytes() == (
        tmp_path / "preprocessor_config.json"
    ).read_bytes()
    stored = read_json(tmp_path / "preprocessor_config.json")
    assert set(SkeletonProcessor.FIELDS) <= set(stored) and stored["feature_extractor_type"] == "SkeletonProcessor"
    clip = sequence(frames=20)
    for training in (False, True):
        before, after = (each.process(clip, training, seeded()) for each in (saved, loaded))
        assert all(torch.equal(before[name], after[name]) for name in before)


# As written by commit 58fa04a (hub_configs/unik-nucla).
EARLIER = {
    **{"centre_joint": None, "centring": "per-frame", "default_image_size": None, "fill": "zero", "fps": None},
    **{"feature_extractor_type": "SkeletonProcessor", "lateral_bone": None, "layout": "kinect-20"},
    **{"joint_drop_probability": 0.0, "mirror_probability": 0.5, "random_move": False, "shear": 0.0},
    **{"rotation_degrees": [10.0, 180.0, 0.0], "scale_jitter": 0.15, "train_crop_fraction": 0.9},
    **{"normalization": "centre", "num_dims": 3, "num_frames": 32, "num_people": 1, "padding": "mask"},
    **{"people_selection": "energy", "scale": "none", "stream": "joint", "test_num_frames": None},
    **{"test_sampling": "resize", "train_sampling": "resize", "unit": "metre", "vertical_bone": None},
}


def test_the_augmentation_of_a_file_of_an_earlier_version_becomes_the_policy(tmp_path):
    write_json(tmp_path / "preprocessor_config.json", EARLIER)
    for loaded in (SkeletonProcessor.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)):
        policy = loaded.to_dict()["augmentation"]
        assert policy == {
            **{"train_crop_fraction": 0.9, "mirror_probability": 0.5, "scale_jitter": 0.15},
            "rotation_degrees": [10.0, 180.0, 0.0],
        }
        kept = {name: value for name, value in loaded.to_dict().items() if name in EARLIER}
        assert kept == {name: EARLIER[name] for name in kept} and kept["num_frames"] == 32
    other = SkeletonProcessor.from_pretrained(tmp_path, mirror_probability=0.0)
    assert other.augmentation.mirror_probability == 0 and other.augmentation.scale_jitter == 0.15
    assert SkeletonProcessor.from_pretrained(tmp_path, augmentation={}).augmentation.to_dict() == {}


def test_fields_can_be_changed_while_loading_also_those_the_file_does_not_mention(tmp_path):
    write_json(tmp_path / "preprocessor_config.json", {"layout": "ntu-25"})
    loaded = SkeletonProcessor.from_pretrained(tmp_path, num_frames=7)
    assert (loaded.layout, loaded.num_frames) == ("ntu-25", 7)
    with pytest.raises(ValueError, match="did you mean num_frames"):
        SkeletonProcessor.from_pretrained(tmp_path, num_frame=7)


def test_registering_for_remote_code_copies_nothing(tmp_path):
    SkeletonProcessor.register_for_auto_class()
    processor().save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["motionhub_remote.py", "preprocessor_config.json"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"normalisation": "screen"}, "did you mean normalization"),
        ({"colour": 3}, "the fields are"),
        ({"layout": "ntu-26"}, "ntu-25"),
        ({"num_dims": 4}, "num_dims must be one of"),
        ({"fill": "mean"}, "fill must be one of"),
        ({"num_people": 0}, "num_people must be a positive integer"),
        ({"fps": 0}, "fps must be positive"),
        ({"train_sampling": "resize"}, "needs num_frames"),
        ({"centre_joint": "tail"}, "has no joint 'tail'"),
        ({"rotation_degrees": [1, 2]}, "list of 3"),
        ({"mirror_probability": 2}, "between 0 and 1"),
    ],
)
def test_bad_fields_are_refused_with_what_would_be_right(fields, message):
    with pytest.raises(ValueError, match=message):
        processor(**fields)


# ---- bad input


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stream", ["joint", "bone", "velocity"])
@pytest.mark.parametrize("normalization", ["none", "centre", "agcn-3d", "unik-3d"])
@pytest.mark.parametrize("shape", [(0, 5), (1, 0), (0, 0)])
def test_no_people_or_no_frames_gives_zeros_and_masks_that_are_false(shape, normalization, stream, training):
    clip = SkeletonSequence(np.zeros((*shape, 20, 3)), "kinect-20", fps=30, unit="metre")
    process = processor(**AUGMENTED, normalization=normalization, stream=stream, fps=15)
    batch = process(clip, training=training)
    assert batch["keypoints"].shape[0] == batch["keypoints"].shape[1] == 1 and batch["keypoints"].shape[2] >= 1
    assert not any(bool(batch[name].any()) for name in batch)


@pytest.mark.parametrize("padding", ["mask", "replay"])
@pytest.mark.parametrize("fill", ["zero", "interpolate", "previous"])
def test_all_missing_gives_zeros_and_masks_that_are_false(fill, padding):
    clip = sequence().replace(keypoints=np.full((1, 12, 20, 3), np.nan))
    batch = processor(fill=fill, padding=padding, normalization="agcn-3d", num_frames=20)(clip, training=True)
    assert not any(bool(batch[name].any()) for name in batch)


@pytest.mark.parametrize("sampling", ["random-window", "uniform-random", "resize", "all"])
def test_one_frame_is_enough_for_every_sampling(sampling):
    process = processor(**AUGMENTED | {"num_frames": 4, "joint_drop_probability": 0}, train_sampling=sampling)
    sample = process.process(sequence(frames=1), training=True, generator=seeded())
    repeated = sampling in ("uniform-random", "resize")
    assert sample["attention_mask"][0].tolist() == [True] + [repeated] * 3


def test_ten_thousand_frames_stay_ten_thousand():
    batch = processor(normalization="agcn-3d", fill="interpolate")(sequence(frames=10_000))
    assert batch["keypoints"].shape == (1, 1, 10_000, 20, 3) and bool(batch["attention_mask"].all())


def test_layout_without_a_common_joint_names_the_layout_to_use():
    alien = SkeletonLayout("horse", ("hoof", "tail"), (("hoof", "tail"),), root="tail")
    with pytest.raises(ValueError, match="No joint of layout 'horse'.*SkeletonProcessor\\(layout='horse'\\)"):
        processor().process(SkeletonSequence(np.zeros((1, 2, 2, 3)), alien, fps=30, unit="metre"))


def test_a_layout_without_limbs_is_refused_as_in_a_conversion():
    face = SkeletonLayout("face", ("nose", "left_eye", "right_eye"), (), root="nose")
    with pytest.raises(ValueError, match="No limb joint of layout 'face'.*SkeletonProcessor\\(layout='face'\\)"):
        processor().process(SkeletonSequence(np.zeros((1, 2, 3, 3)), face, fps=30, unit="metre"))


def test_two_dims_for_a_three_dimensional_model_are_refused():
    flat = SkeletonSequence(np.zeros((1, 2, 20, 2)), "kinect-20", fps=30, unit="pixel")
    with pytest.raises(ValueError, match="num_dims=2"):
        processor().process(flat)


def test_screen_normalisation_needs_pixels_and_the_image_size():
    process = SkeletonProcessor(layout="kinect-20")
    with pytest.raises(ValueError, match='normalization="centre"'):
        process.process(sequence())
    pixels = SkeletonSequence(np.full((1, 2, 20, 2), 320.0), "kinect-20", fps=30, unit="pixel")
    with pytest.raises(ValueError, match="image_size="):
        process.process(pixels)
    official = SkeletonProcessor(layout="kinect-20", default_image_size=[640, 480]).process(pixels)
    assert official["keypoints"][0, 0, 0].tolist() == [0.0, 0.25]
    own = pixels.replace(image_size=(320, 320))
    own_size = SkeletonProcessor(layout="kinect-20", default_image_size=[640, 480]).process(own)
    assert own_size["keypoints"][0, 0, 0].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("item", [np.zeros((5, 20, 3)), "clip.json", None])
def test_something_else_than_a_sequence_is_refused_with_the_call_that_makes_one(item):
    with pytest.raises(ValueError, match="motionhub.SkeletonSequence\\("):
        processor().process(item)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        processor()([])


def test_a_processor_of_metres_refuses_other_units():
    processor = SkeletonProcessor("kinect-20", num_dims=3, normalization="centre", unit="metre")
    clip = SkeletonSequence(np.ones((1, 4, 20, 3)), "kinect-20", fps=30, unit="metre")
    assert processor(clip).keypoints.shape[-1] == 3
    with pytest.raises(ValueError, match="takes coordinates in metres, got unit 'normalised'.*unit=\"metre\""):
        processor(clip.replace(unit="normalised"))
