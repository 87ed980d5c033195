"""Segments of clips: where they lie, what second they start at, that a seed decides; LTN goes through the loop."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy_training import toy_recipe

from motionhub.data.formats.schema import features
from motionhub.models.ltn import LtnConfig, LtnModel
from motionhub.models.unik import UnikConfig, UnikModel
from motionhub.objectives.byol import LtnByol
from motionhub.objectives.ltn import LtnMoco
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.tasks.segments import SegmentDataset, collate_segments
from motionhub.training.trainer import train


PROCESSOR = SkeletonProcessor(layout="penn-13", num_dims=2, num_people=1, normalization="none")


def rows(lengths=(30, 30, 4, 30), fps: float = 10.0) -> Dataset:
    """Every coordinate of frame k is k; without labels."""
    made = []
    for index, length in enumerate(lengths):
        keypoints = np.broadcast_to(np.arange(length, dtype=np.float32)[None, :, None, None], (1, length, 13, 2))
        sequence = SkeletonSequence(keypoints=keypoints, layout="penn-13", fps=fps, unit="normalised")
        made.append(to_row(sequence, clip_id=f"clip{index}", source="toy", licence="none"))
    return Dataset.from_list(made, features=features(None))


def test_segments_lie_inside_the_clip_and_know_their_second():
    data = SegmentDataset(rows(), PROCESSOR, num_segments=5, seconds=1.0)
    starts = set()
    for epoch in range(8):
        data.set_epoch(epoch)
        for segment in data[0]["segments"]:
            frames = segment["keypoints"][0, :, 0, 0]
            torch.testing.assert_close(frames, frames[0] + torch.arange(10.0))
            assert float(segment["start_seconds"]) == pytest.approx(float(frames[0]) / 10)
            starts.add(int(frames[0]))
    assert min(starts) <= 1 and max(starts) >= 19 and max(starts) <= 20


def test_a_short_clip_is_seen_whole_from_second_0():
    segments = SegmentDataset(rows(), PROCESSOR, num_segments=2, seconds=1.0)[2]["segments"]
    assert [float(segment["start_seconds"]) for segment in segments] == [0.0, 0.0]
    assert segments[0]["keypoints"].shape[1] == 4


def test_seed_epoch_and_index_decide():
    def places(seed: int, epoch: int) -> list[float]:
        data = SegmentDataset(rows(), PROCESSOR, num_segments=3, seconds=1.0, seed=seed)
        data.set_epoch(epoch)
        return [float(segment["start_seconds"]) for segment in data[1]["segments"]]

    assert places(0, 0) == places(0, 0)
    assert places(0, 0) != places(0, 1) and places(0, 0) != places(1, 0)


def test_a_batch_holds_all_first_segments_before_all_second_ones():
    data = SegmentDataset(rows(), PROCESSOR, num_segments=2, seconds=1.0)
    items = [data[0], data[2]]
    batch = collate_segments(items)
    expected = [item["segments"][place]["start_seconds"] for place in (0, 1) for item in items]
    assert torch.equal(batch["start_seconds"], torch.stack(expected))
    assert batch["attention_mask"].sum((1, 2)).tolist() == [10, 4, 10, 4]  # the short clip is padded


@pytest.mark.parametrize("kind", ["moco", "byol"])
def test_ltn_trains_resumes_and_leaves_an_encoder(kind, tmp_path):
    def run(folder, epochs: int, resume: str = "auto"):
        torch.manual_seed(0)
        encoder = UnikConfig(layout="penn-13", num_joints=13, num_people=1, channels=[4], strides=[2])
        model = LtnModel(LtnConfig(encoder_config=encoder, num_directions=2, time_channels=2, time_hidden_sizes=[3]))
        options = {"num_segments": 2, "anneal": False}  # which depends on the number of epochs
        objective = LtnByol(hidden_size=4, projection_size=3, **options)
        if kind == "moco":
            objective = LtnMoco(projection_sizes=(4, 3), queue_size=8, **options)
        data = SegmentDataset(rows((30, 25, 4, 30, 28, 29)), PROCESSOR, num_segments=2, seconds=1.0)
        recipe = toy_recipe(folder, epochs=epochs, batch_size=3, milestones=[9], resume=resume)
        train(model, PROCESSOR, data, None, recipe, objective=objective, collate=collate_segments)
        return model

    whole = run(tmp_path / "whole", 3)
    run(tmp_path / "cut", 2)
    resumed = run(tmp_path / "cut", 3)
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())
    whole.encoder.save_pretrained(tmp_path / "encoder")
    assert type(UnikModel.from_pretrained(tmp_path / "encoder")) is UnikModel
    assert LtnModel.from_pretrained(tmp_path / "whole" / "last").config.variant == "v3"


def test_wrong_segments_are_an_error():
    for options in ({"num_segments": 0}, {"seconds": 0.0}):
        with pytest.raises(ValueError, match="num_segments of at least 1"):
            SegmentDataset(rows(), PROCESSOR, **options)
    items = [SegmentDataset(rows(), PROCESSOR, num_segments=count)[0] for count in (1, 2)]
    with pytest.raises(ValueError, match="one num_segments"):
        collate_segments(items)
