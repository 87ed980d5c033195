"""MediaPipe landmarks: every shape in which they are dumped is the same clip; fractions, pixels and metres."""

import random

import numpy as np
import pytest
from helpers import read_error, write_json

from motionhub.data.datasets.reading import find_format, read
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layouts import get_layout


def landmarks(offset: float = 0.0) -> list[dict]:
    """x = offset + joint / 100, y = joint / 50, z = -joint / 10, visibility = joint / 33."""
    return [{"x": offset + j / 100, "y": j / 50, "z": -j / 10, "visibility": j / 33} for j in range(33)]


def expected(offset: float = 0.0) -> np.ndarray:
    return np.stack([offset + np.arange(33) / 100, np.arange(33) / 50], axis=-1).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    return lambda content: write_json(tmp_path / "landmarks.json", content)


ONE, OTHER = landmarks(0.1), landmarks(0.2)
SHAPES = {
    "frames of landmarks": [ONE, None, OTHER],
    "frames of people": [[ONE], [], [OTHER]],
    "objects": [{"pose_landmarks": [ONE]}, {"pose_landmarks": []}, {"pose_landmarks": [OTHER]}],
    "one person each": {"frames": [{"poseLandmarks": ONE}, {"poseLandmarks": None}, {"poseLandmarks": OTHER}]},
    "protocol buffers": [{"pose_landmarks": {"landmark": ONE}}, {}, {"pose_landmarks": {"landmark": OTHER}}],
    "first frames empty": {"frames": [{"landmarks": ONE}, {"landmarks": []}, {"landmarks": OTHER}]},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_the_same_clip(write, shape):
    path = write(SHAPES[shape])
    assert find_format(path).name == "mediapipe"
    (clip,) = read(path, fps=30)
    assert (clip.layout, clip.unit) == (get_layout("mediapipe-33"), "normalised")
    assert clip.keypoints.shape == (1, 3, 33, 2)
    np.testing.assert_array_equal(clip.keypoints[0, [0, 2]], [expected(0.1), expected(0.2)])
    assert not clip.joint_mask[0, 1].any()
    np.testing.assert_allclose(clip.confidence[0, 0], np.arange(33) / 33, rtol=1e-6)


def test_a_recording_that_begins_empty_is_recognised(write):
    path = write([None] * 2000 + [ONE])
    assert read(path, fps=30)[0].joint_mask.any(axis=(0, 2)).sum() == 1


def test_pixels_need_the_image_size(write):
    path = write([ONE])
    (clip,) = read(path, fps=30, unit="pixel", image_size=(200, 100))
    np.testing.assert_allclose(clip.keypoints[0, 0], expected(0.1) * [200, 100], rtol=1e-6)
    assert "give image_size=" in read_error(path, fps=30, unit="pixel")


def test_metres_are_the_world_landmarks(write):
    (clip,) = read(write([{"pose_landmarks": [ONE], "pose_world_landmarks": [OTHER]}]), fps=30, unit="metre")
    assert clip.keypoints.shape == (1, 1, 33, 3) and clip.unit == "metre"
    np.testing.assert_allclose(clip.keypoints[0, 0, :, 0], expected(0.2)[:, 0], rtol=1e-6)
    np.testing.assert_allclose(clip.keypoints[0, 0, :, 2], -np.arange(33) / 10, rtol=1e-6)
    assert "expected 'pose_world_landmarks'" in read_error(write([{"pose_landmarks": [ONE]}]), fps=30, unit="metre")


def test_two_people_are_followed(write):
    frames = [[landmarks(0.0 + time / 100), landmarks(5.0)][:: 1 - 2 * (time % 2)] for time in range(4)]
    (clip,) = read(write(frames), fps=30)
    np.testing.assert_allclose(clip.keypoints[:, :, 0, 0], [[0, 0.01, 0.02, 0.03], [5] * 4], rtol=1e-6)


def test_it_converts_to_the_layouts_of_models(write):
    (clip,) = read(write([ONE]), fps=30)
    coco = convert_layout(clip, "coco-17").keypoints[0, 0]
    # Google's published numbers of COCO's joints: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
    numbers = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
    np.testing.assert_array_equal(coco, expected(0.1)[numbers])
    posetics = convert_layout(clip, "posetics-17")
    assert posetics.joint_mask.all()
    shoulders = expected(0.1)[[11, 12]].mean(axis=0)
    np.testing.assert_allclose(posetics.keypoints[0, 0, 2], shoulders, rtol=1e-6)


@pytest.mark.parametrize(
    "content, reason",
    [
        ([ONE[:32]], "frame 0, person 0: expected 33 landmarks"),
        ([[ONE, 7]], "frame 0, person 1: expected 33 landmarks"),
        ([[{**one, "x": "left"} for one in ONE]], "expected a regular list of numbers"),
        ({"frames": {"landmarks": ONE}}, "expected a non-empty list of frames"),
        ([ONE, "gone"], "frame 1, person 0: expected 33 landmarks"),
    ],
)
def test_what_does_not_fit_is_named(write, content, reason):
    assert reason in read_error(write(content), fps=30)


def test_truncations_and_bit_flips_give_a_clip_or_a_one_line_error(write):
    path = write([ONE, None, OTHER])
    text, generator, refused = path.read_bytes(), random.Random(0), 0
    for length in range(1, len(text), 199):
        path.write_bytes(text[:length])
        read_error(path, fps=30)
    for _ in range(150):
        flipped = bytearray(text)
        flipped[generator.randrange(len(text))] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            read(path, fps=30)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error)
    assert refused > 30
