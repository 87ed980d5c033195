"""Counts of a build against the papers': equal is silent, different is named, a subset is accepted when asked for."""

import pytest

from motionhub.data.datasets.counts import check_counts
from motionhub.data.datasets.datasets import DATASETS, get_protocol


COUNTED = {name: dataset for name, dataset in DATASETS.items() if dataset.counts}


def rows_of(clips, classes=1, subjects=0):
    return [
        {"label": index % classes, "subject": index % subjects + 1 if subjects else -1, "frame_labels": []}
        for index in range(clips)
    ]


def splits_of(train, test, rest=0):
    return ["train"] * train + ["test"] * test + [None] * rest


def test_every_stated_protocol_is_there_and_its_clips_fit_the_whole():
    for reader, dataset in COUNTED.items():
        for edition in dataset.counts:
            assert edition.source and all(get_protocol(reader, name) for name in edition.splits)
            for train, test in edition.splits.values():
                assert edition.clips is None or test is None or train + test <= edition.clips


def test_stated_classes_are_those_of_the_readers():
    for reader, dataset in COUNTED.items():
        names = [name for name in dataset.class_names if name != "background"]
        assert not names or max(edition.classes for edition in dataset.counts) == len(names), reader


@pytest.mark.parametrize(
    "reader, protocol, train, test",
    [
        ("penn-action", "official", 1258, 1068),
        ("tsu", "cs", 351, 185),
        ("tsu", "cv", 369, 167),
        ("charades", "all-videos", 7985, 1863),
        ("posetics", "official", 131268, 10669),
        ("bandai-namco", "cross-style", 1769, 1133),
    ],
)
def test_the_published_counts_pass_and_one_clip_less_is_named(reader, protocol, train, test):
    classes = range(DATASETS[reader].counts[0].classes)
    rows = [{"label": -1, "subject": -1}] * (train + test)
    assert check_counts(reader, rows, {protocol: splits_of(train, test)}, classes=classes) == []
    short = {protocol: splits_of(train - 1, test)}
    with pytest.raises(ValueError, match="expect=.subset.") as caught:
        check_counts(reader, rows[1:], short, classes=classes)
    message = str(caught.value)
    assert f"clips: {train + test - 1:,} here, {train + test:,} stated" in message and "\n" not in message
    assert f"{protocol} train clips: {train - 1:,} here, {train:,} stated" in message
    assert "test clips" not in message and "classes" not in message
    assert len(check_counts(reader, rows[1:], short, expect="subset", classes=classes)) == 2


def test_more_than_stated_is_an_error_of_a_subset_too():
    rows = rows_of(537, classes=51)
    with pytest.raises(ValueError, match="clips: 537 here, 536 stated.*there twice"):
        check_counts("tsu", rows, {}, expect="subset")


def test_classes_and_performers_are_counted():
    assert check_counts("smarthome", rows_of(16_115, 31, 18), {}) == []
    with pytest.raises(ValueError, match="smarthome: .*classes: 30 here, 31 stated; subjects: 17 here, 18 stated"):
        check_counts("smarthome", rows_of(16_115, 30, 17), {})


def test_classes_of_frames_and_segments_count_and_background_does_not():
    rows = [{"label": -1, "subject": -1, "frame_labels": [0, 1, 2], "segment_labels": []}] * 1076
    with pytest.raises(ValueError, match="classes: 2 here, 51 stated"):
        check_counts("pku-mmd", rows, {})
    rows = [{"label": -1, "subject": -1, "frame_labels": [], "segment_labels": [0, 1, 2]}] * 536
    with pytest.raises(ValueError, match="classes: 3 here, 51 stated"):
        check_counts("tsu", rows, {})


@pytest.mark.parametrize(
    "clips, classes, subjects, edition",
    [
        (56_880, 60, 40, None),
        (56_578, 60, 40, None),
        (114_480, 120, 106, None),
        (113_945, 120, 106, None),
        (56_579, 60, 40, "without the 302"),
        (114_479, 120, 106, "NTU-120, all clips"),
    ],
)
def test_ntu_has_four_editions(clips, classes, subjects, edition):
    rows = rows_of(clips, classes, subjects)
    if edition is None:
        assert check_counts("ntu-rgbd", rows, {}) == []
    else:
        with pytest.raises(ValueError, match=f"{edition}.*clips: "):
            check_counts("ntu-rgbd", rows, {})


def test_splits_follow_the_edition():
    rows = rows_of(56_578, 60, 40)
    assert (
        check_counts("ntu-rgbd", rows, {"xsub": splits_of(40_091, 16_487), "xview": splits_of(37_646, 18_932)}) == []
    )
    with pytest.raises(ValueError, match="xsub train clips: 40,320 here, 40,091 stated"):
        check_counts("ntu-rgbd", rows, {"xsub": splits_of(40_320, 16_258)})


def test_a_split_without_a_stated_number_must_not_be_empty():
    rows = rows_of(1_020, 10, 10)
    with pytest.raises(ValueError, match="cross-view test clips: none here"):
        check_counts("n-ucla", rows, {"cross-view": splits_of(1_020, 0)})
    assert check_counts("n-ucla", rows, {"cross-view-1-to-2": splits_of(600, 420)}) == []


def test_data_sets_without_stated_counts_are_never_different():
    assert check_counts("folder", rows_of(3), {}) == check_counts("precog", rows_of(3), {}) == []
    with pytest.raises(ValueError, match="expect must be one of"):
        check_counts("folder", [], {}, expect="whatever")


# Data set -> the protocols that papers report on it.
REPORTED = {
    "n-ucla": {"cross-view", "cross-subject"},
    "ntu-rgbd": {"xsub", "xview", "xsub-120", "xset-120"},
    "pku-mmd": {"xsub", "xview"},
    "smarthome": {"cs", "cv1", "cv2"},
    "tsu": {"cs", "cv"},
    "penn-action": {"official"},
    "uav-human": {"csv1", "csv2"},
    "charades": {"official"},
    "posetics": {"official"},
    "bandai-namco": {"cross-style"},
}


def test_reported_protocols_are_there_and_say_who_defined_them():
    for reader, names in REPORTED.items():
        assert all("(" in get_protocol(reader, name).source for name in names), reader
