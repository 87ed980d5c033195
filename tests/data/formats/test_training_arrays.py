"""Training arrays of graph networks are as many clips as they hold, without padding; flat arrays name the reshape."""

import numpy as np
import pytest
from helpers import read_error

from motionhub.data.datasets.reading import read
from motionhub.data.formats.files import FileNote


def clips_of(*lengths: int, people: int = 2) -> np.ndarray:
    """`(clips, people, 30, 25, 3)` zero after the length, and the last person absent in the first clip."""
    batch = np.random.default_rng(0).uniform(1, 2, (len(lengths), people, 30, 25, 3))
    for row, length in enumerate(lengths):
        batch[row, :, length:] = 0
    batch[0, 1:] = 0
    return batch


def test_an_array_of_2s_agcn_is_its_clips(tmp_path):
    batch = clips_of(20, 30)
    np.save(tmp_path / "train_data_joint.npy", batch.transpose(0, 4, 2, 3, 1))
    with pytest.warns(FileNote, match="read as ntu-25 in metres at 30 frames per second"):
        first, second = read(tmp_path / "train_data_joint.npy")
    assert (first.num_people, first.num_frames, second.num_people, second.num_frames) == (1, 20, 2, 30)
    assert (first.layout.name, first.unit, first.fps) == ("ntu-25", "metre", 30)
    np.testing.assert_allclose(first.keypoints[0], batch[0, 0, :20], rtol=1e-6)
    np.testing.assert_allclose(second.keypoints, batch[1], rtol=1e-6)


def test_an_archive_of_ctr_gcn_is_its_training_and_test_clips(tmp_path):
    batch = clips_of(20, 30, 10)
    flat = batch.transpose(0, 2, 1, 3, 4).reshape(3, 30, 150)
    np.savez(tmp_path / "NTU60_CS.npz", x_train=flat[:2], y_train=np.eye(2), x_test=flat[2:], y_test=np.eye(1))
    with pytest.warns(FileNote, match="clips in this order: 2 of x_train, 1 of x_test"):
        clips = read(tmp_path / "NTU60_CS.npz")
    assert [clip.num_frames for clip in clips] == [20, 30, 10]
    np.testing.assert_allclose(clips[2].keypoints, batch[2, :, :10], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_a_clip_without_anybody_keeps_its_place_and_length(tmp_path):
    batch = clips_of(20, 30)
    batch[0] = 0
    np.save(tmp_path / "train_data_joint.npy", batch.transpose(0, 4, 2, 3, 1))
    nobody, both = read(tmp_path / "train_data_joint.npy")
    assert (nobody.num_people, nobody.num_frames, both.num_people) == (0, 30, 2)


def test_the_callers_layout_and_rate_win(tmp_path):
    np.save(tmp_path / "data.npy", clips_of(30).transpose(0, 4, 2, 3, 1))
    told = {"layout": "body-25", "fps": 25}
    assert "unit: the file does not state it" in read_error(tmp_path / "data.npy", **told)
    (clip,) = read(tmp_path / "data.npy", unit="metre", **told)
    assert (clip.layout.name, clip.fps) == ("body-25", 25)


def test_other_arrays_state_nothing(tmp_path):
    np.save(tmp_path / "val_data.npy", np.ones((2, 3, 30, 18, 2)))
    assert "layout: the file does not state it" in read_error(tmp_path / "val_data.npy")
    told = {"layout": "openpose-18", "fps": 30, "unit": "pixel"}
    message = read_error(tmp_path / "val_data.npy", **told)
    assert "third is ambiguous" in message and "confidence=array[..., 2]" in message


def test_bones_are_no_joints(tmp_path):
    np.save(tmp_path / "train_data_bone.npy", clips_of(30).transpose(0, 4, 2, 3, 1))
    assert "holds the bone stream, not joints" in read_error(tmp_path / "train_data_bone.npy")


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ((30, 51), "array.reshape(len(array), 17, 3)"),
        ((30, 34), "array.reshape(len(array), 17, 2)"),
        ((2, 3, 30, 25), "array.transpose(0, 2, 3, 1)"),
        ((3, 30, 25, 1), "array.transpose(3, 1, 2, 0)"),
        ((3, 30, 25, 2), "array.transpose(3, 1, 2, 0)"),  # as 3 people in 2-D metres
        ((300, 2, 25, 3), "array.transpose(1, 0, 2, 3)"),  # as 300 people in 2 frames
        ((30, 3, 25), "array.transpose(0, 2, 1)"),
        ((3, 30, 25), "array.transpose(1, 2, 0)"),
    ],
)
def test_an_array_of_another_shape_names_the_line_that_reshapes_it(tmp_path, shape, line):
    np.save(tmp_path / "clip.npy", np.ones(shape))
    assert line in read_error(tmp_path / "clip.npy", layout="ntu-25", fps=30, unit="metre")


def test_three_people_in_pixels_are_three_people_unless_the_third_is_a_score(tmp_path):
    points = np.random.default_rng(0).uniform(5, 90, (3, 30, 17, 2))
    np.save(tmp_path / "clip.npy", points)
    told = {"layout": "coco-17", "fps": 30, "unit": "pixel"}
    assert read(tmp_path / "clip.npy", **told)[0].num_people == 3
    points[2] /= 100
    np.save(tmp_path / "scored.npy", points)
    assert "array.transpose(3, 1, 2, 0)" in read_error(tmp_path / "scored.npy", **told)
