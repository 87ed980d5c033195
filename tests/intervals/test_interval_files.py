"""What the four file formats hold, read by independent means, and sums of durations worked out by hand."""

import csv
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers import read_json

from motionhub.intervals.table import summarise_intervals, write_intervals


ROWS = [
    {"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "sit down", "score": 0.9},
    {"track_id": 0, "start_s": 1.5, "end_s": 3.0, "label": "drink, from a cup", "score": 0.75},
    {"track_id": 3, "start_s": 3661.25, "end_s": 3662.0, "label": "飲む & <eat>", "score": 0.5},
]


def test_csv_has_a_row_per_interval(tmp_path: Path) -> None:
    with write_intervals(ROWS, tmp_path / "out.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["label"] for row in table] == [row["label"] for row in ROWS]
    assert table[0] == {"track_id": "0", "start_s": "0.500", "end_s": "2.000", "label": "sit down", "score": "0.9000"}


def test_json_gives_the_rows_back(tmp_path: Path) -> None:
    assert read_json(write_intervals(ROWS, tmp_path / "out.json")) == ROWS
    assert read_json(write_intervals([], tmp_path / "none.json")) == []


def test_subtitles_are_numbered_and_in_order(tmp_path: Path) -> None:
    text = write_intervals(ROWS[::-1], tmp_path / "out.srt").read_text(encoding="utf-8")
    blocks = text.strip().split("\n\n")
    assert blocks[0] == "1\n00:00:00,500 --> 00:00:02,000\nperson 0: sit down (0.90)"
    assert blocks[2].splitlines()[1] == "01:01:01,250 --> 01:01:02,000"


def test_elan_tiers_never_overlap_within(tmp_path: Path) -> None:
    path = write_intervals(ROWS, tmp_path / "out.eaf", media=tmp_path / "video.mp4")
    root = ElementTree.parse(path).getroot()
    times = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE", "")) for slot in root.iter("TIME_SLOT")}
    tiers = {tier.get("TIER_ID"): list(tier.iter("ALIGNABLE_ANNOTATION")) for tier in root.iter("TIER")}
    assert list(tiers) == ["person 0", "person 0 (2)", "person 3"]
    (annotation,) = tiers["person 3"]
    assert annotation.find("ANNOTATION_VALUE").text == "飲む & <eat>"
    assert times[annotation.get("TIME_SLOT_REF1")] == 3_661_250
    assert root.find("HEADER/MEDIA_DESCRIPTOR").get("MEDIA_URL").endswith("video.mp4")


def test_summary_counts_overlapping_time_once() -> None:
    rows = [
        {"track_id": 1, "start_s": 0.0, "end_s": 4.0, "label": "walk", "score": 1.0},
        {"track_id": 1, "start_s": 3.0, "end_s": 6.0, "label": "walk", "score": 1.0},
        {"track_id": 1, "start_s": 8.0, "end_s": 9.0, "label": "wave", "score": 1.0},
        {"track_id": None, "start_s": 2.0, "end_s": 3.0, "label": "walk", "score": 1.0},
    ]
    clip, walk, wave = summarise_intervals(rows, duration=10.0)
    assert (clip["track_id"], clip["count"], clip["total_s"]) == (None, 1, 1.0)
    assert (walk["count"], walk["total_s"], walk["mean_s"], walk["longest_s"]) == (2, 6.0, 3.5, 4.0)
    assert walk["share"] == pytest.approx(0.6)
    assert (wave["label"], wave["first_start_s"]) == ("wave", 8.0)
    assert "share" not in summarise_intervals(rows)[0]
    assert summarise_intervals([]) == []


def test_bad_rows_endings_and_durations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="\\.csv"):
        write_intervals(ROWS, tmp_path / "out.docx")
    with pytest.raises(ValueError, match="start_s < end_s"):
        write_intervals([{**ROWS[0], "end_s": 0.5}], tmp_path / "out.csv")
    with pytest.raises(ValueError, match="needs"):
        write_intervals([{"label": "x"}], tmp_path / "out.csv")
    with pytest.raises(ValueError, match="duration"):
        summarise_intervals(ROWS, duration=0)
