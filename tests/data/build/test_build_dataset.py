"""Folders of raw files become splits by protocol, and saved datasets load with `datasets` alone."""

import errno
import os
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest
from datasets import load_dataset
from helpers import card_metadata

from motionhub.data.build.build import build_dataset, collect_rows, save_dataset, save_dataset_report
from motionhub.data.datasets.datasets import DATASETS, get_dataset, get_protocol
from motionhub.data.datasets.reading import read
from motionhub.skeletons.rows import from_row


@pytest.fixture
def nucla_folder(tmp_path, write_nucla):
    """Every class once per view 1, 2 and subject 1, 2, in two sub-folders; the episode tells the class."""
    folder = tmp_path / "nucla"
    for subject in (1, 2):
        (folder / f"s{subject}").mkdir(parents=True)
        for view in (1, 2):
            for label in range(1, 11):
                name = f"a01_s{subject:02d}_e{label:02d}_v{view:02d}"
                write_nucla(name, label=label, folder=folder / f"s{subject}")
    (folder / "notes.json").write_text("{}")
    return folder


def ids(dataset):
    return set(dataset["clip_id"])


def test_a_protocol_divides_the_clips_and_loses_none(nucla_folder):
    splits = build_dataset("n-ucla", nucla_folder, "cross-view-1-to-2")
    assert set(splits) == {"train", "test"}
    assert all(name.endswith("v01") for name in ids(splits["train"]))
    assert all(name.endswith("v02") for name in ids(splits["test"]))
    assert (len(splits["train"]), len(splits["test"])) == (20, 20)
    assert sorted(splits["test"]["label"]) == sorted(2 * list(range(10)))
    assert splits["train"].features["label"].names == list(DATASETS["n-ucla"].class_names)


def test_without_a_protocol_everything_is_in_one_split(nucla_folder):
    dataset = build_dataset("n-ucla", nucla_folder)
    assert list(dataset) == ["full"]
    assert len(ids(dataset["full"])) == 40


def test_a_row_is_the_file(nucla_folder):
    row = build_dataset("n-ucla", nucla_folder)["full"][0]
    (expected,) = read(nucla_folder / "s1" / f"{row['clip_id']}.json")
    np.testing.assert_array_equal(from_row(row).keypoints, expected.keypoints)
    assert (row["source"], row["subject"], row["camera"], row["setup"]) == ("n-ucla", 1, 1, -1)
    assert row["licence"] == DATASETS["n-ucla"].licence


def test_several_processes_give_the_same_rows(nucla_folder):
    alone, shared = (
        build_dataset("n-ucla", nucla_folder)["full"],
        build_dataset("n-ucla", nucla_folder, num_proc=2)["full"],
    )
    assert alone.data.table.equals(shared.data.table) or alone.to_list() == shared.to_list()


def test_a_zip_is_as_good_as_its_folder(nucla_folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "nucla.zip", "w") as archive:
        for path in sorted(nucla_folder.rglob("*.json")):
            archive.write(path, path.relative_to(tmp_path))
    from_zip = build_dataset("n-ucla", tmp_path / "nucla.zip", "cross-subject")
    from_folder = build_dataset("n-ucla", nucla_folder, "cross-subject")
    assert from_zip["test"].to_list() == from_folder["test"].to_list()


@pytest.mark.parametrize(
    "name", ["../a01_s01_e01_v01.json", "/tmp/a01_s01_e01_v01.json", "x/../../a01_s01_e01_v01.json"]
)
def test_a_zip_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, "{}")
    with pytest.raises(ValueError, match="leads out of the folder"):
        build_dataset("n-ucla", tmp_path / "evil.zip")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"_LITTLE": 10}, r"extracts to 20000000 bytes, \d+ times its \d+ .*extract it yourself and give the folder"),
        (
            {"MAX_JSON_BYTES": 10**7},
            "'a01_s01_e01_v01.json' extracts to 20000000 bytes, more than the limit of 10000000 per file",
        ),
    ],
)
def test_a_zip_bomb_is_refused_before_anything_is_extracted(tmp_path, monkeypatch, limits, reason):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a01_s01_e01_v01.json", bytes(20_000_000))
    for name, value in limits.items():
        monkeypatch.setattr(f"motionhub.data.datasets.raw_files.{name}", value)
    monkeypatch.setattr("motionhub.data.datasets.raw_files._extract_member", lambda *words: pytest.fail("extracted"))
    with pytest.raises(ValueError, match=reason):
        build_dataset("n-ucla", tmp_path / "bomb.zip")


def test_a_corrupt_zip_is_named(nucla_folder, tmp_path):
    path = tmp_path / "clips.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(nucla_folder / "s1" / "a01_s01_e01_v01.json", "a01_s01_e01_v01.json")
    content = bytearray(path.read_bytes())
    content[80:120] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="clips.zip: cannot be extracted"):
        build_dataset("n-ucla", path)


def test_broken_files_are_left_out_and_listed_at_the_end(nucla_folder):
    (nucla_folder / "s1" / "a01_s01_e01_v01.json").write_text('{"skeletons": [[1,')
    (nucla_folder / "s2" / "a01_s02_e03_v02.json").write_bytes(b"")
    with pytest.warns(UserWarning, match="2 of 40 files are broken(?s:.*)s1/a01_s01_e01_v01.json: line 1"):
        rows, broken, _ = collect_rows("n-ucla", nucla_folder)
    assert (len(rows), len(broken)) == (38, 2)
    assert broken[1].startswith("s2/a01_s02_e03_v02.json: file: is empty")
    with pytest.raises(ValueError, match="s1/a01_s01_e01_v01.json: line 1"):
        build_dataset("n-ucla", nucla_folder, strict=True)


def test_nothing_but_broken_files_is_an_error(tmp_path):
    (tmp_path / "a01_s01_e01_v01.json").write_text("[]")
    with pytest.raises(ValueError, match="all 1 files of 'n-ucla' are broken"):
        build_dataset("n-ucla", tmp_path)


def test_nothing_found_says_what_was_expected_and_what_is_there(tmp_path):
    (tmp_path / "clip.csv").write_text("1")
    with pytest.raises(ValueError, match="expected files called 'a.*found none.*clip.csv"):
        build_dataset("n-ucla", tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        build_dataset("n-ucla", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="neither a folder nor a zip"):
        build_dataset("n-ucla", tmp_path / "clip.csv")


def test_an_empty_split_names_the_protocols_that_work(nucla_folder):
    with pytest.raises(ValueError, match="'cross-view' of 'n-ucla' leaves 'test' without.*'cross-view-1-to-2'"):
        build_dataset("n-ucla", nucla_folder, "cross-view")


def test_unknown_names_are_found_before_any_file_is_read(tmp_path):
    with pytest.raises(ValueError, match="No reader is called"):
        build_dataset("ucla", tmp_path)
    with pytest.raises(ValueError, match="has no protocol"):
        build_dataset("n-ucla", tmp_path, "xsub")


@pytest.mark.parametrize(
    ("called", "name"),
    [
        *(("ntu-rgbd", name) for name in ("NTU-60", "ntu-60", "ntu-120", "ntu", "NTU RGB+D 120", "ntu_rgbd")),
        ("utd-mhad", "utd"),
        ("utd-mhad", "UTD_MHAD"),
        ("ui-prmd", "ui_prmd"),
        ("n-ucla", "nucla"),
        ("n-ucla", "NW-UCLA"),
        ("penn-action", "penn"),
        ("smarthome", "toyota-smarthome"),
        ("smarthome-3d", "toyota_smarthome_3d"),
        ("tsu", "Toyota Smarthome Untrimmed"),
        ("posecap", "PoseCap-1M"),
        ("pku-mmd", "PKU MMD"),
    ],
)
def test_datasets_are_known_by_the_names_people_use(called, name):
    assert get_dataset(name) is DATASETS[called]


def test_every_alias_means_a_dataset_and_hides_no_name():
    aliases = [alias for dataset in DATASETS.values() for alias in dataset.aliases]
    assert len({*aliases}) == len(aliases) > 30 and all(alias.isalnum() and alias.islower() for alias in aliases)
    assert not {*aliases} & {"".join(filter(str.isalnum, name)) for name in DATASETS}


@pytest.mark.parametrize(("wrong", "near"), [("ntu-rgb-60", "ntu-rgbd"), ("pen-action", "penn-action")])
def test_a_wrong_name_is_answered_with_the_nearest(wrong, near):
    with pytest.raises(ValueError, match=f"No reader is called '{wrong}'. Did you mean '{near}'"):
        get_dataset(wrong)


def test_an_alias_has_the_protocols_of_its_dataset():
    assert get_protocol("NTU-60", "xsub") is get_protocol("ntu-rgbd", "xsub")


def test_a_class_absent_from_a_split_is_named(nucla_folder):
    for path in nucla_folder.rglob("*e10_v02.json"):
        path.unlink()
    with pytest.warns(UserWarning, match="'test' has no clip of 1 of 10 classes: carry"):
        build_dataset("n-ucla", nucla_folder, "cross-view-1-to-2")


def test_a_complete_dataset_warns_of_nothing(nucla_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_dataset("n-ucla", nucla_folder, "cross-subject")


# Saved datasets.


@pytest.fixture
def saved(nucla_folder, tmp_path):
    return save_dataset("n-ucla", nucla_folder, tmp_path / "saved")


def test_saved_protocols_load_as_configs_with_datasets_alone(saved, nucla_folder, tmp_path):
    for protocol in ("cross-view-1-to-2", "cross-view-2-to-1", "cross-subject"):
        loaded = load_dataset(str(saved), protocol, cache_dir=str(tmp_path / "cache"))
        built = build_dataset("n-ucla", nucla_folder, protocol)
        for split in ("train", "test"):
            assert ids(loaded[split]) == ids(built[split])
            assert loaded[split].features == built[split].features
    full = load_dataset(str(saved), "full", split="full", cache_dir=str(tmp_path / "cache"))
    by_id = {row["clip_id"]: row for row in build_dataset("n-ucla", nucla_folder)["full"]}
    assert all(row == by_id.pop(row["clip_id"]) for row in full)
    assert not by_id


def test_saved_protocols_stream(saved):
    stream = load_dataset(str(saved), "cross-view-1-to-2", split="test", streaming=True)
    rows = list(stream)
    assert len(rows) == 20
    assert {row["camera"] for row in rows} == {2}
    assert from_row(rows[0]).keypoints.shape == (1, 4, 20, 3)


def test_loading_does_not_need_this_library(saved, tmp_path):
    program = (
        "import sys; from datasets import load_dataset; "
        f"rows = load_dataset({str(saved)!r}, 'cross-subject', split='train', streaming=True); "
        "print(sum(1 for _ in rows), 'motionhub' in sys.modules)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    output = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert output.stdout.split() == ["20", "False"]


def test_no_clip_is_stored_twice(saved):
    # Four cells: view 1 or 2, odd or even subject.
    files = sorted(path.relative_to(saved).as_posix() for path in saved.rglob("*.parquet"))
    assert len(files) == 4
    data = card_metadata(saved)
    full = next(config for config in data["configs"] if config["config_name"] == "full")
    assert [path.name for path in saved.rglob("*.parquet")] == 4 * ["clips-00000-of-00001.parquet"]
    assert full["data_files"][0]["path"] == [str(PurePosixPath(name).parent / "*.parquet") for name in files]
    assert {info["splits"][0]["num_examples"] for info in data["dataset_info"] if info["config_name"] != "full"} == {
        20
    }


def test_the_card_says_what_the_data_are(saved):
    data, text = card_metadata(saved), (saved / "README.md").read_text()
    assert data["license"] == "other"
    assert [config["config_name"] for config in data["configs"] if config.get("default")] == ["cross-view-1-to-2"]
    assert "`kinect-20`, 20 joints" in text and "Unit: metre" in text and "30 frames per second (assumed" in text
    assert "Train on view 1, test on view 2" in text
    assert "`cross-view` (not in these files): Train on views 1 and 2, test on view 3" in text
    assert re.search(r"\| carry \| 4 \| 2 \| 2 \| 2 \| 2 \| 2 \| 2 \|", text)
    assert "Missing joints: 0 of 3200" in text
    assert "research use" in text.lower() and "CVPR 2014" in text


def test_the_card_lists_the_files_left_out(nucla_folder, tmp_path):
    (nucla_folder / "s1" / "a01_s01_e01_v01.json").write_text("{")
    with pytest.warns(UserWarning, match="1 of 40"):
        text = (save_dataset("n-ucla", nucla_folder, tmp_path / "saved") / "README.md").read_text()
    assert "- s1/a01_s01_e01_v01.json: line 1" in text
    assert str(tmp_path) not in text


def test_data_that_fill_no_protocol_are_saved_in_full(tmp_path, write_penn):
    write_penn("0001", folder=tmp_path)
    folder = save_dataset("penn-action", tmp_path, tmp_path / "saved")
    assert [config["config_name"] for config in card_metadata(folder)["configs"]] == ["full"]
    row = load_dataset(str(folder), split="full", streaming=True)
    assert [clip["clip_id"] for clip in row] == ["0001"]


def test_a_folder_with_content_is_not_overwritten(saved, nucla_folder):
    with pytest.raises(ValueError, match="exists and is not an empty folder"):
        save_dataset("n-ucla", nucla_folder, saved)


def test_a_full_disk_leaves_no_dataset_and_the_same_call_resumes(nucla_folder, tmp_path, monkeypatch):
    def full_disk(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr("motionhub.data.build.shards.rows_to_table", full_disk)
        with pytest.raises(OSError, match="saved: the disk is full .* left.*nothing was left behind"):
            save_dataset("n-ucla", nucla_folder, tmp_path / "saved")
    assert sorted(tmp_path.iterdir()) == before
    with monkeypatch.context() as patched:
        patched.setattr("motionhub.data.build.build.merge", full_disk)
        with pytest.raises(OSError, match=r"the disk is full .* left.*continues from .*\.saved.building"):
            save_dataset("n-ucla", nucla_folder, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    monkeypatch.setattr("motionhub.data.build.build.read_file", full_disk)  # all files were read before
    save_dataset("n-ucla", nucla_folder, tmp_path / "saved")
    assert len(load_dataset(str(tmp_path / "saved"), "full", split="full", streaming=True).take(99).to_list()) == 40
    assert not list(tmp_path.glob(".saved*"))


# The real datasets.


@pytest.mark.parametrize(
    "archive, reader, protocol, train, test",
    [
        ("utd_mhad_s1-6", "utd-mhad", "cross-subject", 323, 323),
        ("penn_action_train", "penn-action", "random-80-20", 1006, 252),
    ],
)
def test_real_datasets_have_the_counted_clips(shared, archive, reader, protocol, train, test):
    dataset = build_dataset(reader, shared(f"data/{archive}.zip"), protocol)
    assert (len(dataset["train"]), len(dataset["test"])) == (train, test)


def test_real_nucla_has_the_counted_clips_and_classes(shared):
    dataset = build_dataset("n-ucla", shared("data/nucla_views12.zip"), "cross-view-1-to-2")
    assert (len(dataset["train"]), len(dataset["test"])) == (516, 504)
    labels = np.bincount(dataset["train"]["label"]) + np.bincount(dataset["test"]["label"])
    assert labels.tolist() == [102, 102, 96, 124, 101, 102, 99, 99, 98, 97]


def test_real_penn_has_no_official_test_clips(shared):
    with pytest.raises(ValueError, match="'official' of 'penn-action' leaves 'test' without"):
        build_dataset("penn-action", shared("data/penn_action_train.zip"), "official")


def test_a_build_killed_after_its_last_rename_is_finished_by_the_same_call_alone(nucla_folder, tmp_path, monkeypatch):
    out, replace = tmp_path / "out", os.replace

    def killed(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that finished parts are kept
        patched.setattr(os, "replace", lambda source, target: (killed if target == out else replace)(source, target))
        with pytest.raises(KeyboardInterrupt):
            save_dataset_report("n-ucla", nucla_folder, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(ValueError, match="not an empty folder"):
        save_dataset_report("n-ucla", nucla_folder, out, strict=True)
    made = save_dataset_report("n-ucla", nucla_folder, out)
    assert made.folder == out and made.num_clips == len(build_dataset("n-ucla", nucla_folder)["full"])
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert not (tmp_path / ".out.building").exists()
    with pytest.raises(ValueError, match="not an empty folder"):
        save_dataset_report("n-ucla", nucla_folder, out)


@pytest.mark.parametrize("name", ["n" * 5000, f"{'n' * 60}/" * 90])
@pytest.mark.parametrize("kind", ["table", "zip"])
def test_a_name_that_no_disk_takes_is_a_short_message(kind, name, tmp_path):
    root = tmp_path / "raw"
    if kind == "table":
        root.mkdir()
        (root / "a.csv").write_text("x")
        (root / "labels.csv").write_text(f"file,label\n{name}.csv,a\n")
    else:
        root = tmp_path / "raw.zip"
        with zipfile.ZipFile(root, "w") as archive:
            archive.writestr(f"wave/{name}.csv", "x")
    with pytest.raises(ValueError, match=r"n{40,60}'") as caught:
        save_dataset_report("folder", root, tmp_path / "out")
    assert len(str(caught.value)) < 600 + len(str(tmp_path)) and ".building" not in str(caught.value)
