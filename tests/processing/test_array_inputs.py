"""Arrays in a processor's call: what their sequences would give, the pipelines' errors, one line each."""

import doctest

import numpy as np
import pytest
import torch
from helpers import error_of

import motionhub
from motionhub.pipelines.skeleton_pipeline import as_sequence
from motionhub.processing import skeleton
from motionhub.processing.person_images import PersonImageProcessor
from motionhub.processing.posture_images import PostureImageProcessor
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.processing.video_clip import VideoClipProcessor
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence


FACTS = {"layout": "coco-17", "fps": 30, "unit": "pixel", "image_size": (640, 480)}
each_processor = pytest.mark.parametrize(
    "process", [SkeletonProcessor("coco-17", num_people=None), RetargetProcessor("lac-15")]
)


def array(people: int = 2, frames: int = 6, joints: int = 17, dims: int = 2, seed: int = 0) -> np.ndarray:
    """Positions in an image, one joint of which is missing."""
    """Positions in an image, one joint of which was not seen."""
    keypoints = np.random.default_rng(seed).uniform(50, 400, (people, frames, joints, dims)).astype(np.float32)
    keypoints[0, :1, 5] = np.nan
    return keypoints


def processor(**fields) -> SkeletonProcessor:
    return SkeletonProcessor(**{"layout": "coco-17", "num_people": None, **fields})


def sequence(keypoints: np.ndarray, **changes) -> SkeletonSequence:
    return SkeletonSequence(keypoints, **{**FACTS, **changes})


def assert_same(batch, expected):
    assert list(batch) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(np.asarray(batch[name]), np.asarray(value))


# ---- what comes out


@each_processor
@pytest.mark.parametrize(
    "given",
    [
        lambda keypoints: keypoints,
        lambda keypoints: keypoints.astype(np.float64),
        lambda keypoints: keypoints.astype(object),
        lambda keypoints: torch.tensor(keypoints, requires_grad=True),
        lambda keypoints: keypoints.tolist(),
        lambda keypoints: [list(person) for person in keypoints],
        lambda keypoints: [keypoints],
        lambda keypoints: keypoints[None],
    ],
    ids=["float32", "float64", "object", "torch", "nested lists", "lists of frames", "list of one", "batch of one"],
)
def test_an_array_gives_what_its_sequence_gives(process, given):
    keypoints = array()
    assert_same(process(given(keypoints), **FACTS), process(sequence(keypoints)))


def test_an_array_of_three_axes_is_one_person():
    person = array(people=1)[0]
    for given in (person, torch.tensor(person), person.tolist()):
        assert_same(processor()(given, **FACTS), processor()(sequence(person)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_type_of_torch_is_taken(dtype):
    keypoints = torch.tensor(array()).round().to(dtype)  # whole numbers to 2048 in float16, fewer in bfloat16
    expected = processor()(sequence(keypoints.to(torch.float32).numpy()))
    assert_same(processor()(keypoints, **FACTS), expected)


@each_processor
def test_a_batch_array_is_the_list_of_its_clips(process):
    clips = [array(seed=seed) for seed in range(3)]
    expected = process([sequence(clip) for clip in clips])
    for given in (np.stack(clips), torch.tensor(np.stack(clips)), np.stack(clips).tolist(), clips, tuple(clips)):
        assert_same(process(given, **FACTS), expected)


@each_processor
def test_clips_of_different_lengths_are_padded_as_sequences_are(process):
    clips = [array(1, 3), array(2, 7, seed=1), array(1, 1, seed=2)]
    expected = process([sequence(clip) for clip in clips])
    assert_same(process(clips, **FACTS), expected)
    assert_same(process([clip.tolist() for clip in clips], **FACTS), expected)
    assert expected["attention_mask"].sum((1, 2)).tolist() == [3, 14, 1]


def test_sequences_rows_and_arrays_may_stand_in_one_list():
    kept = sequence(array(), fps=15)
    mixed = processor(fps=15)([kept, to_row(kept), array(seed=1)], **FACTS)
    assert_same(mixed, processor(fps=15)([kept, kept, sequence(array(seed=1))]))


def test_a_sequence_keeps_what_it_says_of_itself():
    clip = sequence(array())
    assert_same(processor(fps=10)(clip, fps=10, unit="metre", layout="ntu-25"), processor(fps=10)(clip))


def test_metadata_of_every_clip_may_differ():
    clips = [array(), array(joints=20, dims=3, seed=1)]
    facts = {"layout": ["coco-17", get_layout("kinect-20")], "fps": [30, 15], "unit": ["pixel", "metre"]}
    sizes = {"image_size": [(640, 480), None]}
    process = processor(layout="posetics-17", normalization="none", fps=30)
    sequences = [
        SkeletonSequence(clips[0], "coco-17", 30, "pixel", image_size=(640, 480)),
        SkeletonSequence(clips[1] / 200, "kinect-20", 15, "metre"),
    ]
    assert_same(process([clips[0], clips[1] / 200], **facts, **sizes), process(sequences))


def test_frame_rates_and_sizes_may_be_arrays():
    clips = [array(), array(seed=1)]
    metadata = {"fps": np.array([30, 60]), "image_size": np.array([[640, 480], [320, 240]])}
    expected = [sequence(clips[0]), sequence(clips[1], fps=60, image_size=(320, 240))]
    assert_same(processor(fps=30)(clips, **{**FACTS, **metadata}), processor(fps=30)(expected))
    assert_same(processor()(clips, **{**FACTS, "image_size": [640, 480]}), processor()(clips, **FACTS))


def test_the_callers_array_is_not_changed():
    keypoints = array()
    before = keypoints.copy()
    processor(fill="interpolate", normalization="torso")(keypoints, **FACTS)
    np.testing.assert_array_equal(keypoints, before)


def test_confidence_changes_nothing_but_must_fit():
    keypoints, expected = array(), processor()(array(), **FACTS)
    certain = np.ones(keypoints.shape[:3])
    assert_same(processor()(keypoints, **FACTS, confidence=certain), expected)
    assert_same(processor()(keypoints, **FACTS, confidence=torch.tensor(certain)), expected)
    assert_same(processor()(keypoints[None], **FACTS, confidence=certain[None]), expected)
    assert_same(processor()([keypoints], **FACTS, confidence=[certain]), expected)
    message = error_of(processor(), keypoints, **FACTS, confidence=certain[:, :3])
    assert message == "confidence must have shape (2, 6, 17) (people, frames, joints), got (2, 3, 17)."


# ---- return_tensors


PROCESSORS = {
    "skeleton": lambda **options: processor()(array(), **FACTS, **options),
    "retarget": lambda **options: RetargetProcessor("lac-15")(array(), **FACTS, **options),
    "image": lambda **options: PersonImageProcessor()(np.ones((8, 8, 3), np.float32), **options),
    "posture": lambda **options: PostureImageProcessor("mask")(np.eye(8, dtype=bool), **options),
    "video": lambda **options: VideoClipProcessor(image_size=8)(np.ones((9, 8, 8, 3), np.float32), **options),
}
each_call = pytest.mark.parametrize("call", PROCESSORS.values(), ids=PROCESSORS.keys())


@each_call
def test_np_gives_the_numbers_of_pt(call):
    tensors, arrays = call(return_tensors="pt"), call(return_tensors="np")
    assert all(isinstance(value, torch.Tensor) for value in tensors.values())
    assert all(isinstance(value, np.ndarray) for value in arrays.values())
    for other in (arrays, call(), call(return_tensors=None)):
        assert_same(other, tensors)


@each_call
@pytest.mark.parametrize("wrong", ["tf", "", 1])
def test_other_return_tensors_are_refused(call, wrong):
    assert error_of(call, return_tensors=wrong) == f'return_tensors must be "pt" or "np", got {wrong!r}.'


def test_a_batch_of_videos_is_the_list_of_them():
    videos = np.random.default_rng(0).random((2, 9, 8, 8, 3), dtype=np.float32)
    process = VideoClipProcessor(image_size=8)
    assert_same(process(videos), process(list(videos)))
    assert_same(process(torch.tensor(videos)), process(list(videos)))


# ---- bad input: one line, and a pipeline's


@pytest.mark.parametrize("absent", [["layout"], ["fps"], ["unit"], ["layout", "unit"], ["layout", "fps", "unit"]])
@each_processor
def test_each_missing_argument_is_named_with_the_call(process, absent):
    facts = {name: value for name, value in FACTS.items() if name not in absent}
    for given in (array(), array().tolist(), torch.tensor(array())):
        message = error_of(process, given, **facts)
        assert f"got none for {absent}" in message
        assert 'processor(array, layout="coco-17", fps=30, unit="pixel")' in message


BAD: dict[str, tuple[np.ndarray, dict, str]] = {
    "joints of another layout": (array(joints=20), {}, r"has 17 joints, but keypoints have 20"),
    "one frame": (array()[0, 0], {}, r"got \(17, 2\)\. A single frame is a clip of one, array\[None\]"),
    "four coordinates": (array(dims=4), {}, r"17, 2 or 3\), got \(2, 6, 17, 4\)"),
    "text": (np.full((2, 6, 17, 2), "1.5"), {}, "rectangular array of numbers.*<U3"),
    "complex numbers": (array() * 1j, {}, "rectangular array of numbers.*complex64"),
    "ragged": (np.array([array(1), array(2)], dtype=object), {}, "Ragged clips go in as a list of arrays"),
    "objects": (np.full((2, 6, 17, 2), object()), {}, "rectangular array of numbers"),
    "unit px": (array(), {"unit": "px"}, "unit must be one of .*'pixel'.* got 'px'"),
    "no such layout": (array(), {"layout": "coco-18"}, "Unknown layout 'coco-18'"),
    "fps 0": (array(), {"fps": 0}, "fps must be a positive number of frames per second, got 0"),
    "negative fps": (array(), {"fps": -30}, "fps must be a positive number of frames per second, got -30"),
    "fps NaN": (array(), {"fps": float("nan")}, "fps must be a positive number of frames per second, got nan"),
    "fps as text": (array(), {"fps": "30"}, "fps must be a positive number of frames per second, got '30'"),
    "size of one": (array(), {"image_size": (640,)}, r"image_size must be \(width, height\)"),
    "size of three": (array(), {"image_size": (640, 480, 3)}, r"image_size must be \(width, height\)"),
    "size 0": (array(), {"image_size": (0, 480)}, r"image_size must be \(width, height\)"),
}


@each_processor
@pytest.mark.parametrize(("keypoints", "changes", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_array_ends_in_the_pipelines_line(process, keypoints, changes, message):
    facts = {**FACTS, **changes}
    found = error_of(process, keypoints, **facts)
    assert found == error_of(as_sequence, keypoints, **facts)
    with pytest.raises(ValueError, match=message):
        process(keypoints, **facts)


@each_processor
def test_of_several_clips_the_broken_one_is_named(process):
    alone = error_of(process, array(joints=20), **FACTS)
    assert error_of(process, [array(), array(joints=20)], **FACTS) == f"sequences[1] of 2: {alone}"
    assert error_of(process, [sequence(array()), None]).startswith("sequences[1] of 2: Expected a SkeletonSequence")


def test_a_clip_that_does_not_fit_the_processor_is_named():
    message = error_of(processor(num_dims=3, normalization="centre"), [array(dims=3), array()], **FACTS)
    assert message.startswith("sequences[1] of 2: This processor makes 3-D input, got a 2-D sequence")


@pytest.mark.parametrize(
    ("given", "facts", "message"),
    [
        ([array(), array()], {"fps": [30]}, "fps has 1 entries for 2 clips; give one for all clips, or one for each."),
        ([array(), array()], {"unit": ["pixel"] * 3}, "unit has 3 entries for 2 clips"),
        (array()[None], {"layout": ["coco-17"] * 2}, "layout has 2 entries for 1 clip;"),
        (array(), {"fps": [30, 25]}, "fps has 2 entries for 1 clip;"),
        ([array(), array()], {"image_size": [(640, 480)]}, "image_size has 1 entries for 2 clips"),
        ([array(), array()], {"confidence": [np.ones((2, 6, 17))]}, "confidence has 1 entries for 2 clips"),
        ([array(), array()], {"fps": [30, None]}, "sequences[1] of 2: An array needs layout, fps and unit"),
        ([array(), array()], {"fps": [30, -1]}, "sequences[1] of 2: fps must be a positive number"),
        ([array(), array()], {"unit": ["pixel", "px"]}, "sequences[1] of 2: unit must be one of"),
    ],
)
def test_metadata_of_another_number_of_clips_is_refused(given, facts, message):
    assert error_of(processor(), given, **{**FACTS, **facts}).startswith(message)


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 2, 6, 17, 2))])
def test_a_batch_without_clips_is_refused(nothing):
    assert error_of(processor(), nothing, **FACTS).startswith("A batch needs at least one")


@pytest.mark.parametrize("other", ["clip.json", None, 3.5, {1, 2}, ["clip.json"], [None]])
def test_what_is_no_clip_is_refused_with_the_calls_that_make_one(other):
    message = error_of(processor(), other, **FACTS)
    assert "Expected a SkeletonSequence" in message and "motionhub.read(path)" in message


# ---- nothing seen, and what is hardly meant


@each_processor
@pytest.mark.parametrize("nothing", [np.zeros((1, 0, 17, 2)), np.full((2, 6, 17, 2), np.nan), np.zeros((0, 6, 17, 2))])
def test_an_array_without_people_is_masked_with_a_warning(process, nothing):
    with pytest.warns(UserWarning, match="no valid keypoints") as caught:
        batch = process(nothing, **FACTS)
    assert [str(warning.message).count("\n") for warning in caught] == [0]
    assert not batch["attention_mask"].any() and not batch["joint_mask"].any()
    assert not batch["keypoints"].any() and batch["keypoints"].shape[2] >= 1


def test_scores_as_a_third_coordinate_are_doubted_as_in_a_pipeline():
    keypoints = array(dims=3)
    keypoints[..., 2] = np.random.default_rng(1).random(keypoints.shape[:3])
    with pytest.warns(UserWarning, match="as detection scores are"):
        processor()(keypoints, **FACTS)


def test_the_examples_of_the_call_run():
    result = doctest.testmod(skeleton, globs={"motionhub": motionhub})
    assert result.attempted >= 6 and not result.failed
