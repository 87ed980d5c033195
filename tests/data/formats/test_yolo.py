"""Labels of YOLO pose models: a file per frame, people by the last column, fractions of the image, zeros missing."""

import numpy as np
import pytest
from helpers import read_error, write_text

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


COCO = {"layout": "coco-17", "fps": 30}


def line(time: int, row: int, *more: float, width: int = 3, joints: int = 17, score: float = 0.8) -> str:
    """x = 0.1 + 0.5 row + joint / 100, y = 0.2 + joint / 50."""
    index = np.arange(joints)
    columns = [0.1 + 0.5 * row + index / 100 + time / 1000, 0.2 + index / 50, np.full(joints, score)][:width]
    values = [0, 0.5, 0.5, 0.3, 0.4, *np.stack(columns, axis=-1).ravel().round(4), *more]
    return " ".join(f"{value:g}" for value in values)


@pytest.fixture
def labels(tmp_path):
    def write(frames: dict[int, list[str]], name: str = "clip"):
        for number, lines in frames.items():
            write_text(tmp_path / "labels" / f"{name}_{number}.txt", "\n".join(lines) + "\n")
        return tmp_path / "labels"

    return write


def test_files_are_frames_and_the_last_column_the_person(labels):
    path = labels({number: [line(number, row, 5 + row) for row in (1, 0)] for number in (1, 2, 4, 10)})
    assert find_format(path).name == "yolo"
    (clip,) = read(path, **COCO)
    assert (clip.unit, clip.up, clip.layout, clip.track_ids) == ("normalised", "-y", get_layout("coco-17"), (6, 5))
    assert clip.joint_mask.all(axis=(0, 2)).nonzero()[0].tolist() == [0, 1, 3, 9]
    np.testing.assert_allclose(clip.keypoints[1, 3, 2], [0.1 + 0.02 + 0.004, 0.24], rtol=1e-5)
    np.testing.assert_allclose(clip.confidence[0, 0], 0.8, rtol=1e-6)


@pytest.mark.parametrize("width, more, tracked", [
    (3, (), False), (2, (), False), (3, (7,), True), (2, (7,), True), (3, (0.9,), False), (3, (0.9, 7), True),
])  # fmt: skip
def test_columns_are_understood_with_and_without_scores_confidence_and_number(labels, width, more, tracked):
    (clip,) = read(labels({number: [line(number, 0, *more, width=width)] for number in (1, 2)}), **COCO)
    assert clip.track_ids == ((7,) if tracked else (0,))
    assert (clip.confidence is None) == (width == 2)
    np.testing.assert_allclose(clip.keypoints[0, 0, 16], [0.1 + 0.16 + 0.001, 0.52], rtol=1e-5)


def test_visibility_0_of_dataset_labels_and_the_origin_are_missing(labels):
    words = line(0, 0, score=2).split()
    words[5 + 2], words[5 + 3 * 4 : 5 + 3 * 4 + 3], words[5 + 3 * 6 + 2] = "0", ["0", "0", "0"], "1"
    (clip,) = read(labels({1: [" ".join(words)]}), **COCO)
    assert np.argwhere(~clip.joint_mask)[:, 2].tolist() == [0, 4]
    np.testing.assert_allclose(clip.confidence[0, 0, [0, 4, 6, 7]], [0, 0, 0.5, 1])


def test_pixels_are_fractions_times_the_image_size(labels):
    path = labels({1: [line(0, 0)]})
    (clip,) = read(path, unit="pixel", image_size=(1000, 500), **COCO)
    np.testing.assert_allclose(clip.keypoints[0, 0, 1], [110, 110], rtol=1e-5)
    assert "give image_size=(width, height)" in read_error(path, unit="pixel", **COCO)


def test_the_layout_must_be_given_and_fit(labels):
    path = labels({1: [line(0, 0, joints=26)]})
    message = read_error(path, fps=30)
    assert "has 26 joints a person" in message and '"halpe-26"' in message and "coco-17" not in message
    assert read(path, layout="halpe-26", fps=30)[0].num_joints == 26
    assert "5 + 3 or 2 x 17 joints of layout 'coco-17'" in read_error(path, **COCO)


def test_two_recordings_are_two_clips_and_one_file_states_the_others(labels):
    labels({1: [line(0, 0)], 2: [line(0, 0)]})
    path = labels({1: [line(0, 0)]}, name="other")
    assert [clip.num_frames for clip in read(path, **COCO)] == [2, 1]
    with pytest.warns(FileNote, match="1 more of this recording lie beside it"):
        read(path / "clip_1.txt", **COCO)


def test_a_frame_without_people_may_be_an_empty_file(labels):
    path = labels({number: [line(0, 0)] for number in (1, 3)})
    (path / "clip_2.txt").touch()
    assert read(path, **COCO)[0].joint_mask.any(axis=(0, 2)).tolist() == [True, False, True]


@pytest.mark.parametrize("lines, reason", [
    ([line(0, 0), f"{line(0, 0)} 0.5 1"], "expected lines of one length"),
    ([line(0, 0), "0 0.5 x"], "line 2: expected numbers"),
    ([line(0, 0), "0 0.5 0.5 0.1 0.1"], "line 2: expected a class, a box and keypoints, got 5"),
])  # fmt: skip
def test_what_does_not_fit_is_named(labels, lines, reason):
    assert reason in read_error(labels({1: lines}) / "clip_1.txt", **COCO)
