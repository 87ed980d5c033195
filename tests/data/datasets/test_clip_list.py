"""Clips that the authors of a dataset list as unusable are left out, and the card says so."""

import shutil
from pathlib import Path

import pytest

from motionhub.cli.main import main
from motionhub.data.build.build import build_dataset, save_dataset
from motionhub.data.datasets.raw_files import read_clip_list


# As NTU's files begin: two lines of prose, an empty one, names.
LIST = """There are 2 samples whose skeletons are missing or incomplete.
The following are their names, please ignore them in your experiments.

S001C002P003R001A004
S001C003P003R001A004.skeleton
"""


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "skeletons_to_ignore.txt"
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


@pytest.mark.parametrize("packed", [False, True])
def test_a_list_that_lies_with_the_files_is_applied_and_said_to_be(clips, tmp_path, capsys, packed):
    lists = [f"NTU_RGBD{edition}_samples_with_missing_skeletons.txt" for edition in ("", "120")]
    raw = tmp_path / "raw"
    (raw / "lists").mkdir(parents=True)
    for path in clips.glob("*.skeleton"):
        path.rename(raw / path.name)
    for number, name in enumerate(lists, 2):
        (raw / "lists" / name).write_text(f"S001C00{number}P003R001A004")
    if packed:
        raw = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", raw))
    words = ["dataset", "build", "NTU-60", "--raw", str(raw), "--out", str(tmp_path / "out"), "--expect", "subset"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "1 clip of 1 file" in shown.out
    assert f"clips listed in {lists[1]}, {lists[0]} are left out" in shown.err and "--exclude LIST" in shown.err
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"The clips named in the lists `{lists[1]}`, `{lists[0]}`." in card
    rows = build_dataset("ntu-rgbd", raw, exclude=names_of(tmp_path, "S001C001P003R001A004"))["full"]
    assert len(rows) == 2  # the caller's word goes before


def names_of(folder, *clips):
    path = folder / "mine.txt"
    path.write_text("\n".join(clips))
    return path


def test_a_list_that_is_not_there_is_missed_once(clips, tmp_path, capsys):
    words = ["dataset", "build", "ntu-rgbd", "--raw", str(clips), "--out", str(tmp_path / "out"), "--expect", "subset"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert said.count("found no *samples_with_missing_skeletons.txt with the files") == 1 and "--exclude LIST" in said
    assert "Clips left out" not in (tmp_path / "out" / "README.md").read_text()


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
    assert "The clips named in the list `skeletons_to_ignore.txt`." in card
    assert card.startswith("---") and "1 clips of human motion" in card


def test_lists_that_cannot_be_meant_are_refused(clips, names, tmp_path):
    prose = tmp_path / "prose.txt"
    prose.write_text("nothing is missing here\n")
    with pytest.raises(ValueError, match="prose.txt: content: lists no clip"):
        build_dataset("ntu-rgbd", clips, exclude=prose)
    with pytest.raises(ValueError, match="nowhere.txt: file: cannot be read"):
        build_dataset("ntu-rgbd", clips, exclude=tmp_path / "nowhere.txt")
    (clips / "S001C001P003R001A004.skeleton").unlink()
    with pytest.raises(ValueError, match="ignore.txt leaves out every file"):
        build_dataset("ntu-rgbd", clips, exclude=names)
