"""Clips that the authors of a data set list as unusable are left out, and the card says so."""

import pytest

from motionhub.cli import main
from motionhub.data.build import build_dataset, save_dataset
from motionhub.data.clip_list import read_clip_list


# As NTU's files begin: two lines of prose, an empty one, names.
LIST = """There are 2 samples whose skeletons are missing or incomplete.
The following are their names, please ignore them in your experiments.

S001C002P003R001A004
S001C003P003R001A004.skeleton
"""


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "samples_with_missing_skeletons.txt"
    path.write_text(LIST)
    return path


@pytest.fixture
def clips(write_ntu, points):
    for camera in (1, 2, 3):
        path = write_ntu([{1: points(1, 25)[0]}], f"S001C00{camera}P003R001A004")
    return path.parent


def test_prose_and_extensions_are_no_part_of_the_names(names):
    assert read_clip_list(names) == {"S001C002P003R001A004", "S001C003P003R001A004"}


def test_listed_clips_are_left_out_before_they_are_read(clips, names):
    (clips / "S001C003P003R001A004.skeleton").write_text("broken")
    rows = build_dataset("ntu-rgbd", clips, exclude=names, strict=True)["full"]
    assert rows["clip_id"][:] == ["S001C001P003R001A004"]


@pytest.mark.filterwarnings("ignore:ntu-rgbd")
def test_the_card_names_the_list(clips, names, tmp_path):
    assert "Clips left out" not in (save_dataset("ntu-rgbd", clips, tmp_path / "a") / "README.md").read_text()
    assert (
        main(
            [
                "dataset",
                "build",
                "ntu-rgbd",
                "--raw",
                str(clips),
                "--out",
                str(tmp_path / "b"),
                "--exclude",
                str(names),
                "--expect",
                "subset",
            ]
        )
        == 0
    )
    card = (tmp_path / "b" / "README.md").read_text()
    assert "The clips named in the list `samples_with_missing_skeletons.txt`." in card
    assert card.startswith("---") and "1 clips of human motion" in card


def test_lists_that_cannot_be_meant_are_refused(clips, names, tmp_path):
    prose = tmp_path / "prose.txt"
    prose.write_text("nothing is missing here\n")
    with pytest.raises(ValueError, match="prose.txt: content: names no clip"):
        build_dataset("ntu-rgbd", clips, exclude=prose)
    with pytest.raises(ValueError, match="nowhere.txt: file: cannot be read"):
        build_dataset("ntu-rgbd", clips, exclude=tmp_path / "nowhere.txt")
    (clips / "S001C001P003R001A004.skeleton").unlink()
    with pytest.raises(ValueError, match="leaves out every file"):
        build_dataset("ntu-rgbd", clips, exclude=names)
