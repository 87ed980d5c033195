"""Clips for training: random numbers that belong to a clip and an epoch, orders of whole updates, real labels."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, Value
from toy_training import CLASS_NAMES, ToyConfig, toy_dataset, toy_processor

from motionhub.training import dataset as dataset_module
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.dataset import ClipDataset, as_clips, check_labels, item_seed
from motionhub.training.order import EpochOrder


CONFIG = ToyConfig(id2label=dict(enumerate(CLASS_NAMES)))


def test_augmentation_depends_on_seed_epoch_and_clip_only() -> None:
    clips = ClipDataset(toy_dataset(4), toy_processor(), training=True, seed=3)
    first = [clips[index]["keypoints"] for index in range(4)]
    clips.set_epoch(1)
    other_epoch = clips[2]["keypoints"]
    clips.set_epoch(0)
    torch.rand(5)  # the global random state has no part in it
    assert torch.equal(clips[2]["keypoints"], first[2])
    assert not torch.equal(other_epoch, first[2])
    uncached = ClipDataset(toy_dataset(4), toy_processor(), training=True, seed=3, cache=False)
    assert torch.equal(uncached[2]["keypoints"], first[2])
    assert not torch.equal(
        ClipDataset(toy_dataset(4), toy_processor(), training=True, seed=4)[2]["keypoints"], first[2]
    )


def test_evaluation_clips_are_deterministic_and_cached() -> None:
    clips = ClipDataset(toy_dataset(4), toy_processor(), training=False)
    item = clips[1]
    assert item["keypoints"].shape == (1, 6, 13, 2)
    assert (int(item["labels"]), int(item["index"])) == (1, 1)
    assert clips[1] is item


def test_item_seeds_do_not_collide() -> None:
    seeds = {item_seed(seed, epoch, index) for seed in range(3) for epoch in range(10) for index in range(100)}
    assert len(seeds) == 3000


def test_order_is_a_permutation_of_whole_updates() -> None:
    order = EpochOrder(num_clips=13, batch_size=4, seed=0)
    order.begin(epoch=5)
    indices = list(order)
    assert len(indices) == len(order) == 12
    assert len(set(indices)) == 12
    order.begin(epoch=6)
    assert list(order) != indices


def test_order_continues_where_an_epoch_was_interrupted() -> None:
    order = EpochOrder(num_clips=13, batch_size=4, seed=0)
    order.begin(epoch=5)
    indices = list(order)
    order.begin(epoch=5, first_update=2)
    assert list(order) == indices[8:]
    order.begin(epoch=5, first_update=3)
    assert list(order) == []


def test_order_without_drop_last_sees_every_clip_and_fills_from_the_start() -> None:
    order = EpochOrder(num_clips=13, batch_size=4, seed=0, drop_last=False)
    indices = list(order)
    assert len(indices) == 16
    assert set(indices) == set(range(13))
    assert indices[13:] == indices[:3]
    with pytest.raises(ValueError, match="only 3 training clips"):
        EpochOrder(num_clips=3, batch_size=4, seed=0)


@pytest.mark.parametrize(("bad", "shown"), [(-1, "-1"), (3, "3"), (None, "None"), (math.nan, "nan")])
def test_clip_with_a_bad_label_is_named(bad: Any, shown: str) -> None:
    dataset = toy_dataset(5).cast_column("label", Value("float64"))
    labels = [bad if index == 4 else value for index, value in enumerate(dataset["label"])]
    dataset = dataset.remove_columns("label").add_column("label", labels)
    with pytest.raises(ValueError, match=rf"1 of 5 clips have another \(clip004: {shown}"):
        check_labels(dataset, CONFIG)


def test_other_classes_no_labels_and_no_clips_are_errors() -> None:
    dataset = toy_dataset(6)
    check_labels(dataset, CONFIG)
    check_labels(dataset, ToyConfig(num_labels=3))  # a model without class names
    with pytest.raises(ValueError, match="prepare_model"):
        check_labels(dataset, ToyConfig(id2label=dict(enumerate(["high", "middle", "low"]))))
    with pytest.raises(ValueError, match="needs a column 'label'"):
        check_labels(dataset.remove_columns("label"), CONFIG)
    with pytest.raises(ValueError, match="holds no clips"):
        check_labels(dataset.select([]), CONFIG)


def test_labels_may_be_plain_integers() -> None:
    dataset: Dataset = toy_dataset(6).cast_column("label", Value("int64"))
    check_labels(dataset, CONFIG)
    assert np.array_equal(ClipDataset(dataset, toy_processor(), training=False).labels, [0, 1, 2, 0, 1, 2])


def test_workers_without_shared_memory_are_refused_in_one_line_instead_of_waiting_for_ever(monkeypatch, tmp_path):
    monkeypatch.setattr(dataset_module, "SHARED_MEMORY", tmp_path)
    for free in (0, 2**24 - 1):
        monkeypatch.setattr(dataset_module.shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        with pytest.raises(ValueError, match=r"num_workers=2 .* use --num_workers 0, or .*--shm-size"):
            dataset_module.check_workers(2)
        dataset_module.check_workers(0)
    monkeypatch.setattr(dataset_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30))
    dataset_module.check_workers(2)
    monkeypatch.setattr(dataset_module, "SHARED_MEMORY", tmp_path / "none")  # another system
    dataset_module.check_workers(2)


def test_clips_without_a_label_are_left_out_of_training_and_counted() -> None:
    dataset = toy_dataset(6)
    labels = [None if row in (1, 4) else label for row, label in enumerate(dataset["label"])]
    dataset = dataset.cast_column("label", Value("int64")).remove_columns("label").add_column("label", labels)
    with pytest.warns(UserWarning, match=r"train_dataset: 2 of 6 clips have no label and are left out"):
        clips = as_clips(dataset, toy_processor(), TrainingRecipe(), CONFIG, training=True)
    assert clips.labels.tolist() == [label for label in labels if label is not None]
    nobody = dataset.remove_columns("label").add_column("label", [None] * 6)
    with pytest.raises(ValueError, match="6 of 6 clips have another"):
        as_clips(nobody, toy_processor(), TrainingRecipe(), CONFIG, training=True)
