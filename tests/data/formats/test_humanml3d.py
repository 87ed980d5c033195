"""HumanML3D features give back the joints they were made of; joints and generated clips come with their facts."""

import numpy as np
import pytest
from helpers import read_error
from scipy.spatial.transform import Rotation

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


def walk(frames: int = 40, joints: int = 22) -> tuple[np.ndarray, Rotation]:
    """Joints in the world, and the turn from the world to the body's heading, which looks along z at first."""
    generator = np.random.default_rng(0)
    heading = Rotation.from_euler("y", np.cumsum(np.r_[0, generator.normal(0, 0.2, frames - 1)])[:, None])
    root = np.cumsum(generator.normal(0, 0.05, (frames, 3)), axis=0) * [1, 0, 1] + [0, 0.9, 0]
    root[:, [0, 2]] -= root[0, [0, 2]]
    local = generator.normal(0, 0.4, (frames, joints - 1, 3))
    around = np.stack([heading.apply(local[:, joint]) for joint in range(joints - 1)], axis=1)
    return np.concatenate([root[:, None], around + root[:, None] * [1, 0, 1]], axis=1), heading.inv()


def features(world: np.ndarray, to_body: Rotation, columns: int) -> np.ndarray:
    """As the dataset defines them: half angles and ways until the next frame, height, joints in the heading."""
    rows = np.zeros((len(world), columns))
    rows[:-1, 0] = (to_body[1:] * to_body[:-1].inv()).as_quat()[:, 1]
    rows[:-1, 0] = np.arcsin(rows[:-1, 0])
    steps = to_body[1:].apply(np.diff(world[:, 0], axis=0))
    rows[:-1, 1:3] = steps[:, [0, 2]]
    rows[:, 3] = world[:, 0, 1]
    around = world[:, 1:] - world[:, :1] * [1, 0, 1]
    local = np.stack([to_body.apply(around[:, joint]) for joint in range(around.shape[1])], axis=1)
    rows[:, 4 : 4 + local[0].size] = local.reshape(len(world), -1)
    return rows


def saved(path, array):
    path.parent.mkdir(exist_ok=True)
    np.save(path, array)
    return path


def test_features_give_back_the_joints(tmp_path):
    world, to_body = walk()
    path = saved(tmp_path / "000021.npy", features(world, to_body, 263))
    assert find_format(path).name == "humanml3d"
    (clip,) = read(path)
    assert (clip.layout.name, clip.fps, clip.unit, clip.up) == ("humanml3d-22", 20, "metre", "y")
    np.testing.assert_allclose(clip.keypoints[0], world, atol=1e-5)


def test_features_of_kit_need_the_names_of_the_joints(tmp_path):
    world, to_body = walk(joints=21)
    path = saved(tmp_path / "00001.npy", features(world, to_body, 251))
    with pytest.warns(FileNote, match="KIT-ML"):
        assert "layout: the file does not state it" in read_error(path)
    rig = {"name": "rig", "root": "j0", "joints": [f"j{number}" for number in range(21)]}
    (clip,) = read(path, layout=rig, unit="millimetre")
    assert (clip.fps, clip.num_joints) == (12.5, 21)
    np.testing.assert_allclose(clip.keypoints[0], world / 1000, atol=1e-5)


def test_joints_in_new_joints_state_their_layout_rate_and_unit(tmp_path):
    world = walk()[0]
    (clip,) = read(saved(tmp_path / "new_joints" / "000021.npy", world))
    assert (clip.layout.name, clip.fps, clip.unit, clip.up) == ("humanml3d-22", 20, "metre", "y")
    np.testing.assert_allclose(clip.keypoints[0], world, rtol=1e-6)
    # Elsewhere 22 joints are anybody's.
    assert "the file does not state it" in read_error(saved(tmp_path / "000021.npy", world))


def test_generated_clips_are_cut_to_their_lengths(tmp_path):
    motion = np.random.default_rng(1).normal(0, 1, (3, 22, 3, 30))
    content = {"motion": motion, "lengths": np.array([30, 10, 20]), "text": ["a", "b", "c"]}
    path = saved(tmp_path / "results.npy", np.array(content, dtype=object))
    clips = read(path)
    assert [clip.num_frames for clip in clips] == [30, 10, 20]
    np.testing.assert_allclose(clips[1].keypoints[0, 4, 5], motion[1, 5, :, 4], rtol=1e-6)
    content["lengths"] = np.array([30, 10, 31])
    assert "lengths: expected 1 to 30 frames" in read_error(saved(path, np.array(content, dtype=object)))


def test_the_rate_of_features_is_not_contradicted(tmp_path):
    path = saved(tmp_path / "vec.npy", np.zeros((4, 263)))
    assert "the file states fps 20, but fps 30 was given" in read_error(path, fps=30)
