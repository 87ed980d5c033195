"""CVAT's XML and Label Studio's JSON: named points, missing where they are outside, people by track or region."""

import numpy as np
import pytest
from helpers import read_error, write_json, write_text

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote


NAMES = ("nose", "left_shoulder", "right_shoulder")


def skeleton(time: int, row: int = 0, *, frame: bool = True, states=("", "", "")) -> str:
    points = "".join(
        f'<points label="{name}" {state} points="{10 * joint + time},{100 * row + joint}"></points>'
        for joint, (name, state) in enumerate(zip(NAMES, states, strict=True))
    )
    return f'<skeleton {f"frame={chr(34)}{time}{chr(34)}" if frame else ""} outside="0">{points}</skeleton>'


@pytest.fixture
def cvat(tmp_path):
    def write(inside: str, before: str = ""):
        head = '<?xml version="1.0" encoding="utf-8"?>\n'
        return write_text(tmp_path / "annotations.xml", f"{head}{before}<annotations>{inside}</annotations>")

    return write


def test_tracks_are_people_and_frames_are_placed_by_number(cvat):
    tracks = [f'<track id="{3 + row}">{"".join(skeleton(time, row) for time in (2, 3, 6))}</track>' for row in (0, 1)]
    size = "<meta><task><original_size><width>640</width><height>480</height></original_size></task></meta>"
    path = cvat(size + "".join(tracks))
    assert find_format(path).name == "cvat"
    (clip,) = read(path, fps=25)
    assert (clip.track_ids, clip.num_frames, clip.image_size, clip.up) == ((3, 4), 5, (640, 480), "-y")
    assert clip.layout.joints == NAMES
    np.testing.assert_array_equal(clip.keypoints[1, 4], [[6, 100], [16, 101], [26, 102]])
    assert not clip.joint_mask[:, 2].any()


def test_points_outside_are_missing_and_hidden_ones_uncertain(cvat):
    states = ('outside="1" occluded="0"', 'outside="0" occluded="1"', 'outside="0" occluded="0"')
    (clip,) = read(cvat(f'<track id="0">{skeleton(0, states=states)}{skeleton(1)}</track>'), fps=25)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 0, 0]]
    np.testing.assert_array_equal(clip.confidence[0, 0], [0, 0.5, 1])


def test_images_are_frames_also_without_people(cvat):
    images = [
        f'<image id="{n}" width="64" height="48">{skeleton(n, frame=False) if n != 1 else ""}</image>'
        for n in range(3)
    ]
    (clip,) = read(cvat("".join(images)), fps=25)
    assert clip.joint_mask.all(axis=(0, 2)).tolist() == [True, False, True] and clip.image_size == (64, 48)


@pytest.mark.parametrize("inside, before, reason", [
    ("", '<!DOCTYPE a [<!ENTITY b "c">]>', "document type definition, which is refused"),
    ('<track id="0"><box frame="0"/></track>', "", "expected <skeleton> shapes"),
    ('<track id="0"><skeleton frame="x"/></track>', "", "expected a frame number, got 'x'"),
    ('<track id="0"><skeleton frame="1"/></track>', "", "expected <points>"),
    ('<track id="0"><skeleton frame="1"><points label="a" points="1;2;3"/></skeleton></track>', "", 'points="x,y"'),
    ("<track>", "", "cannot be parsed"),
])  # fmt: skip
def test_what_does_not_fit_in_cvat_is_named(cvat, inside, before, reason):
    assert reason in read_error(cvat(inside, before), fps=25)


def keypoint(name: str, x: float, y: float, **extra) -> dict:
    value = {"x": x, "y": y, "width": 0.3, "keypointlabels": [name]}
    return {"type": "keypointlabels", "original_width": 200, "original_height": 100, "value": value, **extra}


def task(number: int, results: list[dict]) -> dict:
    return {"data": {"image": f"/data/upload/3f2a-frame_{number:03d}.png"}, "annotations": [{"result": results}]}


@pytest.fixture
def studio(tmp_path):
    return lambda tasks: write_json(tmp_path / "project.json", tasks)


def test_percent_of_the_image_are_pixels_and_tasks_are_placed_by_image(studio):
    tasks = [task(number, [keypoint("nose", 10 + number, 20), keypoint("left_hip", 50, 60)]) for number in (4, 2)]
    path = studio(tasks)
    assert find_format(path).name == "label-studio"
    (clip,) = read(path, fps=30)
    assert (clip.layout.joints, clip.image_size, clip.num_frames) == (("nose", "left_hip"), (200, 100), 3)
    np.testing.assert_allclose(clip.keypoints[0, [0, 2]], [[[24, 20], [100, 60]], [[28, 20], [100, 60]]], rtol=1e-6)


def test_the_keypoints_of_a_region_are_a_person(studio):
    regions = [keypoint("nose", x, 20, parentID=parent) for x, parent in ((10, "a"), (80, "b"))]
    assert read(studio([task(1, regions)]), fps=30)[0].num_people == 2
    loose = [keypoint("nose", x, 20) for x in (10, 80)]
    assert "task 0: several keypoints 'nose' and no region" in read_error(studio([task(1, loose)]), fps=30)


def test_the_short_export_is_the_same_clip(studio):
    full = [task(number, [keypoint("nose", 10 + number, 20)]) for number in (1, 2)]
    short = [
        {
            "img": f"a/{number}.png",
            "kp": [
                {
                    **keypoint("nose", 0, 0)["value"],
                    "x": 10 + number,
                    "y": 20,
                    "original_width": 200,
                    "original_height": 100,
                }
            ],
        }
        for number in (1, 2)
    ]
    np.testing.assert_array_equal(read(studio(full), fps=30)[0].keypoints, read(studio(short), fps=30)[0].keypoints)


def test_what_is_not_read_is_said(studio):
    tasks = [task(1, [keypoint("nose", 1, 1)])]
    tasks[0]["annotations"] *= 2
    with pytest.warns(FileNote, match="1 tasks have several annotations"):
        read(studio(tasks), fps=30)
    with pytest.warns(FileNote, match="no numbers, or the same ones"):
        read(studio([task(1, [keypoint("nose", 1, 1)])] * 2), fps=30)
