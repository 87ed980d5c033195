"""MSR DailyActivity3D: files of two kinds of rows, built from the authors' description."""

import numpy as np
import pytest
from described_samples import msr_daily
from helpers import read_error

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format, read


READER = DATASETS["msr-daily"]


@pytest.fixture
def write(tmp_path):
    def written(frames, name="a01_s02_e02_skeleton.txt", content=None):
        path = tmp_path / name
        path.write_text(msr_daily(frames) if content is None else content)
        return path

    return written


def bodies(people: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (people, 20, 3)).round(3) + [0, 0, 2.5]


def test_world_coordinates_are_read_and_absent_people_and_joints_at_the_origin_are_missing(write):
    first, second, third = bodies(1), bodies(2, 1), bodies(0)
    first[0, 7] = 0
    path = write([first, second, third])
    assert find_format(path).name == "msr-daily"
    (clip,) = read(path)
    assert clip.keypoints.shape == (2, 3, 20, 3) and (clip.unit, clip.fps, clip.up) == ("metre", 30.0, "y")
    assert np.allclose(clip.keypoints[:, 1], second, atol=1e-4)
    assert np.isnan(clip.keypoints[1, 0]).all() and np.isnan(clip.keypoints[:, 2]).all()
    assert np.isnan(clip.keypoints[0, 0, 7]).all() and np.allclose(clip.keypoints[0, 0, :7], first[0, :7], atol=1e-4)


def test_the_name_says_action_performer_and_whether_on_the_sofa(write):
    facts = READER.annotate(write([bodies(1)], "a12_s07_e01_skeleton.txt"))
    assert (READER.class_names[facts.label], facts.subject, facts.setup) == ("lie down on sofa", 7, 1)
    for number in (1, 2):
        write([bodies(1)], f"a16_s{number:02d}_e01_skeleton.txt")
    splits = build_dataset("msr-daily", write([bodies(1)]).parent, "cross-subject")
    assert sorted(splits["train"]["subject"][:]) == [1, 7]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("2 20\n40\n" + "1 2 3 1\n" * 40, "states 2 frames and has 1"),
        ("1 20\n40\n" + "1 2 3 1\n" * 39, "ends within it"),
        ("1 20\n41\n" + "1 2 3 1\n" * 41, "multiples of 40"),
        ("1 20\n40\n" + "1 2 x 1\n" * 40, "expected numbers"),
        ("1 20\n0\n", "nobody"),
    ],
)
def test_damaged_files_are_one_line(write, content, reason):
    path = write([], content=content)
    with pytest.raises(ValueError, match=rf"{path.name}.*{reason}"):
        READER.read(path)


def test_a_truncated_file_names_the_frame(write):
    whole = msr_daily([bodies(1), bodies(1)])
    assert "frame 1" in read_error(write([], content=whole[:-200]))
