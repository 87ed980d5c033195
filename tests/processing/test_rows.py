"""Dataset rows into tensors, and where their randomness comes from."""

import pickle

import datasets
import numpy as np
import pytest
import torch

from motionhub.data.formats.schema import features
from motionhub.processing.collate import collate_skeletons
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence


def clip(index: int, **facts) -> SkeletonSequence:
    keypoints = np.random.default_rng(index).normal(size=(1 + index % 2, 6 + index, 20, 3))
    keypoints[0, 1, 2] = np.nan
    return SkeletonSequence(keypoints, "kinect-20", **{"fps": 30, "unit": "metre", **facts})


def rows(count: int = 4) -> datasets.Dataset:
    table = [to_row(clip(index), label=index - 1 if index else None, clip_id=f"clip{index}") for index in range(count)]
    return datasets.Dataset.from_list(table, features=features(["a", "b", "c"]))


def processor(**fields) -> SkeletonProcessor:
    return SkeletonProcessor("kinect-20", num_dims=3, num_people=2, num_frames=5, normalization="centre", **fields)


def keypoints_of(dataset: datasets.Dataset) -> list[torch.Tensor]:
    return [row["keypoints"] for row in dataset]


def test_transformed_dataset_equals_processing_the_sequences():
    transformed = rows().with_transform(processor().row_transform())
    for index, row in enumerate(transformed):
        expected = processor().process(clip(index))
        assert all(torch.equal(row[name], value) for name, value in expected.items())
    batch = collate_skeletons([transformed[index] for index in range(4)])
    assert batch["labels"].tolist() == [-100, 0, 1, 2]


def test_draws_depend_on_seed_epoch_and_clip_alone():
    transform = processor(rotation_degrees=[0, 0, 90]).row_transform(training=True, seed=3)
    transform.set_epoch(1)
    dataset = rows().with_transform(transform)
    forward = keypoints_of(dataset)
    backward = [dataset[index]["keypoints"] for index in (3, 2, 1, 0)][::-1]
    copied = keypoints_of(rows().with_transform(pickle.loads(pickle.dumps(transform))))
    for values in (backward, copied):
        assert all(torch.equal(first, second) for first, second in zip(forward, values, strict=True))
    transform.set_epoch(2)
    assert not any(torch.equal(first, second) for first, second in zip(forward, keypoints_of(dataset), strict=True))
    other_seed = processor(rotation_degrees=[0, 0, 90]).row_transform(training=True, seed=4)
    other_seed.set_epoch(1)
    other = keypoints_of(rows().with_transform(other_seed))
    assert not any(torch.equal(first, second) for first, second in zip(forward, other, strict=True))


def test_without_an_epoch_the_draws_go_on_and_start_the_same():
    def passes() -> list[list[torch.Tensor]]:
        transform = processor(rotation_degrees=[0, 0, 90]).row_transform(training=True, seed=3)
        dataset = rows().with_transform(transform)
        return [keypoints_of(dataset), keypoints_of(dataset)]

    (first, second), (again, _) = passes(), passes()
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("label", [None, -1, float("nan")])
def test_unknown_label_is_ignored_by_cross_entropy(label):
    columns = {name: [value] for name, value in to_row(clip(0)).items()} | {"label": [label]}
    labels = torch.stack(processor().row_transform()(columns)["labels"])
    assert labels.tolist() == [torch.nn.CrossEntropyLoss().ignore_index]


def test_a_row_without_its_columns_or_with_too_few_numbers_is_refused():
    with pytest.raises(ValueError, match="num_frames"):
        processor().process({"keypoints": [0.0]})
    row = to_row(clip(0))
    with pytest.raises(ValueError, match="must hold 1\\*6\\*20\\*3 numbers, got 359"):
        processor().process({**row, "keypoints": row["keypoints"][:-1]})
