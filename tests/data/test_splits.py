"""Every protocol puts the clips where its published sentence says."""

import numpy as np
import pytest
from datasets import Dataset

from motionhub.data.datasets.datasets import DATASETS, get_protocol
from motionhub.data.datasets.splits import few_label_subset, segment_counts


def facts(**changes):
    return {"label": 0, "subject": -1, "camera": -1, "setup": -1, "clip_id": "clip", **changes}


def assigned(reader, protocol, rows):
    return get_protocol(reader, protocol).assign(rows)


def test_every_reader_has_protocols_with_a_source():
    for dataset in DATASETS.values():
        names = [protocol.name for protocol in dataset.protocols]
        assert len({*names}) == len(names) > 0
        assert all(protocol.source.endswith(".") for protocol in dataset.protocols)


@pytest.mark.parametrize(
    "protocol, expected",
    [
        ("cross-view", ["train", "train", "test"]),
        ("cross-view-1-to-2", ["train", "test", None]),
        ("cross-view-2-to-1", ["test", "train", None]),
    ],
)
def test_nucla_views(protocol, expected):
    assert assigned("n-ucla", protocol, [facts(camera=view) for view in (1, 2, 3)]) == expected


@pytest.mark.parametrize("reader", ["n-ucla", "utd-mhad"])
def test_odd_subjects_train(reader):
    rows = [facts(subject=subject) for subject in (1, 2, 3, 8, -1)]
    assert assigned(reader, "cross-subject", rows) == ["train", "test", "train", "test", None]


def test_penn_official_is_the_flag_of_the_files():
    assert assigned("penn-action", "official", [facts(setup=flag) for flag in (1, 0, -1)]) == ["train", "test", None]


def test_ntu_protocols():
    rows = [facts(subject=subject, camera=1) for subject in range(1, 41)]
    splits = assigned("ntu-rgbd", "xsub", rows)
    assert splits.count("train") == splits.count("test") == 20
    assert [splits[subject - 1] for subject in (1, 3, 4, 38, 40)] == ["train", "test", "train", "train", "test"]
    rows = [facts(subject=1, camera=camera) for camera in (1, 2, 3)]
    assert assigned("ntu-rgbd", "xview", rows) == ["test", "train", "train"]
    only_in_120 = [facts(subject=1, camera=1, label=60), facts(subject=1, camera=1, label=59)]
    assert assigned("ntu-rgbd", "xsub", only_in_120) == [None, "train"]


def test_ntu_120_protocols_divide_half_and_half_and_need_its_classes():
    rows = [facts(subject=subject, setup=subject % 32 + 1, label=119) for subject in range(1, 107)]
    splits = assigned("ntu-rgbd", "xsub-120", rows)
    assert splits.count("train") == splits.count("test") == 53
    assert [splits[subject - 1] for subject in (1, 3, 52, 59, 60, 103, 106)] == [
        *("train", "test", "train", "train", "test", "train", "test")
    ]
    rows = [facts(setup=setup, label=setup) for setup in (1, 2, 31, 32, 60)]
    assert assigned("ntu-rgbd", "xset-120", rows) == ["test", "train", "test", "train", "train"]
    only_60 = [facts(subject=1, setup=2, label=59)]
    assert assigned("ntu-rgbd", "xsub-120", only_60) == assigned("ntu-rgbd", "xset-120", only_60) == [None]
    assert all("as public code" in get_protocol("ntu-rgbd", name).source for name in ("xsub-120", "xset-120"))


def test_random_80_20_is_a_fifth_whatever_the_order_and_changes_with_the_seed():
    rows = [facts(clip_id=f"{index:04d}") for index in range(1, 101)]
    splits = assigned("penn-action", "random-80-20", rows)
    assert (splits.count("train"), splits.count("test")) == (80, 20)
    assert assigned("penn-action", "random-80-20", rows[::-1]) == splits[::-1]
    assert assigned("penn-action", "random-80-20-seed-0", rows) == splits
    other = assigned("penn-action", "random-80-20-seed-1", rows)
    assert other != splits and other.count("test") == 20
    # A golden, so that a published number keeps its meaning.
    assert [row["clip_id"] for row, split in zip(rows, splits, strict=True) if split == "test"][:5] == [
        "0002",
        "0004",
        "0019",
        "0021",
        "0023",
    ]


def test_unknown_protocols_are_listed():
    with pytest.raises(ValueError, match="'cross-view', 'cross-view-1-to-2', 'cross-view-2-to-1', 'cross-subject'"):
        get_protocol("n-ucla", "xsub")
    with pytest.raises(ValueError, match="random-80-20-seed-1"):
        get_protocol("n-ucla", "random-80-20-seed-1")


def labelled(*counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    shuffled = np.random.default_rng(3).permutation(labels + [-1, -1])
    return Dataset.from_dict({"label": shuffled, "clip": np.arange(len(shuffled))})


@pytest.mark.parametrize("fraction, expected", [(0.05, [5, 2, 1, 1]), (0.1, [10, 4, 1, 1]), (1.0, [100, 40, 10, 1])])
def test_few_labels_are_a_share_of_every_class_and_at_least_one(fraction, expected):
    subset = few_label_subset(labelled(100, 40, 10, 1), fraction, seed=0)
    assert np.bincount(subset["label"]).tolist() == expected


def test_few_labels_follow_the_seed_and_keep_the_order():
    dataset = labelled(100, 40, 10, 1)
    first = few_label_subset(dataset, 0.1, seed=0)["clip"][:]
    assert first == few_label_subset(dataset, 0.1, seed=0)["clip"][:] == sorted(first)
    assert first != few_label_subset(dataset, 0.1, seed=1)["clip"][:]


@pytest.mark.parametrize("fraction", [0, -0.1, 1.5, float("nan")])
def test_few_labels_refuses_what_is_no_fraction(fraction):
    with pytest.raises(ValueError, match="for example 0.05"):
        few_label_subset(labelled(3), fraction, seed=0)


def test_few_labels_needs_labels():
    with pytest.raises(ValueError, match="every label is -1"):
        few_label_subset(Dataset.from_dict({"label": [-1, -1]}), 0.5, seed=0)


def annotated(columns):
    return Dataset.from_dict({"label": [-1] * len(next(iter(columns.values()))), **columns})


SEGMENTS = {"segment_labels": [[0, 0, 1], [0], [0, 2], [], [1, 1], [0, 0]], "clip": [*range(6)]}


@pytest.mark.parametrize("seed", range(5))
def test_few_labels_of_segments_give_every_class_its_share_and_take_no_clip_in_vain(seed):
    dataset = annotated(SEGMENTS)  # 6 of class 0, 3 of class 1, 1 of class 2
    subset = few_label_subset(dataset, 0.5, seed=seed)
    counts = np.bincount([label for labels in subset["segment_labels"] for label in labels], minlength=3)
    assert counts[0] >= 3 and counts[1] >= 2 and counts[2] == 1
    assert 3 not in subset["clip"][:] and len(subset) < 6 and subset["clip"][:] == sorted(subset["clip"])
    assert subset["clip"][:] == few_label_subset(dataset, 0.5, seed=seed)["clip"][:]
    assert few_label_subset(dataset, 1.0, seed=seed)["clip"][:] == [0, 1, 2, 4, 5]


def test_few_labels_count_the_runs_of_frames_of_a_class():
    frames = [[-1, 0, 0, -1, 0], [1, 1, 1, 1, 1], [-1, -1, -1, -1, -1], [0, 1, 0, 1, 0]]
    dataset = annotated({"frame_labels": frames, "clip": [*range(4)]})
    assert segment_counts(dataset).tolist() == [[2, 0], [0, 1], [0, 0], [3, 2]]
    assert few_label_subset(dataset, 1.0, seed=0)["clip"][:] == [0, 1, 3]
    with pytest.raises(ValueError, match="every label is -1, and no frame"):
        few_label_subset(dataset.select([2]), 0.5, seed=0)
