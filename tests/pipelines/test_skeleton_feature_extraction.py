"""`pipeline("skeleton-feature-extraction")`: shapes, lengths, levels that agree, people who are not there."""

import numpy as np
import pytest
from small_checkpoints import motion
from transformers import pipeline

from motionhub import AutoModelForActionClassification


@pytest.fixture(scope="module")
def pipe(checkpoint):
    return pipeline("skeleton-feature-extraction", model=checkpoint, device="cpu")


def test_shapes_are_people_frames_joints_channels(pipe):
    clip = motion(9, people=2)  # stride 2: nine frames become five
    assert pipe(clip).shape == (2, 16)
    assert pipe(clip, level="step").shape == (2, 5, 16)
    assert pipe(clip, level="joint").shape == (2, 5, 20, 16)
    assert pipe(clip, per_person=False).shape == (16,)
    assert pipe(clip, level="step", per_person=False).shape == (5, 16)
    assert pipe(clip, level="joint", per_person=False).shape == (5, 20, 16)


def test_vectors_have_length_one_by_default(pipe):
    for level in ("sequence", "step", "joint"):
        lengths = np.linalg.norm(pipe(motion(9), level=level), axis=-1)
        np.testing.assert_allclose(lengths[lengths > 0], 1, atol=1e-5)
    assert not np.allclose(np.linalg.norm(pipe(motion(9), normalize=False), axis=-1), 1)


def test_coarser_levels_are_means_of_finer_ones(pipe):
    joint = pipe(motion(9), level="joint", normalize=False)
    frame = pipe(motion(9), level="step", normalize=False)
    np.testing.assert_allclose(frame, joint.mean(axis=2), atol=1e-5)
    np.testing.assert_allclose(pipe(motion(9), normalize=False), frame.mean(axis=1), atol=1e-5)


@pytest.mark.parametrize("level", ["sequence", "step", "joint"])
def test_ragged_batch_equals_one_by_one(pipe, level):
    clips = [motion(1), motion(40, people=2, seed=1), motion(13, seed=2)]
    together = pipe(clips, batch_size=3, level=level, normalize=False)
    for clip, features in zip(clips, together, strict=True):
        np.testing.assert_allclose(features, pipe(clip, level=level, normalize=False), atol=1e-5)


@pytest.mark.parametrize("level", ["sequence", "step", "joint"])
def test_people_never_seen_are_nan_rows(pipe, level):
    clip = motion(6, people=2)
    keypoints = clip.keypoints.copy()
    keypoints[0] = np.nan
    features = pipe(clip.replace(keypoints=keypoints), level=level)
    assert np.isnan(features[0]).all()
    np.testing.assert_allclose(features[1:], pipe(clip.person(1), level=level), atol=1e-6)


def test_no_person_gives_no_rows_and_a_warning(pipe):
    clip = motion(6).replace(keypoints=np.zeros((0, 6, 20, 3)), track_ids=None)
    with pytest.warns(UserWarning, match="people 0"):
        assert pipe(clip).shape == (0, 16)


def test_features_are_those_the_classifier_sees(pipe, checkpoint):
    head = AutoModelForActionClassification.from_pretrained(checkpoint).classifier
    classify = pipeline("action-classification", model=checkpoint, device="cpu")
    logits = pipe(motion(9), normalize=False)[0] @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    scores = sorted((score["score"] for score in classify(motion(9))[0]["scores"]), reverse=True)
    np.testing.assert_allclose(scores, sorted(expected, reverse=True), atol=1e-5)


def test_unknown_level_is_refused(pipe):
    with pytest.raises(ValueError, match="level"):
        pipe(motion(5), level="clip")


def test_level_frame_has_a_row_for_every_frame_with_its_time_and_says_that_vectors_are_fewer(pipe):
    clip = motion(9, people=2)  # stride 2: vectors at frames 0, 2, 4, 6, 8
    steps = pipe(clip, level="step", return_times=True)
    with pytest.warns(UserWarning, match="5 feature vectors for 9 frames"):
        rows = pipe(clip, level="frame", return_times=True)
    np.testing.assert_allclose(steps["times"], np.arange(0, 9, 2) / clip.fps)
    np.testing.assert_allclose(rows["times"], np.arange(9) / clip.fps)
    assert rows["features"].shape == (2, 9, 16)
    np.testing.assert_array_equal(rows["features"][:, ::2], steps["features"])
    with pytest.raises(ValueError, match="return_times"):
        pipe(clip, return_times=True)
