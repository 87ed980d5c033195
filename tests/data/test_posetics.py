"""Posetics: ids in names, labels in lists beside or above, image or space, broken lists. Made by hand."""

import json
import os
import zipfile

import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format, read


READER = DATASETS["posetics"]
IDS = ("-0BveUV52cM", "abcdefghij_", "__KLMNOPQRS", "TUVWXYZ0123")


@pytest.fixture
def folder(tmp_path):
    """Two training clips, one of them without a skeleton, and one validation clip; the lists lie two folders above."""
    clips = tmp_path / "posetics" / "clips"
    clips.mkdir(parents=True)
    pose = {"pose2d": list(map(float, range(1, 27))), "pose3d": list(map(float, range(1, 40)))}
    for video in IDS[:3]:
        name = f"some class_{video}_000012_000022.json"
        assert name[-30:-19] == video
        (clips / name).write_text(json.dumps({"frames": [[pose], [pose]]}))
    train = {IDS[0]: {"label_index": 319, "has_skeleton": True}, IDS[1]: {"label_index": 4, "has_skeleton": False}}
    (tmp_path / "posetics_train_label.json").write_text(json.dumps(train))
    (tmp_path / "posetics_val_label.json").write_text(json.dumps({IDS[2]: {"label_index": 4, "has_skeleton": True}}))
    return tmp_path


def clip(folder, video):
    return next(folder.rglob(f"*{video}*"))


def test_all_five_channels_are_read_as_image_and_space(folder):
    path = clip(folder, IDS[0])
    (flat,), (solid,) = read(path), DATASETS["posetics-3d"].read(path)
    assert find_format(path).name == "posetics"
    assert (flat.layout.name, flat.unit, flat.image_size) == ("lcrnet-13", "pixel", (640, 480))
    assert flat.keypoints[0, 1, 12].tolist() == [13, 26]
    assert (solid.unit, solid.keypoints[0, 1, 12].tolist()) == ("metre", [13, 26, 39])


def test_facts_come_from_the_lists(folder):
    facts = [READER.annotate(clip(folder, video)) for video in (IDS[0], IDS[2])]
    assert [(fact.label, fact.setup, fact.clip_id) for fact in facts] == [(319, 1, IDS[0]), (4, 0, IDS[2])]


@pytest.mark.filterwarnings("ignore:posetics")
@pytest.mark.parametrize("reader, dims", [("posetics", 2), ("posetics-3d", 3)])
def test_clips_without_a_skeleton_take_no_part_and_a_zip_carries_its_lists(folder, tmp_path, reader, dims):
    archive = tmp_path / "posetics.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for path in [*folder.rglob("*.json")]:
            content.write(path, path.relative_to(folder))
    for root in (folder, archive):
        splits = build_dataset(reader, root, "official", strict=True)
        assert (splits["train"]["clip_id"][:], splits["test"]["clip_id"][:]) == ([IDS[0]], [IDS[2]])
        assert splits["test"][0]["num_dims"] == dims


def test_clips_and_lists_that_do_not_fit_are_one_line(folder):
    stray = clip(folder, IDS[0]).rename(folder / f"x_{IDS[3]}_000001_000011.json")
    unlisted = folder / "posetics_val_label.json"
    cases = [
        (lambda: None, f"labels: {IDS[3]} is in none of"),
        (lambda: unlisted.write_text(json.dumps({IDS[3]: {"label_index": 320}})), "expected a label_index in 0..319"),
        (lambda: unlisted.write_text(json.dumps({IDS[3]: 7})), "expected a label_index in 0..319"),
        (lambda: unlisted.write_text("[]"), "expected an object, got"),
        (lambda: unlisted.write_text("{"), "not valid JSON"),
        (lambda: [path.unlink() for path in folder.glob("posetics_*")], "found neither"),
    ]
    for time, (change, place) in enumerate(cases):
        change()
        if unlisted.exists():
            os.utime(unlisted, ns=(time, time))  # as if it was written at another time
        with pytest.raises(ValueError, match=place) as caught:
            READER.annotate(stray)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="name: expected"):
        READER.annotate(folder / "clip.json")
