"""MediaPipe landmarks: every shape in which they are dumped is the same clip; fractions, pixels and metres."""

import json
import random

import numpy as np
import pytest
from helpers import read_error, write_json, write_text

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
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


def test_time_stamps_state_the_rate_and_place_frames(write):
    frames = [{"timestamp_ms": stamp, "pose_landmarks": [ONE]} for stamp in (0, 33, 66, 100, 200)]
    (clip,) = read(write(frames))
    assert clip.fps == 30 and clip.up == "-y"
    assert clip.joint_mask.any(axis=(0, 2)).tolist() == [True] * 4 + [False] * 2 + [True]
    assert "state 30 frames per second, but fps 25 was given" in read_error(write(frames), fps=25)


def test_numbers_rate_and_image_size_of_the_file_are_taken(write):
    frames = [{"frame": number, "landmarks": ONE} for number in (4, 5, 7)]
    path = write({"fps": 24, "width": 640, "height": 480, "frames": frames})
    (clip,) = read(path)
    assert (clip.fps, clip.num_frames, clip.image_size) == (24, 4, (640, 480))
    np.testing.assert_allclose(read(path, unit="pixel")[0].keypoints[0, 0], expected(0.1) * [640, 480], rtol=1e-6)


def test_only_world_landmarks_are_metres_y_down(write):
    frames = [{"pose_landmarks": [], "pose_world_landmarks": [ONE]}] * 3
    (clip,) = read(write(frames), fps=30)
    assert (clip.unit, clip.num_dims, clip.up) == ("metre", 3, "-y")
    assert 'give unit="metre"' in read_error(write(frames), fps=30, unit="normalised")


def test_landmarks_by_name_are_put_in_order(write):
    names = [name.replace("foot", "foot_index") for name in get_layout("mediapipe-33").joints]
    for own in (names, [name.upper() for name in names]):
        frames = [{"landmarks": dict(reversed(list(zip(own, ONE, strict=True))))}] * 2
        np.testing.assert_array_equal(read(write(frames), fps=30)[0].keypoints[0, 1], expected(0.1))
    assert "expected 33 landmarks" in read_error(write([{"landmarks": dict(zip("abc", ONE, strict=False))}]), fps=30)


def test_hands_and_face_are_left_out_and_said(write):
    frames = [{"pose_landmarks": ONE, "left_hand_landmarks": ONE, "face_landmarks": []}]
    with pytest.warns(FileNote, match=r"\['left_hand_landmarks'\] are left out"):
        read(write(frames), fps=30)


MORE_SHAPES = {
    "by number": {"0": ONE, "1": None, "2": OTHER},
    "people with numbers": [
        {"frame": n, "persons": [{"id": 4, "landmarks": marks}] if marks else []}
        for n, marks in enumerate((ONE, None, OTHER))
    ],
    "poses": {"frames": [{"poses": [{"landmarks": marks}] if marks else []} for marks in (ONE, None, OTHER)]},
    "rows of numbers": [
        {"landmarks": [[*one.values()] for one in marks] if marks else []} for marks in (ONE, None, OTHER)
    ],
}


@pytest.mark.parametrize("shape", MORE_SHAPES)
def test_other_shapes_are_the_same_clip_too(write, shape):
    (clip,) = read(write(MORE_SHAPES[shape]), fps=30)
    np.testing.assert_array_equal(clip.keypoints[0, [0, 2]], [expected(0.1), expected(0.2)])
    np.testing.assert_allclose(clip.confidence[0, 0], np.arange(33) / 33, rtol=1e-6)
    assert not clip.joint_mask[0, 1].any()
    assert clip.track_ids == ((4,) if shape == "people with numbers" else (0,))


def test_lines_of_json_are_frames(tmp_path):
    path = write_text(
        tmp_path / "a.jsonl", "\n".join(json.dumps({"t": n / 25, "pose_landmarks": [ONE]}) for n in range(3))
    )
    assert read(path)[0].fps == 25


def test_landmarks_under_an_unknown_key_are_an_error_not_an_empty_clip(write):
    assert "got the keys ['mesh']" in read_error(write([{"mesh": ONE}] * 2), fps=30)
