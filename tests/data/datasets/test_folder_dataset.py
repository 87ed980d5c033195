"""A user's own dataset: class folders or a labels.csv, any readable format, and clear words for what is amiss."""

import os
import shutil

import numpy as np
import pytest
from datasets import load_dataset
from helpers import error_of, write_json

import motionhub
from motionhub.data.build.build import build_dataset, collect_rows, save_dataset
from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.formats.files import FileNote
from motionhub.intervals.table import write_intervals
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import from_row


READER = DATASETS["folder"]
OPTIONS = {"layout": "coco-17", "fps": 10, "unit": "pixel"}


def save(path, frames=20):
    """Frame t at (1 + t, 1 + t)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, keypoints=np.ones((1, frames, 17, 2)) + np.arange(frames)[None, :, None, None])
    return path


@pytest.fixture
def folders(tmp_path):
    """Two classes of two clips."""
    root = tmp_path / "mine"
    for name in ("wave/1", "wave/2", "fall/1", "fall/2"):
        save(root / f"{name}.npz")
    write_json(root / "pose_options.json", OPTIONS)
    return root


@pytest.fixture
def table(tmp_path):
    """Clips in a nested folder, and a function that writes labels.csv."""
    root = tmp_path / "listed"
    for name in ("a/1", "a/2", "b/c/3"):
        save(root / f"{name}.npz")
    write_json(root / "pose_options.json", OPTIONS)

    def write(text: str):
        (root / "labels.csv").write_text(text)
        return root

    return write


def test_folders_are_classes_in_alphabetical_order(folders):
    assert READER.at(folders).class_names == ("fall", "wave")
    rows, broken, _ = collect_rows("folder", folders)
    found = [(row["clip_id"], row["label"], row["layout"], row["fps"]) for row in rows]
    assert found == [
        ("fall/1.npz", 0, "coco-17", 10),
        ("fall/2.npz", 0, "coco-17", 10),
        ("wave/1.npz", 1, "coco-17", 10),
        ("wave/2.npz", 1, "coco-17", 10),
    ]
    assert not broken


def test_a_zip_of_the_folder_gives_the_same(folders, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "mine"), "zip", folders)
    rows, _, _ = collect_rows("folder", archive)
    assert [(row["clip_id"], row["label"]) for row in rows] == [
        *(("fall/1.npz", 0), ("fall/2.npz", 0), ("wave/1.npz", 1), ("wave/2.npz", 1))
    ]


def test_any_readable_format_goes_in(shared, tmp_path, write_nucla, points):
    for name in ("kinect", "lcrnet"):
        (tmp_path / "data" / name).mkdir(parents=True)
    write_nucla(folder=tmp_path / "data" / "kinect")
    shutil.copy(shared("data/WatchTV_p02_r03_v05_c05_OP2d.npz"), tmp_path / "data" / "lcrnet" / "clip.npz")
    (tmp_path / "data" / "lcrnet" / "pose_options.json").write_text('{"fps": 20}')
    rows, _, _ = collect_rows("folder", tmp_path / "data")
    assert [(row["layout"], row["label"], row["num_frames"]) for row in rows] == [
        ("kinect-20", 0, 4),
        ("coco-17", 1, 1380),
    ]


def test_a_saved_folder_has_the_classes_frame_rate_and_layout_of_its_files(folders, tmp_path):
    out = save_dataset("folder", folders, tmp_path / "out")
    text = (out / "README.md").read_text()
    assert "2 action classes" in text and "| fall | 2 |" in text and "Frame rate: 10 frames" in text
    rows = load_dataset(str(out), "full", split="full", cache_dir=str(tmp_path / "cache"))
    assert rows.features["label"].names == ["fall", "wave"]
    assert build_dataset("folder", folders)["full"].features["label"].names == ["fall", "wave"]


@pytest.mark.parametrize("inside", ["", "mine"])
def test_a_zip_of_a_folder_is_that_folder(folders, tmp_path, inside):
    archive = shutil.make_archive(str(tmp_path / "mine"), "zip", folders.parent if inside else folders, inside or None)
    splits = build_dataset("folder", archive)
    assert splits["full"].features["label"].names == ["fall", "wave"] and splits["full"]["label"] == [0, 0, 1, 1]


def test_a_broken_first_file_is_left_out_as_any_other(folders):
    (folders / "fall" / "1.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.warns(UserWarning, match="1 of 4 files are broken"):
        rows = build_dataset("folder", folders)["full"]
    assert rows.features["label"].names == ["fall", "wave"] and rows["label"] == [0, 1, 1]


def test_a_table_names_labels_splits_and_performers_and_leaves_the_rest_out(table):
    root = table("file,label,split,subject,camera\na/1.npz,walk,train,3,1\nb/c/3.npz,fall,test,4,\n")
    splits = build_dataset("folder", root, "split")
    facts = [
        (row["clip_id"], row["label"], row["subject"], row["camera"]) for row in (*splits["train"], *splits["test"])
    ]
    assert facts == [("a/1.npz", 1, 3, 1), ("b/c/3.npz", 0, 4, -1)]
    rows = [{"label": 0, "subject": subject} for subject in (3, 4, -1)]
    assert get_protocol("folder", "cross-subject").assign(rows) == ["train", "test", None]
    assert READER.at(root).class_names == ("fall", "walk")


def test_labels_that_are_numbers_are_ordered_as_numbers(table):
    assert READER.at(table("file,label\na/1.npz,10\na/2.npz,9\nb/c/3.npz,1\n")).class_names == ("1", "9", "10")


def test_times_cut_a_file_into_clips(table):
    root = table(
        "file,label,start_s,end_s,caption\na/1.npz,sit,0,0.5,sits down\na/1.npz,rise,0.55,2.0,\na/2.npz,rise,,,\n"
    )
    rows, broken, _ = collect_rows("folder", root)
    assert not broken
    assert [(row["clip_id"], row["num_frames"], row["caption"]) for row in rows] == [
        ("a/1.npz_0", 5, "sits down"),
        ("a/1.npz_1", 14, ""),
        ("a/2.npz", 20, ""),
    ]
    # 0.55 s at 10 frames a second: frame 6 is the first at or behind it.
    assert [row["keypoints"][0] for row in rows] == [1, 7, 1]
    with pytest.raises(ValueError, match="holds 2 clips"):
        READER.annotate(root / "a" / "1.npz")


@pytest.mark.parametrize(
    "times, reason", [("1.5,2.5", "is no part of 20 frames at 10"), ("0.51,0.55", "is no part of")]
)
def test_times_outside_the_clip_or_between_frames_are_named(table, times, reason):
    root = table(f"file,label,start_s,end_s\na/1.npz,sit,{times}\n")
    with pytest.raises(ValueError, match=f"labels.csv: .*{reason}"):
        READER.read(root / "a" / "1.npz")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "is empty"),
        ("file,label\n", "lists no clip"),
        ("name,label\na/1.npz,x\n", "line 1: expected the columns file,label"),
        ("file,label,lable\na/1.npz,x,y\n", "line 1: expected the columns file,label"),
        ("file,label,start_s\na/1.npz,x,0\n", "line 1: start_s and end_s belong together"),
        ("file,label\na/1.npz\n", "line 2: expected 2 fields, got 1"),
        ("file,label\na/1.npz,\n", "line 2: a/1.npz has no label"),
        ("file,label\n../1.npz,x\n", "line 2: expected a file below"),
        ("file,label\n/etc/passwd,x\n", "line 2: expected a file below"),
        ("file,label,split\na/1.npz,x,dev\n", "line 2: expected the split train, test or none, got 'dev'"),
        ("file,label,camera\na/1.npz,x,two\n", "line 2: expected a whole number for camera"),
        ("file,label,start_s,end_s\na/1.npz,x,2,1\n", "line 2: expected seconds with 0 <= start_s < end_s"),
        ("file,label,start_s,end_s\na/1.npz,x,1,\n", "line 2: expected seconds"),
        ("file,label\na/1.npz,x\na/1.npz,y\n", "occur more than once"),
        ("file,label\na/1.npz,x\na/9.npz,y\n", r"1 of 2 files are absent, the first \['a/9.npz'\]"),
        ("file,label\na,x\n", r"\['a'\] are folders; convert them to files"),
        ('file,label\n"a/1.npz,x\n', "not valid CSV"),
    ],
)
def test_a_broken_table_is_one_line(table, text, reason):
    root = table(text)
    for call in (lambda: READER.at(root), lambda: collect_rows("folder", root)):
        with pytest.raises(ValueError, match=f"labels.csv: .*{reason}|labels.csv: {reason}") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_mixed_empty_and_nested_folders_are_named(folders, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match="got an empty folder"):
        READER.at(tmp_path / "nothing")
    save(folders / "loose.npz")
    with pytest.raises(ValueError, match=r"files \['loose.npz'\] beside class folders \['fall', 'wave'\]"):
        READER.at(folders)
    (folders / "loose.npz").unlink()
    (folders / "sit").mkdir()
    with pytest.raises(ValueError, match=r"the class folders \['sit'\] are empty"):
        READER.at(folders)
    save(folders / "sit" / "clip" / "0001.npz")
    with pytest.raises(ValueError, match=r"folders in class folders: \['sit/clip'\].*motionhub convert sit/clip"):
        READER.at(folders)


def test_a_table_above_the_folder_is_not_taken_unnoticed(folders):
    (folders.parent / "labels.csv").write_text("file,label\nmine/wave/1.npz,x\n")
    with pytest.raises(ValueError, match="lies above .* and would be used as its table"):
        READER.at(folders)


def test_files_in_the_root_and_files_the_table_lacks_are_named(folders, table):
    root = table("file,label\na/1.npz,x\n")
    assert [READER.is_clip(root / name) for name in ("a/1.npz", "a/2.npz", "labels.csv", "pose_options.json")] == [
        *(True, False, False, False)
    ]
    with pytest.raises(ValueError, match="labels.csv does not list it"):
        READER.annotate(root / "a" / "2.npz")


def test_other_readers_know_their_classes_without_a_folder(tmp_path):
    for name in ("n-ucla", "tsu", "bandai-namco"):
        assert DATASETS[name].at(tmp_path) is DATASETS[name]


BVH = """HIERARCHY
ROOT body
{
OFFSET 0 0 0
CHANNELS 3 Xposition Yposition Zposition
JOINT arm
{
OFFSET 0 10 0
CHANNELS 3 Zrotation Xrotation Yrotation
}
}
MOTION
Frames: 2
Frame Time: 0.05
0 100 0 0 0 0
0 110 0 0 0 0
"""


def test_a_layout_of_the_files_own_is_the_folders(tmp_path):
    (tmp_path / "jump").mkdir()
    (tmp_path / "jump" / "1.bvh").write_text(BVH)
    found = READER.at(tmp_path)
    assert get_layout(found.layout).joints == ("body", "arm") and (found.fps, found.unit) == (20, "metre")
    (row,), _, _ = collect_rows("folder", tmp_path)
    np.testing.assert_allclose(from_row(row).keypoints[0, :, 1, 1], [1.1, 1.2])


# Labels made by hand beside the recordings


@pytest.fixture
def labelled(tmp_path):
    """Two recordings of 20 frames at 10 per second, and their labels in ELAN and as subtitles."""
    root = tmp_path / "labelled"
    for name in ("a", "b"):
        save(root / f"{name}.npz")
    write_json(root / "pose_options.json", OPTIONS)
    rows = [(None, 0.5, 1.0, "wave"), (None, 0.8, 1.5, "fall")]
    columns = ("track_id", "start_s", "end_s", "label")
    write_intervals([dict(zip(columns, row, strict=True), score=1.0) for row in rows], root / "a.eaf")
    (root / "b.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nsit\n")
    return root


def segments(row):
    return list(zip(row["segment_labels"], row["segment_starts"], row["segment_ends"], strict=True))


def test_labels_beside_recordings_are_segments_and_may_overlap(labelled):
    assert READER.at(labelled).class_names == ("fall", "sit", "wave")
    rows, broken, _ = collect_rows("folder", labelled)
    found = [(row["clip_id"], row["label"], row["num_frames"], segments(row)) for row in rows]
    assert found == [("a.npz", -1, 20, [(2, 5, 10), (0, 8, 15)]), ("b.npz", -1, 20, [(1, 0, 20)])]
    assert not broken


def test_a_table_of_labels_beside_a_recording_is_no_recording(labelled):
    (labelled / "b.srt").unlink()
    (labelled / "b.csv").write_text("start,end,label\n0,1,sit\n")
    assert [path.name for path in sorted(labelled.iterdir()) if READER.is_clip(path)] == ["a.npz", "b.npz"]
    assert [segments(row) for row in collect_rows("folder", labelled)[0]][1] == [(1, 0, 10)]


def test_people_that_labels_name_are_clips_of_their_own(tmp_path):
    points = np.ones((3, 20, 17, 2)) * np.array([1, 5, 9])[:, None, None, None]
    np.savez(tmp_path / "a.npz", keypoints=points, track_ids=np.array([3, 4, 5]))
    write_json(tmp_path / "pose_options.json", OPTIONS)
    table = "start,end,label,person\n0,1,wave,4\n0,2,music,\n0.5,1,sit,3\n0,1,wave,8\n"
    (tmp_path / "a.labels.csv").write_text(table)
    first, second = READER.read(tmp_path / "a.npz")
    assert (first.track_ids, second.track_ids, second.keypoints[0, 0, 0, 0]) == ((3,), (4,), 5)
    with pytest.warns(FileNote, match=r"lacks the people \[8\]; their labels are left out"):
        rows = collect_rows("folder", tmp_path)[0]
    assert [(row["clip_id"], segments(row)) for row in rows] == [
        ("a.npz_3", [(0, 0, 20), (1, 5, 10)]),
        ("a.npz_4", [(2, 0, 10), (0, 0, 20)]),
    ]


def test_a_label_that_ends_after_the_recording_is_cut_there(labelled):
    (labelled / "b.srt").write_text("1\n00:00:01,000 --> 00:00:02,300\nsit\n")
    with pytest.warns(FileNote, match=r"'sit' ends at 2.3 s and is cut at the end of the recording, 2 s"):
        assert segments(collect_rows("folder", labelled)[0][1]) == [(1, 10, 20)]


def test_point_events_are_no_segments(labelled):
    (labelled / "b.srt").unlink()
    (labelled / "b.txt").write_text("0.5\t0.5\tlook\n1\t1.5\tsit\n")
    with pytest.warns(FileNote, match=r"1 point events without duration are left out: \['look'\]"):
        rows = collect_rows("folder", labelled)[0]
    assert segments(rows[1]) == [(1, 10, 15)]
    (labelled / "b.txt").write_text("0.5\t0.5\tlook\n")
    with pytest.warns(FileNote), pytest.raises(ValueError, match=r"b\.txt: labels: holds no interval with a label"):
        READER.read(labelled / "b.npz")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("b.srt", "1\n00:00:07,000 --> 00:00:09,000\nlook\n", "7 s to 9 s is no part of 20 frames at 10 per second"),
        ("b.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nlook\n", "several files of labels: ['b.srt', 'b.vtt']"),
    ],
)
def test_labels_that_are_no_clips_are_one_line(labelled, name, text, reason):
    (labelled / name).write_text(text)
    with pytest.raises(ValueError) as caught:
        READER.annotate_all(labelled / "b.npz")
    assert reason in str(caught.value) and str(labelled / "b.") in str(caught.value)


def test_a_recording_without_labels_among_others_is_an_error(labelled):
    save(labelled / "c.npz")
    assert "recordings without labels beside them: ['c.npz']" in error_of(READER.at, labelled)


def test_subjects_with_names_are_numbered_and_noted(table):
    root = table("file,label,subject\na/1.npz,x,p7\na/2.npz,x,p3\nb/c/3.npz,y,p7\n")
    with pytest.warns(FileNote, match="2 names are numbered in their order: p7 = 0, p3 = 1"):
        rows = collect_rows("folder", root)[0]
    assert [row["subject"] for row in rows] == [0, 1, 0]
    assert READER.at(root).column_notes["subject"] == "from labels.csv, numbered: 0 p7, 1 p3"


def test_joints_of_humanml3d_find_their_captions(tmp_path):
    for folder in ("new_joints", "texts"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "new_joints" / "000021.npy", np.ones((40, 22, 3)) + np.arange(40)[:, None, None])
    (tmp_path / "texts" / "000021.txt").write_text("he walks.#he/PRON#0.0#0.0\nhe turns#he/PRON#1.0#1.5\n")
    (tmp_path / "texts" / "000022.txt").write_text("of another#a#0.0#0.0\n")
    rows = collect_rows("folder", tmp_path / "new_joints")[0]
    (row,) = rows
    assert (row["caption"], row["num_frames"], row["layout"]) == ("he walks.", 40, "humanml3d-22")
    assert segments(row) == [(1, 0, 40), (0, 20, 30)]


def test_class_folders_and_labels_beside_files_are_not_mixed(labelled, folders):
    (folders / "wave" / "1.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nsit\n")
    assert "the class folders ['wave'] have labels beside their files" in error_of(READER.at, folders)
    save(labelled / "more" / "c.npz")
    assert "folders ['more'] beside recordings with labels" in error_of(READER.at, labelled)


def test_a_file_that_is_a_link_out_of_the_folder_is_refused(tmp_path):
    motionhub.write(motionhub.generate("wave", seed=0, layout="coco-17"), tmp_path / "raw" / "wave" / "a.npz")
    secret = motionhub.write(motionhub.generate("wave", seed=1, layout="coco-17"), tmp_path / "secret.npz")
    link = tmp_path / "raw" / "wave" / "b.npz"
    link.symlink_to(secret)
    with pytest.raises(ValueError, match=r"b\.npz: file: is a link to .*secret\.npz, outside of"):
        motionhub.build_dataset("folder", tmp_path / "raw")
    link.unlink()
    link.symlink_to(tmp_path / "raw" / "wave" / "a.npz")  # inside it is a file like others
    assert len(motionhub.build_dataset("folder", tmp_path / "raw")["full"]) == 2


@pytest.mark.parametrize("place", [b"wave/\xff\xfe.npz", b"\xff/a.npz"])
def test_a_name_that_is_no_utf_8_is_named(tmp_path, place):
    clip = motionhub.write(motionhub.generate("wave", seed=0, layout="coco-17"), tmp_path / "raw" / "wave" / "a.npz")
    odd = os.fsencode(tmp_path / "raw") + b"/" + place
    os.makedirs(os.path.dirname(odd), exist_ok=True)
    shutil.copy(clip, odd)
    with pytest.raises(ValueError, match=r"\\xff.*: name: is not UTF-8"):
        motionhub.build_dataset("folder", tmp_path / "raw")


def test_an_interval_far_beyond_the_recording_is_one_line(tmp_path):
    motionhub.write(motionhub.generate("wave", seed=0, layout="coco-17"), tmp_path / "wave" / "a.npz")
    (tmp_path / "labels.csv").write_text("file,label,start_s,end_s\nwave/a.npz,a,0,1e308\n")
    with pytest.raises(ValueError, match=r"labels\.csv: 0 s to 1e\+308 s is no part of"):
        motionhub.build_dataset("folder", tmp_path)
