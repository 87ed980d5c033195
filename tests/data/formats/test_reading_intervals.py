"""Labels made by hand: seconds, label and person of every program, and nothing left out without a word."""

import json
import math
import random
import time
import warnings
import zipfile
from pathlib import Path

import pytest
from helpers import error_of, read_error

from motionhub.data.formats.files import FileNote
from motionhub.data.formats.interval_files import holds_intervals, read_intervals
from motionhub.intervals.table import write_intervals


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def short(rows) -> list[tuple]:
    return [(row["start_s"], row["end_s"], row["label"], row["tier"]) for row in rows]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".srt", ".eaf"])
def test_what_was_written_is_read_back(tmp_path, suffix):
    rows = [
        {"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9},
        {"track_id": 1, "start_s": 1.0, "end_s": 1.5, "label": "sit down", "score": 1.0},
        {"track_id": 1, "start_s": 1.2, "end_s": 4.0, "label": "talk", "score": 1.0},
    ]
    found = read_intervals(write_intervals(rows, tmp_path / f"out{suffix}"))
    for row, expected in zip(found, rows, strict=True):
        score = 1.0 if suffix == ".eaf" else expected["score"]  # ELAN has no scores
        assert {name: row[name] for name in expected} == {**expected, "score": score}


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"/>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2500"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/></TIME_ORDER>
<TIER TIER_ID="person 2">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>wave</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
<ANNOTATION_VALUE>lost</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="hand" PARENT_REF="person 2"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1">
<ANNOTATION_VALUE>left</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>
"""


def test_elan_has_tiers_and_references(tmp_path):
    with pytest.warns(FileNote, match="left out: 1 without a time"):
        rows = read_intervals(written(tmp_path / "a.eaf", EAF))
    assert short(rows) == [(1.0, 2.5, "wave", "person 2"), (1.0, 2.5, "left", "hand")]
    assert [row["track_id"] for row in rows] == [2, None]


def test_a_document_type_in_elan_is_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    assert "document type" in error_of(read_intervals, written(tmp_path / "a.eaf", bomb + "<ANNOTATION_DOCUMENT/>"))


BORIS = """Observation id,Observation date,Media duration (s),FPS,Subject,Behavior,Behavior type,Time,Comment
obs1,2026-01-01,60,25,No focal subject,walk,START,1.0,
obs1,2026-01-01,60,25,child 1,look,POINT,1.5,
obs1,2026-01-01,60,25,No focal subject,sit,START,2.0,
obs1,2026-01-01,60,25,No focal subject,walk,STOP,3.5,
obs1,2026-01-01,60,25,No focal subject,sit,STOP,4.0,
"""


def test_boris_events_start_and_stop(tmp_path):
    rows = read_intervals(written(tmp_path / "events.csv", BORIS))
    assert short(rows) == [(1.0, 3.5, "walk", None), (1.5, 1.5, "look", "child 1"), (2.0, 4.0, "sit", None)]
    open_ended = BORIS.replace("obs1,2026-01-01,60,25,No focal subject,sit,STOP,4.0,\n", "")
    assert "'sit' starts and never stops" in error_of(read_intervals, written(tmp_path / "open.csv", open_ended))


def test_aggregated_boris_events_have_start_and_stop_columns(tmp_path):
    header = "Observation id,Subject,Behavior,Behavior type,Start (s),Stop (s),Duration (s)\n"
    lines = "obs1,2,walk,STATE,1.0,3.5,2.5\nobs1,2,look,POINT,2.0,2.0,NA\n"
    rows = read_intervals(written(tmp_path / "a.tsv", (header + lines).replace(",", "\t")))
    assert short(rows) == [(1.0, 3.5, "walk", "2"), (2.0, 2.0, "look", "2")]
    assert [row["track_id"] for row in rows] == [2, 2]


def test_several_recordings_are_not_one(tmp_path):
    path = written(tmp_path / "events.csv", BORIS + BORIS.replace("obs1", "obs2").split("\n", 1)[1])
    assert "2 recordings, ['obs1', 'obs2']; call" in error_of(read_intervals, path)
    assert len(read_intervals(path, recording="obs2")) == 3
    assert "has no labels of 'obs3'" in error_of(lambda path: read_intervals(path, recording="obs3"), path)


def test_a_boris_project_pairs_the_events_of_states(tmp_path):
    behaviours = {"0": {"code": "walk", "type": "State event"}, "1": {"code": "look", "type": "Point event"}}
    events = [[1.0, "", "walk", "", ""], [1.5, "child", "look", "left", ""], [3.0, "", "walk", "", ""]]
    project = {"behaviors_conf": behaviours, "observations": {"obs1": {"events": events}}}
    rows = read_intervals(written(tmp_path / "project.boris", json.dumps(project)))
    assert short(rows) == [(1.0, 3.0, "walk", None), (1.5, 1.5, "look (left)", "child")]


def test_datavyu_columns_are_tiers_in_milliseconds(tmp_path):
    header = "look.ordinal,look.onset,look.offset,look.code01,move.ordinal,move.onset,move.offset,move.a,move.b\n"
    lines = "1,1000,2000,left,1,500,1500,walk,fast\n2,2500,0,right,,,,,\n"
    rows = read_intervals(written(tmp_path / "a.csv", header + lines))
    assert short(rows) == [(0.5, 1.5, "walk/fast", "move"), (1.0, 2.0, "left", "look"), (2.5, 2.5, "right", "look")]


DATABASE = """#4
look (MATRIX,true,)-direction|NOMINAL
00:00:01:000,00:00:02:500,(left)
00:00:03:000,00:00:00:000,()
move (MATRIX,true,)-kind|NOMINAL,speed|NOMINAL
01:00:00:001,01:00:01:000,(walk,fast)
"""


def test_a_datavyu_project_holds_columns_of_cells(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.opf", "w") as archive:
        archive.writestr("db", DATABASE)
        archive.writestr("project", "- videos")
    expected = [(1.0, 2.5, "left", "look"), (3.0, 3.0, "look", "look"), (3600.001, 3601.0, "walk/fast", "move")]
    assert short(read_intervals(tmp_path / "a.opf")) == expected
    assert short(read_intervals(written(tmp_path / "a.csv", DATABASE))) == expected
    (tmp_path / "b.opf").write_bytes(b"PK\x03\x04 broken")
    assert "not a readable project of Datavyu" in error_of(read_intervals, tmp_path / "b.opf")


def test_lists_of_objects_have_the_names_of_columns(tmp_path):
    content = [{"start": 0.5, "duration": 1, "action": "wave", "subject": "P2", "mood": 1}]
    with pytest.warns(FileNote, match=r"keys: that are not read: \['mood'\]"):
        (row,) = read_intervals(written(tmp_path / "a.json", json.dumps(content)))
    assert (row["start_s"], row["end_s"], row["label"], row["track_id"]) == (0.5, 1.5, "wave", 2)


def test_frame_numbers_are_not_taken_for_seconds(tmp_path):
    path = written(tmp_path / "a.csv", "start_frame,end_frame,label\n10,20,wave\n")
    assert "dividing them by the frame rate" in error_of(read_intervals, path)


def test_subtitles_have_speakers_and_several_lines(tmp_path):
    vtt = (
        "WEBVTT\n\nNOTE made by hand\n\n00:01.000 --> 00:02.500 align:start\n<v Anna>she <i>waves</i>\nand leaves\n\n"
        "id\n01:00:00.000 --> 01:00:01.000\nsit\n"
    )
    rows = read_intervals(written(tmp_path / "a.vtt", vtt))
    assert short(rows) == [(1.0, 2.5, "she waves and leaves", "Anna"), (3600.0, 3601.0, "sit", None)]
    srt = "1\n00:00:01,000 --> 00:00:02,500\nwave\n"
    assert short(read_intervals(written(tmp_path / "a.srt", srt))) == [(1.0, 2.5, "wave", None)]
    assert "no line of times" in error_of(read_intervals, written(tmp_path / "b.srt", "hello\n"))


def test_audacity_labels_may_be_points(tmp_path):
    text = "1.000000\t2.500000\twave\n\\\t100.0\t200.0\n3,000000\t3,000000\tlook up\n"
    rows = read_intervals(written(tmp_path / "labels.txt", text))
    assert short(rows) == [(1.0, 2.5, "wave", None), (3.0, 3.0, "look up", None)]


def test_captions_of_humanml3d_are_of_the_whole_or_of_a_part(tmp_path):
    text = "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\nhe turns#he/PRON turn/VERB#1.5#3.0\n"
    rows = read_intervals(written(tmp_path / "000021.txt", text))
    assert short(rows) == [(0.0, math.inf, "a man walks.", None), (1.5, 3.0, "he turns", None)]


def test_babel_has_labels_of_frames_or_of_the_sequence(tmp_path):
    label = {"raw_label": "walks", "proc_label": "walk", "act_cat": ["walk"], "start_t": 0.0, "end_t": 2.0}
    overlapping = {**label, "proc_label": "wave", "act_cat": ["gesture"], "start_t": 1.0, "end_t": 3.0}
    whole = {"labels": [{"raw_label": "stand", "proc_label": "stand", "act_cat": ["stand"]}]}
    content = {
        "5": {"feat_p": "KIT/3/walk.npz", "dur": 3.1, "seq_ann": whole, "frame_ann": {"labels": [label, overlapping]}},
        "7": {"feat_p": "KIT/3/stand.npz", "dur": 4.0, "seq_ann": whole, "frame_ann": None},
    }
    path = written(tmp_path / "train.json", json.dumps(content))
    assert "2 recordings" in error_of(read_intervals, path)
    rows = read_intervals(path, recording="5")
    assert short(rows) == [(0.0, 2.0, "walk", None), (1.0, 3.0, "wave", None)]
    assert rows[1]["categories"] == ["gesture"]
    assert short(read_intervals(path, recording="7")) == [(0.0, 4.0, "stand", None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start,end,label,subject\n0.5,2,wave,P3\n", (0.5, 2.0, "wave", "P3")),
        ("onset;duration;behaviour\n0,5;1,5;wave\n", (0.5, 2.0, "wave", None)),
        ("t_start,t_end,activity\n0.5,2,wave\n", (0.5, 2.0, "wave", None)),
        ("start_ms\tend_ms\taction\n500\t2000\twave\n", (0.5, 2.0, "wave", None)),
        ("Begin Time - ss.msec,End Time - ss.msec,Tier,Annotation\n0.5,2,A,wave\n", (0.5, 2.0, "wave", "A")),
    ],
)
def test_tables_say_start_end_and_label_in_many_words(tmp_path, text, expected):
    assert short(read_intervals(written(tmp_path / "a.csv", text))) == [expected]


def test_columns_that_are_not_read_are_noted(tmp_path):
    with pytest.warns(FileNote, match=r"columns that are not read: \['mood'\]"):
        read_intervals(written(tmp_path / "a.csv", "start,end,label,mood\n0,1,wave,good\n"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("start,end,label\n2,1,wave\n", "'wave' starts at 2 s and ends at 1 s"),
        ("start,end,label\n-1,1,wave\n", "'wave' starts at -1 s"),
        ("start,end,label\n0,1,\n", "line 2: the interval from 0 s has no label"),
        ("start,end,label\nsoon,1,wave\n", "line 2: expected a time in seconds"),
        ("start,label\n0,wave\n", "line 2: expected an end or a duration"),
        ("nose_x,nose_y,b\n1,2,3\n", "expected columns such as start, end, label (in seconds)"),
    ],
)
def test_times_and_labels_that_make_no_sense_are_one_line(tmp_path, text, reason):
    assert reason in error_of(read_intervals, written(tmp_path / "a.csv", text))


def test_poses_are_no_labels(tmp_path):
    assert not holds_intervals(written(tmp_path / "a.csv", "frame,nose_x,nose_y\n0,1,2\n"))
    assert not holds_intervals(written(tmp_path / "a.json", "[]"))
    assert holds_intervals(written(tmp_path / "b.csv", "start,end,label\n0,1,wave\n"))


def test_labels_given_for_poses_are_named(tmp_path):
    for name, text in (("a.eaf", EAF), ("a.csv", "start,end,label\n0,1,wave\n"), ("a.srt", FILES["a.srt"])):
        assert "labels, not poses; read them by motionhub.read_intervals" in read_error(written(tmp_path / name, text))


FILES = {
    "a.eaf": EAF,
    "a.csv": BORIS,
    "a.srt": "1\n00:00:01,000 --> 00:00:02,500\nwave\n",
    "a.txt": "1.0\t2.5\twave\n",
    "a.boris": '{"observations": {"a": {"events": [[1.0, "", "walk", ""], [2.0, "", "walk", ""]]}}}',
    "a.json": '[{"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9}]',
    "b.json": '{"5": {"dur": 3, "frame_ann": {"labels": [{"proc_label": "a", "start_t": 0.0, "end_t": 2.0}]}}}',
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_damaged_labels_are_rows_or_one_line(tmp_path, name):
    refused, words = 0, (b"", b"nan", b"-1", b"1e999", b"\0", b"<", b'"', b"[", b"9" * 400, b"\t", b"\xff")
    for trial in range(120):
        chance, content = random.Random(f"{name} {trial}"), FILES[name].encode()
        place = chance.randrange(len(content))
        content = content[:place] + chance.choice(words) + content[place + chance.randrange(12) :]
        (tmp_path / name).write_bytes(content)
        try:
            rows = read_intervals(tmp_path / name)
        except ValueError as error:
            assert str(tmp_path / name) in str(error) and str(error).isprintable()
            refused += 1
        else:
            assert all(0 <= row["start_s"] <= row["end_s"] and row["label"] for row in rows)
    assert refused > 0


def chain(count: int) -> str:
    """An ELAN file of annotations that each refer to the next; the last one has the times."""
    refer = '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a{0}" ANNOTATION_REF="a{1}"><ANNOTATION_VALUE>x'
    ends = "</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    rows = "".join(refer.format(number, number + 1) + ends for number in range(count))
    aligned = (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{count}" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">'
        "<ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )
    slots = '<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="9"/>'
    return f'<ANNOTATION_DOCUMENT>{slots}</TIME_ORDER><TIER TIER_ID="x">{rows}{aligned}</TIER></ANNOTATION_DOCUMENT>'


CIRCLE = chain(20).replace('TIME_SLOT_REF1="t1"', "").replace('ANNOTATION_REF="a20"', 'ANNOTATION_REF="a0"')
SUBTITLE = "00:00:01.000 --> 00:00:02.000\n"
# Name -> suffix, content, and the number of intervals; each took minutes when its parts were counted again and again.
LONG = {
    "a chain of references": (".eaf", chain(20_000), 20_001),
    "a circle of references": (".eaf", CIRCLE, 0),
    "tiers in tiers": (".eaf", f"<D>{'<TIER>' * 20_000}{'</TIER>' * 20_000}</D>", 0),
    "tags that do not end": (".vtt", f"{SUBTITLE}{'<a' * 200_000}\n", 1),
    "voices that do not end": (".vtt", f"{SUBTITLE}{'<v ' * 200_000}x\n", 1),
    "one long label": (".srt", f"{SUBTITLE}{'x (0.1' * 100_000}\n", 1),
    "blank lines": (".srt", f"{SUBTITLE}wave\n{' ' * 200_000}{chr(10) * 200_000}x\n", 1),
}


@pytest.mark.parametrize("what", LONG)
def test_what_is_long_is_read_in_time_that_grows_with_it(what, tmp_path):
    suffix, content, count = LONG[what]
    path = tmp_path / f"a{suffix}"
    path.write_text(content)
    begin = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = len(read_intervals(path))
    except ValueError:
        found = 0
    assert found == count and time.process_time() - begin < 5
