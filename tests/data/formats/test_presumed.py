"""A number of joints is no layout: the default of a program is taken, and noted, only where the bodies fit it."""

import numpy as np
import pytest
from format_samples import body
from helpers import read_error, write_json

from motionhub.data.datasets.reading import read
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


def _mmpose(row, frame):
    return {"frame_id": frame, "instances": [{"keypoints": row, "keypoint_scores": [0.9] * len(row)}]}


def _ultralytics(row, frame):
    x, y = np.transpose(row).tolist()
    return [{"box": {}, "keypoints": {"x": x, "y": y, "visible": [0.9] * 17}}]


# A frame of one person, as the program writes it.
PROGRAMS = {
    "mmpose": _mmpose,
    "alphapose": lambda row, frame: {
        "image_id": f"{frame}.jpg",
        "keypoints": np.insert(row, 2, 0.9, axis=1).ravel().tolist(),
        "score": 1,
    },
    "vitpose": lambda row, frame: [{"keypoints": row, "scores": [0.9] * 17, "bbox": [0, 0, 9, 9]}],
    "ultralytics": _ultralytics,
    "detectron2": lambda row, frame: {"pred_keypoints": [np.insert(row, 2, 0.9, axis=1).tolist()]},
}


def written(tmp_path, program, layout, dims=2):
    frames = [PROGRAMS[program](row.tolist(), n) for n, row in enumerate(body(layout, dims))]
    return write_json(tmp_path / f"{layout}.json", {"instance_info": frames} if program == "mmpose" else frames)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_default_is_taken_where_bodies_fit_with_a_note_else_asked_for(tmp_path, program):
    with pytest.warns(FileNote, match="states none; coco-17 is usual for 17 joints, and taken; state it by layout="):
        (clip,) = read(written(tmp_path, program, "coco-17"), fps=30)
    np.testing.assert_allclose(clip.keypoints[0], body("coco-17"), rtol=1e-5)
    other = written(tmp_path, program, "h36m-17")
    assert "coco-17 is usual for 17 joints, but these are" in read_error(other, fps=30)
    for layout in ("h36m-17", "coco-17"):  # the caller's word wins, whatever the bodies say
        assert read(other, fps=30, layout=layout)[0].layout.name == layout


def test_lifted_keypoints_of_mmpose_are_those_of_human36m(tmp_path):
    (clip,) = read(written(tmp_path, "mmpose", "h36m-17", 3), fps=30)
    assert (clip.layout.name, clip.unit, clip.num_dims) == ("h36m-17", "metre", 3)
    assert "h36m-17 is usual" in read_error(written(tmp_path, "mmpose", "coco-17", 3), fps=30)


@pytest.mark.filterwarnings("error")
def test_a_stated_layout_is_taken_without_a_note(tmp_path):
    frames = [_mmpose(row.tolist(), n) for n, row in enumerate(body("h36m-17"))]
    names = dict(enumerate(get_layout("h36m-17").joints))
    for meta in ({"dataset_name": "h36m"}, {"keypoint_id2name": names}):
        path = write_json(tmp_path / "a.json", {"meta_info": meta, "instance_info": frames})
        assert read(path, fps=30)[0].layout.name == "h36m-17"


def test_cocos_own_results_are_coco_and_say_where_bodies_do_not_fit(tmp_path):
    entries = [
        {"image_id": n, "keypoints": np.insert(row, 2, 0.9, axis=1).ravel().tolist()}
        for n, row in enumerate(body("h36m-17"))
    ]
    with pytest.warns(FileNote, match="17 joints are read as coco-17, but these are"):
        assert read(write_json(tmp_path / "a.json", entries), fps=30)[0].layout.name == "coco-17"
