"""VideoPose3D archives hold pickled dicts: clips by subject, action and camera, without running anything."""

import numpy as np
import pytest
from helpers import read_error

from motionhub.data.datasets.reading import read
from motionhub.data.formats.files import FileNote


class Harmful:
    def __reduce__(self):
        return print, ("run",)


def points(frames: int, dims: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 100, (frames, 17, dims))


def saved(path, **content):
    np.savez_compressed(path, **{name: np.array(value, dtype=object) for name, value in content.items()})
    return path


def test_keypoints_come_with_layout_and_image_size(tmp_path):
    values = points(12, 2)
    values[3, 5] = 0
    size = {"layout_name": "coco", "num_joints": 17, "video_metadata": {"a.mp4": {"w": 1280, "h": 720}}}
    path = saved(tmp_path / "data_2d_custom_mine.npz", positions_2d={"a.mp4": {"custom": [values]}}, metadata=size)
    assert "fps: the file does not state it" in read_error(path)
    (clip,) = read(path, fps=25)
    assert (clip.layout.name, clip.unit, clip.image_size, clip.up) == ("coco-17", "pixel", (1280, 720), "-y")
    np.testing.assert_allclose(clip.keypoints[0, 0], values[0], rtol=1e-6)
    assert not clip.joint_mask[0, 3, 5]
    assert "the file states layout coco-17, but layout h36m-17 was given" in read_error(path, fps=25, layout="h36m-17")


def test_every_subject_action_and_camera_is_a_clip(tmp_path):
    views = {"S1": {"Walking": [points(5, 2, 1), points(6, 2, 2)]}, "S5": {"Eating": [points(7, 2, 3)]}}
    path = saved(tmp_path / "data_2d_h36m.npz", positions_2d=views, metadata={"layout_name": "h36m"})
    with pytest.warns(FileNote, match="3 clips in this order: S1/Walking camera 0, S1/Walking camera 1, S5/Eating"):
        clips = read(path, fps=50)
    assert [clip.num_frames for clip in clips] == [5, 6, 7]
    assert clips[0].layout.name == "h36m-17"


def test_positions_in_3d_are_metres(tmp_path):
    path = saved(tmp_path / "data_3d.npz", positions_3d={"S1": {"Walking": points(5, 3)}})
    (clip,) = read(path, fps=50, layout="h36m-17")
    assert (clip.unit, clip.num_dims) == ("metre", 3)


def test_what_would_run_is_refused(tmp_path, capsys):
    path = saved(tmp_path / "data_2d.npz", positions_2d={"a": {"b": [Harmful()]}})
    assert "refused: it calls 'builtins.print'" in read_error(path, fps=30, layout="coco-17")
    assert capsys.readouterr().out == ""


def test_the_archive_of_a_video_has_the_people_of_each_frame(tmp_path):
    people = [np.random.default_rng(time).uniform(1, 100, (count, 4, 17)) for time, count in enumerate((1, 0, 2))]
    for values in people:
        values[:, 3] = 0.5
    frames = np.empty((3, 2), dtype=object)
    for time, values in enumerate(people):
        frames[time, 0], frames[time, 1] = [], values if len(values) else []
    path = tmp_path / "video.mp4.npz"
    np.savez_compressed(path, boxes=frames, segments=frames, keypoints=frames, metadata={"w": 640, "h": 480})
    (clip,) = read(path, fps=30)
    assert (clip.layout.name, clip.num_frames, clip.image_size) == ("coco-17", 3, (640, 480))
    assert clip.joint_mask.any(axis=2).sum(axis=0).tolist() == [1, 0, 2]
    row = int(np.flatnonzero(clip.joint_mask[:, 0, 0])[0])
    np.testing.assert_allclose(clip.keypoints[row, 0], people[0][0, :2].T, rtol=1e-6)
    assert (clip.confidence[row, 0] == 0.5).all()
