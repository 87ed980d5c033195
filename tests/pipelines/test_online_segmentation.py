"""A stream gives what the whole clip gives, in any chunks, with memory that does not grow."""

import doctest

import numpy as np
import pytest
import torch

import motionhub
from motionhub.intervals.decode import DecodingRule
from motionhub.models.unik import UnikConfig, UnikForActionSegmentation
from motionhub.pipelines import online_segmentation
from motionhub.pipelines.online_segmentation import OnlineIntervals, OnlineSegmenter


def model(num_people=1):
    torch.manual_seed(0)
    config = UnikConfig(
        layout="lac-15", num_joints=15, num_people=num_people, channels=[8, 8], strides=[1, 2],
        spatial_norm_init=1.0, id2label={0: "a", 1: "b", 2: "c"},
    )  # fmt: skip
    return UnikForActionSegmentation(config).eval().double()


def clip(frames, people=1):
    return torch.randn(people, frames, 15, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def streamed(online, frames, chunk):
    return torch.cat([*(online.add(part) for part in frames.split(chunk, dim=1)), online.finish()])


@pytest.mark.parametrize("chunk", [1, 5, 100])
@pytest.mark.parametrize(
    ("frames", "window", "hop"), [(50, 16, 16), (50, 16, 5), (48, 16, 8), (16, 16, 4), (7, 16, 16)]
)
def test_a_stream_equals_the_windows_of_the_whole_clip(frames, window, hop, chunk):
    net, whole = model(), clip(frames)
    expected = net.predict_windows(whole[None], window=window, hop=hop)[0]
    online = OnlineSegmenter(net, window=window, hop=hop)
    for _ in range(2):  # a second stream after the first
        torch.testing.assert_close(streamed(online, whole, chunk), expected, rtol=0, atol=1e-12)


def test_absent_people_are_left_out():
    net, whole = model(num_people=2), clip(40, people=2)
    present = torch.tensor([True, False])
    mask = present[None, :, None].expand(1, 2, 40)
    expected = net.predict_windows(whole[None], mask, window=16, hop=8)[0]
    online = OnlineSegmenter(net, window=16, hop=8, present=present)
    torch.testing.assert_close(streamed(online, whole, 9), expected, rtol=0, atol=1e-12)


def test_scores_come_out_one_window_late_and_nothing_is_held_longer():
    online, given = OnlineSegmenter(model(), window=16, hop=8), 0
    for received, frame in enumerate(clip(60).split(1, dim=1), start=1):
        given += len(online.add(frame))
        assert given == max(received - 16, 0)


class Counting(torch.nn.Module):
    """A model of no cost whose score is the mean coordinate."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.config = UnikConfig(id2label={0: "a"})

    def forward(self, keypoints, attention_mask=None):
        from types import SimpleNamespace

        return SimpleNamespace(logits=keypoints.mean((1, 3, 4)).unsqueeze(-1))


def test_memory_is_flat_over_a_hundred_thousand_frames():
    online, largest, total = OnlineSegmenter(Counting().eval(), window=64, hop=32), 0, 0
    for _ in range(400):
        total += len(online.add(torch.ones(1, 250, 2, 2)))
        held = [value for value in vars(online).values() if isinstance(value, torch.Tensor)]
        largest = max(largest, sum(value.untyped_storage().nbytes() for value in held))
    assert total + len(online.finish()) == 100_000
    assert largest <= 4 * (96 * 4 + 96 * 2)  # window + hop frames of four numbers, their sums and counts


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"low_threshold": 0.3},
        {"low_threshold": 0.2, "max_gap": 0.2, "min_duration": 0.25},
        {"max_gap": 0.1, "exclusive": True, "background": 1},
        {"threshold": 0.9, "low_threshold": 0.1, "max_gap": 0.5},
    ],
)
@pytest.mark.parametrize("chunk", [1, 13, 400])
def test_intervals_of_a_stream_equal_those_of_the_whole(options, chunk):
    noise = np.random.default_rng(0).random((400, 3))
    smooth = np.stack([np.convolve(column, np.ones(4) / 4, mode="same") for column in noise.T], axis=1)
    rule = DecodingRule(**options)
    expected = rule(smooth, np.arange(401) / 20)
    online, found = OnlineIntervals(rule, fps=20), []
    for start in range(0, 400, chunk):
        found += online.add(smooth[start : start + chunk])
    found += online.finish()
    found.sort(key=lambda each: (each.start, each.label))
    assert [(each.label, each.start, each.end) for each in found] == [
        (each.label, each.start, each.end) for each in expected
    ]
    np.testing.assert_allclose([each.score for each in found], [each.score for each in expected], atol=1e-12)


def test_intervals_under_way_are_those_that_an_end_of_the_stream_would_return():
    noise = np.random.default_rng(1).random((150, 2))
    rule = DecodingRule(threshold=0.7, low_threshold=0.4, max_gap=0.15, min_duration=0.2, exclusive=True)
    online, seen = OnlineIntervals(rule, fps=20), 0
    for end in range(1, 150):
        online.add(noise[end - 1 : end])
        ended = OnlineIntervals(rule, fps=20)
        ended.add(noise[:end])
        under_way = online.under_way()
        assert under_way == ended.finish()
        seen += len(under_way)
    assert seen > 20


def test_an_interval_comes_out_when_its_gap_is_over_not_later():
    online = OnlineIntervals(DecodingRule(max_gap=0.2), fps=10)
    scores = [0.9, 0.9, 0.1, 0.1, 0.1, 0.1]
    assert [len(online.add([[score]])) for score in scores] == [0, 0, 0, 0, 1, 0]


def test_wrong_streams_are_refused():
    with pytest.raises(ValueError, match="window >= 1"):
        OnlineSegmenter(model(), window=4, hop=5)
    with pytest.raises(ValueError, match=r"model\.eval"):
        OnlineSegmenter(model().train(), window=4)
    online = OnlineSegmenter(model(), window=4)
    assert online.finish().shape == (0, 3)
    assert online.add(clip(0)).shape == (0, 3)
    online.add(clip(3))
    with pytest.raises(ValueError, match="constant people and joints"):
        online.add(clip(3, people=2))
    with pytest.raises(ValueError, match="in 0..1"):
        OnlineIntervals(DecodingRule(), fps=10).add([[float("nan")]])
    with pytest.raises(ValueError, match="fps"):
        OnlineIntervals(DecodingRule(), fps=0)


def test_both_are_public_and_their_examples_run():
    assert motionhub.OnlineSegmenter is OnlineSegmenter and motionhub.OnlineIntervals is OnlineIntervals
    result = doctest.testmod(online_segmentation)
    assert result.failed == 0 and result.attempted == 13
