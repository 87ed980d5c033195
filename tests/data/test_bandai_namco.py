"""Bandai-Namco dataset 2: contents are classes, styles divide."""

import pytest

from motionhub.cli.main import main
from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.bandai_namco import BANDAI_TEST_STYLES, STYLES
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.reading import find_format, read


READER = DATASETS["bandai-namco"]
NAME = "dataset-2_walk-turn-left_exhausted_007"


def test_content_is_the_label_and_style_the_setup(tmp_path):
    facts = READER.annotate(tmp_path / f"{NAME}.bvh")
    assert READER.class_names[facts.label] == "walk-turn-left" and STYLES[facts.setup] == "exhausted"
    assert (facts.subject, facts.camera, facts.clip_id) == (None, None, NAME)


@pytest.mark.parametrize(
    "name, reason",
    [
        ("dataset-2_walk_007", "expected dataset-2_CONTENT_STYLE_NNN"),
        ("dataset-2_swim_normal_007", "expected one of"),
        ("dataset-2_walk_angry_007", "expected one of"),
    ],
)
def test_names_that_tell_nothing_are_one_line(tmp_path, name, reason):
    with pytest.raises(ValueError, match=f"name: {reason}") as caught:
        READER.annotate(tmp_path / f"{name}.bvh")
    assert "\n" not in str(caught.value)


def test_info_tells_content_and_style_apart_from_plain_bvh(unzipped, capsys):
    file = (
        unzipped("data/bandai_namco_2_subset.zip") / "bandai_namco_2" / "dataset-2_walk-turn-right_masculine_007.bvh"
    )
    assert main(["info", str(file)]) == 0
    shown = capsys.readouterr().out
    assert f"{file}: Bandai-Namco" in shown and "label 'walk-turn-right', subject None" in shown


def test_every_style_is_on_one_side_and_left_out_once():
    rows = [{"label": 0, "setup": number} for number in (*range(7), -1)]
    splits = get_protocol("bandai-namco", "cross-style").assign(rows)
    assert {STYLES[number] for number in range(7) if splits[number] == "test"} == BANDAI_TEST_STYLES
    assert splits.count("train") == 4 and splits[-1] is None
    for number, style in enumerate(STYLES):
        splits = get_protocol("bandai-namco", f"leave-out-style-{style}").assign(rows)
        assert splits[number] == "test" and splits.count("train") == 6
    assert not any("random" in protocol.name for protocol in READER.protocols)  # it would leak


def test_real_clips_are_metres_of_22_joints_and_divide_by_style(unzipped, tmp_path):
    folder = unzipped("data/bandai_namco_2_subset.zip") / "bandai_namco_2"
    files = sorted(folder.glob("*.bvh"))
    assert len(files) == 560
    facts = [READER.annotate(path) for path in files]
    assert {fact.label for fact in facts} == set(range(10)) and {fact.setup for fact in facts} == set(range(7))
    (clip,) = READER.read(files[0])
    assert (clip.layout.name, clip.unit, clip.fps) == ("bandai-22", "metre", 30.0)
    assert 1.1 < clip.keypoints[0, 0, :, 1].max() < 1.5  # y up; the head turns below its top, on a small body
    assert find_format(files[0]) == READER.format and (read(files[0])[0].keypoints == clip.keypoints).all()
    renamed = tmp_path / "walk.bvh"
    renamed.write_bytes(files[0].read_bytes())
    assert find_format(renamed).name == "bvh" and (read(renamed)[0].keypoints == clip.keypoints).all()
    for path in files:
        if path.stem.endswith("_001") and "_run_" in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.warns(UserWarning, match="no clip of 9 of 10 classes"):
        splits = build_dataset("bandai-namco", tmp_path, "cross-style")
    assert (len(splits["train"]), len(splits["test"])) == (4, 3)
