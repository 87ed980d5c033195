"""Depth and DensePose files: the real ones, hand-made ones, damaged ones."""

import pickle

import numpy as np
import pytest
import torch
from scipy.io import savemat

from motionhub.data.datasets.reading import read
from motionhub.data.views.image_files import read_densepose, read_ntu_masked_depth, read_utd_mhad_depth
from motionhub.processing.posture_images import PostureImageProcessor


def test_a_real_depth_clip_has_the_frames_of_its_skeleton(unzipped):
    folder = unzipped("data/utd_mhad_depth_s1-2_t1.zip")
    skeletons = unzipped("data/utd_mhad_s1-6.zip")
    path = next(folder.rglob("a10_s1_t1_depth.mat"))
    depth = read_utd_mhad_depth(path)
    assert depth.shape[1:] == (240, 320) and depth.dtype == np.uint16
    [sequence] = read(next(skeletons.rglob("a10_s1_t1_skeleton.mat")))
    assert len(depth) == sequence.num_frames
    # The depth of the middle of the person is the skeleton's, which Kinect measured inside the body.
    middle = np.array([np.median(frame[frame > 0]) for frame in depth]) / 1000
    spine = np.abs(np.nanmedian(sequence.keypoints[0, ..., 2], axis=1))
    assert np.abs(middle - spine).max() < 0.3
    pixels = PostureImageProcessor(image_size=64, in_channels=1).clips([depth]).pixel_values
    assert pixels.shape == (1, 16, 1, 64, 64) and 0.02 < float((pixels > 0).float().mean()) < 0.5


def test_matlab_arrays_become_frames_first(tmp_path):
    values = np.arange(24.0).reshape(2, 3, 4)
    savemat(tmp_path / "d.mat", {"d_depth": values})
    assert np.array_equal(read_utd_mhad_depth(tmp_path / "d.mat"), values.transpose(2, 0, 1))
    savemat(tmp_path / "one.mat", {"d_depth": values[..., 0]})
    assert read_utd_mhad_depth(tmp_path / "one.mat").shape == (1, 2, 3)
    for wrong in (values + 0.5, values - 5, values + 70000):
        savemat(tmp_path / "wrong.mat", {"d_depth": wrong})
        with pytest.raises(ValueError, match="whole millimetres"):
            read_utd_mhad_depth(tmp_path / "wrong.mat")


def test_masked_depth_takes_a_neighbour_for_a_missing_frame(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for number in (1, 2, 4):
        image.fromarray(np.full((4, 5), 1000 * number, np.uint16)).save(tmp_path / f"MDepth-{number:08d}.png")
    assert read_ntu_masked_depth(tmp_path)[:, 0, 0].tolist() == [1000, 2000, 4000]
    assert read_ntu_masked_depth(tmp_path, [3, 5])[:, 0, 0].tolist() == [2000, 4000]
    with pytest.raises(ValueError, match="frame 7"):
        read_ntu_masked_depth(tmp_path, [7])
    image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "MDepth-00000009.png")
    with pytest.raises(ValueError, match="16 bits"):
        read_ntu_masked_depth(tmp_path, [9])
    (tmp_path / "MDepth-00000012.png").write_bytes((tmp_path / "MDepth-00000001.png").read_bytes()[:40])
    with pytest.raises(ValueError, match="cannot be read"):
        read_ntu_masked_depth(tmp_path, [12])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="MDepth-00000001"):
        read_ntu_masked_depth(tmp_path / "empty")


def person(left, top, part, size=(4, 6)):
    maps = torch.full((3, *size), 7, dtype=torch.uint8)
    maps[0] = part
    return [torch.tensor([float(left), float(top), 9.0, 9.0]), maps]


def write(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


def test_people_are_pasted_at_their_boxes_and_cut_at_the_border(tmp_path):
    canvas = read_densepose(write(tmp_path / "a.pkl", [person(10, 20, 3), person(12, 22, 5), person(510, 0, 9), {}]))
    assert canvas.shape == (512, 512, 3) and canvas.dtype == np.uint8
    assert canvas[20, 10].tolist() == [3, 7, 7] and canvas[23, 15].tolist() == [5, 7, 7]
    assert (canvas[..., 0] == 9).sum() == 4 * 2 and (canvas[..., 0] == 5).sum() == 24
    assert not read_densepose(write(tmp_path / "nobody.pkl", [{}])).any()
    assert not read_densepose(write(tmp_path / "far.pkl", [person(900, -50, 1), {}])).any()


def test_other_pickles_are_refused_and_run_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    wrong = {
        "it wants to call": [Evil(), {}],
        "expected a list": {"a": 1},
        r"expected \[box, maps\]": [[1], {}],
        "uint8 maps": [[torch.zeros(4), torch.zeros(3, 2, 2)], {}],
    }
    for reason, content in wrong.items():
        with pytest.raises(ValueError, match=reason):
            read_densepose(write(tmp_path / "x.pkl", content))
    whole = (write(tmp_path / "y.pkl", [person(1, 1, 1), {}])).read_bytes()
    (tmp_path / "y.pkl").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="refused"):
        read_densepose(tmp_path / "y.pkl")


def test_a_tensor_cannot_claim_more_numbers_than_it_has():
    from motionhub.data.views.image_files import _tensor

    numbers = torch.arange(6)
    assert _tensor(numbers, 0, (2, 3), (3, 1)).tolist() == [[0, 1, 2], [3, 4, 5]]
    for size, stride, offset in (((4, 3), (3, 1), 0), ((2, 3), (3, 1), 1), ((2,), (10**9,), 0), ((-1,), (1,), 0)):
        with pytest.raises(pickle.UnpicklingError):
            _tensor(numbers, offset, size, stride)
