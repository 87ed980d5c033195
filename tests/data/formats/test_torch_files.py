"""PyTorch files: tensors and dicts of tensors, without code of the file; packed or damaged ones are one line."""

import zipfile

import numpy as np
import pytest
import torch
from helpers import read_error

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.reading import find_format, read


TOLD = {"layout": "coco-17", "fps": 30, "unit": "pixel"}
POINTS = np.random.default_rng(0).uniform(1, 9, (5, 17, 2)).astype(np.float32)


def test_a_tensor_and_a_dict_of_tensors_are_clips(tmp_path):
    torch.save(torch.tensor(POINTS), tmp_path / "a.pt")
    assert find_format(tmp_path / "a.pt").name == "torch"
    np.testing.assert_array_equal(read(tmp_path / "a.pt", **TOLD)[0].keypoints[0], POINTS)
    torch.save(
        {"keypoints": torch.tensor(POINTS, dtype=torch.float16), "fps": 25, "layout": "coco-17"}, tmp_path / "b.pt"
    )
    (clip,) = read(tmp_path / "b.pt", unit="pixel")
    assert clip.fps == 25
    np.testing.assert_allclose(clip.keypoints[0], POINTS, rtol=1e-3)


def test_parameters_of_a_body_inside_a_file_are_its_joints(tmp_path):
    body = {"body_pose": torch.zeros(5, 63), "global_orient": torch.zeros(5, 3), "transl": torch.ones(5, 3)}
    torch.save({"smpl_params_global": body, "net_outputs": {}}, tmp_path / "hmr4d_results.pt")
    (clip,) = read(tmp_path / "hmr4d_results.pt", fps=30)
    assert (clip.layout.name, clip.unit, clip.num_frames) == ("smpl-22", "metre", 5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (torch.nn.Linear(1, 1), "needs code to be loaded"),
        ([torch.zeros(2)], "expected a tensor or a dict of tensors, got list"),
        ({"state": torch.zeros(2)}, "expected keypoints, got the keys"),
        (torch.zeros(5, 17, 2, dtype=torch.complex64), "expected numbers"),
    ],
)
def test_other_content_is_one_line(tmp_path, content, reason):
    torch.save(content, tmp_path / "a.pt")
    assert reason in read_error(tmp_path / "a.pt", **TOLD)


def test_a_packed_archive_is_refused_as_a_bomb(tmp_path):
    torch.save(torch.zeros(50, 17, 2), tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as stored,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for part in stored.infolist():
            packed.writestr(part.filename, stored.read(part))
    assert "torch.save writes no such file" in read_error(tmp_path / "b.pt", **TOLD)


def test_a_file_that_is_cut_off_is_one_line(tmp_path):
    torch.save(torch.tensor(POINTS), tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    for length in (200, len(content) // 2, len(content) - 9):
        (tmp_path / "cut.pt").write_bytes(content[:length])
        assert "not a readable PyTorch file" in read_error(tmp_path / "cut.pt", **TOLD)


def test_an_archive_of_a_later_version_is_one_line(tmp_path):
    torch.save(torch.tensor(POINTS), tmp_path / "a.pt")
    content = bytearray((tmp_path / "a.pt").read_bytes())
    content[content.rindex(b"PK\x01\x02") + 6] = 128
    (tmp_path / "a.pt").write_bytes(content)
    assert "not a readable PyTorch file" in read_error(tmp_path / "a.pt", **TOLD)
    (tmp_path / "a.pt").rename(tmp_path / "a.zip")
    with pytest.raises(ValueError, match=r"a\.zip: cannot be extracted, the zip file is corrupt"):
        build_dataset("folder", tmp_path / "a.zip")
