"""Streams equal offline models: exactly without attention, and with the attention of the same context otherwise."""

import pytest
import torch
from torch import Tensor

from motionhub import (
    OnlineSegmenter,
    StGcnConfig,
    StGcnForActionSegmentation,
    StreamingSegmenter,
    UnikConfig,
    UnikForActionSegmentation,
)


CHUNKS = ([41], [1] * 41, [7, 1, 20, 13], [40, 1])


def unik(**options) -> UnikForActionSegmentation:
    torch.manual_seed(0)
    sizes = {"num_joints": 5, "in_channels": 3, "channels": [8, 8, 16], "strides": [1, 2, 2], "layout": "lac-15"}
    model = UnikForActionSegmentation(UnikConfig(**{**sizes, "num_people": 2, "num_labels": 4, **options})).eval()
    for name, parameter in model.named_parameters():
        if "norm.weight" in name:  # the official start of 1e-6 would hide the attention
            parameter.data.uniform_(0.5, 1.5)
    return model


def clip(joints: int = 5, people: int = 2, frames: int = 41) -> Tensor:
    return torch.randn(people, frames, joints, 3, generator=torch.Generator().manual_seed(1))


def streamed(model, keypoints: Tensor, chunks: list[int], context: int) -> Tensor:
    stream = StreamingSegmenter(model, context=context)
    made = [stream.add(part) for part in keypoints.split(chunks, dim=1)]
    for index, given in enumerate(torch.tensor([len(part) for part in made]).cumsum(0).tolist()):
        assert given >= sum(chunks[: index + 1]) - stream.delay, "an answer is later than the stated delay"
    return torch.cat([*made, stream.finish()])


def offline(model, keypoints: Tensor, context: int) -> Tensor:
    """The whole clip at once; every frame's attention is that of the `context` frames up to it."""
    encoder = model.encoder
    features = encoder.normalize(keypoints[None], None)[0].transpose(1, 2)
    for block in encoder.blocks:
        unit, frames = block.spatial, features.shape[2]
        mixed = []
        for last in range(frames):
            attention = unit.attend(features[:, :, max(last + 1 - context, 0) : last + 1], None)
            frame = features[:, :, last : last + 1]
            out = unit.norm(unit.mix_and_project(frame, unit.dependency + attention))
            shortcut = frame if unit.shortcut is None else unit.shortcut_norm(unit.shortcut(frame))
            mixed.append((out + shortcut).relu())
        out = block.temporal(torch.cat(mixed, dim=2))
        if block.residual is not None:
            out = out + block.residual(features)
        elif block.has_residual:
            out = out + features
        features = out.relu()
    coarse = model.classifier(features.mean(1).mean(0))[None]
    from motionhub.nn.heads import to_frame_rate

    stride, mode = model.config.frame_stride, model.config.upsampling
    return to_frame_rate(coarse, keypoints.shape[1], stride, mode, None)[0]


@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda chunks: f"{len(chunks)} chunks")
@pytest.mark.parametrize("context", [6, 100])
@torch.no_grad()
def test_a_stream_equals_the_clip_with_the_attention_of_the_same_context(chunks, context):
    """To 1e-5: the sums are float64, the rest is the same float32 arithmetic in another order."""
    model, keypoints = unik(), clip()
    torch.testing.assert_close(
        streamed(model, keypoints, chunks, context), offline(model, keypoints, context), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda chunks: f"{len(chunks)} chunks")
@torch.no_grad()
def test_a_stream_without_attention_over_time_equals_the_model(chunks):
    torch.manual_seed(0)
    sizes = {"num_joints": 15, "channels": [8, 16, 16], "strides": [1, 2, 1], "layout": "lac-15", "num_people": 2}
    model = StGcnForActionSegmentation(StGcnConfig(**sizes, num_labels=4)).eval()
    keypoints = clip(15)
    expected = model(keypoints[None]).logits[0]
    torch.testing.assert_close(streamed(model, keypoints, chunks, 10), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_attention_that_does_not_depend_on_the_frames_gives_the_model_itself():
    model, keypoints = unik(upsampling="repeat", dilations=[1, 2, 1]), clip()
    for block in model.encoder.blocks:
        block.spatial.query.weight.zero_()
        block.spatial.query.bias.zero_()
    expected = model(keypoints[None]).logits[0]
    torch.testing.assert_close(streamed(model, keypoints, [9, 32], 10), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_what_leaves_the_context_is_forgotten():
    """After an hour of large numbers the answers are those of a stream that began later."""
    model, keypoints = unik(), clip(people=1, frames=120)
    before = 1e3 * torch.randn(1, 3000, 5, 3, generator=torch.Generator().manual_seed(2))
    late = StreamingSegmenter(model, context=8)
    late.add(before)
    made = torch.cat([late.add(keypoints), late.finish()])[-40:]
    torch.testing.assert_close(made, streamed(model, keypoints, [120], 8)[-40:], atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_the_online_segmenter_without_recomputation_is_the_stream():
    model, keypoints = unik(), clip()
    online = OnlineSegmenter(model, window=16, recompute=False)
    made = torch.cat([online.add(keypoints), online.finish()])
    torch.testing.assert_close(made, streamed(model, keypoints, [41], 16))


def test_absent_people_have_no_influence():
    model, keypoints = unik(), clip()
    stream = StreamingSegmenter(model, context=9, present=torch.tensor([True, False]))
    made = torch.cat([stream.add(keypoints), stream.finish()])
    torch.testing.assert_close(made, streamed(model, keypoints[:1], [41], 9))


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match=r"model\.eval"):
        StreamingSegmenter(unik().train(), context=9)
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        StreamingSegmenter(unik(), context=0)
    with pytest.raises(ValueError, match="OnlineSegmenter"):
        StreamingSegmenter(unik(tau=3), context=9)
    stream = StreamingSegmenter(unik(), context=9)
    with pytest.raises(ValueError, match=r"expects \(people, frames, 5, 3\), got \(2, 41, 7, 3\)"):
        stream.add(clip(7))
    stream.add(clip())
    with pytest.raises(ValueError, match="began with 2 people, got 1"):
        stream.add(clip()[:1])
