"""PYSKL and MMPose pickles: arrays come out as they went in; whatever wants to run, or to grow, is refused."""

import os
import pickle
import random
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from format_samples import body
from helpers import read_error

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


TOLD = {"layout": "coco-17", "fps": 30}


@pytest.fixture
def write(tmp_path):
    def write_pickle(content, protocol: int = 4):
        path = tmp_path / "clips.pkl"
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
        return path

    return write_pickle


def annotation(points: np.ndarray, **extra):
    return {
        "frame_dir": "clip",
        "label": np.int64(3),
        "img_shape": (480, 640),
        "original_shape": (480, 640),
        "total_frames": points.shape[1],
        "keypoint": points,
        "keypoint_score": np.full(points.shape[:3], 0.5, np.float16),
        **extra,
    }


def clip_points(points, frames: int, dims: int = 2) -> np.ndarray:
    return np.stack([points(frames, 17, dims), 500 + points(frames, 17, dims)])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "<i4"])
def test_annotations_keep_people_frames_joints_and_axes(write, points, protocol, dtype):
    values = [np.round(100 * clip_points(points, frames)).astype(dtype) for frames in (3, 5)]
    values[1] = np.asfortranarray(values[1])
    content = {"split": {"train": ["clip"], "val": []}, "annotations": [annotation(value) for value in values]}
    path = write(content, protocol)
    assert find_format(path).name == "pyskl"
    clips = read(path, **TOLD)
    for clip, value in zip(clips, values, strict=True):
        assert (clip.layout.name, clip.unit, clip.fps, clip.image_size) == ("coco-17", "pixel", 30.0, (640, 480))
        np.testing.assert_array_equal(clip.keypoints, value.astype(np.float32))
        assert (clip.confidence == 0.5).all()


def test_zeros_without_score_are_missing(write, points):
    values, scores = clip_points(points, 2), np.full((2, 2, 17), 0.5)
    values[0, 1, 4] = values[1, 0, 2] = 0
    scores[0, 1, 4] = 0
    (clip,) = read(write([annotation(values, keypoint_score=scores)]), **TOLD)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 1, 4]]


def test_three_dimensions_need_a_unit_and_absent_people_are_missing(write, points):
    values = clip_points(points, 2, 3)
    values[1] = 0
    path = write({"keypoint": values, "total_frames": 2})
    assert "unit: the file does not state it" in read_error(path, **TOLD)
    (clip,) = read(path, unit="metre", **TOLD)
    np.testing.assert_array_equal(clip.keypoints[0], values[0].astype(np.float32))
    assert not clip.joint_mask[1].any()


def test_the_layout_and_the_rate_must_be_told_and_the_image_size_must_not_contradict(write, points):
    path = write([annotation(clip_points(points, 2))])
    assert "layout: the file does not state it" in read_error(path, fps=30)
    assert "fps: the file does not state it" in read_error(path, layout="coco-17")
    assert "image_size: the file states image_size (640, 480)" in read_error(path, image_size=(1, 2), **TOLD)
    assert "has 25 joints" in read_error(path, fps=30, layout="ntu-25")


def test_mmpose_frames_of_people_are_followed(write):
    body = np.stack([np.arange(17) * 10, np.arange(17) * 20, np.full(17, 0.5)], axis=-1)
    frames = [[{"keypoints": body + [900 - time, 0, 0]}, {"keypoints": body + [time + 1, 0, 0]}] for time in range(6)]
    frames[3].reverse()
    frames[4] = []
    (clip,) = read(write(frames), **TOLD)
    assert clip.keypoints.shape == (2, 6, 17, 2)
    np.testing.assert_array_equal(clip.keypoints[:, [0, 3, 5], 0, 0], [[900, 897, 895], [1, 4, 6]])
    tracked = [[person | {"track_id": 7 + row} for row, person in enumerate(people)] for people in frames]
    assert read(write(tracked), **TOLD)[0].track_ids == (7, 8)


class Runs:
    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_that_wants_to_run_code_is_refused_and_nothing_runs(write, tmp_path):
    trap = Runs()
    trap.folder = str(tmp_path / "proof")
    for content in (trap, [annotation(np.zeros((1, 2, 17, 2)), frame_dir=trap)]):
        for protocol in (2, 3, 4, 5):
            message = read_error(write(content, protocol), **TOLD)
            assert "it calls 'posix.mkdir'" in message
    assert not (tmp_path / "proof").exists()
    pickle.loads(pickle.dumps(trap))  # it would have run
    assert (tmp_path / "proof").exists()


@pytest.mark.parametrize(
    "content, reason",
    [
        (np.array([{}], dtype=object), "expected annotations"),
        ([annotation(np.zeros((1, 2, 17, 2))) | {"keypoint": np.array([{}], dtype=object)}], "not of objects"),
        ([annotation(np.zeros((1, 2, 17, 2))) | {"keypoint": np.array(["a"])}], "arrays of numbers are read"),
        ([annotation(np.zeros((2, 34)))], "expected keypoint (people, frames, joints, 2 or 3)"),
        ([annotation(np.zeros((1, 2, 17, 2)), keypoint_score=np.zeros((1, 2)))], "expected keypoint_score"),
        ([annotation(np.zeros((1, 2, 17, 2)), img_shape=(0, 1))], "expected img_shape"),
        ([annotation(np.zeros((1, 2, 17, 2)), keypoint={"a": 1})], "cannot be read|expected an array"),
        ({"annotations": []}, "expected annotations"),
        ({"annotations": 7}, "expected annotations"),
        ([[{"boxes": 1}]], "expected an array|cannot be read"),
        ([[7]], "expected a list of people"),
        (Counter(), "it calls 'collections.Counter'"),
        (b"\x80\x04cos\nsystem\n(S'true'\ntR.", "it calls 'os.system'"),
    ],
)
def test_anything_else_is_refused_in_one_line(write, content, reason):
    message = read_error(write(content), **TOLD)
    assert any(part in message for part in reason.split("|"))


def test_a_small_pickle_cannot_ask_for_gigabytes(write):
    huge_memo = b"\x80\x02]r\xff\xff\xff\x7f."
    dtype = b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR"
    start = b"\x80\x02(U\x08keypoint"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I99999999999\nt" + b"U\x01btR"
    state = b"(K\x01(I99999999999\nK\x02K\x02K\x02t" + dtype + b"I00\nU\x08aaaaaaaatb"
    tracemalloc.start()
    for content in (huge_memo, start + made + state + b"d.", b"\x80\x02cnumpy\nndarray\n(I99999999999\ntR."):
        read_error(write(content), **TOLD)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("protocol", [2, 4])
def test_truncations_and_bit_flips_give_a_clip_or_a_one_line_error(write, points, protocol):
    path = write([annotation(clip_points(points, 2))], protocol)
    content, generator, refused = path.read_bytes(), random.Random(protocol), 0
    for length in np.linspace(3, len(content) - 1, 40, dtype=int):
        path.write_bytes(content[:length])
        read_error(path, **TOLD)
    for trial in range(400):
        flipped = bytearray(content)
        # Half of the flips hit the beginning, where the operations are.
        flipped[generator.randrange(300 if trial % 2 else len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            read(path, **TOLD)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error)
    assert refused > 50


def test_dumped_predictions_of_mmpose_are_frames_of_people(write):
    points = body("coco-17", frames=3)[:, None] + [[[0]], [[600]]]
    content = [
        {
            "img_id": 90 + frame,
            "img_path": f"data/video/{frame:06d}.jpg",
            "pred_instances": {
                "keypoints": points[frame, row : row + 1],
                "keypoint_scores": np.full((1, 17), 0.5, np.float32),
            },
            "gt_instances": {},
        }
        for frame in (0, 2)
        for row in range(2)
    ]
    (clip,) = read(write(content), fps=30)
    assert (clip.num_people, clip.num_frames, clip.layout.name) == (2, 3, "coco-17")
    assert np.allclose(clip.keypoints[:, 2], points[2])
    older = [
        {"preds": np.c_[points[frame, 0], np.full(17, 0.5)][None], "image_paths": [f"a/{frame}.jpg"]}
        for frame in range(3)
    ]
    np.testing.assert_allclose(read(write(older), fps=30)[0].keypoints[0], points[:, 0], rtol=1e-6)
    older[0]["image_paths"] = ["a/b.jpg"]
    assert "result 0: expected an image with a number" in read_error(write(older), fps=30)


def test_one_person_may_come_without_the_axis_of_people(write):
    points = np.random.default_rng(0).uniform(1, 9, (6, 17, 2))
    entry = annotation(points[None]) | {"keypoint": points, "keypoint_score": np.full((6, 17), 0.5)}
    (clip,) = read(write([entry]), **TOLD)
    np.testing.assert_allclose(clip.keypoints, points[None], rtol=1e-6)
    assert clip.up == "-y"


def test_a_third_column_in_pixels_is_asked_about(write):
    path = write([annotation(np.ones((1, 6, 17, 3)))])
    message = read_error(path, unit="pixel", **TOLD)
    assert "third is ambiguous" in message and "keypoint[..., 2] as keypoint_score" in message
    assert read(path, unit="metre", **TOLD)[0].num_dims == 3


def test_another_count_of_frames_is_noted(write):
    with pytest.warns(FileNote, match="keypoint has 6 frames, total_frames says 4"):
        read(write([annotation(np.ones((1, 6, 17, 2)), total_frames=4)]), **TOLD)
