"""Windows and whole clips with the classes of their frames."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy_frames import HEIGHTS, NAMES, frames_dataset, frames_processor

from motionhub.data.formats.schema import features
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.tasks.segmentation import FrameLabelDataset, collate_frames, with_background


def row(keypoints: np.ndarray, **facts) -> dict:
    sequence = SkeletonSequence(keypoints.astype(np.float32), layout="penn-13", fps=10.0, unit="normalised")
    return to_row(sequence, clip_id="one", source="toy", licence="none", **facts)


def dataset(rows: list[dict], names: list[str]) -> Dataset:
    return Dataset.from_list(rows, features=features(names))


def test_labels_stay_with_their_frames_in_every_window():
    clips = FrameLabelDataset(frames_dataset(), frames_processor(), training=True, seed=4)
    for epoch in range(3):
        clips.set_epoch(epoch)
        for item in (clips[index] for index in range(len(clips))):
            assert item["keypoints"].shape == (1, 12, 13, 2) and item["labels"].shape == (12, 3)
            height = item["keypoints"][0, :, :, 1].mean(1)
            torch.testing.assert_close(item["labels"] @ torch.tensor(HEIGHTS).float(), height, atol=0.3, rtol=0)


def test_an_epoch_is_as_long_as_the_clips_and_windows_move():
    rows = frames_dataset(3)  # 20, 23 and 26 frames
    clips = FrameLabelDataset(rows, frames_processor(), training=True)
    assert [entry[0] for entry in clips.entries] == [0, 0, 1, 1, 2, 2, 2]
    assert len(FrameLabelDataset(rows, frames_processor(fps=20.0), training=True)) == 4 + 4 + 5
    assert len(FrameLabelDataset(rows, frames_processor(), training=True, windows_per_clip=5)) == 15
    assert len(FrameLabelDataset(rows, frames_processor(num_frames=None), training=True)) == 3
    first = clips[0]["keypoints"]
    torch.testing.assert_close(first, clips[0]["keypoints"], atol=0, rtol=0)
    clips.set_epoch(1)
    assert not torch.equal(first, clips[0]["keypoints"])


def test_evaluation_gives_whole_clips_with_their_length_and_resampled_labels():
    clips = FrameLabelDataset(frames_dataset(3), frames_processor(), training=False)
    assert [len(clips[index]["labels"]) for index in range(3)] == [20, 23, 26]
    batch = collate_frames([clips[0], clips[2]])
    assert batch["num_frames"].tolist() == [20, 26] and batch["labels"].shape == (2, 26, 3)
    twice = FrameLabelDataset(frames_dataset(1), frames_processor(fps=20.0), training=False)
    assert (twice.fps_of(0), len(twice[0]["labels"])) == (20.0, 39)
    # half a frame on: the nearer one, of two equally near the even one
    assert twice[0]["labels"].argmax(1)[:20].tolist() == [0] * 10 + [1] * 9 + [2]


def test_frames_without_an_action_are_the_background_where_there_is_one():
    segments = [(0, 2, 5), (1, 4, 6)]
    plain = dataset([row(np.zeros((1, 8, 13, 2)), segments=segments)], ["sit", "read"])
    clips = FrameLabelDataset(plain, frames_processor(), training=False)
    assert clips.background is None and clips.overlapping
    assert clips[0]["labels"].sum(0).tolist() == [3, 2]
    more = FrameLabelDataset(with_background(plain), frames_processor(), training=False)
    assert more.class_names == ["sit", "read", "background"] and more.background == 2
    assert more[0]["labels"][:, 2].tolist() == [1, 1, 0, 0, 0, 0, 1, 1]
    assert with_background(frames_dataset(1)).features["label"].names == NAMES  # it has one


def test_each_person_alone_has_the_labels_where_they_are_seen():
    keypoints = np.ones((2, 6, 13, 2))
    keypoints[1, :4] = np.nan
    rows = dataset([row(keypoints, frame_labels=[1, 1, 1, 2, 2, 2])], NAMES)
    clips = FrameLabelDataset(rows, frames_processor(), training=False, per_person=True)
    assert [clips.name_of(index) for index in range(2)] == ["one, person 0", "one, person 1"]
    assert (clips[0]["labels"] >= 0).all()
    assert (clips[1]["labels"][:, 0] >= 0).tolist() == [False] * 4 + [True] * 2
    together = FrameLabelDataset(rows, frames_processor(num_people=2), training=False)
    assert len(together) == 1 and together[0]["keypoints"].shape[0] == 2


def test_other_labels_are_other_data_for_a_resume():
    before = FrameLabelDataset(frames_dataset(3), frames_processor(), training=True)
    again = FrameLabelDataset(frames_dataset(3), frames_processor(), training=True)
    assert before.fingerprint() == again.fingerprint()
    again.frame_labels[0][3] = [0, 1, 0]
    assert before.fingerprint() != again.fingerprint()
    more = FrameLabelDataset(frames_dataset(3), frames_processor(), training=True, windows_per_clip=9)
    assert before.fingerprint() != more.fingerprint()


def test_what_cannot_be_labelled_is_refused_in_words():
    def make(rows=None, processor=None, **options):
        chosen = frames_dataset(2) if rows is None else rows
        return FrameLabelDataset(chosen, processor or frames_processor(), **{"training": True, **options})

    with pytest.raises(ValueError, match="'one' has no labels per frame"):
        make(dataset([row(np.zeros((1, 4, 13, 2)), label=1)], NAMES))
    with pytest.raises(ValueError, match="test_sampling='uniform'"):
        make(processor=frames_processor(test_sampling="uniform"))
    with pytest.raises(ValueError, match="windows_per_clip must be at least 1"):
        make(windows_per_clip=0)
    with pytest.raises(ValueError, match="holds no clips"):
        make(frames_dataset(2).select([]))
    with pytest.raises(ValueError, match="ClassLabel"):
        make(dataset([row(np.zeros((1, 4, 13, 2)), frame_labels=[0] * 4)], []))
    with pytest.raises(ValueError, match="below num_classes=2"):
        make(frames_dataset(2, names=NAMES[:2]))
    with pytest.raises(ValueError, match=r"datasets\.Dataset, got list"):
        make([1, 2])


def test_one_frame_and_a_clip_without_anybody():
    rows = [row(np.ones((1, 1, 13, 2)), frame_labels=[1]), row(np.full((1, 4, 13, 2), np.nan), frame_labels=[2] * 4)]
    clips = FrameLabelDataset(dataset(rows, NAMES), frames_processor(), training=True)
    assert clips[0]["labels"].sum(0).tolist() == [0, 1, 0] and int(clips[0]["attention_mask"].any(0).sum()) <= 12
    assert not clips[1]["attention_mask"].any()
