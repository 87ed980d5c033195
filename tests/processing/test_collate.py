"""Ragged samples in one batch."""

import pytest
import torch

from motionhub.processing.collate import collate_skeletons


def sample(people: int, frames: int, joints: int = 5, dims: int = 3, **extra) -> dict:
    generator = torch.Generator().manual_seed(people * 100 + frames)
    return {
        "keypoints": torch.randn(people, frames, joints, dims, generator=generator),
        "joint_mask": torch.ones(people, frames, joints, dtype=torch.bool),
        "attention_mask": torch.ones(people, frames, dtype=torch.bool),
        **extra,
    }


def test_each_clip_of_a_ragged_batch_is_itself_followed_by_masked_zeros():
    samples = [sample(1, 4), sample(3, 2), sample(2, 6)]
    batch = collate_skeletons(samples)
    assert batch["keypoints"].shape == (3, 3, 6, 5, 3)
    for index, one in enumerate(samples):
        people, frames = one["attention_mask"].shape
        for name, value in one.items():
            padded = batch[name][index].clone()
            assert torch.equal(padded[:people, :frames], value) and padded.dtype == value.dtype
            padded[:people, :frames] = 0
            assert not bool(padded.any())


def test_a_batch_of_one_is_the_clip_itself():
    one = sample(2, 3)
    batch = collate_skeletons([one])
    assert all(torch.equal(batch[name][0], value) for name, value in one.items())
    assert "labels" not in batch


def test_integer_labels_are_stacked():
    labels = collate_skeletons([sample(1, 2, labels=4), sample(1, 3, labels=torch.tensor(-100))])["labels"]
    assert labels.tolist() == [4, -100] and labels.dtype == torch.int64


def test_frame_labels_are_padded_with_zeros():
    short, long = torch.ones(2, 7), torch.ones(4, 7, dtype=torch.int64)
    labels = collate_skeletons([sample(1, 2, labels=short), sample(1, 4, labels=long)])["labels"]
    assert labels.shape == (2, 4, 7) and labels.dtype == torch.float32
    assert labels.sum((1, 2)).tolist() == [14, 28] and not bool(labels[0, 2:].any())


def test_arrays_are_accepted():
    arrays = {name: value.numpy() for name, value in sample(1, 2).items()}
    assert torch.equal(collate_skeletons([arrays])["keypoints"][0], sample(1, 2)["keypoints"])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "at least one sample"),
        ([{"keypoints": torch.zeros(1, 1, 1, 2)}], "processor.process"),
        ([sample(1, 2, labels=1), sample(1, 2)], "labels"),
        ([sample(1, 2, joints=5), sample(1, 2, joints=6)], "same joints and dims"),
    ],
)
def test_samples_that_do_not_fit_together_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        collate_skeletons(samples)
